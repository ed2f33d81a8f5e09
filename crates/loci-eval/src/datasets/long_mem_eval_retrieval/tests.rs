use serde_json::{Value, json};

use loci_reading::expand::{Join, WhenEmpty};

use super::super::common::tests::folder;
use super::super::retrieval::tests::with_meanings;
use super::super::retrieval::{Retriever, Source};
use super::*;

/// A message of the user, a reply, and whether the message, or the reply, is evidence.
fn round(message: &str, evidence: bool, reply_evidence: bool) -> [Value; 2] {
    let turn = |role: &str, text: &str, evidence: bool| match evidence {
        true => json!({"role": role, "content": text, "has_answer": true}),
        false => json!({"role": role, "content": text}),
    };
    [turn("user", message, evidence), turn("assistant", "boat boat blue", reply_evidence)]
}

/// A question about sessions, oldest first, given as id and rounds.
fn question(id: &str, kind: &str, asked: &str, sessions: &[(&str, &[[Value; 2]])]) -> Value {
    let ids: Vec<&str> = sessions.iter().map(|(id, _)| *id).collect();
    let dates: Vec<String> =
        (0..sessions.len()).map(|day| format!("2023/05/{:02} (Sat) 09:00", day + 1)).collect();
    let turns: Vec<Vec<&Value>> =
        sessions.iter().map(|(_, rounds)| rounds.iter().flatten().collect()).collect();
    json!({"question_id": id, "question_type": kind, "question": asked, "answer": "x", "question_date": "2023/06/01",
           "haystack_session_ids": ids, "haystack_dates": dates, "haystack_sessions": turns})
}

fn fillers(count: usize) -> Vec<(String, [[Value; 2]; 1])> {
    (0..count).map(|number| (format!("f{number}"), [round(&format!("word{number}"), false, false)])).collect()
}

fn of(questions: &[Value], granularity: Granularity, top: &[usize]) -> Result<RetrievalReport, EvalError> {
    let file: String = questions.iter().map(|question| format!("{question}\n")).collect();
    let folder = folder(&[("long-mem-eval/longmemeval_s.json", &file)]);
    published_of(measure(folder.path(), "s", granularity, top, &Search::default())?)
}

fn published_of(measured: Measured) -> Result<RetrievalReport, EvalError> {
    match measured {
        Measured::Published(report) => Ok(report),
        Measured::Pooled(_) => panic!("taken for the sample form"),
    }
}

fn row<'a>(report: &'a RetrievalReport, kind: &str, found: Granularity, k: usize) -> &'a RetrievalRow {
    report.rows.iter().find(|row| row.question_type == kind && row.found == found && row.k == k).unwrap()
}

fn means(row: &RetrievalRow) -> [f64; 3] {
    [row.recall_all.mean, row.recall_any.mean, row.ndcg_any.mean]
}

/// Two chats about a blue boat without evidence, one round of evidence about a boat, one that shares no word.
fn boats() -> Value {
    let fillers = fillers(6);
    let chat = [round("blue boat", false, false), round("blue boat", false, false)];
    let (one, other) =
        ([round("boat ride", true, false), round("later", false, false)], [round("none", true, false)]);
    let mut sessions: Vec<(&str, &[[Value; 2]])> =
        vec![("answer_2", &other), ("answer_1", &one), ("chat", &chat)];
    sessions.extend(fillers.iter().map(|(id, rounds)| (id.as_str(), rounds.as_slice())));
    question("q", "multi-session", "blue boat", &sessions)
}

#[test]
fn sessions_are_found_by_what_the_user_said() {
    let report = of(&[boats()], Granularity::Session, &[5, 1, 2, 9]).unwrap();
    assert_eq!(report.rows.iter().map(|row| row.k).collect::<Vec<_>>(), [1, 2, 5, 9, 1, 2, 5, 9]);
    let at = |k| means(row(&report, "all", Granularity::Session, k));
    // The chat stands first, then one evidence; the other shares no word and is the oldest of those.
    assert_eq!(at(1), [0.0, 0.0, 0.0]);
    assert_eq!(at(2), [0.0, 1.0, 0.5], "the second place weighs as much as the first");
    assert_eq!(at(5), [0.0, 1.0, 0.5]);
    let ninth = (1.0 + 1.0 / 9_f64.log2()) / 2.0;
    assert_eq!(at(9), [1.0, 1.0, ninth]);
    assert_eq!(means(row(&report, "multi-session", Granularity::Session, 9)), at(9));
}

