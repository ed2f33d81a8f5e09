//! Methods with a draft, on a small random model.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::common::{assert_close, context, engine, fresh, tokens};
use loci_engine::ask::{AskRequest, Listener, ask};
use loci_engine::documents::Document;
use loci_engine::layout::{Headings, Prompt, conversation, question_about};
use loci_engine::score::{ScoreOptions, score};
use loci_engine::shorten::shorten;
use loci_engine::{
    ContextOptions, Control, Conversation, Draft, Engine, GenerateOptions, LanguageModel, LocalModel, Session,
};
use loci_kernels::Pool;
use loci_models::Model;
use loci_models::gguf::Gguf;
use loci_models::reference::{Entry, TinyModel, write_gguf};
use loci_models::template::Message;

/// A session that reads `tokens` as `options` say.
fn read(engine: &Arc<Engine>, options: &ContextOptions, tokens: &[u32]) -> Session {
    let plan = options.plan(engine, tokens.len(), 20).unwrap();
    let mut session = options.session(engine, &plan).unwrap();
    session.read(tokens, &mut Control::default()).unwrap();
    session
}

fn with_draft(method: &str, draft: Draft) -> ContextOptions {
    ContextOptions { draft: Some(draft), ..context(method) }
}

fn engine_of(model: TinyModel) -> Arc<Engine> {
    let model = model.open(Arc::new(Pool::new(2))).unwrap();
    Arc::new(Engine::from_model(model, "small").unwrap())
}

fn another(model: TinyModel) -> Draft {
    Draft::Model(engine_of(model))
}

/// The small model with a token less.
fn fewer_tokens() -> Draft {
    let tiny = TinyModel::default();
    let cut = |(key, value): (String, Entry)| {
        let value = match value {
            Entry::Texts(list) => Entry::Texts(list[..259].to_vec()),
            Entry::Numbers(list) => Entry::Numbers(list[..259].to_vec()),
            Entry::Integers(list) => Entry::Integers(list[..259].to_vec()),
            other => other,
        };
        (key, value)
    };
    let metadata: Vec<_> = tiny.metadata().into_iter().map(cut).collect();
    let mut tensors = tiny.tensors();
    for (_, shape, numbers) in tensors.iter_mut().filter(|(_, shape, _)| shape[0] == TinyModel::VOCAB) {
        shape[0] = 259;
        numbers.truncate(259 * shape[1]);
    }
    let file = Gguf::from_bytes("fewer tokens", write_gguf(&metadata, &tensors)).unwrap();
    let model = Model::from_gguf(file, Arc::new(Pool::new(1))).unwrap();
    Draft::Model(Arc::new(Engine::from_model(model, "other").unwrap()))
}

#[test]
fn with_room_for_the_whole_prompt_an_answer_is_that_of_full_attention() {
    let engine = engine();
    let text = tokens(90);
    let expected = fresh(&engine, "full", &text);
    for method in ["spec-kv:budget=89,window=8", "spec-kv:budget=200,lookahead=7,draft_layers=2"] {
        for options in [context(method), with_draft("spec-kv:budget=89", another(TinyModel::default()))] {
            let session = read(&engine, &options, &text);
            assert_close(session.logits().unwrap(), &expected);
            assert_eq!(session.tokens(), text, "nothing of the draft stays");
            assert_eq!(session.report().unwrap().kept, 90);
        }
    }
}

#[test]
fn a_draft_decides_what_stays_and_goes_again() {
    let engine = engine();
    let text = tokens(120);
    let method = "spec-kv:budget=16,window=4,lookahead=12";
    let snapped = fresh(&engine, "snap-kv:budget=16,window=4", &text);
    let differs = |session: &Session| {
        let logits = session.logits().unwrap();
        logits.iter().zip(&snapped).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) > 1e-3
    };
    for options in [
        context(method),
        with_draft(method, Draft::Itself),
        with_draft(method, another(TinyModel { layers: 1, seed: 5, ..TinyModel::default() })),
    ] {
        let session = read(&engine, &options, &text);
        assert!(differs(&session), "{options:?}");
        assert_eq!(session.tokens(), text);
        let report = session.report().unwrap();
        assert_eq!(report.read, 120);
        // Two layers of two kv heads keep 16 rows each, and the last token was read again.
        assert!(report.kept + report.compressed <= 4 * 16 + 1 && report.dropped > 0, "{report:?}");
    }
    let none = read(&engine, &context("spec-kv:budget=16,window=4,lookahead=0"), &text);
    assert!(!differs(&none), "without look-ahead it is snap-kv");
}

