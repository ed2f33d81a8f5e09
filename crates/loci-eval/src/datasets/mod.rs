//! Tasks over published data sets, read from a folder in their original formats.

mod book_sort;
mod book_sort_form;
mod book_words;
pub mod catalogue;
mod cnn_sum;
mod common;
pub(crate) mod files;
mod lic_bench;
mod lic_bench_items;
mod literal;
mod long_bench;
mod long_ins;
mod long_mem_eval;
pub mod long_mem_eval_retrieval;
mod long_mem_eval_sessions;
mod longchat;
mod loogle;
mod m4le;
mod needle_threading;
mod pi_llm;
mod scbench;
mod scbench_score;
mod scoring;

pub use book_sort::BookSort;
pub use cnn_sum::CnnSum;
pub use lic_bench::LicBench;
pub use long_bench::LongBench;
pub use long_ins::LongIns;
pub use long_mem_eval::LongMemEval;
pub use longchat::{LongChatLines, LongChatTopics};
pub use loogle::LooGle;
pub use m4le::M4le;
pub use needle_threading::NeedleThreading;
pub use pi_llm::PiLlm;
pub use scbench::ScBench;
