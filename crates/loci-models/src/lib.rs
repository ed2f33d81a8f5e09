//! From weights to logits: model files, wiring over [`ops::Ops`], tokenizers, chat templates, RoPE schedules
//! and sampling.
//!
//! The seam to contextual memory, [`memory::ContextMemory`], is defined here and implemented in
//! `loci-context`; a method's declaration, [`method::MethodInfo`], is shared by all kinds of methods.

pub mod memory;
pub mod method;
pub mod rope;
