//! ActQKV: InfLLM with a sharper question to its memory and more blocks for the layers that need them.
//!
//! Xiao et al., "Activation-aware Probe-Query: Effective Key-Value Retrieval for Long-Context LLMs Inference", 2025.
//!
//! As [`inf-llm`](super::inf_llm), but
//!
//! 1. A group of queries asks with its mean weighted by activation bias: how far each query, rotated to distance
//!    `window - 1`, lies from the running mean of its layer, relative to the running variance. A first group is weighed by
//!    its own mean and variance.
//! 2. Blocks are scored by the cosine of their description and the probe.
//! 3. All layers together read `top_k / 2` blocks each on average, a layer at most `top_k` and at least `k_min`. For a
//!    token that comes alone, layer `l` gets of what is left its share of the mean spreads of layers `l` and above; the
//!    spread is the entropy of the softmax of the scores, relative to its largest value, and its mean is over the last
//!    `history` groups. While a prompt is read, and until all layers have a history, layers get equal shares.
//!
//! Statistics belong to one sequence and one layer; the published code never resets them and mixes layers. That code is
//! `profile=released`: one statistic for all layers, equal weights for the first `statistics + 1` calls, `k_min` 32 even
//! when nothing is left. Here, too, it starts afresh with each sequence, or answers would depend on earlier requests. It
//! doubles its configured number of blocks, so that its 46 is a `top_k` of 92 here. Its question term is left out: a memory
//! is not told where the question stands.
//!
//! Ours: `temperature` (the paper has 1); early layers never take what later ones need for `k_min`.
//!
//! Parts: segment fixed, index representative keys, select top blocks by activation probe, cosine and entropy share, capped
//! distance, keep everything.

use loci_models::method::{
    Domain, Exactness, MemoryKind, MethodInfo, Need, Parameter, ParameterError, Parts, Phase, Value, Values,
};

use super::blocks::{Blocks, Chosen, Cut, Surroundings};
use super::{Entry, ModelFacts, Recipe, inf_llm};
use crate::select::{Activation, EntropyShare, LayerBudget, Likeness, Probe, TopBlocks};

/// Registry entry.
pub const ENTRY: Entry = Entry { info: &INFO, build };

/// Floor of the published variant that its configurations select.
const RELEASED_FLOOR: usize = 32;

/// Declaration.
pub const INFO: MethodInfo = MethodInfo {
    id: "act-qkv",
    title: "inf-llm with a sharper question to its memory and more blocks for layers that need them",
    paper: "Xiao et al., Activation-aware Probe-Query: Effective Key-Value Retrieval for Long-Context LLMs Inference, 2025",
    family: "context",
    kind: MemoryKind::Contextual,
    parts: Parts {
        segment: "fixed",
        index: "mean of top-scored keys",
        select: "sinks + blocks by activation-weighted probe, shared among layers by entropy + window",
        place: "capped distance",
        keep: "everything, cold blocks in a file",
    },
    needs: &[Need::Queries, Need::AttentionMass],
    phases: &[Phase::Prefill, Phase::Decode],
    exactness: Exactness::Heuristic,
    parameters: &[
        Parameter { default: Value::Integer(64), ..inf_llm::SINKS },
        Parameter { default: Value::Integer(512), ..inf_llm::WINDOW },
        Parameter { default: Value::Integer(32), ..inf_llm::BLOCK_SIZE },
        Parameter {
            name: "top_k",
            meaning: "blocks that a layer reads at most; with budget=entropy half as many on average",
            unit: "blocks",
            default: Value::Integer(46),
            domain: Domain::Integers(2, 1 << 20),
        },
        Parameter {
            name: "k_min",
            meaning: "blocks that a layer reads at least; 0: 2, or 32 with profile=released",
            unit: "blocks",
            default: Value::Integer(0),
            domain: Domain::Integers(0, 1 << 19),
        },
        inf_llm::REPR_TOP_K,
        inf_llm::QUERIES,
        Parameter {
            name: "probe",
            meaning: "how the queries of a group weigh: by activation bias, or all the same",
            unit: "",
            default: Value::Word("activation"),
            domain: Domain::Words(&["activation", "mean"]),
        },
        Parameter {
            name: "score",
            meaning: "how a block is compared with the probe",
            unit: "",
            default: Value::Word("cosine"),
            domain: Domain::Words(&["cosine", "product"]),
        },
        Parameter {
            name: "budget",
            meaning: "blocks of a layer: a share by entropy, or always top_k",
            unit: "",
            default: Value::Word("entropy"),
            domain: Domain::Words(&["entropy", "fixed"]),
        },
        Parameter {
            name: "history",
            meaning: "groups whose entropy a layer remembers",
            unit: "groups",
            default: Value::Integer(100),
            domain: Domain::Integers(1, 10_000),
        },
        Parameter {
            name: "statistics",
            meaning: "groups that the past counts for in the running mean and variance, at most (U)",
            unit: "groups",
            default: Value::Integer(1000),
            domain: Domain::Integers(1, 1 << 20),
        },
        Parameter {
            name: "temperature",
            meaning: "of the softmax whose entropy is taken; our extension: cosines differ so little that 1, the paper's, gives nearly equal shares, and 0.05 to 0.1 shows the mechanism",
            unit: "",
            default: Value::Number(1.0),
            domain: Domain::Numbers(0.001, 100.0),
        },
        Parameter {
            name: "profile",
            meaning: "released: statistics and floor as in the published code",
            unit: "",
            default: Value::Word("recommended"),
            domain: Domain::Words(&["recommended", "released"]),
        },
    ],
    cost: "as inf-llm with top_k/2 blocks; queries*heads*head_dim more for a group's weights",
    composes_with: &["rope"],
    invariants: &[
        "identical tokens weigh the same; weights sum to one and do not change when all queries are moved by the same vector",
        "scaling the keys of blocks does not change their ranking",
        "with every part of its own off it equals inf-llm",
        "each layer's share lies between the floor and `top_k`, and together they keep to the budget",
        "an earlier request leaves nothing behind",
        "outputs, probes and shares equal an independent reference",
    ],
    description: "Keeps all keys and values, and lets each group of queries read the few blocks that fit it best. \
                  Unusual queries speak louder than ordinary ones while a prompt is read; while an answer is written, \
                  layers whose scores are spread out read more blocks than layers that are sure. `probe=mean`, \
                  `score=product` and `budget=fixed` turn one part off each, all three give inf-llm. At temperature 1 the \
                  layers' shares differ little. The paper's question term is not offered, because a memory does not know \
                  where the question stands. A prompt is read in steps of at most `queries` tokens.",
};

