//! How a score changes with length, turn or depth. Points are (where, score).

use super::mean;

/// y = intercept + slope·x.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Line {
    /// Change of y for one more x.
    pub slope: f64,
    /// y at 0.
    pub intercept: f64,
}

/// The line of least squares. `None` without two different x, or where a value is not finite.
pub fn line(points: &[(f64, f64)]) -> Option<Line> {
    let (x, y): (Vec<f64>, Vec<f64>) = points.iter().copied().unzip();
    let (x_mean, y_mean) = (mean(&x)?, mean(&y)?);
    let spread: f64 = x.iter().map(|x| (x - x_mean).powi(2)).sum();
    let together: f64 = points.iter().map(|(x, y)| (x - x_mean) * (y - y_mean)).sum();
    let slope = together / spread;
    (has_two(&x) && slope.is_finite()).then_some(Line { slope, intercept: y_mean - slope * x_mean })
}

fn has_two(x: &[f64]) -> bool {
    x.iter().any(|other| x.first() != Some(other))
}

/// The x over which a score halves: that of y = a·2^(-x/h) with the least squares. Infinite where [`line`] does not
/// fall.
///
/// Scores of 0 take part, which a fit of logarithms could not let them. Half-lives are sought between 1/50 of the
/// smallest step in x and 1,000,000 times the whole span; a fall within one step is given as one of those. `None` as
/// [`line`], and where all scores are 0.
pub fn half_life(points: &[(f64, f64)]) -> Option<f64> {
    let falls = line(points)?.slope < 0.0;
    if points.iter().all(|(_, y)| *y == 0.0) {
        return None;
    }
    if !falls {
        return Some(f64::INFINITY);
    }
    let mut sorted: Vec<f64> = points.iter().map(|(x, _)| *x).collect();
    sorted.sort_by(f64::total_cmp);
    let start = *sorted.first()?;
    let span = sorted.last()? - start;
    let steps = sorted.windows(2).filter_map(|pair| Some(pair.last()? - pair.first()?));
    let step = steps.filter(|step| *step > 0.0).fold(span, f64::min);
    // Of the squares, only this part depends on h once the best a is put in; it is to be small.
    let rest = |log_h: f64| {
        let (mut with_y, mut alone) = (0.0, 0.0);
        for (x, y) in points {
            let fall = (-(x - start) / log_h.exp()).exp2();
            with_y += y * fall;
            alone += fall * fall;
        }
        -with_y * with_y.abs() / alone
    };
    let (low, high) = ((step / 50.0).ln(), (1e6 * span).ln());
    let cells = 400_u32;
    let width = (high - low) / f64::from(cells);
    let at = |cell: u32| low + width * f64::from(cell);
    let best = (0..=cells).min_by(|a, b| rest(at(*a)).total_cmp(&rest(at(*b))))?;
    // Golden section within the neighbours of the best cell.
    let golden = (5.0_f64.sqrt() - 1.0) / 2.0;
    let (mut from, mut to) = (at(best.saturating_sub(1)), at((best + 1).min(cells)));
    for _ in 0..80 {
        let (left, right) = (to - golden * (to - from), from + golden * (to - from));
        if rest(left) <= rest(right) { to = right } else { from = left }
    }
    Some(f64::midpoint(from, to).exp())
}

/// The first x, going up, at which the score falls below `level`, between two points in proportion: the effective
/// context length of a curve over lengths (Roberts et al. 2024, with 0.75). The first x if it is below there; `None`
/// if it never is, or without points.
pub fn falls_below(points: &[(f64, f64)], level: f64) -> Option<f64> {
    let mut sorted = points.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let below = sorted.iter().position(|(_, y)| *y < level)?;
    let (x, y) = *sorted.get(below)?;
    let Some((x_before, y_before)) = below.checked_sub(1).and_then(|before| sorted.get(before)).copied()
    else {
        return Some(x);
    };
    Some(x_before + (x - x_before) * (y_before - level) / (y_before - y))
}

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

/// How far the middle lies below the ends: mean of the first and the last bin less the smallest between them. Bins
/// without a score are `None` and left out. `None` without both ends and a middle.
pub fn middle_drop(bins: &[Option<f64>]) -> Option<f64> {
    let (first, rest) = bins.split_first()?;
    let (last, middle) = rest.split_last()?;
    let lowest = middle.iter().flatten().copied().min_by(f64::total_cmp)?;
    Some(f64::midpoint((*first)?, (*last)?) - lowest)
}

/// Largest less smallest score over the bins that have one (FILM's gap); `None` if none has.
pub fn gap(bins: &[Option<f64>]) -> Option<f64> {
    let largest = bins.iter().flatten().copied().max_by(f64::total_cmp)?;
    let smallest = bins.iter().flatten().copied().min_by(f64::total_cmp)?;
    Some(largest - smallest)
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
    }

    #[test]
    fn lines() {
        let found = line(&[(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)]).unwrap();
        assert!((found.slope - 2.0).abs() < 1e-12 && (found.intercept - 1.0).abs() < 1e-12);
        assert_eq!((line(&[]), line(&[(1.0, 2.0)]), line(&[(0.1, 2.0), (0.1, 3.0)])), (None, None, None));
        assert_eq!(line(&[(0.0, f64::NAN), (1.0, 0.0)]), None);
    }

    #[test]
    fn half_lives() {
        for half in [0.3, 5.0, 700.0] {
            let points: Vec<(f64, f64)> =
                (1..9).map(|x| (f64::from(x), 0.9 * (-f64::from(x) / half).exp2())).collect();
            let found = half_life(&points).unwrap();
            assert!((found / half - 1.0).abs() < 1e-5, "{found} for {half}");
        }
        assert_eq!(half_life(&[(1.0, 0.5), (2.0, 0.5)]), Some(f64::INFINITY));
        assert_eq!(half_life(&[(1.0, 0.1), (2.0, 0.5)]), Some(f64::INFINITY));
        assert_eq!((half_life(&[(1.0, 0.0), (2.0, 0.0)]), half_life(&[(1.0, 0.5)])), (None, None));
        assert!(half_life(&[(1.0, 1.0), (2.0, 0.0), (3.0, 0.0)]).unwrap() < 0.2);
    }

    #[test]
    fn effective_length_and_bins() {
        let curve = [(4000.0, 0.5), (1000.0, 1.0), (2000.0, 0.9)];
        assert!((falls_below(&curve, 0.7).unwrap() - 3000.0).abs() < 1e-9);
        assert_eq!((falls_below(&curve, 0.4), falls_below(&curve, 1.5)), (None, Some(1000.0)));
        assert_eq!(middle_drop(&[Some(1.0), None, Some(0.25), Some(0.5)]), Some(0.5));
        assert_eq!((middle_drop(&[Some(1.0), Some(0.5)]), middle_drop(&[])), (None, None));
        assert_eq!((gap(&[Some(1.0), None, Some(0.25)]), gap(&[None])), (Some(0.75), None));
    }
}
