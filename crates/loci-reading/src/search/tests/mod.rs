//! Folders made for a test, and what is found in them.

mod broken;
mod folders;
mod meaning;

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::*;
use crate::ranker::By;
use loci_engine::Control;

/// A folder to search, and one for its index.
struct Folders {
    all: tempfile::TempDir,
    /// Files get a time of their own, long ago: what was changed just now is read twice.
    clock: std::cell::Cell<u64>,
}

impl Folders {
    fn new(files: &[(&str, &str)]) -> Self {
        let all = tempfile::tempdir().unwrap();
        std::fs::create_dir(all.path().join("texts")).unwrap();
        let folders = Self { all, clock: std::cell::Cell::new(1_000_000) };
        for (file, text) in files {
            folders.write(file, text);
        }
        folders
    }

    fn texts(&self) -> PathBuf {
        self.all.path().join("texts")
    }

    fn at(&self) -> PathBuf {
        self.all.path().join("index")
    }

    fn write(&self, file: &str, content: impl AsRef<[u8]>) {
        let path = self.texts().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        self.clock.set(self.clock.get() + 1);
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(self.clock.get());
        std::fs::File::options().append(true).open(&path).unwrap().set_modified(time).unwrap();
    }

    fn remove(&self, file: &str) {
        std::fs::remove_file(self.texts().join(file)).unwrap();
    }

    fn index(&self) -> Index {
        let options = IndexOptions { patience: Duration::ZERO, ..IndexOptions::default() };
        Index::open_with(&self.texts(), &self.at(), options).unwrap()
    }

    /// The index, brought up to date.
    fn fresh(&self) -> (Index, Refreshed) {
        let mut index = self.index();
        let counts = refresh(&mut index);
        (index, counts)
    }
}

fn refresh(index: &mut Index) -> Refreshed {
    index.refresh(&mut Control::default()).unwrap()
}

/// Added, changed, removed, unchanged and read files.
fn counts(refreshed: &Refreshed) -> [usize; 5] {
    let Refreshed { added, changed, removed, unchanged, read, .. } = refreshed;
    [*added, *changed, *removed, *unchanged, *read]
}

fn found(index: &Index, query: &str) -> Vec<String> {
    files(&index.search(query, 10, By::Words, None).unwrap())
}

fn files(hits: &[Hit]) -> Vec<String> {
    hits.iter().map(|hit| hit.file.clone()).collect()
}

/// Every hit says what its file says in that place.
fn check(index: &Index, hits: &[Hit]) {
    for hit in hits {
        let document = index.document(&hit.file).unwrap();
        assert_eq!(document.text.get(hit.start..hit.end), Some(hit.text.as_str()), "{hit:?}");
        let blank = hit.text.len() - hit.text.trim_start().len();
        assert_eq!(document.text[..hit.start + blank].matches('\n').count() + 1, hit.line, "{hit:?}");
    }
}
