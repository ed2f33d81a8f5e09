//! Strategies with the real model.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used)] // a test fails by panicking

use std::ops::ControlFlow;
use std::sync::Arc;

use loci_context::MethodSpec;
use loci_engine::documents::Document;
use loci_engine::layout::conversation;
use loci_engine::{
    ContextOptions, Control, Engine, GenerateOptions, Generation, Input, LanguageModel, LocalModel,
};
use loci_kernels::Pool;
use loci_models::template::Message;
use loci_reading::registry::{Kit, parse, strategy};
use loci_reading::sculptor::policy::Scripted;
use loci_reading::sculptor::{Outcome, Sculpture, first_change};
use loci_reading::{ReadOptions, Reply, read};
use loci_testing::{pass_key_text, real_model};

fn engine() -> Option<Arc<Engine>> {
    let path = real_model()?;
    Some(Arc::new(Engine::open(&path, "smollm2", Arc::new(Pool::with_all_processors())).unwrap()))
}

fn model(engine: &Arc<Engine>) -> LocalModel {
    let context =
        ContextOptions { method: Some(MethodSpec::parse("full").unwrap()), ..ContextOptions::default() };
    LocalModel::new(Arc::clone(engine), context)
}

fn answer(model: &mut LocalModel, messages: &[Message]) -> Generation {
    let options = GenerateOptions { max_tokens: 8, ..GenerateOptions::default() };
    let mut quiet = |_: &str| ControlFlow::Continue(());
    model.answer(&Input::messages(messages), &options, &mut Control::default(), &mut quiet).unwrap()
}

fn ask(engine: &Arc<Engine>, typed: &str, text: &str, question: &str) -> Reply {
    let values = parse(typed).unwrap();
    let documents = [Document { name: "text".to_owned(), text: text.to_owned() }];
    let generate = GenerateOptions { max_tokens: 24, ..GenerateOptions::default() };
    read(
        (strategy(&values, &Kit::default()).unwrap().as_mut(), typed),
        &mut model(engine),
        (&documents, question),
        &ReadOptions { generate, evidence: 5, ..ReadOptions::default() },
        &mut Control::default(),
        &mut |_| ControlFlow::Continue(()),
    )
    .unwrap()
}

/// Tokens that two conversations begin with alike, and tokens of the second.
fn shared(engine: &Engine, one: &[Message], other: &[Message]) -> (usize, usize) {
    let tokens = |messages| conversation(engine, messages, "", 0).unwrap().tokens;
    let (one, other) = (tokens(one), tokens(other));
    (one.iter().zip(&other).take_while(|(one, other)| one == other).count(), other.len())
}

