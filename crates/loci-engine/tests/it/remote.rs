//! A model behind an endpoint, with a local stand-in for the endpoint.
#![cfg(feature = "remote")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::ControlFlow;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use loci_engine::language_model::{RemoteModel, RemoteOptions};
use loci_engine::{Control, EngineError, Finish, GenerateOptions, Generation, Input, LanguageModel};
use loci_models::template::Message;

/// What the stand-in does with one request: status and body, or nothing until the client gives up.
#[derive(Clone)]
enum Act {
    Reply(u16, String),
    Silence,
}

/// What was sent: path, header of the key, body.
type Sent = (String, String, serde_json::Value);

/// Serves `acts` one after the other and keeps what was sent.
fn stand_in(acts: Vec<Act>) -> (RemoteOptions, Arc<Mutex<Vec<Sent>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1/", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&seen);
    std::thread::spawn(move || {
        let mut silent = Vec::new();
        for act in acts {
            let (mut stream, _) = listener.accept().unwrap();
            kept.lock().unwrap().push(read(&mut stream));
            match act {
                Act::Silence => silent.push(stream),
                Act::Reply(status, body) => {
                    let head = format!(
                        "HTTP/1.1 {status} Standing In\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
                         connection: close\r\n\r\n",
                        body.len()
                    );
                    stream.write_all(head.as_bytes()).unwrap();
                    stream.write_all(body.as_bytes()).unwrap();
                }
            }
        }
    });
    let options = RemoteOptions {
        timeout: Duration::from_millis(500),
        pause: Duration::from_millis(5),
        retries: 2,
        ..RemoteOptions::new(&url, "stand-in")
    };
    (options, seen)
}

fn read(stream: &mut TcpStream) -> Sent {
    let mut reader = BufReader::new(stream);
    let (mut path, mut key, mut length) = (String::new(), String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let lower = line.trim().to_lowercase();
        if path.is_empty() {
            path = line.split(' ').nth(1).unwrap().to_owned();
        } else if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        } else if lower.starts_with("authorization:") {
            key = line.trim().to_owned();
        } else if lower.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (path, key, serde_json::from_slice(&body).unwrap())
}

fn good(text: &str) -> Act {
    let choice =
        serde_json::json!({"message": {"role": "assistant", "content": text}, "finish_reason": "length"});
    let usage = serde_json::json!({"prompt_tokens": 12, "completion_tokens": 3});
    Act::Reply(200, serde_json::json!({"choices": [choice], "usage": usage}).to_string())
}

fn ask(options: RemoteOptions) -> Result<Generation, EngineError> {
    let messages = [Message::new("user", "Why?")];
    let input = Input { answer_start: "Because", ..Input::messages(&messages) };
    let generate =
        GenerateOptions { max_tokens: 7, stop: vec!["END".to_owned()], ..GenerateOptions::default() };
    let mut control = Control { stop: None, progress: None };
    RemoteModel::new(options).answer(&input, &generate, &mut control, &mut |_| ControlFlow::Continue(()))
}

#[test]
fn an_answer_comes_with_its_numbers() {
    let (options, seen) = stand_in(vec![good("of that")]);
    let generation = ask(RemoteOptions { api_key: Some("secret-1".to_owned()), ..options.clone() }).unwrap();
    assert_eq!((generation.text.as_str(), generation.finish), ("of that", Finish::Length));
    assert_eq!((generation.account.prompt_tokens, generation.account.answer_tokens), (12, 3));
    let (path, key, body) = seen.lock().unwrap().pop().unwrap();
    assert_eq!((path.as_str(), key.as_str()), ("/v1/chat/completions", "authorization: Bearer secret-1"));
    assert_eq!(body["messages"][0]["content"], "Why?\nBecause");
    assert_eq!((&body["max_tokens"], &body["stop"][0]), (&7.into(), &"END".into()));
    let shown = format!("{:?}", RemoteOptions { api_key: Some("secret-1".to_owned()), ..options });
    assert!(!shown.contains("secret"), "{shown}");
}

#[test]
fn plain_text_is_continued() {
    let reply = serde_json::json!({"choices": [{"text": " on", "finish_reason": "stop"}]}).to_string();
    let (options, seen) = stand_in(vec![Act::Reply(200, reply)]);
    let mut control = Control { stop: None, progress: None };
    let generation = RemoteModel::new(options)
        .generate("and so", &GenerateOptions::default(), &mut control, &mut |_| ControlFlow::Continue(()))
        .unwrap();
    assert_eq!((generation.text.as_str(), generation.finish), (" on", Finish::End));
    let (path, _, body) = seen.lock().unwrap().pop().unwrap();
    assert_eq!((path.as_str(), &body["prompt"]), ("/v1/completions", &"and so".into()));
}

