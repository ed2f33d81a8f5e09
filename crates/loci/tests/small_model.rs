//! The commands that compute, run as a program with a small random model.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails by panicking

mod common;

use std::process::Command;

use common::Place;
use loci_models::reference::TinyModel;
use serde_json::Value;

fn place() -> Place {
    let place = Place::with(&TinyModel::default(), &["-m", "tiny.gguf", "--threads", "2"]);
    place.write("text.txt", "The grass is green. The key is 71432. ".repeat(12));
    // Spaces are three tokens in this model's vocabulary, all else is one a byte.
    place.write("flat.txt", "The_grass_is_green.".repeat(22));
    place.write("one.txt", "x");
    place
}

#[test]
fn ask_prints_the_documented_object() {
    let place = place();
    let answer = place.json(&["ask", "text.txt", "-q", "What is the key?", "-n", "5", "--json"]);
    let context = &answer["context"];
    let count = |name: &str| context[name].as_u64().unwrap_or_else(|| panic!("{name} in {context}"));
    assert_eq!(count("given"), count("read"));
    assert_eq!(count("kept") + count("compressed") + count("dropped"), count("read"));
    assert!(count("window") > 0 && context["recalled"].is_u64());
    assert_eq!(answer["timing"]["prefill_tokens"], context["given"]);
    for name in ["prefill_tokens_per_s", "decode_tokens", "decode_tokens_per_s", "peak_rss_bytes"] {
        assert!(answer["timing"].get(name).is_some(), "{name}");
    }
    assert!(answer["method"].as_str().unwrap().starts_with("inf-llm:"), "longer than the window of 256");
    assert_eq!((answer["model"].as_str(), answer["seed"].as_u64()), (Some("tiny.gguf"), Some(0)));
    let text = std::fs::read_to_string(place.folder.path().join("text.txt")).unwrap();
    for found in answer["evidence"].as_array().unwrap() {
        let at = |name: &str| usize::try_from(found[name].as_u64().unwrap()).unwrap();
        assert_eq!(found["file"], "text.txt");
        assert_eq!(&text[at("start")..at("end")], found["text"].as_str().unwrap());
    }
}

#[test]
fn standard_output_carries_the_answer_alone() {
    let place = place();
    let arguments = ["ask", "text.txt", "-q", "What is the key?", "-n", "5"];
    let plain = place.run(&arguments);
    assert!(plain.status.success());
    let said = String::from_utf8_lossy(&plain.stderr);
    assert!(said.contains("context:") && said.contains("inf-llm"), "{said}");
    let answer = place.json(&[&arguments[..], &["--json"]].concat());
    let expected = format!("{}\n", answer["answer"].as_str().unwrap());
    assert_eq!(String::from_utf8_lossy(&plain.stdout), expected);
    let quiet = place.run(&[&arguments[..], &["--quiet"]].concat());
    assert!(quiet.stderr.is_empty());
}

#[test]
fn the_number_of_threads_and_the_instruction_set_keep_the_shape_of_answers() {
    let place = place();
    let arguments = ["score", "text.txt", "--json", "--kv", "f32", "--method", "full"];
    let here = place.json(&arguments);
    let output = Command::new(env!("CARGO_BIN_EXE_loci"))
        .args(arguments)
        .args(["-m", "tiny.gguf", "--threads", "1"])
        .env("LOCI_ISA", "portable")
        .current_dir(place.folder.path())
        .output()
        .unwrap();
    let portable: Value = serde_json::from_slice(&output.stdout).unwrap();
    let (a, b) = (here["nll"].as_f64().unwrap(), portable["nll"].as_f64().unwrap());
    assert!((a - b).abs() < 0.02 * a, "{a} and {b}");
}

