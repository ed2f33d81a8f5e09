//! Texts that are read once and asked about.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails by panicking

mod common;

use common::{Server, settings};
use loci_server::Settings;
use serde_json::{Value, json};

const TEXT: &str = "The grass is grün. The key is 71432. ";

fn add(server: &Server, repeats: usize, more: Value) -> Value {
    let mut body = json!({
        "name": "Meadow",
        "documents": [
            { "name": "a.txt", "text": TEXT.repeat(repeats) },
            { "name": "a.txt", "text": "Another text of the same name." },
        ],
    });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    let reply = server.post("/v1/loci/readings", &body);
    assert_eq!(reply.status, 202, "{}", reply.text);
    reply.json()
}

fn ask(server: &Server, id: &str, question: &str) -> Value {
    let reply = server.post(
        "/v1/chat/completions",
        &json!({
            "messages": [{ "role": "user", "content": question }],
            "max_tokens": 8,
            "loci": { "reading": id, "map": 10 },
        }),
    );
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.json()
}

#[test]
fn a_text_is_read_once_and_its_answers_say_where_from() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::plain(folder.path());
    let added = add(&server, 20, json!({}));
    let id = added["id"].as_str().unwrap();
    let view = server.wait_for(id);
    assert_eq!((view["status"].as_str(), view["name"].as_str()), (Some("ready"), Some("Meadow")), "{view}");
    assert!(view["method"].as_str().unwrap().starts_with("inf-llm"), "longer than the window: {view}");
    assert_eq!(view["context"]["read"], view["tokens"]);
    assert_eq!(view["documents"][1]["name"], "a.txt (2)", "names are told apart");

    let answer = ask(&server, id, "What is the key?");
    let (usage, loci) = (&answer["usage"], &answer["loci"]);
    assert_eq!(usage["prompt_tokens_details"]["cached_tokens"], view["tokens"], "nothing was read again");
    let read = loci["timing"]["prefill_tokens"].as_u64().unwrap();
    assert_eq!(read + view["tokens"].as_u64().unwrap(), usage["prompt_tokens"].as_u64().unwrap());
    assert!(!loci["evidence"].as_array().unwrap().is_empty());
    for found in loci["evidence"].as_array().unwrap() {
        let number = found["document"].as_u64().unwrap();
        let text = server.get(&format!("/v1/loci/readings/{id}/documents/{number}")).text;
        let at = |name: &str| usize::try_from(found[name].as_u64().unwrap()).unwrap();
        assert_eq!(&text.as_bytes()[at("start")..at("end")], found["text"].as_str().unwrap().as_bytes());
    }
    let cells = loci["map"]["cells"].as_array().unwrap();
    assert!((9..=12).contains(&cells.len()), "{cells:?}");
    assert_eq!(cells[0]["start"], 0);
    assert!(cells.iter().all(|cell| cell["held"] == 1.0), "inf-llm keeps everything: {cells:?}");
    let mass: f64 = cells.iter().map(|cell| cell["mass"].as_f64().unwrap()).sum();
    assert!(mass > 0.1 && mass < 1.01, "{mass}");

    // A second question changes nothing for a third.
    let other = ask(&server, id, "Of what colour is the grass?");
    assert_ne!(other["choices"], answer["choices"]);
    assert_eq!(ask(&server, id, "What is the key?")["choices"], answer["choices"]);
}

#[test]
fn tools_go_with_a_question_about_a_text() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::plain(folder.path());
    let id = add(&server, 4, json!({}))["id"].as_str().unwrap().to_owned();
    server.wait_for(&id);
    let alone = ask(&server, &id, "Open the gate.");
    let parameters =
        json!({ "type": "object", "properties": { "key": { "type": "integer" } }, "required": ["key"] });
    let tool = json!({ "type": "function", "function": { "name": "open", "parameters": parameters } });
    let body = json!({
        "messages": [{ "role": "user", "content": "Open the gate." }],
        "max_tokens": 200,
        "tools": [tool],
        "tool_choice": "required",
        "parallel_tool_calls": false,
        "loci": { "reading": id },
    });
    let called = server.post("/v1/chat/completions", &body).json();
    let call = &called["choices"][0]["message"]["tool_calls"][0]["function"];
    // A random model may fill the whole number with digits and never end; then there is no call, but the form of one.
    let form = call["name"] == "open" || called["choices"][0]["finish_reason"] == "length";
    assert!(form, "{called}");
    let tokens = |answer: &Value| answer["usage"]["prompt_tokens"].as_u64().unwrap();
    assert!(tokens(&called) > tokens(&alone) + 50, "the tool is read with the question");
    assert_eq!(
        called["usage"]["prompt_tokens_details"]["cached_tokens"],
        alone["usage"]["prompt_tokens_details"]["cached_tokens"],
        "and the text is not read again"
    );
}

