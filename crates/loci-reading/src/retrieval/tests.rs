use std::ops::ControlFlow;

use loci_engine::{Control, GenerateOptions, Generation, Input, LanguageModel};
use loci_models::template::Message;
use proptest::prelude::*;

use super::*;
use crate::closed_book::ClosedBook;
use crate::fakes::Echo;
use crate::given::Given;

fn retrieval(words: usize, top: usize) -> Given {
    let usual = RetrievalOptions::default();
    let options = RetrievalOptions { ranking: Ranking { words, ..usual.ranking }, top, ..usual };
    Given::new(Box::new(Echo), Box::new(Retrieval::new(options, Kit::default())))
}

fn ask(model: &mut Given, input: &Input<'_>) -> Result<Generation, EngineError> {
    let mut quiet = |_: &str| ControlFlow::Continue(());
    model.answer(input, &GenerateOptions::default(), &mut Control::default(), &mut quiet)
}

/// What the model is given of `text` for `question`.
fn given(text: &str, question: &str, words: usize, top: usize) -> String {
    let whole = format!("{text}{question}");
    let input = Input { shared: text.len(), ..Input::text(&whole) };
    ask(&mut retrieval(words, top), &input).unwrap().text
}

const TEXT: &str = "Read the tale.\n\nThe gate was shut. Rain fell on the field. The old key lay under a stone. Nobody \
                    came by. At noon the miller slept. Then a horse drank from the well. ";

#[test]
fn the_best_passages_stand_in_the_order_of_the_text_behind_the_instruction() {
    assert_eq!(
        given(TEXT, "Which horse, or which key?", 6, 2),
        "Read the tale.\n\nThe old key lay under a\n\nThen a horse drank from the\n\nWhich horse, or which key?"
    );
    assert_eq!(
        given(TEXT, "Where lay the key, which stone?", 8, 1),
        "Read the tale.\n\nThe old key lay under a stone.\n\nWhere lay the key, which stone?"
    );
    // Neighbours stand as they do in the text, and its end needs no break before the question.
    assert_eq!(
        given(TEXT, "Did the miller ask the horse?", 8, 2),
        "Read the tale.\n\nNobody came by. At noon the miller slept. Then a horse drank from the well. Did the miller ask \
         the horse?"
    );
}

#[test]
fn passages_stand_in_the_order_that_is_asked_for() {
    let ordered = |order| {
        let ranking = Ranking { words: 8, ..RetrievalOptions::default().ranking };
        let options = RetrievalOptions { ranking, top: 3, order };
        let mut model = Given::new(Box::new(Echo), Box::new(Retrieval::new(options, Kit::default())));
        let text = given_again(&mut model, TEXT, "The old stone key, the horse, the gate?");
        let at = |word: &str| text.find(word).unwrap_or_else(|| panic!("{word} in {text}"));
        let mut words = [("key", at("key lay")), ("horse", at("a horse")), ("gate", at("gate was"))];
        words.sort_by_key(|(_, at)| *at);
        assert!(text.starts_with("Read the tale.\n\n"), "{text}");
        words.map(|(word, _)| word).join(" ")
    };
    assert_eq!(ordered(Order::Source), "gate key horse");
    let ranked = ordered(Order::Rank);
    let mut reversed: Vec<&str> = ranked.split(' ').collect();
    assert_eq!(reversed[0], "key", "{ranked}");
    assert_eq!(ordered(Order::TwoSided), [reversed[0], reversed[2], reversed[1]].join(" "));
    reversed.reverse();
    assert_eq!(ordered(Order::Reverse), reversed.join(" "));
}

#[test]
fn text_and_question_are_read_as_often_as_asked() {
    let given = |typed: &str| {
        let strategy =
            crate::registry::strategy(&crate::registry::parse(typed).unwrap(), &Kit::default()).unwrap();
        given_again(&mut Given::new(Box::new(Echo), strategy), "A key lay there. ", "Which key?")
    };
    let one = "A key lay there. Which key?";
    assert_eq!(given("jrt:copies=1"), one);
    assert_eq!(given("jrt"), format!("{one}\n{one}"));
    assert_eq!(given("jrt:copies=3"), format!("{one}\n{one}\n{one}"));
}

