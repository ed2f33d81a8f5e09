//! The result of a schedule: per-pair frequencies and a temperature, and the angles they give.

use crate::method::ParameterError;

/// A position schedule: from (pair, position) to an angle, in f64, plus the attention scale.
///
/// Whatever a method does to positions (dividing them by 4, say) is folded into the frequencies, so that the
/// angle is always `position * frequency` and positions stay what the memory says they are.
#[derive(Clone, Debug, PartialEq)]
pub struct RopeSchedule {
    /// Radians per position of each pair, fastest first; `head_dim / 2` of them.
    pub frequencies: Vec<f64>,
    /// Rotated queries and keys are multiplied by this (YaRN's temperature); 1 for the others.
    pub attention_scale: f64,
}

impl RopeSchedule {
    /// The unmodified schedule: pair `i` turns by `base^(-2i / head_dim)` radians per position.
    ///
    /// # Errors
    /// [`ParameterError::Combination`] for an odd or zero `head_dim`, or a `base` that is not above 1.
    pub fn stock(base: f64, head_dim: usize) -> Result<Self, ParameterError> {
        if head_dim == 0 || !head_dim.is_multiple_of(2) {
            return Err(ParameterError::Combination(format!(
                "RoPE turns pairs of numbers, but head_dim is {head_dim}; it must be even and not 0"
            )));
        }
        if !base.is_finite() || base <= 1.0 {
            return Err(ParameterError::Combination(format!(
                "the RoPE base is {base}; it must be a number above 1 (10000 in most models)"
            )));
        }
        let dim = head_dim as f64;
        let frequencies = (0..head_dim / 2).map(|pair| base.powf(-((2 * pair) as f64) / dim)).collect();
        Ok(Self { frequencies, attention_scale: 1.0 })
    }

    /// Pairs of a head: `head_dim / 2`.
    pub fn pairs(&self) -> usize {
        self.frequencies.len()
    }

    /// Radians by which pair `pair` is turned at a real-valued position; 0 for a pair that does not exist.
    pub fn angle(&self, pair: usize, position: f64) -> f64 {
        self.frequencies.get(pair).map_or(0.0, |frequency| position * frequency)
    }

    /// cos and sin of all pairs at a real-valued position, each times `attention_scale`; both `[pairs]`.
    ///
    /// Angles are computed in f64: at position 1,000,000 an f32 angle would be off by 0.03 radians.
    pub fn rotation(&self, position: f64, cos: &mut [f32], sin: &mut [f32]) {
        self.scaled(position, self.attention_scale, cos, sin);
    }

    /// As [`rotation`](Self::rotation) without the scale: moves what is rotated already by `distance`, which may be
    /// negative.
    pub fn turn(&self, distance: f64, cos: &mut [f32], sin: &mut [f32]) {
        self.scaled(distance, 1.0, cos, sin);
    }

    fn scaled(&self, position: f64, scale: f64, cos: &mut [f32], sin: &mut [f32]) {
        debug_assert!(cos.len() == self.pairs() && sin.len() == self.pairs());
        for ((frequency, cos), sin) in self.frequencies.iter().zip(cos).zip(sin) {
            let (s, c) = (position * frequency).sin_cos();
            *cos = (c * scale) as f32;
            *sin = (s * scale) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_shapes_without_pairs_and_bases_without_decay() {
        for (base, head_dim) in
            [(1e4, 7), (1e4, 0), (1.0, 8), (0.0, 8), (-2.0, 8), (f64::NAN, 8), (f64::INFINITY, 8)]
        {
            assert!(RopeSchedule::stock(base, head_dim).is_err(), "base {base}, head_dim {head_dim}");
        }
    }

    #[test]
    fn rotation_is_the_angle_in_double_precision_times_the_attention_scale() {
        let mut schedule = RopeSchedule::stock(1e4, 8).unwrap();
        schedule.attention_scale = 1.25;
        let (mut cos, mut sin) = ([0.0; 4], [0.0; 4]);
        schedule.rotation(1_000_003.5, &mut cos, &mut sin);
        for pair in 0..4 {
            let angle = schedule.angle(pair, 1_000_003.5);
            assert_eq!(cos[pair], (angle.cos() * 1.25) as f32);
            assert_eq!(sin[pair], (angle.sin() * 1.25) as f32);
        }
        assert_eq!(schedule.angle(4, 10.0), 0.0);
    }

    #[test]
    fn a_pair_of_frequency_zero_leaves_queries_and_keys_untouched() {
        let schedule = RopeSchedule { frequencies: vec![1.0, 0.0], attention_scale: 1.0 };
        let (mut cos, mut sin) = ([0.0; 2], [0.0; 2]);
        schedule.rotation(12_345.0, &mut cos, &mut sin);
        assert_eq!((cos[1], sin[1]), (1.0, 0.0));
    }
}
