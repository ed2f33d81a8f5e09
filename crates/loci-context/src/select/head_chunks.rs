//! Each head of each query reads its own chunks, laid side by side (LongHeads).

use loci_models::memory::MemoryError;

use super::{Choice, Role, Select, SelectView, Selection, largest};

/// A query in chunk `a` reads chunk 0, chunk `a - 1`, its own chunk up to itself and, of the others, those that the
/// index scores highest for the unrotated query of each head: `chunks` in all. They stand side by side, so that no
/// distance exceeds `chunks * chunk_size`. Tokens before `begin` read everything at true distances.
#[derive(Clone, Debug)]
pub struct HeadChunks {
    /// Tokens in a chunk.
    pub chunk_size: usize,
    /// Chunks read.
    pub chunks: usize,
    /// First position that chooses; at least `chunks * chunk_size`, a multiple of `chunk_size`.
    pub begin: usize,
}

impl HeadChunks {
    /// The chunks of a query in chunk `own`, ascending.
    fn choose(&self, own: usize, scores: &[f32]) -> Vec<usize> {
        if own < self.chunks {
            return (0..=own).collect();
        }
        let others = scores.get(1..own - 1).unwrap_or(&[]);
        let best = largest(others, self.chunks - 3).into_iter().map(|chunk| chunk + 1);
        std::iter::once(0).chain(best).chain([own - 1, own]).collect()
    }

    /// The rows of one head.
    fn selection(&self, view: &SelectView<'_>, scores: &[f32]) -> Selection {
        let own = view.first / self.chunk_size;
        let chosen = self.choose(own, scores);
        let mut selection = Selection::default();
        for (slot, chunk) in chosen.iter().enumerate() {
            let rows = chunk * self.chunk_size..((chunk + 1) * self.chunk_size).min(view.end());
            // Chunks that are left out between this one and the query bring it nearer by their lengths.
            let left_out = (own - chunk) - (chosen.len() - 1 - slot);
            let role = if chunk + 1 >= own { Role::Recent } else { Role::Recalled };
            selection.push_moved(rows, role, left_out * self.chunk_size);
        }
        selection
    }
}

impl Select for HeadChunks {
    fn select(&mut self, view: &SelectView<'_>) -> Result<Choice, MemoryError> {
        if view.first < self.begin {
            let mut all = Selection::default();
            all.push(0..view.end(), Role::Recent);
            return Ok(Choice::AllHeads(all));
        }
        let mut scores = Vec::new();
        let heads = view.queries.chunks_exact(view.shape.head_dim).enumerate();
        let choose = |(head, query): (usize, &[f32])| {
            view.index.score_head(view.layer, head, query, view.blocks, &mut scores);
            self.selection(view, &scores)
        };
        Ok(Choice::PerHead(heads.map(choose).collect()))
    }

    fn group(&self, first: usize) -> Option<usize> {
        // Beyond `begin` each query chooses for itself; before it, groups must end there.
        Some(if first < self.begin { self.chunk_size } else { 1 })
    }

    fn window(&self, _read: usize) -> usize {
        self.chunk_size
    }

    fn far_pages(&self, read: usize, page: usize) -> usize {
        read.div_ceil(page)
    }

    fn closes_up_to(&self) -> Option<usize> {
        // Before selection begins everything is read as it stands.
        Some(self.begin.max(self.chunks * self.chunk_size))
    }

    fn clone_box(&self) -> Box<dyn Select> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_the_previous_and_the_own_chunk_are_always_there() {
        let select = HeadChunks { chunk_size: 16, chunks: 5, begin: 80 };
        assert_eq!(select.choose(3, &[0.0; 3]), [0, 1, 2, 3]);
        assert_eq!(select.choose(7, &[9.0, 1.0, 5.0, 2.0, 5.0, 4.0, 9.0]), [0, 2, 4, 6, 7]);
        let three = HeadChunks { chunk_size: 16, chunks: 3, begin: 48 };
        assert_eq!(three.choose(7, &[9.0; 7]), [0, 6, 7]);
    }
}
