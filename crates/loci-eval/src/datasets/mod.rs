//! Tasks over published data sets, read from a folder in their original formats.

mod book_sort;
mod book_words;
pub mod catalogue;
mod common;
mod files;
mod lic_bench;
mod lic_bench_items;
mod literal;
mod long_bench;
mod longchat;
mod loogle;
mod ordering;
mod pi_llm;
mod scoring;

pub use book_sort::BookSort;
pub use lic_bench::LicBench;
pub use long_bench::LongBench;
pub use longchat::{LongChatLines, LongChatTopics};
pub use loogle::LooGle;
pub use pi_llm::PiLlm;