#[test]
fn score_counts_what_it_documents() {
    let place = place();
    let bytes = std::fs::metadata(place.folder.path().join("flat.txt")).unwrap().len();
    let score = place.json(&["score", "flat.txt", "--n-ctx", "100", "--per-token", "--json"]);
    assert_eq!(score["tokens"], bytes + 1);
    let windows = (bytes + 1).div_ceil(100);
    assert_eq!(score["scored"], bytes + 1 - windows);
    let tokens = score["per_token"].as_array().unwrap();
    assert!(tokens[0]["nll"].is_null() && tokens[100]["nll"].is_null() && tokens[1]["nll"].is_f64());
    let mean = score["nll"].as_f64().unwrap();
    assert!((score["perplexity"].as_f64().unwrap() - mean.exp()).abs() < 1e-6 * mean.exp());
    assert_eq!(score["kv"], "i8");
    let text = String::from_utf8(place.run(&["score", "flat.txt"]).stdout).unwrap();
    assert!(text.contains("perplexity"), "{text}");
    // One byte, and the model's beginning token before it: one token to score.
    assert_eq!(place.json(&["score", "one.txt", "--json"])["scored"], 1);
    let nothing = place.run(&["score", "one.txt", "--n-ctx", "1"]);
    assert_eq!(nothing.status.code(), Some(1));
}

#[test]
fn distributions_are_compared_behind_a_prompt() {
    let place = place();
    let compare = |method: &str| {
        let arguments =
            ["score", "flat.txt", "--against", "full", "--prompt-tokens", "200", "--limit", "230"];
        place.json(&[&arguments[..], &["--method", method, "--kv", "f32", "--json"]].concat())
    };
    let same = compare("full");
    assert_eq!((same["prompt_tokens"].as_u64(), same["scored"].as_u64()), (Some(200), Some(30)));
    assert!(same["kl"].as_f64().unwrap() < 1e-9 && same["same_first"] == 1.0, "{same}");
    assert_eq!(same["nll"], same["nll_against"]);
    // What keeps fewer rows is farther away, and seeds of chance differ.
    let kl = |method: &str| compare(method)["kl"].as_f64().unwrap();
    let few = kl("random-rows:budget=20,window=8");
    assert!(few > 1e-9 && few > kl("random-rows:budget=190,window=8"), "{few}");
    assert!((few - kl("random-rows:budget=20,window=8,seed=1")).abs() > 0.0);
    // A prompt that is shortened before it is read is another one.
    let short = kl("spec-pc:budget=40,window=8,pool=1,neighbours=1,from_layer=0");
    assert!(short > 1e-9, "{short}");
    let fewer = "spec-kv-pc:budget=20,window=8,lookahead=4,prompt=40,prompt_window=8,pool=1,neighbours=1";
    let both = kl(&format!("{fewer},from_layer=0"));
    assert!(both > 1e-9 && (both - short).abs() > 0.0, "{both} and {short}");
    let arguments = ["score", "flat.txt", "--against", "full", "--prompt-tokens", "100000"];
    assert_eq!(place.run(&arguments).status.code(), Some(1));
    assert_eq!(place.run(&["score", "flat.txt", "--against", "full"]).status.code(), Some(2));
}

#[test]
fn a_draft_is_used_or_refused_by_every_command() {
    let place = place();
    // Whoever names a draft for a method without one is told, whatever the command is.
    for command in [
        &["ask", "flat.txt", "-q", "?", "--method", "full"][..],
        &["inspect", "attention", "flat.txt", "-q", "?", "--method", "full"],
        &["inspect", "surprise", "flat.txt", "--method", "full", "--limit", "60"],
    ] {
        let output = place.run(&[command, &["--draft", "self"]].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains("needs no draft"), "{command:?}: {said}");
    }
    // Where methods are compared, those that need none do without.
    let compared = ["score", "flat.txt", "--against", "full", "--prompt-tokens", "100", "--limit", "110"];
    let drafted = ["--method", "spec-kv:budget=40,window=8,lookahead=4", "--draft", "self", "--json"];
    assert!(place.json(&[&compared[..], &drafted[..]].concat())["kl"].is_number());
    // What cannot do its work there says so instead of measuring full attention under its name.
    let method = "spec-pc:budget=40,window=8,from_layer=0";
    let surprise = place.run(&["inspect", "surprise", "flat.txt", "--method", method, "--limit", "60"]);
    assert!(String::from_utf8_lossy(&surprise.stderr).contains("end of a prompt"));
    assert!(!surprise.status.success());
    let probe = ["probe", "flat.txt", "--depths", "1", "--needles", "1", "--methods", method, "--json"];
    let probed = place.json(&probe);
    let refused = probed["results"][0]["error"].as_str().unwrap();
    assert!(refused.contains("one reading does not serve"), "{refused}");
}

