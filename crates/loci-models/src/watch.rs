//! What is recorded of the attention of single heads, and which of them are switched off.

use std::sync::Arc;

use crate::memory::{AttentionShape, MemoryError};

/// How [`ContextMemory`](crate::memory::ContextMemory) looks at its heads. The default changes nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Watch {
    /// `[layers * heads]`: how much each query head counts in the evidence, not negative; `None`: all alike.
    pub weights: Option<Arc<[f32]>>,
    /// First positions of the sequence that do not count in the evidence.
    pub sinks: usize,
    /// Whether the evidence is kept layer by layer too.
    pub by_layer: bool,
    /// Whether the position that each query head looks at most is kept, for the newest token that came alone.
    pub looks: bool,
    /// Query heads that are switched off, as (layer, head).
    pub ablated: Vec<(usize, usize)>,
    /// What switching off means.
    pub ablation: Ablation,
}

/// First tokens that heads look at when they find nothing to read, whatever stands there (Xiao et al., Efficient Streaming
/// Language Models with Attention Sinks, 2023): no evidence of anything.
const SINKS: usize = 4;

/// How a query head is switched off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ablation {
    /// Its query becomes 0: it averages the values of all rows it sees. What the published code of the retrieval heads
    /// does.
    #[default]
    ZeroQuery,
    /// Its output becomes 0.
    ZeroOutput,
}

impl Watch {
    /// For telling what an answer was read from: heads count by `weights`, attention sinks do not.
    pub fn for_evidence(weights: Option<Arc<[f32]>>) -> Self {
        Self { weights, sinks: SINKS, ..Self::default() }
    }

    /// Whether it fits a model.
    ///
    /// # Errors
    /// [`MemoryError::Misuse`] when a head does not exist or the weights are not as many as the heads, finite and not
    /// negative.
    pub fn check(&self, shape: AttentionShape) -> Result<(), MemoryError> {
        if let Some(weights) = &self.weights {
            let usable = weights.iter().all(|weight| weight.is_finite() && *weight >= 0.0);
            if weights.len() != shape.layers * shape.heads || !usable {
                return Err(MemoryError::Misuse(format!(
                    "{} weights of heads for {} layers of {} heads, each finite and not negative",
                    weights.len(),
                    shape.layers,
                    shape.heads
                )));
            }
        }
        let missing =
            self.ablated.iter().find(|(layer, head)| *layer >= shape.layers || *head >= shape.heads);
        match missing {
            None => Ok(()),
            Some((layer, head)) => Err(MemoryError::Misuse(format!(
                "head {head} of layer {layer} cannot be switched off: the model has {} layers of {} heads",
                shape.layers, shape.heads
            ))),
        }
    }

    /// The numbers `[m, heads, head_dim]` of `rows` with those of the heads of `layer` that are switched off set to 0.
    pub fn silence(&self, layer: usize, shape: AttentionShape, rows: &mut [f32]) {
        let off = || self.ablated.iter().filter(|(of, _)| *of == layer).map(|(_, head)| *head);
        for row in rows.chunks_exact_mut(shape.heads * shape.head_dim) {
            for head in off() {
                row[head * shape.head_dim..(head + 1) * shape.head_dim].fill(0.0);
            }
        }
    }

    /// Whether a head of `layer` is switched off in this way.
    pub fn silences(&self, layer: usize, ablation: Ablation) -> bool {
        self.ablation == ablation && self.ablated.iter().any(|(of, _)| *of == layer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: AttentionShape = AttentionShape { layers: 2, heads: 3, kv_heads: 1, head_dim: 2 };

    #[test]
    fn what_does_not_fit_the_model_is_refused() {
        assert!(Watch::default().check(SHAPE).is_ok());
        let weights = |numbers: &[f32]| Watch { weights: Some(numbers.into()), ..Watch::default() };
        assert!(weights(&[0.5; 6]).check(SHAPE).is_ok());
        for wrong in [&[0.5; 5][..], &[f32::NAN; 6], &[-1.0; 6]] {
            assert!(weights(wrong).check(SHAPE).is_err(), "{wrong:?}");
        }
        for head in [(2, 0), (0, 3)] {
            assert!(Watch { ablated: vec![head], ..Watch::default() }.check(SHAPE).is_err(), "{head:?}");
        }
    }

    #[test]
    fn only_the_heads_named_fall_silent() {
        let watch = Watch { ablated: vec![(1, 0), (1, 2)], ..Watch::default() };
        let mut rows = [1.0; 12];
        watch.silence(0, SHAPE, &mut rows);
        assert_eq!(rows, [1.0; 12]);
        watch.silence(1, SHAPE, &mut rows);
        assert_eq!(rows, [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
        assert!(watch.silences(1, Ablation::ZeroQuery) && !watch.silences(1, Ablation::ZeroOutput));
        assert!(!watch.silences(0, Ablation::ZeroQuery));
    }
}
