//! SpecPC: a draft looks through the prompt, and the model reads only the tokens that matter.
//!
//! Galim et al., "Draft-based Approximate Inference for LLMs", 2025.
//!
//! 1. A draft, which is a smaller model or early layers of the same model, reads the prompt with full attention and writes
//!    `lookahead` tokens behind it. The last `window` tokens of the prompt observe, weighted from 0 for the oldest to 1 for
//!    the last, and in full those that the draft wrote, except its last one, which is not read: a token's importance is the
//!    largest weight that any of them gives it in any head of the layers from `from_layer` on.
//! 2. Importance is pooled over `pool` neighbouring positions. The most important tokens are taken with `neighbours` tokens
//!    around them, beside the last `window` tokens and the fixed ones, until there are `budget`.
//! 3. The model reads these tokens as an ordinary prompt, positions counted anew, and keeps all of their rows.
//!
//! The memory of this recipe is the draft's: full attention that tells the importance of tokens at the prompt's end. What
//! stays is chosen by [`crate::shorten`]; the model's own memory is that of `full`.
//!
//! Parts: select all, true distance, keep everything.

use loci_models::method::{
    Domain, Exactness, MemoryKind, MethodInfo, Need, Parameter, ParameterError, Parts, Phase, Value, Values,
};

use super::spec_kv::DRAFT_LAYERS;
use super::{Entry, ModelFacts, Recipe};
use crate::keep::Importance;
use crate::place::TrueDistance;
use crate::select::All;

/// Registry entry.
pub const ENTRY: Entry = Entry { info: &INFO, build };

// Parameters that methods which shorten a prompt share.
pub(super) const POOL: Parameter = Parameter {
    name: "pool",
    meaning: "positions over which importance is pooled",
    unit: "tokens",
    default: Value::Integer(32),
    domain: Domain::Integers(1, 1024),
};

pub(super) const NEIGHBOURS: Parameter = Parameter {
    name: "neighbours",
    meaning: "tokens around an important one, itself included, that stay with it",
    unit: "tokens",
    default: Value::Integer(32),
    domain: Domain::Integers(1, 1024),
};

pub(super) const FROM_LAYER: Parameter = Parameter {
    name: "from_layer",
    meaning: "first layer of the draft whose attention counts",
    unit: "layers",
    default: Value::Integer(8),
    domain: Domain::Integers(0, 1024),
};

/// Declaration.
pub const INFO: MethodInfo = MethodInfo {
    id: "spec-pc",
    title: "a draft looks through the prompt, the model reads only what matters",
    paper: "Galim et al., Draft-based Approximate Inference for LLMs, 2025",
    family: "context",
    kind: MemoryKind::Contextual,
    parts: Parts {
        segment: "",
        index: "",
        select: "all",
        place: "renumbered: the tokens read follow each other",
        keep: "of the prompt, the tokens a draft found important; of what is read, everything",
    },
    needs: &[Need::Draft],
    phases: &[Phase::Prefill],
    exactness: Exactness::Heuristic,
    parameters: &[
        Parameter {
            name: "budget",
            meaning: "tokens of the prompt that the model reads",
            unit: "tokens",
            default: Value::Integer(1024),
            domain: Domain::Integers(1, 1 << 20),
        },
        Parameter {
            name: "window",
            meaning: "last tokens of the prompt: they stay, and the draft's queries there observe",
            unit: "tokens",
            default: Value::Integer(64),
            domain: Domain::Integers(1, 4096),
        },
        Parameter {
            name: "lookahead",
            meaning: "most tokens that the draft writes; their queries but the last one's observe too, 1: the prompt's alone",
            unit: "tokens",
            default: Value::Integer(1),
            domain: Domain::Integers(1, 4096),
        },
        POOL,
        NEIGHBOURS,
        FROM_LAYER,
        DRAFT_LAYERS,
    ],
    cost: "the draft's reading of n tokens and its writing of lookahead; then time budget^2 to read and budget for each token written; the draft's rows of n tokens while it reads, budget rows after it",
    composes_with: &["rope", "rows"],
    invariants: &[
        "what is read is a subsequence of the prompt, of budget tokens or all of it, with the window at its end",
        "a budget of the prompt's length or more leaves the prompt as it is",
        "the order of the draft's heads does not matter",
        "with a look-ahead, what the draft looks at while it writes counts too",
        "without smoothing and neighbours it is the window and the most important of the other tokens",
    ],
    description: "Most of a long prompt does not matter for its question, and a small model (`--draft MODEL`), or the \
                  first layers of the same one, sees what does. The model reads only that: by far the shortest time to \
                  the first word. Positions are counted anew, so distant passages stand side by side, and what the draft \
                  passed over is never read: a summary of the whole suffers, and the context report counts such tokens \
                  as skipped. The chat template, headings and the question are never left out. In a conversation the \
                  draft looks through all of it again at each turn. Early layers as the draft are ours; the paper uses \
                  another model, and its released code protects the last window tokens only.",
};

fn build(values: &Values, facts: &ModelFacts) -> Result<Recipe, ParameterError> {
    let [budget, window, from_layer] = ["budget", "window", "from_layer"].map(|name| values.size(name));
    let layers = facts.shape.layers;
    if from_layer >= layers {
        return Err(ParameterError::Combination(format!(
            "spec-pc: from_layer {from_layer} leaves none of the draft's {layers} layers; use from_layer={} or less",
            layers.saturating_sub(1)
        )));
    }
    if budget < window {
        return Err(ParameterError::Combination(format!(
            "spec-pc: budget {budget} does not hold window {window}; use budget={window} or more"
        )));
    }
    // The last token that the draft writes is not read any more.
    let look_ahead = values.size("lookahead").saturating_sub(1);
    Ok(Recipe::over_rows(All, TrueDistance { reach: None }, Importance::new(window, from_layer, look_ahead)))
}
