//! Whether confidence says which answers are right.
//!
//! Answers are given as (confidence, whether right). Every function is `None` without answers and where a confidence
//! is not finite. A model that refuses everything has no risk: report coverage beside it.

/// Brier score (1950): mean of (confidence - 1 if right, 0 if wrong)², confidences from 0 to 1. 0 is best; always
/// saying 0.5 has 0.25.
pub fn brier(answers: &[(f64, bool)]) -> Option<f64> {
    let squares: f64 = answers.iter().map(|(sure, right)| (sure - f64::from(u8::from(*right))).powi(2)).sum();
    let brier = squares / answers.len() as f64;
    brier.is_finite().then_some(brier)
}

/// Share of wrong ones among the c most confident answers, for c from 1 to all. Answers with equal confidence keep
/// the order in which they are given: give them by id.
pub fn risks(answers: &[(f64, bool)]) -> Option<Vec<f64>> {
    if answers.is_empty() || answers.iter().any(|(sure, _)| !sure.is_finite()) {
        return None;
    }
    let mut sorted = answers.to_vec();
    // Adding 0 makes the two zeros one.
    sorted.sort_by(|a, b| (b.0 + 0.0).total_cmp(&(a.0 + 0.0)));
    let mut wrong = 0;
    let risk = |(index, (_, right)): (usize, &(f64, bool))| {
        wrong += usize::from(!right);
        wrong as f64 / (index + 1) as f64
    };
    Some(sorted.iter().enumerate().map(risk).collect())
}

/// Area under the curve of risk over coverage (El-Yaniv and Wiener 2010; Geifman and El-Yaniv 2017): the mean of
/// [`risks`]. 0 is best; confidence that says nothing has about the share of wrong answers.
pub fn aurc(answers: &[(f64, bool)]) -> Option<f64> {
    super::mean(&risks(answers)?)
}

/// Share of right ones among the most confident `coverage` (0 to 1) of the answers, rounded up and at least one.
pub fn selective_accuracy(answers: &[(f64, bool)], coverage: f64) -> Option<f64> {
    let risks = risks(answers)?;
    let taken = (coverage.clamp(0.0, 1.0) * risks.len() as f64).ceil().max(1.0) as usize;
    risks.get(taken - 1).map(|risk| 1.0 - risk)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let answers = [(0.2, false), (0.9, true), (0.5, false), (0.5, true)];
        assert!((brier(&answers).unwrap() - (0.04 + 0.01 + 0.25 + 0.25) / 4.0).abs() < 1e-12);
        assert_eq!(risks(&answers), Some(vec![0.0, 0.5, 1.0 / 3.0, 0.5]));
        assert!((aurc(&answers).unwrap() - (0.5 + 1.0 / 3.0 + 0.5) / 4.0).abs() < 1e-12);
        assert_eq!(selective_accuracy(&answers, 0.5), Some(0.5));
        assert_eq!(
            (selective_accuracy(&answers, 0.0), selective_accuracy(&answers, 1.0)),
            (Some(1.0), Some(0.5))
        );
    }

    #[test]
    fn odd_inputs() {
        assert_eq!((brier(&[]), aurc(&[]), aurc(&[(f64::NAN, true)])), (None, None, None));
        assert_eq!((aurc(&[(1.0, true)]), aurc(&[(1.0, false)])), (Some(0.0), Some(1.0)));
        assert_eq!(risks(&[(-0.0, true), (0.0, false)]), Some(vec![0.0, 0.5]));
        assert_eq!(selective_accuracy(&[(0.5, true)], f64::NAN), Some(1.0));
    }
}