/// What `engine` writes behind `text` with everything in view.
fn written(engine: &Arc<Engine>, text: &[u32], count: usize) -> Vec<u32> {
    let mut session = read(engine, &context("full"), text);
    let mut answer = Vec::new();
    for _ in 0..count {
        let token = loci_models::sampling::greedy(session.logits().unwrap()).unwrap();
        answer.push(token);
        session.step(token).unwrap();
    }
    answer
}

/// Logits behind `text` when `draft` was read behind it before the memory decided, all by hand.
fn with_look_ahead(engine: &Arc<Engine>, options: &ContextOptions, text: &[u32], draft: &[u32]) -> Vec<f32> {
    let plan = options.plan(engine, text.len(), 6).unwrap();
    let mut memory = options.memory(engine, &plan).unwrap();
    let mut state = loci_models::signals::SignalState::default();
    let end = text.len() - 1;
    for part in [&text[..end], &text[end..], draft] {
        let span = loci_models::wiring::Span {
            memory: memory.as_mut(),
            state: &mut state,
            tokens: part,
            logits: loci_models::wiring::LogitsFor::None,
        };
        engine.model().forward(&mut [span]).unwrap();
    }
    memory.end_prompt(end).unwrap();
    memory.truncate(end).unwrap();
    Session::new(Arc::clone(engine), memory).step(text[end]).unwrap().to_vec()
}

#[test]
fn the_whole_model_drafts_its_own_answer() {
    let engine = engine();
    let text = tokens(60);
    // What the model itself writes with everything in view, read behind the prompt as a draft by hand.
    let answer = written(&engine, &text, 6);
    let by_hand =
        with_look_ahead(&engine, &context("spec-kv:budget=12,window=3,lookahead=6"), &text, &answer);
    let session = read(&engine, &with_draft("spec-kv:budget=12,window=3,lookahead=6", Draft::Itself), &text);
    assert_close(session.logits().unwrap(), &by_hand);
}

#[test]
fn drafts_that_cannot_be_used_are_refused_with_a_way_out() {
    let engine = engine();
    for (options, hints) in [
        (with_draft("spec-kv", fewer_tokens()), &["259", "260", "same vocabulary"][..]),
        (context("spec-kv:draft_layers=3"), &["draft_layers=3", "2 layers", "draft_layers=2"]),
        (with_draft("spec-kv:draft_layers=1", Draft::Itself), &["exclude each other", "leave one out"]),
        (with_draft("full", Draft::Itself), &["needs no draft", "spec-kv"]),
        (with_draft("spec-kv:lookahead=0", Draft::Itself), &["needs no draft"]),
    ] {
        let said = options.plan(&engine, 100, 10).unwrap_err().to_string();
        assert!(hints.iter().all(|hint| said.contains(hint)), "{said}");
    }
    for method in ["spec-kv", "spec-pc:from_layer=0", "spec-kv-pc:from_layer=0"] {
        let request = ScoreOptions { context: context(method), ..ScoreOptions::default() };
        let said = score(&engine, "some text", &request, &mut Control::default()).unwrap_err().to_string();
        assert!(said.contains("--method full"), "{said}");
    }
}

#[test]
fn a_budget_in_bytes_counts_another_models_rows_too() {
    let engine = engine();
    let text = tokens(200);
    let small = |draft| {
        let mut options = context("spec-kv:budget=16,window=4,lookahead=8");
        options.draft = draft;
        options
    };
    let needed = |options: &ContextOptions| {
        let mut options = options.clone();
        options.budget = Some(1);
        let plan = options.plan(&engine, 200, 20).unwrap();
        match options.session(&engine, &plan) {
            Err(loci_engine::EngineError::Build(loci_context::BuildError::Memory(
                loci_models::memory::MemoryError::Budget { needed, .. },
            ))) => needed,
            other => panic!("a budget of one byte was not refused: {other:?}"),
        }
    };
    let own = small(None);
    let least = needed(&own);
    read(&engine, &ContextOptions { budget: Some(least), ..own }, &text);
    let large = TinyModel { layers: 12, heads: 8, kv_heads: 8, head_dim: 32, ..TinyModel::default() };
    let other = ContextOptions { budget: Some(least), ..small(Some(another(large))) };
    let plan = other.plan(&engine, 200, 8).unwrap();
    let mut session = other.session(&engine, &plan).unwrap();
    let said = session.read(&text, &mut Control::default()).unwrap_err().to_string();
    assert!(said.contains("the draft's reading") && said.contains("--budget"), "{said}");
}

