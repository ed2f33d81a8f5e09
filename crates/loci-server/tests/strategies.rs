//! Reading strategies in chats, and reranking.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails by panicking

mod common;

use common::Server;
use serde_json::{Value, json};

const INN: &str = "Martha Oakes keeps the inn by the harbour. It rains a lot there.";
const MILL: &str = "Lars Holm built the mill. It burned down.";

fn question(read: &str) -> Value {
    json!({
        "model": "tiny",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Who built the mill?"}],
        "max_tokens": 4,
        "loci": {
            "read": read,
            "documents": [{"name": "inn", "text": INN}, {"name": "mill", "text": MILL}],
        },
    })
}

fn with(mut body: Value, pointer: &str, value: Value) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    body.pointer_mut(parent).unwrap()[name] = value;
    body
}

#[test]
fn a_strategy_answers_with_passages_of_the_documents() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::plain(folder.path());
    let reads = [
        "plain",
        "rag:top=1,words=10",
        "alr2:quotes=1",
        "infini-retri:window=40,top_k=8",
        "full-ranking:room=0",
    ];
    for read in reads {
        let reply = server.post("/v1/chat/completions", &question(read));
        assert_eq!(reply.status, 200, "{read}: {}", reply.text);
        let reply = reply.json();
        assert!(reply["choices"][0]["message"]["content"].is_string());
        assert!(reply["usage"]["prompt_tokens"].as_u64().unwrap() > 0);
        let loci = &reply["loci"];
        for found in loci["evidence"].as_array().unwrap() {
            let text = if found["file"] == "inn" { INN } else { MILL };
            let at = |name: &str| usize::try_from(found[name].as_u64().unwrap()).unwrap();
            assert_eq!(&text[at("start")..at("end")], found["text"].as_str().unwrap(), "{read}");
        }
        assert!(loci["reading"]["shown"].as_u64() <= loci["reading"]["given"].as_u64());
    }
    let found = server.post("/v1/chat/completions", &question("rag:top=1,words=10")).json();
    assert_eq!(found["loci"]["evidence"][0]["text"], "Lars Holm built the mill. It burned down.");
    assert_eq!(found["loci"]["evidence"][0]["file"], "mill");
}

#[test]
fn a_stream_holds_the_same_words_and_ends_with_the_account() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::plain(folder.path());
    let body = question("alr2:quotes=1");
    let whole = server.post("/v1/chat/completions", &body).json();
    let streamed =
        with(with(body, "/stream", json!(true)), "/stream_options", json!({"include_usage": true}));
    let events = server.post("/v1/chat/completions", &streamed).events();
    let words: String =
        events.iter().filter_map(|event| event["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(words, whole["choices"][0]["message"]["content"].as_str().unwrap());
    assert_eq!(events[0]["choices"][0]["delta"]["role"], "assistant");
    assert_eq!(events.last().unwrap()["usage"]["completion_tokens"], whole["usage"]["completion_tokens"]);
    assert_eq!(events[events.len() - 2]["loci"]["evidence"], whole["loci"]["evidence"]);
}

#[test]
fn a_saved_reading_s_documents_can_be_read_by_a_strategy() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::plain(folder.path());
    let added = json!({"name": "mill", "documents": [{"name": "mill", "text": MILL}]});
    let id = server.post("/v1/loci/readings", &added).json()["id"].as_str().unwrap().to_owned();
    server.wait_for(&id);
    let mut body = question("rag:top=1,words=20");
    body["loci"] = json!({"read": "rag:top=1,words=20", "reading": id});
    let reply = server.post("/v1/chat/completions", &body);
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(reply.json()["loci"]["evidence"][0]["text"], MILL);
}

#[test]
fn what_does_not_go_together_is_refused_with_its_field() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::plain(folder.path());
    let body = || question("rag");
    for (body, param) in [
        (with(body(), "/loci/read", json!("nonsense")), "loci.read"),
        (with(body(), "/loci/documents", Value::Null), "loci.documents"),
        (with(body(), "/loci/documents", json!([])), "loci.documents"),
        (with(body(), "/n", json!(2)), "n"),
        (with(body(), "/logprobs", json!(true)), "logprobs"),
        (with(body(), "/tools", json!([])), "tools"),
        (
            with(
                body(),
                "/messages",
                json!([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]),
            ),
            "messages",
        ),
    ] {
        let reply = server.post("/v1/chat/completions", &body);
        assert_eq!(reply.status, 400, "{}", reply.text);
        assert_eq!(reply.json()["error"]["param"], param, "{}", reply.text);
    }
    // A strategy that ranks by meaning needs an encoder, which this server has not.
    let reply = server.post("/v1/chat/completions", &question("rag:by=meaning"));
    assert!(reply.status == 400 && reply.text.contains("encoder"), "{}", reply.text);
}

#[test]
fn a_model_ranks_documents_all_of_them_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::plain(folder.path());
    let documents = [INN, MILL, "Gulls.", "Boats."];
    for loci in [json!({"room": 0}), json!({"room": 0, "window": 2, "step": 1, "words": 4})] {
        let body = json!({"query": "mill?", "documents": documents, "return_documents": true, "loci": loci});
        let reply = server.post("/v1/rerank", &body);
        assert_eq!(reply.status, 200, "{}", reply.text);
        let reply = reply.json();
        let results = reply["results"].as_array().unwrap();
        let mut indexes: Vec<u64> = results.iter().map(|one| one["index"].as_u64().unwrap()).collect();
        let scores: Vec<f64> = results.iter().map(|one| one["relevance_score"].as_f64().unwrap()).collect();
        assert_eq!(scores, [1.0, 0.75, 0.5, 0.25]);
        for one in results {
            assert_eq!(one["document"]["text"], documents[one["index"].as_u64().unwrap() as usize]);
        }
        indexes.sort_unstable();
        assert_eq!(indexes, [0, 1, 2, 3]);
        assert_eq!((&reply["loci"]["by"], &reply["model"]), (&json!("full-ranking"), &json!("tiny")));
        let calls = if loci["window"].is_null() { 1 } else { 3 };
        assert_eq!(reply["loci"]["calls"], calls, "{reply}");
    }
    let body = json!({"query": "mill?", "documents": [{"text": "a"}, "b"], "top_n": 1, "loci": {"room": 0}});
    let top = server.post("/v1/rerank", &body).json();
    assert_eq!(top["results"].as_array().unwrap().len(), 1);
    assert!(top["results"][0]["document"].is_null());
    // What does not fit the model's window is said, with the way out.
    let reply = server.post("/v1/rerank", &json!({"query": "mill?", "documents": documents}));
    assert!(reply.status == 400 && reply.text.contains("rank fewer"), "{}", reply.text);
}

#[test]
fn rerank_refuses_what_it_cannot_rank() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::plain(folder.path());
    for (body, param) in [
        (json!({"query": " ", "documents": ["a"]}), "query"),
        (json!({"query": "a", "documents": []}), "documents"),
        (json!({"query": "a", "documents": ["a"], "top_n": 0}), "top_n"),
    ] {
        let reply = server.post("/v1/rerank", &body);
        assert_eq!(reply.status, 400, "{}", reply.text);
        assert_eq!(reply.json()["error"]["param"], param);
    }
    let reply = server.post("/v1/rerank", &json!({"model": "other", "query": "a", "documents": ["a"]}));
    assert_eq!(reply.status, 404);
    let reply = server.post("/v1/rerank", &json!({"query": "a", "documents": ["a"], "nonsense": 1}));
    assert_eq!(reply.status, 400);
}
