//! Recall: the items that answer a question, those that count first.

use std::collections::{BTreeMap, BTreeSet};

use loci_engine::Control;
use loci_reading::ranker::By;
use loci_reading::{TextEncoder, fuse};
use serde::Serialize;

use crate::conflict::{Standing, standings};
use crate::error::MemoryError;
use crate::memory::Memory;
use crate::record::{Item, Kind, State, Trust};
use crate::rows::{Filter, Rows, ScopeRow};
use crate::search::{Common, by_words, index_words};
use crate::time::Time;
use crate::vectors::Vectors;
use crate::when::{Days, days_of};

/// Items that are ranked, unless more are wanted.
const CANDIDATES: usize = 1_000;
/// Items that are fetched at once: the conflict rule and the days of a question choose among at least so many.
const PART: usize = 50;
/// Keys that get their vectors at once.
const BATCH: usize = 64;
/// Days added at both ends of the days that a question names (LongMemEval).
const SLACK: i64 = 2;
/// Cosine from which on an item speaks of the same as the question; of MiniLM-like encoders, set by hand.
const LIKE: f64 = 0.35;
/// Share of a question's telling words that an item has to have to support an answer; set by hand.
const COVERED: f64 = 0.5;

/// Items with their scores, best first.
type Ranked = Vec<(i64, f64)>;

/// What is asked of a memory.
#[derive(Clone, Debug)]
pub struct Query {
    /// The question.
    pub text: String,
    /// At most so many items.
    pub most: usize,
    /// What items are ranked by.
    pub by: By,
    /// The time that is asked about; none: now.
    pub at: Option<Time>,
    /// Items that are believed less are left out.
    pub least_trust: Trust,
    /// Of this kind.
    pub kind: Option<Kind>,
    /// Of this conversation.
    pub session: Option<String>,
    /// From this moment on.
    pub from: Option<Time>,
    /// Before this moment.
    pub until: Option<Time>,
    /// Whether the days that the question names go first (LongMemEval's time-aware query expansion, by rule).
    pub days: bool,
    /// Canaries too.
    pub canary: bool,
    /// Superseded items too.
    pub past: bool,
}

impl Query {
    /// Ten items by words, now.
    pub fn new(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            most: 10,
            by: By::Words,
            at: None,
            least_trust: Trust::NONE,
            kind: None,
            session: None,
            from: None,
            until: None,
            days: true,
            canary: false,
            past: false,
        }
    }

    fn takes(&self, item: &Item, at: Time) -> bool {
        let Some(content) = &item.content else { return false };
        let in_use = match item.state {
            State::Released => true,
            State::Canary => self.canary,
            // What was in use before it was replaced, where the past is asked for.
            State::Superseded => self.past || self.at.is_some(),
            _ => false,
        };
        in_use
            && content.trust >= self.least_trust
            && self.kind.is_none_or(|kind| kind == content.kind)
            && self.session.as_ref().is_none_or(|session| content.session.as_ref() == Some(session))
            && self.from.is_none_or(|from| from <= item.when())
            && self.until.is_none_or(|until| item.when() < until)
            // Nobody knew then what was learned later.
            && (self.at.is_none() || item.learned <= at || content.valid_from.is_some_and(|from| from <= at))
    }
}

/// An item that was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Found {
    /// The item.
    #[serde(flatten)]
    pub item: Item,
    /// How good it is: BM25, a cosine, or a sum of reciprocal ranks. Scores of different kinds cannot be compared.
    pub score: f64,
    /// Where it stands among those about the same thing.
    #[serde(flatten)]
    pub standing: Standing,
    /// It is of the days that the question names.
    pub of_the_days: bool,
    /// It has enough of the question's words, or speaks of the same, for an answer to rest on it.
    pub supports: bool,
}

/// What a memory has to say.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Recall {
    /// The time that was asked about.
    pub at: Time,
    /// The days that the question names, widened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days: Option<(String, String)>,
    /// What items were ranked by.
    pub by: &'static str,
    /// The items: those that count first, within them those of the days, within them the best.
    pub found: Vec<Found>,
    /// Whether any of them supports an answer; where none does, the right answer is that this is not known.
    pub supported: bool,
}

impl Memory {
    /// Finds the items that answer a question. `encoder` is needed where `query.by` is by meaning; keys without vectors get theirs.
    ///
    /// # Errors
    /// [`MemoryError::Invalid`] for a question without words, and what store and encoder fail with.
    pub fn recall(
        &mut self,
        query: &Query,
        encoder: Option<&dyn TextEncoder>,
    ) -> Result<Recall, MemoryError> {
        if index_words(&query.text).is_empty() {
            return Err(MemoryError::Invalid(format!(
                "{:?} has no word to search for; ask with a word or a number",
                query.text
            )));
        }
        let at = query.at.unwrap_or_else(|| self.now());
        let mut meaning = match (query.by.needs_encoder(), encoder) {
            (false, _) => None,
            (true, Some(encoder)) => Some((self.encoded(encoder)?, one_vector(encoder, &query.text)?)),
            (true, None) => {
                return Err(MemoryError::Invalid(format!(
                    "ranking by {} needs a sentence encoder; name one, such as minilm (loci pull minilm), or rank by words",
                    query.by
                )));
            }
        };
        let mut common = std::mem::take(&mut self.common);
        let days = days(query, at);
        let found =
            self.look(|rows, scope| found((rows, scope), query, (at, days), meaning.as_mut(), &mut common));
        self.common = common;
        if let Some((mut vectors, _)) = meaning {
            vectors.file();
            self.vectors = Some(vectors);
        }
        let found = found?;
        let supported = found.iter().any(|found| found.supports);
        let days = days.map(|days| (days.first.to_string(), days.last.to_string()));
        Ok(Recall { at, days, by: query.by.name(), found, supported })
    }

