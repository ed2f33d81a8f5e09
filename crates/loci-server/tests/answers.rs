//! Chats and completions.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails by panicking

mod common;

use std::io::{Read, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use common::{Server, engine, settings};
use loci_engine::{ContextOptions, Control, GenerateOptions, LanguageModel, LocalModel};
use loci_models::template::Message;
use loci_server::http::key_hash;
use serde_json::{Value, json};

fn question(text: &str) -> Value {
    json!({ "model": "tiny", "messages": [{ "role": "user", "content": text }], "max_tokens": 12 })
}

fn with(mut body: Value, name: &str, value: Value) -> Value {
    body[name] = value;
    body
}

/// A question that is answered without end: no token may end it.
fn endless(folder: &Path, words: &str, tokens: usize) -> Value {
    let engine = engine(folder);
    let ends = engine.tokenizer().unwrap().ends();
    let bias: serde_json::Map<String, Value> = ends.iter().map(|id| (id.to_string(), json!(-100))).collect();
    with(with(question(words), "max_tokens", json!(tokens)), "logit_bias", Value::Object(bias))
}

fn text(reply: &Value) -> String {
    reply["choices"][0]["message"]["content"].as_str().unwrap().to_owned()
}

#[test]
fn a_chat_is_what_the_engine_says_streamed_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::plain(folder.path());
    let body = question("What is the key?");
    let reply = server.post("/v1/chat/completions", &body);
    assert_eq!(reply.status, 200, "{}", reply.text);
    let reply = reply.json();
    let mut model = LocalModel::new(engine(folder.path()), ContextOptions::default());
    let options = GenerateOptions { max_tokens: 12, ..GenerateOptions::default() };
    let mut quiet = |_: &str| ControlFlow::Continue(());
    let messages = [Message::new("user", "What is the key?")];
    let expected = model.chat(&messages, &options, &mut Control::default(), &mut quiet).unwrap();
    assert_eq!(text(&reply), expected.text);
    assert_eq!(reply["object"], "chat.completion");
    assert_eq!(reply["usage"]["completion_tokens"], expected.tokens.len());
    assert_eq!(reply["usage"]["prompt_tokens"], expected.account.prompt_tokens);
    assert!(["stop", "length"].contains(&reply["choices"][0]["finish_reason"].as_str().unwrap()));
    let context = &reply["loci"]["context"];
    assert_eq!(context["given"], reply["usage"]["prompt_tokens"]);
    assert!(reply["loci"]["method"].as_str().unwrap().starts_with("full"), "{reply}");

    let streamed =
        with(with(body, "stream", json!(true)), "stream_options", json!({ "include_usage": true }));
    let events = server.post("/v1/chat/completions", &streamed).events();
    let words: String =
        events.iter().filter_map(|event| event["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(words, expected.text);
    assert_eq!(events[0]["choices"][0]["delta"]["role"], "assistant");
    let last = events.last().unwrap();
    assert_eq!(last["usage"]["completion_tokens"], expected.tokens.len());
    // Nothing but the last token was read again.
    let cached = last["usage"]["prompt_tokens_details"]["cached_tokens"].as_u64().unwrap();
    assert_eq!(cached as usize, expected.account.prompt_tokens - 1);
    let ended = &events[events.len() - 2];
    assert_eq!(ended["choices"][0]["finish_reason"], reply["choices"][0]["finish_reason"]);
    assert!(ended["loci"]["method"].is_string());
}

#[test]
fn many_at_once_get_what_each_would_get_alone() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::plain(folder.path());
    let asked: Vec<Value> = (0..6)
        .map(|at| {
            let body = question(&format!("{at} and {}, what follows? {}", at * 7, "word ".repeat(at * 9)));
            with(with(body, "temperature", json!(0.9)), "seed", json!(at))
        })
        .collect();
    let alone: Vec<String> =
        asked.iter().map(|body| text(&server.post("/v1/chat/completions", body).json())).collect();
    let fresh = tempfile::tempdir().unwrap();
    let other = Server::plain(fresh.path());
    let together: Vec<String> = std::thread::scope(|scope| {
        let other = &other;
        let threads: Vec<_> = asked
            .iter()
            .map(|body| scope.spawn(move || text(&other.post("/v1/chat/completions", body).json())))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(together, alone);
}

#[test]
fn several_answers_differ_by_their_seeds_alone() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::plain(folder.path());
    let body = with(with(question("Tell me."), "temperature", json!(1.5)), "seed", json!(5));
    let three = server.post("/v1/chat/completions", &with(body.clone(), "n", json!(3))).json();
    let choices = three["choices"].as_array().unwrap();
    assert_eq!(choices.len(), 3);
    for (at, choice) in choices.iter().enumerate() {
        assert_eq!(choice["index"], at);
        let one = server.post("/v1/chat/completions", &with(body.clone(), "seed", json!(5 + at))).json();
        assert_eq!(choice["message"]["content"], one["choices"][0]["message"]["content"], "{at}");
    }
    assert_ne!(choices[0]["message"]["content"], choices[1]["message"]["content"]);
}

#[test]
fn plain_text_is_continued_from_words_or_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::plain(folder.path());
    let body = json!({ "prompt": "The_grass_is", "max_tokens": 8 });
    let words = server.post("/v1/completions", &body).json();
    let tokens = server.post("/v1/tokenize", &json!({ "text": "The_grass_is", "add_bos": true })).json();
    let again =
        server.post("/v1/completions", &with(body.clone(), "prompt", tokens["tokens"].clone())).json();
    assert_eq!(words["choices"][0]["text"], again["choices"][0]["text"]);
    let echoed = server.post("/v1/completions", &with(body.clone(), "echo", json!(true))).json();
    let expected = format!("The_grass_is{}", words["choices"][0]["text"].as_str().unwrap());
    assert_eq!(echoed["choices"][0]["text"], expected.as_str());
    let events = server.post("/v1/completions", &with(body, "stream", json!(true))).events();
    let streamed: String = events.iter().filter_map(|event| event["choices"][0]["text"].as_str()).collect();
    assert_eq!(streamed, words["choices"][0]["text"].as_str().unwrap());
    let back = server.post("/v1/detokenize", &json!({ "tokens": tokens["tokens"] })).json();
    assert_eq!(back["text"].as_str().unwrap(), "The_grass_is");
}

#[test]
fn what_cannot_be_done_is_refused_with_the_field_at_fault() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::plain(folder.path());
    let body = question("Why?");
    let long = "The grass is green. ".repeat(40);
    for (body, status, code, param) in [
        (with(body.clone(), "model", json!("other")), 404, "model_not_found", Some("model")),
        (with(body.clone(), "temperature", json!(3)), 400, "invalid_value", Some("temperature")),
        (with(body.clone(), "n", json!(99)), 400, "invalid_value", Some("n")),
        (with(body.clone(), "stop", json!([""])), 400, "invalid_value", Some("stop")),
        (with(body.clone(), "surprise", json!(1)), 400, "unknown_parameter", Some("surprise")),
        (with(body.clone(), "store", json!(true)), 400, "unknown_parameter", Some("store")),
        (with(body.clone(), "messages", json!([])), 400, "empty_messages", Some("messages")),
        (with(body.clone(), "messages", json!("hello")), 400, "invalid_json", None),
        (
            with(body.clone(), "loci", json!({ "method": "nonsense" })),
            400,
            "invalid_method",
            Some("loci.method"),
        ),
        (with(body.clone(), "loci", json!({ "budget": "much" })), 400, "invalid_budget", Some("loci.budget")),
        (with(body.clone(), "loci", json!({ "reading": "r_0" })), 404, "reading_not_found", None),
        (with(body.clone(), "loci", json!({ "color": 1 })), 400, "invalid_json", None),
        (
            with(question(&long), "loci", json!({ "method": "full" })),
            400,
            "context_length_exceeded",
            Some("messages"),
        ),
    ] {
        let reply = server.post("/v1/chat/completions", &body);
        assert_eq!(reply.status, status, "{body}: {}", reply.text);
        let error = &reply.json()["error"];
        assert_eq!(error["code"], code, "{body}: {error}");
        assert_eq!(error["param"].as_str(), param, "{body}: {error}");
        assert!(error["message"].as_str().unwrap().len() > 10);
    }
    // The same text is read without a word about methods, and nothing is lost.
    let read = server.post("/v1/chat/completions", &question(&long)).json();
    assert!(read["loci"]["method"].as_str().unwrap().starts_with("inf-llm"), "{read}");
    assert_eq!(read["loci"]["context"]["read"], read["usage"]["prompt_tokens"]);
    let tight = with(question(&long), "loci", json!({ "budget": "1KiB" }));
    let refused = server.post("/v1/chat/completions", &tight);
    assert_eq!((refused.status, refused.json()["error"]["code"].as_str()), (400, Some("budget_too_small")));

    assert_eq!(server.get("/v1/nothing").status, 404);
    assert_eq!(server.get("/v1/chat/completions").status, 405);
    assert_eq!(server.send("/v1/chat/completions", "text/plain", b"{}").status, 415);
    assert_eq!(server.send("/v1/chat/completions", "application/json", b"{").status, 400);
    // Refused before it is sent.
    let mut stream = std::net::TcpStream::connect(server.address).unwrap();
    let head = "POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2097152\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let mut first = [0; 12];
    stream.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 413");
}

