//! Reading strategies: what of documents a model is given for a question, in which form, and what is asked on the way.
//!
//! A [`ReadingStrategy`] makes of documents and a question what a [`LanguageModel`](loci_engine::LanguageModel) is given in
//! their place, and may ask the model meanwhile. [`read`](read::read) answers with one; [`Given`] wraps a model with one and
//! is a model itself, so whatever asks models can ask it. [`registry`] lists them.
//!
//! What several share is one part: [`passages()`] and [`sentences`] cut texts, a [`Ranker`] ranks them by words, by meaning
//! (the vectors of a [`TextEncoder`]) or by both, [`mod@expand`] adds to what a text is found by, [`candidates`] ranks passages
//! of documents, [`assemble`] puts together what is read and knows where it is from, [`ids`] makes an order of any reply,
//! [`quotes`] finds quotes, and [`Order`] says how passages stand. [`sculptor`] holds a conversation whose text a model hides,
//! shortens and finds again with tools; [`structured`] reads and writes outlines of a text; `search` finds passages in a
//! folder of files, with an index on disk.

pub mod alr2;
pub mod assemble;
pub mod bm25;
pub mod candidates;
pub mod closed_book;
pub mod co_lor;
pub mod dates;
pub mod dense;
pub mod encode;
pub mod expand;
#[cfg(test)]
mod fakes;
pub mod full_ranking;
pub mod fuse;
pub mod given;
pub mod ids;
pub mod infini_retri;
pub mod jrt;
pub mod order;
pub mod passages;
pub mod plain;
pub mod quotes;
pub mod ranker;
pub mod read;
pub mod registry;
pub mod retrieval;
pub mod sculptor;
#[cfg(feature = "search")]
pub mod search;
pub mod strategy;
pub mod structured;
pub mod tokens;

pub use bm25::Bm25;
pub use dense::Dense;
pub use encode::TextEncoder;
pub use fuse::fuse;
pub use given::Given;
pub use order::Order;
pub use passages::{passages, sentences};
pub use ranker::{By, Ranker};
pub use read::{Passage, ReadOptions, Reply, read};
pub use registry::STRATEGIES;
pub use retrieval::{Retrieval, RetrievalOptions};
pub use strategy::{Asked, Prepared, ReadingStrategy, Span, Work};
