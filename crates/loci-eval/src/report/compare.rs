//! Methods against a baseline, on the same examples.

use std::path::Path;

use super::Comparison;
use super::estimates::{in_order, rising, scores_by_example};
use crate::error::EvalError;
use crate::run::{Record, read};
use crate::statistics::{PairedTest, benjamini_hochberg, cliffs_delta, cohens_d, holm, paired_test};

/// Every method of `records` against the method `against`, on the examples that both were scored on: all lengths
/// together, then, where there are several, each of them. Not yet corrected.
pub fn compared(records: &[&Record], against: &str) -> Vec<Comparison> {
    let mut found = methods_compared(records, against);
    let lengths = rising(records.iter().map(|record| record.length));
    if lengths.len() > 1 {
        for length in lengths {
            let own: Vec<&Record> =
                records.iter().copied().filter(|record| record.length == length).collect();
            let at = |one: Comparison| Comparison { length: Some(length), ..one };
            found.extend(methods_compared(&own, against).into_iter().map(at));
        }
    }
    found
}

fn methods_compared(records: &[&Record], against: &str) -> Vec<Comparison> {
    let of = |method: &str| -> Vec<&Record> {
        records.iter().copied().filter(|record| record.method == method).collect()
    };
    let base = of(against);
    in_order(records.iter().map(|record| record.method.as_str()))
        .iter()
        .filter(|method| *method != against)
        .filter_map(|method| pair(&of(method), &base, method, against))
        .collect()
}

/// One set of records against another; `None` when they share no example.
fn pair(own: &[&Record], base: &[&Record], method: &str, against: &str) -> Option<Comparison> {
    let (own, base) = (scores_by_example(own), scores_by_example(base));
    let pairs: Vec<(f64, f64)> =
        own.iter().filter_map(|(example, score)| Some((*score, *base.get(example)?))).collect();
    let differences: Vec<f64> = pairs.iter().map(|(own, base)| own - base).collect();
    let PairedTest { difference, interval, p } = paired_test(&differences)?;
    let (own, base): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
    Some(Comparison {
        method: method.to_owned(),
        against: against.to_owned(),
        length: None,
        n: differences.len(),
        difference,
        low: interval.low,
        high: interval.high,
        p,
        p_holm: p,
        p_bh: p,
        cohens_d: cohens_d(&differences),
        cliffs_delta: cliffs_delta(&own, &base),
    })
}

/// Corrects all comparisons of one report together; returns how many there are.
pub(super) fn correct(comparisons: Vec<&mut Comparison>) -> usize {
    let ps: Vec<f64> = comparisons.iter().map(|comparison| comparison.p).collect();
    let count = ps.len();
    for (comparison, (p_holm, p_bh)) in
        comparisons.into_iter().zip(holm(&ps).into_iter().zip(benjamini_hochberg(&ps)))
    {
        (comparison.p_holm, comparison.p_bh) = (p_holm, p_bh);
    }
    count
}

/// The answers of one file against those of another: each task and method, on the examples that both have, where the
/// second file has the same method or `against` names one.
///
/// # Errors
/// As [`read`], and [`EvalError::Nothing`] when the files share no scored example.
pub fn compare_files(
    first: &Path,
    second: &Path,
    against: Option<&str>,
) -> Result<Vec<(String, Comparison)>, EvalError> {
    let (own, base) = (read(first)?, read(second)?);
    let mut found = Vec::new();
    for task in in_order(own.iter().map(|record| record.task.as_str())) {
        let of = |records: &'_ [Record], method: &str| -> Vec<usize> {
            let fits = |record: &Record| record.task == task && record.method == method;
            (0..records.len()).filter(|index| records.get(*index).is_some_and(fits)).collect()
        };
        let task_methods =
            in_order(own.iter().filter(|record| record.task == task).map(|record| record.method.as_str()));
        for method in task_methods {
            let other = against.unwrap_or(&method);
            let own_records: Vec<&Record> =
                of(&own, &method).into_iter().filter_map(|index| own.get(index)).collect();
            let base_records: Vec<&Record> =
                of(&base, other).into_iter().filter_map(|index| base.get(index)).collect();
            found.extend(
                pair(&same_prompts(&own_records, &base_records), &base_records, &method, other)
                    .map(|comparison| (task.clone(), comparison)),
            );
        }
    }
    if found.is_empty() {
        return Err(EvalError::Nothing(format!(
            "{} and {} share no scored example of the same task and method; name the method of the second with --against",
            first.display(),
            second.display()
        )));
    }
    correct(found.iter_mut().map(|(_, comparison)| comparison).collect());
    Ok(found)
}

/// Those of `own` whose prompts are the same as in `base`: the same id may stand for another text in another run.
fn same_prompts<'a>(own: &[&'a Record], base: &[&Record]) -> Vec<&'a Record> {
    let in_base = |record: &Record| {
        base.iter().any(|other| {
            other.example == record.example
                && other.turn == record.turn
                && other.prompt_hash == record.prompt_hash
        })
    };
    own.iter().copied().filter(|record| in_base(record)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(method: &str, example: usize, score: f64) -> Record {
        Record {
            task: "t".to_owned(),
            method: method.to_owned(),
            example: example.to_string(),
            score: Some(score),
            ..Record::default()
        }
    }

    #[test]
    fn only_shared_examples_are_compared() {
        let mut records: Vec<Record> = (0..12).map(|index| record("full", index, 0.0)).collect();
        records.extend((4..20).map(|index| record("inf-llm", index, 1.0)));
        let found = compared(&records.iter().collect::<Vec<_>>(), "full");
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].n, found[0].difference), (8, 1.0));
        // All 8 signs alike: 2 of 2^8 flips are as extreme.
        assert!((found[0].p - 2.0 / 256.0).abs() < 1e-12);
        assert_eq!(found[0].cliffs_delta, Some(1.0));
        assert!(compared(&records.iter().collect::<Vec<_>>(), "window").is_empty());
    }

    #[test]
    fn each_length_is_compared_too() {
        let of = |method: &str, length: usize, score: f64| -> Vec<Record> {
            let at = |index| Record { length, ..record(method, length + index, score) };
            (0..6).map(at).collect()
        };
        let records =
            [of("full", 1000, 0.0), of("full", 2000, 1.0), of("none", 1000, 1.0), of("none", 2000, 1.0)];
        let records: Vec<&Record> = records.iter().flatten().collect();
        let found: Vec<(Option<usize>, usize, f64)> =
            compared(&records, "full").iter().map(|one| (one.length, one.n, one.difference)).collect();
        assert_eq!(found, [(None, 12, 0.5), (Some(1000), 6, 1.0), (Some(2000), 6, 0.0)]);
    }

    #[test]
    fn corrections_are_over_all() {
        let mut all: Vec<Comparison> = [0.01, 0.04, 0.03]
            .into_iter()
            .map(|p| Comparison {
                p,
                ..pair(&[&record("a", 0, 1.0)], &[&record("b", 0, 0.0)], "a", "b").unwrap()
            })
            .collect();
        assert_eq!(correct(all.iter_mut().collect()), 3);
        let holm: Vec<f64> = all.iter().map(|comparison| comparison.p_holm).collect();
        assert!(holm.iter().zip([0.03, 0.06, 0.06]).all(|(a, b)| (a - b).abs() < 1e-12), "{holm:?}");
    }
}
