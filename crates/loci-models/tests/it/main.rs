//! Files, tokenizers, templates and wiring of models. One program, so that it is linked once.
#![allow(clippy::unwrap_used, clippy::panic)] // a test fails by panicking

mod common;

mod encoder;
mod files_folder;
mod files_gguf;
mod sampling;
mod template;
mod tokenizer;
mod tokenizer_hostile;
mod wiring_golden;
mod wiring_steps;
mod word_piece;
