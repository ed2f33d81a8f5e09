//! What was read of long inputs serves the next question, and never changes an answer.

use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use loci_context::MethodSpec;
use loci_engine::ask::{Answer, AskRequest, Listener, ask};
use loci_engine::documents::Document;
use loci_engine::prefix_cache::PrefixCache;
use loci_engine::{ContextOptions, Control, Engine, GenerateOptions};
use loci_kernels::Pool;
use loci_models::reference::TinyModel;

const INF_LLM: &str = "inf-llm:window=128,sinks=8,block_size=16,top_k=4,queries=32";

fn engine(folder: &Path) -> Arc<Engine> {
    let path = folder.join("tiny.gguf");
    if !path.exists() {
        std::fs::write(&path, TinyModel::default().file()).unwrap();
    }
    Arc::new(Engine::open(&path, "tiny", Arc::new(Pool::new(2))).unwrap())
}

fn text(lines: usize) -> String {
    (0..lines).map(|line| format!("Line {} of it.\n", line * 31 % 97)).collect()
}

struct Asked {
    answer: Answer,
    /// Tokens that went through the model.
    read: usize,
}

fn asked(
    engine: &Arc<Engine>,
    cache: Option<&PrefixCache>,
    method: &str,
    text: &str,
    question: &str,
) -> Asked {
    let documents = [Document { name: "a".to_owned(), text: text.to_owned() }];
    let request = AskRequest {
        context: ContextOptions {
            method: Some(MethodSpec::parse(method).unwrap()),
            ..ContextOptions::default()
        },
        generate: GenerateOptions { max_tokens: 8, ignore_end: true, ..GenerateOptions::default() },
        evidence: 100,
        chunk: 128,
        cache,
        ..AskRequest::new(&documents, question)
    };
    let mut on_text = |_: &str| ControlFlow::Continue(());
    let listener = Listener { control: Control::default(), on_plan: &mut |_, _| (), on_text: &mut on_text };
    let before = engine.model().tokens_read();
    let answer = ask(engine, &request, listener).unwrap();
    // Of the answer all tokens but the last are read.
    let read = usize::try_from(engine.model().tokens_read() - before).unwrap() - 7;
    assert_eq!(answer.timing.prefill_tokens + answer.timing.cached_tokens, answer.context.given);
    Asked { answer, read }
}

fn content(asked: &Asked) -> serde_json::Value {
    let mut value = serde_json::to_value(&asked.answer).unwrap();
    value.as_object_mut().unwrap().remove("timing");
    value
}

#[test]
fn a_second_question_reads_only_itself_and_answers_as_without_the_cache() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    let long = text(90);
    for method in [
        "full",
        INF_LLM,
        "em-llm:window=128,sinks=8,queries=32,recall=64,min_block_size=8,max_block_size=32",
        "snap-kv:budget=100",
    ] {
        let cache = PrefixCache::at(&folder.path().join("cache"), 1 << 30);
        let first = asked(&engine, Some(&cache), method, &long, "What?");
        assert_eq!((first.answer.timing.cached_tokens, first.read >= 1024), (0, true));
        for question in ["What?", "And why?"] {
            let second = asked(&engine, Some(&cache), method, &long, question);
            let expected = asked(&engine, None, method, &long, question);
            assert_eq!(content(&second), content(&expected), "{method}");
            assert!(
                second.read < 120 && second.answer.timing.cached_tokens > 1024,
                "{method}: {}",
                second.read
            );
        }
    }
    let cache = PrefixCache::at(&folder.path().join("cache"), 1 << 30);
    assert_eq!(cache.entries().len(), 4, "one for each method");
    // Short inputs are not worth a file.
    asked(&engine, Some(&cache), "full", &text(30), "What?");
    assert_eq!(cache.entries().len(), 4);
}

#[test]
fn a_text_that_begins_alike_is_read_from_where_it_differs_if_the_method_can_go_back() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    let cache = PrefixCache::at(&folder.path().join("cache"), 1 << 30);
    let (long, longer) = (text(90), text(100));
    let mut other = text(90);
    other.replace_range(1300..1304, "wxyz");
    for (method, exact) in [("full", true), (INF_LLM, false)] {
        asked(&engine, Some(&cache), method, &long, "What?");
        for changed in [&longer, &other] {
            let found = asked(&engine, Some(&cache), method, changed, "What?");
            assert_eq!(content(&found), content(&asked(&engine, None, method, changed, "What?")), "{method}");
            assert_eq!(found.answer.timing.cached_tokens >= 1024, exact, "{method}");
        }
    }
    let early = format!("x{long}");
    assert_eq!(asked(&engine, Some(&cache), "full", &early, "What?").answer.timing.cached_tokens, 0);
}

