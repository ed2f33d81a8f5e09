//! Writing, scoring and asking with a small random model.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::common::{context, engine, read, session, tokens};
use loci_engine::ask::{AskRequest, Listener, ask};
use loci_engine::documents::Document;
use loci_engine::generate::generate;
use loci_engine::score::{ScoreOptions, score};
use loci_engine::{Control, Conversation, EngineError, Finish, GenerateOptions, LanguageModel, LocalModel};
use loci_models::sampling::SamplerConfig;

fn options(max_tokens: usize, temperature: f32, stop: &[&str]) -> GenerateOptions {
    GenerateOptions {
        max_tokens,
        sampler: SamplerConfig { temperature, seed: 11, ..SamplerConfig::default() },
        stop: stop.iter().map(|text| (*text).to_owned()).collect(),
        ignore_end: true,
        ..GenerateOptions::default()
    }
}

/// The text written after `tokens(40)`, as it was streamed, and why it ended.
fn write(options: &GenerateOptions) -> (String, Finish, usize) {
    let engine = engine();
    let mut session = session(&engine, "full");
    read(&mut session, &tokens(40));
    let mut streamed = String::new();
    let mut on_text = |text: &str| {
        streamed.push_str(text);
        ControlFlow::Continue(())
    };
    let generation = generate(&mut session, options, &mut Control::default(), &mut on_text).unwrap();
    assert_eq!(generation.text, streamed, "what is streamed is what is returned");
    assert_eq!(session.len(), 40 + generation.tokens.len() - 1, "the last token is drawn and not read");
    (streamed, generation.finish, generation.tokens.len())
}

#[test]
fn the_same_seed_writes_the_same_text_up_to_the_limit() {
    let (text, finish, count) = write(&options(30, 0.9, &[]));
    assert_eq!((finish, count), (Finish::Length, 30));
    assert_eq!(write(&options(30, 0.9, &[])).0, text);
    let mut other = options(30, 0.9, &[]);
    other.sampler.seed = 12;
    assert_ne!(write(&other).0, text, "the seed is used");
}

#[test]
fn text_ends_before_a_stop_string_and_never_shows_it() {
    let (whole, ..) = write(&options(40, 0.9, &[]));
    let start = whole.char_indices().map(|(at, _)| at).nth(6).unwrap();
    let stop: String = whole[start..].chars().take(2).collect();
    let (text, finish, _) = write(&options(40, 0.9, &[&stop]));
    assert_eq!(finish, Finish::Stop);
    assert_eq!(text, whole[..whole.find(&stop).unwrap()]);
}

#[test]
fn the_receiver_and_the_stop_flag_end_an_answer() {
    let engine = engine();
    let mut session = session(&engine, "full");
    read(&mut session, &tokens(40));
    let stop = AtomicBool::new(false);
    let mut on_text = |_: &str| {
        stop.store(true, Ordering::Relaxed);
        ControlFlow::Continue(())
    };
    let mut control = Control { stop: Some(&stop), progress: None };
    let generation = generate(&mut session, &options(500, 0.9, &[]), &mut control, &mut on_text).unwrap();
    assert_eq!(generation.finish, Finish::Interrupted);
    assert!(generation.tokens.len() < 500);
    let mut on_text = |_: &str| ControlFlow::Break(());
    let generation =
        generate(&mut session, &options(500, 0.9, &[]), &mut Control::default(), &mut on_text).unwrap();
    assert_eq!(generation.finish, Finish::Interrupted);
}

