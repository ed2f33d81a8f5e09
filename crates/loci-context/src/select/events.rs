//! The events that answer a group of queries best, and those that happened next to them (EM-LLM).

use loci_models::memory::{AttentionShape, MemoryError};

use super::{Choice, Select, SelectView, largest};
use crate::saved::{Reader, Writer};

/// Sinks, events within a budget of tokens, and all rows behind the last event. One choice for all heads of a layer.
///
/// *Similar* events are those that the index scores highest for the mean query of the group, rotated to distance
/// `probe_at`; equal scores: the earlier event. With `contiguity`, a part of the budget goes to a list of their
/// *neighbours*, which each layer keeps over steps: first the next and then the previous of each similar event, the best
/// one's youngest in the list; what does not fit any more leaves at the old end. An event that has become similar leaves
/// the list, so none is counted twice.
#[derive(Clone, Debug)]
pub struct SimilarEvents {
    /// Tokens in front.
    pub sinks: usize,
    /// Tokens of the window.
    pub window: usize,
    /// Tokens of events that are read again, neighbours included. What waits outside the window to become an event goes
    /// off it, beyond the `queries` tokens that are allowed for that.
    pub recall: usize,
    /// Part of the budget for neighbours; from 1 on in tokens, 0: no neighbours.
    pub contiguity: f64,
    /// Tokens of an event, at least.
    pub min_size: usize,
    /// Tokens of an event, at most.
    pub max_size: usize,
    /// Distance of the probe.
    pub probe_at: f64,
    /// Queries that are served together.
    pub queries: usize,
    /// Per layer, the neighbours, the youngest last.
    neighbours: Vec<Vec<usize>>,
    scores: Vec<f32>,
}

/// A budget of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shares {
    similar: usize,
    neighbours: usize,
}

impl SimilarEvents {
    /// Recalls `recall` tokens in events of `sizes` (least, most) tokens for every `queries` queries.
    pub fn new(
        layers: usize,
        [sinks, window, recall, queries]: [usize; 4],
        contiguity: f64,
        (min_size, max_size): (usize, usize),
        probe_at: f64,
    ) -> Self {
        let neighbours = vec![Vec::new(); layers];
        let scores = Vec::new();
        Self { sinks, window, recall, contiguity, min_size, max_size, probe_at, queries, neighbours, scores }
    }

    /// The neighbours of a layer, the youngest last.
    pub fn neighbours(&self, layer: usize) -> &[usize] {
        self.neighbours.get(layer).map_or(&[], Vec::as_slice)
    }

    /// The budget when `waiting` tokens are outside the window and in no event.
    fn shares(&self, waiting: usize) -> Shares {
        // The published budget also has the sinks that are still in the window; then there is no event yet.
        let all = (self.recall + self.queries).saturating_sub(waiting);
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let neighbours = match self.contiguity {
            share if share <= 0.0 => 0,
            share if share < 1.0 => (share * all as f64 + 1.0) as usize,
            tokens => tokens as usize,
        };
        let neighbours = neighbours.min(all);
        Shares { similar: all - neighbours, neighbours }
    }

    /// Similar events, the best first.
    fn similar(&mut self, view: &SelectView<'_>, capacity: usize) -> Vec<usize> {
        let size = |event: usize| view.segment.block(event).len();
        if view.segment.block(view.blocks - 1).end - self.sinks <= capacity {
            return (0..view.blocks).collect();
        }
        let probe = view.mean_query(self.probe_at);
        // More than these cannot fit.
        let most = capacity.div_ceil(self.min_size);
        view.index.score(view.layer, &probe, view.blocks, most, view.pool, &mut self.scores);
        let mut ranked = largest(&self.scores, most);
        ranked.sort_unstable_by(|a, b| self.scores[*b].total_cmp(&self.scores[*a]).then(a.cmp(b)));
        fitting(ranked.into_iter(), size, capacity)
    }

