//! Blocks that end where something new begins (EM-LLM).

use std::ops::Range;

use loci_models::memory::{AttentionShape, MemoryError};

use super::graph::{Metric, Weights};
use super::{ChunkView, Segment};
use crate::saved::{Reader, Writer};

/// Random cuts: so many of [`RANDOM_OF`] tokens, the rate of the published code (10 a chunk of 512).
const RANDOM_CUTS: u64 = 10;

/// See [`RANDOM_CUTS`].
const RANDOM_OF: u64 = 512;

/// Which tokens are flagged as the first of an event.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Split {
    /// Those whose surprise is above the recent mean by more than `gamma` standard deviations.
    Surprise {
        /// Standard deviations; infinite: no token, minus infinite: each.
        gamma: f64,
    },
    /// Every `max_size`-th; a control.
    Uniform,
    /// Random ones, about one in 51; a control.
    Random {
        /// The same seed flags the same positions.
        seed: u64,
    },
}

/// How flags are moved at the end of each chunk; see [`Graph::refine`](super::graph::Graph::refine).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Refinement {
    /// What makes a good boundary.
    pub metric: Metric,
    /// First layer whose keys are compared.
    pub from_layer: usize,
    /// Whether the event that is open when the chunk begins is looked at too.
    pub with_buffer: bool,
    /// Shape of the model.
    pub shape: AttentionShape,
}

/// What [`Events`] is made from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EventRule {
    /// Tokens in front that are in no event.
    pub sinks: usize,
    /// Tokens of the window: they are in no event yet.
    pub window: usize,
    /// Tokens of an event, at least: an earlier flag is passed over.
    pub min_size: usize,
    /// Tokens of an event, at most.
    pub max_size: usize,
    /// Tokens of a whole chunk.
    pub chunk: usize,
    /// Where events begin.
    pub split: Split,
    /// Whether and how flags are moved.
    pub refinement: Option<Refinement>,
}

/// Events of `min_size` to `max_size` tokens, cut once they have left the window; one that is not full yet stays open until
/// the first token of the next has left it too. All layers share them. A token that comes alone is never flagged, so what
/// is written token by token is cut at `max_size`.
///
/// The surprise of a token is `-ln p(token | all before it)`, and a flag stands on the surprising token itself: the event
/// begins with it, as in the paper. (The published code stores it at the token before.) The first token of a sequence
/// has no surprise and is left out of mean and deviation.
#[derive(Clone, Debug)]
pub struct Events {
    rule: EventRule,
    /// Position behind each event.
    ends: Vec<usize>,
    /// Flagged positions that are in no event yet, ascending.
    flags: Vec<usize>,
    /// Surprise of the tokens from `surprise_from` on: of those in the window.
    surprise: Vec<f32>,
    surprise_from: usize,
}

impl Events {
    /// No events yet.
    pub const fn new(rule: EventRule) -> Self {
        Self { rule, ends: Vec::new(), flags: Vec::new(), surprise: Vec::new(), surprise_from: 0 }
    }

    /// Positions that are flagged and in no event yet.
    pub fn flags(&self) -> &[usize] {
        &self.flags
    }

    /// First position that is neither a sink nor in an event when `read` tokens have been written.
    fn open_from(&self, read: usize) -> usize {
        self.ends.last().copied().unwrap_or(self.rule.sinks.min(read.saturating_sub(self.rule.window)))
    }

    /// Surprise above which the tokens of chunk `first..end` are flagged.
    ///
    /// Mean and deviation are those of the tokens in the window before the chunk; of the first chunk's own first `sinks`
    /// tokens, or of all of it if flags are refined. Where these are fewer than two, of the chunk's own.
    fn threshold(&self, gamma: f64, first: usize, end: usize) -> f64 {
        if gamma.is_infinite() {
            return gamma;
        }
        let recent_to = match first {
            0 if self.rule.refinement.is_some() => end,
            _ => first.max(self.rule.sinks).min(end),
        };
        let recent = end.saturating_sub(self.rule.window).max(self.open_from(first))..recent_to;
        let spread = self.mean_and_deviation(recent).or_else(|| self.mean_and_deviation(first..end));
        spread.map_or(f64::INFINITY, |(mean, deviation)| mean + gamma * deviation)
    }

