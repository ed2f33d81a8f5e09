//! What follows from scores: intervals, tests between methods, corrections, sizes of effects, agreement of raters, how
//! far confidence is to be trusted, and trends.
//!
//! What cannot be computed (nothing given, no spread, a value that is not a number) is `None`, and never a number that
//! looks like a result. What is drawn at random depends on the given [`Random`](loci_context::random::Random) alone.

pub mod agreement;
pub mod calibration;
pub mod correction;
pub mod effect;
pub mod intervals;
pub mod paired;
pub mod trend;

pub use correction::{benjamini_hochberg, holm};
pub use effect::{cliffs_delta, cohens_d};
pub use intervals::{Interval, RESAMPLES, bootstrap_mean, wilson};
pub use paired::{PairedTest, mcnemar, paired_bootstrap, paired_permutation, paired_test};

/// Mean; `None` of nothing and where a value is not finite.
pub(crate) fn mean(values: &[f64]) -> Option<f64> {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    mean.is_finite().then_some(mean)
}
