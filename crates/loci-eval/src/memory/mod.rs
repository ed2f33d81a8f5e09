//! How well the governed memory keeps and finds what a user told, and what can be answered from it.
//!
//! Histories are generated ([`compile`]) or read from a data set. They are written into a store by the memory's own public
//! operations and found again by its own recall ([`store`]).

pub mod answered_report;
pub mod answering;
pub mod compile;
pub mod corpus;
pub mod finding;
pub mod history;
pub mod judged;
pub mod panels;
pub mod readers;
pub mod store;
mod told;