#[test]
fn a_file_of_one_token_can_be_asked_about() {
    let place = place();
    assert_eq!(place.json(&["ask", "one.txt", "-q", "?", "-n", "2", "--json"])["timing"]["decode_tokens"], 2);
}

#[test]
fn tokenize_and_run_print_what_programs_read() {
    let place = place();
    let tokens = place.json(&["tokenize", "one.txt", "--json"]);
    assert_eq!(tokens["count"].as_u64().map(|n| n as usize), tokens["tokens"].as_array().map(Vec::len));
    let count = String::from_utf8(place.run(&["tokenize", "one.txt", "--count"]).stdout).unwrap();
    assert_eq!(count.trim(), tokens["count"].to_string());
    let run = place.json(&["run", "-p", "Hello", "-n", "7", "--temperature", "0", "--raw", "--json"]);
    assert!(run["tokens"].as_array().unwrap().len() <= 7 && run["text"].is_string());
    let empty = place.run(&["run", "-p", ""]);
    assert_eq!(empty.status.code(), Some(1));
}

#[test]
fn bench_prints_the_documented_object() {
    let place = place();
    let methods = "full,inf-llm:window=128,block_size=32,window";
    let speed = ["bench", "speed", "--lengths", "40,200", "--repeats", "2", "--decode", "3", "--json"];
    let bench = place.json(&[&speed[..], &["--methods", methods]].concat());
    let results = bench["results"].as_array().unwrap();
    assert_eq!(results.len(), 6);
    assert_eq!(results[1]["requested"], "inf-llm:window=128,block_size=32");
    assert_eq!((&results[0]["length"], &results[5]["length"]), (&Value::from(40), &Value::from(200)));
    for result in results {
        if result.get("error").is_none() {
            assert_eq!(result["prefill_tokens_per_s"].as_array().unwrap().len(), 2, "{result}");
            assert_eq!(result["decode_tokens_per_s"].as_array().unwrap().len(), 2);
        }
    }
    assert!(results[0].get("error").is_none(), "{}", results[0]);
    assert!(bench["load_seconds"].is_f64() && bench["isa"].is_string() && bench["threads"] == 2);
}

#[test]
fn bench_measures_methods_that_need_a_file_of_heads() {
    let place = place();
    std::fs::write(place.folder.path().join("gates.tsv"), "0.9\t0.1\n0.2\t0.8\n").unwrap();
    let speed = ["bench", "speed", "--lengths", "40", "--repeats", "1", "--decode", "2", "--methods"];
    let found = place.json(&[&speed[..], &["all", "--heads", "gates.tsv", "--json"]].concat());
    let duo = |found: &Value| {
        let results = found["results"].as_array().unwrap();
        results.iter().find(|result| result["requested"] == "duo-attention").unwrap().clone()
    };
    assert!(duo(&found).get("error").is_none(), "{found}");
    assert!(duo(&found)["prefill_tokens_per_s"][0].as_f64().unwrap() > 0.0);
    // A draft of fewer layers has no use for it, and does not stumble over it.
    let drafted =
        [&speed[..], &["spec-pc:budget=20,window=4,from_layer=0", "--heads", "gates.tsv", "--json"]].concat();
    let drafted = place.json(&drafted);
    assert!(drafted["results"][0].get("error").is_none(), "{drafted}");
    let without = place.json(&[&speed[..], &["full,duo-attention", "--json"]].concat());
    assert!(duo(&without)["error"].as_str().unwrap().contains("--heads"), "{without}");
    let flat =
        ["bench", "flat", "--lengths", "40", "--tokens", "2", "--turns", "1", "--method", "duo-attention"];
    let flat = place.json(&[&flat[..], &["--heads", "gates.tsv", "--json"]].concat());
    assert!(flat["method"].as_str().unwrap().starts_with("duo-attention:"));
    // A method's own number format is the one that is named.
    let header = |methods: &str| {
        let shown = place.run(&[&speed[..], &[methods, "--heads", "gates.tsv"]].concat());
        String::from_utf8(shown.stdout).unwrap().lines().next().unwrap().to_owned()
    };
    assert!(header("duo-attention+i4").contains("keys and values in i4;"));
    assert!(header("duo-attention+i4,full").contains("keys and values in i4 and i8;"));
}

