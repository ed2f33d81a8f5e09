//! Bringing an index up to what its folder holds now.

use std::fs::File;
use std::io::{self, Read};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use loci_engine::documents::{self, Document};
use loci_engine::{Control, Progress};
use serde::Serialize;

use super::cut::cut;
use super::error::SearchError;
use super::manifest::{Entry, LeftOut, Manifest, Outcome, Reason};
use super::place::Lock;
use super::walk::{Found, Seen, modified, walk};
use super::words::{Passage, Words, Writer};
use super::{Index, State};

/// Bytes of files after which what was done so far is made last: so much is read again at most after a crash.
const COMMIT_BYTES: u64 = 256 << 20;

/// A file that was changed so shortly before it was read may change again without its time showing it.
const COARSEST_CLOCK: Duration = Duration::from_secs(2);

/// What [`Index::refresh`] found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Refreshed {
    /// Files that are in the index now.
    pub files: usize,
    /// Passages that are in the index now.
    pub passages: usize,
    /// Files that are new in the index.
    pub added: usize,
    /// Files in the index whose bytes are others than before.
    pub changed: usize,
    /// Files that were in the index and are not any more: gone, or left out now.
    pub removed: usize,
    /// Files in the index that are as they were.
    pub unchanged: usize,
    /// Files whose bytes were read to know all this.
    pub read: usize,
    /// Files that are not in the index, sorted by path. Hidden ones and folders that are always passed over are not listed.
    pub left_out: Vec<LeftOut>,
    /// Why the index was made anew, if one was there.
    pub rebuilt: Option<String>,
}

/// What reading a file gave.
enum Took {
    /// Its text, and the hash of its bytes.
    Text(Document, String),
    /// Its bytes are those of last time.
    Same(String),
    /// No text.
    Nothing(Reason, String, Option<String>),
    /// It is not there any more.
    Gone,
}

/// A refresh on its way.
struct Work {
    manifest: Manifest,
    counts: Refreshed,
    /// Whether the index is new, and nothing of it committed.
    begun: bool,
}

impl Work {
    /// Takes a file out of the index.
    fn forget(&mut self, writer: &Writer, file: &str) {
        if self.manifest.files.remove(file).and_then(|entry| entry.passages()).is_some() {
            writer.remove(file);
            self.counts.removed += 1;
        }
    }

    /// What was done; `left_out` are the files that were not even looked at.
    fn counts(self, left_out: Vec<LeftOut>) -> Refreshed {
        let (files, passages) = (self.manifest.indexed(), self.manifest.passages());
        let mut counts = Refreshed { files, passages, left_out, ..self.counts };
        counts.left_out.extend(self.manifest.files.into_iter().filter_map(
            |(file, entry)| match entry.outcome {
                Outcome::Passages(_) => None,
                Outcome::LeftOut(reason, message) => Some(LeftOut { file, reason, message }),
            },
        ));
        counts.left_out.sort_by(|one, other| one.file.cmp(&other.file));
        counts
    }
}

impl Index {
    /// Brings the index up to what the folder holds now: reads files that are new or may have changed (another size or time),
    /// removes those that are gone. What is damaged, or was made by another version, is made anew.
    ///
    /// A change that keeps size and time of a file is not seen. The control's progress counts files that are read.
    ///
    /// What was done is in the index when this returns, and when it is stopped; a process that is killed loses only what it
    /// has done since a while.
    ///
    /// # Errors
    /// [`SearchError`] when the folder cannot be read, the index cannot be written, or another process writes it;
    /// [`SearchError::Interrupted`] when it was stopped. Files that cannot be read are no error but left out, with the reason.
    pub fn refresh(&mut self, control: &mut Control<'_>) -> Result<Refreshed, SearchError> {
        let held = self.place.lock_alone()?;
        let seen = walk(&self.folder, self.place.path(), control)?;
        // Another process may have written since.
        if !self.state.is_newest(&self.place) {
            self.load();
        }
        let mut work =
            Work { manifest: Manifest::new(self.options.words), counts: Refreshed::default(), begun: true };
        let done = match std::mem::replace(&mut self.state, State::none("it is being written", true)) {
            State::Usable(usable) => {
                work.manifest = usable.manifest.clone();
                work.begun = false;
                let done = self.update(&usable.words, &mut work, &seen, control, &held);
                if matches!(done, Ok(false)) {
                    self.state = State::Usable(usable);
                }
                done
            }
            State::Unusable { reason, there } => {
                work.counts.rebuilt = there.then_some(reason);
                let words = self.begin(&held)?;
                self.update(&words, &mut work, &seen, control, &held)
            }
        };
        // Whatever happened: what was committed is what there is.
        if !matches!(done, Ok(false)) {
            self.load();
        }
        done?;
        Ok(work.counts(seen.left_out))
    }

