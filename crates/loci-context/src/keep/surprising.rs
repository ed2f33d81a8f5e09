//! The most surprising tokens stay, and fade (SirLLM).

use loci_models::memory::{AttentionShape, MemoryError, Signals};

use super::Keep;
use crate::random::Random;
use crate::saved::{Reader, Writer};
use crate::segment::ChunkView;
use crate::store::HeadPacking;

/// At most `sinks + recent + surprising` tokens stay, the same in all layers and heads. When a turn would not fit any
/// more, room is made for a whole turn: the first `sinks` stay, the tokens with the highest scores, and then the newest.
/// They close up, so that distances count what is held. A token's score is its surprise, `-ln p`, when it was read;
/// the first one of a turn that is read at once gets the highest of its turn. All scores are multiplied by `decay` at
/// every turn.
///
/// With `neighbours`, a token counts as much as the highest score among those that stand at most so far from it in the
/// text and are held: words around a surprise stay with it.
///
/// Source: Yao et al., "SirLLM: Streaming Infinite Retentive LLM", 2024.
#[derive(Clone, Debug)]
pub struct Surprising {
    /// Tokens in front.
    pub sinks: usize,
    /// Tokens that stay for their surprise.
    pub surprising: usize,
    /// Tokens that stay for being new.
    pub recent: usize,
    /// Tokens of a turn.
    pub turn: usize,
    /// By what scores are multiplied at each turn.
    pub decay: f32,
    /// Whose surprise a token's score is.
    pub score: Score,
    /// Tokens on each side that stay with one that surprises.
    pub neighbours: usize,
    /// How unexpected a repetition of the newest token would be.
    repetition: f32,
    /// Positions of the tokens held, and their scores.
    held: Vec<(usize, f32)>,
    /// Tokens of the turn so far.
    turned: usize,
}

/// What a token's score is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Score {
    /// Its own surprise.
    Surprise,
    /// How unexpected a repetition of the token before it would be: what the published code computes, by a shift of one.
    Released,
    /// Drawn with this seed: the control.
    Chance(u64),
}

impl Surprising {
    /// Nothing is held yet.
    pub const fn new(sinks: usize, surprising: usize, recent: usize, turn: usize, decay: f32) -> Self {
        Self {
            sinks,
            surprising,
            recent,
            turn,
            decay,
            score: Score::Surprise,
            neighbours: 0,
            repetition: 0.0,
            held: Vec::new(),
            turned: 0,
        }
    }

    const fn capacity(&self) -> usize {
        self.sinks + self.surprising + self.recent
    }

    /// The highest score among a held token and its neighbours.
    fn score_around(&self, token: usize) -> f32 {
        let (at, own) = self.held[token];
        let near = |(position, _): &&(usize, f32)| position.abs_diff(at) <= self.neighbours;
        let before = self.held[..token].iter().rev().take_while(near);
        before
            .chain(self.held[token + 1..].iter().take_while(near))
            .fold(own, |highest, (_, score)| highest.max(*score))
    }

    /// Indices of the held tokens that stay when there must be room for `coming` more; ascending.
    fn choose(&self, coming: usize) -> Vec<usize> {
        let scores: Vec<f32> = (0..self.held.len()).map(|token| self.score_around(token)).collect();
        let mut stays = vec![false; scores.len()];
        let best = crate::select::largest(&scores, self.surprising.saturating_sub(coming));
        best.into_iter().chain(0..self.sinks.min(scores.len())).for_each(|token| stays[token] = true);
        let mut count = stays.iter().filter(|stays| **stays).count();
        for stays in stays.iter_mut().rev() {
            if count >= self.capacity().saturating_sub(coming) {
                break;
            }
            count += usize::from(!*stays);
            *stays = true;
        }
        (0..stays.len()).filter(|token| stays[*token]).collect()
    }
}

/// A score in [0, 1) that depends on the seed and the token's position alone.
#[allow(clippy::cast_possible_truncation)] // more digits than are needed
fn chance_of(seed: u64, position: usize) -> f32 {
    Random::new(seed << 32 ^ position as u64).unit() as f32
}

impl Keep for Surprising {
    fn most_rows(&self) -> Option<usize> {
        Some(self.capacity())
    }

    fn reads_raw_keys(&self) -> bool {
        true
    }

    fn before_chunk(&mut self, _read: usize, coming: usize) -> Option<HeadPacking> {
        if self.turned > 0 && self.turned + coming <= self.turn {
            return None;
        }
        // A new turn begins.
        self.turned = 0;
        let full = self.held.len() + self.turn > self.capacity();
        let packing = full.then(|| {
            let stays = self.choose(self.turn);
            self.held = stays.into_iter().map(|token| self.held[token]).collect();
            let rows = self.held.iter().map(|(position, _)| *position).collect();
            HeadPacking { rows, together: true, ..HeadPacking::default() }
        });
        self.held.iter_mut().for_each(|(_, score)| *score *= self.decay);
        packing
    }

