//! EM-LLM: as InfLLM, with blocks that begin where the text surprises: facts are not cut in half.
//!
//! Fountas et al., "Human-inspired Episodic Memory for Infinite Context LLMs", 2025.
//!
//! 1. A token whose surprise is above the mean of the recent past by more than `gamma` standard deviations begins an
//!    event; events have `min_block_size` to `max_block_size` tokens.
//! 2. With `refine`, each boundary moves back to where the graph of the chunk's keys, summed over the upper layers,
//!    falls apart best.
//! 3. Each `queries` queries choose events as in InfLLM, but to a budget of `recall` tokens, of which `contiguity` go to
//!    events that happened next to similar ones; these stay for some steps.
//! 4. They attend to window, sinks, chosen events and what waits to become an event as in InfLLM.
//!
//! Variants of the paper: S `refine=none`, SM `refine=modularity`, SC `refine=conductance`, +C `contiguity=0.3`.
//!
//! Parts: segment events, index representative keys, select similar events and neighbours, capped distance, keep
//! everything.

use loci_models::method::{
    Domain, Exactness, MemoryKind, MethodInfo, Need, Parameter, ParameterError, Parts, Phase, Value, Values,
};

use super::blocks::{self, Blocks, Chosen, Cut, Surroundings};
use super::{Entry, ModelFacts, Recipe, inf_llm};
use crate::segment::{EventRule, Events, Metric, Refinement, Split};
use crate::select::SimilarEvents;

/// Registry entry.
pub const ENTRY: Entry = Entry { info: &INFO, build };

/// Declaration.
pub const INFO: MethodInfo = MethodInfo {
    id: "em-llm",
    title: "answers from input of any length by reading events of it again, cut where the text surprises",
    paper: "Fountas et al., Human-inspired Episodic Memory for Infinite Context LLMs, 2025",
    family: "context",
    kind: MemoryKind::Contextual,
    parts: Parts {
        segment: "events, cut by surprise",
        index: "mean of top-scored keys",
        select: "sinks + similar events to a budget + their neighbours + window",
        place: "capped distance",
        keep: "everything, cold blocks in a file",
    },
    needs: &[Need::Queries, Need::AttentionMass, Need::Signals],
    phases: &[Phase::Prefill, Phase::Decode],
    exactness: Exactness::Heuristic,
    parameters: &[
        inf_llm::SINKS,
        inf_llm::WINDOW,
        Parameter {
            name: "recall",
            meaning: "tokens of events that are read again, neighbours included (n_mem)",
            unit: "tokens",
            default: Value::Integer(1024),
            domain: Domain::Integers(0, 1 << 20),
        },
        Parameter {
            name: "split",
            meaning: "where events begin; uniform and random are controls",
            unit: "",
            default: Value::Word("surprise"),
            domain: Domain::Words(&["surprise", "uniform", "random"]),
        },
        Parameter {
            name: "gamma",
            meaning: "standard deviations above the recent mean from which a token surprises; fewer: more events",
            unit: "",
            default: Value::Number(1.0),
            domain: Domain::Numbers(f64::NEG_INFINITY, f64::INFINITY),
        },
        Parameter {
            name: "min_block_size",
            meaning: "tokens in an event, at least",
            unit: "tokens",
            default: Value::Integer(8),
            domain: Domain::Integers(1, 4096),
        },
        Parameter {
            name: "max_block_size",
            meaning: "tokens in an event, at most",
            unit: "tokens",
            default: Value::Integer(128),
            domain: Domain::Integers(1, 4096),
        },
        Parameter {
            name: "refine",
            meaning: "measure by which boundaries move to where the keys fall apart best",
            unit: "",
            default: Value::Word("none"),
            domain: Domain::Words(&["none", "modularity", "conductance"]),
        },
        Parameter {
            name: "refine_from_layer",
            meaning: "first layer whose keys are compared for that; below 1: as a share of the layers",
            unit: "layers",
            default: Value::Number(0.625),
            domain: Domain::Numbers(0.0, 1024.0),
        },
        Parameter {
            name: "refine_with_buffer",
            meaning: "whether the event that is open when a chunk begins is looked at too",
            unit: "",
            default: Value::Flag(true),
            domain: Domain::Flag,
        },
        Parameter {
            name: "contiguity",
            meaning: "part of the budget for neighbours of similar events; from 1 on in tokens, 0: none",
            unit: "",
            default: Value::Number(0.0),
            domain: Domain::Numbers(0.0, 1_048_576.0),
        },
        Parameter {
            name: "repr_top_k",
            meaning: "rows that describe an event",
            unit: "rows",
            default: Value::Integer(4),
            domain: Domain::Integers(1, 4096),
        },
        Parameter {
            name: "queries",
            meaning: "tokens of a chunk: they choose events together, and events are cut at its end (exc_block_size)",
            unit: "tokens",
            default: Value::Integer(256),
            domain: Domain::Integers(1, 4096),
        },
        Parameter {
            name: "seed",
            meaning: "which random cuts, with split=random",
            unit: "",
            default: Value::Integer(0),
            domain: Domain::Integers(0, 1 << 32),
        },
    ],
    cost: "time n*(window + sinks + recall) to read, window + sinks + recall + n/event*heads*head_dim for each token written; logits of all tokens; with refine 2*queries*n*kv_heads*head_dim in each layer compared; all rows, those beyond the window cold if need be",
    composes_with: &["rope"],
    invariants: &[
        "sinks, events and the rest partition the text in order; events keep to their sizes",
        "an infinite `gamma` cuts at the size limits; refinement keeps the number of events and their order",
        "what is recalled keeps to the budget, and no event is read twice",
        "with events of equal size it recalls as the blocks of inf-llm do",
        "events, sums over the graph and outputs equal an independent reference",
    ],
    description: "Cuts what was read into events where the model is surprised, as people do, instead of into equal blocks, \
                  and lets each group of queries read the events that fit it best, and with `contiguity` what happened \
                  just before and after them. The paper's variants are S (as it stands), SM and SC (`refine=modularity` \
                  or `conductance`), each with +C (`contiguity=0.3`). An event begins with the surprising token, as in \
                  the paper; the published code begins it one token earlier. What is written token by token is cut at \
                  `max_block_size`. Repetitive text has few surprises and is cut at `max_block_size` too; in code and \
                  lists of keys everything surprises, and events shrink to `min_block_size`. Many small events cost \
                  room: a budget must hold the case that all are. Gains over `inf-llm` are small on average: compare at \
                  equal budgets, and with `split=random`. Chosen here, where paper and code leave it open: of boundaries \
                  that stand too close, the ones kept are counted from the last kept; old neighbours stay while they fit, \
                  the youngest first; mean and deviation of fewer than two tokens are those of the chunk itself.",
};

