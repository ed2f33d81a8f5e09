//! `yarn`: fast pairs kept, slow pairs interpolated, a ramp between, and a temperature.

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
    let (fast, slow) = (values.number("beta_fast"), values.number("beta_slow"));
    if fast <= slow {
        return Err(ParameterError::Combination(format!(
            "yarn: beta_fast={fast} must be above beta_slow={slow}; the defaults are 32 and 1"
        )));
    }
    let (mut low, mut high) = (pair_with(fast, window, ground), pair_with(slow, window, ground));
    if values.flag("round") {
        (low, high) = (low.floor(), high.ceil());
    }
    low = low.max(0.0);
    // The upper end is clamped to head_dim - 1 and not to the number of pairs, as in the released code.
    high = high.min(ground.head_dim as f64 - 1.0);
    if low == high {
        high += 0.001;
    }
    for (pair, frequency) in schedule.frequencies.iter_mut().enumerate() {
        let ramp = ((pair as f64 - low) / (high - low)).clamp(0.0, 1.0);
        // In this form factor = 1 changes no bit.
        *frequency += ramp * (*frequency / factor - *frequency);
    }
    schedule.attention_scale = match values.number("attention_scale") {
        0.0 => attention_scale(factor),
        given => given,
    };
    Ok(schedule)
}

/// The real-valued pair index at which a pair makes `turns` full turns within `window`.
fn pair_with(turns: f64, window: f64, ground: &Ground) -> f64 {
    ground.head_dim as f64 * (window / (turns * TAU)).ln() / (2.0 * ground.base.ln())
}

/// YaRN's temperature for a factor: `0.1 ln(factor) + 1`.
fn attention_scale(factor: f64) -> f64 {
    if factor <= 1.0 { 1.0 } else { 0.1 * factor.ln() + 1.0 }
}

const INFO: MethodInfo = MethodInfo {
    id: "yarn",
    title: "YaRN: interpolate only the pairs that need it, and sharpen attention",
    paper: "Peng et al., YaRN: Efficient Context Window Extension of Large Language Models, 2023, arXiv 2309.00071",
    family: "rope",
    kind: MemoryKind::Contextual,
    parts: Parts { segment: "", index: "", select: "", place: "positions / factor for slow pairs", keep: "" },
    needs: &[],
    phases: &[Phase::Load],
    exactness: Exactness::Heuristic,
    parameters: &[
        factor(4.0),
        ORIGINAL,
        Parameter {
            name: "beta_fast",
            meaning: "Pairs that turn at least this often within the original window are left alone",
            unit: "turns",
            default: Value::Number(32.0),
            domain: Domain::Numbers(0.001, 1e6),
        },
        Parameter {
            name: "beta_slow",
            meaning: "Pairs that turn at most this often within the original window are fully interpolated",
            unit: "turns",
            default: Value::Number(1.0),
            domain: Domain::Numbers(0.001, 1e6),
        },
        Parameter {
            name: "attention_scale",
            meaning: "Multiplies rotated queries and keys; 0 takes 0.1 ln(factor) + 1",
            unit: "",
            default: Value::Number(0.0),
            domain: Domain::Numbers(0.0, 16.0),
        },
        Parameter {
            name: "round",
            meaning: "Round the ends of the ramp outwards to whole pairs, as the released code does",
            unit: "",
            default: Value::Flag(true),
            domain: Domain::Flag,
        },
    ],
    cost: "nothing",
    composes_with: &["context"],
    invariants: &[
        "with `factor=1` equals stock positions bit for bit",
        "rotated products depend on the distance alone",
    ],
    description: "A pair that turns often within the original window carries local order and stays as it is; one \
that never finished a turn is interpolated by `factor`; a linear ramp over the pair index lies between. Queries \
and keys are each multiplied by `0.1 ln(factor) + 1`, which sharpens the softmax over more keys.\n\nStatic: the \
same for short inputs, whose quality it lowers a little. With `factor=1` it equals stock positions bit for bit.",
};
