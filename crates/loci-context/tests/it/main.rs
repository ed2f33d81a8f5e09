//! Methods against their sheets, golden values and each other. One program, so that it is linked once; what measures its own
//! memory is one of its own.
#![allow(clippy::unwrap_used, clippy::panic, clippy::cast_precision_loss)] // a test fails by panicking

mod common;

mod act_qkv;
mod composition;
mod draft_based;
mod duo_attention;
mod em_llm;
mod em_llm_events;
mod golden;
mod hip_attention;
mod long_heads;
mod matrix;
mod packing;
mod recycled_attention;
mod squeezed_attention;
mod squeezed_golden;
mod take_over;
mod watch;
