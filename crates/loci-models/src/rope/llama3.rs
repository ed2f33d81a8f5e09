//! `llama3`: the scaling that Llama 3.1 and later models were trained with.

use std::f64::consts::TAU;

use super::RopeSchedule;
use super::rule::{Ground, ORIGINAL, Rule, factor, never};
use crate::method::{
    Domain, Exactness, MemoryKind, MethodInfo, Parameter, ParameterError, Parts, Phase, Value, Values,
};

pub(super) const RULE: Rule = Rule { info: &INFO, make, dynamic: never };

fn make(values: &Values, ground: &Ground) -> Result<RopeSchedule, ParameterError> {
    let mut schedule = ground.stock()?;
    let (factor, window) = (values.number("factor"), ground.window(values, "original")?);
    let (low, high) = (values.number("low_freq_factor"), values.number("high_freq_factor"));
    if high <= low {
        return Err(ParameterError::Combination(format!(
            "llama3: high_freq_factor={high} must be above low_freq_factor={low}; the defaults are 4 and 1"
        )));
    }
    for frequency in &mut schedule.frequencies {
        let turns = window * *frequency / TAU;
        // 1 for pairs that are left alone, 0 for those divided by the whole factor.
        let kept = ((turns - low) / (high - low)).clamp(0.0, 1.0);
        *frequency += (1.0 - kept) * (*frequency / factor - *frequency);
    }
    Ok(schedule)
}

const INFO: MethodInfo = MethodInfo {
    id: "llama3",
    title: "Llama 3.1's scaling: slow pairs divided, fast pairs kept, a smooth band between",
    paper: "Grattafiori et al., The Llama 3 Herd of Models, 2024, arXiv 2407.21783, and the released code",
    family: "rope",
    kind: MemoryKind::Contextual,
    parts: Parts { segment: "", index: "", select: "", place: "positions / factor for slow pairs", keep: "" },
    needs: &[],
    phases: &[Phase::Load],
    exactness: Exactness::Heuristic,
    parameters: &[
        factor(8.0),
        ORIGINAL,
        Parameter {
            name: "low_freq_factor",
            meaning: "Pairs that turn at most this often within the original window are divided by the factor",
            unit: "turns",
            default: Value::Number(1.0),
            domain: Domain::Numbers(0.001, 1e6),
        },
        Parameter {
            name: "high_freq_factor",
            meaning: "Pairs that turn at least this often within the original window are left alone",
            unit: "turns",
            default: Value::Number(4.0),
            domain: Domain::Numbers(0.001, 1e6),
        },
    ],
    cost: "nothing",
    composes_with: &["context"],
    invariants: &["with `factor=1` equals stock positions bit for bit"],
    description: "With `t` the turns of a pair within the original window, its frequency is divided by `factor` \
when `t` is at most `low_freq_factor`, kept when `t` is at least `high_freq_factor`, and blended linearly in `t` \
between. Models of the Llama 3.1 family were trained with it and state its numbers in their configuration, from \
where they are taken; for other models it is a training-free guess.",
};
