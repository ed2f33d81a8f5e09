use std::time::Duration;

use loci_engine::{Account, EngineError, Finish, Generation, Rating};
use loci_memory::Query;

use super::super::compile::{Plan, compile};
use super::super::history::{Said, Session};
use super::super::store::{Keys, Store, Unit, Writing};
use super::*;

/// Says one thing, and keeps what it was given.
struct Says {
    text: &'static str,
    given: std::rc::Rc<std::cell::RefCell<Vec<String>>>,
}

impl LanguageModel for Says {
    fn name(&self) -> &str {
        "says"
    }

    fn answer(
        &mut self,
        input: &Input<'_>,
        options: &GenerateOptions,
        _: &mut Control<'_>,
        _: &mut loci_engine::generate::OnText<'_>,
    ) -> Result<Generation, EngineError> {
        let Body::Messages(messages) = input.body else { panic!("a conversation was expected") };
        let text = &messages[0].content;
        assert!(text.is_char_boundary(input.shared) && text[input.shared..].starts_with("Today is "));
        assert_eq!(options.max_tokens, ANSWER);
        self.given.borrow_mut().push(text.clone());
        Ok(Generation {
            text: self.text.to_owned(),
            tokens: Vec::new(),
            log_probs: Vec::new(),
            finish: Finish::End,
            elapsed: Duration::ZERO,
            account: Account { prompt_tokens: 9, answer_tokens: 2, ..Account::default() },
            looked_at: Vec::new(),
        })
    }

    fn rate(
        &mut self,
        _: &Input<'_>,
        _: &[&str],
        _: bool,
        _: &mut Control<'_>,
    ) -> Result<(Vec<Rating>, Account), EngineError> {
        panic!("nothing is rated")
    }

    fn score(&mut self, _: &str, _: &mut Control<'_>) -> Result<loci_engine::score::Score, EngineError> {
        panic!("nothing is scored")
    }

    fn embed(&mut self, _: &str) -> Result<Vec<f32>, EngineError> {
        panic!("nothing is embedded")
    }

    fn count_tokens(&self, text: &str) -> Result<Option<usize>, EngineError> {
        Ok(Some(text.split_whitespace().count()))
    }
}

/// The two best of four items about a swim, asked at the end of June.
fn recall() -> Recall {
    let session = |id: &str, at: &str, text: &str| Session {
        id: id.to_owned(),
        at: at.parse().unwrap(),
        said: vec![Said { speaker: "user".to_owned(), text: text.to_owned(), evidence: false, stated: None }],
    };
    let sessions = [
        session("a", "2023-03-01", "a word about tides, and much more about anything else"),
        session("b", "2023-04-01", "the swim of the swimmers, quite a swim"),
        session("c", "2023-05-01", "swim swim swim"),
        session("d", "2023-06-01", "what a day for one more swim, said everybody who had come to the lake"),
    ];
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(&folder.path().join("memory.db"), 1).unwrap();
    let writing = Writing { unit: Unit::Round, keys: Keys::Plain, topics: false, official_empty: false };
    store.write("a", &sessions, &writing).unwrap();
    let query = Query { most: 2, at: Some("2023-06-30".parse().unwrap()), ..Query::new("swim") };
    store.recall("a", &query, None).unwrap()
}

#[test]
fn the_best_are_taken_and_then_put_in_the_order_of_their_dates() {
    let recall = recall();
    let ranked: Vec<&str> = recall.found.iter().map(|found| found.item.text()).collect();
    assert_eq!(
        ranked,
        ["swim swim swim", "the swim of the swimmers, quite a swim"],
        "not the newest, the best"
    );
    let read: Vec<&str> = by_date(&recall).iter().map(|found| found.item.text()).collect();
    assert_eq!(read, ["the swim of the swimmers, quite a swim", "swim swim swim"]);
}

#[test]
fn the_first_item_answers_and_orders_take_all() {
    let recall = recall();
    let at = recall.at;
    let say =
        |question: &str, given: Given<'_>| FirstItem { refuses: true }.answer(question, at, given).unwrap();
    let reply = say("swim?", Given::Items(&recall));
    assert_eq!(reply.text, "swim swim swim");
    assert_eq!((reply.confidence, reply.tokens), (Some(recall.found[0].score), None));
    let order = say("In which order did I swim?", Given::Items(&recall)).text;
    assert_eq!(order, "the swim of the swimmers, quite a swim\nswim swim swim");
    let empty = Recall { found: Vec::new(), supported: false, ..recall.clone() };
    assert_eq!(say("swim?", Given::Items(&empty)).text, UNKNOWN);
    assert_eq!(say("swim?", Given::Nothing).text, UNKNOWN);
    let doubtful = Recall { supported: false, ..recall.clone() };
    assert_eq!(say("swim?", Given::Items(&doubtful)).text, UNKNOWN);
    let always = |given: Given<'_>| FirstItem { refuses: false }.answer("swim?", at, given).unwrap().text;
    assert_eq!(
        (always(Given::Items(&doubtful)).as_str(), always(Given::Items(&empty)).as_str()),
        ("swim swim swim", UNKNOWN)
    );
}

#[test]
fn a_model_is_given_what_its_setting_has() {
    let given = std::rc::Rc::default();
    let mut reader =
        ModelReader::new(Box::new(Says { text: "a swim", given: std::rc::Rc::clone(&given) }), 300, None);
    let recall = recall();
    let history =
        compile(&Plan { sessions: 30, questions: 12, most_words: None, seed: 1 }).unwrap().remove(0);
    assert_eq!(reader.answer("What?", recall.at, Given::Items(&recall)).unwrap().tokens, Some((9, 2)));
    reader.answer("What?", recall.at, Given::Nothing).unwrap();
    let chats = reader.answer("What?", history.asked_at, Given::Chats(&history)).unwrap();
    let given = given.borrow();
    let [items, nothing, all] = given.as_slice() else { panic!("{given:?}") };
    assert!(
        items.contains("[2023-04-01] user: the swim of the swimmers") && items.ends_with("Question: What?\n")
    );
    assert!(items.find("2023-04-01") < items.find("2023-05-01"), "oldest first");
    assert!(!nothing.contains("swim") && nothing.contains("Today is 2023-06-30."));
    // As many of the newest chats as fit into 300 words, oldest first.
    assert!(chats.left_out > 0 && chats.left_out < 30);
    let last = &history.sessions[29].said[3].text;
    let oldest = &history.sessions[chats.left_out].said[0].text;
    assert!(all.contains(last.as_str()) && all.find(oldest.as_str()) < all.find(last.as_str()));
    assert!(all.split_whitespace().count() < 320);
}

#[test]
fn what_nothing_supports_is_not_asked_of_a_model() {
    let given = std::rc::Rc::default();
    let mut reader =
        ModelReader::new(Box::new(Says { text: "a swim", given: std::rc::Rc::clone(&given) }), 300, None);
    let recall = Recall { supported: false, ..recall() };
    assert_eq!(reader.answer("What?", recall.at, Given::Items(&recall)).unwrap().text, UNKNOWN);
    assert!(given.borrow().is_empty());
}
