//! Files that are damaged, cut, or made to deceive.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use loci_context::MethodSpec;
use loci_kernels::Pool;
use loci_models::reference::TinyModel;

use super::file::{Section, VERSION, Writing, is_reading};
use super::*;
use crate::documents::Document;

struct Fixture {
    engine: Arc<Engine>,
    folder: tempfile::TempDir,
    file: Vec<u8>,
}

impl Fixture {
    fn new(method: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("tiny.gguf");
        std::fs::write(&model, TinyModel::default().file()).unwrap();
        let engine = Arc::new(Engine::open(&model, "tiny", Arc::new(Pool::new(1))).unwrap());
        let context =
            ContextOptions { method: Some(MethodSpec::parse(method).unwrap()), ..ContextOptions::default() };
        let options = ReadOptions { context, ..ReadOptions::default() };
        let documents = vec![Document { name: "a".to_owned(), text: "Lines of text. ".repeat(12) }];
        let reading = Reading::read(&engine, documents, &options, &mut Control::default()).unwrap();
        let path = folder.path().join("whole.loci");
        reading.save(&path).unwrap();
        let file = std::fs::read(path).unwrap();
        Self { engine, folder, file }
    }

    fn open(&self, bytes: &[u8]) -> Result<Reading, EngineError> {
        let path = self.folder.path().join("changed.loci");
        std::fs::write(&path, bytes).unwrap();
        Reading::open(&self.engine, &path)
    }

    fn section(&self, section: Section) -> Vec<u8> {
        let path = self.folder.path().join("whole.loci");
        file::Opened::open(&path, false).unwrap().section(section).to_vec()
    }

    /// The file with other sections and right checksums.
    fn with(&self, change: impl Fn(Section, Vec<u8>) -> Vec<u8>) -> Result<Reading, EngineError> {
        let path = self.folder.path().join("made.loci");
        let mut writing = Writing::begin(&path, false).unwrap();
        for section in Section::ALL {
            let bytes = change(section, self.section(section));
            writing.section(|out: &mut dyn Write| out.write_all(&bytes)).unwrap();
        }
        writing.finish().unwrap();
        Reading::open(&self.engine, &path)
    }

    /// The file with a text of its facts replaced.
    fn with_facts(&self, from: &str, to: &str) -> Result<Reading, EngineError> {
        self.with(|section, bytes| match section {
            Section::Facts => {
                let text = String::from_utf8(bytes).unwrap();
                assert!(text.contains(from), "{from} is not in {text}");
                text.replace(from, to).into_bytes()
            }
            _ => bytes,
        })
    }
}

fn refused(outcome: Result<Reading, EngineError>) -> ReadingError {
    match outcome {
        Err(EngineError::Reading(error)) => error,
        Err(error) => panic!("another error: {error}"),
        Ok(_) => panic!("it was opened"),
    }
}

#[test]
fn a_cut_file_is_refused_wherever_it_was_cut() {
    let fixture = Fixture::new("full");
    let length = fixture.file.len();
    fixture.open(&fixture.file).unwrap();
    let cuts = (0..length).step_by(509).chain([1, 16, 24, 4095, 4096, 4097, length - 1]);
    for cut in cuts {
        let error = refused(fixture.open(&fixture.file[..cut]));
        let other = cut < 16;
        assert!(matches!(error, ReadingError::Other { .. }) == other, "cut to {cut}: {error}");
        assert!(other || matches!(error, ReadingError::Damaged { .. }), "cut to {cut}: {error}");
    }
    let longer = [&fixture.file[..], b"x"].concat();
    assert!(matches!(refused(fixture.open(&longer)), ReadingError::Damaged { .. }));
}

#[test]
fn a_flipped_bit_is_found_in_every_section() {
    // It carries logits from one step to the next.
    let fixture =
        Fixture::new("em-llm:window=64,sinks=4,queries=16,recall=32,min_block_size=8,max_block_size=16");
    let mut refusals = std::collections::BTreeSet::new();
    for at in (0..fixture.file.len()).step_by(251) {
        let mut bytes = fixture.file.clone();
        bytes[at] ^= 1 << (at % 8);
        match fixture.open(&bytes) {
            Ok(_) => panic!("byte {at} was changed unnoticed"),
            Err(error) => {
                refusals.insert(error.to_string().split(": ").nth(1).unwrap_or_default().to_owned())
            }
        };
    }
    for section in ["prelude", "facts", "texts", "tokens", "state", "memory", "zeros"] {
        assert!(refusals.iter().any(|said| said.contains(section)), "{section} in {refusals:?}");
    }
}

