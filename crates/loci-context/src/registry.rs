//! All context methods. A new one is a file in [`crate::recipes`] and a line here.

use loci_models::method::MethodInfo;
use loci_models::rope;

use crate::recipes::{
    Entry, act_qkv, duo_attention, em_llm, full, hip_attention, inf_llm, lm_infinite, long_heads,
    random_rows, recycled_attention, sir_llm, snap_kv, spec_kv, spec_kv_pc, spec_pc, squeezed_attention,
    think, window,
};

/// The methods with their builders.
pub const ENTRIES: &[Entry] = &[
    full::ENTRY,
    window::ENTRY,
    random_rows::ENTRY,
    lm_infinite::ENTRY,
    inf_llm::ENTRY,
    em_llm::ENTRY,
    act_qkv::ENTRY,
    long_heads::ENTRY,
    duo_attention::ENTRY,
    hip_attention::ENTRY,
    recycled_attention::ENTRY,
    squeezed_attention::ENTRY,
    sir_llm::ENTRY,
    snap_kv::ENTRY,
    spec_kv::ENTRY,
    spec_pc::ENTRY,
    spec_kv_pc::ENTRY,
    think::ENTRY,
];

/// What the automatic matrix (`tests/matrix.rs`) and the test against the allocator (`tests/peak.rs`) prove about every
/// method of [`ENTRIES`].
pub const INVARIANTS: &[&str] = &[
    "with room for everything the output equals full attention to 1e-4",
    "the output does not depend on how the text was cut into chunks",
    "the weights of each query sum to one: no key is left out of the sum or counted twice",
    "any number of threads gives the same bits; instruction sets agree to 1e-4",
    "a fork and its origin go their own ways; truncated equals never read, restored equals never saved",
    "a budget holds for the allocator's peak and changes no bit; one that is too small is refused first",
    "tokens kept, compressed and dropped add up to those read",
];

/// What is proved about every method of the family that `info` belongs to, beside its own
/// [`invariants`](MethodInfo::invariants).
pub fn shared_invariants(info: &MethodInfo) -> &'static [&'static str] {
    match info.family {
        "context" => INVARIANTS,
        "rope" => rope::INVARIANTS,
        _ => &[],
    }
}

/// The declarations of [`ENTRIES`], in the same order.
pub const METHODS: &[&MethodInfo] = &{
    let mut infos = [ENTRIES[0].info; ENTRIES.len()];
    let mut index = 1;
    while index < ENTRIES.len() {
        infos[index] = ENTRIES[index].info;
        index += 1;
    }
    infos
};