    /// Mean and standard deviation (divided by n - 1) of the surprise at `positions`; `None` for fewer than two.
    fn mean_and_deviation(&self, positions: Range<usize>) -> Option<(f64, f64)> {
        let start = positions.start.max(1).checked_sub(self.surprise_from)?;
        let held = self.surprise.get(start..positions.end.checked_sub(self.surprise_from)?)?;
        let finite = || held.iter().filter(|value| value.is_finite()).map(|value| f64::from(*value));
        #[allow(clippy::cast_precision_loss)] // a window has far less than 2^52 tokens
        let count = finite().count() as f64;
        if count < 2.0 {
            return None;
        }
        let mean = finite().sum::<f64>() / count;
        let squares = finite().map(|value| (value - mean) * (value - mean)).sum::<f64>();
        Some((mean, (squares / (count - 1.0)).sqrt()))
    }

    /// The tokens of chunk `first..end` that begin an event.
    fn flagged(&self, first: usize, end: usize) -> Vec<usize> {
        let rule = &self.rule;
        match rule.split {
            Split::Surprise { gamma } => {
                let threshold = self.threshold(gamma, first, end);
                let surprise = |at: usize| {
                    let row = at.checked_sub(self.surprise_from)?;
                    self.surprise.get(row).copied().map(f64::from)
                };
                (first..end).filter(|at| surprise(*at).is_some_and(|value| value > threshold)).collect()
            }
            Split::Uniform => (first..end)
                .filter(|at| *at >= rule.sinks && (at - rule.sinks).is_multiple_of(rule.max_size))
                .collect(),
            Split::Random { seed } => {
                (first..end).filter(|at| scramble(seed, *at) % RANDOM_OF < RANDOM_CUTS).collect()
            }
        }
    }

    /// Moves the flags of a chunk to better places.
    fn refine(
        &self,
        refinement: &Refinement,
        flags: &[usize],
        chunk: &ChunkView<'_>,
    ) -> Result<Vec<usize>, MemoryError> {
        let (first, end) = (chunk.first, chunk.end);
        // With two chunks in no event yet, the one before this is whole.
        let has_buffer =
            refinement.with_buffer && end.saturating_sub(self.open_from(first)) >= 2 * self.rule.chunk;
        let begin = match has_buffer {
            true => {
                let earliest = first.saturating_sub(self.rule.chunk);
                self.flags.last().copied().filter(|flag| *flag >= earliest).unwrap_or(earliest)
            }
            false => first,
        };
        let head_dim = refinement.shape.head_dim;
        let mut weights = Weights::new(end - begin);
        let mut keys = vec![0.0; (end - begin) * head_dim];
        for layer in refinement.from_layer..refinement.shape.layers {
            let rows = chunk.store.layer(layer);
            for head in 0..refinement.shape.kv_heads {
                for (position, key) in (begin..end).zip(keys.chunks_exact_mut(head_dim)) {
                    rows.read_raw_key(head, position, key)?;
                }
                weights.add_products(rows.isa(), head_dim, &keys);
            }
        }
        let boundaries: Vec<usize> = flags.iter().map(|flag| flag - begin).collect();
        let graph = weights.graph();
        let refined = graph.refine(refinement.metric, self.rule.min_size, first - begin, &boundaries);
        Ok(refined.into_iter().map(|boundary| boundary + begin).collect())
    }

    /// Cuts what has left the window when `read` tokens have been written.
    fn cut(&mut self, read: usize) {
        let left = read.saturating_sub(self.rule.window);
        let mut start = self.ends.last().copied().unwrap_or(self.rule.sinks);
        loop {
            let full = start + self.rule.max_size;
            let after = self.flags.partition_point(|flag| *flag < start + self.rule.min_size);
            start = match self.flags.get(after) {
                Some(flag) if *flag < full && *flag < left => *flag,
                Some(flag) if *flag < full => break,
                _ if full <= left => full,
                _ => break,
            };
            self.ends.push(start);
        }
        let passed = self.flags.partition_point(|flag| *flag < self.open_from(read));
        self.flags.drain(..passed);
        let old = left.saturating_sub(self.surprise_from).min(self.surprise.len());
        self.surprise.drain(..old);
        self.surprise_from += old;
    }
}

