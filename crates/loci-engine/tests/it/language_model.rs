//! What several questions about one text share, and how likely answers are.

use std::ops::ControlFlow;

use crate::common::{context, engine};
use loci_engine::{Control, GenerateOptions, Generation, Input, LanguageModel, LocalModel};
use loci_models::template::Message;

fn options() -> GenerateOptions {
    GenerateOptions { max_tokens: 4, ignore_end: true, ..GenerateOptions::default() }
}

fn ask(model: &mut LocalModel, text: &str, question: &str, start: &str, shared: usize) -> Generation {
    let messages = [Message::new("system", "Be brief."), Message::new("user", format!("{text}{question}"))];
    let input = Input { answer_start: start, shared, ..Input::messages(&messages) };
    model.answer(&input, &options(), &mut Control::default(), &mut |_| ControlFlow::Continue(())).unwrap()
}

#[test]
fn a_text_is_read_once_for_all_its_questions() {
    let text = "the wind went over the field and the gate stood open. ".repeat(4);
    for method in [
        "full",
        "inf-llm:window=32,queries=16,top_k=2,block_size=16,sinks=4",
        "squeezed-attention",
        "window:window=64",
    ] {
        let mut model = LocalModel::new(engine(), context(method));
        let first = ask(&mut model, &text, "Who came?", "", text.len()).account;
        assert_eq!(first.read_tokens, first.prompt_tokens, "{method}");
        for question in ["What stood open?", "Who came?"] {
            let again = ask(&mut model, &text, question, "It", text.len());
            assert!(
                again.account.read_tokens * 2 < again.account.prompt_tokens,
                "{method}: {:?}",
                again.account
            );
            assert!(again.account.memory_bytes > 0 && again.account.context.is_some());
            // A model that heard no other question before answers the same.
            let mut fresh = LocalModel::new(engine(), context(method));
            assert_eq!(again.tokens, ask(&mut fresh, &text, question, "It", text.len()).tokens, "{method}");
        }
        let other = text.replace("wind", "snow");
        let changed = ask(&mut model, &other, "Who came?", "", other.len()).account;
        assert_eq!(changed.read_tokens, changed.prompt_tokens, "{method}: another text is read anew");
    }
}

#[test]
fn an_answer_goes_on_from_its_beginning() {
    let mut model = LocalModel::new(engine(), context("full"));
    let bare = ask(&mut model, "a b c", " d?", "", 0).account.prompt_tokens;
    let begun = ask(&mut model, "a b c", " d?", "one two three", 0);
    assert!(begun.account.prompt_tokens > bare);
    let input = Input { answer_start: " c d", ..Input::text("a b") };
    let mut quiet = |_: &str| ControlFlow::Continue(());
    let joined = model.answer(&input, &options(), &mut Control::default(), &mut quiet).unwrap();
    let plain = model.generate("a b c d", &options(), &mut Control::default(), &mut quiet).unwrap();
    assert_eq!(joined.tokens, plain.tokens);
}

#[test]
fn ratings_are_those_of_reading_the_whole() {
    let mut model = LocalModel::new(engine(), context("full"));
    let answers = [" over the field", " x", ""];
    let (ratings, account) =
        model.rate(&Input::text("the wind went"), &answers, true, &mut Control::default()).unwrap();
    assert_eq!(account.answer_tokens, 0);
    assert_eq!((ratings[2].log_probability, ratings[2].tokens), (0.0, 0));
    for (answer, rating) in answers.iter().zip(&ratings) {
        // The sum of the answer's own tokens, from a score of the whole text.
        let score = model.score(&format!("the wind went{answer}"), &mut Control::default()).unwrap();
        let tokens = score.per_token.unwrap();
        let own = &tokens[tokens.len() - rating.tokens..];
        let expected: f64 = own.iter().map(|token| -f64::from(token.nll.unwrap())).sum();
        assert!((rating.log_probability - expected).abs() < 1e-3, "{rating:?} {expected}");
        assert!(rating.tokens > 0 || answer.is_empty());
    }
}
