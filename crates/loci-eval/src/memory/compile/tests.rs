use std::collections::BTreeSet;

use loci_memory::when::days_of;
use proptest::prelude::*;

use super::super::history::Session;
use super::*;

fn plan(sessions: usize, questions: usize, seed: u64) -> Plan {
    Plan { sessions, questions, most_words: None, seed }
}

/// What has to hold of every history.
fn check(history: &History) {
    assert!(history.sessions.windows(2).all(|two| two[0].at < two[1].at), "in the order of their dates");
    assert!(history.sessions.last().unwrap().at < history.asked_at);
    let ids: BTreeSet<&String> = history.sessions.iter().map(|session| &session.id).collect();
    assert_eq!(ids.len(), history.sessions.len());
    for question in &history.questions {
        let name = (&question.text, &question.evidence);
        let evidence: Vec<&Session> = question
            .evidence
            .iter()
            .map(|id| history.session(id).expect("evidence is never dropped"))
            .collect();
        let says = |session: &Session, value: &str| {
            session.said.iter().any(|said| said.stated.iter().any(|stated| stated.value == value))
        };
        let expected = match question.asks {
            Asks::Unanswerable => 0,
            Asks::Update | Asks::Conflict => 2,
            Asks::Order => 3,
            Asks::Told | Asks::Temporal => 1,
        };
        assert_eq!(evidence.len(), expected, "{name:?}");
        match question.asks {
            Asks::Unanswerable => assert!(question.gold.is_empty()),
            Asks::Update => {
                assert!(
                    says(evidence[0], &question.stale[0]) && says(evidence[1], &question.gold[0]),
                    "old before new"
                );
            }
            Asks::Conflict => {
                assert!(says(evidence[0], &question.gold[0]) && says(evidence[1], &question.rivals[0]));
                assert!(!evidence[1].is_evidence(), "what an assistant claims is no evidence");
            }
            Asks::Order => {
                for (session, value) in evidence.iter().zip(&question.gold) {
                    assert!(says(session, value), "{name:?}");
                }
            }
            Asks::Told | Asks::Temporal => assert!(says(evidence[0], &question.gold[0])),
        }
    }
}

/// The topic that a question about a fact is about: what was told of it, if anything.
fn topics(history: &History) -> Vec<&String> {
    let said = history.sessions.iter().flat_map(|session| &session.said);
    said.filter_map(|said| said.stated.as_ref()?.topic.as_ref()).collect()
}

#[test]
fn nothing_is_told_twice_but_what_is_updated_or_disputed() {
    for history in compile(&plan(60, 24, 5)).unwrap() {
        check(&history);
        let all = topics(&history);
        let different: BTreeSet<&&String> = all.iter().collect();
        let twice = history
            .questions
            .iter()
            .filter(|asked| matches!(asked.asks, Asks::Update | Asks::Conflict))
            .count();
        assert_eq!(all.len(), different.len() + twice);
        for asked in history.questions.iter().filter(|asked| asked.asks == Asks::Unanswerable) {
            let told = RELATIONS
                .iter()
                .flat_map(|relation| relation.things.iter().map(move |thing| (relation, *thing)));
            let of = told.filter(|(relation, thing)| super::asked((relation, thing))[0] == asked.text);
            for (relation, thing) in of {
                let topic = format!("{} of {thing}", relation.name);
                assert!(!all.contains(&&topic), "{topic} is asked for as what was never told");
            }
        }
    }
}

#[test]
fn the_days_that_are_asked_for_hold_the_event_and_none_of_its_like() {
    let mut asked = 0;
    for history in compile(&plan(50, 240, 3)).unwrap() {
        for question in history.questions.iter().filter(|question| question.asks == Asks::Temporal) {
            let days =
                days_of(&question.text, history.asked_at).unwrap_or_else(|| panic!("{}", question.text));
            let said = history.sessions.iter().flat_map(|session| &session.said);
            for stated in said.filter_map(|said| said.stated.as_ref()) {
                if question.gold[0] == stated.value {
                    assert!(days.hold(stated.at), "{} {:?}", question.text, stated);
                    asked += 1;
                }
                if question.rivals.contains(&stated.value) {
                    assert!(!days.hold(stated.at), "{} {:?}", question.text, stated);
                }
            }
        }
    }
    assert!(asked >= 40, "{asked}");
}

#[test]
fn a_cap_drops_other_chats_and_never_evidence() {
    let whole = compile(&plan(120, 12, 1)).unwrap().remove(0);
    let capped =
        compile(&Plan { most_words: Some(whole.words() / 2), ..plan(120, 12, 1) }).unwrap().remove(0);
    assert!(capped.words() <= whole.words() / 2 && capped.sessions.len() < whole.sessions.len());
    assert_eq!(capped.questions, whole.questions);
    check(&capped);
    let error = compile(&Plan { most_words: Some(50), ..plan(120, 12, 1) }).unwrap_err().to_string();
    assert!(error.contains("50"), "{error}");
}

#[test]
fn what_cannot_be_made_is_refused_with_what_would_do() {
    let error = compile(&plan(5, 12, 1)).unwrap_err().to_string();
    assert!(error.contains("need 19 chats") && error.contains("has 5"), "{error}");
    assert!(compile(&plan(19, 12, 1)).is_ok() && compile(&plan(5, 0, 1)).is_err());
}

#[test]
fn offline_and_online_differ_by_what_was_told_after_the_snapshot() {
    let histories = compile(&plan(60, 48, 2)).unwrap();
    let after = |history: &History, question: &Question| {
        history.newest_evidence(question).is_some_and(|session| session.at > history.snapshot)
    };
    let count = histories
        .iter()
        .flat_map(|history| history.questions.iter().map(move |question| after(history, question)))
        .filter(|after| *after)
        .count();
    assert!((8..40).contains(&count), "{count} of 48");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn every_history_holds_what_is_promised(seed in any::<u64>(), sessions in 19..120_usize, questions in 1..40_usize) {
        let made = compile(&plan(sessions, questions, seed)).unwrap();
        prop_assert_eq!(&made, &compile(&plan(sessions, questions, seed)).unwrap());
        prop_assert_eq!(made.iter().map(|history| history.questions.len()).sum::<usize>(), questions);
        for history in &made {
            prop_assert_eq!(history.sessions.len(), sessions);
            check(history);
        }
    }
}
