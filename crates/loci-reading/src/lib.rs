//! Reading strategies: what of a text a model is given, and in which order.
//!
//! A strategy wraps a [`LanguageModel`](loci_engine::LanguageModel) and is one itself, so whatever asks models can ask it.
//! [`Retrieval`] is the first: it ranks [`passages()`] of the text by [`Bm25`] and passes on the best ones. It is the control
//! that every long-context figure needs beside it: what can be answered so does not show that a long text was read.

pub mod bm25;
pub mod passages;
pub mod registry;
pub mod retrieval;
pub mod tokens;

pub use bm25::Bm25;
pub use passages::{passages, sentences};
pub use registry::STRATEGIES;
pub use retrieval::{Retrieval, RetrievalOptions};
