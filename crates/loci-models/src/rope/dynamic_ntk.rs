//! `dynamic-ntk`: the base raised by as much as the input needs, decided once.

use super::RopeSchedule;
use super::rule::{Rule, factor};
use crate::method::{Exactness, MemoryKind, MethodInfo, ParameterError, Parts, Phase, Values};

pub(super) const RULE: Rule = Rule { info: &INFO, make, dynamic: |_| true };

fn make(values: &Values, ground: &super::rule::Ground) -> Result<RopeSchedule, ParameterError> {
    let window = ground.window(values, "original")?;
    let planned = ground.planned_tokens as f64;
    if planned <= window {
        return ground.stock();
    }
    let factor = values.number("factor");
    let growth = factor * planned / window - (factor - 1.0);
    RopeSchedule::stock(ground.base * growth.powf(ground.ntk_exponent()?), ground.head_dim)
}

const INFO: MethodInfo = MethodInfo {
    id: "dynamic-ntk",
    title: "NTK-aware scaling by as much as the input needs; short inputs are untouched",
    paper: "emozilla, Dynamically Scaled RoPE, 2023; described in Peng et al., YaRN, 2023, arXiv 2309.00071",
    family: "rope",
    kind: MemoryKind::Contextual,
    parts: Parts { segment: "", index: "", select: "", place: "base from the planned length", keep: "" },
    needs: &[],
    phases: &[Phase::Load],
    exactness: Exactness::Heuristic,
    parameters: &[factor(1.0), super::rule::ORIGINAL],
    cost: "nothing",
    composes_with: &["context"],
    invariants: &[
        "inside the trained window equals stock positions bit for bit",
        "is decided once, from the planned length",
    ],
    description: "With `n` planned tokens and a trained window `L`, the base is multiplied by \
`(factor * n/L - (factor - 1))^(d/(d-2))` when `n > L`, and left alone otherwise.\n\nThe published form grows the \
base while text is being generated, which leaves keys in the cache that were rotated with another base. Here `n` \
is the length of the input plus the longest answer, fixed before the first token is read, so all keys and queries \
agree.",
};
