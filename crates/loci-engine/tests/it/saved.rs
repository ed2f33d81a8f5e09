//! Readings: what was read once answers as if it had been read just now, and nothing of it is read again.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use crate::common;
use loci_context::MethodSpec;
use loci_engine::ask::{Answer, AskRequest, Listener, ask};
use loci_engine::documents::Document;
use loci_engine::saved::{AnswerOptions, DEFAULT_RESERVE};
use loci_engine::{
    ContextOptions, Control, Engine, EngineError, GenerateOptions, ReadOptions, Reading, ReadingError,
};
use loci_kernels::Pool;
use loci_kernels::tiles::RowType;
use loci_models::reference::TinyModel;
use loci_models::rope::RopeSpec;
use loci_models::template::Message;

/// An engine on a random model that lies in a file, and the folder of the file.
fn engine() -> (Arc<Engine>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tiny.gguf");
    std::fs::write(&path, TinyModel::default().file()).unwrap();
    (Arc::new(Engine::open(&path, "tiny", Arc::new(Pool::new(2))).unwrap()), folder)
}

fn documents() -> Vec<Document> {
    let text = |seed: usize| (0..40).map(|line| format!("Line {} of it.\n", line * seed % 97)).collect();
    vec![
        Document { name: "one.txt".to_owned(), text: text(7) },
        Document { name: "two.txt".to_owned(), text: text(31) },
    ]
}

fn options(method: &str, row_type: RowType) -> ReadOptions {
    let method = Some(MethodSpec::parse(method).unwrap());
    let context = ContextOptions { method, row_type, ..ContextOptions::default() };
    ReadOptions { context, chunk: 96, reserve: 400, ..ReadOptions::default() }
}

fn how() -> AnswerOptions {
    let generate = GenerateOptions { max_tokens: 12, ignore_end: true, ..GenerateOptions::default() };
    AnswerOptions { generate, evidence: 100, all_heads: false }
}

/// What does not depend on how long anything took.
fn content(answer: &Answer) -> serde_json::Value {
    let mut value = serde_json::to_value(answer).unwrap();
    value.as_object_mut().unwrap().remove("timing");
    value
}

fn asked(engine: &Arc<Engine>, options: &ReadOptions, question: &str) -> Answer {
    let documents = documents();
    let request = AskRequest {
        context: options.context.clone(),
        chunk: options.chunk,
        generate: how().generate,
        evidence: how().evidence,
        ..AskRequest::new(&documents, question)
    };
    let mut on_text = |_: &str| ControlFlow::Continue(());
    let listener = Listener { control: Control::default(), on_plan: &mut |_, _| (), on_text: &mut on_text };
    ask(engine, &request, listener).unwrap()
}

fn answered(reading: &Reading, question: &str) -> Answer {
    let tail = reading.question(question, false).unwrap();
    reading.answer(&tail, &how(), &mut Control::default(), &mut |_| ControlFlow::Continue(())).unwrap()
}

const METHODS: &[&str] = &[
    "full",
    "window:window=128",
    "inf-llm:window=128,sinks=8,block_size=16,top_k=4,queries=32",
    "em-llm:window=128,sinks=8,queries=32,recall=64,min_block_size=8,max_block_size=32",
    "act-qkv:window=128,sinks=8,top_k=4,queries=32,history=8",
    "long-heads:chunk_size=32,attention=192",
    "lm-infinite:window=128",
    "sir-llm:surprising=100,turn=32",
    "hip-attention:rows=64,key_block=1,window=64,dense_layers=0",
    "squeezed-attention:observed=8,clusters=40,sparsity=0.5",
    "recycled-attention",
    "think",
    "snap-kv:budget=100",
    "spec-kv:budget=100",
    "full+i4",
    "snap-kv:budget=100+think",
];

#[test]
fn a_saved_reading_answers_as_if_it_had_been_read_just_now() {
    let (engine, folder) = engine();
    for (index, method) in METHODS.iter().enumerate() {
        for row_type in if index < 4 { &[RowType::I8, RowType::F32][..] } else { &[RowType::I8] } {
            let options = options(method, *row_type);
            let path = folder.path().join(format!("{index}.loci"));
            let reading = Reading::read(&engine, documents(), &options, &mut Control::default()).unwrap();
            reading.save(&path).unwrap();
            let opened = Reading::open(&engine, &path).unwrap();
            assert_eq!(opened.facts(), reading.facts());
            assert_eq!(opened.documents(), documents());
            assert_eq!(opened.prefix().sources, reading.prefix().sources);
            for question in ["What is the line?", "Why?"] {
                let expected = content(&asked(&engine, &options, question));
                assert_eq!(content(&answered(&reading, question)), expected, "{method}");
                assert_eq!(content(&answered(&opened, question)), expected, "{method}, opened");
            }
        }
    }
}

