//! Of a fixed context, the keys whose clusters look relevant (Squeezed Attention).

use std::sync::Arc;

use loci_models::memory::{AttentionShape, MemoryError};

use super::{Choice, ContextEnd, Role, Select, SelectView, SelectedSpan, Selection};
use crate::index::{Clustering, Clusters, Level, quantile};
use crate::queries::{of_head, rotated};
use crate::saved::{Reader, Writer};

/// Everything, until the context has ended. From then on, for each query head, of the context's keys those that lie in
/// clusters which the group of queries keeps, its last `observed` keys, and everything behind it.
///
/// When the context ends, the keys before its last `observed` are clustered for each kv head, and one threshold for all
/// heads and layers is set so that of these keys the share `sparsity` would be left out by the last `observed` queries.
#[derive(Clone, Debug)]
pub struct Squeezed {
    how: Settings,
    /// `None` until the context has ended.
    context: Option<Arc<Context>>,
}

/// The parameters of a [`Squeezed`].
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Shape of the model.
    pub shape: AttentionShape,
    /// How keys are clustered.
    pub clustering: Clustering,
    /// Tokens at the end of the context whose keys are always read and whose queries set the threshold.
    pub observed: usize,
    /// Share of the keys that the threshold is set to leave out.
    pub sparsity: f64,
    /// As `sparsity`, for the upper of two levels.
    pub coarse_sparsity: f64,
    /// Queries that choose together once the context has ended.
    pub queries: usize,
    /// Queries that are served together before.
    pub open_queries: usize,
}

/// A context that has ended.
#[derive(Debug)]
struct Context {
    /// Tokens.
    end: usize,
    /// For each layer and kv head; empty when it was too short to cluster.
    heads: Vec<Clusters>,
    /// Clusters that score more are kept.
    threshold: f64,
    coarse_threshold: f64,
}

impl Squeezed {
    /// A context that has not ended.
    pub const fn new(how: Settings) -> Self {
        Self { how, context: None }
    }

    /// Keys of a context of `end` tokens that are clustered; 0: it is too short.
    fn clustered(&self, end: usize) -> usize {
        let keys = end.saturating_sub(self.how.observed);
        if keys <= 1 || self.how.clustering.clusters(keys) < 2 { 0 } else { keys }
    }

    fn cluster(&self, context: &ContextEnd<'_>, keys: usize) -> Result<Vec<Clusters>, MemoryError> {
        let AttentionShape { layers, kv_heads, head_dim, .. } = context.shape;
        let mut rows = vec![0.0; keys * head_dim];
        let mut points = Vec::with_capacity(rows.len());
        let mut all = Vec::with_capacity(layers * kv_heads);
        for layer in 0..layers {
            let held = context.store.layer(layer);
            for head in 0..kv_heads {
                for (position, row) in rows.chunks_exact_mut(head_dim).enumerate() {
                    held.read_rotated_key(head, position, row)?;
                }
                let mut how = self.how.clustering;
                // Heads draw their first centres independently.
                how.seed = how.seed.wrapping_add(all.len() as u64);
                all.push(Clusters::build(&rows, head_dim, &how, &mut points, held.isa(), context.pool)?);
            }
        }
        Ok(all)
    }

    /// The thresholds of both levels: quantiles over the keys of all heads and layers of the scores that the last queries
    /// give on average.
    fn calibrate(&self, context: &ContextEnd<'_>, heads: &[Clusters]) -> (f64, f64) {
        let shape = context.shape;
        let (mut fine, mut coarse) = (Vec::new(), Vec::new());
        for (layer, queries) in context.queries.iter().enumerate() {
            let isa = context.store.layer(layer).isa();
            let count = queries.len() / (shape.heads * shape.head_dim);
            let rotated = rotated(queries, (context.read - count).., shape, context.schedule, isa);
            for head in 0..shape.heads {
                let clusters = &heads[layer * shape.kv_heads + head / shape.group()];
                let queries = of_head(&rotated, head, shape);
                let add = |level: &Level, into: &mut Vec<(f64, u32)>| {
                    let scores = level.scores(queries.clone(), isa);
                    into.extend(scores.into_iter().zip(level.counts.iter().copied()));
                };
                add(clusters.fine(), &mut fine);
                if let Some(level) = clusters.coarse() {
                    add(level, &mut coarse);
                }
            }
        }
        (quantile(&mut fine, self.how.sparsity), quantile(&mut coarse, self.how.coarse_sparsity))
    }
}

impl Select for Squeezed {
    fn reads_prompts_whole(&self) -> bool {
        self.context.is_none()
    }

