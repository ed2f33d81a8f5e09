//! What may be dropped or shrunk, and when?

mod importance;
mod looks;
mod observed;
mod random;
mod ranges;
mod surprising;
mod thin_keys;

pub use importance::Importance;
pub use looks::Looks;
pub use observed::{ObservedRows, pool_largest, window_scores};
pub use random::RandomRows;
pub use ranges::{Everything, FullOrStreaming, SinksAndWindow};
pub use surprising::{Score, Surprising};
pub use thin_keys::ThinKeys;

use std::ops::Range;

use loci_kernels::{Isa, Pool};
use loci_models::memory::{AttentionShape, MemoryError};
use loci_models::rope::RopeSchedule;

use crate::queries::rotated;
use crate::saved::{Reader, Writer};
use crate::segment::ChunkView;
use crate::store::{HeadPacking, LayerRows};

/// Decides what no later query can reach.
///
/// There are two ways. Ranges that are known from the number of tokens alone ([`unreachable`](Self::unreachable)) are
/// released while the input is read. Single rows are chosen at certain moments: before a chunk, when there must be room
/// for it, or at the end of a prompt, when it is known what was asked.
pub trait Keep: Send + Sync {
    /// Rows of a kv head that are unreachable once `read` tokens have been written, as one range of positions. It only
    /// grows at its end as `read` grows.
    fn unreachable(&self, _head: KvHead, _read: usize) -> Range<usize> {
        0..0
    }

    /// Whether all heads keep the same rows.
    fn is_uniform(&self) -> bool {
        true
    }

    /// The most rows that a kv head holds at a time, if that is fewer than are read.
    fn most_rows(&self) -> Option<usize> {
        None
    }

    /// Whether unrotated keys are needed when rows close up.
    fn reads_raw_keys(&self) -> bool {
        false
    }

    /// Told before `coming` tokens are read behind the `read` ones; what is to be left, in all heads alike, or `None`
    /// when nothing changes.
    fn before_chunk(&mut self, _read: usize, _coming: usize) -> Option<HeadPacking> {
        None
    }

    /// Told at the end of each chunk what the model thought of its tokens.
    fn after_chunk(&mut self, _chunk: &ChunkView<'_>) {}

    /// Whether [`after_chunk`](Self::after_chunk) needs signals.
    fn wants_signals(&self) -> bool {
        false
    }

    /// The last queries of a prompt that [`at_prompt_end`](Self::at_prompt_end) wants to see, besides those of the
    /// look-ahead; 0: it is not called.
    fn prompt_queries(&self) -> usize {
        0
    }

    /// Tokens of look-ahead that should be read before [`at_prompt_end`](Self::at_prompt_end), if a draft writes as many.
    fn look_ahead(&self) -> usize {
        0
    }

    /// How rows of a prompt are chosen, where another part may make them smaller still.
    fn observed(&self) -> Option<ObservedRows> {
        None
    }

    /// See [`importance`](loci_models::memory::ContextMemory::importance).
    fn importance(&self) -> &[f32] {
        &[]
    }

    /// Told when a prompt has been read; what is to be left of it in each kv head of a layer, or nothing when all stays.
    ///
    /// # Errors
    /// When a cold block cannot be read.
    fn at_prompt_end(&mut self, _prompt: &PromptView<'_>) -> Result<Vec<HeadPacking>, MemoryError> {
        Ok(Vec::new())
    }

    /// Whether decisions depend on more than the number of tokens read; then the state is saved and restored.
    fn is_stateful(&self) -> bool {
        false
    }

    /// The most bytes in RAM once `read` tokens have been written.
    fn most_bytes(&self, _shape: AttentionShape, _read: usize) -> usize {
        0
    }

    /// Writes the state.
    ///
    /// # Errors
    /// When writing fails.
    fn save(&self, _out: &mut Writer<'_>) -> Result<(), MemoryError> {
        Ok(())
    }

    /// Reads what [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// When it is damaged.
    fn load(&mut self, _from: &mut Reader) -> Result<(), MemoryError> {
        Ok(())
    }

    /// The same state again.
    fn clone_box(&self) -> Box<dyn Keep>;
}

/// A prompt that all layers have read, seen from one layer.
pub struct PromptView<'a> {
    /// Layer.
    pub layer: usize,
    /// Shape of the model.
    pub shape: AttentionShape,
    /// Rows before this position are to be decided about; later ones only observe: the prompt's last token, and behind it
    /// the look-ahead.
    pub end: usize,
    /// The rows of the layer.
    pub rows: &'a LayerRows<'a>,
    /// Unrotated queries of the newest tokens, `[m, heads, head_dim]`.
    pub queries: &'a [f32],
    /// Position of the first of them.
    pub first: usize,
    /// Rotations.
    pub schedule: &'a RopeSchedule,
    /// Threads.
    pub pool: &'a Pool,
    /// Instruction set.
    pub isa: Isa,
}

impl PromptView<'_> {
    /// The queries, each rotated to its position.
    fn rotated(&self) -> Vec<f32> {
        rotated(self.queries, self.first.., self.shape, self.schedule, self.isa)
    }

    /// Queries in view.
    fn count(&self) -> usize {
        self.queries.len() / (self.shape.heads * self.shape.head_dim)
    }

    /// The same with at most the newest `count` queries.
    fn newest(&self, count: usize) -> PromptView<'_> {
        self.from(self.first + self.count().saturating_sub(count))
    }

    /// The same without the queries before `position`.
    fn from(&self, position: usize) -> PromptView<'_> {
        let left_out = position.saturating_sub(self.first).min(self.count());
        let width = self.shape.heads * self.shape.head_dim;
        PromptView { queries: &self.queries[left_out * width..], first: self.first + left_out, ..*self }
    }
}

/// A kv head of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KvHead {
    /// Layer.
    pub layer: usize,
    /// Kv head within the layer.
    pub head: usize,
}

impl KvHead {
    /// The first of all; it speaks for the others where [`Keep::is_uniform`].
    pub const FIRST: Self = Self { layer: 0, head: 0 };

    /// All of a model.
    pub fn all(shape: AttentionShape) -> impl Iterator<Item = Self> {
        (0..shape.layers).flat_map(move |layer| (0..shape.kv_heads).map(move |head| Self { layer, head }))
    }
}
