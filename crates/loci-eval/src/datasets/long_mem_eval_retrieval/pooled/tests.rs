use loci_reading::expand::{Join, WhenEmpty};
use serde_json::{Value, json};

use super::super::super::common::tests::folder;
use super::super::super::retrieval::tests::with_meanings;
use super::super::super::retrieval::{Retriever, Source, found_table};
use super::super::{Measured, measure as measure_any};
use super::*;

fn turn(role: &str, date: &str, content: &str) -> Value {
    json!({"role": role, "date": date, "content": content})
}

fn record(id: &str, turns: &[Value], questions: Value) -> Value {
    json!({"id": id, "question_type": "multi-session", "conversation": turns, "questions": questions})
}

fn asked(id: &str, question: &str, answer: Value) -> Value {
    json!([{"id": id, "question": question, "answer": answer}])
}

/// Three records: two with a question, one that nothing answers and whose rounds are fillers.
fn records_of() -> [Value; 3] {
    let filler =
        [turn("user", "2023/01/09", "Hello there"), turn("assistant", "2023/01/09", "1. Hi. 2. Bye.")];
    let boat = [
        turn("assistant", "2023/01/01", "Welcome"),
        turn("user", "2023/01/01", "I bought a vessel for 300 dollars"),
        turn("assistant", "2023/01/01", "Nice."),
        turn("assistant", "2023/01/01", "Which colour?"),
        turn("user", "2023/01/02", "It is azure"),
        turn("assistant", "2023/01/02", "Fine: 2 coats, azure and white."),
    ];
    let cat = [
        turn("user", "2023/01/03", "Name my kitten"),
        turn("assistant", "2023/01/03", "Call it Old Tom Riddle"),
        turn("user", "2023/01/03", "I have 2 of them"),
        turn("assistant", "2023/01/03", "Two!"),
    ];
    let with_filler = |own: &[Value]| [own, &filler].concat();
    [
        record("boat", &with_filler(&boat), asked("q1", "How much was the ship?", json!("300 dollars"))),
        record("cat", &with_filler(&cat), asked("q2", "How many kittens?", json!(2))),
        record("none", &filler, asked("q3_abs", "Who?", json!("You did not say."))),
    ]
}

fn report(records: &[Value], search: &Search) -> Result<FoundReport, EvalError> {
    let lines = |records: &[Value]| records.iter().map(|record| format!("{record}\n")).collect::<String>();
    let (oracle, abstain) = (lines(&records[..2]), lines(&records[2..]));
    let folder = folder(&[
        ("long-mem-eval/oracle_sample.jsonl", &oracle),
        ("long-mem-eval/abstain_sample.jsonl", &abstain),
    ]);
    match measure_any(folder.path(), "all", Granularity::Round, &[1, 3], search)? {
        Measured::Pooled(report) => Ok(report),
        Measured::Published(_) => panic!("taken for the published form"),
    }
}

#[test]
fn rounds_of_all_records_are_searched_and_own_ones_found() {
    let search = with_meanings(&[Retriever::Bm25, Retriever::Meaning], &[Source::None], &[Join::Merge]);
    let report = report(&records_of(), &search).unwrap();
    // The filler of three records is one round; what an assistant says first is in none.
    assert_eq!((report.items, report.questions, report.left_out[0].questions), (5, 2, 1));
    let places = |question: &str, sought: &str, by: &str| {
        let own = |one: &&super::super::super::retrieval::Places| {
            one.question == question && one.sought == sought && one.by == by
        };
        report.places.iter().find(own).unwrap().places.clone()
    };
    // By meaning the vessel is the ship; the filler, a round of this record too, and the rest follow, newest first.
    assert_eq!(places("boat/q1", "answer", "meaning"), [1]);
    assert_eq!(places("boat/q1", "own record", "meaning").len(), 3);
    // A bare number counts in what the user says: not in "1. Hi. 2. Bye."
    assert_eq!(places("cat/q2", "answer", "bm25").len(), 1);
    let row =
        report.rows.iter().find(|row| row.by == "meaning" && row.sought == "answer" && row.k == 1).unwrap();
    assert_eq!((row.recall_any.n, row.recall_all.unwrap().n, row.group.as_str()), (2, 2, "all"));
    let table = found_table(&report);
    for said in ["pooled", "not comparable with published figures", "own record", "1 that cannot be answered"]
    {
        assert!(table.contains(said), "{said} in {table}");
    }
}

