//! Full attention: every token sees all tokens before it.
//!
//! What other methods are measured against. Time grows with the square of the input and models break beyond the
//! window they were trained for.
//!
//! Parts: select all, true distances, keep everything.

use loci_models::method::{Exactness, MemoryKind, MethodInfo, ParameterError, Parts, Phase, Values};

use super::{Entry, ModelFacts, Recipe};
use crate::keep::Everything;
use crate::place::TrueDistance;
use crate::select::All;

/// Registry entry.
pub const ENTRY: Entry = Entry { info: &INFO, build };

/// Declaration.
pub const INFO: MethodInfo = MethodInfo {
    id: "full",
    title: "full attention, the measure of all others",
    paper: "",
    family: "context",
    kind: MemoryKind::Contextual,
    parts: Parts { segment: "", index: "", select: "all", place: "true distance", keep: "everything" },
    needs: &[],
    phases: &[Phase::Prefill, Phase::Decode],
    exactness: Exactness::Exact,
    parameters: &[],
    cost: "time n^2 to read and n for each token written; all rows in RAM",
    composes_with: &["rope"],
    invariants: &["`truncate` goes back to any token without reading anything again"],
    description: "Every token sees all tokens before it, at their true distance. Beyond the window that the model \
                  was trained for its answers break, unless a RoPE schedule stretches it.",
};

fn build(_values: &Values, _facts: &ModelFacts) -> Result<Recipe, ParameterError> {
    Ok(Recipe::over_rows(All, TrueDistance { reach: None }, Everything))
}