#[test]
fn rounds_are_found_and_lead_to_sessions() {
    let report = of(&[boats()], Granularity::Round, &[2, 3]).unwrap();
    // Both rounds of the chat stand before the evidence: two rounds are one session, so a third is taken.
    assert_eq!(means(row(&report, "all", Granularity::Round, 2)), [0.0, 0.0, 0.0]);
    assert_eq!(means(row(&report, "all", Granularity::Session, 2)), [0.0, 1.0, 1.0 / 3_f64.log2() / 2.0]);
    assert_eq!(means(row(&report, "all", Granularity::Round, 3))[1], 1.0);
}

#[test]
fn labels_and_order_are_the_published_ones_and_ours() {
    let record = |value: &Value| {
        let folder = folder(&[("a.jsonl", &value.to_string())]);
        records(&folder.path().join("a.jsonl")).unwrap().remove(0)
    };
    let rounds = [round("one", true, false), round("two", false, true)];
    let said = [round("three", false, true)];
    let question =
        question("q", "t", "nothing shared", &[("answer_a", &rounds), ("answer_b", &said), ("c", &said)]);
    let sessions = published(&record(&question)).unwrap();
    let ids = |granularity| -> Vec<String> {
        let items = items(&sessions, granularity);
        // No word is shared, so the ranking is the order in which equal scores stand.
        let search = Search::default();
        let setting = &search.settings(SET.id, SOURCES).unwrap()[0];
        let ranked = ranked(&Searcher::new(&search), setting, &items, "nothing").unwrap();
        ranked.into_iter().map(str::to_owned).collect()
    };
    assert_eq!(ids(Granularity::Session), ["c", "noans_b", "answer_a"], "newest first");
    assert_eq!(ids(Granularity::Round), ["c_1", "noans_b_1", "noans_a_3", "answer_a_1"]);
    assert_eq!(items(&sessions, Granularity::Session)[2].key, "one two");
    assert_eq!((session_of("answer_a_1"), session_of("noans_x_y_12")), ("answer_a", "noans_x_y"));
}

#[test]
fn retrievers_and_expansions_stand_side_by_side() {
    let rounds = [round("I have an azure vessel of 3 tons", true, false), round("azure azure", false, false)];
    let mut sessions: Vec<(&str, &[[Value; 2]])> = vec![("answer_1", &rounds)];
    let fillers = fillers(4);
    sessions.extend(fillers.iter().map(|(id, rounds)| (id.as_str(), rounds.as_slice())));
    let asked = question("q", "multi-session", "the blue boat", &sessions);
    let folder = folder(&[("long-mem-eval/longmemeval_s.json", &asked.to_string())]);
    let of = |search: &Search| {
        published_of(measure(folder.path(), "s", Granularity::Round, &[1], search).unwrap()).unwrap()
    };
    let search = with_meanings(
        &[Retriever::Bm25, Retriever::Meaning],
        &[Source::None, Source::Facts],
        &[Join::Merge, Join::Replace],
    );
    let report = of(&search);
    let rounds =
        report.rows.iter().filter(|row| row.question_type == "all" && row.found == Granularity::Round);
    let found: Vec<_> =
        rounds.map(|row| (row.by, row.expansion.as_str(), row.recall_any.mean, row.recall_any.n)).collect();
    // No word is shared, so by words the oldest session comes last; by meaning the evidence is first.
    assert_eq!(
        found,
        [
            ("bm25", "none", 0.0, 1),
            ("bm25", "facts, merge", 0.0, 1),
            ("bm25", "facts, replace", 0.0, 1),
            ("meaning", "none", 1.0, 1),
            ("meaning", "facts, merge", 1.0, 1),
            ("meaning", "facts, replace", 1.0, 1),
        ]
    );
    let shown = table(&Measured::Published(report));
    assert!(shown.contains("facts, replace") && shown.contains("by rule, not by a model"), "{shown}");
    // Rounds without facts are no longer in the way.
    let dropped = of(&Search { when_empty: WhenEmpty::Drop, ..search });
    let first = dropped.rows.iter().find(|row| row.expansion == "facts, merge" && row.by == "bm25").unwrap();
    assert_eq!(first.recall_any.mean, 1.0);
}

