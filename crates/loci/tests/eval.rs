//! `loci eval` and `loci data`, run as a program with a small random model.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails by panicking

mod common;

use std::io::{Read, Write};
use std::net::TcpListener;

use common::Place;
use serde_json::Value;

fn refused(place: &Place, arguments: &[&str]) -> (i32, String) {
    let output = place.run(arguments);
    (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).replace("\n", " "))
}

fn answers_of(place: &Place, name: &str) -> Vec<Value> {
    place.read(name).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

const MEASURE: &[&str] = &[
    "eval",
    "passkey",
    "key-value:form=lines,kind=numbers,shots=1",
    "--lengths",
    "400,0.6k",
    "--depths",
    "0.1,0.9",
    "--n",
    "2",
    "--methods",
    "full,window:window=64",
    "-m",
    "tiny.gguf",
    "--threads",
    "2",
];

#[test]
fn a_run_is_whole_goes_on_where_it_was_stopped_and_repeats_nothing() {
    let place = Place::new();
    let table = place.well(MEASURE);
    for said in [
        "passkey:digits=5",
        "key-value:kind=numbers,form=lines",
        "window:window=64",
        "Holm",
        "at 0.10",
        "Over lengths",
        "effective at 0.856",
        "chance",
        "low, low (2 tasks)",
        "position robustness",
    ] {
        assert!(table.contains(said), "{said} in {table}");
    }
    let answers = answers_of(&place, "eval/answers.jsonl");
    assert_eq!(answers.len(), 2 * 2 * 2 * 2 * 2, "tasks, lengths, depths, n, methods");
    for answer in &answers {
        let (prompt, length) =
            (answer["prompt_tokens"].as_u64().unwrap(), answer["length"].as_u64().unwrap());
        assert!(prompt <= length && prompt * 2 > length, "{answer}");
        assert!(answer["score"].is_number() && answer["error"].is_null(), "{answer}");
        let offers_choices = answer["task"].as_str().unwrap().starts_with("key-value");
        assert_eq!(answer["chance"].is_number(), offers_choices, "{answer}");
    }
    let page = std::fs::read_to_string(place.path("eval/report.html")).unwrap();
    assert!(page.matches("<svg").count() >= 6 && page.contains("id=\"card\""));
    let elsewhere = ["src=\"http", "href=\"http", "@import", "<script", "<link"];
    assert!(elsewhere.iter().all(|mark| !page.contains(mark)), "the page needs nothing else");
    let report: Value =
        serde_json::from_slice(&std::fs::read(place.path("eval/report.json")).unwrap()).unwrap();
    assert_eq!(report["tasks"][0]["cells"][0]["score"]["n"], 4);
    assert_eq!(report["tasks"][0]["comparisons"][0]["against"], "full");
    assert_eq!(report["tasks"][0]["over_lengths"][1]["lengths"], serde_json::json!([400, 600]));
    assert!(report["results"][0]["position"]["difference"].is_number());
    assert!(
        place.path("eval/figures/passkey-heat-map.svg").is_file() && place.path("eval/report.md").is_file()
    );

    // Killed in the middle of a line: the half is cut off, and what is missing is run again.
    let path = place.path("eval/answers.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    let kept: Vec<&str> = text.lines().take(20).collect();
    std::fs::write(&path, format!("{}\n{{\"task\":\"pass", kept.join("\n"))).unwrap();
    assert_eq!(place.well(MEASURE).lines().count(), table.lines().count());
    let again = answers_of(&place, "eval/answers.jsonl");
    let same = |a: &Value, b: &Value| {
        ["task", "method", "example", "answer", "score"].iter().all(|name| a[name] == b[name])
    };
    assert!(again.len() == answers.len() && again.iter().zip(&answers).all(|(a, b)| same(a, b)));

    // Another run, compared with the first; and both in another harness's layout.
    let other = [MEASURE, &["--kv", "f32", "-o", "other"]].concat();
    place.well(&other);
    let compared = place.well(&["eval", "compare", "other/answers.jsonl", "eval/answers.jsonl"]);
    assert_eq!(compared.lines().count(), 1 + 2 * 2, "{compared}");
    let files = place.well(&["eval", "export", "eval/answers.jsonl", "-o", "exported"]);
    assert!(files.contains("exported/tiny.gguf__window_window_64/results_loci.json"), "{files}");
}

#[test]
fn passages_are_kept_on_request_and_say_whether_they_hold_what_is_right() {
    let place = Place::new();
    let typed = ["eval", "passkey", "--lengths", "400", "--n", "2", "-m", "tiny.gguf", "--methods"];
    let measure = |more: &[&'static str]| {
        place.well(&[&typed[..], &["full,retrieval:words=20,top=1,closed-book"], more].concat());
        answers_of(&place, "eval/answers.jsonl")
    };
    let without = measure(&[]);
    assert!(without.iter().all(|answer| answer["passage"].is_null() && answer["also"]["evidence"].is_null()));
    // They are asked again, because none was kept.
    let answers = measure(&["--evidence"]);
    assert_eq!(answers.len(), 12);
    for answer in &answers[6..] {
        let (passage, holds) = (answer["passage"].as_str(), answer["also"]["evidence"].as_f64());
        let key = answer["gold"][0].as_str().unwrap();
        match answer["method"].as_str().unwrap() {
            // Nothing of the text was shown.
            "closed-book" => assert!(passage.is_none() && holds.is_none(), "{answer}"),
            _ => assert_eq!(holds, Some(f64::from(u8::from(passage.unwrap().contains(key)))), "{answer}"),
        }
    }
    assert_eq!(measure(&["--evidence"]).len(), 12, "and then not any more");
}

#[test]
fn predictions_are_compared_with_those_of_the_baseline() {
    let place = Place::new();
    let measure = |methods: &'static str, more: &[&'static str]| {
        let typed = ["eval", "perplexity:scored=20", "--lengths", "300", "--n", "2", "-m", "tiny.gguf"];
        place.well(&[&typed[..], &["--kv", "f32", "--methods", methods], more].concat());
        answers_of(&place, "eval/answers.jsonl")
    };
    // Whoever comes first, the baseline differs from itself by nothing, and what keeps everything differs by rounding.
    let answers = measure("window:window=32,full,window:window=4000", &[]);
    assert_eq!(answers.len(), 6);
    for answer in &answers {
        let figure = |name: &str| answer["also"][name].as_f64().unwrap();
        let (score, kl) = (answer["score"].as_f64().unwrap(), figure("kl"));
        assert!((score * figure("perplexity") - 1.0).abs() < 1e-9, "{answer}");
        match answer["method"].as_str().unwrap() {
            "full" => assert!(kl == 0.0 && figure("same first") == 1.0, "{answer}"),
            "window:window=32" => assert!(kl > 1e-4, "{answer}"),
            _ => assert!(kl < 1e-9, "{answer}"),
        }
    }
    // The baseline's old answer is kept, and its predictions are there for a method that is new.
    let answers = measure("window:window=32,full,lm-infinite", &[]);
    assert_eq!(answers.len(), 8);
    assert!(answers[6..].iter().all(|answer| answer["also"]["kl"].is_number()), "{answers:?}");
    // Compared with another method, it is another question.
    let answers = measure("window:window=32,full", &["--against", "window"]);
    assert_eq!(answers.len(), 12);
    assert!(
        answers[8..].iter().all(|answer| {
            (answer["method"] == "full") == (answer["also"]["kl"].as_f64().unwrap() > 1e-4)
        })
    );
    let (_, error) = refused(&place, &["eval", "perplexity", "--lengths", "100", "-m", "tiny.gguf"]);
    assert!(error.contains("scored=50"), "{error}");
}

#[test]
fn answers_that_are_there_are_reported_without_a_model() {
    let place = Place::new();
    place.well(MEASURE);
    let (whole, half) = (place.path("eval/answers.jsonl"), place.path("half.jsonl"));
    let text = std::fs::read_to_string(&whole).unwrap();
    let some: Vec<&str> = text.lines().skip(9).take(9).collect();
    std::fs::write(&half, some.join("\n") + "\n").unwrap();
    std::fs::remove_file(place.path("tiny.gguf")).unwrap();
    let again = place.well(&["eval", "report", "half.jsonl", "eval/answers.jsonl", "--json", "-o", "again"]);
    let report: Value = serde_json::from_str(&again).unwrap();
    let cells: Vec<&Value> = report["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|task| task["cells"].as_array().unwrap())
        .collect();
    assert_eq!(
        cells.iter().map(|cell| cell["questions"].as_u64().unwrap()).sum::<u64>(),
        32,
        "each counts once"
    );
    assert!(place.path("again/report.html").is_file() && place.path("again/report.md").is_file());
    let table = place.well(&["eval", "report", "half.jsonl", "--against", "window"]);
    assert!(table.contains("window:window=64") && !place.path("report.html").is_file());
    std::fs::write(place.path("empty.jsonl"), "").unwrap();
    let (code, error) = refused(&place, &["eval", "report", "empty.jsonl"]);
    assert!(code == 1 && error.contains("loci eval TASK"), "{error}");
}

#[test]
fn figures_are_pictures_too_where_the_build_can_draw_them() {
    let place = Place::new();
    let arguments = [MEASURE, &["--png"]].concat();
    if cfg!(feature = "png") {
        place.well(&arguments);
        let picture = std::fs::read(place.path("eval/figures/passkey-heat-map.png")).unwrap();
        assert!(picture.starts_with(b"\x89PNG") && place.path("eval/figures/passkey-heat-map.svg").is_file());
    } else {
        let (code, error) = refused(&place, &arguments);
        assert!(code == 2 && error.contains("feature png"), "{error}");
        assert!(!place.path("eval").exists(), "refused before anything is run");
    }
}

#[test]
fn what_is_wrong_is_said_before_anything_is_read() {
    let place = Place::new();
    let with = |more: &[&'static str]| [&["eval", "-m", "tiny.gguf"], more].concat();
    for (arguments, said) in [
        (with(&["passkeys"]), "passkeys"),
        (with(&["passkey:digit=3"]), "digits"),
        (with(&["passkey", "--lengths", "0"]), "thousand million"),
        (with(&["passkey", "--depths", "1.5"]), "from 0 to 1"),
        (with(&["passkey", "--lengths", "30"]), "ask for a longer one"),
        (with(&["passkey", "--methods", "nonsense"]), "nonsense"),
        (with(&["passkey", "--methods", "full,retrieval:tops=3"]), "tops"),
        (with(&["passkey", "--methods", "full,retrieval:top=0"]), "top=0"),
        (with(&["passkey", "--methods", "retrieval+i4"]), "+i4"),
        (with(&["passkey", "--methods", "full", "--against", "window"]), "--against window"),
        (with(&["passkey", "--method", "full"]), "--methods"),
        (with(&["mqar:as=tokens", "--lengths", "128"]), "as=text"),
        (with(&["long-bench"]), "--data"),
        (vec!["eval", "retrieval", "long-mem-eval"], "--data"),
        (vec!["eval", "retrieval", "long-mem-eval", "--data", "nowhere"], "longmemeval_s_cleaned.json"),
        (vec!["eval", "retrieval", "long-mem-eval", "--data", ".", "--top", "0"], "0"),
        (vec!["eval", "retrieval", "long-mem-eval", "--data", ".", "--parts", "musique"], "--subset"),
        (vec!["eval", "retrieval", "long-bench", "--data", ".", "--granularity", "round"], "--parts"),
        (vec!["eval", "retrieval", "long-bench", "--data", ".", "--expand", "facts"], "keyphrases, title"),
        (vec!["eval", "tasks", "nonsense"], "nonsense"),
        (vec!["eval"], "TASK"),
        (vec!["data", "list", "--data", "nowhere"], "nowhere"),
    ] {
        let (code, error) = refused(&place, &arguments);
        assert!(code == 2 && error.contains(said), "{arguments:?}: {code} {error}");
    }
    std::fs::write(place.path("bad.jsonl"), "{\"task\": 3}\n").unwrap();
    let (code, error) = refused(&place, &["eval", "compare", "bad.jsonl", "bad.jsonl"]);
    assert!(code == 1 && error.contains("bad.jsonl, line 1"), "{error}");
}

#[test]
fn retrieval_is_measured_beside_the_others() {
    let place = Place::new();
    let arguments = [
        "eval",
        "passkey",
        "--lengths",
        "1000",
        "--depths",
        "0.5",
        "--n",
        "2",
        "-m",
        "tiny.gguf",
        "--methods",
        "full,retrieval:words=20,top=2",
    ];
    let table = place.well(&arguments);
    assert!(table.contains("retrieval:words=20,top=2"), "{table}");
    let tokens = |method: &str| -> Vec<u64> {
        let all = answers_of(&place, "eval/answers.jsonl");
        let own = all.iter().filter(|answer| answer["method"] == method && answer["score"].is_number());
        own.map(|answer| answer["prompt_tokens"].as_u64().unwrap()).collect()
    };
    let (full, retrieval) = (tokens("full"), tokens("retrieval:words=20,top=2"));
    assert!(full.len() == 2 && retrieval.len() == 2);
    assert!(
        full.iter().zip(&retrieval).all(|(full, retrieval)| retrieval * 3 < full * 2),
        "{full:?} {retrieval:?}"
    );
    let report: Value =
        serde_json::from_slice(&std::fs::read(place.path("eval/report.json")).unwrap()).unwrap();
    assert_eq!(report["tasks"][0]["comparisons"][0]["against"], "full");
    let limits = report["card"]["limits"].to_string();
    assert!(limits.contains("window was not run") && !limits.contains("retrieval was not run"), "{limits}");
    let help = place.well(&["eval", "--help"]);
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(help.contains("[default: full,inf-llm,window,retrieval]"), "{help}");
    assert!(place.well(&["methods", "show", "retrieval"]).contains("words=200"));
}

#[test]
fn evidence_of_long_mem_eval_is_searched() {
    let place = Place::new();
    std::fs::create_dir_all(place.path("sets/long-mem-eval")).unwrap();
    let file = serde_json::json!([{
        "question_id": "q", "question_type": "multi-session", "question": "Where is the red bike", "answer": "here",
        "question_date": "2023/06/01", "haystack_session_ids": ["a", "answer_b", "c"],
        "haystack_dates": ["2023/05/01", "2023/05/02", "2023/05/03"],
        "haystack_sessions": [
            [{"role": "user", "content": "It rains"}, {"role": "assistant", "content": "the red bike"}],
            [{"role": "user", "content": "My red bike stands here", "has_answer": true}],
            [{"role": "user", "content": "Good evening"}],
        ],
    }]);
    let path = place.path("sets/long-mem-eval/longmemeval_s_cleaned.json");
    std::fs::write(&path, file.to_string()).unwrap();
    let arguments =
        ["eval", "retrieval", "long-mem-eval", "--data", "sets", "--granularity", "session", "--top", "1,3"];
    let table = place.well(&arguments);
    for said in ["recall_all", "multi-session", "all", "1 questions; left out: 0", "one item a session"] {
        assert!(table.contains(said), "{said} in {table}");
    }
    let rounds = ["eval", "retrieval", "long-mem-eval", "--data", "sets", "--json"];
    let report: Value = serde_json::from_str(&place.well(&rounds)).unwrap();
    assert_eq!((&report["granularity"], &report["rows"][0]["k"]), (&"round".into(), &5.into()));
    assert_eq!(report["rows"][0]["recall_all"]["mean"], 1.0);
    std::fs::write(&path, "[\n{\"question_id\": \"q\"}]").unwrap();
    let (code, error) = refused(&place, &arguments);
    assert!(code == 1 && error.contains("line 2"), "{error}");
}

#[test]
fn passages_of_long_bench_are_searched() {
    let place = Place::new();
    std::fs::create_dir_all(place.path("sets/long-bench")).unwrap();
    let context = "Passage 1:\nBoats\nThey float.\nPassage 2:\nCats\nOne sleeps on the sofa.\nPassage 3:\nDogs\nThey bark.";
    let record =
        serde_json::json!({"context": context, "input": "Where does the kitten rest?", "answers": ["sofa"]});
    place.write("sets/long-bench/musique.jsonl", record.to_string());
    place.write(
        "mine.jsonl",
        r#"{"key": "Cats\nOne sleeps on the sofa.", "expansion": ["the kitten's", "rest"]}"#,
    );
    let arguments =
        ["eval", "retrieval", "long-bench", "--data", "sets", "--top", "1", "--expansions", "mine.jsonl"];
    let table = place.well(&arguments);
    for said in
        ["given: expansions of mine.jsonl", "2 of 3 keys have none", "all of blocks", "by string match"]
    {
        assert!(table.contains(said), "{said} in {table}");
    }
    let report = place.json(&[arguments.as_slice(), &["--json"]].concat());
    let given =
        report["places"].as_array().unwrap().iter().find(|one| one["expansion"] == "given, merge").unwrap();
    assert_eq!(given["places"][0], 1);
    let Some(encoder) = loci_testing::real_encoder() else { return };
    let by = ["--by", "meaning,fused-words", "--encoder", encoder.to_str().unwrap(), "--json"];
    let report = place.json(&[arguments.as_slice(), &by].concat());
    let meaning = &report["places"][0];
    assert_eq!(
        (&meaning["by"], &meaning["expansion"], &meaning["places"][0]),
        (&"meaning".into(), &"none".into(), &1.into())
    );
}

#[test]
fn tasks_and_data_sets_are_listed() {
    let place = Place::new();
    let tasks = place.well(&["eval", "tasks"]);
    for task in loci_eval::registry::TASKS {
        assert!(tasks.contains(task.info().method.id));
    }
    let shown = place.well(&["eval", "tasks", "key-value"]);
    assert!(shown.contains("kind=uuid") && shown.contains("Lost in the Middle"), "{shown}");
    assert!(place.well(&["data", "list"]).contains("long-bench"));
    let lines = "{\"id\":1}\nnot json\n";
    std::fs::create_dir_all(place.path("sets/long-bench/data")).unwrap();
    std::fs::write(place.path("sets/long-bench/data/trec.jsonl"), lines).unwrap();
    std::fs::write(place.path("sets/long-bench/trec.jsonl"), lines).unwrap();
    let held = place.well(&["data", "list", "--data", "sets"]);
    assert!(held.contains("line 2"), "{held}");
    let json: Value =
        serde_json::from_str(&place.well(&["data", "list", "--data", "sets", "--json"])).unwrap();
    assert!(json.as_array().unwrap().len() > 10);
}

/// Answers the first request with an error and all later ones with `text`.
fn endpoint(text: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let mut seen = Vec::new();
            let mut buffer = [0; 4096];
            loop {
                let read = stream.read(&mut buffer).unwrap();
                seen.extend_from_slice(&buffer[..read]);
                let head = seen.windows(4).position(|four| four == b"\r\n\r\n");
                let Some(head) = head else { continue };
                let text = String::from_utf8_lossy(&seen[..head]).to_lowercase();
                let length = text.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap();
                if seen.len() >= head + 4 + length.parse::<usize>().unwrap() {
                    break;
                }
            }
            let (status, body) = match number {
                0 => (400, "{\"error\": \"first one refused\"}".to_owned()),
                _ => (200, serde_json::json!({"choices": [{"text": text}]}).to_string()),
            };
            let length = body.len();
            let reply =
                format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
            stream.write_all(reply.as_bytes()).unwrap();
        }
    });
    url
}