    /// Gives every key of the scope a vector; returns how many got one.
    ///
    /// # Errors
    /// What store and encoder fail with, and [`MemoryError::Engine`] when it was stopped: what was done is kept.
    pub fn encode(
        &mut self,
        encoder: &dyn TextEncoder,
        control: &mut Control<'_>,
    ) -> Result<usize, MemoryError> {
        let mut done = 0;
        loop {
            let space = encoder.name();
            let (newest, keys) = self.look(|rows, scope| {
                // Up to here every key has its vector: looking through all of them again would cost more than the search.
                let after = rows.meta(&encoded_up_to(space, scope))?.and_then(|bytes| bytes.try_into().ok());
                let (after, newest) = (after.map_or(0, i64::from_le_bytes), rows.newest_key(scope)?);
                let keys = match after < newest {
                    true => rows.without_vector(scope, space, after, BATCH)?,
                    false => return Ok((None, Vec::new())),
                };
                Ok((Some(keys.last().filter(|_| keys.len() == BATCH).map_or(newest, |(key, _)| *key)), keys))
            })?;
            let Some(newest) = newest else { return Ok(done) };
            let texts: Vec<&str> = keys.iter().map(|(_, text)| text.as_str()).collect();
            let vectors = if texts.is_empty() { Vec::new() } else { encoder.encode(&texts)? };
            self.change(|writer| {
                for ((key, _), vector) in keys.iter().zip(&vectors) {
                    writer.rows.add_vector(writer.row, *key, space, vector)?;
                }
                writer.rows.set_meta(&encoded_up_to(space, writer.row), &newest.to_le_bytes())
            })?;
            done += keys.len();
            if control.stopped() {
                return Err(loci_engine::EngineError::Interrupted { done, total: done }.into());
            }
        }
    }

    /// The vectors of the store as far as they were read, after each key of this scope got its own.
    fn encoded(&mut self, encoder: &dyn TextEncoder) -> Result<Vectors, MemoryError> {
        self.encode(encoder, &mut Control::default())?;
        let kept = self.vectors.take().filter(|vectors| vectors.space() == encoder.name());
        Ok(kept.unwrap_or_else(|| {
            Vectors::open(self.engine.folder(), self.secret(), encoder.name(), encoder.dimension())
        }))
    }
}

/// Names the number of the key up to which all keys of a scope have their vectors.
fn encoded_up_to(space: &str, scope: ScopeRow) -> String {
    format!("encoded {} {space}", scope.0)
}

fn one_vector(encoder: &dyn TextEncoder, text: &str) -> Result<Vec<f32>, MemoryError> {
    let vector = encoder.encode(&[text])?.pop();
    vector.ok_or_else(|| MemoryError::Invalid(format!("the encoder {} gave no vector", encoder.name())))
}

fn days(query: &Query, at: Time) -> Option<Days> {
    days_of(&query.text, at).filter(|_| query.days).map(|days| days.widened(SLACK))
}

/// The items of a scope that answer `query`.
fn found(
    (rows, scope): (&dyn Rows, ScopeRow),
    query: &Query,
    (at, days): (Time, Option<Days>),
    mut meaning: Option<&mut (Vectors, Vec<f32>)>,
    common: &mut Common,
) -> Result<Vec<Found>, MemoryError> {
    let mut most = query.most.max(CANDIDATES);
    let (taken, cosines) = loop {
        let (ranked, cosines) = ranked((rows, scope), query, meaning.as_deref_mut(), most, common)?;
        let taken = taken(rows, scope, query, at, &ranked)?;
        // Where too few of the best may be taken, those behind them are looked at, too.
        if taken.len() >= query.most || ranked.len() < most {
            break (taken, cosines);
        }
        most = usize::MAX;
    };
    let standings = standings_of(rows, scope, &taken, query, at)?;
    let cosines: BTreeMap<i64, f64> = cosines.into_iter().collect();
    let telling = telling(&query.text);
    let mut found: Vec<Found> = taken
        .into_iter()
        .zip(standings)
        .map(|((item, score), standing)| {
            let like = cosines.get(&item.row).is_some_and(|cosine| *cosine >= LIKE);
            Found {
                of_the_days: days.is_some_and(|days| days.hold(item.when())),
                supports: like || covers(&item, &telling),
                item,
                score,
                standing,
            }
        })
        .collect();
    // Stable: the order within each part is that of the ranking.
    found.sort_by_key(|found| {
        (matches!(found.standing, Standing::NotThen | Standing::Outdone { .. }), !found.of_the_days)
    });
    found.truncate(query.most);
    Ok(found)
}

