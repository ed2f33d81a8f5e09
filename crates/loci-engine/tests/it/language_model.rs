//! What several questions about one text share, and how likely answers are.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::common::{context, engine};
use loci_context::MethodSpec;
use loci_engine::grammar::{Form, Quotes};
use loci_engine::probe::{ProbeRequest, probe};
use loci_engine::{
    ContextOptions, Control, EngineError, GenerateOptions, Generation, Input, LanguageModel, LocalModel,
    Progress, Readings,
};
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
fn methods_that_read_alike_read_a_text_once() {
    let text = "the wind went over the field and the gate stood open. ".repeat(30);
    let readings = Arc::<Readings>::default();
    let engine = engine();
    // Tokens that went through the model for an answer.
    let read = |model: &mut LocalModel, shared: usize| {
        let messages = [Message::new("user", format!("{text}Who came?"))];
        let (mut read, mut before) = (0, 0);
        let mut watch = |progress: Progress| {
            read += if progress.done > before { progress.done - before } else { progress.done };
            before = progress.done;
        };
        let mut control = Control { progress: Some(&mut watch), ..Control::default() };
        let input = Input { shared, ..Input::messages(&messages) };
        let mut quiet = |_: &str| ControlFlow::Continue(());
        let answer = model.answer(&input, &options(), &mut control, &mut quiet).unwrap();
        (answer, read)
    };
    for shared in [text.len(), 0] {
        for (method, reads_alike) in [
            ("full", false),
            ("snap-kv:budget=128", true),
            ("squeezed-attention", true),
            ("spec-pc:budget=64,window=8,from_layer=0", true),
            ("spec-kv-pc:prompt=64,prompt_window=8,from_layer=0,budget=32,window=8", true),
            ("window:window=64", false),
        ] {
            let mut beside =
                LocalModel::new(Arc::clone(&engine), context(method)).sharing(Arc::clone(&readings));
            let mut alone = LocalModel::new(Arc::clone(&engine), context(method));
            let ((own, read_beside), (expected, read_alone)) =
                (read(&mut beside, shared), read(&mut alone, shared));
            assert_eq!(own.tokens, expected.tokens, "{method}");
            assert_eq!(own.account.read_tokens, expected.account.read_tokens, "{method}");
            assert_eq!(own.account.context, expected.account.context, "{method}");
            let (few, many) = (read_beside * 2 < read_alone, read_beside == read_alone);
            // What had been read for the questions before lies there too.
            let expected = if reads_alike || (shared == 0 && method == "full") { few } else { many };
            assert!(expected, "{method}, {shared} shared: {read_beside} of {read_alone} tokens");
        }
    }
}

#[test]
fn a_draft_reads_what_questions_share_once() {
    let text = "the wind went over the field and the gate stood open. ".repeat(40);
    let method = "spec-pc:budget=64,window=8,from_layer=0";
    let mut alone = LocalModel::new(engine(), context(method));
    let mut beside = LocalModel::new(engine(), context(method)).sharing(Arc::default());
    for (number, question) in ["Who came?", "What stood open?", "Where did the wind go?"].iter().enumerate() {
        let (mut read, mut before) = (0, 0);
        let mut watch = |progress: Progress| {
            read += if progress.done > before { progress.done - before } else { progress.done };
            before = progress.done;
        };
        let mut control = Control { progress: Some(&mut watch), ..Control::default() };
        let whole = format!("{text}{question}");
        let input = Input { shared: text.len(), ..Input::text(&whole) };
        let mut quiet = |_: &str| ControlFlow::Continue(());
        let own = beside.answer(&input, &options(), &mut control, &mut quiet).unwrap();
        let expected = alone.answer(&input, &options(), &mut Control::default(), &mut quiet).unwrap();
        assert_eq!(own.tokens, expected.tokens, "{question}");
        assert_eq!(own.account.context, expected.account.context, "{question}");
        let prompt = own.account.prompt_tokens;
        assert_eq!(read * 2 < prompt, number > 0, "{question}: {read} of {prompt} tokens");
    }
}

