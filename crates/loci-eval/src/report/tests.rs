//! What tests of reports share, and tests of all forms together.

use super::*;
use crate::registry::parse;
use crate::run::Record;
use crate::task::Task;

/// An answer that was scored.
pub(super) fn record(task: &str, method: &str, example: &str, score: f64) -> Record {
    Record {
        task: task.to_owned(),
        model: "m".to_owned(),
        method: method.to_owned(),
        example: example.to_owned(),
        length: 1000,
        score: Some(score),
        prefill_s: 2.0,
        read_tokens: 990,
        ..Record::default()
    }
}

/// The report of tasks by their names, each with its records.
pub(super) fn report_of(tasks: &[(&'static str, &[Record])]) -> Report {
    let found: Vec<(&dyn Task, &str, Vec<&Record>)> = tasks
        .iter()
        .map(|(name, records)| (parse(name).unwrap().0, *name, records.iter().collect()))
        .collect();
    build(Card { against: "full".to_owned(), ..Card::default() }, &found)
}

/// Two methods over two lengths, two depths and two data sets, with choices and further figures.
fn rich() -> Report {
    let mut records = Vec::new();
    for (method, falls) in [("full", 0.0), ("other:window=64", 1.0)] {
        for (length, share) in [(1000, 0.0), (2000, 1.0)] {
            for number in 0..6_u32 {
                let depth = if number % 2 == 0 { 0.25 } else { 0.75 };
                let set = if number < 3 { "books" } else { "chats" };
                records.push(Record {
                    length,
                    depth: Some(depth),
                    chance: Some(0.2),
                    labels: [("dataset", set), ("only", "one")]
                        .map(|(name, value)| (name.to_owned(), value.to_owned()))
                        .into(),
                    also: [("perplexity", 23.4 + share), ("kl", 0.0123)]
                        .map(|(name, value)| (name.to_owned(), value))
                        .into(),
                    ..record("key-value", method, &format!("{length}/{number}"), 1.0 - falls * share)
                });
            }
        }
    }
    report_of(&[("key-value", &records)])
}

#[test]
fn all_forms_show_what_was_measured() {
    let report = rich();
    let forms = [text(&report), markdown(&report), html(&report)];
    for form in &forms {
        for said in [
            // The main table and further figures.
            "chance",
            "0.200",
            "perplexity",
            "24.40",
            "kl",
            "0.0123",
            "Chance: the score of who draws",
            // Over lengths.
            "longer weigh more",
            "effective at 0.856",
            "0.00 at 2k, depth 0.25 (n 3)",
            "-1.000",
            // Groups.
            "By dataset",
            "books",
            "chats",
            "Averages in which each data set weighs the same",
            "Not tested: high diffusion, low scope; low diffusion, high scope; high diffusion, high scope.",
            // The blocks of the card.
            "position robustness",
            "faithfulness",
            "not measured",
            "+0.00 (",
            "all lengths together",
        ] {
            assert!(form.contains(said), "{said} in {form}");
        }
        assert!(!form.contains("By only"), "a label with one value tells nothing apart");
    }
    let [text, markdown, html] = forms;
    let single = "at each length";
    assert!(text.contains("at each length: 2 rows, in the report's files"), "{text}");
    assert!(markdown.contains(single) && html.contains("<details><summary>Compared"), "{html}");
    assert!(text.contains("over all 3 comparisons"), "{text}");
    for said in ["deduplication", "protocol", "retriever"] {
        assert!(markdown.contains(said) && html.contains(said), "{said}");
    }
    for form in [&markdown, &html] {
        assert!(form.contains(">=2k") || form.contains("&gt;=2k"));
        assert!(form.contains("| 1k |") || form.contains("<td>1k</td>"));
    }
    // Chance in both figures over columns.
    assert_eq!(html.matches(">chance</text>").count(), 2);
}

#[test]
fn the_report_as_json_has_the_same_parts() {
    let json = serde_json::to_value(rich()).unwrap();
    let task = &json["tasks"][0];
    assert!((task["cells"][0]["chance"].as_f64().unwrap() - 0.2).abs() < 1e-12);
    assert_eq!(task["over_lengths"][1]["effective_length"], 1000);
    assert_eq!(task["averages"].as_array().unwrap().len(), 4);
    let lengths: Vec<_> =
        task["comparisons"].as_array().unwrap().iter().map(|one| one["length"].as_u64()).collect();
    assert_eq!(lengths, [None, Some(1000), Some(2000)]);
    assert_eq!(json["quadrants"].as_array().unwrap().len(), 4);
    assert!(json["results"][0]["correctness"]["mean"].is_number() && json["results"][0]["refusal"].is_null());
    assert!(json.get("over_tasks").is_none());
}

#[test]
fn over_several_tasks_quadrants_and_means_over_tasks_are_shown() {
    let at = |task: &str, length: usize, score: f64| Record {
        length,
        ..record(task, "full", &format!("{length}"), score)
    };
    let one = [at("passkey", 1000, 1.0), at("passkey", 2000, 0.5)];
    let other = [at("lines", 1000, 0.5), at("lines", 2000, 0.0)];
    let report = report_of(&[("passkey", &one), ("lines", &other)]);
    assert_eq!(report.over_tasks.len(), 1);
    assert_eq!(text(&report).matches("Effective: the largest").count(), 1, "said once");
    let over = &report.over_tasks[0];
    assert_eq!((over.mean, over.per_doubling), (Some(0.5), Some(-0.5)));
    for form in [text(&report), markdown(&report), html(&report)] {
        for said in ["low, low (2 tasks)", "(not tested)", "the mean of 2 tasks at each"] {
            assert!(form.contains(said), "{said} in {form}");
        }
    }
}

#[test]
fn many_further_figures_have_a_table_of_their_own_and_long_tables_are_not_for_terminals() {
    let of = |index: usize| Record {
        labels: [("book".to_owned(), format!("book {index:02}"))].into(),
        also: (0..6).map(|number| (format!("figure-{number}"), 0.5)).collect(),
        ..record("sort", "full", &index.to_string(), 1.0)
    };
    let few: Vec<Record> = (0..3).map(of).collect();
    let many: Vec<Record> = (0..60).map(of).collect();
    let shown = text(&report_of(&[("sort", &few)]));
    assert!(shown.contains("Further figures") && shown.contains("figure-5") && shown.contains("book 02"));
    let report = report_of(&[("sort", &many)]);
    let shown = text(&report);
    assert!(
        !shown.contains("book 02") && shown.contains("By book: 60 rows, in the report's files"),
        "{shown}"
    );
    assert!(markdown(&report).contains("book 02") && html(&report).contains("<summary>By book (60 rows)"));
}
