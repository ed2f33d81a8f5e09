//! What a schedule's file provides, and what a schedule is made from.

use super::RopeSchedule;
use crate::method::{Domain, MethodInfo, Parameter, ParameterError, Value, Values};

/// One schedule: its declaration and the function behind it.
pub(super) struct Rule {
    /// The declaration, made once.
    pub(super) info: &'static MethodInfo,
    /// The pure function.
    pub(super) make: fn(&Values, &Ground) -> Result<RopeSchedule, ParameterError>,
    /// Whether these values make the result depend on the planned length.
    pub(super) dynamic: fn(&Values) -> bool,
}

/// The model a schedule is applied to, and how far it is to reach.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ground {
    /// Base of the frequencies.
    pub(super) base: f64,
    /// Numbers in one head.
    pub(super) head_dim: usize,
    /// Window the model was trained with, in tokens.
    pub(super) trained_window: usize,
    /// Positions that will be in use, input and answer together.
    pub(super) planned_tokens: usize,
}

impl Ground {
    /// The unmodified schedule of this model.
    pub(super) fn stock(&self) -> Result<RopeSchedule, ParameterError> {
        RopeSchedule::stock(self.base, self.head_dim)
    }

    /// The window to measure turns against: the parameter `name` of `values`, or the trained one when it is 0.
    pub(super) fn window(&self, values: &Values, name: &str) -> Result<f64, ParameterError> {
        let window = match values.size(name) {
            0 => self.trained_window,
            given => given,
        };
        if window == 0 {
            return Err(ParameterError::Combination(format!(
                "{} needs the window the model was trained with, and the model does not state one; set {name}",
                values.info().id
            )));
        }
        Ok(window as f64)
    }

    /// The exponent of NTK-aware scaling: with the base times `s^exponent`, the slowest pair is slowed by
    /// exactly `s` and the fastest not at all.
    pub(super) fn ntk_exponent(&self) -> Result<f64, ParameterError> {
        if self.head_dim < 4 {
            return Err(ParameterError::Combination(format!(
                "NTK-aware scaling needs a head_dim of at least 4, this model has {}",
                self.head_dim
            )));
        }
        let dim = self.head_dim as f64;
        Ok(dim / (dim - 2.0))
    }
}

/// Factor by which the window is to grow; shared by most schedules.
pub(super) const fn factor(default: f64) -> Parameter {
    Parameter {
        name: "factor",
        meaning: "How many times longer than the trained window the input may be",
        unit: "",
        default: Value::Number(default),
        domain: Domain::Numbers(1.0, 1024.0),
    }
}

/// The window before scaling.
pub(super) const ORIGINAL: Parameter = Parameter {
    name: "original",
    meaning: "Window before scaling; 0 takes the model's trained window",
    unit: "tokens",
    default: Value::Integer(0),
    domain: Domain::Integers(0, 1 << 32),
};

/// For schedules that never look at the planned length.
pub(super) fn never(_: &Values) -> bool {
    false
}