#[test]
fn a_probe_reads_once_for_all_methods_that_read_alike() {
    let text = "the wind went over the field and the gate stood open. ".repeat(80);
    let probed = |methods: &[&str]| {
        let mut read = BTreeMap::new();
        // What each of its readings has read so far; another one begins anew.
        let (mut readings, mut before) = (0, 0);
        let mut watch = |progress: Progress| {
            readings += usize::from(progress.done <= before);
            before = progress.done;
            read.insert(readings, progress.done);
        };
        let request = ProbeRequest {
            text: &text,
            methods: methods.iter().map(|method| MethodSpec::parse(method).unwrap()).collect(),
            lengths: Vec::new(),
            depths: 2,
            needles: 1,
            seed: 3,
            context: ContextOptions::default(),
        };
        let mut control = Control { progress: Some(&mut watch), ..Control::default() };
        let report = probe(&engine(), &request, &mut control).unwrap();
        assert!(
            report.results.iter().all(|result| result.error.is_none() && result.prefill_tokens_per_s > 0.0)
        );
        (report.results, read.into_values().sum::<usize>())
    };
    let (alone, once) = probed(&["full"]);
    let (beside, read) = probed(&["full", "recycled-attention", "full"]);
    assert!(read < 2 * once, "{read} tokens read for three methods, {once} for one");
    assert_eq!(beside[2].right_by_depth, alone[0].right_by_depth);
    let (_, twice) = probed(&["full", "window:window=64"]);
    assert_eq!(twice, 2 * once);
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

#[test]
fn where_the_end_of_a_prompt_looks_is_told_row_by_row() {
    let engine = engine();
    let shape = engine.model().shape();
    let mut model = LocalModel::new(engine, context("full"));
    let text = "the wind went over the field and the gate stood open. Who stood open?";
    let from = text.find("Who").unwrap();
    let messages = [Message::new("system", "Be brief."), Message::new("user", text)];
    let mut control = Control::default();
    let last = model.attended(&Input::messages(&messages), from, 0, &mut control).unwrap();
    assert_eq!(last.sums.len(), last.rows * last.tokens.len());
    assert!(last.tokens[last.first()].as_ref().is_some_and(|bytes| bytes.end > from));
    assert!(last.tokens[..last.first()].iter().flatten().all(|bytes| bytes.end <= from));
    for (row, looks) in last.looks().enumerate() {
        let sum: f32 = looks.iter().sum();
        assert!((sum - shape.heads as f32).abs() < 1e-3, "row {row}: {sum}");
        assert!(looks[last.first() + row + 1..].iter().all(|share| *share == 0.0), "nobody looks ahead");
    }
    // Another layer looks elsewhere, and one that is not there is refused with the number of layers.
    let first = model.attended(&Input::messages(&messages), from, shape.layers - 1, &mut control).unwrap();
    assert_eq!((first.rows, first.tokens), (last.rows, last.tokens.clone()));
    assert_ne!(first.sums, last.sums);
    let refused = model.attended(&Input::messages(&messages), from, shape.layers, &mut control);
    assert!(matches!(refused, Err(EngineError::Unsupported(_))));
    // What stands behind the text looks where nothing of the text does.
    let behind = model.attended(&Input::messages(&messages), text.len(), 0, &mut control).unwrap();
    assert!(behind.rows > 0 && behind.rows < last.rows);
    // The attention of an answer is told by places of the message.
    let options = GenerateOptions { evidence: 3, ..options() };
    let input = Input::messages(&messages);
    let answer = model.answer(&input, &options, &mut control, &mut |_| ControlFlow::Continue(())).unwrap();
    assert!(!answer.looked_at.is_empty() && answer.looked_at.len() <= 3);
    assert!(answer.looked_at.iter().all(|(bytes, mass)| text.get(bytes.clone()).is_some() && *mass > 0.0));
    assert!(answer.looked_at.windows(2).all(|pair| pair[0].1 >= pair[1].1));
    // Of a text that inputs share, no place behind it is told.
    let input = Input { shared: from, ..input };
    let answer = model.answer(&input, &options, &mut control, &mut |_| ControlFlow::Continue(())).unwrap();
    assert!(!answer.looked_at.is_empty() && answer.looked_at.iter().all(|(bytes, _)| bytes.end <= from));
}

#[test]
fn an_answer_can_be_held_to_quotes() {
    let mut model = LocalModel::new(engine(), context("full"));
    let texts = ["the gate stood open.", "the gate stood.", "wind"].map(str::to_owned).to_vec();
    let form = Form::Quotes(Quotes {
        texts: texts.clone(),
        before: "- ".to_owned(),
        behind: "\n".to_owned(),
        most: 2,
    });
    let grammar = model.grammar(&form).unwrap();
    assert!(grammar.is_some());
    let options =
        GenerateOptions { max_tokens: 200, grammar, ignore_end: true, ..GenerateOptions::default() };
    let mut quiet = |_: &str| ControlFlow::Continue(());
    let answer = model.generate("which?", &options, &mut Control::default(), &mut quiet).unwrap().text;
    // The small model's tokenizer shows its spaces.
    let answer = answer.replace('\u{2581}', " ");
    let quoted: Vec<&str> = answer.lines().map(|line| line.strip_prefix("- ").unwrap()).collect();
    assert_eq!(quoted.len(), 2, "{answer}");
    assert!(quoted[0] != quoted[1] && quoted.iter().all(|quote| texts.iter().any(|text| text == quote)));
}