#[test]
fn what_may_pass_is_tried_again_and_what_will_not_is_not() {
    let busy = Act::Reply(503, "busy".to_owned());
    let (options, seen) = stand_in(vec![busy.clone(), Act::Silence, good("at last")]);
    assert_eq!(ask(options).unwrap().text, "at last");
    assert_eq!(seen.lock().unwrap().len(), 3);

    let (options, seen) = stand_in(vec![busy; 3]);
    let error = ask(options).unwrap_err();
    assert!(
        matches!(&error, EngineError::Remote { attempts: 3, message, .. } if message.contains("503: busy")),
        "{error}"
    );
    assert_eq!(seen.lock().unwrap().len(), 3);

    for (status, body, said) in [
        (400, "{\"error\":\"too long: 9000 of 8192\"}", "too long: 9000 of 8192"),
        (200, "<html>", "no chat completion"),
        (200, "{\"choices\":[]}", "no choices"),
        (200, "{\"choices\":[{\"finish_reason\":\"stop\"}]}", "no text"),
    ] {
        let (options, seen) = stand_in(vec![Act::Reply(status, body.to_owned())]);
        let error = ask(options).unwrap_err().to_string();
        assert!(error.contains(said) && error.contains("/v1/chat/completions"), "{error}");
        assert_eq!(seen.lock().unwrap().len(), 1);
    }
}

#[test]
fn nobody_there_and_stopped_while_waiting() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let options = RemoteOptions {
        pause: Duration::from_secs(30),
        ..RemoteOptions::new(&format!("http://{free}"), "m")
    };
    let none = RemoteOptions { retries: 0, ..options.clone() };
    assert!(matches!(ask(none), Err(EngineError::Remote { attempts: 1, .. })));

    let stop = Arc::new(AtomicBool::new(false));
    let later = Arc::clone(&stop);
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(100));
        later.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    let started = Instant::now();
    let mut control = Control { stop: Some(&stop), progress: None };
    let outcome =
        RemoteModel::new(options)
            .generate("x", &GenerateOptions::default(), &mut control, &mut |_| ControlFlow::Continue(()));
    assert!(matches!(outcome, Err(EngineError::Interrupted { .. })));
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn what_an_endpoint_does_not_tell_is_refused() {
    let mut model = RemoteModel::new(RemoteOptions::new("http://localhost/v1", "m"));
    let mut control = Control { stop: None, progress: None };
    assert!(
        model
            .rate(&Input::text("a"), &["b"], false, &mut control)
            .unwrap_err()
            .to_string()
            .contains("local model")
    );
    assert!(model.score("a", &mut control).is_err() && model.embed("a").is_err());
}

#[test]
fn tools_are_called_as_local_models_call_them() {
    let call = serde_json::json!({"id": "1", "type": "function", "function": {"name": "look", "arguments": "{\"at\": 3}"}});
    let message = serde_json::json!({"role": "assistant", "content": null, "tool_calls": [call]});
    let body = serde_json::json!({"choices": [{"message": message, "finish_reason": "tool_calls"}]});
    let (options, seen) = stand_in(vec![Act::Reply(200, body.to_string())]);
    let mut model = RemoteModel::new(options);
    let tools = loci_engine::tools::Tool::list(&[serde_json::json!({
        "type": "function", "function": {"name": "look", "description": "Looks."}
    })])
    .unwrap();
    let mut earlier = Message::new("assistant", "");
    earlier.tool_calls.push(loci_models::template::ToolCall {
        id: "0".to_owned(),
        name: "look".to_owned(),
        arguments: "{}".to_owned(),
    });
    let mut result = Message::new("tool", "nothing");
    result.tool_call_id = Some("0".to_owned());
    let messages = [Message::new("user", "Look."), earlier, result];
    let plan = model.plan_tools(&messages, &tools, &loci_engine::tools::Calling::default()).unwrap();
    let input = Input { tools: &plan.tools, ..Input::messages(&plan.messages) };
    let mut quiet = |_: &str| ControlFlow::Continue(());
    let said =
        model.answer(&input, &GenerateOptions::default(), &mut Control::default(), &mut quiet).unwrap();
    let parsed = loci_engine::tools::parse(&said.text, &["look"]);
    assert_eq!(parsed.calls, [("look".to_owned(), "{\"at\": 3}".to_owned())]);
    let sent = &seen.lock().unwrap()[0].2;
    assert_eq!(sent["tools"][0]["function"]["name"], "look");
    assert_eq!(sent["messages"][1]["tool_calls"][0]["function"]["name"], "look");
    assert_eq!(sent["messages"][2]["tool_call_id"], "0");
}