#[test]
fn another_version_or_file_is_named() {
    let fixture = Fixture::new("full");
    let mut bytes = fixture.file.clone();
    bytes[16] = 7;
    let error = refused(fixture.open(&bytes));
    assert!(matches!(error, ReadingError::Version { found: 7, expected: VERSION, .. }), "{error}");
    let error = refused(fixture.open(b"GGUF and more"));
    assert!(error.to_string().contains("is no saved reading"), "{error}");
    let path = fixture.folder.path().join("whole.loci");
    assert!(is_reading(&path) && !is_reading(fixture.folder.path()) && !is_reading(Path::new("no/where")));
    assert!(!is_reading(&fixture.folder.path().join("tiny.gguf")));
    let missing = Reading::describe(Path::new("no/where.loci")).unwrap_err();
    assert!(matches!(missing, ReadingError::File { .. }), "{missing}");
}

#[test]
fn sections_that_do_not_fit_each_other_are_refused_though_their_checksums_are_right() {
    let fixture = Fixture::new("full");
    fixture.with(|_, bytes| bytes).unwrap();
    for section in Section::ALL {
        for change in [
            |bytes: Vec<u8>| bytes[..bytes.len() - 1].to_vec(),
            |_| Vec::new(),
            |mut bytes: Vec<u8>| {
                bytes.push(0);
                bytes
            },
        ] {
            let outcome = fixture.with(|found, bytes| if found == section { change(bytes) } else { bytes });
            // A session that carries nothing has no logits that could be cut.
            assert!(outcome.is_err(), "{section:?}");
        }
    }
    let facts: serde_json::Value = serde_json::from_slice(&fixture.section(Section::Facts)).unwrap();
    let method = facts["method"].as_str().unwrap().to_owned();
    for (from, to, says) in [
        (method.as_str(), "window:window=64", "made by full"),
        (method.as_str(), "no-such-method", "no-such-method"),
        ("\"i8\"", "\"f32\"", "rows"),
        ("\"i8\"", "\"i3\"", "no such format"),
        ("\"rope\":null", "\"rope\":\"linear:factor=2\"", "positions"),
        ("\"rope\":null", "\"rope\":\"?\"", "schedule"),
        ("\"heads\":null", "\"heads\":\"1\"", "heads"),
        ("\"tokens\":", "\"tokens\":1", "tokens"),
        ("\"read\":", "\"read\":1", "facts say"),
        ("\"bytes\":", "\"bytes\":9", "not there as a whole"),
        ("\"program\"", "\"programme\"", "facts"),
    ] {
        let error = refused(fixture.with_facts(from, to));
        assert!(error.to_string().contains(says), "{to}: {error}");
    }
    let fingerprint = facts["model"]["fingerprint"].as_str().unwrap();
    let error = refused(fixture.with_facts(fingerprint, "00"));
    assert!(matches!(error, ReadingError::Model { .. }), "{error}");
}

#[test]
fn nonsense_in_the_memory_never_panics() {
    // Whatever the bytes, the outcome is an error or a reading; checksums are right, so that all of it is looked at.
    let fixture = Fixture::new("inf-llm:window=64,sinks=4,block_size=8,top_k=2,queries=16");
    let length = fixture.section(Section::Memory).len();
    let mut refusals = 0;
    for at in (0..length.min(6000)).step_by(41) {
        for value in [0, 0xff, 0x40] {
            let outcome = fixture.with(|section, mut bytes| {
                if section == Section::Memory {
                    bytes[at] = value;
                }
                bytes
            });
            refusals += usize::from(outcome.is_err());
        }
    }
    assert!(refusals > 20, "{refusals}");
}

#[test]
#[cfg(unix)]
fn a_private_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let fixture = Fixture::new("full");
    let reading = fixture.open(&fixture.file).unwrap();
    let path = fixture.folder.path().join("private.loci");
    reading.write(&path, true).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}