/// What the first method leaves with the allocator is no peak of the second.
#[cfg(target_os = "linux")]
#[test]
fn bench_measures_each_method_in_a_process_of_its_own() {
    let place = place();
    let peaks = |methods: &str| -> Vec<u64> {
        let bench =
            ["bench", "speed", "--lengths", "20000", "--repeats", "1", "--decode", "1", "--kv", "f32"];
        let found = place.json(&[&bench[..], &["--json", "--methods", methods]].concat());
        let results = found["results"].as_array().unwrap();
        results.iter().filter_map(|result| result["peak_rss_bytes"].as_u64()).collect()
    };
    let (alone, after) =
        (peaks("window:window=64"), peaks("inf-llm:window=64,queries=32,block_size=16,window:window=64"));
    let ([alone], [large, after]) = (alone.as_slice(), after.as_slice()) else { return };
    assert!(*large > alone + (2 << 20), "the first method is to need more: {large} and {alone}");
    assert!(*after < alone + (1 << 20), "{after} bytes behind another method, {alone} alone");
}

#[test]
fn parts_of_other_methods_work_in_every_command() {
    let place = place();
    let around = "inf-llm:window=64,sinks=4,top_k=2,queries=32";
    let flags = [
        "--segment",
        "surprise:min_block_size=4,max_block_size=16",
        "--select",
        "similar:recall=20",
        "--json",
    ];
    let with = |command: &[&str]| place.json(&[command, &flags].concat());
    let around_select = "inf-llm:window=64,sinks=4,queries=32";
    let answer = with(&["ask", "text.txt", "-q", "What is the key?", "-n", "5", "--method", around_select]);
    let label = answer["method"].as_str().unwrap();
    assert!(label.contains("+segment=em-llm:split=surprise") && label.contains("+select=em-llm:recall=20"));
    // What a report says can be typed, and gives the same.
    let typed = ["ask", "text.txt", "-q", "What is the key?", "-n", "5", "--json", "--method", label];
    let again = place.json(&typed);
    assert_eq!((&again["method"], &again["answer"]), (&answer["method"], &answer["answer"]));
    let said = place.run(&[&typed[..6], &typed[7..]].concat());
    assert!(String::from_utf8_lossy(&said.stderr).contains("method inf-llm+segment=em-llm+select=em-llm ("));
    let nll = |arguments: &[&str]| place.json(arguments)["nll"].as_f64().unwrap();
    let (plain, cut) =
        (["score", "flat.txt", "--json", "--method", around], ["--segment", "surprise:max_block_size=16"]);
    assert!(nll(&plain) != nll(&[&plain[..], &cut].concat()), "other blocks, other rows, another loss");
    for (command, at) in [
        (&["probe", "flat.txt", "--depths", "1", "--needles", "1", "--methods"][..], "results"),
        (&["bench", "speed", "--lengths", "200", "--repeats", "1", "--decode", "2", "--methods"], "results"),
        (&["fit", "--length", "200", "--memory", "64MiB", "--methods"], "candidates"),
    ] {
        let found = with(&[command, &[around_select]].concat());
        assert!(found[at][0]["method"].as_str().unwrap().contains("+segment=em-llm:"), "{found}");
        assert!(found[at][0].get("error").is_none(), "{found}");
    }
    let flat =
        ["bench", "flat", "--lengths", "100", "--tokens", "2", "--turns", "1", "--method", around_select];
    assert!(with(&flat)["method"].as_str().unwrap().ends_with("+select=em-llm:recall=20,contiguity=0"));
    assert!(with(&["run", "-p", "Hello", "-n", "3", "--method", around_select])["text"].is_string());
}

