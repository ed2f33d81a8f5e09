//! `ntk`: the base raised once, by the NTK-aware formula.

use super::RopeSchedule;
use super::rule::{Rule, factor, never};
use crate::method::{Exactness, MemoryKind, MethodInfo, Parts, Phase};

pub(super) const RULE: Rule = Rule {
    info: &INFO,
    make: |values, ground| {
        let base = ground.base * values.number("factor").powf(ground.ntk_exponent()?);
        RopeSchedule::stock(base, ground.head_dim)
    },
    dynamic: never,
};

const INFO: MethodInfo = MethodInfo {
    id: "ntk",
    title: "NTK-aware scaling: slow pairs are slowed, fast pairs keep their resolution",
    paper: "bloc97, NTK-Aware Scaled RoPE, 2023; described in Peng et al., YaRN, 2023, arXiv 2309.00071",
    family: "rope",
    kind: MemoryKind::Contextual,
    parts: Parts { segment: "", index: "", select: "", place: "base * factor^(d/(d-2))", keep: "" },
    needs: &[],
    phases: &[Phase::Load],
    exactness: Exactness::Heuristic,
    parameters: &[factor(2.0)],
    cost: "nothing",
    composes_with: &["context"],
    invariants: &[
        "with `factor=1` equals stock positions bit for bit",
        "slows the slowest pair by the factor and the fastest not at all",
    ],
    description: "The base is multiplied by `factor^(d/(d-2))` with `d = head_dim`. The fastest pair stays as it \
is and the slowest is divided by exactly `factor`, those between by something between. Needs no finetuning for \
small factors. Its reach is somewhat less than `factor` times the window, as some pairs are pushed beyond the \
angles seen in training.",
};
