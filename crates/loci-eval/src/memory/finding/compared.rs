//! Figures of choices, and what differs between those that differ in one thing.

use std::collections::BTreeSet;

use super::{Choice, ChoiceDifference, FindingOutcome, FindingRow};
use crate::report::estimate_of;
use crate::statistics::{PairedTest, holm, paired_test};

/// Groups in their order, and the questions of all together where they are of several.
fn groups(outcomes: &[FindingOutcome]) -> Vec<(String, Vec<&FindingOutcome>)> {
    let mut groups: Vec<(String, Vec<&FindingOutcome>)> = Vec::new();
    for outcome in outcomes {
        match groups.iter_mut().find(|(name, _)| *name == outcome.group) {
            Some((_, own)) => own.push(outcome),
            None => groups.push((outcome.group.clone(), vec![outcome])),
        }
    }
    // A question that seeks two things is not counted twice.
    let ids: BTreeSet<(&str, usize)> =
        outcomes.iter().map(|one| (one.question.as_str(), one.choice)).collect();
    if groups.len() > 1 && ids.len() == outcomes.len() {
        groups.push(("all".to_owned(), outcomes.iter().collect()));
    }
    groups
}

/// The figures by group, choice and k.
pub(super) fn rows(outcomes: &[FindingOutcome], all: &[Choice], top: &BTreeSet<usize>) -> Vec<FindingRow> {
    let mut rows = Vec::new();
    for (group, own) in groups(outcomes) {
        for (number, choice) in all.iter().enumerate() {
            for k in top {
                let of = |which: usize| -> Vec<f64> {
                    let own = own.iter().filter(|outcome| outcome.choice == number);
                    own.filter_map(|outcome| outcome.scores.get(k)?.get(which).copied()).collect()
                };
                let estimates = (estimate_of(&of(0)), estimate_of(&of(1)), estimate_of(&of(2)));
                let (Some(recall_all), Some(recall_any), Some(ndcg)) = estimates else { continue };
                rows.push(FindingRow {
                    group: group.clone(),
                    choice: choice.clone(),
                    k: *k,
                    recall_all,
                    recall_any,
                    ndcg,
                });
            }
        }
    }
    rows
}

/// Whether a group's questions are compared for what two choices differ in: those of all groups together, for days those of
/// the groups that are about time. So the family of comparisons is declared before anything is seen.
fn is_compared(of: &str, group: &str, names: &[&str]) -> bool {
    match of {
        "days" => group.starts_with("temporal"),
        _ => group == "all" || !names.contains(&"all"),
    }
}

/// In what two choices differ, if in one thing only, and the first of them has the later form of it.
fn one_difference(one: &Choice, other: &Choice, all: &[Choice]) -> Option<&'static str> {
    let later = |of: fn(&Choice) -> &'static str| {
        let place = |choice: &Choice| all.iter().position(|other| of(other) == of(choice));
        place(one) > place(other)
    };
    let differs = [
        (one.unit != other.unit, "unit", later(|choice| choice.unit)),
        (one.keys != other.keys, "keys", later(|choice| choice.keys)),
        (one.by != other.by, "by", later(|choice| choice.by)),
        (one.days != other.days, "days", one.days && !other.days),
    ];
    match differs.iter().filter(|(differs, ..)| *differs).collect::<Vec<_>>().as_slice() {
        [(_, what, true)] => Some(what),
        _ => None,
    }
}

/// Pairs of choices that differ in one thing.
pub(super) fn differences(
    outcomes: &[FindingOutcome],
    all: &[Choice],
    top: &BTreeSet<usize>,
) -> Vec<ChoiceDifference> {
    let mut found = Vec::new();
    let groups = groups(outcomes);
    let names: Vec<&str> = groups.iter().map(|(name, _)| name.as_str()).collect();
    for (group, own) in &groups {
        for (number, choice) in all.iter().enumerate() {
            for (against, other) in all.iter().enumerate() {
                let Some(of) = one_difference(choice, other, all) else { continue };
                if !is_compared(of, group, &names) {
                    continue;
                }
                for k in top {
                    let score = |outcome: &FindingOutcome| outcome.scores.get(k).map(|scores| scores[0]);
                    let pairs = own.iter().filter(|outcome| outcome.choice == number).filter_map(|outcome| {
                        let mut others = own.iter().filter(|other| other.choice == against);
                        let other = others.find(|other| other.question == outcome.question)?;
                        Some(score(outcome)? - score(other)?)
                    });
                    let values: Vec<f64> = pairs.collect();
                    // One question says nothing of others.
                    if values.len() < 2 {
                        continue;
                    }
                    let Some(PairedTest { difference, interval, p }) = paired_test(&values) else { continue };
                    found.push(ChoiceDifference {
                        of,
                        group: group.clone(),
                        choice: choice.named(),
                        against: other.named(),
                        k: *k,
                        n: values.len(),
                        difference,
                        low: interval.low,
                        high: interval.high,
                        p,
                        p_holm: p,
                    });
                }
            }
        }
    }
    let ps: Vec<f64> = found.iter().map(|one| one.p).collect();
    found.iter_mut().zip(holm(&ps)).for_each(|(one, p)| one.p_holm = p);
    found
}