#[test]
fn fit_recommends_what_can_then_be_read() {
    let place = place();
    let short = place.json(&["fit", "--length", "200", "--answer", "20", "--memory", "64MiB", "--json"]);
    assert!(short["recommendation"]["method"].as_str().unwrap().starts_with("full"), "{short}");
    assert_eq!(short["recommendation"]["kv"], "f32");
    // The small model's window is 256, so every distance must stay below it.
    let method = "full,inf-llm:window=64,sinks=4,block_size=16,top_k=2,queries=32,window:window=64";
    let fit = ["fit", "--length", "5000", "--methods", method, "--json", "--memory"];
    let long = place.json(&[&fit[..], &["64MiB"]].concat());
    let candidates = long["candidates"].as_array().unwrap();
    assert_eq!(candidates.len(), 12);
    assert!(candidates[0]["inside_window"] == false && candidates[8]["forgets"] == true, "{long}");
    assert!(long["recommendation"]["method"].as_str().unwrap().starts_with("inf-llm"), "{long}");
    // What it says is the least is what a budget accepts.
    let tight = candidates[6]["least_bytes"].as_u64().unwrap().to_string();
    let tight = place.json(&[&fit[..], &[&tight, "--kv", "i8"]].concat());
    assert_eq!(tight["candidates"][1]["fits"], "with-file", "{tight}");
    assert!(tight["candidates"][1]["cold_bytes"].as_u64().unwrap() > 0);
    let none = place.run(&["fit", "--length", "5000", "--memory", "1KiB"]);
    assert_eq!(none.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&none.stderr).contains("--memory"));
    let table = String::from_utf8(
        place.run(&["fit", "--length", "200", "--answer", "20", "--memory", "64MiB"]).stdout,
    )
    .unwrap();
    assert!(table.contains("take: --method full") && table.contains("duo-attention"), "{table}");
}

#[test]
fn a_budget_that_cannot_be_met_is_refused_with_one_that_can() {
    let place = place();
    let output =
        place.run(&["ask", "text.txt", "-q", "?", "--method", "full", "--budget", "1KiB", "-n", "2"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("--budget"), "{said}");
}

/// A limit on the size of files stands in for a full disk: the first pages are written, later ones are refused.
#[cfg(unix)]
#[test]
fn a_full_disk_for_the_cold_file_is_a_clear_error() {
    let place = place();
    let text = "The_grass_is_green.".repeat(1000);
    std::fs::write(place.folder.path().join("long.txt"), text).unwrap();
    let ask = |limit: &str| {
        Command::new("sh")
            .args([
                "-c",
                &format!("trap '' XFSZ; ulimit -f {limit}; exec \"$0\" \"$@\""),
                env!("CARGO_BIN_EXE_loci"),
            ])
            .args([
                "ask",
                "long.txt",
                "-q",
                "?",
                "-n",
                "2",
                "-m",
                "tiny.gguf",
                "--kv",
                "f32",
                "--budget",
                "2MiB",
                "--no-cache",
            ])
            .args(["--method", "inf-llm:window=64,sinks=4,block_size=16,top_k=2,queries=32"])
            .current_dir(place.folder.path())
            .output()
            .unwrap()
    };
    assert!(ask("unlimited").status.success(), "{}", String::from_utf8_lossy(&ask("unlimited").stderr));
    let output = ask("8");
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty(), "no answer from a text that was not read");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("the file for cold blocks") && said.contains("free space"), "{said}");
}

#[test]
fn chat_reads_turns_from_standard_input() {
    use std::io::Write;
    let place = place();
    let mut child = Command::new(env!("CARGO_BIN_EXE_loci"))
        .args(["chat", "-m", "tiny.gguf", "-n", "4", "--quiet"])
        .current_dir(place.folder.path())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"Hello\n\n/clear\nAgain\n/quit\nnever read\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).matches('\n').count() >= 2);
}
