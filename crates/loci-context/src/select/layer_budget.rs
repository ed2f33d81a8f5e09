//! How many blocks a layer reads.

use loci_models::memory::MemoryError;

use crate::saved::{Reader, Writer};

/// Decides how many blocks a layer reads.
#[derive(Clone, Debug)]
pub enum LayerBudget {
    /// Always as many.
    Fixed(usize),
    /// More where it is less clear which ones matter (ActQKV).
    EntropyShare(EntropyShare),
}

impl LayerBudget {
    /// The most blocks of a layer.
    pub(super) const fn most(&self) -> usize {
        match self {
            Self::Fixed(blocks) => *blocks,
            Self::EntropyShare(share) => share.top_k,
        }
    }

    /// Whether it looks at scores even when all blocks could be read.
    pub(super) const fn is_running(&self) -> bool {
        matches!(self, Self::EntropyShare(_))
    }

    /// Blocks that `layer` reads of those with these scores; `alone`: for a query that comes alone.
    pub(super) fn blocks(&mut self, layer: usize, scores: &[f32], alone: bool) -> usize {
        match self {
            Self::Fixed(blocks) => *blocks,
            Self::EntropyShare(share) => share.blocks(layer, scores, alone),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Fixed(_) => 0,
            Self::EntropyShare(share) => {
                share.spreads.iter().map(|spreads| spreads.capacity() * size_of::<f32>()).sum()
            }
        }
    }

    pub(super) fn most_bytes(&self) -> usize {
        match self {
            Self::Fixed(_) => 0,
            Self::EntropyShare(share) => share.spreads.len() * share.history * size_of::<f32>(),
        }
    }

    pub(super) fn save(&self, out: &mut Writer<'_>) -> Result<(), MemoryError> {
        let Self::EntropyShare(share) = self else { return Ok(()) };
        share.spreads.iter().try_for_each(|spreads| out.floats(spreads))
    }

    pub(super) fn load(&mut self, from: &mut Reader) -> Result<(), MemoryError> {
        let Self::EntropyShare(share) = self else { return Ok(()) };
        for spreads in &mut share.spreads {
            *spreads = from.floats()?;
            if spreads.len() > share.history {
                return Err(MemoryError::Saved(format!(
                    "it has {} samples of a layer where at most {} are kept",
                    spreads.len(),
                    share.history
                )));
            }
        }
        Ok(())
    }
}

/// All layers together read `top_k / 2` blocks each on average. While tokens are written, a layer gets the share of
/// what is left that its usual spread of scores has among the layers still to come; before enough is known of all layers,
/// and while a prompt is read, all layers get the same.
///
/// Source: Xiao et al., "Activation-aware Probe-Query", 2025.
#[derive(Clone, Debug)]
pub struct EntropyShare {
    /// The most blocks of a layer.
    top_k: usize,
    /// The fewest.
    floor: usize,
    /// Whether early layers leave the floor to later ones.
    guarded: bool,
    /// Samples kept for each layer.
    history: usize,
    temperature: f64,
    /// Per layer, the newest spreads.
    spreads: Vec<Vec<f32>>,
    /// Blocks left in the step being done.
    remaining: f64,
}

impl EntropyShare {
    /// Shares `top_k / 2` blocks a layer among `layers`, at least `floor` (at most `top_k / 2`) for each, by the mean of
    /// the last `history` spreads.
    pub fn new(layers: usize, top_k: usize, floor: usize, history: usize, temperature: f64) -> Self {
        let spreads = vec![Vec::new(); layers];
        Self { top_k, floor, guarded: true, history, temperature, spreads, remaining: 0.0 }
    }

    /// As published: the floor holds even where nothing is left.
    #[must_use]
    pub fn without_guard(self) -> Self {
        Self { guarded: false, ..self }
    }

    /// Blocks that `layer` reads of those with these scores; `alone`: for a query that comes alone, while tokens are
    /// written. Called for the layers in ascending order.
    pub fn blocks(&mut self, layer: usize, scores: &[f32], alone: bool) -> usize {
        let blocks = scores.len();
        if layer == 0 || !alone {
            self.remaining = self.all();
        }
        if blocks == 0 || layer >= self.spreads.len() {
            return 0;
        }
        let Some(spread) = spread(scores, self.temperature) else {
            return self.floor.min(blocks).min(self.top_k);
        };
        let samples = &mut self.spreads[layer];
        if samples.len() == self.history {
            samples.remove(0);
        }
        samples.reserve_exact(self.history - samples.len());
        #[allow(clippy::cast_possible_truncation)] // between 0 and 1
        samples.push(spread as f32);
        if !alone {
            // The layers before this one had the same number of blocks and got an equal share.
            for before in 0..layer {
                let taken = self.clamp(self.equal(before), before, blocks);
                self.take(taken);
            }
        }
        let wanted = match self.share(layer) {
            Some(share) if alone => share * self.remaining,
            _ => self.equal(layer),
        };
        let taken = self.clamp(wanted, layer, blocks);
        self.take(taken);
        taken
    }

    #[allow(clippy::cast_precision_loss)] // layers and blocks are few
    fn all(&self) -> f64 {
        (self.top_k * self.spreads.len()) as f64 / 2.0
    }

    #[allow(clippy::cast_precision_loss)] // blocks are few
    fn take(&mut self, blocks: usize) {
        self.remaining -= blocks as f64;
    }

    /// An equal share of what is left.
    #[allow(clippy::cast_precision_loss)] // layers are few
    fn equal(&self, layer: usize) -> f64 {
        self.remaining / (self.spreads.len() - layer) as f64
    }

    /// The part of what is left that belongs to `layer`; `None` before every layer has a full history.
    fn share(&self, layer: usize) -> Option<f64> {
        if self.spreads.iter().any(|spreads| spreads.len() < self.history) {
            return None;
        }
        // All histories are equally long, so sums stand for means.
        let sum = |spreads: &Vec<f32>| spreads.iter().map(|spread| f64::from(*spread)).sum::<f64>();
        let ahead: f64 = self.spreads[layer..].iter().map(sum).sum();
        Some(sum(&self.spreads[layer]) / ahead)
    }

    /// A whole number of blocks between the floor and what there is.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    fn clamp(&self, wanted: f64, layer: usize, blocks: usize) -> usize {
        let mut most = self.top_k.min(blocks);
        let floor = self.floor.min(most);
        if self.guarded {
            let ahead = (self.spreads.len() - layer - 1) * self.floor;
            most = most.min((self.remaining - ahead as f64).max(0.0) as usize);
        }
        // Python's `round`, which the published code uses, takes halves to the even side.
        let wanted = if wanted.is_finite() { wanted.round_ties_even().max(0.0) as usize } else { floor };
        wanted.min(most).max(floor)
    }
}

/// Entropy of the softmax of `scores / temperature`, as a share of the largest possible: between 0 and 1, 1 when all are
/// equal. `None` for fewer than two scores, or when some are no numbers.
pub fn spread(scores: &[f32], temperature: f64) -> Option<f64> {
    if scores.len() < 2 || scores.iter().any(|score| !score.is_finite()) {
        return None;
    }
    let top = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let (mut sum, mut weighted) = (0.0_f64, 0.0_f64);
    for score in scores {
        let away = f64::from(score - top) / temperature;
        let weight = away.exp();
        sum += weight;
        weighted += weight * away;
    }
    #[allow(clippy::cast_precision_loss)] // blocks are few
    let most = (scores.len() as f64).ln();
    // -sum p ln p with p = e^away / sum.
    Some(((sum.ln() - weighted / sum) / most).clamp(0.0, 1.0))
}
