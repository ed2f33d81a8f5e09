//! Single rows from beyond the window, for the newest token.

use loci_models::memory::MemoryError;

use super::{Choice, Role, Select, SelectView, Selection, SinksAndRecent, largest};

/// As [`SinksAndRecent`], and for a query that comes alone (the last token of a prompt, each decoded token)
/// also the `top_k` rows of the middle that score highest, for each query head apart.
///
/// The score of a row is the product of its unrotated key with the query rotated to the distance at which the row
/// will stand. Equal scores: the earlier row.
#[derive(Clone, Debug)]
pub struct TopRows {
    /// Sinks and window.
    pub base: SinksAndRecent,
    /// Rows recalled for each head.
    pub top_k: usize,
    /// Distance at which they are asked for and placed.
    pub insert_at: f64,
    /// First layer that recalls.
    pub from_layer: usize,
}

impl Select for TopRows {
    fn select(&mut self, view: &SelectView<'_>) -> Result<Choice, MemoryError> {
        let base = self.base.spans(view.first, view.end());
        let middle = self.base.sinks..(view.first + 1).saturating_sub(self.base.window);
        if !view.alone || view.layer < self.from_layer || middle.len() < self.top_k {
            return Ok(Choice::AllHeads(base));
        }
        let head_dim = view.shape.head_dim;
        let pairs = head_dim / 2;
        let (mut cos, mut sin) = (vec![0.0; pairs], vec![0.0; pairs]);
        view.schedule.rotation(self.insert_at, &mut cos, &mut sin);
        let mut scores = vec![0.0; middle.len()];
        let mut probe = vec![0.0; head_dim];
        let mut selections = Vec::with_capacity(view.shape.heads);
        for (head, query) in view.queries.chunks_exact(head_dim).enumerate() {
            probe.copy_from_slice(query);
            loci_kernels::vector::rotate(view.rows.isa(), &mut probe, &cos, &sin);
            view.rows.score_raw_keys(head / view.shape.group(), middle.clone(), &probe, &mut scores)?;
            let mut selection = Selection::default();
            selection.push(0..self.base.sinks, Role::Sink);
            for row in largest(&scores, self.top_k) {
                selection.push(middle.start + row..middle.start + row + 1, Role::Recalled);
            }
            selection.push(middle.end..view.end(), Role::Recent);
            selections.push(selection);
        }
        Ok(Choice::PerHead(selections))
    }

    fn far_pages(&self, read: usize, page: usize) -> usize {
        // Each score needs the keys of the whole middle.
        read.div_ceil(page)
    }

    fn clone_box(&self) -> Box<dyn Select> {
        Box::new(self.clone())
    }
}
