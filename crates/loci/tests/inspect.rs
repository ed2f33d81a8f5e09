//! `loci inspect`, run as a program: with a small random model, and where its file is named with the real one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails by panicking

mod common;

use common::{Place, said};
use loci_models::reference::TinyModel;
use serde_json::Value;

fn place(model: &str) -> Place {
    let place = Place::with(&TinyModel { n_ctx: 2048, ..TinyModel::default() }, &["-m", model]);
    place.write("key.txt", loci_testing::pass_key_text(71432, 9, 5));
    place
}

fn tiny() -> Place {
    place("tiny.gguf")
}

fn real() -> Option<Place> {
    Some(place(loci_testing::real_model()?.to_str().unwrap()))
}

fn assert_is_figure(svg: &str, words: &[&str]) {
    assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n") && !svg.contains("NaN"));
    words.iter().for_each(|word| assert!(svg.contains(word), "{word} is not in the figure"));
}

#[test]
fn a_model_that_cannot_answer_gets_an_error_and_no_scores() {
    let place = tiny();
    let output = place.run(&["inspect", "heads", "--lengths", "400", "--depths", "50", "--probes", "1"]);
    assert_eq!(output.status.code(), Some(1));
    let said = said(&output);
    assert!(said.contains("none of 1 probes") && !said.contains("NaN"), "{said}");
    assert!(output.stdout.is_empty() && !place.folder.path().join("heads").exists());
}

#[test]
fn surprise_is_that_of_score_and_events_partition_the_text() {
    let place = tiny();
    let found = place.json(&[
        "inspect",
        "surprise",
        "key.txt",
        "--limit",
        "220",
        "--out",
        "out",
        "--json",
        "--kv",
        "f32",
        "--method",
        "em-llm:sinks=4,window=64,max_block_size=32,queries=32,recall=64",
    ]);
    let tokens = found["tokens"].as_array().unwrap();
    assert_eq!(tokens.len(), 220);
    let events = found["events"].as_array().unwrap();
    assert_eq!(
        (events[0]["tokens"]["start"].as_u64(), events.last().unwrap()["tokens"]["end"].as_u64()),
        (Some(4), Some(220))
    );
    for pair in events.windows(2) {
        assert_eq!(pair[0]["tokens"]["end"], pair[1]["tokens"]["start"]);
    }
    let whole = &events[..events.len() - 1];
    assert!(whole.iter().all(|event| {
        let size = event["tokens"]["end"].as_u64().unwrap() - event["tokens"]["start"].as_u64().unwrap();
        (8..=32).contains(&size)
    }));
    // What is surprising does not depend on who asks, as long as everything is in the window.
    let short = place.json(&[
        "inspect", "surprise", "key.txt", "--limit", "60", "--method", "full", "--json", "--kv", "f32",
    ]);
    let score = place.json(&[
        "score",
        "key.txt",
        "--limit",
        "60",
        "--method",
        "full",
        "--per-token",
        "--json",
        "--kv",
        "f32",
    ]);
    assert!(short["events"].as_array().unwrap().is_empty());
    for (token, scored) in
        short["tokens"].as_array().unwrap().iter().zip(score["per_token"].as_array().unwrap()).skip(1)
    {
        let (a, b) = (token["surprise"].as_f64().unwrap(), scored["nll"].as_f64().unwrap());
        assert!((a - b).abs() < 1e-4, "{a} and {b}");
    }
    assert_is_figure(
        &place.read("out/surprise.svg"),
        &["surprise (nats)", "position (tokens)", "event begins"],
    );
    let kept: Value = serde_json::from_str(&place.read("out/surprise.json")).unwrap();
    assert_eq!(kept, found);
}