    fn select(&mut self, view: &SelectView<'_>) -> Result<Choice, MemoryError> {
        let Some(context) = self.context.as_ref().filter(|context| !context.heads.is_empty()) else {
            let mut all = Selection::default();
            all.push(0..view.end(), Role::Recent);
            return Ok(Choice::AllHeads(all));
        };
        let isa = view.rows.isa();
        let queries = rotated(view.queries, view.first.., view.shape, view.schedule, isa);
        let selections = view.for_heads(|head| {
            let clusters = &context.heads[view.layer * view.shape.kv_heads + head / view.shape.group()];
            let queries = of_head(&queries, head, view.shape);
            let kept = clusters.kept(queries, context.threshold, context.coarse_threshold, isa);
            let mut selection = Selection::default();
            for (row, label) in clusters.labels().iter().enumerate() {
                if kept[*label as usize] {
                    selection.push(row..row + 1, Role::Recalled);
                }
            }
            selection.push(clusters.labels().len()..view.end(), Role::Recent);
            Ok(selection)
        })?;
        Ok(Choice::PerHead(selections))
    }

    fn group(&self, _first: usize) -> Option<usize> {
        Some(if self.context.is_some() { self.how.queries } else { self.how.open_queries })
    }

    fn recent_queries(&self, read: usize) -> usize {
        let ended = self.context.as_ref().is_some_and(|context| context.end <= read);
        if ended { 0 } else { self.how.observed }
    }

    fn end_context(&mut self, context: &ContextEnd<'_>) -> Result<(), MemoryError> {
        let end = context.read;
        let heads = match self.clustered(end) {
            0 => Vec::new(),
            keys => self.cluster(context, keys)?,
        };
        let (threshold, coarse_threshold) =
            if heads.is_empty() { (0.0, 0.0) } else { self.calibrate(context, &heads) };
        self.context = Some(Arc::new(Context { end, heads, threshold, coarse_threshold }));
        Ok(())
    }

    fn group_end(&self, to: usize) -> usize {
        match &self.context {
            Some(context) if context.end <= to && !context.heads.is_empty() => {
                context.end.max(to - to % self.how.queries)
            }
            _ => to,
        }
    }

    fn truncate(&mut self, to: usize) {
        self.context = self.context.take().filter(|context| context.end <= to);
    }

    fn window(&self, read: usize) -> usize {
        self.context.as_ref().map_or(usize::MAX, |context| (read - context.end.min(read)).max(1))
    }

    fn far_pages(&self, read: usize, page: usize) -> usize {
        read.div_ceil(page)
    }

    fn scattered_rows(&self, read: usize) -> usize {
        // More than a third of the rows is not copied, but read in place.
        read.div_ceil(3)
    }

    fn bytes(&self) -> usize {
        self.context.as_ref().map_or(0, |context| context.heads.iter().map(Clusters::bytes).sum())
    }

    fn most_bytes(&self, shape: AttentionShape, read: usize) -> usize {
        let (how, keys) = (&self.how.clustering, read);
        let clusters = shape.layers * shape.kv_heads * Clusters::most_bytes(how, keys, shape.head_dim);
        // While the context ends: one head's keys, and all scores. Afterwards: a layer's spans.
        let scores = (how.clusters(keys) + how.coarse_clusters(keys)) * 2 * size_of::<(f64, u32)>();
        let ending = Clusters::scratch_bytes(how, keys, shape.head_dim)
            + keys * shape.head_dim * size_of::<f32>()
            + shape.layers * shape.heads * scores;
        let spans = shape.heads * read * size_of::<SelectedSpan>();
        clusters + ending.max(spans)
    }

    fn save(&self, out: &mut Writer<'_>) -> Result<(), MemoryError> {
        let Some(context) = &self.context else { return out.number(0) };
        out.number(1)?;
        out.number(context.end)?;
        out.number(usize::from(!context.heads.is_empty()))?;
        for threshold in [context.threshold, context.coarse_threshold] {
            out.bytes(&threshold.to_le_bytes())?;
        }
        context.heads.iter().try_for_each(|clusters| clusters.save(out))
    }

    fn load(&mut self, from: &mut Reader) -> Result<(), MemoryError> {
        self.context = None;
        if from.number()? == 0 {
            return Ok(());
        }
        let end = from.number()?;
        let clustered = from.number()? != 0;
        let mut threshold = || {
            let bytes = <[u8; 8]>::try_from(from.bytes()?);
            bytes.map(f64::from_le_bytes).map_err(|_| MemoryError::Saved("a threshold is damaged".into()))
        };
        let (threshold, coarse_threshold) = (threshold()?, threshold()?);
        let mut heads = Vec::new();
        if clustered {
            let keys = end.saturating_sub(self.how.observed);
            let AttentionShape { layers, kv_heads, head_dim, .. } = self.how.shape;
            for _ in 0..layers * kv_heads {
                heads.push(Clusters::read(from, keys, head_dim)?);
            }
        }
        self.context = Some(Arc::new(Context { end, heads, threshold, coarse_threshold }));
        Ok(())
    }

    fn clone_box(&self) -> Box<dyn Select> {
        Box::new(self.clone())
    }
}