#[test]
fn a_damaged_entry_is_removed_and_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    let cache = PrefixCache::at(&folder.path().join("cache"), 1 << 30);
    let long = text(90);
    let first = asked(&engine, Some(&cache), "full", &long, "What?");
    let entry = cache.entries().remove(0);
    let whole = std::fs::read(&entry.path).unwrap();
    let flipped = whole.len() - 5000;
    for damaged in [whole[..whole.len() / 2].to_vec(), Vec::new(), {
        let mut bytes = whole.clone();
        bytes[flipped] ^= 4;
        bytes
    }] {
        std::fs::write(&entry.path, damaged).unwrap();
        let again = asked(&engine, Some(&cache), "full", &long, "What?");
        assert_eq!((content(&again), again.answer.timing.cached_tokens), (content(&first), 0));
        assert_eq!(std::fs::read(&entry.path).unwrap(), whole, "it was read and kept again");
    }
    // Too small a cache keeps nothing, and costs no answer.
    let small = PrefixCache::at(&folder.path().join("small"), 1000);
    assert_eq!(content(&asked(&engine, Some(&small), "full", &long, "What?")), content(&first));
    assert!(small.entries().is_empty());
    // Nor does one that cannot be written to.
    let no_folder = PrefixCache::at(&folder.path().join("tiny.gguf"), 1 << 30);
    assert_eq!(content(&asked(&engine, Some(&no_folder), "full", &long, "What?")), content(&first));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&entry.path), mode(cache.folder())), (0o600, 0o700));
    }
}

/// Run by the tests below in processes of their own.
#[test]
fn child() {
    let Some(folder) = std::env::var_os("LOCI_TEST_CACHE_FOLDER").map(std::path::PathBuf::from) else {
        return;
    };
    let engine = engine(&folder);
    let cache = PrefixCache::at(&folder.join("cache"), 3 << 20);
    for round in 0..12 {
        let long = text(80 + round % 4);
        let with = asked(&engine, Some(&cache), "full", &long, "What?");
        assert_eq!(content(&with), content(&asked(&engine, None, "full", &long, "What?")));
    }
}

fn spawn(folder: &Path) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["prefix_cache::child", "--exact"])
        .env("LOCI_TEST_CACHE_FOLDER", folder)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn two_processes_share_a_cache_that_is_too_small_for_both() {
    let folder = tempfile::tempdir().unwrap();
    engine(folder.path());
    let children = [spawn(folder.path()), spawn(folder.path())];
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let cache = PrefixCache::at(&folder.path().join("cache"), 3 << 20);
    assert!(!cache.entries().is_empty() && cache.bytes() <= 3 << 20);
}

#[test]
#[cfg(unix)]
fn a_process_that_is_killed_while_it_writes_leaves_nothing_that_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    let cache = PrefixCache::at(&folder.path().join("cache"), 1 << 30);
    let parts = || {
        let files = std::fs::read_dir(cache.folder()).into_iter().flatten().flatten();
        files.filter(|file| file.path().extension().is_some_and(|kind| kind == "part")).count()
    };
    let mut interrupted = 0;
    for _ in 0..10 {
        let mut child = spawn(folder.path());
        // As soon as a file is being written.
        while parts() == 0 && child.try_wait().unwrap().is_none() {
            std::hint::spin_loop();
        }
        // SIGKILL.
        child.kill().unwrap();
        child.wait().unwrap();
        interrupted += usize::from(parts() > 0);
        for entry in cache.entries() {
            // Whatever is there under its name is whole.
            loci_engine::Reading::open(&engine, &entry.path).unwrap();
            cache.remove(&entry);
        }
        cache.shrink();
        assert!(parts() == 0 || !cfg!(target_os = "linux"), "what was left is removed");
    }
    assert!(interrupted > 0, "no process was killed in the middle of a write");
}