#[test]
fn another_method_reads_the_same_documents() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::plain(folder.path());
    let first = add(&server, 20, json!({}));
    let id = first["id"].as_str().unwrap();
    let body = json!({ "from": id, "method": "window:window=64" });
    let second = server.post("/v1/loci/readings", &body).json();
    let view = server.wait_for(second["id"].as_str().unwrap());
    assert_eq!(view["status"], "ready", "{view}");
    assert_eq!(view["documents"], first["documents"]);
    assert!(view["context"]["dropped"].as_u64().unwrap() > 0);
    let answer = ask(&server, second["id"].as_str().unwrap(), "What is the key?");
    let cells = answer["loci"]["map"]["cells"].as_array().unwrap();
    assert_eq!(cells[0]["held"], 0.0, "the beginning was dropped");
    for (method, code) in [("nonsense", "invalid_method"), ("spec-pc", "invalid_method")] {
        let reply = server.post("/v1/loci/readings", &json!({ "from": id, "method": method }));
        assert_eq!(
            (reply.status, reply.json()["error"]["code"].as_str()),
            (400, Some(code)),
            "{}",
            reply.text
        );
    }
    // A reading has its method; a question cannot bring another.
    let body = json!({
        "messages": [{ "role": "user", "content": "?" }],
        "loci": { "reading": id, "method": "full" },
    });
    let reply = server.post("/v1/chat/completions", &body);
    assert_eq!((reply.status, reply.json()["error"]["param"].as_str()), (400, Some("loci.method")));
}

#[test]
fn files_come_as_a_form_and_only_their_names_count() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::plain(folder.path());
    let part =
        |head: &str, text: &str| format!("--XX\r\ncontent-disposition: form-data; {head}\r\n\r\n{text}\r\n");
    let form = [
        part("name=\"file\"; filename=\"../../etc/passwd.txt\"", &TEXT.repeat(3)),
        part("name=\"method\"", "full"),
        "--XX--\r\n".to_owned(),
    ]
    .concat();
    let reply = server.send("/v1/loci/readings", "multipart/form-data; boundary=XX", form.as_bytes());
    assert_eq!(reply.status, 202, "{}", reply.text);
    let view = server.wait_for(reply.json()["id"].as_str().unwrap());
    assert_eq!(view["documents"][0]["name"], "passwd.txt");
    assert!(view["method"].as_str().unwrap().starts_with("full"), "{view}");
    let broken = form.replace("The grass", "\0\u{1}\u{2}");
    let reply = server.send("/v1/loci/readings", "multipart/form-data; boundary=XX", broken.as_bytes());
    assert_eq!((reply.status, reply.json()["error"]["code"].as_str()), (400, Some("invalid_document")));
    for body in
        [json!({}), json!({ "documents": [] }), json!({ "documents": [{ "name": "a", "text": " " }] })]
    {
        assert_eq!(server.post("/v1/loci/readings", &body).status, 400, "{body}");
    }
}

#[test]
fn readings_outlive_the_server_and_unfinished_ones_are_begun_again() {
    let folder = tempfile::tempdir().unwrap();
    let (id, answer, waiting) = {
        let server = Server::plain(folder.path());
        let id = add(&server, 20, json!({}))["id"].as_str().unwrap().to_owned();
        server.wait_for(&id);
        let answer = ask(&server, &id, "What is the key?");
        let changed =
            server.patch(&format!("/v1/loci/readings/{id}"), &json!({ "name": "Field", "pinned": true }));
        assert_eq!(changed.json()["name"], "Field");
        // Ends before it is read.
        (id, answer, add(&server, 800, json!({}))["id"].as_str().unwrap().to_owned())
    };
    // As kill -9 may leave things: something half made, and a reading cut short.
    let readings = folder.path().join("data/readings");
    std::fs::create_dir(readings.join(".passing-r_1")).unwrap();
    std::fs::write(readings.join(".passing-r_1/documents.json"), "[").unwrap();
    std::fs::write(readings.join(&waiting).join("reading.loci"), b"loci").unwrap();
    std::fs::write(readings.join(&waiting).join(".reading.loci.part"), b"loci").unwrap();
    let server = Server::plain(folder.path());
    assert!(!readings.join(".passing-r_1").exists());
    assert!(!readings.join(&waiting).join(".reading.loci.part").exists());
    let view = server.get(&format!("/v1/loci/readings/{id}")).json();
    assert_eq!((view["status"].as_str(), view["name"].as_str()), (Some("ready"), Some("Field")));
    assert_eq!(view["pinned"], true);
    assert_eq!(ask(&server, &id, "What is the key?")["choices"], answer["choices"]);
    assert_eq!(server.wait_for(&waiting)["status"], "ready");
    let listed = server.get("/v1/loci/readings").json();
    assert_eq!(listed["readings"].as_array().unwrap().len(), 2);

    let deleted = server.delete(&format!("/v1/loci/readings/{waiting}"));
    assert_eq!(deleted.json()["deleted"], true);
    assert_eq!(server.get(&format!("/v1/loci/readings/{waiting}")).status, 404);
    assert!(!readings.join(&waiting).exists());
}

