//! Outlines of a text: what it is about, in which aspects, and which sentences belong to each.
//!
//! Running text hides what belongs to what; a small reader loses the thread in long or dense input. Structurization (Liu et
//! al., Enhancing LLM's Cognition via Structurization, 2024, StruXGPT) has the text structured once, and gives an unchanged
//! reader the structured text. This is all of it but the models: prompts, readers of replies, checks and repairs, cutting
//! and merging of long inputs, and the text for the reader. Gains are reported for small readers and dense text; below
//! [`SHORTEST_WORDS`] words it only adds noise.
//!
//! There are two forms. An [`Outline`] (the released second form) names ranges of sentences, so that every sentence is kept
//! and in its order: the one to use where nothing may be lost. A [`Statement`] (the paper's form) is written anew by the
//! model, which may drift from the text; [`repair`] has remedies. A reply that breaks a rule is a typed error, and the text
//! is then used as it is.
//!
//! [`rules`] makes outlines without a model from headings, [`segments`] from sentence vectors.

pub mod chunks;
pub mod merge;
pub mod outline;
mod reader;
pub mod reading;
pub mod repair;
pub mod rules;
pub mod segments;
pub mod statement;
pub mod text;

pub use merge::{Merge, merge};
pub use outline::{Aspect, BadOutline, Outline};
pub use statement::{BadStatement, Described, Statement};
pub use text::Style;

/// Texts of fewer words are better left as they are.
pub const SHORTEST_WORDS: usize = 50;
/// The longest passages that the paper structures for dense retrieval, in words.
pub const LONGEST_WORDS_FOR_RETRIEVAL: usize = 1024;
/// Most tokens of a structurizer's reply, written greedily, as the paper has it.
pub const MOST_REPLY_TOKENS: usize = 2048;

/// Text on one line, without white space around it.
fn on_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
