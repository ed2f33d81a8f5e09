//! Intervals that hold the true value with a stated confidence.

use loci_context::random::Random;

/// Standard normal quantile of 0.975: two-sided 95% confidence.
pub const Z95: f64 = 1.959_963_984_540_054;

/// Usual count of resamples.
pub const RESAMPLES: usize = 10_000;

/// From `low` to `high`, both included.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

impl Interval {
    /// Whether `value` lies in it.
    pub fn contains(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }
}

/// Wilson's score interval (1927) of a share, `right` of `n`, at 95%:
///
/// (p + z²/2n ± z sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n).
///
/// Unlike mean ± z·error it stays in [0, 1] and has a width at 0 and `n` right. Nothing is known from n = 0: [0, 1].
/// More right than `n` counts as `n`.
pub fn wilson(right: usize, n: usize) -> Interval {
    if n == 0 {
        return Interval { low: 0.0, high: 1.0 };
    }
    let (right, total, z2) = (right.min(n), n as f64, Z95 * Z95);
    let share = right as f64 / total;
    let middle = share + z2 / (2.0 * total);
    let half = Z95 * (share * (1.0 - share) / total + z2 / (4.0 * total * total)).sqrt();
    let scale = 1.0 + z2 / total;
    // The ends are exactly 0 and 1 there; rounding must not put the share outside.
    let low = if right == 0 { 0.0 } else { ((middle - half) / scale).max(0.0) };
    let high = if right == n { 1.0 } else { ((middle + half) / scale).min(1.0) };
    Interval { low, high }
}

/// The value below which a share of `sorted` lies, between neighbours in proportion (the usual rule: place
/// share·(n-1)). `None` of nothing.
pub fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = share.clamp(0.0, 1.0) * last as f64;
    let (below, part) = (place.floor() as usize, place.fract());
    let low = *sorted.get(below)?;
    let high = *sorted.get((below + 1).min(last))?;
    Some(if part == 0.0 { low } else { low + part * (high - low) })
}

/// Percentile bootstrap (Efron 1979) at 95% of any statistic of `n` items: `resamples` times `n` indices are drawn with
/// replacement; the interval runs from the 2.5% to the 97.5% quantile of the statistic. Resample what is independent:
/// sessions and not their questions, texts and not the questions about one text.
///
/// `None` if there are no items or resamples, or the statistic is not finite for some resample.
pub fn bootstrap(
    n: usize,
    resamples: usize,
    random: &mut Random,
    mut statistic: impl FnMut(&[usize]) -> f64,
) -> Option<Interval> {
    let mut drawn = vec![0; n];
    let mut values = Vec::with_capacity(resamples);
    for _ in 0..resamples {
        for index in &mut drawn {
            *index = random.below(n)?;
        }
        let value = statistic(&drawn);
        if n == 0 || !value.is_finite() {
            return None;
        }
        values.push(value);
    }
    values.sort_by(f64::total_cmp);
    Some(Interval { low: quantile(&values, 0.025)?, high: quantile(&values, 0.975)? })
}

/// [`bootstrap`] of a mean. All values equal give an interval without width: it does not say that others are
/// impossible; for right and wrong use [`wilson`].
pub fn bootstrap_mean(values: &[f64], resamples: usize, random: &mut Random) -> Option<Interval> {
    bootstrap(values.len(), resamples, random, |drawn| {
        drawn.iter().filter_map(|index| values.get(*index)).sum::<f64>() / values.len() as f64
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn wilson_at_the_ends() {
        assert_eq!(wilson(0, 0), Interval { low: 0.0, high: 1.0 });
        let none = wilson(0, 10);
        assert_eq!(none.low, 0.0);
        assert!((none.high - 0.277_532_799_862_889_4).abs() < 1e-12);
        let all = wilson(10, 10);
        assert!((all.low + none.high - 1.0).abs() < 1e-12 && all.high == 1.0);
    }

    #[test]
    fn quantiles_lie_between_neighbours() {
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.75), Some(3.0));
        assert_eq!((quantile(&[5.0], 0.3), quantile(&[], 0.5)), (Some(5.0), None));
        assert_eq!(quantile(&[1.0, 2.0], 1.0), Some(2.0));
    }

    #[test]
    fn bootstrap_of_odd_inputs() {
        let mut random = Random::new(1);
        assert_eq!(bootstrap_mean(&[], 10, &mut random), None);
        assert_eq!(bootstrap_mean(&[1.0], 0, &mut random), None);
        assert_eq!(bootstrap_mean(&[f64::NAN, 1.0], 100, &mut random), None);
        assert_eq!(bootstrap_mean(&[0.5; 4], 100, &mut random), Some(Interval { low: 0.5, high: 0.5 }));
    }

    #[test]
    fn bootstrap_holds_the_mean_about_as_often_as_it_says() {
        let mut random = Random::new(7);
        let held = (0..300)
            .filter(|_| {
                let values: Vec<f64> = (0..40).map(|_| random.unit()).collect();
                bootstrap_mean(&values, 300, &mut random).unwrap().contains(0.5)
            })
            .count();
        assert!((270..=294).contains(&held), "{held} of 300");
    }

    proptest! {
        #[test]
        fn wilson_holds_the_share(n in 1..5000_usize, part in 0.0..=1.0_f64) {
            let right = (part * n as f64) as usize;
            let interval = wilson(right, n);
            prop_assert!(interval.contains(right as f64 / n as f64));
            prop_assert!(interval.low >= 0.0 && interval.high <= 1.0 && interval.low < interval.high);
        }
    }
}
