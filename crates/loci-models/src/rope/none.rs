//! `none`: the model's positions as they are, also when its configuration asks for a scaling.

use super::rule::{Rule, never};
use crate::method::{Exactness, MemoryKind, MethodInfo, Parts, Phase};

pub(super) const RULE: Rule = Rule { info: &INFO, make: |_, ground| ground.stock(), dynamic: never };

const INFO: MethodInfo = MethodInfo {
    id: "none",
    title: "Stock positions: nothing is scaled",
    paper: "Su et al., RoFormer: Enhanced Transformer with Rotary Position Embedding, 2021, arXiv 2104.09864",
    family: "rope",
    kind: MemoryKind::Contextual,
    parts: Parts { segment: "", index: "", select: "", place: "true distance", keep: "" },
    needs: &[],
    phases: &[Phase::Load],
    exactness: Exactness::Exact,
    parameters: &[],
    cost: "nothing",
    composes_with: &["context"],
    invariants: &[],
    description: "Pair `i` of a head turns by `base^(-2i/head_dim)` radians per position. The control for every \
other schedule.\n\nGiven explicitly it also switches off a scaling that the model's own configuration asks for; \
a model that was trained with one then gives poor text. Past the trained window a model with stock positions \
fails at once.",
};
