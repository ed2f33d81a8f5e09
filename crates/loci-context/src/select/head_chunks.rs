//! Each head of each query reads its own chunks, laid side by side (LongHeads).

use loci_models::memory::{AttentionShape, MemoryError};

use super::{Choice, Role, Select, SelectView, SelectedSpan, Selection, largest};
use crate::parallel;

/// Bytes of the table of angles for each distance, beside the angles: two vectors and their place in a map.
const ANGLES_BESIDE: usize = 64;

/// Most queries that choose at the same time, each for itself: enough to occupy all threads, and to find others that chose
/// the same chunks.
const TOGETHER: usize = 128;

/// A query behind `a` blocks reads block 0, block `a - 1`, what is behind that (its own chunk) up to itself and, of the
/// other blocks, those that the index scores highest for the unrotated query of each head: `chunks` in all. They stand side
/// by side, so that no distance reaches `attention`. Tokens before `begin` read everything at true distances.
#[derive(Clone, Debug)]
pub struct HeadChunks {
    /// Queries that read everything together, before `begin`.
    pub queries: usize,
    /// Tokens in a block, at least and at most.
    pub sizes: (usize, usize),
    /// Chunks read.
    pub chunks: usize,
    /// Tokens that a query reads at most.
    pub attention: usize,
    /// First position that chooses; at least `attention`, a multiple of `queries`.
    pub begin: usize,
}

impl HeadChunks {
    /// The chunks of a query behind `own` blocks, ascending; the last is its own.
    fn choose(&self, own: usize, scores: &[f32]) -> Vec<usize> {
        if own < self.chunks {
            return (0..=own).collect();
        }
        let others = scores.get(1..own - 1).unwrap_or(&[]);
        let best = largest(others, self.chunks - 3).into_iter().map(|chunk| chunk + 1);
        std::iter::once(0).chain(best).chain([own - 1, own]).collect()
    }

    /// The rows of one head of the query before `end`.
    fn selection(&self, view: &SelectView<'_>, end: usize, scores: &[f32]) -> Selection {
        let own = view.blocks;
        let from = own.checked_sub(1).map_or(0, |last| view.segment.block(last).end);
        let rows_of = |chunk: usize| if chunk < own { view.segment.block(chunk) } else { from..end };
        let chosen = self.choose(own, scores);
        let left_out = from
            - chosen.iter().filter(|chunk| **chunk < own).map(|chunk| rows_of(*chunk).len()).sum::<usize>();
        let mut selection = Selection::default();
        let mut placed = 0;
        for chunk in chosen {
            let rows = rows_of(chunk);
            // What is left out between these rows and the query brings them nearer.
            let moved = left_out - (rows.start - placed);
            placed += rows.len();
            match chunk + 1 >= own {
                true => selection.push_moved(rows, Role::Recent, moved),
                // Chunk by chunk, also those that follow each other: other queries may have chosen one of them only.
                false => selection.spans.push(SelectedSpan { rows, role: Role::Recalled, moved }),
            }
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
        let heads = view.shape.heads;
        let choose = |number: usize| {
            let mut scores = Vec::new();
            let query = &view.queries[number * view.shape.head_dim..(number + 1) * view.shape.head_dim];
            view.index.score_head(view.layer, number % heads, query, view.blocks, &mut scores);
            self.selection(view, view.first + number / heads + 1, &scores)
        };
        if view.count == 1 {
            // Threads would take longer to wake than this takes.
            return Ok(Choice::PerHead((0..heads).map(choose).collect()));
        }
        let mut chosen =
            parallel::for_each(view.pool, view.count * heads, |number| Ok(choose(number)))?.into_iter();
        let alone = |_| Choice::PerHead(chosen.by_ref().take(heads).collect());
        Ok(Choice::PerQuery((0..view.count).map(alone).collect()))
    }

    fn group(&self, first: usize) -> Option<usize> {
        if first < self.begin {
            // These must end where choosing begins.
            return Some(self.queries);
        }
        // Each query chooses for itself; those of a group must be behind the same blocks.
        let together = |count: &usize| self.sizes.1.is_multiple_of(*count);
        Some(if self.sizes.0 == self.sizes.1 { (1..=TOGETHER).rev().find(together).unwrap_or(1) } else { 1 })
    }

    fn window(&self, _read: usize) -> usize {
        // The own chunk may have just begun.
        self.sizes.0
    }

    fn far_pages(&self, read: usize, page: usize) -> usize {
        read.div_ceil(page)
    }

    fn closes_up_to(&self) -> Option<usize> {
        // Before selection begins everything is read as it stands.
        Some(self.begin.max(self.attention))
    }

    fn most_bytes(&self, shape: AttentionShape, read: usize) -> usize {
        // Angles for each distance by which rows are moved: sums of lengths of blocks.
        let distances = if self.sizes.0 == self.sizes.1 { read / self.sizes.1 } else { read };
        let chosen =
            TOGETHER * shape.heads * (self.chunks * size_of::<SelectedSpan>() + size_of::<Selection>());
        2 * distances * (shape.head_dim * size_of::<f32>() + ANGLES_BESIDE) + 2 * chosen
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
        let select = HeadChunks { queries: 16, sizes: (16, 16), chunks: 5, attention: 80, begin: 80 };
        assert_eq!(select.choose(3, &[0.0; 3]), [0, 1, 2, 3]);
        assert_eq!(select.choose(7, &[9.0, 1.0, 5.0, 2.0, 5.0, 4.0, 9.0]), [0, 2, 4, 6, 7]);
        let three = HeadChunks { chunks: 3, attention: 48, begin: 48, ..select };
        assert_eq!(three.choose(7, &[9.0; 7]), [0, 6, 7]);
    }
}
