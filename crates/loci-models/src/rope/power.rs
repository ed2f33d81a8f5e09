//! `power`: Giraffe's power basis.

use super::giraffe::{Basis, basis};
use super::rule::{Rule, factor, never};
use crate::method::{Domain, Exactness, MemoryKind, MethodInfo, Parameter, Parts, Phase, Value};

pub(super) const RULE: Rule = Rule {
    info: &INFO,
    make: |values, ground| {
        let (scale, power) = (values.number("factor"), values.number("exponent"));
        basis(ground, Basis { scale, power, truncate: None })
    },
    dynamic: never,
};

/// Giraffe's exponent `k`, with the default of the schedule that uses it.
pub(super) const fn exponent(default: f64) -> Parameter {
    Parameter {
        name: "exponent",
        meaning: "Frequency i of n is multiplied by (1 - i/n)^exponent; 0 changes nothing",
        unit: "",
        default: Value::Number(default),
        domain: Domain::Numbers(0.0, 8.0),
    }
}

const INFO: MethodInfo = MethodInfo {
    id: "power",
    title: "Giraffe's power basis: the slower a pair, the more it is slowed",
    paper: "Pal et al., Giraffe: Adventures in Expanding Context Lengths in LLMs, 2023, arXiv 2308.10882",
    family: "rope",
    kind: MemoryKind::Contextual,
    parts: Parts { segment: "", index: "", select: "", place: "slow pairs slowed further", keep: "" },
    needs: &[],
    phases: &[Phase::Load],
    exactness: Exactness::Heuristic,
    parameters: &[exponent(0.5), factor(1.0)],
    cost: "nothing",
    composes_with: &["context"],
    invariants: &[
        "with `exponent=0` equals stock positions bit for bit",
        "gives the values that the paper prints",
    ],
    description: "Frequency `i` of `n` is multiplied by `(1 - i/n)^exponent`: the fastest pair is unchanged, slow \
ones are slowed most. `factor` divides all of them first. The paper tested 0.5 with finetuning: the best accuracy \
early in training, the sharpest drop later. With `exponent=0` it equals stock positions bit for bit.",
};