#[test]
fn nothing_that_was_read_goes_through_the_model_again() {
    let (engine, folder) = engine();
    let path = folder.path().join("x.loci");
    let read = |work: &dyn Fn()| {
        let before = engine.model().tokens_read();
        work();
        usize::try_from(engine.model().tokens_read() - before).unwrap()
    };
    for method in ["full", METHODS[2], METHODS[3], METHODS[9]] {
        let options = options(method, RowType::I8);
        let reading = Reading::read(&engine, documents(), &options, &mut Control::default()).unwrap();
        reading.save(&path).unwrap();
        let mut opened = None;
        assert_eq!(read(&|| drop(Reading::open(&engine, &path).unwrap())), 0, "{method}: opening");
        opened.replace(Reading::open(&engine, &path).unwrap());
        let opened = opened.unwrap();
        let tail = opened.question("Why?", false).unwrap();
        for _ in 0..2 {
            // The last token that is written is not read.
            let written = how().generate.max_tokens - 1;
            assert_eq!(read(&|| drop(answered(&opened, "Why?"))), tail.len() + written, "{method}");
        }
        let answer = answered(&opened, "Why?");
        assert_eq!(answer.timing.prefill_tokens, tail.len());
        assert_eq!(answer.context.given, opened.prefix().len() + tail.len());
        // A session that goes back to the end of the documents has nothing to read again either.
        let again = read(&|| {
            let mut session = opened.session().unwrap();
            session.read_on(&tail.tokens, &mut Control::default()).unwrap();
            let again = session.truncate(opened.prefix().len(), &mut Control::default()).unwrap();
            let exact = ["full"].contains(&method);
            assert!(!exact || again == 0, "{method}: {again} tokens were read again");
        });
        assert!(method != "full" || again == tail.len(), "{again}");
    }
}

#[test]
fn a_conversation_about_a_reading_goes_on() {
    let (engine, _folder) = engine();
    let options = options("full", RowType::F32);
    let reading = Reading::read(&engine, documents(), &options, &mut Control::default()).unwrap();
    let mut messages = vec![Message::new("user", "What?")];
    let first = reading.tail(&messages).unwrap();
    messages.extend([Message::new("assistant", "This."), Message::new("user", "<|user|> And then?")]);
    let second = reading.tail(&messages).unwrap();
    // It begins like the first, up to where the answer was written.
    assert_eq!(second.tokens[..first.len()], first.tokens);
    assert!(second.len() > first.len() + "This.And then?".len());
    // The same as with all of it in one prompt: the documents stand at the beginning of the first message.
    let mut whole = messages.clone();
    let texts: Vec<String> =
        documents().iter().map(|document| format!("# {}\n\n{}", document.name, document.text)).collect();
    whole[0].content = format!("{}\n\nWhat?", texts.join("\n\n"));
    let whole = loci_engine::layout::conversation(&engine, &whole, "", 0).unwrap();
    let mut tokens = reading.prefix().tokens.clone();
    tokens.extend(&second.tokens);
    // Tokens of this model are bytes, so that no border can change them.
    assert_eq!(tokens, whole.tokens);

    let system = Message::new("system", "Be brief.");
    let error = reading.tail(&[vec![system.clone()], messages.clone()].concat()).unwrap_err();
    assert!(error.to_string().contains("--system"), "{error}");
    let with = ReadOptions { system: Some("Be brief.".to_owned()), ..options };
    let reading = Reading::read(&engine, documents(), &with, &mut Control::default()).unwrap();
    let behind = reading.tail(&messages).unwrap();
    assert_eq!(reading.tail(&[vec![system], messages].concat()).unwrap().tokens, behind.tokens);
    assert!(matches!(reading.tail(&[]), Err(EngineError::Nothing { .. })));
    assert!(matches!(reading.question(" ", true), Err(EngineError::Nothing { .. })));
}

#[test]
fn the_same_reading_makes_the_same_file_and_replaces_it_whole() {
    let (engine, folder) = engine();
    let options = options(METHODS[3], RowType::I8);
    let path = |name: &str| folder.path().join(name);
    let mut files = Vec::new();
    for name in ["a.loci", "b.loci", "a.loci"] {
        let reading = Reading::read(&engine, documents(), &options, &mut Control::default()).unwrap();
        let bytes = reading.save(&path(name)).unwrap();
        files.push(std::fs::read(path(name)).unwrap());
        assert_eq!(bytes as usize, files.last().unwrap().len());
    }
    assert!(files.windows(2).all(|pair| pair[0] == pair[1]));
    // One that was opened is saved as it was.
    let opened = Reading::open(&engine, &path("a.loci")).unwrap();
    opened.save(&path("a.loci")).unwrap();
    assert_eq!(std::fs::read(path("a.loci")).unwrap(), files[0]);
    assert_eq!(answered(&opened, "Why?").text, answered(&opened, "Why?").text);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3, "no temporary file stays");
    let error = opened.save(&path("no/folder/a.loci")).unwrap_err();
    assert!(matches!(error, EngineError::Reading(ReadingError::File { .. })), "{error}");
    let facts = Reading::describe(&path("b.loci")).unwrap();
    assert_eq!(&facts, opened.facts());
    assert_eq!((facts.tokens, facts.documents.len()), (opened.prefix().len(), 2));
}

