//! Places outside the store that may hold what items say: saved readings, caches, indexes of folders.
//!
//! Forgetting asks each of them. What can be made again (a cache, an index) or was made from the text (a reading) goes with it; a
//! person's own files are not touched, and may bring the text back.

use std::collections::BTreeMap;
use std::sync::Arc;

use loci_engine::model_store::resolve;
use loci_engine::prefix_cache::PrefixCache;
use loci_engine::saved::Facts;
use loci_engine::{Engine, EngineError};
use loci_kernels::Pool;
use serde::Serialize;

use crate::memory::Memory;
use crate::record::Item;

/// Letters and digits of a text from which on it is looked for inside others. Shorter ones, such as "yes", stand in nearly every
/// text by chance: they count where they are all of it.
const TELLING: usize = 5;

/// A place outside the store that may hold what items say.
pub trait Elsewhere: Send {
    /// What it is, for the certificate: `saved readings`.
    fn name(&self) -> &str;

    /// Removes every piece that holds some of `said`; returns how many there were. A dry run removes nothing.
    ///
    /// # Errors
    /// What stands in the way, in words: nothing is forgotten then.
    fn remove(&mut self, said: &Said, dry_run: bool) -> Result<usize, String>;
}

impl Memory {
    /// Forgetting removes what is in `place`, too.
    pub fn also_in(&mut self, place: Box<dyn Elsewhere>) {
        self.elsewhere.push(place);
    }
}

/// The cache of what was read, which keeps tokens and no texts: an entry goes when its tokens say what was said, or when the model that
/// could tell is not there any more.
impl Elsewhere for PrefixCache {
    fn name(&self) -> &str {
        "cache of readings"
    }

    fn remove(&mut self, said: &Said, dry_run: bool) -> Result<usize, String> {
        let mut models: BTreeMap<String, Option<Engine>> = BTreeMap::new();
        let mut decode = |facts: &Facts, tokens: &[u32]| {
            let model = facts.model.as_ref()?;
            let known = models.entry(model.fingerprint.clone());
            let engine = known.or_insert_with(|| {
                let path = resolve(&model.name).ok()?;
                let engine = Engine::open(&path, &model.name, Arc::new(Pool::new(1))).ok()?;
                let same = engine.fingerprint().ok()? == Some(model.fingerprint.as_str());
                same.then_some(engine)
            });
            let decoded: Result<String, EngineError> =
                engine.as_ref()?.tokenizer().map(|it| it.decode(tokens));
            // Vocabularies without a token for it spell out the mark that stands for a blank.
            decoded.ok().map(|text| text.replace('\u{2581}', " "))
        };
        self.forget(dry_run, &|text| said.stands_in(text), &mut decode)
            .map_err(|error| format!("{error} in {}", self.folder().display()))
    }
}

/// What was removed from a place, or would be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Removed {
    /// The place.
    pub place: String,
    /// Pieces: readings, entries, indexes.
    pub removed: usize,
}

/// What items say, to be looked for in texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    texts: Vec<String>,
    sources: Vec<String>,
}

impl Said {
    /// Of these items.
    pub fn of<'i>(items: impl IntoIterator<Item = &'i Item>) -> Self {
        let mut said = Self::default();
        for content in items.into_iter().filter_map(|item| item.content.as_ref()) {
            said.texts.push(plain(&content.text));
            said.sources.extend(content.source.hash.clone());
        }
        said.texts.retain(|text| !text.is_empty());
        said.texts.sort_unstable();
        said.texts.dedup();
        said
    }

    /// Whether there is nothing to look for.
    pub const fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// Whether `text` holds what one of the items says, in whatever white space, or is the source of one.
    pub fn stands_in(&self, text: &str) -> bool {
        if self.is_empty() {
            return false;
        }
        let whole = plain(text);
        let inside = |said: &String| {
            *said == whole
                || (said.chars().filter(|letter| letter.is_alphanumeric()).count() >= TELLING
                    && whole.contains(said.as_str()))
        };
        self.texts.iter().any(inside) || self.is_source(text)
    }

    fn is_source(&self, text: &str) -> bool {
        !self.sources.is_empty() && {
            let hash = blake3::hash(text.as_bytes()).to_hex();
            self.sources.iter().any(|source| source == hash.as_str())
        }
    }
}

/// Words with one blank between them.
fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Content, Source, State};
    use crate::time::Time;

    fn item(text: &str, hash: Option<&str>) -> Item {
        let source = Source { hash: hash.map(str::to_owned), ..Source::default() };
        Item {
            row: 0,
            id: "0".to_owned(),
            content: Some(Content { source, ..Content::note(text) }),
            learned: Time::from_millis(0),
            state: State::Released,
            superseded_by: None,
            held_for: Vec::new(),
            digest: String::new(),
            salt: None,
        }
    }

    #[test]
    fn texts_are_found_in_any_white_space_and_short_ones_only_alone() {
        let said = Said::of(&[item("The code is\n 4711.", None), item("yes", None)]);
        assert!(said.stands_in("Before. The  code\tis 4711. Behind."));
        assert!(said.stands_in(" yes\n"));
        assert!(!said.stands_in("yes, of course; the code is 0815."));
        assert!(!Said::default().stands_in("anything"));
    }

    #[test]
    fn the_source_of_an_item_is_known_by_its_hash() {
        let source = "one two three";
        let hash = blake3::hash(source.as_bytes()).to_hex().to_string();
        let said = Said::of(&[item("no", Some(&hash))]);
        assert!(said.stands_in(source) && !said.stands_in("one two three four"));
    }
}