#[test]
fn an_endpoint_s_errors_are_counted_and_asked_again_by_the_next_run() {
    let place = Place::new();
    let url = endpoint(" 12345");
    let arguments = [
        "eval",
        "passkey",
        "--lengths",
        "400",
        "--depths",
        "0.5",
        "--n",
        "3",
        "-m",
        "tiny.gguf",
        "--endpoint",
        &url,
        "--retries",
        "0",
    ];
    let table = place.well(&arguments);
    assert!(
        table.contains("1 without an answer, the first:") && table.contains("first one refused"),
        "{table}"
    );
    let answers = answers_of(&place, "eval/answers.jsonl");
    assert!(answers[0]["score"].is_null() && answers[0]["error"].as_str().unwrap().contains("400"));
    assert!(answers[1]["score"].is_number() && answers[1]["answer"] == " 12345");
    let table = place.well(&arguments);
    assert!(!table.contains("without an answer"), "{table}");
    assert_eq!(answers_of(&place, "eval/answers.jsonl").len(), 4, "only the one that failed was asked again");
    let table = place.well(&["eval", "report", "eval/answers.jsonl", "--against", "endpoint"]);
    assert!(!table.contains("without an answer"), "{table}");
    // A strategy works over an endpoint too.
    let table = place.well(&[&arguments[..], &["--methods", "rag:top=1,words=20"]].concat());
    assert!(table.contains("rag:top=1,words=20") && table.contains("endpoint"), "{table}");
    let answers = answers_of(&place, "eval/answers.jsonl");
    assert_eq!(answers.iter().filter(|answer| answer["method"] == "rag:top=1,words=20").count(), 3);
}