#[test]
fn a_key_is_asked_for_where_one_is_set() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(
        folder.path(),
        loci_server::Settings { keys: vec![key_hash("open sesame")], ..settings(folder.path()) },
    );
    assert_eq!(server.get("/health").status, 200);
    assert_eq!(server.get("/v1/models").json()["error"]["code"], "missing_api_key");
    let wrong = server.get_with_key("/v1/models", "open");
    assert_eq!((wrong.status, wrong.json()["error"]["code"].as_str()), (401, Some("invalid_api_key")));
    assert_eq!(server.get_with_key("/v1/models", "open sesame").json()["data"][0]["id"], "tiny");
    assert_eq!(server.get("/metrics").status, 401);
}

#[test]
fn limits_are_told_and_clients_that_leave_are_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let mut limited = settings(folder.path());
    limited.limits.concurrent = 1;
    limited.limits.queue = 1;
    let server = Server::start(folder.path(), limited);
    server.start_and_leave(&with(endless(folder.path(), "Go on.", 100_000), "stream", json!(true)));
    server.until(|status| status["requests"]["cancelled"] == 1 && status["requests"]["running"] == 0);
    // One works, one waits, the third is refused.
    std::thread::scope(|scope| {
        let body = endless(folder.path(), "Go on and on.", 3_000);
        let (first, second) = (body.clone(), with(body.clone(), "max_tokens", json!(2)));
        let server = &server;
        let one = scope.spawn(move || server.post("/v1/chat/completions", &first).status);
        server.until(|status| status["requests"]["running"] == 1);
        let two = scope.spawn(move || server.post("/v1/chat/completions", &second).status);
        server.until(|status| status["requests"]["queued"] == 1);
        let third = server.post("/v1/chat/completions", &body);
        assert_eq!((third.status, third.json()["error"]["code"].as_str()), (429, Some("queue_full")));
        assert_eq!((one.join().unwrap(), two.join().unwrap()), (200, 200));
    });
    let status = server.get("/v1/loci/status").json();
    assert_eq!(status["requests"]["refused"], 1);
    assert!(status["tokens"]["decode"].as_u64().unwrap() > 3_000 - 10);
    let metrics = server.get("/metrics").text;
    assert!(metrics.contains("loci_requests_refused_total 1\n"), "{metrics}");
}

