//! HiP attention: sparse reading and writing over everything, by a search that halves ranges of keys.
//!
//! Lee et al., "HiP Attention: Sparse Sub-Quadratic Attention with Hierarchical Attention Pruning", 2024 (the integer
//! form of its second release).
//!
//! 1. `queries` queries of a head share one list of keys: `sinks` in front, a `window`, and `rows` rows found between.
//! 2. The rows between are cut into `rows / key_block` equal ranges. Each is halved; of all halves the better half stays,
//!    judged by the largest product of a query of the group with a key of one block of the half; until a range is a block.
//! 3. The first `dense_layers` layers read everything. While writing, a list serves for `refresh` tokens.
//!
//! Nothing is dropped: a later query may find what an earlier one did not read.
//!
//! Parts: select by range search, true distance, keep everything.

use loci_models::method::{
    Domain, Exactness, MemoryKind, MethodInfo, Need, Parameter, ParameterError, Parts, Phase, Value, Values,
};

use super::{Entry, ModelFacts, Recipe};
use crate::keep::Everything;
use crate::place::TrueDistance;
use crate::select::{RangeSearch, Ranges, Sample};

/// Registry entry.
pub const ENTRY: Entry = Entry { info: &INFO, build };

/// Declaration.
pub const INFO: MethodInfo = MethodInfo {
    id: "hip-attention",
    title: "reads a few keys of everything, found by halving ranges",
    paper: "Lee et al., HiP Attention: Sparse Sub-Quadratic Attention with Hierarchical Attention Pruning, 2024",
    family: "context",
    kind: MemoryKind::Contextual,
    parts: Parts {
        segment: "",
        index: "the keys themselves",
        select: "per head: sinks + window + blocks found by range search",
        place: "true distance",
        keep: "everything",
    },
    needs: &[Need::Queries],
    phases: &[Phase::Prefill, Phase::Decode],
    exactness: Exactness::Heuristic,
    parameters: &[
        Parameter {
            name: "rows",
            meaning: "rows found for each head (k in the paper)",
            unit: "tokens",
            default: Value::Integer(512),
            domain: Domain::Integers(1, 1 << 20),
        },
        Parameter {
            name: "queries",
            meaning: "queries that share a list (block of queries)",
            unit: "tokens",
            default: Value::Integer(32),
            domain: Domain::Integers(1, 1024),
        },
        Parameter {
            name: "key_block",
            meaning: "rows in a block of keys",
            unit: "tokens",
            default: Value::Integer(2),
            domain: Domain::Integers(1, 64),
        },
        Parameter {
            name: "stride",
            meaning: "every so many queries of a group take part in the search",
            unit: "tokens",
            default: Value::Integer(2),
            domain: Domain::Integers(1, 64),
        },
        Parameter {
            name: "window",
            meaning: "newest tokens that are always read",
            unit: "tokens",
            default: Value::Integer(256),
            domain: Domain::Integers(1, 1 << 20),
        },
        Parameter {
            name: "sinks",
            meaning: "first tokens that are always read",
            unit: "tokens",
            default: Value::Integer(16),
            domain: Domain::Integers(0, 4096),
        },
        Parameter {
            name: "dense_layers",
            meaning: "first layers that read everything",
            unit: "layers",
            default: Value::Integer(3),
            domain: Domain::Integers(0, 1024),
        },
        Parameter {
            name: "refresh",
            meaning: "tokens written with one list",
            unit: "tokens",
            default: Value::Integer(8),
            domain: Domain::Integers(1, 1024),
        },
        Parameter {
            name: "sample",
            meaning: "which block of a range speaks for it",
            unit: "",
            default: Value::Word("centre"),
            domain: Domain::Words(&["centre", "first"]),
        },
    ],
    cost: "per group of queries 2*rows*log2(n/rows) products to search and rows + window + sinks keys to read, in all but the dense layers; all rows in RAM",
    composes_with: &["rope", "rows"],
    invariants: &[
        "a list with room for everything equals full attention",
        "a list holds exactly as many rows as asked for, each once",
        "a later key changes nothing before it, a later query nothing outside its own group",
        "a list serves `refresh` tokens; with `refresh=1` each is found afresh",
        "lists and outputs equal an independent reference",
    ],
    description: "Keys that stand side by side mostly score alike, so a few samples show where the high scores are. Time \
                  grows with n*log(n) and nothing is dropped. A key that stands out alone between unlike neighbours can \
                  be missed at the first halving, and a missed one stays missed for that list; dense layers and a larger \
                  `rows` help. Distances are true ones: beyond the trained window combine it with a RoPE schedule.",
};

fn build(values: &Values, _facts: &ModelFacts) -> Result<Recipe, ParameterError> {
    let [rows, queries, key_block, window, sinks] =
        ["rows", "queries", "key_block", "window", "sinks"].map(|name| values.size(name));
    if !sinks.is_multiple_of(key_block) {
        let fits = sinks.next_multiple_of(key_block);
        return Err(ParameterError::Combination(format!(
            "hip-attention: sinks {sinks} is no multiple of key_block {key_block}; use sinks={fits}"
        )));
    }
    Ok(Recipe {
        queries,
        chunk_multiple: queries,
        ..Recipe::over_rows(
            RangeSearch::new(Ranges {
                rows,
                key_block,
                stride: values.size("stride"),
                window,
                sinks,
                dense_layers: values.size("dense_layers"),
                refresh: values.size("refresh"),
                sample: if values.word("sample") == "first" { Sample::First } else { Sample::Centre },
            }),
            TrueDistance { reach: None },
            Everything,
        )
    })
}
