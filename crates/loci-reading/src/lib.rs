//! Reading strategies: what of a text a model is given, and in which order.
//!
//! [`Given`] wraps a [`LanguageModel`](loci_engine::LanguageModel) and is one itself, so whatever asks models can ask it; a
//! [`Chooser`] says what of the text the model is given. The first two are controls that every long-context figure needs
//! beside it: [`Retrieval`] ranks [`passages()`] of the text by [`Bm25`] and takes the best ones: what can be answered so does
//! not show that a long text was read. [`ClosedBook`](closed_book::ClosedBook) takes nothing. [`Jrt`](jrt::Jrt) gives text and
//! question twice.
//!
//! A [`Ranker`] ranks texts in memory by words, by meaning (the vectors of a [`TextEncoder`]) or by both; `search` does it for
//! a folder of files, with an index on disk.

pub mod bm25;
pub mod closed_book;
pub mod dense;
pub mod encode;
pub mod fuse;
pub mod given;
pub mod jrt;
pub mod order;
pub mod passages;
pub mod ranker;
pub mod registry;
pub mod retrieval;
#[cfg(feature = "search")]
pub mod search;
pub mod tokens;

pub use bm25::Bm25;
pub use dense::Dense;
pub use encode::TextEncoder;
pub use fuse::fuse;
pub use given::{Chooser, Given};
pub use order::Order;
pub use passages::{passages, sentences};
pub use ranker::{By, Ranker};
pub use registry::STRATEGIES;
pub use retrieval::{Retrieval, RetrievalOptions};
