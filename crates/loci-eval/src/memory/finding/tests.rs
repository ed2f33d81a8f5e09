use super::super::compile::{Plan, compile};
use super::super::history::{Said, Session};
use super::*;

fn choices(units: &[Unit], keys: &[Keys], top: &[usize]) -> Choices<'static> {
    Choices {
        units: units.to_vec(),
        keys: keys.to_vec(),
        by: vec![By::Words],
        encoder: None,
        top: top.iter().copied().collect(),
        official_empty: false,
    }
}

fn chat(id: &str, at: &str, messages: &[&str]) -> Session {
    let said = |text: &&str| Said {
        speaker: "user".to_owned(),
        text: (*text).to_owned(),
        evidence: false,
        stated: None,
    };
    Session { id: id.to_owned(), at: at.parse().unwrap(), said: messages.iter().map(said).collect() }
}

fn corpus(sessions: Vec<Session>, question: &str, evidence: &[&str]) -> Corpus {
    let sought = Sought {
        id: "q".to_owned(),
        group: "g".to_owned(),
        text: question.to_owned(),
        at: "2023-06-30T12:00:00Z".parse().unwrap(),
        sessions: evidence.iter().map(|id| (*id).to_owned()).collect(),
    };
    Corpus {
        label: "by hand".to_owned(),
        protocol: Vec::new(),
        histories: vec![Searched { user: "a".to_owned(), sessions, sought: vec![sought] }],
        left_out: Vec::new(),
    }
}

fn found(corpus: &Corpus, choices: &Choices<'_>) -> FindingReport {
    let folder = tempfile::tempdir().unwrap();
    find(corpus, choices, folder.path()).unwrap()
}

#[test]
fn rounds_are_taken_until_enough_chats_are_among_them() {
    let sessions = vec![
        chat("loud", "2023-06-01", &["kayak kayak kayak", "kayak kayak", "kayak kayak again"]),
        chat("quiet", "2023-06-02", &["the weather was fine that week and we took a kayak"]),
        chat("other", "2023-06-03", &["nothing of the kind"]),
    ];
    let corpus = corpus(sessions, "kayak", &["quiet", "loud"]);
    let report = found(&corpus, &choices(&[Unit::Round], &[Keys::Plain], &[1, 2]));
    let row = |k: usize| report.rows.iter().find(|row| row.k == k && !row.choice.days).unwrap();
    // Three rounds of one chat stand before the other one: two chats are four rounds.
    assert_eq!((row(2).recall_all.mean, row(2).ndcg.mean), (1.0, 1.0));
    assert_eq!((row(1).recall_all.mean, row(1).recall_any.mean), (0.0, 1.0));
    assert_eq!(report.outcomes[0].places, [1, 2]);
}

#[test]
fn days_of_the_question_bring_their_chats_to_the_front() {
    let sessions = vec![
        chat("may", "2023-05-10", &["today the lake was warm enough for a swim"]),
        chat("march", "2023-03-10", &["a swim, a swim, what a swim"]),
    ];
    let corpus = corpus(sessions, "Where did I swim in May?", &["may"]);
    let report = found(&corpus, &choices(&[Unit::Session], &[Keys::Plain], &[1]));
    let recall = |days: bool| report.rows.iter().find(|row| row.choice.days == days).unwrap().recall_all.mean;
    assert_eq!((recall(false), recall(true)), (0.0, 1.0));
}

#[test]
fn items_without_facts_leave_the_store_and_the_evidence_on_request() {
    let sessions = vec![
        chat("plain", "2023-05-10", &["how do canoes float"]),
        chat("told", "2023-05-11", &["I bought two canoes"]),
    ];
    let mut corpus = corpus(sessions, "canoes", &["plain", "told"]);
    for session in &mut corpus.histories[0].sessions {
        let reply = Said { speaker: "assistant".to_owned(), ..session.said[0].clone() };
        session.said.push(reply);
    }
    let keep = found(&corpus, &choices(&[Unit::Round], &[Keys::Facts], &[2]));
    assert_eq!((keep.outcomes[0].evidence, keep.outcomes[0].places.len()), (2, 2));
    let official = Choices { official_empty: true, ..choices(&[Unit::Round], &[Keys::Facts], &[2]) };
    let dropped = found(&corpus, &official);
    assert_eq!((dropped.outcomes[0].evidence, &dropped.outcomes[0].places[..]), (1, &[1][..]));
    assert!(dropped.protocol.iter().any(|line| line.contains("only for comparison")));
}

#[test]
fn choices_are_compared_with_those_that_differ_in_one_thing() {
    let histories = compile(&Plan { sessions: 30, questions: 12, most_words: None, seed: 2 }).unwrap();
    let report = found(
        &Corpus::generated(&histories),
        &choices(&[Unit::Session, Unit::Round], &[Keys::Plain, Keys::Facts], &[5]),
    );
    let count = |of: &str| report.differences.iter().filter(|one| one.of == of).count();
    // Four pairs each; days count among questions about time alone.
    assert_eq!((count("unit"), count("keys"), count("days"), count("by")), (4, 4, 4, 0));
    assert!(report.differences.iter().all(|one| (one.group == "temporal") == (one.of == "days")));
    assert!(report.differences.iter().all(|one| one.p_holm >= one.p));
    assert!(report.differences.iter().all(|one| one.of != "unit" || one.choice.starts_with("round")));
    let table = finding_table(&report);
    assert!(table.contains("recall_all") && table.contains("that cannot be answered"), "{table}");
    assert_eq!(report.questions, 10);
}

#[test]
fn nothing_to_compare_is_refused() {
    let corpus = corpus(vec![chat("a", "2023-05-10", &["hello"])], "hello", &["a"]);
    let folder = tempfile::tempdir().unwrap();
    for wrong in [choices(&[], &[Keys::Plain], &[5]), choices(&[Unit::Round], &[Keys::Plain], &[0])] {
        assert!(find(&corpus, &wrong, folder.path()).is_err());
    }
}
