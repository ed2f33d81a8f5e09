//! The engine, mostly with small random models. One program, so that it is linked once; what measures its own memory is one
//! of its own.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used)] // a test fails by panicking

mod common;

mod documents;
mod draft;
mod generate;
mod grammar;
mod language_model;
mod prefix_cache;
mod pull;
mod remote;
mod retrieval_heads;
mod saved;
mod session;
mod together;
mod tools;