#[test]
fn scores_of_the_models_heads_are_not_asked_of_a_draft() {
    let tiny = TinyModel::default();
    let folder = tempfile::tempdir().unwrap();
    let gates = folder.path().join("gates.tsv");
    let row = vec!["0.5"; tiny.kv_heads].join("\t") + "\n";
    std::fs::write(&gates, row.repeat(tiny.layers)).unwrap();
    let (engine, text) = (engine(), tokens(120));
    let other = || another(TinyModel { layers: tiny.layers + 1, ..TinyModel::default() });
    for draft in [None, Some(other())] {
        let options =
            ContextOptions { heads: Some(gates.clone()), draft, ..context("spec-kv:budget=16,window=4") };
        read(&engine, &options, &text);
        let options = ContextOptions { method: context(BOTH).method, ..options };
        let plan = options.plan(&engine, 120, 6).unwrap();
        let prompt = Prompt::of_tokens(text.clone());
        let left = shorten(&engine, prompt, &options, &plan, &mut Control::default()).unwrap();
        assert_eq!(left.len(), 70);
    }
}

const BOTH: &str =
    "spec-kv-pc:budget=12,window=3,lookahead=6,prompt=70,prompt_window=8,pool=4,neighbours=4,from_layer=0";

#[test]
fn in_the_cascade_one_draft_serves_both_steps() {
    let engine = engine();
    let text = tokens(120);
    let drafter = engine_of(TinyModel { layers: 3, seed: 9, ..TinyModel::default() });
    let ahead = written(&drafter, &text, 6);
    let options = with_draft(BOTH, Draft::Model(Arc::clone(&drafter)));
    let plan = options.plan(&engine, 120, 6).unwrap();
    // The session may be there before the prompt is shortened, or be made afterwards.
    let mut early = options.session(&engine, &plan).unwrap();
    let prompt = || Prompt::of_tokens(text.clone());
    let short = shorten(&engine, prompt(), &options, &plan, &mut Control::default()).unwrap();
    assert_eq!((short.len(), short.skipped), (70, 50));
    early.read(&short.tokens, &mut Control::default()).unwrap();
    let expected = with_look_ahead(&engine, &options, &short.tokens, &ahead);
    assert_close(early.logits().unwrap(), &expected);
    shorten(&engine, prompt(), &options, &plan, &mut Control::default()).unwrap();
    let mut late = options.session(&engine, &plan).unwrap();
    late.read(&short.tokens, &mut Control::default()).unwrap();
    assert_close(late.logits().unwrap(), &expected);
    // What the draft would write behind the short prompt is something else.
    assert_ne!(written(&drafter, &short.tokens, 6), ahead);
    let report = late.report().unwrap();
    assert_eq!((report.read, report.kept + report.compressed + report.dropped), (70, 70));
    assert!(report.dropped > 0 && late.tokens() == short.tokens, "{report:?}");
}

#[test]
fn the_cascade_reduces_to_either_of_its_steps() {
    let engine = engine();
    let text = tokens(120);
    let answer = |method: &str| {
        let options = context(method);
        let short = shortened(&engine, Prompt::of_tokens(text.clone()), &options);
        (read(&engine, &options, &short.tokens).logits().unwrap().to_vec(), short.tokens)
    };
    // A prompt that is short enough is read whole: then the draft looks ahead as it does for spec-kv alone.
    let (whole, tokens) = answer(&BOTH.replace("prompt=70", "prompt=120"));
    assert_eq!(tokens, text);
    assert_close(&whole, &answer("spec-kv:budget=12,window=3,lookahead=6").0);
    let (all_rows, short) = answer(&BOTH.replace("budget=12", "budget=70"));
    let alone = "spec-pc:budget=70,window=8,lookahead=6,pool=4,neighbours=4,from_layer=0";
    let (expected, same) = answer(alone);
    assert_eq!(short, same);
    assert_close(&all_rows, &expected);
    // What the draft looked at while it wrote counts in the first step too.
    assert_ne!(short, answer(&alone.replace("lookahead=6", "lookahead=1")).1);
}

