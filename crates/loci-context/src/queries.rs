//! Queries `[m, heads, head_dim]`, as parts look at them.

use loci_kernels::Isa;
use loci_kernels::vector::rotate;
use loci_models::memory::AttentionShape;
use loci_models::rope::RopeSchedule;

/// `queries`, each rotated to its position.
pub(crate) fn rotated(
    queries: &[f32],
    positions: impl Iterator<Item = usize>,
    shape: AttentionShape,
    schedule: &RopeSchedule,
    isa: Isa,
) -> Vec<f32> {
    let (mut cos, mut sin) = (vec![0.0; shape.head_dim / 2], vec![0.0; shape.head_dim / 2]);
    let mut rotated = queries.to_vec();
    for (row, position) in rotated.chunks_exact_mut(shape.heads * shape.head_dim).zip(positions) {
        #[allow(clippy::cast_precision_loss)] // positions stay far below 2^52
        schedule.rotation(position as f64, &mut cos, &mut sin);
        row.chunks_exact_mut(shape.head_dim).for_each(|head| rotate(isa, head, &cos, &sin));
    }
    rotated
}

/// The queries of one head.
pub(crate) fn of_head(
    queries: &[f32],
    head: usize,
    shape: AttentionShape,
) -> impl Iterator<Item = &[f32]> + Clone {
    let own = head * shape.head_dim..(head + 1) * shape.head_dim;
    queries.chunks_exact(shape.heads * shape.head_dim).map(move |row| &row[own.clone()])
}
