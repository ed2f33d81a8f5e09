//! Old keys without the channels that the newest queries do not use (ThinK).

use loci_models::memory::{AttentionShape, MemoryError};

use super::{Keep, ObservedRows, PromptView};
use crate::queries::of_head;
use crate::select::largest;
use crate::store::HeadPacking;

/// When a prompt has been read, each kv head drops `ratio` of the numbers of its rotated keys, all but the last `recent`
/// of them: those with the least product of the mean square of the newest 32 queries' numbers (summed over the heads of
/// the group) and the mean square of the keys'. Values stay whole. With `evict`, rows are chosen first.
///
/// Source: Xu et al., "ThinK: Thinner Key Cache by Query-Driven Pruning", 2024. One choice for a kv head, so that a
/// grouped-query cache really gets smaller, is ours; the published code repeats keys for each query head.
#[derive(Clone, Debug)]
pub struct ThinKeys {
    /// Share of the channels that is dropped.
    pub ratio: f64,
    /// Newest rows whose keys stay whole.
    pub recent: usize,
    /// Which rows stay at all.
    pub evict: Option<ObservedRows>,
    packed: bool,
}

/// Newest queries that decide.
const OBSERVERS: usize = 32;

impl ThinKeys {
    /// Drops a share `ratio` of the channels of all keys but the last `recent`.
    pub const fn new(ratio: f64, recent: usize, evict: Option<ObservedRows>) -> Self {
        Self { ratio, recent, evict, packed: false }
    }

    /// Channels that stay of `head_dim`.
    pub fn kept(ratio: f64, head_dim: usize) -> usize {
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let dropped = (head_dim as f64 * ratio).floor() as usize;
        head_dim - dropped.min(head_dim)
    }

    /// Scores `[head_dim]` of a kv head's channels over `rows`; `queries` are rotated.
    fn scores(
        prompt: &PromptView<'_>,
        queries: &[f32],
        kv_head: usize,
        rows: &[usize],
    ) -> Result<Vec<f64>, MemoryError> {
        let head_dim = prompt.shape.head_dim;
        let group = prompt.shape.group();
        let add_squares = |sums: &mut [f64], row: &[f32]| {
            sums.iter_mut().zip(row).for_each(|(sum, number)| *sum += f64::from(*number).powi(2));
        };
        let mut of_queries = vec![0.0_f64; head_dim];
        for head in kv_head * group..(kv_head + 1) * group {
            of_head(queries, head, prompt.shape).for_each(|query| add_squares(&mut of_queries, query));
        }
        let mut row = vec![0.0_f32; head_dim];
        let mut of_keys = vec![0.0_f64; head_dim];
        for position in rows {
            prompt.rows.read_rotated_key(kv_head, *position, &mut row)?;
            add_squares(&mut of_keys, &row);
        }
        // Means would divide all channels by the same numbers.
        Ok(of_queries.iter().zip(&of_keys).map(|(queries, keys)| queries * keys).collect())
    }
}

impl Keep for ThinKeys {
    fn is_uniform(&self) -> bool {
        false
    }

    fn prompt_queries(&self) -> usize {
        OBSERVERS.max(self.evict.as_ref().map_or(0, Keep::prompt_queries))
    }

    fn at_prompt_end(&mut self, prompt: &PromptView<'_>) -> Result<Vec<HeadPacking>, MemoryError> {
        // Channels that were dropped do not come back, so a later prompt of the same sequence changes nothing.
        if self.packed || prompt.end <= self.recent {
            return Ok(Vec::new());
        }
        self.packed = prompt.layer + 1 == prompt.shape.layers;
        let rows = match self.evict.as_ref().filter(|evict| prompt.end > evict.budget) {
            Some(evict) => evict.rows(prompt)?,
            None => vec![(0..prompt.end).collect(); prompt.shape.kv_heads],
        };
        let kept = Self::kept(self.ratio, prompt.shape.head_dim);
        let queries = prompt.newest(OBSERVERS).rotated();
        let mut packings = Vec::with_capacity(rows.len());
        for (kv_head, rows) in rows.into_iter().enumerate() {
            let scores = Self::scores(prompt, &queries, kv_head, &rows)?;
            #[allow(clippy::cast_possible_truncation)] // only compared
            let scores: Vec<f32> = scores.iter().map(|score| *score as f32).collect();
            let channels =
                largest(&scores, kept).into_iter().filter_map(|channel| u16::try_from(channel).ok());
            let old = rows.partition_point(|row| *row < prompt.end - self.recent);
            packings.push(HeadPacking {
                rows: rows[..old].to_vec(),
                channels: Some(channels.collect()),
                end: Some(prompt.end - self.recent),
                ..HeadPacking::default()
            });
        }
        Ok(packings)
    }

    fn most_bytes(&self, shape: AttentionShape, read: usize) -> usize {
        self.evict.as_ref().map_or(0, |evict| evict.most_bytes(shape, read)) + 4 * read * size_of::<usize>()
    }

    fn save(&self, out: &mut crate::saved::Writer<'_>) -> Result<(), MemoryError> {
        out.number(usize::from(self.packed))
    }

    fn load(&mut self, from: &mut crate::saved::Reader) -> Result<(), MemoryError> {
        self.packed = from.number()? != 0;
        Ok(())
    }

    fn clone_box(&self) -> Box<dyn Keep> {
        Box::new(self.clone())
    }
}
