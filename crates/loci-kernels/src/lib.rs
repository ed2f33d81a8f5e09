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

/// Starts to fetch a value into the second-level cache: for reads that the processor cannot foresee.
#[inline]
pub fn prefetch<T>(value: &T) {
    #[cfg(target_arch = "x86_64")]
    for line in (0..size_of::<T>()).step_by(64) {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // SAFETY: a hint, which never faults and reads nothing; every x86-64 has it. The address lies in the value.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(std::ptr::from_ref(value).cast::<i8>().add(line)) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = value;
}
