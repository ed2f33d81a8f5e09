//! The blocks that answer a group of queries best.

use loci_models::memory::{AttentionShape, MemoryError};

use super::{Choice, LayerBudget, Probe, Select, SelectView, largest};
use crate::saved::{Reader, Writer};

/// How a block is compared with a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Likeness {
    /// Their product, so that long block vectors win.
    Product,
    /// The cosine of the angle between them.
    Cosine,
}

/// Sinks, the blocks that the index scores highest for the probe of the group, and all rows behind the last block. One
/// choice for all heads of a layer.
///
/// The probe is rotated to distance `probe_at`, where the chosen keys will stand. Equal scores: the earlier block.
#[derive(Clone, Debug)]
pub struct TopBlocks {
    /// Tokens in front.
    pub sinks: usize,
    /// Tokens in a block.
    pub block_size: usize,
    /// Blocks chosen.
    pub budget: LayerBudget,
    /// How the group asks.
    pub probe: Probe,
    /// How blocks answer.
    pub likeness: Likeness,
    /// Distance of the probe.
    pub probe_at: f64,
    /// Queries that are served together.
    pub queries: usize,
    scores: Vec<f32>,
}

impl TopBlocks {
    /// Chooses `top_k` blocks of `block_size` tokens for every `queries` queries, by the product with their mean.
    pub fn new(sinks: usize, block_size: usize, top_k: usize, probe_at: f64, queries: usize) -> Self {
        Self {
            sinks,
            block_size,
            budget: LayerBudget::Fixed(top_k),
            probe: Probe::Mean,
            likeness: Likeness::Product,
            probe_at,
            queries,
            scores: Vec::new(),
        }
    }

    /// Numbers of the chosen blocks, ascending.
    fn choose(&mut self, view: &SelectView<'_>) -> Vec<usize> {
        let running = self.probe.is_running() || self.budget.is_running();
        if !running && view.blocks <= self.budget.most() {
            return (0..view.blocks).collect();
        }
        let probe = self.probe.ask(view, self.probe_at);
        let (index, pool) = (view.index, view.pool);
        match self.likeness {
            Likeness::Product => {
                // A running budget is drawn from all scores.
                let best = if self.budget.is_running() { view.blocks } else { self.budget.most() };
                index.score(view.layer, &probe, view.blocks, best, pool, &mut self.scores);
            }
            Likeness::Cosine => index.score_cosine(view.layer, &probe, view.blocks, pool, &mut self.scores),
        }
        let count = self.budget.blocks(view.layer, &self.scores, view.count == 1);
        largest(&self.scores, count)
    }
}

impl Select for TopBlocks {
    fn select(&mut self, view: &SelectView<'_>) -> Result<Choice, MemoryError> {
        let blocks = self.choose(view);
        Ok(Choice::AllHeads(view.with_blocks(self.sinks, &blocks)))
    }

    fn far_pages(&self, read: usize, page: usize) -> usize {
        // A block need not begin at a page; rows leave the window before they fill a block.
        let leaving = (self.block_size + self.queries).div_ceil(page) + 1;
        let chosen = self.budget.most() * (self.block_size.div_ceil(page) + 1);
        (self.sinks.div_ceil(page) + chosen + leaving).min(read.div_ceil(page))
    }

    fn is_stateful(&self) -> bool {
        self.probe.is_running() || self.budget.is_running()
    }

    fn bytes(&self) -> usize {
        self.probe.bytes() + self.budget.bytes()
    }

    fn most_bytes(&self, shape: AttentionShape, _read: usize) -> usize {
        // The mark holds the state a second time.
        2 * (self.probe.most_bytes(shape) + self.budget.most_bytes())
    }

    fn save(&self, out: &mut Writer<'_>) -> Result<(), MemoryError> {
        self.probe.save(out)?;
        self.budget.save(out)
    }

    fn load(&mut self, from: &mut Reader) -> Result<(), MemoryError> {
        self.probe.load(from)?;
        self.budget.load(from)
    }

    fn clone_box(&self) -> Box<dyn Select> {
        Box::new(self.clone())
    }
}
