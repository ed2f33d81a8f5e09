//! Asking an index: by words, by meaning, or by both.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use loci_engine::{Control, Progress};
use tantivy::DocAddress;

use super::error::SearchError;
use super::vectors::{TextHash, Vectors, hash};
use super::{Hit, Index, Usable};
use crate::dense::Dense;
use crate::encode::TextEncoder;
use crate::fuse::fuse;
use crate::ranker::{By, one_vector};
use crate::tokens::words;

/// Passages whose vectors are computed together.
const TOGETHER: usize = 64;

/// Vectors after which those that were computed are saved: so many are computed again at most after a crash.
const SAVE: usize = 8192;

/// How many passages have vectors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Encoded {
    /// Passages in the index; those that say the same share a vector.
    pub passages: usize,
    /// Vectors that were computed now, the others being there.
    pub computed: usize,
}

/// All passages of an index with their vectors.
#[derive(Debug)]
pub(super) struct Meaning {
    encoder: String,
    /// In the order of files and places in them.
    passages: Vec<DocAddress>,
    numbers: HashMap<DocAddress, usize>,
    dense: Dense,
}

/// A passage on the way to its vector.
struct Known {
    file: String,
    start: usize,
    address: DocAddress,
    text: TextHash,
}

impl Index {
    /// The `top` passages that answer `query` best, best first; of equal ones the one in the first file, then the first in it,
    /// stands first. By words, only passages that have one of the query's words are found.
    ///
    /// Ranking by words is BM25 (k1 1.2, b 0.75) with lengths rounded to a byte, as tantivy has it; a passage that was removed
    /// may count for a while in how rare a word is. `encoder` is needed where [`By::needs_encoder`] says so. Vectors that are
    /// not there yet are computed here, which takes long for many; [`Index::encode`] does it with progress.
    ///
    /// # Errors
    /// [`SearchError::NotIndexed`] before the first [`Index::refresh`], [`SearchError::NoWords`] for a query that says nothing,
    /// [`SearchError::Engine`] without the encoder that is needed.
    pub fn search(
        &self,
        query: &str,
        top: usize,
        by: By,
        encoder: Option<&dyn TextEncoder>,
    ) -> Result<Vec<Hit>, SearchError> {
        let encoder = by.encoder(encoder)?;
        let usable = self.usable()?;
        let empty = if by == By::Words { words(query).is_empty() } else { query.trim().is_empty() };
        if empty {
            return Err(SearchError::NoWords { query: query.to_owned() });
        }
        let Some(encoder) = encoder else {
            let ranked = usable.words.rank(query, top).map_err(SearchError::words(self.place()))?;
            let mut hits = self.hits(usable, ranked)?;
            hits.sort_by(|one, other| {
                let place = || (&one.file, one.start).cmp(&(&other.file, other.start));
                other.score.total_cmp(&one.score).then_with(place)
            });
            hits.truncate(top);
            return Ok(hits);
        };
        let meaning = self.meaning(encoder)?;
        let mut ranked = meaning.dense.rank(&one_vector(encoder, query)?)?;
        if by == By::Fused {
            let all = usable.words.rank(query, usize::MAX).map_err(SearchError::words(self.place()))?;
            let mut by_words: Vec<(f64, usize)> = all
                .into_iter()
                .filter_map(|(score, address)| Some((score, *meaning.numbers.get(&address)?)))
                .collect();
            by_words.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)));
            let by_words = by_words.into_iter().map(|(_, passage)| passage).collect();
            ranked = fuse(&[by_words, ranked.into_iter().map(|(passage, _)| passage).collect()]);
        }
        let best = ranked.into_iter().take(top);
        let best = best.filter_map(|(passage, score)| Some((score, *meaning.passages.get(passage)?)));
        self.hits(usable, best.collect())
    }

    fn hits(&self, usable: &Usable, ranked: Vec<(f64, DocAddress)>) -> Result<Vec<Hit>, SearchError> {
        let hit = |(score, address)| usable.words.hit(address, score);
        ranked.into_iter().map(hit).collect::<Result<_, _>>().map_err(SearchError::words(self.place()))
    }

    /// Computes the vectors that passages lack, and keeps them beside the index. The control's progress counts vectors.
    ///
    /// # Errors
    /// [`SearchError::NotIndexed`] before the first [`Index::refresh`], [`SearchError::Engine`] when the encoder fails,
    /// [`SearchError::Interrupted`] when it was stopped; what was computed is kept.
    pub fn encode(
        &self,
        encoder: &dyn TextEncoder,
        control: &mut Control<'_>,
    ) -> Result<Encoded, SearchError> {
        let (meaning, computed) = self.make_meaning(encoder, control)?;
        let passages = meaning.passages.len();
        *self.meaning.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(meaning));
        Ok(Encoded { passages, computed })
    }

    /// What ranks by meaning; made if it is not there.
    fn meaning(&self, encoder: &dyn TextEncoder) -> Result<Arc<Meaning>, SearchError> {
        let made = self.meaning.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(made) = made.filter(|made| made.encoder == encoder.name()) {
            return Ok(made);
        }
        let made = Arc::new(self.make_meaning(encoder, &mut Control::default())?.0);
        *self.meaning.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&made));
        Ok(made)
    }

    fn make_meaning(
        &self,
        encoder: &dyn TextEncoder,
        control: &mut Control<'_>,
    ) -> Result<(Meaning, usize), SearchError> {
        let usable = self.usable()?;
        let mut vectors = Vectors::open(&self.place, encoder)?;
        let mut known: Vec<Known> = Vec::new();
        let mut missing: HashMap<TextHash, DocAddress> = HashMap::new();
        let see = |address: DocAddress, hit: Hit| {
            let text = hash(&hit.text);
            if !vectors.has(&text) {
                missing.entry(text).or_insert(address);
            }
            known.push(Known { file: hit.file, start: hit.start, address, text });
        };
        usable.words.each(see).map_err(SearchError::words(self.place()))?;
        known.sort_by(|one, other| (&one.file, one.start).cmp(&(&other.file, other.start)));
        let mut used: Vec<TextHash> = Vec::with_capacity(known.len());
        let mut seen = std::collections::HashSet::new();
        used.extend(known.iter().map(|passage| passage.text).filter(|text| seen.insert(*text)));
        let missing: Vec<(TextHash, DocAddress)> =
            used.iter().filter_map(|text| Some((*text, *missing.get(text)?))).collect();
        self.compute(usable, &mut vectors, &missing, &used, encoder, control)?;
        let numbers = known.iter().enumerate().map(|(number, passage)| (passage.address, number)).collect();
        let passages = known.iter().map(|passage| passage.address).collect();
        let mut matrix = Vec::with_capacity(known.len() * encoder.dimension());
        for passage in &known {
            // All have one now. Were one missing, the matrix would not be one, which is noticed.
            matrix.extend_from_slice(vectors.get(&passage.text).unwrap_or(&[]));
        }
        let dense = Dense::new(encoder.dimension(), matrix)?;
        Ok((Meaning { encoder: encoder.name().to_owned(), passages, numbers, dense }, missing.len()))
    }

    /// Computes the vectors of the passages `missing`, and keeps those of the texts `used`.
    fn compute(
        &self,
        usable: &Usable,
        vectors: &mut Vectors,
        missing: &[(TextHash, DocAddress)],
        used: &[TextHash],
        encoder: &dyn TextEncoder,
        control: &mut Control<'_>,
    ) -> Result<(), SearchError> {
        let started = Instant::now();
        let (total, mut done, mut saved) = (missing.len(), 0, 0);
        for batch in missing.chunks(TOGETHER) {
            if control.stopped() {
                vectors.save(&self.place, encoder, used)?;
                return Err(SearchError::Interrupted { done, total, what: "passages" });
            }
            let text = |(text, address): &(TextHash, DocAddress)| {
                let hit = usable.words.hit(*address, 0.0).map_err(SearchError::words(self.place()))?;
                Ok((*text, hit.text))
            };
            let texts = batch.iter().map(text).collect::<Result<Vec<_>, SearchError>>()?;
            vectors.add(&texts, encoder)?;
            done += batch.len();
            if done - saved >= SAVE {
                vectors.save(&self.place, encoder, used)?;
                saved = done;
            }
            if let Some(progress) = &mut control.progress {
                progress(Progress { done, total, elapsed: started.elapsed() });
            }
        }
        // Vectors of passages that are gone are dropped as well.
        if done > saved || vectors.len() > used.len() {
            vectors.save(&self.place, encoder, used)?;
        }
        Ok(())
    }
}
