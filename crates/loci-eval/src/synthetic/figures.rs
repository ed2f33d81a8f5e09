//! Figures that papers draw from scores at many lengths or places.

/// The largest length whose average score is at least `threshold`; 0 when there is none. RULER (Hsieh et al. 2024) takes
/// the score of Llama-2-7B at 4,096 tokens, 0.856. `averages` holds lengths with their average scores from 0 to 1.
pub fn effective_length(averages: &[(usize, f64)], threshold: f64) -> usize {
    averages.iter().filter(|(_, score)| *score >= threshold).map(|(length, _)| *length).max().unwrap_or(0)
}

/// The average over lengths, rising, of which the first weighs 1, the second 2, and so on if `rising`; otherwise the
/// last weighs 1. `None` without a score. These are RULER's two averages: longer or shorter use is more likely.
pub fn weighted_average(scores: &[f64], rising: bool) -> Option<f64> {
    let weight = |at: usize| if rising { at + 1 } else { scores.len() - at } as f64;
    let sum: f64 = (0..scores.len()).map(weight).sum();
    let weighted: f64 = scores.iter().enumerate().map(|(at, score)| weight(at) * score).sum();
    (!scores.is_empty()).then(|| weighted / sum)
}

/// Mean score over `bins` equal bins of the depth and the difference between best and worst bin, which is how VAL
/// probing tells how little the place matters (An et al. 2024). Bins without a score do not count; `None` when there is none.
/// `scores` holds depths from 0 to 1 with their scores.
pub fn average_and_gap(scores: &[(f64, f64)], bins: usize) -> Option<(f64, f64)> {
    let mut sums = vec![(0.0, 0_usize); bins];
    for (depth, score) in scores {
        let bin = (depth.clamp(0.0, 1.0) * bins as f64) as usize;
        if let Some((sum, count)) = sums.get_mut(bin.min(bins.saturating_sub(1))) {
            *sum += score;
            *count += 1;
        }
    }
    let means: Vec<f64> =
        sums.into_iter().filter(|(_, count)| *count > 0).map(|(sum, count)| sum / count as f64).collect();
    let best = means.iter().copied().reduce(f64::max)?;
    let worst = means.iter().copied().reduce(f64::min)?;
    Some((means.iter().sum::<f64>() / means.len() as f64, best - worst))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_by_hand() {
        assert_eq!(effective_length(&[(4096, 0.9), (8192, 0.86), (16_384, 0.7), (32_768, 0.8)], 0.856), 8192);
        assert_eq!(effective_length(&[(4096, 0.5)], 0.856), 0);
        let averages = [0.9, 0.6, 0.3];
        assert!((weighted_average(&averages, true).unwrap() - (0.9 + 1.2 + 0.9) / 6.0).abs() < 1e-12);
        assert!((weighted_average(&averages, false).unwrap() - (2.7 + 1.2 + 0.3) / 6.0).abs() < 1e-12);
        assert_eq!(weighted_average(&[], true), None);
        let (mean, gap) = average_and_gap(&[(0.0, 1.0), (0.2, 0.0), (0.6, 1.0), (1.0, 1.0)], 2).unwrap();
        assert_eq!((mean, gap), (0.75, 0.5));
        assert_eq!(average_and_gap(&[], 2), None);
        assert_eq!(average_and_gap(&[(0.5, 1.0)], 0), None);
    }
}
