//! A schedule as a user or a model file asks for it.

use super::rule::{Ground, Rule};
use super::{RULES, RopeConfig, RopeScaling, RopeSchedule, SCHEDULES};
use crate::method::{MethodInfo, ParameterError, Values};

/// A schedule by name with its parameters, not yet applied to a model.
#[derive(Clone, Debug)]
pub struct RopeSpec(Source);

#[derive(Clone, Debug)]
enum Source {
    /// One of [`SCHEDULES`].
    Declared(Values),
    /// Divisors from a tensor of the model file, which no one types.
    FrequencyFactors(Vec<f64>),
}

impl RopeSpec {
    /// Reads `yarn:factor=4,original=8192`.
    ///
    /// # Errors
    /// [`ParameterError`] for an unknown schedule or parameter, or a value outside its domain.
    pub fn parse(text: &str) -> Result<Self, ParameterError> {
        Values::parse(text, "rope", SCHEDULES).map(|values| Self(Source::Declared(values)))
    }

    /// The schedule that a model's own configuration asks for.
    ///
    /// # Errors
    /// [`ParameterError`] for numbers that the schedule does not allow.
    pub fn from_config(config: &RopeConfig) -> Result<Self, ParameterError> {
        let given = |id: &str, parameters: &[(&str, String)]| {
            let mut values = Values::parse(id, "rope", SCHEDULES)?;
            for (name, value) in parameters {
                values.set(name, value)?;
            }
            Ok(Self(Source::Declared(values)))
        };
        match &config.scaling {
            None => given("none", &[]),
            Some(RopeScaling::Linear { factor }) => given("linear", &[("factor", factor.to_string())]),
            Some(RopeScaling::Dynamic { factor }) => given("dynamic-ntk", &[("factor", factor.to_string())]),
            Some(RopeScaling::Yarn { factor, original_window, beta_fast, beta_slow, attention_scale }) => {
                given(
                    "yarn",
                    &[
                        ("factor", factor.to_string()),
                        ("original", original_window.to_string()),
                        ("beta_fast", beta_fast.to_string()),
                        ("beta_slow", beta_slow.to_string()),
                        ("attention_scale", attention_scale.unwrap_or(0.0).to_string()),
                    ],
                )
            }
            Some(RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_window }) => {
                given(
                    "llama3",
                    &[
                        ("factor", factor.to_string()),
                        ("original", original_window.to_string()),
                        ("low_freq_factor", low_freq_factor.to_string()),
                        ("high_freq_factor", high_freq_factor.to_string()),
                    ],
                )
            }
            Some(RopeScaling::FrequencyFactors(factors)) => {
                Ok(Self(Source::FrequencyFactors(factors.clone())))
            }
        }
    }

    /// The schedule for a model with this RoPE `base`, `head_dim` (even) and `trained_window` (tokens).
    ///
    /// `planned_tokens` is the number of positions that will be in use: input and longest answer together, or
    /// fewer with a method that caps distances. Schedules that depend on it are thereby decided once, before the
    /// first token is read, so that all keys agree.
    ///
    /// # Errors
    /// [`ParameterError::Combination`] for a model or a length that the schedule cannot serve.
    pub fn schedule(
        &self,
        base: f64,
        head_dim: usize,
        trained_window: usize,
        planned_tokens: usize,
    ) -> Result<RopeSchedule, ParameterError> {
        let ground = Ground { base, head_dim, trained_window, planned_tokens };
        // Refuses an impossible model here, before a schedule makes its base look possible.
        let stock = ground.stock()?;
        match &self.0 {
            Source::Declared(values) => (rule(values)?.make)(values, &ground),
            Source::FrequencyFactors(factors) => divided(stock, factors),
        }
    }

    /// Whether [`schedule`](Self::schedule) depends on `planned_tokens`.
    pub fn is_dynamic(&self) -> bool {
        match &self.0 {
            Source::Declared(values) => rule(values).is_ok_and(|rule| (rule.dynamic)(values)),
            Source::FrequencyFactors(_) => false,
        }
    }

    /// The declaration; `None` for divisors from a model file.
    pub fn info(&self) -> Option<&'static MethodInfo> {
        match &self.0 {
            Source::Declared(values) => Some(values.info()),
            Source::FrequencyFactors(_) => None,
        }
    }

    /// What a user should be told who asks for this schedule with a model of this configuration: that the
    /// weights were not trained for it, or that a scaling they were trained with is being replaced.
    pub fn warning(&self, config: &RopeConfig) -> Option<String> {
        let Source::Declared(values) = &self.0 else { return None };
        if config.scaling.is_some() {
            return Some(format!("--rope {values} replaces the scaling this model was trained with"));
        }
        let base = values.number("base");
        (values.info().id == "abf" && base != config.base).then(|| {
            format!(
                "the weights were trained with RoPE base {}, not {base}: without training on the new base this \
                 harms inputs of every length",
                config.base
            )
        })
    }
}

impl std::fmt::Display for RopeSpec {
    /// What one would type to get the same.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Source::Declared(values) => values.fmt(f),
            Source::FrequencyFactors(_) => f.write_str("frequency factors of the model file"),
        }
    }
}

fn rule(values: &Values) -> Result<&'static Rule, ParameterError> {
    const LIST: &[Rule] = &RULES;
    let id = values.info().id;
    LIST.iter().find(|rule| rule.info.id == id).ok_or_else(|| ParameterError::UnknownMethod {
        name: id.to_owned(),
        family: "rope",
        known: SCHEDULES.iter().map(|info| info.id).collect::<Vec<_>>().join(", "),
    })
}

fn divided(mut schedule: RopeSchedule, factors: &[f64]) -> Result<RopeSchedule, ParameterError> {
    if factors.len() != schedule.pairs() {
        return Err(ParameterError::Combination(format!(
            "the model file holds {} RoPE frequency factors, its heads have {} pairs",
            factors.len(),
            schedule.pairs()
        )));
    }
    for (frequency, factor) in schedule.frequencies.iter_mut().zip(factors) {
        if !factor.is_finite() || *factor <= 0.0 {
            return Err(ParameterError::Combination(format!(
                "the model file holds the RoPE frequency factor {factor}; all must be above 0"
            )));
        }
        *frequency /= factor;
    }
    Ok(schedule)
}