const SHORT: &str = "spec-pc:budget=100,window=12,pool=4,neighbours=6,from_layer=0";

fn documents() -> Vec<Document> {
    let filler = "The grass is green. <|user|> The sky is blue. ".repeat(4);
    vec![
        Document { name: "a.txt".to_owned(), text: filler.clone() + "The key is 71432." },
        Document { name: "b.txt".to_owned(), text: filler },
    ]
}

fn shortened(engine: &Arc<Engine>, prompt: Prompt, options: &ContextOptions) -> Prompt {
    let plan = options.plan(engine, prompt.len(), 10).unwrap();
    shorten(engine, prompt, options, &plan, &mut Control::default()).unwrap()
}

#[test]
fn a_shortened_prompt_keeps_order_template_and_question() {
    let engine = engine();
    let prompt = question_about(&engine, &documents(), "Why?", None, Headings::Several, false).unwrap();
    assert!(prompt.fixed.iter().zip(&prompt.sources).all(|(fixed, source)| !fixed || source.is_none()));
    let free = prompt.fixed.iter().filter(|fixed| !**fixed).count();
    let documents = prompt.sources.iter().rposition(Option::is_some).unwrap();
    assert!(prompt.fixed[documents + 1..].iter().all(|fixed| *fixed), "the question stays");
    assert!(free > documents - 60, "documents are free: {free} of {documents}");
    let fixed = prompt.fixed.iter().filter(|fixed| **fixed).count();
    let budget = fixed + 60;
    let method = format!("spec-pc:budget={budget},window=12,pool=4,neighbours=6,from_layer=0");
    for options in [
        context(&method),
        with_draft(&method, Draft::Itself),
        with_draft(&method, another(TinyModel { layers: 3, seed: 9, ..TinyModel::default() })),
    ] {
        let found = shortened(&engine, prompt.clone(), &options);
        assert_eq!((found.len(), found.skipped), (budget, prompt.len() - budget));
        assert_eq!(found.fixed.iter().filter(|fixed| **fixed).count(), fixed);
        let mut rest = prompt.tokens.iter().zip(&prompt.sources);
        for pair in found.tokens.iter().zip(&found.sources) {
            assert!(rest.any(|of_prompt| of_prompt == pair), "it is a subsequence, with its sources");
        }
        assert_eq!(found.tokens[budget - 12..], prompt.tokens[prompt.len() - 12..]);
    }
    let whole = shortened(&engine, prompt.clone(), &context("spec-pc:budget=1000000,from_layer=0"));
    assert_eq!((whole.tokens, whole.skipped), (prompt.tokens.clone(), 0));
    for (tight, way_out) in [
        ("spec-pc:budget=20,window=12,from_layer=0", " budget="),
        ("spec-kv-pc:prompt=20,prompt_window=12,from_layer=0", " prompt="),
    ] {
        let (tight, prompt) = (context(tight), prompt.clone());
        let plan = tight.plan(&engine, prompt.len(), 10).unwrap();
        let said = shorten(&engine, prompt, &tight, &plan, &mut Control::default()).unwrap_err().to_string();
        assert!(said.contains("have to stay") && said.contains(way_out), "{said}");
    }
}

#[test]
fn in_conversations_template_and_system_message_stay() {
    let engine = engine();
    let messages = [
        Message::new("system", "Be brief."),
        Message::new("user", "word ".repeat(60).as_str()),
        Message::new("assistant", "Yes."),
        Message::new("user", "And now?"),
    ];
    let prompt = conversation(&engine, &messages, "", 0).unwrap();
    let said = |prompt: &Prompt| engine.tokenizer().unwrap().decode(&prompt.tokens);
    let found = shortened(&engine, prompt.clone(), &context(SHORT));
    assert_eq!(found.len(), 100);
    // This vocabulary spells a space as a mark.
    assert!(said(&found).contains("Be▁brief."), "{}", said(&found));
    let marks = |prompt: &Prompt| prompt.tokens.iter().filter(|token| **token >= 256).count();
    assert_eq!(marks(&found), marks(&prompt), "roles stay where they are");
}