/// Its parts that other methods may take.
pub(super) const BLOCKS: Blocks = Blocks {
    info: &INFO,
    segment_parameters: &["block_size"],
    segment: inf_llm::segment,
    select_parameters: &[
        "top_k",
        "k_min",
        "probe",
        "score",
        "budget",
        "history",
        "statistics",
        "temperature",
        "profile",
    ],
    select,
};

fn build(values: &Values, facts: &ModelFacts) -> Result<Recipe, ParameterError> {
    BLOCKS.build(values, facts)
}

fn select(
    values: &Values,
    around: &Surroundings,
    cut: &Cut,
    facts: &ModelFacts,
) -> Result<Chosen, ParameterError> {
    let top_k = values.size("top_k");
    let mut select = TopBlocks::new(around.sinks, cut.sizes.1, top_k, around.cap, around.queries);
    let released = values.word("profile") == "released";
    if values.word("probe") == "activation" {
        let make = if released { Activation::as_released } else { Activation::new };
        select.probe = Probe::Activation(make(facts.shape, values.size("statistics")));
    }
    if values.word("score") == "cosine" {
        select.likeness = Likeness::Cosine;
    }
    if values.word("budget") == "entropy" {
        select.budget = LayerBudget::EntropyShare(share(values, facts, top_k, released)?);
    }
    // In a step of several groups, early layers would have judged groups that later ones have not yet seen.
    Ok(Chosen { select: Box::new(select), by_group: true })
}

fn share(
    values: &Values,
    facts: &ModelFacts,
    top_k: usize,
    released: bool,
) -> Result<EntropyShare, ParameterError> {
    let floor = match (values.size("k_min"), released) {
        (0, false) => 2.min(top_k / 2),
        (0, true) => RELEASED_FLOOR,
        (given, _) => given,
    };
    if !released && 2 * floor > top_k {
        return Err(ParameterError::Combination(format!(
            "act-qkv: k_min {floor} is more than the {} blocks that a layer gets on average with top_k {top_k}; use \
             k_min={} or less, or top_k={} or more",
            top_k / 2,
            top_k / 2,
            2 * floor
        )));
    }
    let (layers, history) = (facts.shape.layers, values.size("history"));
    let share = EntropyShare::new(layers, top_k, floor, history, values.number("temperature"));
    Ok(if released { share.without_guard() } else { share })
}
