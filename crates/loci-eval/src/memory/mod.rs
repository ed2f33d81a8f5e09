//! How well the governed memory keeps and finds what a user told, and what can be answered from it.
//!
//! Histories are generated ([`compile`]) or read from a data set ([`corpus`]). They are written into a store by the memory's own
//! operations and found again by its own recall ([`store`]): [`finding`] compares the choices of its design, [`answering`] has
//! readers answer from no memory, a frozen one and the live one, and [`panels`] say what that shows.

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
