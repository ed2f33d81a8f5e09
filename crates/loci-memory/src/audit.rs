//! Audit: what in a memory deserves a look.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::conflict::{Standing, standings};
use crate::error::MemoryError;
use crate::memory::Memory;
use crate::policy::Policy;
use crate::record::{Item, State};
use crate::rows::Filter;
use crate::search::index_words;
use crate::shingles::{Shingles, is_near};
use crate::time::Time;

/// Items that share this many of the same rare words at most are compared.
const BUCKET: usize = 32;

/// What an audit found, each kind with the ids of the items.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// Items by state.
    pub states: BTreeMap<&'static str, usize>,
    /// Groups of items that say nearly the same.
    pub duplicates: Vec<Vec<String>>,
    /// Groups of items in use about one thing that say different things, and nothing decides between them.
    pub contradictions: Vec<Vec<String>>,
    /// Items in use made from items that are not, or not there.
    pub unsupported: Vec<String>,
    /// Items in use that are no longer true.
    pub outdated: Vec<String>,
    /// Items that the policy no longer keeps.
    pub expired: Vec<String>,
    /// Items that wait for somebody to look at them, with the reasons.
    pub held: Vec<(String, Vec<String>)>,
}

impl Memory {
    /// Looks through the scope's items.
    ///
    /// # Errors
    /// What the store fails with.
    pub fn audit(&mut self) -> Result<Audit, MemoryError> {
        let now = self.now();
        let items = self.list(&Filter::default())?;
        let expired = self.look(|rows, scope| Policy::of(rows, scope)?.expired(rows, scope, now))?;
        Ok(Audit { expired: expired.into_iter().map(|item| item.id).collect(), ..audit(&items, now) })
    }
}

fn audit(items: &[Item], now: Time) -> Audit {
    let mut audit = Audit::default();
    for item in items {
        *audit.states.entry(item.state.name()).or_default() += 1;
        if item.state == State::Proposed {
            audit.held.push((item.id.clone(), item.held_for.clone()));
        }
    }
    let in_use: Vec<&Item> =
        items.iter().filter(|item| matches!(item.state, State::Released | State::Canary)).collect();
    let states: BTreeMap<&str, State> = items.iter().map(|item| (item.id.as_str(), item.state)).collect();
    for item in &in_use {
        let Some(content) = &item.content else { continue };
        let lost = |parent: &String| {
            !states
                .get(parent.as_str())
                .is_some_and(|state| matches!(state, State::Released | State::Canary | State::Superseded))
        };
        if content.parents.iter().any(lost) {
            audit.unsupported.push(item.id.clone());
        }
        if content.valid_until.is_some_and(|until| until <= now) {
            audit.outdated.push(item.id.clone());
        }
    }
    audit.duplicates = duplicates(&in_use);
    let mut tied: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (item, standing) in in_use.iter().zip(standings(&in_use, now)) {
        if let (Standing::Tied { .. }, Some(topic)) =
            (standing, item.content.as_ref().and_then(|content| content.topic.clone()))
        {
            tied.entry(topic).or_default().push(item.id.clone());
        }
    }
    audit.contradictions = tied.into_values().collect();
    audit
}

/// Groups of items that say nearly the same. Compared are items that share their rarest words, so that the work does not grow with
/// the square of their number.
fn duplicates(items: &[&Item]) -> Vec<Vec<String>> {
    let words: Vec<Vec<String>> = items
        .iter()
        .map(|item| {
            let mut words = index_words(item.text());
            words.sort_unstable();
            words.dedup();
            words
        })
        .collect();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    words.iter().flatten().for_each(|word| *counts.entry(word).or_default() += 1);
    let mut buckets: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, own) in words.iter().enumerate() {
        let mut shared: Vec<(usize, &str)> = own
            .iter()
            .filter_map(|word| Some((*counts.get(word.as_str())?, word.as_str())))
            .filter(|(count, _)| *count > 1)
            .collect();
        shared.sort_unstable();
        for (_, word) in shared.into_iter().take(4) {
            buckets.entry(word).or_default().push(place);
        }
    }
    let shingles: Vec<Shingles> = items.iter().map(|item| Shingles::of(item.text())).collect();
    let mut group: Vec<usize> = (0..items.len()).collect();
    for bucket in buckets.values().filter(|bucket| bucket.len() > 1) {
        for (at, one) in bucket.iter().enumerate() {
            for other in bucket.iter().skip(at + 1).take(BUCKET) {
                let alike = match (shingles.get(*one), shingles.get(*other)) {
                    (Some(one), Some(other)) => is_near(one, other),
                    _ => false,
                };
                if alike {
                    join(&mut group, *one, *other);
                }
            }
        }
    }
    let mut groups: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for (place, item) in items.iter().enumerate() {
        groups.entry(root(&group, place)).or_default().push(item.id.clone());
    }
    groups.into_values().filter(|group| group.len() > 1).collect()
}

fn root(group: &[usize], mut place: usize) -> usize {
    while let Some(up) = group.get(place).filter(|up| **up != place) {
        place = *up;
    }
    place
}

fn join(group: &mut [usize], one: usize, other: usize) {
    let (one, other) = (root(group, one), root(group, other));
    if let Some(up) = group.get_mut(one.max(other)) {
        *up = one.min(other);
    }
}
