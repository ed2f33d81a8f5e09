//! SIMD kernels of Loci on plain slices.
//!
//! This is the only crate of the workspace that contains `unsafe`. Everything above it works with safe
//! functions: quantised products ([`linear`]), attention over packed key-value tiles ([`tiles`],
//! [`attend`]), the small vector operations of a transformer ([`vector`]), a thread pool whose results do
//! not depend on the number of threads ([`pool`]) and file mapping ([`map`]).
//!
//! The instruction set is chosen when the program starts, never when it is compiled ([`isa`]). Each kernel
//! exists in a plain scalar form, which is its definition, and is tested against it on every instruction set.

pub mod attend;
pub mod counting;
pub mod isa;
pub mod linear;
pub mod map;
pub mod pool;
pub mod quant;
pub mod tiles;
pub mod vector;

pub use isa::Isa;
pub use pool::Pool;