#[test]
fn a_budget_holds_when_the_file_is_opened() {
    let (engine, folder) = engine();
    let path = folder.path().join("x.loci");
    let mut with = options(METHODS[2], RowType::I8);
    let plan = |with: &ReadOptions| with.context.plan(&engine, 1500, 400).unwrap();
    let needed = with.context.footprint(&engine, &plan(&with)).unwrap();
    let free =
        answered(&Reading::read(&engine, documents(), &with, &mut Control::default()).unwrap(), "Why?");
    with.context.budget = Some(needed.least_bytes + (needed.most_bytes - needed.least_bytes) / 4);
    let reading = Reading::read(&engine, documents(), &with, &mut Control::default()).unwrap();
    reading.save(&path).unwrap();
    let opened = Reading::open(&engine, &path).unwrap();
    let budget = with.context.budget.unwrap();
    for reading in [&reading, &opened] {
        assert!(reading.session().unwrap().memory_bytes() <= budget);
    }
    assert_eq!(answered(&opened, "Why?").text, free.text);
    assert_eq!(content(&answered(&opened, "Why?")), content(&answered(&reading, "Why?")));
}

#[test]
fn more_than_was_planned_for_is_refused_only_where_it_matters() {
    let (engine, _folder) = engine();
    let ask = |options: &ReadOptions| {
        let reading = Reading::read(&engine, documents(), options, &mut Control::default()).unwrap();
        let tail = reading.question("Why?", false).unwrap();
        reading.answer(&tail, &how(), &mut Control::default(), &mut |_| ControlFlow::Continue(()))
    };
    let mut small = ReadOptions { reserve: 10, ..options("full", RowType::F32) };
    ask(&small).unwrap();
    small.context.rope = Some(RopeSpec::parse("dynamic-ntk:factor=2").unwrap());
    let error = ask(&small).unwrap_err();
    let EngineError::Reading(ReadingError::Reserve { reserve, .. }) = error else { panic!("{error}") };
    assert!(error.to_string().contains(&format!("--reserve {reserve}")));
    ask(&ReadOptions { reserve, ..small }).unwrap();
    assert_eq!(ReadOptions::default().reserve, DEFAULT_RESERVE);
}

#[test]
fn what_cannot_be_read_before_the_question_is_refused() {
    let (engine, _folder) = engine();
    for method in ["spec-pc", "spec-kv-pc"] {
        let options = options(method, RowType::I8);
        let error = Reading::read(&engine, documents(), &options, &mut Control::default()).unwrap_err();
        assert!(error.to_string().contains("before the question is known"), "{error}");
    }
    let blank = vec![Document { name: "a".to_owned(), text: " \n".to_owned() }];
    let error = Reading::read(&engine, blank, &ReadOptions::default(), &mut Control::default());
    assert!(matches!(error, Err(EngineError::Nothing { .. })));
    // A model in no file can be asked, but what it read cannot be told from what another read.
    let homeless = common::engine();
    let options = options("full", RowType::I8);
    let reading = Reading::read(&homeless, documents(), &options, &mut Control::default()).unwrap();
    assert_eq!(answered(&reading, "Why?").text.is_empty(), answered(&reading, "Why?").text.is_empty());
    let error = reading.save(&PathBuf::from("x.loci")).unwrap_err();
    assert!(matches!(error, EngineError::Unsupported(_)), "{error}");
}

#[test]
fn another_model_is_refused_by_name() {
    let (engine, folder) = engine();
    let path = folder.path().join("x.loci");
    let options = options("full", RowType::I8);
    Reading::read(&engine, documents(), &options, &mut Control::default()).unwrap().save(&path).unwrap();
    let other = folder.path().join("other.gguf");
    std::fs::write(&other, TinyModel { seed: 99, ..TinyModel::default() }.file()).unwrap();
    let other = Arc::new(Engine::open(&other, "other", Arc::new(Pool::new(1))).unwrap());
    let error = Reading::open(&other, &path).unwrap_err();
    assert!(matches!(error, EngineError::Reading(ReadingError::Model { .. })), "{error}");
    let said = error.to_string();
    assert!(said.contains("tiny") && said.contains("other") && said.contains("-m"), "{said}");
    // The same model under another name and in another place is the same.
    let moved = folder.path().join("moved.gguf");
    std::fs::copy(folder.path().join("tiny.gguf"), &moved).unwrap();
    let moved = Arc::new(Engine::open(&moved, "moved", Arc::new(Pool::new(1))).unwrap());
    Reading::open(&moved, &path).unwrap();
}
