//! `loci serve` as a program, with the real model: clients of others, curl, kill -9.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails by panicking

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// What `make test` names; says why it is skipped otherwise.
fn named(variable: &str) -> Option<PathBuf> {
    let found = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.exists());
    if found.is_none() {
        eprintln!("skipped: {variable} names nothing; make test sets it");
    }
    found
}

struct Served {
    process: Child,
    url: String,
}

impl Served {
    fn start(model: &Path, data: &Path, more: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_loci"))
            .args(["serve", "--port", "0", "--quiet", "-m"])
            .arg(format!("smollm2={}", model.display()))
            .arg("--data-dir")
            .arg(data)
            .args(more)
            .env_remove("LOCI_API_KEY")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("{line:?}")).to_owned();
        Self { process, url }
    }

    /// As a shell would ask.
    fn curl(&self, arguments: &[&str], path: &str) -> String {
        let url = format!("{}{path}", self.url);
        let output = Command::new("curl")
            .args(["-sS", "--max-time", "300"])
            .args(arguments)
            .arg(url)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _reaped = self.process.wait();
    }
}

#[test]
fn the_official_client_finds_what_it_expects() {
    let (Some(model), Some(clients)) = (named("LOCI_TEST_MODEL"), named("LOCI_TEST_CLIENTS")) else { return };
    let data = tempfile::tempdir().unwrap();
    let encoder = named("LOCI_TEST_ENCODER").map(|path| format!("minilm={}", path.display()));
    let more: Vec<&str> = encoder.iter().flat_map(|path| ["--encoder", path.as_str()]).collect();
    let served = Served::start(&model, data.path(), &more);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/clients/openai_client.py");
    let output =
        Command::new("python3").arg(script).arg(&served.url).env("PYTHONPATH", clients).output().unwrap();
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn the_official_mcp_client_reads_and_asks_over_http_and_by_pipe() {
    let (Some(model), Some(clients)) = (named("LOCI_TEST_MODEL"), named("LOCI_TEST_CLIENTS")) else { return };
    let (data, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let served = Served::start(&model, data.path(), &[]);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/clients/mcp_client.py");
    let output = Command::new("python3")
        .arg(script)
        .args([&served.url, env!("CARGO_BIN_EXE_loci"), "mcp", "--quiet", "-m"])
        .arg(format!("smollm2={}", model.display()))
        .arg("--data-dir")
        .arg(data.path())
        .arg("--allow")
        .arg(files.path())
        .env("PYTHONPATH", clients)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn a_reading_is_asked_by_curl_and_outlives_kill_9() {
    let Some(model) = named("LOCI_TEST_MODEL") else { return };
    if Command::new("curl").arg("--version").output().is_err() {
        eprintln!("skipped: there is no curl");
        return;
    }
    let data = tempfile::tempdir().unwrap();
    let book = data.path().join("book.txt");
    let filler = "The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again. "
        .repeat(12);
    std::fs::write(&book, format!("{filler}The pass key is 71432. Remember it. {filler}")).unwrap();
    let form = format!("file=@{}", book.display());
    let question = |id: &str| {
        format!(
            "{{\"messages\":[{{\"role\":\"user\",\"content\":\"What is the pass key?\"}}],\"max_tokens\":12,\"loci\":{{\"reading\":\"{id}\"}}}}"
        )
    };
    let json =
        |text: &str| -> serde_json::Value { serde_json::from_str(text).unwrap_or_else(|_| panic!("{text}")) };
    let (id, answer, unfinished) = {
        let served = Served::start(&model, data.path(), &[]);
        let id = json(&served.curl(&["-F", &form], "/v1/loci/readings"))["id"].as_str().unwrap().to_owned();
        while json(&served.curl(&[], &format!("/v1/loci/readings/{id}")))["status"] != "ready" {
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        let body = question(&id);
        let asked = ["-H", "content-type: application/json", "-d", body.as_str()];
        let answer = json(&served.curl(&asked, "/v1/chat/completions"));
        let text = answer["choices"][0]["message"]["content"].as_str().unwrap();
        assert!(text.contains("71432"), "{answer}");
        assert!(answer["loci"]["evidence"][0]["text"].as_str().unwrap().contains("71432"), "{answer}");
        let prefill = answer["loci"]["timing"]["prefill_tokens"].as_u64().unwrap();
        assert!(prefill < 60, "only the question is read: {prefill}");
        // Killed while it reads another one.
        let second =
            json(&served.curl(&["-F", &form], "/v1/loci/readings"))["id"].as_str().unwrap().to_owned();
        (id, answer, second)
    };
    let served = Served::start(&model, data.path(), &[]);
    assert_eq!(json(&served.curl(&[], &format!("/v1/loci/readings/{id}")))["status"], "ready");
    let body = question(&id);
    let asked = ["-H", "content-type: application/json", "-d", body.as_str()];
    let again = json(&served.curl(&asked, "/v1/chat/completions"));
    assert_eq!(again["choices"], answer["choices"]);
    while json(&served.curl(&[], &format!("/v1/loci/readings/{unfinished}")))["status"] != "ready" {
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
}

#[test]
#[cfg(unix)]
fn a_signal_ends_it_in_order() {
    let Some(model) = named("LOCI_TEST_MODEL") else { return };
    let data = tempfile::tempdir().unwrap();
    let mut served = Served::start(&model, data.path(), &[]);
    let id = served.process.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert!(served.process.wait().unwrap().success());
}
