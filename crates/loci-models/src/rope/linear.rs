//! `linear`: positions divided by a factor.

use super::giraffe::{Basis, basis};
use super::rule::{Rule, factor, never};
use crate::method::{Exactness, MemoryKind, MethodInfo, Parts, Phase};

pub(super) const RULE: Rule = Rule {
    info: &INFO,
    make: |values, ground| {
        basis(ground, Basis { scale: values.number("factor"), power: 0.0, truncate: None })
    },
    dynamic: never,
};

const INFO: MethodInfo = MethodInfo {
    id: "linear",
    title: "Position interpolation: every position divided by a factor",
    paper: "Chen et al., Extending Context Window of Large Language Models via Positional Interpolation, 2023, \
arXiv 2306.15595; rule 1 of Pal et al., Giraffe, 2023, arXiv 2308.10882",
    family: "rope",
    kind: MemoryKind::Contextual,
    parts: Parts { segment: "", index: "", select: "", place: "positions / factor", keep: "" },
    needs: &[],
    phases: &[Phase::Load],
    exactness: Exactness::Heuristic,
    parameters: &[factor(2.0)],
    cost: "nothing",
    composes_with: &["context"],
    invariants: &[
        "with `factor=1` equals stock positions bit for bit",
        "with factor s, position s*p turns as p does unscaled",
    ],
    description: "All frequencies are divided by `factor`, so position `factor * p` looks like position `p` \
did. The window becomes `factor` times longer in principle; the measured reach is less than that.\n\nWithout \
finetuning it recovers part of what is lost past the window and costs accuracy inside it; take a factor no \
larger than needed. With `factor=1` it equals stock positions bit for bit. The best of the rules in Giraffe's \
comparison, each finetuned at its scale.",
};
