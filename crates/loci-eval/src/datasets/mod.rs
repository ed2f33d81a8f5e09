//! Tasks over published data sets, read from a folder in their original formats.

pub mod catalogue;
mod common;
mod files;
mod long_bench;
mod scoring;

pub use long_bench::LongBench;