#[test]
fn what_has_no_evidence_of_the_user_is_left_out_and_counted() {
    let (user, assistant) = ([round("blue", true, false)], [round("blue", false, true)]);
    let asked =
        |id: &str, kind: &str, rounds: &[[Value; 2]]| question(id, kind, "blue", &[("answer_a", rounds)]);
    let questions = [
        asked("a", "single-session-user", &user),
        asked("b", "single-session-assistant", &assistant),
        asked("c_abs", "single-session-user", &user),
        asked("d", "knowledge-update", &user),
    ];
    let report = of(&questions, Granularity::Round, &[1]).unwrap();
    assert_eq!((report.questions, report.unanswerable, report.without_evidence), (2, 1, 1));
    let kinds: Vec<&str> = report.rows.iter().map(|row| row.question_type.as_str()).collect();
    assert_eq!(
        kinds,
        ["knowledge-update", "knowledge-update", "single-session-user", "single-session-user", "all", "all"]
    );
    assert_eq!(row(&report, "all", Granularity::Session, 1).recall_all.n, 2);
    let table = table(&Measured::Published(report.clone()));
    assert!(
        table.contains("2 questions; left out: 1 that cannot") && table.contains("recall_all"),
        "{table}"
    );
    // Nothing is left.
    let none = of(&questions[1..3], Granularity::Session, &[1]).unwrap_err().to_string();
    assert!(none.contains("no question counts: 1 cannot") && none.contains("1 have no evidence"), "{none}");
}

#[test]
fn what_is_missing_is_named_with_file_and_line() {
    let refused = |questions: &[Value], said: &[&str]| {
        let error = of(questions, Granularity::Session, &[5]).unwrap_err().to_string();
        assert!(said.iter().all(|said| error.contains(said)), "{error}");
    };
    let good = boats();
    let with = |name: &str, value: Value| {
        let mut bad = good.clone();
        bad[name] = value;
        [good.clone(), bad]
    };
    let line = "longmemeval_s.json, line 2";
    refused(&with("conversation", json!([])), &[line, "conversation", "huggingface"]);
    refused(&with("haystack_dates", Value::Null), &[line, "haystack_dates"]);
    refused(&with("haystack_dates", json!(vec![""; 9])), &[line, "date \"\""]);
    refused(&with("question", json!(3)), &[line, "\"question\" should be a text"]);
    refused(&with("question_type", Value::Null), &[line, "question_type"]);
    let marked =
        json!([[{"role": "user", "content": "a", "has_answer": "yes"}], [], [], [], [], [], [], [], []]);
    refused(&with("haystack_sessions", marked), &[line, "has_answer", "true or false"]);
    let plain = question("q", "t", "blue", &[("answer_a", &[round("blue", false, false)])]);
    refused(&[plain], &["longmemeval_s.json, line 1", "no message of the whole file"]);
    let folder = folder(&[("long-mem-eval/other.json", "{}")]);
    for (subset, top, said) in [
        ("m", vec![5], "no longmemeval_m_cleaned.json"),
        ("x", vec![5], "oracle, s, m"),
        ("s", vec![0], "at least 1"),
    ] {
        let error = measure(folder.path(), subset, Granularity::Round, &top, &Search::default())
            .unwrap_err()
            .to_string();
        assert!(error.contains(said), "{error}");
    }
    assert!(measure(folder.path(), "s", Granularity::Round, &[], &Search::default()).is_err());
}
