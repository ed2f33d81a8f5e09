//! A server on a small random model, in this process.
#![allow(dead_code)] // each test file uses a part of it

use std::io::Read;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use loci_engine::{ContextOptions, Engine};
use loci_kernels::Pool;
use loci_models::reference::TinyModel;
use loci_server::{ServedModel, Settings, serve};
use serde_json::Value;

/// A model whose tokens are bytes, trained on a window of 256.
pub(crate) fn engine(folder: &Path) -> Arc<Engine> {
    let path = folder.join("tiny.gguf");
    if !path.exists() {
        std::fs::write(&path, TinyModel::default().file()).expect("the model is written");
    }
    Arc::new(Engine::open(&path, "tiny", Arc::new(Pool::new(2))).expect("the model opens"))
}

pub(crate) fn settings(folder: &Path) -> Settings {
    Settings {
        body_bytes: 1 << 20,
        max_tokens: 24,
        grace: Duration::from_secs(5),
        ..Settings::new(folder.join("data"))
    }
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    agent: ureq::Agent,
}

/// A response: its status and body.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The events of a stream, without the last one.
    pub(crate) fn events(&self) -> Vec<Value> {
        let lines = self.text.lines().filter_map(|line| line.strip_prefix("data: "));
        let mut lines: Vec<&str> = lines.collect();
        assert_eq!(lines.pop(), Some("[DONE]"), "{}", self.text);
        lines.iter().map(|line| serde_json::from_str(line).expect("an event of JSON")).collect()
    }
}

impl Server {
    pub(crate) fn start(folder: &Path, settings: Settings) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (told, heard) = mpsc::channel();
        let engine = engine(folder);
        let model = ServedModel::new("tiny".to_owned(), engine, ContextOptions::default()).expect("a model");
        let asked = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let ready = move |address| told.send(address).expect("the test waits");
            serve(("127.0.0.1", 0), vec![model], Vec::new(), settings, ready, move || {
                asked.load(Ordering::Relaxed)
            })
            .expect("the server runs");
        });
        let address = heard.recv_timeout(Duration::from_secs(20)).expect("the server is ready");
        let config = ureq::Agent::config_builder().http_status_as_error(false);
        Self { address, stop, thread: Some(thread), agent: config.build().new_agent() }
    }

    pub(crate) fn plain(folder: &Path) -> Self {
        Self::start(folder, settings(folder))
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        reply(self.agent.get(self.url(path)).call())
    }

    pub(crate) fn get_with_key(&self, path: &str, key: &str) -> Reply {
        reply(self.agent.get(self.url(path)).header("authorization", format!("Bearer {key}")).call())
    }

    pub(crate) fn delete(&self, path: &str) -> Reply {
        reply(self.agent.delete(self.url(path)).call())
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Reply {
        reply(self.agent.post(self.url(path)).send_json(body))
    }

    pub(crate) fn post_with_key(&self, path: &str, key: &str, body: &Value) -> Reply {
        let request = self.agent.post(self.url(path)).header("authorization", format!("Bearer {key}"));
        reply(request.send_json(body))
    }

    pub(crate) fn patch(&self, path: &str, body: &Value) -> Reply {
        reply(self.agent.patch(self.url(path)).send_json(body))
    }

    pub(crate) fn send(&self, path: &str, kind: &str, body: &[u8]) -> Reply {
        reply(self.agent.post(self.url(path)).header("content-type", kind).send(body))
    }

    /// Sends a chat and leaves after the first words.
    pub(crate) fn start_and_leave(&self, body: &Value) {
        let response = self.agent.post(self.url("/v1/chat/completions")).send_json(body).expect("a response");
        let mut reader = response.into_body().into_reader();
        let mut first = [0; 64];
        assert!(reader.read(&mut first).expect("words") > 0);
    }

    /// The reading `id`, once it is ready or has failed.
    pub(crate) fn wait_for(&self, id: &str) -> Value {
        let began = Instant::now();
        loop {
            let view = self.get(&format!("/v1/loci/readings/{id}")).json();
            match view["status"].as_str() {
                Some("ready" | "failed") => return view,
                _ if began.elapsed() > Duration::from_secs(60) => panic!("{view}"),
                _ => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    /// Waits until `condition` holds of the reading `id`, as far as it is listed.
    pub(crate) fn until_listed(&self, id: &str, condition: impl Fn(Option<&Value>) -> bool) {
        let began = Instant::now();
        loop {
            let listed = self.get("/v1/loci/readings").json();
            let view = listed["readings"].as_array().and_then(|all| all.iter().find(|view| view["id"] == id));
            if condition(view) {
                return;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "{listed}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until `condition` holds of the status.
    pub(crate) fn until(&self, condition: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            let status = self.get("/v1/loci/status").json();
            if condition(&status) {
                return status;
            }
            assert!(began.elapsed() < Duration::from_secs(30), "{status}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let outcome = thread.join();
            if !std::thread::panicking() {
                outcome.expect("the server ended well");
            }
        }
    }
}

fn reply(outcome: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Reply {
    let mut response = outcome.expect("a response");
    let status = response.status().as_u16();
    Reply { status, text: response.body_mut().read_to_string().expect("text") }
}