/// A number that looks random, from a seed and a position (the mixing of splitmix64).
fn scramble(seed: u64, position: usize) -> u64 {
    let mut z = seed.wrapping_add((position as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

impl Segment for Events {
    fn count(&self, _read: usize) -> usize {
        self.ends.len()
    }

    fn block(&self, index: usize) -> Range<usize> {
        let start = match index.checked_sub(1) {
            Some(before) => self.ends.get(before).copied().unwrap_or(0),
            None => self.rule.sinks,
        };
        start..self.ends.get(index).copied().unwrap_or(start)
    }

    fn outlook(&self, read: usize) -> Vec<Range<usize>> {
        let mut all = self.clone();
        all.rule.window = 0;
        all.cut(read);
        let open = all.open_from(read)..read;
        let cut = (0..all.ends.len()).map(|index| all.block(index));
        cut.chain((!open.is_empty()).then_some(open)).collect()
    }

    fn most(&self, read: usize) -> usize {
        let start = self.ends.last().copied().unwrap_or(self.rule.sinks);
        self.ends.len() + read.saturating_sub(self.rule.window + start) / self.rule.min_size
    }

    fn observe(&mut self, chunk: &ChunkView<'_>) -> Result<(), MemoryError> {
        let tokens = chunk.end - chunk.first;
        if tokens == 0 {
            return Ok(());
        }
        if self.wants_signals() {
            let surprise = chunk.signals.surprise;
            if surprise.len() != tokens {
                return Err(MemoryError::Misuse(format!(
                    "{tokens} tokens came with the surprise of {}, but events are cut by surprise",
                    surprise.len()
                )));
            }
            self.surprise.extend_from_slice(surprise);
        }
        if tokens > 1 {
            let mut flags = self.flagged(chunk.first, chunk.end);
            if let Some(refinement) = self.rule.refinement.filter(|_| !flags.is_empty()) {
                flags = self.refine(&refinement, &flags, chunk)?;
            }
            self.flags.extend(flags);
        }
        self.cut(chunk.end);
        Ok(())
    }

    fn wants_signals(&self) -> bool {
        matches!(self.rule.split, Split::Surprise { .. })
    }

    fn is_stateful(&self) -> bool {
        true
    }

    fn bytes(&self) -> usize {
        (self.ends.capacity() + self.flags.capacity()) * size_of::<usize>()
            + self.surprise.capacity() * size_of::<f32>()
    }

    fn most_bytes(&self, read: usize) -> usize {
        let rule = &self.rule;
        // What is in no event yet, the chunk included.
        let open = read.min(rule.sinks + rule.window + rule.max_size + rule.chunk);
        let lists = (self.most(read) + open) * size_of::<usize>() + open * size_of::<f32>();
        let refined = match rule.refinement {
            Some(refinement) => {
                let tokens = read.min(2 * rule.chunk);
                let boundaries = 4 * tokens * size_of::<usize>();
                Weights::bytes(tokens) + tokens * refinement.shape.head_dim * size_of::<f32>() + boundaries
            }
            None => 0,
        };
        // Lists may be half empty, and a mark may hold them a second time.
        4 * lists + refined
    }

    fn save(&self, out: &mut Writer<'_>) -> Result<(), MemoryError> {
        out.numbers(&self.ends)?;
        out.numbers(&self.flags)?;
        out.number(self.surprise_from)?;
        out.floats(&self.surprise)
    }

    fn load(&mut self, from: &mut Reader) -> Result<(), MemoryError> {
        self.ends = from.numbers()?;
        self.flags = from.numbers()?;
        self.surprise_from = from.number()?;
        self.surprise = from.floats()?;
        let sizes = self.rule.min_size..=self.rule.max_size;
        let mut start = self.rule.sinks;
        for end in &self.ends {
            if !end.checked_sub(start).is_some_and(|size| sizes.contains(&size)) {
                return Err(MemoryError::Saved(format!(
                    "an event from {start} to {end} does not have {} to {} tokens",
                    sizes.start(),
                    sizes.end()
                )));
            }
            start = *end;
        }
        if !self.flags.is_sorted() {
            return Err(MemoryError::Saved("the flags of its events are out of order".into()));
        }
        Ok(())
    }

    fn clone_box(&self) -> Box<dyn Segment> {
        Box::new(self.clone())
    }
}
