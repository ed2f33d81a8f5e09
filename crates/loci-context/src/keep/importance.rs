//! How much the end of a prompt looks at each of its tokens.

use loci_models::memory::{AttentionShape, MemoryError};

use super::observed::scoring_bytes;
use super::{Keep, PromptView, window_scores};
use crate::store::HeadPacking;

/// Everything stays; when a prompt has been read, each of its tokens gets the largest softmax weight that any of the last
/// `window` queries gives it, over all heads of the layers from `from_layer` on. The weights of these queries count from
/// 0 for the oldest to 1 for the newest, in equal steps; those of up to `look_ahead` tokens written behind the prompt
/// observe too and count in full.
///
/// Source: Galim et al., "Draft-based Approximate Inference for LLMs", 2025 (SpecPC).
#[derive(Clone, Debug)]
pub struct Importance {
    window: usize,
    from_layer: usize,
    look_ahead: usize,
    scores: Vec<f32>,
}

impl Importance {
    /// From the last `window` queries of a prompt and `look_ahead` behind it, in the layers from `from_layer` on.
    pub const fn new(window: usize, from_layer: usize, look_ahead: usize) -> Self {
        Self { window, from_layer, look_ahead, scores: Vec::new() }
    }
}

impl Keep for Importance {
    fn prompt_queries(&self) -> usize {
        self.window
    }

    fn look_ahead(&self) -> usize {
        self.look_ahead
    }

    fn importance(&self) -> &[f32] {
        &self.scores
    }

    fn at_prompt_end(&mut self, prompt: &PromptView<'_>) -> Result<Vec<HeadPacking>, MemoryError> {
        if prompt.layer < self.from_layer {
            return Ok(Vec::new());
        }
        // The tokens of the prompt, its last one included, and how many of them observe.
        let length = (prompt.end + 1).min(prompt.first + prompt.count());
        let count = length - prompt.first;
        if prompt.layer == self.from_layer {
            self.scores.clear();
            self.scores.resize(length, 0.0);
        }
        #[allow(clippy::cast_precision_loss)] // a window has a few thousand queries
        let trust = |number: usize| match count {
            0 | 1 => 1.0,
            _ if number >= count => 1.0,
            _ => number as f32 / (count - 1) as f32,
        };
        for head in window_scores(prompt, length, &trust)? {
            self.scores.iter_mut().zip(head).for_each(|(score, found)| *score = score.max(found));
        }
        Ok(Vec::new())
    }

    fn most_bytes(&self, shape: AttentionShape, read: usize) -> usize {
        scoring_bytes(shape, read) + read * size_of::<f32>()
    }

    fn clone_box(&self) -> Box<dyn Keep> {
        Box::new(self.clone())
    }
}
