//! SpecKV: each head keeps only the rows that the question and a rough draft of the answer looked at.
//!
//! Galim et al., "Draft-based Approximate Inference for LLMs", 2025.
//!
//! 1. The prompt is read with full attention. Then a draft, which a smaller model or early layers of the same model
//!    write, is read behind it: at most `lookahead` tokens.
//! 2. The last `window + 1` tokens of the prompt and all of the draft observe: a row's score is the largest softmax weight
//!    that any of them gives it, over the heads of a kv head's group, then over `kernel` neighbouring positions.
//! 3. Each kv head keeps the `budget - window` rows with the highest scores and the `window` before the prompt's last
//!    token, and drops the others. The draft is forgotten, and the last token is read again: the answer begins from what is
//!    kept, without having seen the draft.
//!
//! Parts: select all that is left, true distance, keep observed rows.

use loci_models::method::{
    Domain, Exactness, MemoryKind, MethodInfo, Need, Parameter, ParameterError, Parts, Phase, Value, Values,
};

use super::{Entry, ModelFacts, Recipe, snap_kv};
use crate::place::TrueDistance;
use crate::select::All;

/// Registry entry.
pub const ENTRY: Entry = Entry { info: &INFO, build };

/// How many layers draft; shared by all methods with a draft.
pub(super) const DRAFT_LAYERS: Parameter = Parameter {
    name: "draft_layers",
    meaning: "first layers of the model itself that draft where no other model does; 0: half of them",
    unit: "layers",
    default: Value::Integer(0),
    domain: Domain::Integers(0, 1024),
};

/// Declaration.
pub const INFO: MethodInfo = MethodInfo {
    id: "spec-kv",
    title: "each head keeps the rows of a prompt that the question and a draft of the answer looked at",
    paper: "Galim et al., Draft-based Approximate Inference for LLMs, 2025",
    family: "context",
    kind: MemoryKind::Contextual,
    parts: Parts {
        segment: "",
        index: "",
        select: "all that is left",
        place: "true distance",
        keep: "per kv head: rows observed by the prompt's end and a draft + window",
    },
    needs: &[Need::Queries, Need::LookAhead],
    phases: &[Phase::Decode],
    exactness: Exactness::Heuristic,
    parameters: &[
        snap_kv::BUDGET,
        snap_kv::WINDOW,
        Parameter {
            name: "lookahead",
            meaning: "most tokens that the draft writes; their queries observe too, 0: as snap-kv",
            unit: "tokens",
            default: Value::Integer(64),
            domain: Domain::Integers(0, 4096),
        },
        snap_kv::KERNEL,
        DRAFT_LAYERS,
    ],
    cost: "time n^2 to read, (window + lookahead)*n more at its end, and the draft: lookahead tokens through draft_layers, or another model's reading of n tokens; budget for each token written; all rows in RAM while reading, those of another draft model too, budget rows a head then",
    composes_with: &["rope", "rows"],
    invariants: &[
        "a budget of the prompt's length or more is full attention",
        "without a look-ahead it is snap-kv",
        "after the prompt's end each kv head holds budget rows, the window before the last token among them",
        "no row of a drafted token is left",
    ],
    description: "What an answer will look at shows best in the answer. A rough one, written by a smaller model \
                  (`--draft MODEL`) or by the first layers of the same model, says which rows of the prompt matter, even \
                  where it is wrong: it names the same things. `--draft self` drafts with the whole model, which shows \
                  the most that a draft can give. The draft never stays in the memory. What neither question nor draft \
                  looked at is gone: a second question about another part of the text finds nothing. Early layers as \
                  the draft, their first token from the whole model, and a look-ahead of 64 tokens are ours; the paper uses \
                  another model and as many tokens as may be written. Its sparse reading of prompts above 4,096 tokens is not \
                  offered: which columns a layer then reads follows from the prompt's last tokens, and here a prompt goes \
                  through all layers piece by piece, so that its end comes last. Distances are true ones: beyond the trained window \
                  combine it with a RoPE schedule.",
};

fn build(values: &Values, _facts: &ModelFacts) -> Result<Recipe, ParameterError> {
    Ok(Recipe::over_rows(All, TrueDistance { reach: None }, snap_kv::observed("spec-kv", values)?))
}