#[test]
fn attention_of_each_layer_is_at_most_one_and_the_mark_is_found() {
    let place = tiny();
    let arguments =
        ["inspect", "attention", "key.txt", "-q", "What?", "-n", "4", "--mark", "71432", "--json"];
    for method in ["full", "inf-llm:sinks=4,window=64,block_size=16,top_k=4,queries=16"] {
        let found = place.json(&[&arguments[..], &["--method", method, "--out", "out"]].concat());
        let layers = found["layers"].as_array().unwrap();
        assert_eq!(layers.len(), 2);
        for layer in layers {
            let sum: f64 = layer.as_array().unwrap().iter().map(|share| share.as_f64().unwrap()).sum();
            assert!((0.5..1.0 + 1e-3).contains(&sum), "{sum}");
        }
        let marks = found["marks"].as_array().unwrap();
        assert_eq!(marks.len(), 2, "the key stands there twice");
        let seen = marks.iter().all(|mark| mark["mass"].as_f64().unwrap() > 0.0);
        assert!(seen || method != "full", "what is recalled may not be what was marked: {marks:?}");
        assert!(!found["blocks"].as_array().unwrap().is_empty());
        assert_eq!(found["answer"]["weighed_by"], "all heads");
        assert_is_figure(
            &place.read("out/attention.svg"),
            &["layer", "position in the prompt (tokens)", "71432"],
        );
    }
    let missing = place.run(&["inspect", "attention", "key.txt", "-q", "What?", "--mark", "not there"]);
    assert_eq!(missing.status.code(), Some(1));
}

#[test]
fn the_real_model_has_retrieval_heads_and_ask_weighs_by_them() {
    let Some(place) = real() else { return };
    let found = place.json(&[
        "inspect",
        "heads",
        "--lengths",
        "256",
        "--depths",
        "50",
        "--probes",
        "2",
        "--mask",
        "8",
        "--out",
        "out",
        "--gates",
        "out/gates.tsv",
        "--json",
    ]);
    assert_eq!((found["accepted"].as_u64(), found["total"].as_u64()), (Some(2), Some(2)));
    let best = &found["retrieval_heads"][0];
    assert!(best["score"].as_f64().unwrap() > 0.8, "{best}");
    let masking = &found["masking"];
    let recall = |name: &str| masking[name].as_f64().unwrap();
    assert!(recall("recall_without_top") < 0.5 && recall("recall_without_random") > 0.9, "{masking}");
    assert_is_figure(&place.read("out/heads.svg"), &["Retrieval heads", "query head", "layer"]);
    assert_eq!(std::fs::read_dir(place.folder.path().join("heads")).unwrap().count(), 1);

    let ask = ["ask", "key.txt", "-q", "What is the pass key?", "-n", "16", "--json", "--no-cache"];
    let answer = place.json(&[&ask[..], &["--method", "duo-attention", "--heads", "out/gates.tsv"]].concat());
    assert_eq!(answer["weighed_by"], "retrieval heads");
    let answer = place.json(&ask);
    let first = answer["evidence"][0]["text"].as_str().unwrap();
    assert!(first.contains("71432"), "{answer}");
    assert_eq!(place.json(&[&ask[..], &["--weigh", "all"]].concat())["weighed_by"], "all heads");
}

#[test]
fn the_scores_built_in_belong_to_the_default_model() {
    let Some(place) = real() else { return };
    let ask = ["ask", "key.txt", "-q", "What is the pass key?", "-n", "16", "--no-cache"];
    let answer = place.json(&[&ask[..], &["--json"]].concat());
    assert_eq!(answer["weighed_by"], "retrieval heads");
    assert!(answer["evidence"][0]["text"].as_str().unwrap().contains("71432"), "{answer}");
    assert!(said(&place.run(&ask)).contains("weighed by retrieval heads"));
    // A damaged table is named and not passed over.
    let kept = place.run(&["inspect", "heads", "--lengths", "256", "--depths", "50", "--probes", "1"]);
    assert!(kept.status.success());
    let file = std::fs::read_dir(place.folder.path().join("heads")).unwrap().next().unwrap().unwrap().path();
    std::fs::write(&file, "scores = 3").unwrap();
    let refused = place.run(&ask);
    assert_eq!(refused.status.code(), Some(1));
    assert!(said(&refused).contains("loci inspect heads"));
}