#[test]
fn a_request_that_takes_too_long_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    let mut short = settings(folder.path());
    short.limits.timeout = Duration::from_millis(300);
    let server = Server::start(folder.path(), short);
    let body = endless(folder.path(), "Go on.", 1_000_000);
    let reply = server.post("/v1/chat/completions", &body);
    assert_eq!((reply.status, reply.json()["error"]["code"].as_str()), (408, Some("timeout")));
    // A stream says so as its last event.
    let reply = server.post("/v1/chat/completions", &with(body, "stream", json!(true)));
    assert!(reply.text.contains("\"code\":\"timeout\"") && !reply.text.contains("[DONE]"), "{}", reply.text);
    assert_eq!(server.post("/v1/chat/completions", &question("And now?")).status, 200);
}

#[test]
fn who_has_heard_all_did_not_leave_early() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::plain(folder.path());
    let mut body = json!({ "messages": [{ "role": "user", "content": "Hi" }], "max_tokens": 2, "n": 2 });
    for at in 0..40 {
        body["stream"] = json!(at % 2 == 0);
        assert_eq!(server.post("/v1/chat/completions", &body).status, 200);
    }
    let status = server.until(|status| status["requests"]["running"] == 0);
    assert_eq!(
        (&status["requests"]["done"], &status["requests"]["cancelled"]),
        (&json!(40), &json!(0)),
        "{status}"
    );
}
