//! From weights to logits: model files, wiring over [`ops::Ops`], tokenizers, chat templates, RoPE schedules
//! and sampling.
//!
//! [`Model::open`] reads a GGUF file ([`gguf`]) or a Hugging Face folder ([`folder`]) and packs its weights;
//! [`wiring::forward`] turns new tokens of one or several sequences into logits. The wiring is written once, over
//! the operations of an executor; [`cpu::Cpu`] is the one for inference.
//!
//! [`Encoder::open`] reads a sentence encoder, which turns texts into vectors.
//!
//! The seam to contextual memory, [`memory::ContextMemory`], is defined here and implemented in
//! `loci-context`; a method's declaration, [`method::MethodInfo`], is shared by all kinds of methods.

pub mod config;
pub mod cpu;
pub mod encoder;
pub mod error;
pub mod folder;
pub mod gguf;
mod load;
mod material;
pub mod memory;
pub mod method;
pub mod model;
pub mod ops;
pub mod reference;
pub mod rope;
pub mod sampling;
pub mod signals;
mod source;
pub mod template;
mod tensors;
pub mod tokenizer;
pub mod watch;
pub mod wiring;

pub use encoder::Encoder;
pub use error::ModelError;
pub use model::Model;
