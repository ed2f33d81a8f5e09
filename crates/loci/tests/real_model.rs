//! The main job with the real model. Runs only where its file is named.
#![allow(clippy::unwrap_used)]

use std::process::Command;

use serde_json::Value;

/// Asks for the key between `before` and `after` repetitions of the filler; `None` without the model.
fn ask(before: usize, after: usize, options: &[&str]) -> Option<Value> {
    let model = loci_testing::real_model()?;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key.txt"), loci_testing::pass_key_text(71432, before, after)).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_loci"))
        .args(["ask", "key.txt", "-q", "What is the pass key?", "-n", "24", "--json", "--no-cache"])
        .args(if options.contains(&"--method") { &[][..] } else { &["--method", "inf-llm"] })
        .args(options)
        .arg("-m")
        .arg(model)
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn a_key_behind_the_window_is_found_and_pointed_at() {
    // About 10,000 tokens, more than the 8,192 the model was trained with.
    let Some(answer) = ask(140, 260, &[]) else { return };
    assert!(answer["context"]["given"].as_u64().unwrap() > 9_000);
    assert!(answer["answer"].as_str().unwrap().contains("71432"), "{answer}");
    let found = answer["evidence"].as_array().unwrap();
    assert!(found.iter().any(|found| found["text"].as_str().unwrap().contains("71432")), "{answer}");
}

#[test]
fn thirty_two_thousand_tokens_fit_into_a_budget_of_256_mib() {
    let Some(answer) = ask(440, 870, &["--budget", "256MiB"]) else { return };
    let context = &answer["context"];
    assert!(context["given"].as_u64().unwrap() > 32_000, "{context}");
    assert_eq!(context["given"], context["read"]);
    assert_eq!(context["dropped"], 0);
    assert!(answer["answer"].as_str().unwrap().contains("71432"), "{answer}");
    // The process's own peak, as the system counts it; not known everywhere.
    if let Some(peak) = answer["timing"]["peak_rss_bytes"].as_u64() {
        assert!(peak < 600_000_000, "the peak is {peak} bytes");
    }
}

#[test]
fn a_probe_finds_needles_in_full_and_not_beyond_a_window() {
    let Some(model) = loci_testing::real_model() else { return };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("text.txt"), loci_testing::pass_key_text(71432, 20, 20)).unwrap();
    let probe = |options: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_loci"))
            .args([
                "probe",
                "text.txt",
                "--depths",
                "3",
                "--needles",
                "2",
                "--methods",
                "full,window:window=128",
            ])
            .args(options)
            .arg("-m")
            .arg(&model)
            .current_dir(folder.path())
            .output()
            .unwrap()
    };
    let output = probe(&["--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let found = |index: usize| report["results"][index]["right"].as_u64().unwrap();
    assert_eq!(
        (report["results"][0]["n"].as_u64(), report["depths"].as_array().unwrap().len()),
        (Some(6), 3)
    );
    // The small model mixes needles up, so it does not find all of them.
    assert!(found(0) >= 1 && found(0) >= found(1), "{report}");
    // Those before the last third have left the window long before they are asked for.
    let window = report["results"][1]["right_by_depth"].as_array().unwrap();
    assert!(window[0] == 0 && window[1] == 0, "{report}");
    assert!(report["recommendation"].as_str().unwrap().starts_with("full"), "{report}");
    let short = probe(&["--lengths", "100"]);
    assert_eq!(short.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&short.stderr).contains("240"), "6 needles need 240 tokens");
    assert_eq!(probe(&["--lengths", "1000000"]).status.code(), Some(1));
}

#[test]
fn a_draft_finds_the_key_for_a_small_memory_and_for_a_short_prompt() {
    let Some(kept) = ask(15, 25, &["--method", "spec-kv:budget=256"]) else { return };
    assert!(kept["answer"].as_str().unwrap().contains("71432"), "{kept}");
    assert!(kept["context"]["dropped"].as_u64().unwrap() > 0, "{kept}");
    let Some(short) = ask(15, 25, &["--method", "spec-pc:budget=512"]) else { return };
    assert!(short["answer"].as_str().unwrap().contains("71432"), "{short}");
    let count = |name: &str| short["context"][name].as_u64().unwrap();
    assert_eq!((count("read"), count("read") + count("skipped")), (512, count("given")));
    let both = "spec-kv-pc:budget=256,prompt=512";
    let Some(both) = ask(15, 25, &["--method", both]) else { return };
    // From so few rows the small model may get a digit wrong, but it looks at the right passage.
    assert!(both["evidence"][0]["text"].as_str().unwrap().contains("71432"), "{both}");
    let count = |name: &str| both["context"][name].as_u64().unwrap();
    assert_eq!((count("read"), count("read") + count("skipped")), (512, count("given")));
}

#[test]
fn a_draft_with_another_vocabulary_is_refused() {
    let Some(model) = loci_testing::real_model() else { return };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tiny.gguf"), loci_models::reference::TinyModel::default().file())
        .unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_loci"))
        .args(["run", "-p", "Hello", "--method", "spec-kv", "--draft", "tiny.gguf", "-m"])
        .arg(model)
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("260 tokens") && said.contains("49152"), "{said}");
}