#[test]
fn one_that_is_being_read_can_be_stopped_and_questions_go_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), settings(folder.path()));
    let long = add(&server, 5_000, json!({}));
    let id = long["id"].as_str().unwrap();
    server.until(|status| status["requests"]["running"] == 1);
    let body = json!({ "messages": [{ "role": "user", "content": "Hello" }], "max_tokens": 4 });
    assert_eq!(server.post("/v1/chat/completions", &body).status, 200);
    let view = server.get(&format!("/v1/loci/readings/{id}")).json();
    assert!(["queued", "reading"].contains(&view["status"].as_str().unwrap()), "{view}");
    let early = json!({
        "messages": [{ "role": "user", "content": "Hello" }],
        "loci": { "reading": id },
    });
    let reply = server.post("/v1/chat/completions", &early);
    assert_eq!((reply.status, reply.json()["error"]["code"].as_str()), (409, Some("reading_not_ready")));
    assert_eq!(server.delete(&format!("/v1/loci/readings/{id}")).status, 200);
    server.until(|status| status["requests"]["running"] == 0);
}

#[test]
fn servers_share_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (Server::plain(folder.path()), Server::plain(folder.path()));
    let added = add(&one, 20, json!({}));
    let id = added["id"].as_str().unwrap();
    assert_eq!(one.wait_for(id)["status"], "ready");
    // Asked at the other before it has looked around by itself.
    let answer = ask(&other, id, "What is the key?");
    assert_eq!(answer["choices"], ask(&one, id, "What is the key?")["choices"]);
    assert_eq!(other.patch(&format!("/v1/loci/readings/{id}"), &json!({ "name": "Lawn" })).status, 200);
    one.until_listed(id, |view| view.is_some_and(|view| view["name"] == "Lawn"));
    assert_eq!(other.delete(&format!("/v1/loci/readings/{id}")).status, 200);
    one.until_listed(id, |view| view.is_none());
    assert_eq!(
        std::fs::read_dir(folder.path().join("data/readings")).unwrap().count(),
        1,
        "the lock is left"
    );

    // Long enough to be at work when its server ends: the other one takes it over, once.
    let added = add(&one, 800, json!({}));
    let id = added["id"].as_str().unwrap();
    one.until_listed(id, |view| view.is_some_and(|view| view["status"] == "reading"));
    drop(one);
    other.until_listed(id, |view| view.is_some_and(|view| view["status"] != "queued"));
    assert_eq!(other.wait_for(id)["status"], "ready");
    assert!(ask(&other, id, "What is the key?")["choices"].is_array());
}

#[test]
fn those_used_longest_ago_make_room_unless_they_are_pinned() {
    let folder = tempfile::tempdir().unwrap();
    let first = {
        let server = Server::plain(folder.path());
        let id = add(&server, 20, json!({}))["id"].as_str().unwrap().to_owned();
        server.wait_for(&id)
    };
    // Room for three and a half.
    let limit = first["bytes"].as_u64().unwrap() * 7 / 2;
    let server =
        Server::start(folder.path(), Settings { readings_bytes: Some(limit), ..settings(folder.path()) });
    let pinned = first["id"].as_str().unwrap();
    assert_eq!(server.patch(&format!("/v1/loci/readings/{pinned}"), &json!({ "pinned": true })).status, 200);
    let new = || {
        let id = add(&server, 20, json!({}))["id"].as_str().unwrap().to_owned();
        assert_eq!(server.wait_for(&id)["status"], "ready");
        id
    };
    let (old, unused) = (new(), new());
    ask(&server, &old, "What is the key?");
    let newest = new();
    server.until_listed(&unused, |view| view.is_none());
    for kept in [pinned, &old, &newest] {
        assert_eq!(server.get(&format!("/v1/loci/readings/{kept}")).json()["status"], "ready");
    }
}
