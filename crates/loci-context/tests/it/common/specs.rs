//! Parameters under which the registered methods are tested.

use loci_context::registry::METHODS;
use loci_models::method::MethodInfo;

/// Methods with parts of others, and variants, each of which shows what the parts do with few tokens.
pub const EXCHANGED: &[&str] = &[
    "inf-llm:window=50,sinks=5,queries=16,top_k=3+segment=surprise:min_block_size=4,max_block_size=12,refine=modularity,refine_from_layer=1",
    "act-qkv:window=50,sinks=5,queries=16,top_k=6,history=4,temperature=0.05+segment=surprise:min_block_size=4,max_block_size=12",
    "em-llm:window=50,sinks=5,queries=16,recall=40,contiguity=0.3+segment=fixed:block_size=12",
    "inf-llm:window=50,sinks=5,queries=16,block_size=12+select=similar:recall=40,contiguity=0.3",
    "em-llm:window=50,sinks=5,queries=16,min_block_size=4,max_block_size=12+select=top-blocks:top_k=3",
    "long-heads:chunk_size=16,attention=80+segment=surprise:min_block_size=4,max_block_size=16",
    "inf-llm:window=50,sinks=5,queries=16+segment=surprise:min_block_size=4,max_block_size=12+select=activation:top_k=6,history=4,temperature=0.05",
    "sir-llm:surprising=60,turn=16,score=released,neighbours=2",
];

/// All registered methods and [`EXCHANGED`] with small parameters.
pub fn all_small() -> Vec<String> {
    let exchanged = EXCHANGED.iter().map(|spec| (*spec).to_owned());
    METHODS.iter().map(|info| small(info)).chain(exchanged).collect()
}

/// All registered methods and [`EXCHANGED`] with room for everything.
pub fn all_unbounded() -> Vec<String> {
    let exchanged = EXCHANGED.iter().map(|spec| {
        spec.replace("window=50", "window=4096")
            .replace("attention=80", "attention=4096")
            .replace("surprising=60", "surprising=4096")
    });
    METHODS.iter().map(|info| unbounded(info)).chain(exchanged).collect()
}

/// The method with small parameters, so that 421 tokens go far beyond its window.
pub fn small(info: &MethodInfo) -> String {
    let small = |name: &str| match (info.id, name) {
        ("hip-attention", "sinks") => Some("6"),
        ("hip-attention", "dense_layers") => Some("1"),
        ("recycled-attention", "rows") => Some("20"),
        // All that it can do at once; its other variants are in `em_llm.rs`.
        ("em-llm", "recall") => Some("40"),
        ("em-llm", "min_block_size") => Some("4"),
        ("em-llm", "max_block_size") => Some("12"),
        ("em-llm", "refine") => Some("modularity"),
        ("em-llm", "refine_from_layer") => Some("1"),
        ("em-llm", "contiguity") => Some("0.3"),
        ("sir-llm", "surprising") => Some("60"),
        ("sir-llm", "turn") => Some("16"),
        ("snap-kv" | "spec-kv" | "spec-pc" | "spec-kv-pc" | "think" | "random-rows", "budget") => Some("60"),
        ("snap-kv" | "spec-kv" | "spec-pc" | "spec-kv-pc" | "think" | "random-rows", "window") => Some("8"),
        ("spec-kv" | "spec-pc" | "spec-kv-pc", "lookahead") => Some("6"),
        ("squeezed-attention", "sparsity") => Some("0.7"),
        ("squeezed-attention", "clusters") => Some("10"),
        ("squeezed-attention", "coarse_clusters") => Some("3"),
        ("squeezed-attention", "levels") => Some("2"),
        ("squeezed-attention", "observed") => Some("8"),
        ("act-qkv", "history") => Some("4"),
        ("act-qkv", "temperature") => Some("0.05"),
        (_, "window" | "recent") => Some("50"),
        (_, "sinks") => Some("5"),
        (_, "block_size") => Some("12"),
        (_, "top_k") => Some("3"),
        (_, "queries") => Some("16"),
        (_, "insert_at") => Some("40"),
        (_, "from_layer") => Some("1"),
        (_, "chunk_size") => Some("16"),
        (_, "attention") => Some("80"),
        (_, "rows") => Some("24"),
        (_, "refresh" | "stride") => Some("3"),
        _ => None,
    };
    let given = info.parameters.iter().filter_map(|parameter| {
        let value = small(parameter.name)?;
        Some(format!("{}={value}", parameter.name))
    });
    format!("{}:{}", info.id, given.collect::<Vec<_>>().join(","))
}

/// The method with room for everything.
pub fn unbounded(info: &MethodInfo) -> String {
    let large = |name: &str| match (info.id, name) {
        (_, "window" | "recent" | "attention") => Some("4096"),
        ("hip-attention" | "recycled-attention", "rows") => Some("4096"),
        ("sir-llm", "surprising")
        | ("snap-kv" | "spec-kv" | "spec-pc" | "spec-kv-pc" | "random-rows", "budget") => Some("4200"),
        ("spec-pc", "from_layer") => Some("1"),
        ("squeezed-attention", "sparsity") => Some("0"),
        _ => None,
    };
    let given = info.parameters.iter().filter_map(|parameter| {
        let value = large(parameter.name)?;
        Some(format!("{}={value}", parameter.name))
    });
    format!("{}:{}", info.id, given.collect::<Vec<_>>().join(","))
}
