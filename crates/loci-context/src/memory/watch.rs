//! Looking at single heads, and switching them off.

use loci_models::memory::{AttentionShape, MemoryError};
use loci_models::watch::Watch;

use super::RecipeMemory;
use crate::attention::Positions;
use crate::evidence::Evidence;

/// What is seen of the heads.
#[derive(Clone, Debug, Default)]
pub(super) struct Watching {
    pub(super) watch: Watch,
    /// `[layers * heads]`: where each head looked, in the form that is handed out.
    looks: Vec<Option<usize>>,
    /// `[heads]` of one layer: the weight of what was looked at most so far.
    best: Vec<f32>,
}

impl Watching {
    /// Where each head looks.
    pub(super) fn looks(&self) -> &[Option<usize>] {
        &self.looks
    }

    /// Forgets what the last token looked at; the next one comes alone or not.
    pub(super) fn begin(&mut self, alone: bool, shape: AttentionShape) {
        self.looks.clear();
        if self.watch.looks && alone {
            self.looks.resize(shape.layers * shape.heads, None);
        }
    }

    /// The looks of a layer, if they are wanted.
    pub(super) fn of_layer(&mut self, layer: usize, heads: usize) -> Option<Looks<'_>> {
        let looks = self.looks.get_mut(layer * heads..(layer + 1) * heads)?;
        self.best.clear();
        self.best.resize(heads, 0.0);
        Some(Looks { looks, best: &mut self.best })
    }
}

/// Where the heads of one layer look. Weights come in parts and are not kept.
pub(super) struct Looks<'a> {
    looks: &'a mut [Option<usize>],
    best: &'a mut [f32],
}

impl Looks<'_> {
    /// Takes in the weights that a head gives to rows. Of equal weights the lowest position counts, in whichever order
    /// the parts come.
    pub(super) fn add(&mut self, head: usize, rows: &Positions<'_>, weights: &[f32]) {
        let (Some(look), Some(best)) = (self.looks.get_mut(head), self.best.get_mut(head)) else { return };
        for (position, weight) in rows.zip(weights) {
            let earlier = || look.is_none_or(|held| position < held);
            if weight > *best || (weight == *best && weight > 0.0 && earlier()) {
                (*look, *best) = (Some(position), weight);
            }
        }
    }
}

impl RecipeMemory {
    /// See [`watch`](loci_models::memory::ContextMemory::watch).
    pub(super) fn start_watch(&mut self, watch: Watch) -> Result<(), MemoryError> {
        watch.check(self.shape)?;
        self.watching = Watching { watch, ..Watching::default() };
        self.clear_evidence();
        Ok(())
    }

    /// Starts the record again, if there is one.
    pub(super) fn clear_evidence(&mut self) {
        if let Some(evidence) = &mut self.evidence {
            *evidence = Evidence::new(&self.watching.watch, self.shape);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_equal_weights_the_lowest_position_counts() {
        let shape = AttentionShape { layers: 1, heads: 2, kv_heads: 1, head_dim: 16 };
        let mut watching =
            Watching { watch: Watch { looks: true, ..Watch::default() }, ..Watching::default() };
        watching.begin(true, shape);
        {
            let mut looks = watching.of_layer(0, 2).unwrap();
            looks.add(0, &Positions::From(32), &[0.1, 0.3, 0.3]);
            looks.add(0, &Positions::Listed(&[5, 40]), &[0.3, 0.2, 0.9]);
            looks.add(1, &Positions::From(0), &[0.0, 0.0]);
        }
        assert_eq!(watching.looks(), [Some(5), None]);
        watching.begin(false, shape);
        assert!(watching.looks().is_empty() && watching.of_layer(0, 2).is_none());
    }
}
