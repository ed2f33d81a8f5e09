//! `e2`: E2-LLM's scale at inference.

use super::RopeSchedule;
use super::giraffe::{Basis, basis};
use super::rule::{Ground, Rule};
use crate::method::{
    Domain, Exactness, MemoryKind, MethodInfo, Need, Parameter, ParameterError, Parts, Phase, Value, Values,
};

pub(super) const RULE: Rule = Rule { info: &INFO, make, dynamic: |values| values.number("factor") == 0.0 };

fn make(values: &Values, ground: &Ground) -> Result<RopeSchedule, ParameterError> {
    let window = ground.window(values, "original")?;
    let needed = (ground.planned_tokens as f64 / window).ceil().max(1.0);
    let scale = match values.number("factor") {
        0.0 => needed,
        given if given < 1.0 => {
            return Err(ParameterError::Combination(format!(
                "e2: factor={given} would make positions denser than in training; use 1 or more, or 0 for automatic"
            )));
        }
        given if ground.planned_tokens as f64 > given * window => {
            return Err(ParameterError::Combination(format!(
                "e2: factor={given} reaches {} tokens but {} are planned; use factor={needed}, or 0 for automatic",
                (given * window).floor(),
                ground.planned_tokens
            )));
        }
        given => given,
    };
    basis(ground, Basis { scale, power: 0.0, truncate: None })
}

const INFO: MethodInfo = MethodInfo {
    id: "e2",
    title: "E2-LLM: one finetune, any window, by choosing one divisor for the input at hand",
    paper: "Liu et al., E2-LLM: Efficient and Extreme Length Extension of Large Language Models, 2024, \
arXiv 2401.06951",
    family: "rope",
    kind: MemoryKind::Parametric,
    parts: Parts { segment: "", index: "", select: "", place: "positions / factor", keep: "" },
    needs: &[Need::Training],
    phases: &[Phase::Load],
    exactness: Exactness::Heuristic,
    parameters: &[
        Parameter {
            name: "factor",
            meaning: "Divisor of positions; 0 takes the smallest whole number that fits the planned length",
            unit: "",
            default: Value::Number(0.0),
            domain: Domain::Numbers(0.0, 1024.0),
        },
        super::rule::ORIGINAL,
    ],
    cost: "nothing",
    composes_with: &["context"],
    invariants: &[
        "inside the trained window equals stock positions bit for bit",
        "with factor s, position s*p turns as p does unscaled",
        "takes the smallest whole factor that reaches; a given one that does not is refused",
    ],
    description: "The model was finetuned on short text with many divisors and offsets drawn at random, so that \
at inference `position / factor` works for any factor. With `factor=0` it is `ceil(planned / window)`, at least 1, \
decided once before the first token is read. Whole numbers were trained; others lie between (outside the paper). \
Offsets belong to training and are 0 here, for the first tokens as for all. An input longer than \
`factor * window` is refused.\n\nWeights without the finetune get plain position interpolation: a baseline, not \
this method.",
};
