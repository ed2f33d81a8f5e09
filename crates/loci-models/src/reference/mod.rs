//! Plain definitions that fast paths are compared with, and small random models to try them on.
//!
//! Nothing here is fast or sparing; it is meant for tests, of this crate and of those above it.

mod file;
mod memory;

pub use file::{Entry, TinyModel, write_gguf};
pub use memory::ReferenceMemory;