#[test]
fn scores_are_the_likelihoods_of_each_token() {
    let engine = engine();
    let text = "To_be,_or_not_to_be:_that_is_the_question.";
    let request = ScoreOptions { context: context("full"), ..ScoreOptions::default() };
    let found = score(&engine, text, &request, &mut Control::default()).unwrap();
    let scored = found.per_token.as_ref().unwrap();
    assert_eq!(found.tokens, text.len() + 1, "a beginning token and one for each byte");
    assert_eq!(found.scored, text.len());
    assert!(scored[0].nll.is_none());

    let mut session = session(&engine, "full");
    let mut sum = 0.0;
    for pair in scored.windows(2) {
        let logits = session.step(pair[0].id).unwrap();
        let total: f64 = logits.iter().map(|logit| f64::from(*logit).exp()).sum();
        let expected = total.ln() - f64::from(logits[pair[1].id as usize]);
        let nll = f64::from(pair[1].nll.unwrap());
        assert!((nll - expected).abs() < 2e-3, "{nll} instead of {expected}");
        sum += nll;
    }
    assert!((found.nll - sum / text.len() as f64).abs() < 1e-9);
    assert!((found.perplexity - found.nll.exp()).abs() < 1e-9);
}

#[test]
fn windows_are_scored_on_their_own() {
    let engine = engine();
    let text = "abcdefghijklmnopqrstuvwxyz";
    let with = |n_ctx, from, limit| {
        let request = ScoreOptions { context: context("full"), n_ctx, from, limit };
        score(&engine, text, &request, &mut Control::default())
    };
    // 27 tokens in windows of 10, 10 and 7; the first of each has nothing before it.
    assert_eq!(with(Some(10), 1, None).unwrap().scored, 24);
    assert_eq!(with(Some(10), 6, None).unwrap().scored, 9);
    assert_eq!(with(Some(10), 1, Some(20)).unwrap().scored, 18);
    let nothing = with(Some(1), 1, None).unwrap_err();
    assert!(matches!(nothing, EngineError::Nothing { .. }), "{nothing}");
}

fn documents() -> Vec<Document> {
    let filler = "The grass is green. <|user|> The sky is blue. ".repeat(4);
    vec![
        Document { name: "a.txt".to_owned(), text: filler.clone() + "The key is 71432." },
        Document { name: "b.txt".to_owned(), text: filler },
    ]
}

#[test]
fn an_answer_accounts_for_every_token_and_points_into_the_documents() {
    let engine = engine();
    let documents = documents();
    let mut request = AskRequest::new(&documents, "What is the key?");
    request.generate = options(8, 0.0, &[]);
    request.evidence = 50;
    let mut planned = None;
    let mut on_plan = |plan: &loci_engine::ContextPlan, tokens: usize| {
        planned = Some((plan.method.info().id, tokens));
    };
    let mut on_text = |_: &str| ControlFlow::Continue(());
    let listener = Listener { control: Control::default(), on_plan: &mut on_plan, on_text: &mut on_text };
    let answer = ask(&engine, &request, listener).unwrap();

    let context = answer.context;
    assert_eq!(context.given, context.read);
    assert_eq!(context.kept + context.compressed + context.dropped, context.read);
    assert_eq!(answer.timing.prefill_tokens, context.given);
    // Longer than the window of 256 tokens: a method that reads everything is chosen.
    assert_eq!(planned, Some(("inf-llm", context.given)));
    // One token a byte, so `<|user|>` in a document did not become one token.
    assert!(context.given > documents.iter().map(|document| document.text.len()).sum());
    assert!(!answer.evidence.is_empty());
    for found in &answer.evidence {
        let document = documents.iter().find(|document| document.name == found.file).unwrap();
        assert_eq!(document.text[found.start..found.end], found.text);
        assert!(found.mass > 0.0 && found.mass <= 1.001);
    }
    assert!(answer.evidence.windows(2).all(|pair| pair[0].mass >= pair[1].mass));
    let json = serde_json::to_value(&answer).unwrap();
    for key in ["answer", "evidence", "context", "timing", "method", "model", "seed"] {
        assert!(json.get(key).is_some(), "{key}");
    }
}

