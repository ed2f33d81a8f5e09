//! `abf`: another base.

use super::RopeSchedule;
use super::rule::{Rule, never};
use crate::method::{Domain, Exactness, MemoryKind, MethodInfo, Need, Parameter, Parts, Phase, Value};

pub(super) const RULE: Rule = Rule {
    info: &INFO,
    make: |values, ground| RopeSchedule::stock(values.number("base"), ground.head_dim),
    dynamic: never,
};

const INFO: MethodInfo = MethodInfo {
    id: "abf",
    title: "Adjusted base frequency: the base a long-context finetune was made with",
    paper: "Xiong et al., Effective Long-Context Scaling of Foundation Models, 2023, arXiv 2309.16039",
    family: "rope",
    kind: MemoryKind::Parametric,
    parts: Parts { segment: "", index: "", select: "", place: "another base", keep: "" },
    needs: &[Need::Training],
    phases: &[Phase::Load],
    exactness: Exactness::Heuristic,
    parameters: &[Parameter {
        name: "base",
        meaning: "Base of the frequencies; the one the weights were trained with",
        unit: "",
        default: Value::Number(500_000.0),
        // 1 itself would stop nothing from turning at full speed; the check for "above 1" is the schedule's.
        domain: Domain::Numbers(1.0, 1e12),
    }],
    cost: "nothing",
    composes_with: &["context"],
    invariants: &[
        "with the model's own base equals stock positions bit for bit",
        "a larger base damps far tokens less, and keeps neighbours further apart than interpolation",
    ],
    description: "Replaces the base (10,000 in Llama 2) by a larger one (500,000 for 4k to 32k) and changes \
nothing else. Attention to far tokens is damped less, while near tokens stay as easy to tell apart, which \
interpolation loses.\n\nThe method is a training recipe: the weights must have been trained on with this base. \
On a model that was not, it is NTK-style extrapolation and harms all lengths; such results must not be reported \
as this method, and a warning says so. NTK or interpolation factors must not be stacked on top.",
};