#[test]
fn with_room_for_everything_the_text_stays_as_it_is() {
    let question = "\nWhich key?";
    for words in [1, 3, 200] {
        assert_eq!(given(TEXT, question, words, 1000), format!("{TEXT}{question}"));
    }
}

#[test]
fn of_messages_only_the_last_is_shortened() {
    let messages = [Message::new("system", "Be brief."), Message::new("user", format!("{TEXT}Which key?"))];
    let input = Input { answer_start: " It", shared: TEXT.len(), ..Input::messages(&messages) };
    let mut model = retrieval(8, 1);
    let said = ask(&mut model, &input).unwrap();
    assert_eq!(
        said.text,
        "<system>Be brief.<user>Read the tale.\n\nThe old key lay under a stone.\n\nWhich key? It"
    );
    assert_eq!((said.account.prompt_tokens, model.name()), (7, "echo"));
    let (ratings, _) = model.rate(&input, &["stone", "miller"], false, &mut Control::default()).unwrap();
    assert!(ratings[0].log_probability > ratings[1].log_probability);
    // Another question about the same text, and then another text.
    assert!(given_again(&mut model, TEXT, "Who slept, the miller?").contains("noon"));
    assert!(given_again(&mut model, "A cat. A dog.", "A dog?").contains("dog"));
    assert_eq!(model.embed("a").unwrap(), [1.0]);
}

#[test]
fn what_was_chosen_is_told_by_its_place_in_the_text_on_request() {
    let whole = format!("{TEXT}Where lay the key, which stone?");
    let input = Input { shared: TEXT.len(), ..Input::text(&whole) };
    let told = |evidence| {
        let options = GenerateOptions { evidence, ..GenerateOptions::default() };
        let mut quiet = |_: &str| ControlFlow::Continue(());
        let mut model = retrieval(8, 1);
        model.answer(&input, &options, &mut Control::default(), &mut quiet).unwrap().looked_at
    };
    let found = told(5);
    let texts: Vec<&str> = found.iter().map(|(bytes, _)| TEXT.get(bytes.clone()).unwrap().trim()).collect();
    assert_eq!(texts, ["The old key lay under a stone."]);
    assert!(told(0).is_empty());
}

#[test]
fn with_a_closed_book_only_the_question_is_given() {
    let mut model = Given::new(Box::new(Echo), Box::new(ClosedBook));
    let whole = format!("{TEXT}Which key?");
    let input = Input { shared: TEXT.len(), answer_start: " It", ..Input::text(&whole) };
    assert_eq!(ask(&mut model, &input).unwrap().text, "Which key? It");
    let error = ask(&mut model, &Input::text("All in one?")).unwrap_err().to_string();
    assert!(error.contains("closed-book"), "{error}");
}

fn given_again(model: &mut Given, text: &str, question: &str) -> String {
    let whole = format!("{text}{question}");
    ask(model, &Input { shared: text.len(), ..Input::text(&whole) }).unwrap().text
}

#[test]
fn what_cannot_be_searched_is_refused() {
    let mut model = retrieval(8, 1);
    for (input, said) in [
        (Input::text("All in one?"), "shared is 0"),
        (Input::messages(&[]), "shared is 0"),
        (Input { shared: 1, ..Input::text("é?") }, "1 bytes of 3"),
        (Input { shared: 9, ..Input::text("é?") }, "9 bytes of 3"),
        (Input { shared: 3, ..Input::text("é. ?!") }, "nothing to search for"),
    ] {
        let error = ask(&mut model, &input).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
    let scored = model.score("a", &mut Control::default());
    assert!(matches!(scored, Err(EngineError::Unsupported(_))));
}

proptest! {
    #[test]
    fn passages_come_in_order_none_twice_and_with_the_one_asked_for(
        at in 0..40_usize,
        top in 1..8_usize,
        words in 3..30_usize,
    ) {
        let text: String = (0..40)
            .map(|number| if number == at { "The zebra sings. ".to_owned() } else { format!("Line n{number} ends. ") })
            .collect();
        let given = given(&text, "A zebra?", words, top);
        prop_assert!(given.contains("The zebra sings."));
        let numbers: Vec<usize> =
            given.split_whitespace().filter_map(|word| word.strip_prefix('n')?.parse().ok()).collect();
        prop_assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{given}");
        prop_assert!(given.split_whitespace().count() <= top * words + 2);
    }
}