#[test]
fn folding_reads_on_from_the_first_changed_token_and_restores_every_byte() {
    let Some(engine) = engine() else { return };
    let updates: String =
        (0..60).map(|update| format!("The colour of room {} is {}.\n", update % 9, update % 7)).collect();
    let content =
        format!("Rooms of a house, some painted several times.\n{updates}\nWhich colour has room 5 now?");
    let messages = vec![Message::new("system", "Be brief."), Message::new("user", content)];
    let mut model = model(&engine);
    let plain = answer(&mut model, &messages);
    assert_eq!(plain.account.read_tokens, plain.account.prompt_tokens);

    let mut sculpture = Sculpture::new(messages.clone());
    assert_eq!(sculpture.visible(), messages, "without a call nothing changes");
    let mut policy = Scripted::new(&messages, &updates, 6, 2).unwrap();
    let (mut last, mut cut, mut folded): (Option<Outcome>, Vec<Message>, Vec<String>) =
        (None, Vec::new(), Vec::new());
    while let Some((name, arguments)) = policy.next(last.as_ref()) {
        last = Some(sculpture.call(name, &arguments, &mut |_, _| Ok(String::new())).unwrap());
        if name == "fragment_context" {
            cut = sculpture.visible();
            let asked = answer(&mut model, &cut);
            let (same, all) = shared(&engine, &messages, &cut);
            assert_eq!(asked.account.read_tokens, all - same, "read on from the first marker");
        } else {
            folded.push(arguments["fragment_id"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(folded.len(), 4);
    // All folds, and then one reading from the first of them on.
    let visible = sculpture.visible();
    let (message, byte) = first_change(&cut, &visible).unwrap();
    assert!(message == 1 && cut[1].content[byte..].len() > visible[1].content[byte..].len());
    let asked = answer(&mut model, &visible);
    let (same, all) = shared(&engine, &cut, &visible);
    assert!(same > 10 && all < plain.account.prompt_tokens);
    assert_eq!(asked.account.read_tokens, all - same);
    let fresh = answer(&mut self::model(&engine), &visible);
    assert_eq!(asked.tokens, fresh.tokens, "as if everything had been read anew");
    // A search changes nothing that was read: only its result is new.
    let searched = serde_json::json!({"query": "room 5"});
    let found = sculpture.call("search_context", &searched, &mut |_, _| Ok(String::new())).unwrap();
    assert!(!found.changed && !found.failed);
    assert_eq!(sculpture.visible(), visible);
    // Restored, every byte is back, and what is read again begins where the first fold was.
    for id in &folded {
        let arguments = serde_json::json!({"fragment_id": id});
        sculpture.call("restore_fragment", &arguments, &mut |_, _| Ok(String::new())).unwrap();
    }
    assert_eq!(sculpture.visible(), cut);
    assert_eq!(sculpture.originals(), messages);
    let again = answer(&mut model, &sculpture.visible());
    let (same, all) = shared(&engine, &visible, &cut);
    assert_eq!(again.account.read_tokens, all - same);
    assert_eq!(again.tokens, answer(&mut self::model(&engine), &cut).tokens);
}

#[test]
fn infini_retri_finds_a_key_through_a_small_window() {
    let Some(engine) = engine() else { return };
    let text = pass_key_text(71_432, 40, 60);
    let reply = ask(&engine, "infini-retri:window=512,top_k=100,above=10", &text, "What is the pass key?");
    assert!(reply.text.contains("71432"), "{}", reply.text);
    assert!(reply.reading.work.calls >= 4 && reply.reading.shown < 600, "{:?}", reply.reading);
    let key = text.find("71432").unwrap();
    assert!(reply.reading.places.iter().any(|place| place.start <= key && key < place.end));
    assert!(reply.evidence.iter().all(|found| text[found.start..found.end] == found.text));
    // With room for everything the model is given the text as it is.
    let text = pass_key_text(71_432, 2, 2);
    let reply = ask(
        &engine,
        "infini-retri:window=64,top_k=100000,most=100000,above=20",
        &text,
        "What is the pass key?",
    );
    assert_eq!((reply.reading.places.len(), reply.reading.shown), (1, reply.reading.given));
}

#[test]
fn quotes_of_the_real_model_are_sentences_of_the_text() {
    let Some(engine) = engine() else { return };
    let text = "The mill was built in 1877 by Lars Holm. It burned down in 1931. Kari Moen keeps bees. It rains often.";
    for typed in ["alr2", "alr2:mode=quotes"] {
        let reply = ask(&engine, typed, text, "Who built the mill?");
        assert!(!reply.evidence.is_empty() && reply.reading.work.failures.is_empty(), "{reply:?}");
        for found in &reply.evidence {
            assert!(found.text.ends_with('.') && text.contains(&found.text), "{}", found.text);
        }
        assert!(reply.evidence.iter().any(|found| found.text.contains("Lars Holm")), "{:?}", reply.evidence);
    }
}

#[test]
fn a_small_model_calls_tools_under_its_grammar() {
    let Some(engine) = engine() else { return };
    let text = "Old: the colour is red. New: the colour is blue. Old things do not matter.";
    let reply = ask(&engine, "sculptor:steps=2", text, "Which colour is it?");
    // The first step has to be a call; whether it is a sensible one is another matter, and counted.
    assert!(reply.reading.work.figures["tool calls"] >= 1.0, "{:?}", reply.reading);
    assert!(!reply.reading.work.failures.contains_key("turns without any tool call"));
}
