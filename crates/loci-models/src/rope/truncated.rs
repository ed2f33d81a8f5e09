//! `truncated`: Giraffe's truncated basis.

use super::giraffe::{Basis, basis};
use super::power::exponent;
use super::rule::{Rule, factor, never};
use crate::method::{Domain, Exactness, MemoryKind, MethodInfo, Parameter, Parts, Phase, Value};

pub(super) const RULE: Rule = Rule {
    info: &INFO,
    make: |values, ground| {
        let (scale, power) = (values.number("factor"), values.number("exponent"));
        basis(ground, Basis { scale, power, truncate: Some(ground.window(values, "window")?) })
    },
    dynamic: never,
};

const INFO: MethodInfo = MethodInfo {
    id: "truncated",
    title: "Giraffe's truncated basis: pairs that never finished a turn in training stop turning",
    paper: "Pal et al., Giraffe: Adventures in Expanding Context Lengths in LLMs, 2023, arXiv 2308.10882",
    family: "rope",
    kind: MemoryKind::Contextual,
    parts: Parts { segment: "", index: "", select: "", place: "slow pairs constant or still", keep: "" },
    needs: &[],
    phases: &[Phase::Load],
    exactness: Exactness::Heuristic,
    parameters: &[
        Parameter {
            name: "window",
            meaning: "A pair must finish a turn within this many tokens to be kept; 0 takes the trained window",
            unit: "tokens",
            default: Value::Integer(0),
            domain: Domain::Integers(0, 1 << 32),
        },
        factor(1.0),
        exponent(0.0),
    ],
    cost: "nothing",
    composes_with: &["context"],
    invariants: &[
        "with a window so long that nothing is cut equals stock positions bit for bit",
        "keeps, flattens and stops as many pairs as the paper prints",
    ],
    description: "With `c = 2 pi / window`: a frequency of at least `c` is kept, one of at least `c/8` becomes the \
constant `c/16`, a slower one 0, so that its pair matches content at any distance. `factor` and `exponent` are \
applied before, in that order, and the cutoffs compare what they leave; combine with care.\n\nIn the paper it was \
finetuned. Its perplexity looked excellent and its retrieval was weak: judge it by tasks.",
};