/// Its parts that other methods may take.
pub(super) const BLOCKS: Blocks = Blocks {
    info: &INFO,
    segment_parameters: &[
        "split",
        "gamma",
        "min_block_size",
        "max_block_size",
        "refine",
        "refine_from_layer",
        "refine_with_buffer",
        "seed",
    ],
    segment,
    select_parameters: &["recall", "contiguity"],
    select,
};

fn build(values: &Values, facts: &ModelFacts) -> Result<Recipe, ParameterError> {
    BLOCKS.build(values, facts)
}

fn segment(values: &Values, around: &Surroundings, facts: &ModelFacts) -> Result<Cut, ParameterError> {
    let &Surroundings { sinks, window, queries, largest, .. } = around;
    let [min_size, max_size] = ["min_block_size", "max_block_size"].map(|name| values.size(name));
    blocks::at_most(values, "max_block_size", max_size, largest)?;
    blocks::at_most(values, "min_block_size", min_size, ("max_block_size", max_size))?;
    let rule = EventRule {
        sinks,
        window,
        min_size,
        max_size,
        chunk: queries,
        split: match values.word("split") {
            "uniform" => Split::Uniform,
            "random" => Split::Random { seed: values.size("seed") as u64 },
            _ => Split::Surprise { gamma: values.number("gamma") },
        },
        refinement: refinement(values, facts)?,
    };
    Ok(Cut { segment: Box::new(Events::new(rule)), sizes: (min_size, max_size), by_group: true })
}

fn select(
    values: &Values,
    around: &Surroundings,
    cut: &Cut,
    facts: &ModelFacts,
) -> Result<Chosen, ParameterError> {
    let &Surroundings { sinks, window, queries, cap, .. } = around;
    let budget = [sinks, window, values.size("recall"), queries];
    let (layers, contiguity) = (facts.shape.layers, values.number("contiguity"));
    let select = SimilarEvents::new(layers, budget, contiguity, cut.sizes, cap);
    Ok(Chosen { select: Box::new(select), by_group: false })
}

fn refinement(values: &Values, facts: &ModelFacts) -> Result<Option<Refinement>, ParameterError> {
    let metric = match values.word("refine") {
        "modularity" => Metric::Modularity,
        "conductance" => Metric::Conductance,
        _ => return Ok(None),
    };
    let (from, layers) = (values.number("refine_from_layer"), facts.shape.layers);
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let from_layer = if from < 1.0 { from * layers as f64 } else { from } as usize;
    if from_layer >= layers {
        return Err(ParameterError::Combination(format!(
            "em-llm: refine_from_layer {from} is not below the model's {layers} layers; use \
             refine_from_layer={} or less",
            layers - 1
        )));
    }
    let with_buffer = values.flag("refine_with_buffer");
    Ok(Some(Refinement { metric, from_layer, with_buffer, shape: facts.shape }))
}