    /// An empty index in the place of what is there.
    fn begin(&self, held: &Lock) -> Result<Words, SearchError> {
        self.place.clear(held)?;
        let folder = self.place.words();
        std::fs::create_dir_all(&folder).map_err(SearchError::place(&folder))?;
        Words::create(&folder).map_err(SearchError::words(self.place.path()))
    }

    /// Reads what may have changed; whether anything was written.
    fn update(
        &self,
        words: &Words,
        work: &mut Work,
        seen: &Seen,
        control: &mut Control<'_>,
        held: &Lock,
    ) -> Result<bool, SearchError> {
        let there = |file: &String| seen.files.binary_search_by(|found| found.file.cmp(file)).is_ok();
        let gone: Vec<String> = work.manifest.files.keys().filter(|file| !there(file)).cloned().collect();
        let (known, unknown): (Vec<&Found>, Vec<&Found>) =
            seen.files.iter().partition(|found| is_known(found, &work.manifest, self.options.largest_file));
        let indexed =
            |found: &&&Found| work.manifest.files.get(&found.file).and_then(Entry::passages).is_some();
        work.counts.unchanged = known.iter().filter(indexed).count();
        // An index that was just begun is committed even if it is empty: that there is nothing is known then.
        if gone.is_empty() && unknown.is_empty() && !work.begun {
            return Ok(false);
        }
        let failed = SearchError::words;
        let at = self.place.path();
        let mut writer = words.writer().map_err(failed(at))?;
        for file in &gone {
            work.forget(&writer, file);
        }
        let started = Instant::now();
        let (total, mut bytes) = (unknown.len(), 0);
        for (done, found) in unknown.into_iter().enumerate() {
            if control.stopped() {
                self.commit(&mut writer, &work.manifest, held)?;
                return Err(SearchError::Interrupted { done, total, what: "files" });
            }
            self.take(&writer, work, found)?;
            bytes += found.size;
            if bytes >= COMMIT_BYTES {
                self.commit(&mut writer, &work.manifest, held)?;
                bytes = 0;
            }
            if let Some(progress) = &mut control.progress {
                progress(Progress { done: done + 1, total, elapsed: started.elapsed() });
            }
        }
        self.commit(&mut writer, &work.manifest, held)?;
        writer.finish().map_err(failed(at))?;
        Ok(true)
    }

    /// Reads a file, and puts what it says in the place of what it said.
    fn take(&self, writer: &Writer, work: &mut Work, found: &Found) -> Result<(), SearchError> {
        let before = work.manifest.files.get(&found.file).cloned();
        let began = SystemTime::now();
        let (took, size, time) = self.read(found, before.as_ref(), &mut work.counts);
        let indexed = before.as_ref().and_then(Entry::passages).is_some();
        let (hash, outcome) = match took {
            Took::Gone => {
                work.forget(writer, &found.file);
                return Ok(());
            }
            Took::Same(hash) => {
                work.counts.unchanged += usize::from(indexed);
                let outcome = before.map_or(Outcome::Passages(0), |entry| entry.outcome);
                (Some(hash), outcome)
            }
            Took::Nothing(reason, message, hash) => {
                work.forget(writer, &found.file);
                (hash, Outcome::LeftOut(reason, message))
            }
            Took::Text(document, hash) => {
                if indexed {
                    writer.remove(&found.file);
                    work.counts.changed += 1;
                } else {
                    work.counts.added += 1;
                }
                let passages = self.add(writer, &found.file, &document.text)?;
                (Some(hash), Outcome::Passages(passages))
            }
        };
        let entry = Entry { size, modified: time, settled: settled(time, began), hash, outcome };
        work.manifest.files.insert(found.file.clone(), entry);
        Ok(())
    }

