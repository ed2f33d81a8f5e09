//! How well a model does something over a context, and how surely that is known.
//!
//! A [`Task`] makes [`Example`]s, each a text with questions about it, and scores answers. Anything that reads and writes
//! text answers them. [`metrics`] are plain functions of answer and gold; [`statistics`] say what follows from the scores.

pub mod datasets;
mod declare;
pub mod error;
pub mod example;
pub mod export;
#[cfg(feature = "memory")]
pub mod memory;
pub mod metrics;
pub mod registry;
pub mod report;
pub mod run;
pub mod sizes;
pub mod statistics;
pub mod synthetic;
pub mod task;

pub use error::EvalError;
pub use example::{Example, Mode, Sequence, Turn, Wrap};
pub use sizes::Tokens;
pub use task::{Level, Request, Score, Task, TaskInfo};
