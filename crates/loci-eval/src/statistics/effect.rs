//! How large a difference is, whatever the count of examples.

use super::mean;

/// Cohen's d of paired differences: their mean over their standard deviation (with n - 1). `None` for fewer than two,
/// or if they are all equal: there is no spread to measure by.
pub fn cohens_d(differences: &[f64]) -> Option<f64> {
    let centre = mean(differences)?;
    let first = differences.first()?;
    if differences.len() < 2 || differences.iter().all(|difference| difference == first) {
        return None;
    }
    let squares: f64 = differences.iter().map(|difference| (difference - centre).powi(2)).sum();
    let d = centre / (squares / (differences.len() - 1) as f64).sqrt();
    d.is_finite().then_some(d)
}

/// Cliff's delta (1993): share of the pairs, one of `a` and one of `b`, in which `a` is larger, less the share in
/// which it is smaller; from -1 to 1, and 0 for ties. `None` if either is empty or holds what is not a number.
pub fn cliffs_delta(a: &[f64], b: &[f64]) -> Option<f64> {
    if a.is_empty() || b.is_empty() || a.iter().chain(b).any(|value| value.is_nan()) {
        return None;
    }
    let mut sorted = b.to_vec();
    sorted.sort_by(f64::total_cmp);
    let larger_less_smaller: f64 = a
        .iter()
        .map(|value| {
            let smaller = sorted.partition_point(|other| other < value);
            let larger = sorted.len() - sorted.partition_point(|other| other <= value);
            smaller as f64 - larger as f64
        })
        .sum();
    Some(larger_less_smaller / (a.len() as f64 * b.len() as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        assert!((cohens_d(&[1.0, 3.0]).unwrap() - 2.0_f64.sqrt()).abs() < 1e-12);
        assert_eq!((cohens_d(&[]), cohens_d(&[1.0]), cohens_d(&[0.1, 0.1, 0.1])), (None, None, None));
        assert_eq!(cliffs_delta(&[1.0, 2.0, 3.0], &[2.0, 2.0]), Some(0.0));
        assert_eq!(cliffs_delta(&[5.0, 2.0], &[1.0, 2.0]), Some(0.75));
        assert_eq!(cliffs_delta(&[0.0], &[-0.0]), Some(0.0));
        assert_eq!((cliffs_delta(&[], &[1.0]), cliffs_delta(&[f64::NAN], &[1.0])), (None, None));
    }
}
