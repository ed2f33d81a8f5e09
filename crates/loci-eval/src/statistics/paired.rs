//! Two methods on the same examples. Give the differences of their scores, one for each example (or, where examples
//! depend on each other, for each session or text: mean score of the one less that of the other).

use loci_context::random::Random;

use super::intervals::{Interval, RESAMPLES, bootstrap_mean};
use super::mean;

/// What the differences of two methods say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairedTest {
    /// Their mean.
    pub difference: f64,
    /// Its 95 % interval, by [`paired_bootstrap`].
    pub interval: Interval,
    /// By [`paired_permutation`].
    pub p: f64,
}

/// Mean, interval and p of differences, with what is drawn seeded by their number. `None` where one of them cannot be told.
pub fn paired_test(differences: &[f64]) -> Option<PairedTest> {
    let random = || Random::new(differences.len() as u64);
    Some(PairedTest {
        difference: mean(differences)?,
        interval: paired_bootstrap(differences, RESAMPLES, &mut random())?,
        p: paired_permutation(differences, RESAMPLES, &mut random())?,
    })
}

/// Most differences for which all signs are tried.
const EXACT: usize = 20;

/// 95% interval of the mean difference by resampling examples; see [`bootstrap_mean`].
pub fn paired_bootstrap(differences: &[f64], resamples: usize, random: &mut Random) -> Option<Interval> {
    bootstrap_mean(differences, resamples, random)
}

/// Two-sided p of the mean difference by flipping signs (Fisher 1935): how often a mean of differences with signs
/// drawn at random is at least as far from 0 as the one found.
///
/// Up to 20 differences all signs are tried, and p = #/2ⁿ; above, `draws` are drawn, and p = (1 + #)/(draws + 1).
/// Sums that differ by rounding only count as equal. 1 if all differences are 0 or there are none; `None` if one is
/// not finite.
pub fn paired_permutation(differences: &[f64], draws: usize, random: &mut Random) -> Option<f64> {
    let sizes: f64 = differences.iter().map(|difference| difference.abs()).sum();
    if !sizes.is_finite() {
        return None;
    }
    let found = differences.iter().sum::<f64>().abs() - 1e-12 * sizes;
    // Zeros change no sum, so all signs of the others are all signs.
    let others: Vec<f64> = differences.iter().copied().filter(|difference| *difference != 0.0).collect();
    if differences.len() <= EXACT {
        return Some(as_far(&others, 0.0, found) / 2_f64.powi(others.len() as i32));
    }
    let far = (0..draws)
        .filter(|_| {
            let sum: f64 = others.iter().map(|size| if random.unit() < 0.5 { *size } else { -size }).sum();
            sum.abs() >= found
        })
        .count();
    Some((1 + far) as f64 / (draws + 1) as f64)
}

/// How many ways to sign `rest`, added to `sum`, end at least as far from 0 as `found`.
fn as_far(rest: &[f64], sum: f64, found: f64) -> f64 {
    match rest.split_first() {
        None => f64::from(u8::from(sum.abs() >= found)),
        Some((first, rest)) => as_far(rest, sum + first, found) + as_far(rest, sum - first, found),
    }
}

/// Two-sided exact p of McNemar's test (1947) for right and wrong answers: of the examples on which the methods differ,
/// `only_first` were right with the first alone and `only_second` with the second alone. By chance each is as likely:
/// p = min(1, 2·P(X ≤ the smaller)), X binomial with 1/2. 1 if they differ nowhere.
pub fn mcnemar(only_first: usize, only_second: usize) -> f64 {
    let n = only_first + only_second;
    let smaller = only_first.min(only_second);
    if 2 * smaller == n {
        return 1.0;
    }
    // Terms by their logarithms, each from the one before it: 2⁻ⁿ alone is too small for a number from n = 1075 on.
    let mut log_term = -(n as f64) * std::f64::consts::LN_2;
    let mut sum = log_term.exp();
    for i in 1..=smaller {
        log_term += ((n - i + 1) as f64 / i as f64).ln();
        sum += log_term.exp();
    }
    (2.0 * sum).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permutation(differences: &[f64]) -> f64 {
        paired_permutation(differences, 2000, &mut Random::new(5)).unwrap()
    }

    #[test]
    fn all_signs_of_a_few_differences() {
        assert_eq!(permutation(&[1.0, 1.0, 1.0, 1.0]), 0.125);
        assert_eq!(permutation(&[1.0, -1.0]), 1.0);
        assert_eq!(permutation(&[2.0, 1.0, 0.0]), 0.5);
        assert_eq!((permutation(&[]), permutation(&[0.0; 9]), permutation(&[0.0; 30])), (1.0, 1.0, 1.0));
        assert_eq!(paired_permutation(&[f64::NAN], 10, &mut Random::new(1)), None);
        // Equal sums stay equal where thirds are added in another order.
        assert_eq!(permutation(&[0.1, 0.2, 0.3, -0.3, -0.2, -0.1, 0.0]), 1.0);
        assert_eq!(permutation(&[0.1; 20]), 2_f64.powi(-19));
    }

    #[test]
    fn drawn_signs_agree_with_all_signs() {
        let mut random = Random::new(11);
        let few: Vec<f64> = (0..20).map(|_| random.unit() - 0.35).collect();
        let exact = permutation(&few);
        // Zeros change nothing but the count.
        let many: Vec<f64> = few.iter().copied().chain([0.0; 5]).collect();
        let drawn = paired_permutation(&many, 20_000, &mut random).unwrap();
        assert!((exact - drawn).abs() < 4.0 * (exact * (1.0 - exact) / 20_000.0).sqrt(), "{exact} {drawn}");
        assert_eq!(paired_permutation(&[1.0; 40], 999, &mut random), Some(0.001));
    }

    #[test]
    fn under_the_null_every_p_is_about_as_likely() {
        let mut random = Random::new(3);
        for n in [12, 30] {
            let mut below = [0; 3];
            for _ in 0..600 {
                let differences: Vec<f64> = (0..n).map(|_| random.unit() - random.unit()).collect();
                let p = paired_permutation(&differences, 199, &mut random).unwrap();
                below
                    .iter_mut()
                    .zip([0.05, 0.2, 0.5])
                    .for_each(|(count, level)| *count += i32::from(p <= level));
            }
            for (count, level) in below.iter().zip([0.05, 0.2, 0.5]) {
                let far = 3.5 * (600.0_f64 * level * (1.0 - level)).sqrt();
                assert!((f64::from(*count) - 600.0 * level).abs() < far, "n {n}: {below:?}");
            }
        }
    }

    #[test]
    fn mcnemar_by_hand() {
        assert_eq!((mcnemar(0, 0), mcnemar(3, 3)), (1.0, 1.0));
        assert!((mcnemar(2, 3) - 1.0).abs() < 1e-12);
        assert!((mcnemar(0, 5) - 0.0625).abs() < 1e-15 && (mcnemar(1, 9) - 22.0 / 1024.0).abs() < 1e-15);
        assert_eq!(mcnemar(4, 10), mcnemar(10, 4));
        assert!((mcnemar(980, 1020) - 0.383).abs() < 0.001);
    }

    #[test]
    fn the_interval_of_a_difference() {
        let interval = paired_bootstrap(&[0.1, 0.2, 0.3, 0.2], 1000, &mut Random::new(1)).unwrap();
        assert!(interval.low >= 0.1 && interval.high <= 0.3 && interval.contains(0.2));
    }
}