#[test]
fn expansions_lead_to_rounds_and_dropped_rounds_leave_what_is_sought() {
    let joins = [Join::Merge, Join::Separate, Join::Replace];
    let search = with_meanings(&[Retriever::Words], &[Source::None, Source::Facts], &joins);
    let kept = report(&records_of(), &search).unwrap();
    assert!(kept.places.iter().all(|places| places.items == 5));
    assert!(kept.settings.iter().any(|line| line.contains("by rule, not by a model")), "{:?}", kept.settings);
    assert!(kept.settings.iter().any(|line| line.contains("3 of 5 keys have none")), "{:?}", kept.settings);
    let dropped = report(&records_of(), &Search { when_empty: WhenEmpty::Drop, ..search }).unwrap();
    let merged: Vec<_> = dropped.places.iter().filter(|places| places.expansion == "facts, merge").collect();
    assert!(!merged.is_empty() && merged.iter().all(|places| places.items == 2 && places.places.len() == 1));
    assert!(
        dropped.places.iter().filter(|places| places.expansion == "none").all(|places| places.items == 5)
    );
}

#[test]
fn answers_are_words_in_a_row_or_most_content_words() {
    let (message, reply) = ("We met in May", "3. At the Old Harbour, by boat.");
    for (answer, right) in [
        ("Old Harbour", true),
        ("3", false),
        ("harbour boat whale", true),
        ("harbour whale shark", false),
        ("by the whale", false),
        ("1 day. The old harbour is also acceptable.", true),
        ("", false),
    ] {
        assert_eq!(answers(message, reply, answer), right, "{answer}");
    }
    assert!(answers("It cost 3 dollars", "", "3"));
}

#[test]
fn what_is_wrong_is_named_with_file_and_line() {
    let refused = |records: &[Value], said: &[&str]| {
        let error = report(records, &Search::default()).unwrap_err().to_string();
        assert!(said.iter().all(|said| error.contains(said)), "{error}");
    };
    let with = |name: &str, value: Value| {
        let mut all = records_of();
        all[1][name] = value;
        all
    };
    let line = "oracle_sample.jsonl, line 2";
    refused(&with("conversation", json!([{"role": "user", "content": "a"}])), &[line, "no field \"date\""]);
    refused(&with("conversation", Value::Null), &[line, "not pooled"]);
    refused(&with("questions", json!([])), &[line, "\"questions\" is empty"]);
    refused(
        &with("questions", json!([{"id": "a", "question": 3, "answer": "b"}])),
        &[line, "\"question\" should be a text"],
    );
    let mut none = records_of();
    none.iter_mut().for_each(|record| record["questions"][0]["is_abstention"] = json!(true));
    refused(&none, &["no question counts: 3 cannot be answered"]);
    let folder = folder(&[("long-mem-eval/oracle_sample.jsonl", &records_of()[0].to_string())]);
    let sessions = measure_any(folder.path(), "oracle", Granularity::Session, &[1], &Search::default());
    let error = sessions.unwrap_err().to_string();
    assert!(error.contains("rank rounds"), "{error}");
    let title = with_meanings(&[Retriever::Words], &[Source::Title], &[Join::Merge]);
    let error =
        measure_any(folder.path(), "oracle", Granularity::Round, &[1], &title).unwrap_err().to_string();
    assert!(error.contains("long-mem-eval has no expansion \"title\""), "{error}");
}
