//! The governed memory: what a user told, kept under rules that can be checked.
//!
//! A [`Memory`] holds items that never change ([`record`]); their states do, and every change is an entry of a log whose entries are
//! bound to each other by hashes ([`log`]). What comes in passes a gate ([`gate`]), what is recalled a conflict rule
//! ([`conflict`]), what is forgotten is gone from every file ([`forget`]). Rows lie in a database behind [`rows::Engine`];
//! SQLite is the embedded one ([`sqlite`]), Postgres the one for many machines (feature `postgres`).
//!
//! Source: Zhang et al., Memory in Large Language Models: Mechanisms, Evaluation and Evolution, 2025 (states, certificates, conflict
//! rule); Wu et al., LongMemEval, 2024 (keys, time-aware queries).
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod account;
pub mod audit;
pub mod conflict;
pub mod elsewhere;
mod error;
pub mod extract;
pub mod forget;
pub mod gate;
mod instructions;
pub mod log;
mod memory;
mod open;
mod policy;
#[cfg(feature = "postgres")]
pub mod postgres;
mod raw;
pub mod recall;
pub mod record;
pub mod rollback;
pub mod rows;
mod search;
mod shingles;
pub mod sqlite;
pub mod talk;
mod time;
pub mod transfer;
mod vectors;
pub mod verify;
pub mod when;
mod writer;

pub use elsewhere::{Elsewhere, Said};
pub use error::MemoryError;
pub use forget::{Certificate, Target};
pub use memory::{Added, Chance, Memory, Surroundings};
pub use policy::Policy;
pub use recall::{Found, Query, Recall};
pub use record::{Content, Item, Key, KeyKind, Kind, Scope, Source, State, Trust};
pub use rows::Filter;
pub use time::Time;
