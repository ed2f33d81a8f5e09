//! A list of rows taken from the last full step, used again until the next (Recycled Attention).

use loci_models::memory::{AttentionShape, MemoryError};

use super::{Choice, Role, Select, SelectView, Selection};
use crate::keep::pool_largest;
use crate::saved::{Reader, Writer};

/// When a layer reads everything again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Refresh {
    /// At every step whose number is a multiple of the stride.
    Fixed,
    /// At those steps, unless the cosine between the head-averaged query and that of the layer's last full step is
    /// above this.
    Unless(f64),
}

/// A prompt is read in full. A token that comes alone reads, for each kv head, a list of rows: those that received
/// most attention at the last full step (the largest over the group's heads, then over `kernel` neighbouring
/// positions), and the tokens since then, of which each pushes out the row with the least attention.
#[derive(Clone, Debug)]
pub struct Recycled {
    /// Rows of the list, at least.
    pub rows: usize,
    /// Rows of the list as a share of the tokens so far.
    pub share: f64,
    /// Steps between two that may be full.
    pub stride: usize,
    /// Which of those are.
    pub refresh: Refresh,
    /// Width of the pooling; odd.
    pub kernel: usize,
    layers: Vec<Layer>,
}

#[derive(Clone, Debug, Default)]
struct Layer {
    /// Per kv head, positions in ascending order of attention; the newest tokens come last.
    lists: Vec<Vec<usize>>,
    /// Head-averaged query of the last full step.
    query: Vec<f32>,
    /// Single tokens since the last full one, it excluded.
    steps: usize,
    /// The step being done reads everything.
    full: bool,
    kv_heads: usize,
}

impl Layer {
    fn new(kv_heads: usize) -> Self {
        Self { kv_heads, ..Self::default() }
    }
}

impl Recycled {
    /// An empty list for each layer.
    pub fn new(
        shape: AttentionShape,
        rows: usize,
        share: f64,
        stride: usize,
        refresh: Refresh,
        kernel: usize,
    ) -> Self {
        Self { rows, share, stride, refresh, kernel, layers: vec![Layer::new(shape.kv_heads); shape.layers] }
    }

    /// Rows that a list may have after a step, when there are `end` tokens.
    fn size(&self, end: usize) -> usize {
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let share = (self.share * end as f64) as usize;
        self.rows.max(share).max(1)
    }

    fn is_full(&self, layer: &Layer, query: &[f32]) -> bool {
        if layer.lists.is_empty() {
            return true;
        }
        let due = (layer.steps + 1).is_multiple_of(self.stride);
        due && match self.refresh {
            Refresh::Fixed => true,
            Refresh::Unless(alike) => cosine(query, &layer.query) <= alike,
        }
    }
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let lengths = (dot(a, a) * dot(b, b)).sqrt();
    if lengths > 0.0 { dot(a, b) / lengths } else { 0.0 }
}

/// The `count` highest positions in ascending order of their score; of equal scores, lower positions rank higher.
fn ranked(scores: &[f32], count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_unstable_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
    order.truncate(count);
    order.reverse();
    // Otherwise each list would hold room for all tokens.
    order.shrink_to_fit();
    order
}

impl Select for Recycled {
    fn reads_prompts_whole(&self) -> bool {
        true
    }

