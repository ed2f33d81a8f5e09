//! All context methods. A new one is a file in [`crate::recipes`] and a line here.

use loci_models::method::MethodInfo;

use crate::recipes::{
    Entry, act_qkv, duo_attention, em_llm, full, hip_attention, inf_llm, lm_infinite, long_heads,
    recycled_attention, sir_llm, snap_kv, spec_kv, spec_pc, squeezed_attention, think, window,
};

/// The methods with their builders.
pub const ENTRIES: &[Entry] = &[
    full::ENTRY,
    window::ENTRY,
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
    think::ENTRY,
];

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