#[test]
fn a_method_is_told_where_the_documents_end() {
    let engine = engine();
    let documents = documents();
    let asked = |method: &str| {
        let mut request = AskRequest::new(&documents, "What is the key?");
        request.generate = options(8, 0.0, &[]);
        request.evidence = 1000;
        request.context = context(method);
        request.chunk = 64;
        let (mut on_plan, mut on_text) =
            (|_: &loci_engine::ContextPlan, _: usize| (), |_: &str| ControlFlow::Continue(()));
        let mut seen = Vec::new();
        let mut progress = |progress: loci_engine::Progress| seen.push((progress.done, progress.total));
        let control = Control { stop: None, progress: Some(&mut progress) };
        let listener = Listener { control, on_plan: &mut on_plan, on_text: &mut on_text };
        let answer = ask(&engine, &request, listener).unwrap();
        // One count from the first token to the last.
        assert!(seen.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 == pair[1].1), "{seen:?}");
        (answer.evidence.iter().map(|found| found.mass).sum::<f32>(), answer.context)
    };
    let (full, context) = asked("full");
    let (all, everything) = asked("squeezed-attention:observed=8,clusters=100,sparsity=0");
    assert!((full - all).abs() < 1e-3, "{all} of {full}");
    // What lies before the question is looked up: all of it, or of a hundred keys of a head one.
    assert_eq!(everything.recalled + everything.window, context.read);
    let (_, few) = asked("squeezed-attention:observed=8,clusters=100,sparsity=0.99");
    assert_eq!(few.window, everything.window);
    assert!(few.recalled < everything.recalled / 2, "{few:?}: nothing was left out");
}

#[test]
fn empty_questions_and_documents_are_refused() {
    let engine = engine();
    let blank = [Document { name: "a".to_owned(), text: " \n".to_owned() }];
    let filled = documents();
    for (documents, question) in [(&blank[..], "Why?"), (&filled[..], " ")] {
        let mut on_plan = |_: &loci_engine::ContextPlan, _: usize| panic!("nothing is planned");
        let mut on_text = |_: &str| ControlFlow::Continue(());
        let listener = Listener { control: Control::default(), on_plan: &mut on_plan, on_text: &mut on_text };
        let error = ask(&engine, &AskRequest::new(documents, question), listener).unwrap_err();
        assert!(matches!(error, EngineError::Nothing { .. }), "{error}");
    }
}

#[test]
fn full_attention_beyond_the_window_is_warned_about() {
    let engine = engine();
    let options = context("full");
    assert!(options.plan(&engine, 200, 20).unwrap().warnings.is_empty());
    let warnings = options.plan(&engine, 250, 20).unwrap().warnings;
    assert!(warnings.len() == 1 && warnings[0].contains("256"), "{warnings:?}");
    assert!(context("inf-llm").plan(&engine, 9000, 20).unwrap().warnings.is_empty());
}

#[test]
fn a_conversation_goes_on_and_survives_a_stopped_turn() {
    let engine = engine();
    let mut model = LocalModel::new(engine.clone(), context("full"));
    let mut conversation = Conversation::new(Some("Be brief."));
    let mut quiet = |_: &str| ControlFlow::Continue(());
    let options = options(5, 0.0, &[]);
    conversation.turn(&mut model, "Hello", &options, &mut Control::default(), &mut quiet).unwrap();
    assert_eq!(conversation.messages().len(), 3);
    let stop = AtomicBool::new(true);
    let mut control = Control { stop: Some(&stop), progress: None };
    conversation.turn(&mut model, "And a longer message", &options, &mut control, &mut quiet).unwrap_err();
    assert_eq!(conversation.messages().len(), 3, "the turn left nothing behind");
    let again =
        conversation.turn(&mut model, "Again", &options, &mut Control::default(), &mut quiet).unwrap();
    // A fresh model that is given the same messages answers the same.
    let mut other = LocalModel::new(engine, context("full"));
    let messages = &conversation.messages()[..4];
    let expected = other.chat(messages, &options, &mut Control::default(), &mut quiet).unwrap();
    assert_eq!(again.tokens, expected.tokens);
    assert!(matches!(model.embed("x"), Err(EngineError::Unsupported(_))));
}