    fn select(&mut self, view: &SelectView<'_>) -> Result<Choice, MemoryError> {
        let mut all = Selection::default();
        all.push(0..view.end(), Role::Recent);
        let empty = Layer::default();
        let full = match view.alone {
            true => {
                let head_dim = view.shape.head_dim;
                let mut query = vec![0.0_f32; head_dim];
                let position = view.first;
                for head in view.queries.chunks_exact(head_dim) {
                    query.iter_mut().zip(head).for_each(|(sum, number)| *sum += number);
                }
                // At its position, as the keys are: what is compared is what attention would see.
                let (mut cos, mut sin) = (vec![0.0; head_dim / 2], vec![0.0; head_dim / 2]);
                #[allow(clippy::cast_precision_loss)] // positions stay far below 2^52
                view.schedule.rotation(position as f64, &mut cos, &mut sin);
                loci_kernels::vector::rotate(view.rows.isa(), &mut query, &cos, &sin);
                let full = self.is_full(self.layers.get(view.layer).unwrap_or(&empty), &query);
                let Some(layer) = self.layers.get_mut(view.layer) else { return Ok(Choice::AllHeads(all)) };
                layer.steps = if layer.lists.is_empty() { 0 } else { layer.steps + 1 };
                layer.full = full;
                if full {
                    layer.query = query;
                }
                full
            }
            false => {
                // A prompt: what was known about earlier answers says nothing about the next.
                if let Some(layer) = self.layers.get_mut(view.layer) {
                    *layer = Layer::new(view.shape.kv_heads);
                }
                true
            }
        };
        let size = self.size(view.end());
        let Some(layer) = self.layers.get_mut(view.layer).filter(|_| !full) else {
            return Ok(Choice::AllHeads(all));
        };
        let mut selections = Vec::with_capacity(layer.lists.len());
        for list in &mut layer.lists {
            list.reserve_exact(1);
            list.push(view.first);
            let mut rows = list.clone();
            rows.sort_unstable();
            let mut selection = Selection::default();
            for row in rows {
                selection.push(row..row + 1, Role::Recent);
            }
            selections.push(selection);
            if list.len() > size {
                list.remove(0);
            }
        }
        Ok(Choice::PerKvHead(selections))
    }

    fn wants_weights(&self, layer: usize) -> bool {
        self.layers.get(layer).is_some_and(|layer| layer.full)
    }

    fn weigh(&mut self, layer: usize, end: usize, weights: &[Vec<f32>]) {
        let size = self.size(end);
        let kernel = self.kernel;
        let Some(layer) = self.layers.get_mut(layer) else { return };
        layer.full = false;
        let group = weights.len() / layer.kv_heads.max(1);
        layer.lists = weights
            .chunks(group.max(1))
            .map(|heads| {
                let largest = (0..end).map(|row| heads.iter().map(|head| head[row]).fold(0.0, f32::max));
                ranked(&pool_largest(&largest.collect::<Vec<_>>(), kernel), size)
            })
            .collect();
    }

    fn window(&self, _read: usize) -> usize {
        1
    }

    fn fits(&self, shape: AttentionShape, read: usize) -> bool {
        self.layers.iter().all(|layer| {
            let known = layer.query.is_empty() || layer.query.len() == shape.head_dim;
            known
                && layer.lists.iter().all(|list| {
                    let distinct: std::collections::BTreeSet<&usize> = list.iter().collect();
                    distinct.len() == list.len() && list.iter().all(|row| *row < read)
                })
        })
    }

    fn far_pages(&self, read: usize, page: usize) -> usize {
        read.div_ceil(page)
    }

    fn bytes(&self) -> usize {
        let list = |list: &Vec<usize>| list.capacity() * size_of::<usize>();
        self.layers.iter().flat_map(|layer| &layer.lists).map(list).sum()
    }

    fn most_bytes(&self, shape: AttentionShape, read: usize) -> usize {
        // Room for one row more than a list keeps; a step weighs all rows of a layer for each head.
        let lists = shape.layers * shape.kv_heads * (self.size(read).min(read) + 1);
        lists * size_of::<usize>() + 3 * shape.heads * read * size_of::<f32>()
    }

    fn is_stateful(&self) -> bool {
        true
    }

    fn save(&self, out: &mut Writer<'_>) -> Result<(), MemoryError> {
        for layer in &self.layers {
            out.number(layer.lists.len())?;
            layer.lists.iter().try_for_each(|list| out.numbers(list))?;
            out.floats(&layer.query)?;
            out.number(layer.steps)?;
        }
        Ok(())
    }

    fn load(&mut self, from: &mut Reader) -> Result<(), MemoryError> {
        for layer in &mut self.layers {
            let lists = from.number()?;
            if lists != 0 && lists != layer.kv_heads {
                return Err(MemoryError::Saved(format!(
                    "it has lists for {lists} of {} kv heads",
                    layer.kv_heads
                )));
            }
            layer.lists = (0..lists).map(|_| from.numbers()).collect::<Result<_, _>>()?;
            layer.query = from.floats()?;
            layer.steps = from.number()?;
            layer.full = false;
        }
        Ok(())
    }

    fn clone_box(&self) -> Box<dyn Select> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranking_follows_the_paper() {
        // Lowest first: index 0 is the next to go. Ties: the lower position ranks higher.
        assert_eq!(ranked(&[0.1, 0.5, 0.5, 0.3], 3), [3, 2, 1]);
    }
}
