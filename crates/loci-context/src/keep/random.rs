//! Rows that chance keeps.

use loci_models::memory::{AttentionShape, MemoryError};

use super::{Keep, PromptView};
use crate::random::Random;
use crate::store::HeadPacking;

/// When a prompt has been read, each kv head keeps `budget` rows of it: the first `sinks`, the last `window`, and random
/// ones between, drawn for each head by itself.
#[derive(Clone, Debug)]
pub struct RandomRows {
    /// Rows kept.
    pub budget: usize,
    /// Newest rows, kept in any case.
    pub window: usize,
    /// First rows, kept in any case.
    pub sinks: usize,
    /// Seed of the drawing.
    pub seed: u64,
}

impl RandomRows {
    /// The rows that a kv head of a layer keeps of those before `end`, ascending.
    fn rows(&self, layer: usize, kv_head: usize, end: usize) -> Vec<usize> {
        let old = end.saturating_sub(self.window);
        let first = self.sinks.min(old);
        let mut random =
            Random::new(self.seed ^ ((layer as u64) << 40) ^ ((kv_head as u64) << 20) ^ end as u64);
        let mut wanted = self.budget.saturating_sub(first + (end - old));
        let mut rows: Vec<usize> = (0..first).collect();
        // Each row with the chance that leaves exactly as many as are wanted.
        for (row, left) in (first..old).zip((1..=old - first).rev()) {
            if random.below(left).is_some_and(|drawn| drawn < wanted) {
                rows.push(row);
                wanted -= 1;
            }
        }
        rows.extend(old..end);
        rows
    }
}

impl Keep for RandomRows {
    fn is_uniform(&self) -> bool {
        false
    }

    fn prompt_queries(&self) -> usize {
        // It looks at no query, but only those who ask for some are told where a prompt ends.
        1
    }

    fn at_prompt_end(&mut self, prompt: &PromptView<'_>) -> Result<Vec<HeadPacking>, MemoryError> {
        if prompt.end <= self.budget {
            return Ok(Vec::new());
        }
        let rows = |kv_head| self.rows(prompt.layer, kv_head, prompt.end);
        // A later prompt of the same sequence finds fewer rows than it names; those that are gone stay gone.
        Ok((0..prompt.shape.kv_heads)
            .map(|kv_head| {
                let held = prompt.rows.present(kv_head, 0..prompt.end);
                let mut rows = rows(kv_head);
                rows.retain(|row| held.binary_search(row).is_ok());
                HeadPacking { rows, ..HeadPacking::default() }
            })
            .collect())
    }

    fn most_bytes(&self, shape: AttentionShape, read: usize) -> usize {
        // The rows held and those that stay, of all heads of a layer.
        2 * shape.kv_heads * read * size_of::<usize>()
    }

    fn clone_box(&self) -> Box<dyn Keep> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_the_budget_stays_and_heads_draw_for_themselves() {
        let keep = RandomRows { budget: 40, window: 8, sinks: 4, seed: 3 };
        let mut counts = [0; 200];
        for layer in 0..30 {
            for head in 0..3 {
                let rows = keep.rows(layer, head, 200);
                assert_eq!(rows.len(), 40);
                assert!(rows.is_sorted_by(|a, b| a < b), "{rows:?}");
                assert!((0..4).chain(192..200).all(|row| rows.contains(&row)), "{rows:?}");
                rows.iter().for_each(|row| counts[*row] += 1);
            }
        }
        // 28 of 188 rows in 90 draws: about 13 each, with a standard deviation of 3.4.
        assert!(counts[4..192].iter().all(|count| (1..=32).contains(count)), "{counts:?}");
        assert_ne!(keep.rows(0, 0, 200), keep.rows(0, 1, 200));
        assert_ne!(keep.rows(0, 0, 200), keep.rows(1, 0, 200));
        assert_eq!(keep.rows(2, 1, 200), keep.rows(2, 1, 200));
        assert_ne!(keep.rows(0, 0, 200), RandomRows { seed: 4, ..keep.clone() }.rows(0, 0, 200));
        assert_eq!(keep.rows(0, 0, 30), (0..30).collect::<Vec<_>>());
    }
}