#[test]
fn an_answer_from_a_shortened_prompt_accounts_for_every_token() {
    let engine = engine();
    let documents = documents();
    let mut request = AskRequest::new(&documents, "What is the key?");
    let given =
        question_about(&engine, &documents, request.question, None, Headings::Several, false).unwrap().len();
    let budget = given - 120;
    request.generate = GenerateOptions { max_tokens: 6, ignore_end: true, ..GenerateOptions::default() };
    request.evidence = 60;
    for (method, drops) in [
        (format!("spec-pc:budget={budget},window=8"), false),
        (format!("spec-kv-pc:budget=30,window=8,lookahead=4,prompt={budget},prompt_window=8"), true),
    ] {
        request.context = context(&format!("{method},pool=4,neighbours=4,from_layer=0"));
        let mut on_text = |_: &str| ControlFlow::Continue(());
        let listener =
            Listener { control: Control::default(), on_plan: &mut |_, _| {}, on_text: &mut on_text };
        let answer = ask(&engine, &request, listener).unwrap();
        let report = answer.context;
        assert_eq!((report.given, report.read, report.skipped), (given, budget, 120));
        assert_eq!(report.kept + report.compressed + report.dropped, report.read);
        assert_eq!(report.dropped > 0, drops, "{method}: {report:?}");
        let id = method.split(':').next().unwrap();
        assert!(answer.method.starts_with(&format!("{id}:")), "{}", answer.method);
        assert!(!answer.evidence.is_empty());
        for found in &answer.evidence {
            let document = documents.iter().find(|document| document.name == found.file).unwrap();
            assert_eq!(document.text[found.start..found.end], found.text);
        }
    }
}

#[test]
fn conversations_go_on_under_all_of_them() {
    let engine = engine();
    for method in [
        "spec-kv:budget=40,window=8,lookahead=6",
        "spec-pc:budget=90,window=8,from_layer=0",
        "spec-kv-pc:budget=40,window=8,lookahead=6,prompt=90,prompt_window=8,from_layer=0",
    ] {
        let mut model = LocalModel::new(Arc::clone(&engine), context(method));
        let mut conversation = Conversation::new(None);
        let options = GenerateOptions { max_tokens: 5, ignore_end: true, ..GenerateOptions::default() };
        let mut given = 0;
        for text in ["The grass is green. ".repeat(5), "And the sky? ".repeat(4), "Why?".to_owned()] {
            let mut quiet = Control::default();
            conversation
                .turn(&mut model, &text, &options, &mut quiet, &mut |_| ControlFlow::Continue(()))
                .unwrap();
            let report = model.report().unwrap();
            assert!(report.given > given, "{method}");
            given = report.given;
            assert_eq!(report.read + report.skipped, report.given, "{method}");
            assert_eq!(report.kept + report.compressed + report.dropped, report.read, "{method}");
        }
        assert_eq!(model.name(), "tiny");
        let report = model.report().unwrap();
        assert!(report.dropped + report.skipped > 0, "{method} left everything: {report:?}");
    }
}

#[test]
fn a_draft_can_be_interrupted() {
    let engine = engine();
    let text = tokens(60);
    let options = context("spec-kv:budget=16,window=4,lookahead=40");
    let plan = options.plan(&engine, 60, 10).unwrap();
    let mut session = options.session(&engine, &plan).unwrap();
    session.read_on(&text[..59], &mut Control::default()).unwrap();
    let stop = std::sync::atomic::AtomicBool::new(true);
    let outcome = session.read(&text[59..], &mut Control { stop: Some(&stop), progress: None });
    assert!(matches!(outcome, Err(loci_engine::EngineError::Interrupted { .. })), "{outcome:?}");
    session.change_to(&text, &mut Control::default()).unwrap();
    let expected = read(&engine, &options, &text);
    assert_close(session.logits().unwrap(), expected.logits().unwrap());
}
