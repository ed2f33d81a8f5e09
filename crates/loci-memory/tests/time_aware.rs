//! Time-aware recall, as LongMemEval's design has it (Wu et al. 2024, section B, stage 2): the days that a question names, widened
//! by two days, go first, and nothing else changes.
#![allow(clippy::unwrap_used)]

mod common;

use common::{memory, texts};
use loci_memory::{Content, Memory, Query, Time};
use proptest::prelude::*;

fn tell(memory: &mut Memory, text: &str, at: &str) {
    let content = Content { valid_from: Some(at.parse().unwrap()), ..Content::note(text) };
    memory.add(&content, &[]).unwrap();
}

#[test]
fn two_days_of_slack_hold_both_ends() {
    let (_folder, mut memory, _clock) = memory();
    // Of the days that the question names, the tenth to the eleventh of May, none is among these.
    for (text, at) in [
        ("a swim too soon", "2023-05-07T23:59:59Z"),
        ("a swim on the first day", "2023-05-08T00:00:00Z"),
        ("a swim on the last day", "2023-05-12T23:59:59Z"),
        ("a swim too late", "2023-05-13T00:00:00Z"),
    ] {
        tell(&mut memory, text, at);
    }
    let recall = memory.recall(&Query::new("Where did I swim on 2023-05-10?"), None).unwrap();
    assert_eq!(recall.days, Some(("2023-05-08".to_owned(), "2023-05-12".to_owned())));
    let mut inside: Vec<&str> =
        recall.found.iter().filter(|found| found.of_the_days).map(|found| found.item.text()).collect();
    inside.sort_unstable();
    assert_eq!(inside, ["a swim on the first day", "a swim on the last day"]);
    assert!(recall.found.iter().take(2).all(|found| found.of_the_days) && recall.found.len() == 4);
}

#[test]
fn days_that_begin_on_the_day_of_the_question_change_nothing() {
    let (_folder, mut memory, _clock) = memory();
    for day in 20..31 {
        tell(
            &mut memory,
            &format!("a note of {} and a swim, number {day}", "swim ".repeat(day % 3)),
            &format!("2023-05-{day}"),
        );
    }
    tell(&mut memory, "today I had a long swim before breakfast and before work", "2023-06-01");
    let asked = "What did I say of a swim on 2023-06-01?";
    let recall = memory.recall(&Query::new(asked), None).unwrap();
    assert!(recall.days.is_none() && recall.found.iter().all(|found| !found.of_the_days));
    assert_eq!(
        texts(&mut memory, &Query::new(asked)),
        texts(&mut memory, &Query { days: false, ..Query::new(asked) })
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn days_part_a_ranking_and_keep_the_order_of_both_parts(
        told in prop::collection::vec((0..60_i64, 0..4_usize, 0..6_usize), 1..25),
    ) {
        let (_folder, mut memory, _clock) = memory();
        let first: Time = "2023-04-01".parse().unwrap();
        for (number, (day, swims, others)) in told.iter().enumerate() {
            let text = format!("number {number} swim {}{}", "swim ".repeat(*swims), "sail ".repeat(*others));
            tell(&mut memory, &text, &first.plus_days(*day).to_string());
        }
        let asked = Query { most: 100, ..Query::new("Where did I swim in April?") };
        let parted = memory.recall(&asked, None).unwrap();
        let plain = texts(&mut memory, &Query { days: false, ..asked.clone() });
        let inside: Vec<String> =
            parted.found.iter().filter(|found| found.of_the_days).map(|found| found.item.text().to_owned()).collect();
        let all: Vec<String> = parted.found.iter().map(|found| found.item.text().to_owned()).collect();
        let mut expected: Vec<String> = plain.iter().filter(|text| inside.contains(text)).cloned().collect();
        expected.extend(plain.iter().filter(|text| !inside.contains(text)).cloned());
        prop_assert_eq!(&all, &expected, "those of the days, then the others, each as they were ranked");
        prop_assert_eq!(all.len(), told.len());
    }
}