    /// Adds the passages of a text; how many there are.
    fn add(&self, writer: &Writer, file: &str, text: &str) -> Result<usize, SearchError> {
        let (mut line, mut at) = (1, 0);
        let ranges = cut(text, self.options.words);
        for range in &ranges {
            let own = text.get(range.clone()).unwrap_or("");
            // Of the first thing that is to be seen.
            let seen = range.start + (own.len() - own.trim_start().len());
            line +=
                text.as_bytes().get(at..seen).unwrap_or(&[]).iter().filter(|byte| **byte == b'\n').count();
            at = seen;
            let passage = Passage { file, start: range.start, end: range.end, line, text: own };
            writer.add(&passage).map_err(SearchError::words(self.place.path()))?;
        }
        Ok(ranges.len())
    }

    /// Makes what was done so far last. The manifest is written first, under its hash; the commit that names the hash then
    /// changes both at once, and whatever else has such a name is of no use.
    fn commit(&self, writer: &mut Writer, manifest: &Manifest, held: &Lock) -> Result<(), SearchError> {
        let name = manifest.save(&self.place)?;
        writer.commit(&name).map_err(SearchError::words(self.place.path()))?;
        self.place.tidy(Some(&name), held)
    }

    /// Reads a file, with its size and time from when it was opened.
    fn read(
        &self,
        found: &Found,
        before: Option<&Entry>,
        counts: &mut Refreshed,
    ) -> (Took, u64, Option<i64>) {
        let limit = self.options.largest_file;
        let too_large = |size: u64| {
            let message = format!("it has {size} bytes; files of more than {limit} are not read");
            Took::Nothing(Reason::TooLarge, message, None)
        };
        if found.size > limit {
            return (too_large(found.size), found.size, found.modified);
        }
        let opened = File::open(&found.path).and_then(|file| Ok((file.metadata()?, file)));
        let (metadata, file) = match opened {
            Ok(opened) => opened,
            Err(error) => return (refused(&error), found.size, found.modified),
        };
        let (size, time) = (metadata.len(), modified(&metadata));
        let mut bytes = Vec::new();
        counts.read += 1;
        // One byte more than the limit tells that it was passed, however fast the file grows.
        if let Err(error) = file.take(limit.saturating_add(1)).read_to_end(&mut bytes) {
            return (refused(&error), size, time);
        }
        if bytes.len() as u64 > limit {
            return (too_large(bytes.len() as u64), size, time);
        }
        let hash = blake3::hash(&bytes).to_hex().to_string();
        let again = before.is_some_and(|entry| match &entry.outcome {
            Outcome::LeftOut(reason, _) if reason.may_pass() => false,
            _ => entry.hash.as_ref() == Some(&hash),
        });
        if again {
            return (Took::Same(hash), size, time);
        }
        let extension = found.path.extension().and_then(|extension| extension.to_str()).unwrap_or("");
        match documents::from_bytes(&found.file, extension, bytes) {
            Ok(document) => (Took::Text(document, hash), size, time),
            Err(error) => (Took::Nothing(Reason::of(&error), error.to_string(), Some(hash)), size, time),
        }
    }
}

fn refused(error: &io::Error) -> Took {
    match error.kind() {
        io::ErrorKind::NotFound => Took::Gone,
        _ => Took::Nothing(Reason::Unreadable, error.to_string(), None),
    }
}

/// Whether a file need not be read to know what it says. Files of more than `limit` bytes are left out.
fn is_known(found: &Found, manifest: &Manifest, limit: u64) -> bool {
    let Some(entry) = manifest.files.get(&found.file) else { return false };
    let may_pass = matches!(entry.outcome, Outcome::LeftOut(reason, _) if reason.may_pass());
    // Another limit than last time may be set.
    let too_large = matches!(entry.outcome, Outcome::LeftOut(Reason::TooLarge, _));
    let same = entry.size == found.size && entry.modified == found.modified;
    entry.settled && same && !may_pass && too_large == (found.size > limit)
}

/// Whether a change after `began` would give a file another time than `time`.
fn settled(time: Option<i64>, began: SystemTime) -> bool {
    let began = began.duration_since(UNIX_EPOCH).ok().and_then(|since| i64::try_from(since.as_nanos()).ok());
    let clock = i64::try_from(COARSEST_CLOCK.as_nanos()).unwrap_or(i64::MAX);
    time.zip(began).is_some_and(|(time, began)| time < began.saturating_sub(clock))
}
