//! A saved reading with some bytes changed, as damage leaves it or, with its checksums made anew, as somebody may forge it.
//! Whatever opens is asked.
#![no_main]

mod edits;

use std::sync::{Arc, OnceLock};

use libfuzzer_sys::fuzz_target;
use loci_engine::documents::Document;
use loci_engine::{Control, Engine, ReadOptions, Reading};
use loci_kernels::Pool;
use loci_models::reference::TinyModel;

const PAGE: usize = 4096;
const PIECE: usize = 1 << 20;
const ENTRY: usize = 48;
const SECTIONS: usize = 5;

fuzz_target!(|input: (Vec<(u8, u16, u8)>, Option<u32>, bool)| {
    let (engine, file) = valid();
    let (edits, length, forged) = input;
    // Most bytes are rows, which may hold anything: edits fall into the sections evenly.
    let starts: Vec<usize> = (0..SECTIONS).map(|section| number(file, 32 + section * ENTRY)).collect();
    let place = |(section, at, byte): (u8, u16, u8)| {
        let start = starts.get(usize::from(section) % (SECTIONS + 1)).copied().unwrap_or(0);
        (u32::try_from(start + usize::from(at)).unwrap_or(0), byte)
    };
    let edits: Vec<(u32, u8)> = edits.into_iter().map(place).collect();
    let mut bytes = edits::edited(file.clone(), &edits, length);
    if forged {
        seal(&mut bytes);
    }
    let Ok(folder) = tempfile::tempdir() else { return };
    let path = folder.path().join("x.loci");
    if std::fs::write(&path, &bytes).is_err() {
        return;
    }
    let _facts = Reading::describe(&path);
    let Ok(reading) = Reading::open(engine, &path) else { return };
    assert!(forged || bytes == *file, "a damaged file was opened");
    let Ok(mut session) = reading.session() else { return };
    if let Ok(tail) = reading.question("What is it?", true) {
        let _read = session.read(&tail.tokens, &mut Control::default());
    }
});

/// A model and a file that it saved.
fn valid() -> &'static (Arc<Engine>, Vec<u8>) {
    static VALID: OnceLock<(Arc<Engine>, Vec<u8>)> = OnceLock::new();
    VALID.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let (model, saved) = (folder.path().join("tiny.gguf"), folder.path().join("x.loci"));
        std::fs::write(&model, TinyModel::default().file()).expect("the model is written");
        let engine = Arc::new(Engine::open(&model, "tiny", Arc::new(Pool::new(1))).expect("the model opens"));
        let documents = vec![Document { name: "a.txt".to_owned(), text: "The grass is green. ".repeat(16) }];
        let reading = Reading::read(&engine, documents, &ReadOptions::default(), &mut Control::default());
        reading.expect("a reading").save(&saved).expect("it is saved");
        let bytes = std::fs::read(&saved).expect("the file");
        (engine, bytes)
    })
}

/// The u64 at `at`, as far as there is one.
fn number(bytes: &[u8], at: usize) -> usize {
    let found = bytes.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
    usize::try_from(u64::from_le_bytes(found.unwrap_or_default())).unwrap_or(usize::MAX)
}

/// Makes all checksums fit, as far as sections lie inside the file.
fn seal(bytes: &mut [u8]) {
    if bytes.len() < PAGE {
        return;
    }
    for section in 0..SECTIONS {
        let entry = 32 + section * ENTRY;
        let (offset, length) = (number(bytes, entry), number(bytes, entry + 8));
        let Some(content) = offset.checked_add(length).and_then(|end| bytes.get(offset..end)) else { continue };
        let mut whole = blake3::Hasher::new();
        content.chunks(PIECE).for_each(|piece| {
            whole.update(blake3::hash(piece).as_bytes());
        });
        bytes[entry + 16..entry + ENTRY].copy_from_slice(whole.finalize().as_bytes());
    }
    let sum = blake3::hash(&bytes[..PAGE - 32]);
    bytes[PAGE - 32..PAGE].copy_from_slice(sum.as_bytes());
}