    fn after_chunk(&mut self, chunk: &ChunkView<'_>) {
        let Signals { surprise, repetition, .. } = chunk.signals;
        let mut scores: Vec<f32> = match self.score {
            Score::Surprise => surprise.to_vec(),
            Score::Released => std::iter::once(self.repetition).chain(repetition.iter().copied()).collect(),
            Score::Chance(seed) => {
                (chunk.first..chunk.end).map(|position| chance_of(seed, position)).collect()
            }
        };
        scores.resize(chunk.end - chunk.first, 0.0);
        if self.turned == 0 && scores.len() > 1 && !matches!(self.score, Score::Chance(_)) {
            // The released code knows nothing of a turn's first token; else what came before foretold it.
            let known = usize::from(self.score == Score::Released);
            scores[0] = scores[known..].iter().copied().fold(0.0, f32::max);
        }
        self.repetition = repetition.last().copied().unwrap_or(0.0);
        self.turned += scores.len();
        self.held.extend((chunk.first..chunk.end).zip(scores));
    }

    fn wants_signals(&self) -> bool {
        true
    }

    fn is_stateful(&self) -> bool {
        true
    }

    fn most_bytes(&self, shape: AttentionShape, read: usize) -> usize {
        // Positions and scores, here and in a mark, and the positions that each head keeps.
        let rows = self.capacity().min(read);
        rows * (6 * size_of::<(usize, f32)>() + shape.layers * shape.kv_heads * size_of::<usize>())
    }

    fn save(&self, out: &mut Writer<'_>) -> Result<(), MemoryError> {
        out.numbers(&self.held.iter().map(|(position, _)| *position).collect::<Vec<_>>())?;
        out.floats(&self.held.iter().map(|(_, score)| *score).collect::<Vec<_>>())?;
        if self.score == Score::Released {
            out.floats(&[self.repetition])?;
        }
        out.number(self.turned)
    }

    fn load(&mut self, from: &mut Reader) -> Result<(), MemoryError> {
        let (positions, scores) = (from.numbers()?, from.floats()?);
        if positions.len() != scores.len() {
            return Err(MemoryError::Saved("it has not one score for each token held".into()));
        }
        self.held = positions.into_iter().zip(scores).collect();
        if self.score == Score::Released {
            let [repetition] = from.floats()?[..] else {
                return Err(MemoryError::Saved(
                    "it does not say how unexpected a repetition would be".into(),
                ));
            };
            self.repetition = repetition;
        }
        self.turned = from.number()?;
        Ok(())
    }

    fn clone_box(&self) -> Box<dyn Keep> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keep(surprising: usize, recent: usize, scores: &[f32]) -> Surprising {
        let mut keep = Surprising::new(2, surprising, recent, 3, 1.0);
        keep.held = scores.iter().copied().enumerate().collect();
        keep
    }

    #[test]
    fn sinks_surprising_and_newest_tokens_stay() {
        // Room for 3: of 8 tokens 2 + 5 + 1 - 3 = 5 stay: two sinks, the best 2, and the newest.
        let keep = keep(5, 1, &[0.0, 0.0, 9.0, 1.0, 8.0, 1.0, 1.0, 0.5]);
        assert_eq!(keep.choose(3), [0, 1, 2, 4, 7]);
        // Equal scores: the older token wins.
        let equal = self::keep(5, 1, &[1.0; 8]);
        assert_eq!(equal.choose(3), [0, 1, 5, 6, 7]);
    }

    #[test]
    fn without_room_for_surprise_sinks_and_newest_stay() {
        let keep = keep(0, 6, &[1.0, 1.0, 9.0, 9.0, 9.0, 0.0, 0.0, 0.0]);
        assert_eq!(keep.choose(3), [0, 1, 5, 6, 7]);
    }

    #[test]
    fn the_choice_depends_on_the_order_of_scores_only() {
        let scores = [3.0, 1.0, 4.0, 1.5, 9.0, 2.0, 6.0, 5.0, 3.5];
        let scaled: Vec<f32> = scores.iter().map(|score| score * 0.01).collect();
        assert_eq!(keep(5, 0, &scores).choose(3), keep(5, 0, &scaled).choose(3));
    }

    #[test]
    fn chance_draws_other_tokens_with_another_seed() {
        let drawn = |seed: u64| {
            let mut keep = keep(60, 0, &[0.0; 100]);
            keep.held.iter_mut().for_each(|(position, score)| *score = chance_of(seed, *position));
            keep.choose(3)
        };
        assert_eq!((drawn(1), drawn(1).len()), (drawn(1), 59));
        assert_ne!(drawn(1), drawn(2));
        // Not the oldest nor the newest.
        assert!(drawn(1).iter().any(|token| (2..50).contains(token)));
        assert!(drawn(1).iter().any(|token| (50..100).contains(token)));
    }

    #[test]
    fn scores_fade_at_each_turn() {
        let mut keep = Surprising::new(1, 4, 0, 2, 0.5);
        keep.held = vec![(0, 8.0)];
        assert!(keep.before_chunk(1, 2).is_none());
        assert_eq!(keep.held, [(0, 4.0)]);
        keep.turned = 1;
        assert!(keep.before_chunk(2, 1).is_none(), "the turn goes on");
        assert_eq!(keep.held, [(0, 4.0)]);
    }
}