/// The best `most` items, and their cosines where meaning counts. Of two rankings that are fused each counts so far.
fn ranked(
    (rows, scope): (&dyn Rows, ScopeRow),
    query: &Query,
    meaning: Option<&mut (Vectors, Vec<f32>)>,
    most: usize,
    common: &mut Common,
) -> Result<(Ranked, Ranked), MemoryError> {
    let cosines = match meaning {
        None => Vec::new(),
        // Before anything is read that the database can do without.
        Some((vectors, vector)) => match rows.nearest(scope, vectors.space(), vector, most)? {
            Some(nearest) => nearest,
            None => {
                vectors.refresh(rows)?;
                vectors.by_meaning(scope, vector, most)
            }
        },
    };
    Ok(match query.by {
        By::Words => (by_words(rows, scope, &query.text, most, common)?, cosines),
        By::Meaning => (cosines.clone(), cosines),
        By::Fused => (fused(&by_words(rows, scope, &query.text, most, common)?, &cosines), cosines),
    })
}

/// Of the items that were ranked those that may be taken, as many as are wanted.
fn taken(
    rows: &dyn Rows,
    scope: ScopeRow,
    query: &Query,
    at: Time,
    ranked: &[(i64, f64)],
) -> Result<Vec<(Item, f64)>, MemoryError> {
    let mut taken = Vec::new();
    for part in ranked.chunks(PART) {
        let numbers: Vec<i64> = part.iter().map(|(item, _)| *item).collect();
        let mut items: BTreeMap<i64, Item> =
            rows.items_at(scope, &numbers)?.into_iter().map(|item| (item.row, item)).collect();
        for (row, score) in part {
            if let Some(item) = items.remove(row).filter(|item| query.takes(item, at)) {
                taken.push((item, *score));
            }
        }
        if taken.len() >= query.most.max(PART) {
            break;
        }
    }
    Ok(taken)
}

/// Both rankings by reciprocal ranks.
fn fused(words: &[(i64, f64)], meaning: &[(i64, f64)]) -> Vec<(i64, f64)> {
    let ranking =
        |ranked: &[(i64, f64)]| ranked.iter().filter_map(|(item, _)| usize::try_from(*item).ok()).collect();
    let fused = fuse(&[ranking(words), ranking(meaning)]);
    fused.into_iter().filter_map(|(item, score)| Some((i64::try_from(item).ok()?, score))).collect()
}

/// Where the items stand, with all their rivals in view, not only those that were found.
fn standings_of(
    rows: &dyn Rows,
    scope: ScopeRow,
    taken: &[(Item, f64)],
    query: &Query,
    at: Time,
) -> Result<Vec<Standing>, MemoryError> {
    let topic = |item: &Item| item.content.as_ref().and_then(|content| content.topic.clone());
    let topics: BTreeSet<String> = taken.iter().filter_map(|(item, _)| topic(item)).collect();
    let known: BTreeSet<i64> = taken.iter().map(|(item, _)| item.row).collect();
    let mut rivals = Vec::new();
    for topic in topics {
        rivals.extend(rows.items(scope, &Filter { topic: Some(topic), ..Filter::default() })?);
    }
    rivals.retain(|item| !known.contains(&item.row) && query.takes(item, at));
    let items: Vec<&Item> = taken.iter().map(|(item, _)| item).chain(&rivals).collect();
    let mut standings = standings(&items, at);
    standings.truncate(taken.len());
    Ok(standings)
}

/// The words of a question that say what it is about.
pub(crate) fn telling(question: &str) -> BTreeSet<String> {
    let words = index_words(question).into_iter().filter(|word| !FILLING.contains(&word.as_str()));
    words.collect()
}

/// Whether an item has enough of a question's telling words.
fn covers(item: &Item, telling: &BTreeSet<String>) -> bool {
    if telling.is_empty() {
        return false;
    }
    let own: BTreeSet<String> = index_words(item.text()).into_iter().collect();
    let both = telling.iter().filter(|word| own.contains(*word)).count();
    both as f64 / telling.len() as f64 >= COVERED
}

/// English words that say nothing of what a question is about.
const FILLING: &[&str] = &[
    "a", "about", "am", "an", "and", "any", "are", "as", "at", "be", "been", "by", "can", "could", "did",
    "do", "does", "for", "from", "had", "has", "have", "he", "her", "his", "how", "i", "if", "in", "is",
    "it", "its", "last", "many", "me", "much", "my", "of", "on", "or", "our", "s", "she", "should", "so",
    "some", "tell", "that", "the", "their", "them", "there", "they", "this", "to", "was", "we", "were",
    "what", "when", "where", "which", "who", "whom", "whose", "why", "will", "with", "would", "you", "your",
];