    /// Renews the neighbours of a layer after `similar` events (best first) were chosen.
    fn renew(&mut self, view: &SelectView<'_>, similar: &[usize], capacity: usize) {
        let size = |event: usize| view.segment.block(event).len();
        let Some(held) = self.neighbours.get_mut(view.layer) else { return };
        let mut taken = vec![false; view.blocks];
        similar.iter().for_each(|event| taken[*event] = true);
        let mut beside = Vec::new();
        for event in similar {
            for neighbour in [event.checked_add(1), event.checked_sub(1)].into_iter().flatten() {
                if taken.get(neighbour) == Some(&false) {
                    taken[neighbour] = true;
                    beside.push(neighbour);
                }
            }
        }
        let mut renewed = fitting(beside.into_iter(), size, capacity);
        taken.fill(false);
        similar.iter().chain(&renewed).for_each(|event| taken[*event] = true);
        let mut tokens: usize = renewed.iter().map(|event| size(*event)).sum();
        // From the youngest on, until one does not fit.
        for event in held.iter().rev().filter(|event| taken.get(**event) == Some(&false)) {
            tokens += size(*event);
            if tokens > capacity {
                break;
            }
            renewed.push(*event);
        }
        renewed.reverse();
        *held = renewed;
    }
}

/// Takes events one after the other until their tokens reach `capacity`; the last is left out if the tokens then come at
/// least as close to it.
fn fitting(
    events: impl Iterator<Item = usize>,
    size: impl Fn(usize) -> usize,
    capacity: usize,
) -> Vec<usize> {
    let mut taken = Vec::new();
    let mut tokens = 0;
    for event in events {
        if tokens >= capacity {
            break;
        }
        let with = tokens + size(event);
        if with > capacity && capacity - tokens <= with - capacity {
            break;
        }
        tokens = with;
        taken.push(event);
    }
    taken
}

impl Select for SimilarEvents {
    fn select(&mut self, view: &SelectView<'_>) -> Result<Choice, MemoryError> {
        if view.blocks == 0 {
            return Ok(Choice::AllHeads(view.with_blocks(self.sinks, &[])));
        }
        let open = view.segment.block(view.blocks - 1).end;
        let shares = self.shares(view.end().saturating_sub(self.window + open));
        let mut chosen = self.similar(view, shares.similar);
        if shares.neighbours > 0 {
            self.renew(view, &chosen, shares.neighbours);
            chosen.extend_from_slice(self.neighbours(view.layer));
        }
        chosen.sort_unstable();
        Ok(Choice::AllHeads(view.with_blocks(self.sinks, &chosen)))
    }

    fn far_pages(&self, read: usize, page: usize) -> usize {
        let waiting = (self.max_size + self.queries).div_ceil(page) + 1;
        // Either part may be too large by less than half an event; an event need not begin at a page.
        let tokens = self.recall + self.queries + self.max_size;
        let events = tokens.div_ceil(self.min_size);
        let most = self.sinks.div_ceil(page) + tokens.div_ceil(page) + 2 * events + waiting;
        most.min(read.div_ceil(page))
    }

    fn bytes(&self) -> usize {
        let neighbours: usize = self.neighbours.iter().map(Vec::capacity).sum();
        neighbours * size_of::<usize>() + self.scores.capacity() * size_of::<f32>()
    }

    fn most_bytes(&self, shape: AttentionShape, read: usize) -> usize {
        let events = read / self.min_size;
        let list = ((self.recall + self.queries + self.max_size) / self.min_size).min(events);
        // A mark may hold neighbours and scores a second time, and vectors may be half empty.
        let kept = 4 * (list * shape.layers * size_of::<usize>() + events * size_of::<f32>());
        // While choosing: the order of all events, which ones are taken, lists of chosen ones.
        kept + events * (size_of::<usize>() + 1) + 8 * list * size_of::<usize>()
    }

    fn is_stateful(&self) -> bool {
        self.contiguity > 0.0
    }

    fn save(&self, out: &mut Writer<'_>) -> Result<(), MemoryError> {
        self.neighbours.iter().try_for_each(|events| out.numbers(events))
    }

    fn load(&mut self, from: &mut Reader) -> Result<(), MemoryError> {
        for events in &mut self.neighbours {
            *events = from.numbers()?;
        }
        Ok(())
    }

    fn clone_box(&self) -> Box<dyn Select> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests;
