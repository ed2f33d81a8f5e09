//! p values of several tests at once. Declare the family before you look: these correct for no others.

/// Indices by rising p. A p that is not a number counts as 1: nothing was shown.
fn by_size(ps: &[f64]) -> Vec<(usize, f64)> {
    let mut sorted: Vec<(usize, f64)> =
        ps.iter().map(|p| if p.is_nan() { 1.0 } else { p.clamp(0.0, 1.0) }).enumerate().collect();
    sorted.sort_by(|a, b| a.1.total_cmp(&b.1));
    sorted
}

fn in_place(count: usize, corrected: impl Iterator<Item = (usize, f64)>) -> Vec<f64> {
    let mut out = vec![1.0; count];
    for (index, p) in corrected {
        if let Some(place) = out.get_mut(index) {
            *place = p;
        }
    }
    out
}

/// Holm (1979): the i-th smallest of m p values times m - i + 1, never below the one before it, at most 1. Rejecting
/// what is at most α makes one false rejection or more with probability α at most, whatever depends on what.
pub fn holm(ps: &[f64]) -> Vec<f64> {
    let mut most = 0.0_f64;
    let corrected = by_size(ps).into_iter().enumerate().map(|(rank, (index, p))| {
        most = most.max(p * (ps.len() - rank) as f64).min(1.0);
        (index, most)
    });
    in_place(ps.len(), corrected)
}

/// Benjamini and Hochberg (1995): the i-th smallest of m p values times m / i, never above the one behind it. Of what
/// is at most α, a share of α at most is false on average, if tests are independent or depend positively.
pub fn benjamini_hochberg(ps: &[f64]) -> Vec<f64> {
    let mut least = 1.0_f64;
    let corrected = by_size(ps).into_iter().enumerate().rev().map(|(rank, (index, p))| {
        least = least.min(p * (ps.len() as f64 / (rank + 1) as f64));
        (index, least)
    });
    in_place(ps.len(), corrected)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn by_hand() {
        let close = |a: Vec<f64>, b: &[f64]| {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12)
        };
        assert!(close(holm(&[0.01, 0.04, 0.03, 0.005]), &[0.03, 0.06, 0.06, 0.02]));
        assert!(close(benjamini_hochberg(&[0.01, 0.04, 0.03, 0.005]), &[0.02, 0.04, 0.04, 0.02]));
        assert!(close(holm(&[0.5, 0.5]), &[1.0, 1.0]));
        assert!(close(holm(&[f64::NAN, 0.01]), &[1.0, 0.02]));
        assert!(holm(&[]).is_empty() && benjamini_hochberg(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn never_smaller_and_in_the_same_order(ps in prop::collection::vec(0.0..=1.0_f64, 0..9)) {
            let (holm, bh) = (holm(&ps), benjamini_hochberg(&ps));
            for i in 0..ps.len() {
                prop_assert!(ps[i] <= bh[i] && bh[i] <= holm[i] + 1e-12 && holm[i] <= 1.0);
                for j in 0..ps.len() {
                    prop_assert!(ps[i] > ps[j] || (holm[i] <= holm[j] && bh[i] <= bh[j]));
                }
            }
        }
    }
}
