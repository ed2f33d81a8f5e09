//! The frequency rules of Giraffe, which `linear`, `power` and `truncated` share.
//!
//! Pal et al., Giraffe: Adventures in Expanding Context Lengths in LLMs, 2023, arXiv 2308.10882. The order is
//! that of the released code: scale, then power, then truncate; so the cutoffs of the last compare frequencies
//! that the first two have already changed.

use std::f64::consts::TAU;

use super::RopeSchedule;
use super::rule::Ground;
use crate::method::ParameterError;

/// Below this fraction of one turn per window a truncated pair does not turn at all.
const ZERO_BELOW: f64 = 8.0;
/// A truncated pair between the cutoffs turns once in this many windows.
const LOW_TURN: f64 = 16.0;

/// What to change of the stock frequencies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Basis {
    /// Divisor of all frequencies; 1 changes nothing.
    pub(super) scale: f64,
    /// Exponent `k` of `(1 - pair / pairs)^k`; 0 changes nothing.
    pub(super) power: f64,
    /// Window in tokens within which a pair must finish a turn to be kept; `None` keeps all.
    pub(super) truncate: Option<f64>,
}

/// The stock frequencies of `ground`, changed by `rules`.
pub(super) fn basis(ground: &Ground, rules: Basis) -> Result<RopeSchedule, ParameterError> {
    let Basis { scale, power, truncate } = rules;
    if !scale.is_finite() || scale <= 0.0 {
        return Err(ParameterError::Combination(format!("the RoPE scale is {scale}; it must be above 0")));
    }
    if !power.is_finite() || power < 0.0 {
        return Err(ParameterError::Combination(format!(
            "the RoPE exponent is {power}; it must not be negative"
        )));
    }
    if let Some(window) = truncate.filter(|window| !window.is_finite() || *window <= 0.0) {
        return Err(ParameterError::Combination(format!(
            "the RoPE truncation window is {window}; it must be above 0 tokens"
        )));
    }
    let mut schedule = ground.stock()?;
    let pairs = schedule.pairs() as f64;
    for (pair, frequency) in schedule.frequencies.iter_mut().enumerate() {
        *frequency /= scale;
        *frequency *= (1.0 - pair as f64 / pairs).powf(power);
        if let Some(window) = truncate {
            *frequency = truncated(*frequency, window);
        }
    }
    Ok(schedule)
}

/// Keeps a frequency that finishes a turn within `window`; slower ones become a constant or stop.
fn truncated(frequency: f64, window: f64) -> f64 {
    let turn = TAU / window;
    if frequency >= turn {
        frequency
    } else if frequency >= turn / ZERO_BELOW {
        turn / LOW_TURN
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUND: Ground = Ground { base: 1e4, head_dim: 16, trained_window: 2048, planned_tokens: 0 };

    #[test]
    fn refuses_values_that_mean_nothing() {
        let neutral = Basis { scale: 1.0, power: 0.0, truncate: None };
        for scale in [0.0, -1.0, f64::NAN] {
            assert!(basis(&GROUND, Basis { scale, ..neutral }).is_err());
        }
        for window in [0.0, -5.0, f64::NAN] {
            assert!(basis(&GROUND, Basis { truncate: Some(window), ..neutral }).is_err());
        }
        assert!(basis(&GROUND, Basis { power: -0.5, ..neutral }).is_err());
    }

    #[test]
    fn a_frequency_equal_to_the_cutoff_is_kept() {
        assert_eq!(truncated(TAU / 64.0, 64.0), TAU / 64.0);
        assert_eq!(truncated(TAU / 64.0 / 8.0, 64.0), TAU / 64.0 / 16.0);
    }

    #[test]
    fn truncation_sees_frequencies_after_scale_and_power() {
        let plain = basis(&GROUND, Basis { scale: 1.0, power: 0.0, truncate: Some(2048.0) }).unwrap();
        let both = basis(&GROUND, Basis { scale: 4.0, power: 0.5, truncate: Some(2048.0) }).unwrap();
        // Pair 5 turns at 0.00316 and is kept; divided by 4 and slowed by the power it falls below one turn.
        assert!(plain.frequencies[5] > TAU / 2048.0);
        assert_eq!(both.frequencies[5], TAU / 2048.0 / 16.0);
    }
}
