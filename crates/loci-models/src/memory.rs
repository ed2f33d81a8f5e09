//! The seam between a model and its contextual memory.

use std::any::Any;
use std::io::Write;
use std::ops::Range;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::watch::Watch;

/// The numbers of a model that its memory needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttentionShape {
    /// Transformer layers.
    pub layers: usize,
    /// Query heads of a layer.
    pub heads: usize,
    /// Key-value heads of a layer; divides `heads`.
    pub kv_heads: usize,
    /// Numbers in one head's query, key or value.
    pub head_dim: usize,
}

impl AttentionShape {
    /// Query heads that share one key-value head.
    pub const fn group(&self) -> usize {
        self.heads / self.kv_heads
    }
}

/// What a forward step found out about its tokens, given to [`ContextMemory::end_chunk`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Signals<'a> {
    /// Per token of the chunk, how unexpected it was, in nats: `-ln p(token | all before it)`. Empty unless
    /// [`ContextMemory::wants_signals`] said so. The very first token of a sequence has surprise 0.
    pub surprise: &'a [f32],
    /// Per token, entropy in nats of the distribution it was drawn against. Empty like `surprise`.
    pub entropy: &'a [f32],
    /// Per token, how unexpected it would be once more right behind itself, in nats: `-ln p(token | all up to it)`.
    /// Empty like `surprise`.
    pub repetition: &'a [f32],
}

/// What became of the tokens, in numbers of tokens. `kept + compressed + dropped = read` and `read + skipped = given`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContextReport {
    /// Tokens in the input.
    pub given: usize,
    /// Tokens that went through the model.
    pub read: usize,
    /// Tokens that did not: a draft looked through them and found others more important.
    pub skipped: usize,
    /// Of the read ones, those whose rows are still exact (16 or 32 bits).
    pub kept: usize,
    /// Of the read ones, those whose rows are held in a lossy form.
    pub compressed: usize,
    /// Distinct tokens outside the window that were read back while answering.
    pub recalled: usize,
    /// Of the read ones, those that no later query can reach.
    pub dropped: usize,
    /// Tokens that every query sees at their true distance.
    pub window: usize,
}

/// Attention that a range of tokens received while answering.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TokenEvidence {
    /// Positions in the sequence.
    pub tokens: Range<usize>,
    /// Share of the attention mass, averaged over layers, heads (each with its weight, see [`Watch`]) and answer tokens:
    /// all of them, or some in a row, those that gave it most; between 0 and 1. What goes to [`Watch::sinks`] is not in it.
    pub mass: f32,
}

/// Why a memory could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// The budget does not hold what the method must keep.
    #[error(
        "{what} needs {needed} bytes but the budget is {limit} bytes; a budget of {remedy} or more would do (--budget), or a method that drops or spills rows"
    )]
    Budget {
        /// What did not fit.
        what: String,
        /// Bytes it needs.
        needed: usize,
        /// The budget in bytes.
        limit: usize,
        /// A budget that would do, as one would type it.
        remedy: String,
    },
    /// The file for cold blocks failed.
    #[error(
        "the file for cold blocks in {folder} failed: {source}; free space there or name another folder in TMPDIR"
    )]
    Cold {
        /// Folder of the file.
        folder: String,
        /// The system's error.
        source: std::io::Error,
    },
    /// Reading or writing a saved memory failed.
    #[error("a saved memory could not be read or written: {0}")]
    Saved(String),
    /// The method cannot do this.
    #[error("{0}")]
    Unsupported(String),
    /// The caller broke the order or shape of calls; a defect of this program.
    #[error("internal error in the context memory: {0}")]
    Misuse(String),
}

/// The contextual memory of one sequence.
///
/// The order of calls in a forward step of `m` tokens is [`begin_chunk`](Self::begin_chunk), then
/// [`attend`](Self::attend) once for each layer in ascending order, then [`end_chunk`](Self::end_chunk).
/// Queries and keys come **unrotated**: only the memory knows at which position a key will stand.
pub trait ContextMemory: Send + Sync {
    /// The shape this memory was made for.
    fn shape(&self) -> AttentionShape;

    /// Tokens read so far, dropped ones included: the position of the next token.
    fn len(&self) -> usize;

    /// Whether nothing has been read.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Chunks that the session feeds should end at multiples of this many tokens (1: anywhere); otherwise the
    /// method's result depends on how the input was cut. The end of the input may lie anywhere.
    fn chunk_multiple(&self) -> usize {
        1
    }

    /// The most tokens a chunk may have: a method that decides at the end of each chunk sees no further back.
    fn chunk_limit(&self) -> usize {
        usize::MAX
    }

    /// Whether [`end_chunk`](Self::end_chunk) needs surprise and entropy, which cost logits of all tokens.
    fn wants_signals(&self) -> bool {
        false
    }

    /// Announces `tokens` new tokens. Refuses here, before anything is computed, what cannot be kept.
    ///
    /// # Errors
    /// [`MemoryError::Budget`] when the rows of these tokens do not fit.
    fn begin_chunk(&mut self, tokens: usize) -> Result<(), MemoryError>;

    /// Writes the chunk's keys and values into `layer` and attends with its queries.
    ///
    /// `q` and `out` are `[m, heads, head_dim]`, `k` and `v` are `[m, kv_heads, head_dim]`.
    ///
    /// # Errors
    /// [`MemoryError`] when a cold block cannot be read or written.
    fn attend(
        &mut self,
        layer: usize,
        q: &[f32],
        k: &[f32],
        v: &[f32],
        out: &mut [f32],
    ) -> Result<(), MemoryError>;

    /// Ends the chunk: the memory may now cut blocks, drop or compress rows.
    ///
    /// # Errors
    /// [`MemoryError`] when a cold block cannot be written.
    fn end_chunk(&mut self, signals: Signals<'_>) -> Result<(), MemoryError>;

    /// Whether [`end_prompt`](Self::end_prompt) changes anything.
    fn wants_prompt_end(&self) -> bool {
        false
    }

    /// Told when a prompt has been read, its last token included: the memory now decides what stays of the tokens before
    /// position `end`, which is at most [`len`](Self::len); those behind it, the prompt's last token and perhaps a draft
    /// of the answer, have shown what is looked at. The caller then goes back to `end` and reads on from there.
    ///
    /// # Errors
    /// [`MemoryError`] when a cold block cannot be read.
    fn end_prompt(&mut self, _end: usize) -> Result<(), MemoryError> {
        Ok(())
    }

    /// Tokens of look-ahead that [`end_prompt`](Self::end_prompt) wants to have read behind the prompt's last token: at
    /// most so many that a draft of the answer begins with. 0: none. The prompt's end may also come without them.
    fn look_ahead(&self) -> usize {
        0
    }

    /// How much the end of the last prompt looked at each token before it, for methods by which a prompt is shortened: one
    /// number a token, or one for each query that is told apart and each token, `[queries, tokens]`. Empty for other methods
    /// and before the first [`end_prompt`](Self::end_prompt).
    fn importance(&self) -> &[f32] {
        &[]
    }

    /// Whether the method does something in [`end_context`](Self::end_context). Then a caller who knows where the
    /// documents end lets a chunk end there.
    fn wants_context_end(&self) -> bool {
        false
    }

    /// What was read so far is a fixed context that questions will be asked about: methods that index it do so now.
    ///
    /// A context ends once: further calls change nothing. [`truncate`](Self::truncate) to before its end opens it again,
    /// and the caller who reads on past that point says so again.
    ///
    /// # Errors
    /// [`MemoryError`] when rows cannot be read, and [`MemoryError::Misuse`] within a chunk.
    fn end_context(&mut self) -> Result<(), MemoryError> {
        Ok(())
    }

    /// Forgets tokens from position `to` on. Returns the length it could restore exactly, which is at most
    /// `to`; the caller reads the tokens between the two again.
    ///
    /// # Errors
    /// [`MemoryError`] when a cold block cannot be read.
    fn truncate(&mut self, to: usize) -> Result<usize, MemoryError>;

    /// A second memory with the same content; both then go their own ways.
    ///
    /// # Errors
    /// [`MemoryError::Budget`] or [`MemoryError::Cold`] when the copy has no room.
    fn fork(&self) -> Result<Box<dyn ContextMemory>, MemoryError>;

    /// This memory, as far as it has read as full attention reads and holds every row of it: others of its kind may then
    /// [take them over](Self::take_over). `None` for other methods, and once something was dropped.
    fn whole_rows(&self) -> Option<&dyn Any> {
        None
    }

    /// Takes over the first `tokens` tokens from the [`whole_rows`](Self::whole_rows) of another memory, where this one is
    /// empty and would have made the same rows, or those of its first layers. Returns how many it took: fewer where it must
    /// see the newest tokens itself, none where they read differently. Afterwards it stands where it would after reading
    /// them.
    ///
    /// # Errors
    /// [`MemoryError`] when rows cannot be read.
    fn take_over(&mut self, _rows: &dyn Any, _tokens: usize) -> Result<usize, MemoryError> {
        Ok(0)
    }

    /// Writes the whole state.
    ///
    /// # Errors
    /// [`MemoryError::Saved`] when writing fails.
    fn save(&self, out: &mut dyn Write) -> Result<(), MemoryError>;

    /// Replaces the state by one that [`save`](Self::save) wrote for the same model, method and parameters. `from` holds
    /// nothing else. Rows are not copied where `from` begins on a cache line: they are read where they lie, until they are
    /// written to, and `from` is held as long.
    ///
    /// # Errors
    /// [`MemoryError::Saved`] when it is damaged or was made by another method; what the memory holds is then not known.
    fn load(&mut self, from: Bytes) -> Result<(), MemoryError>;

    /// From now on attention mass is recorded (`true`) or no longer (`false`). Switching it on clears the record.
    fn record_evidence(&mut self, on: bool);

    /// Where attention went while it was recorded, heaviest first; ranges do not overlap.
    fn evidence(&self) -> Vec<TokenEvidence>;

    /// From now on heads are looked at as `watch` says. What was recorded before is cleared.
    ///
    /// # Errors
    /// [`MemoryError::Misuse`] when it does not fit the model, [`MemoryError::Unsupported`] where it cannot be done.
    fn watch(&mut self, _watch: Watch) -> Result<(), MemoryError> {
        Err(MemoryError::Unsupported("this memory cannot look at single heads".to_owned()))
    }

    /// `[layers * heads]`: the position that each query head looked at most when the newest token was read, the lowest of
    /// equal ones. `None` where nothing was seen; empty unless [`Watch::looks`] was asked for and the token came alone.
    fn looks(&self) -> &[Option<usize>] {
        &[]
    }

    /// `[layers][positions]`: of each layer, the share of its attention that each position received while evidence was
    /// recorded. Empty unless [`Watch::by_layer`] was asked for.
    fn evidence_by_layer(&self) -> Vec<Vec<f32>> {
        Vec::new()
    }

    /// The blocks into which the tokens read so far are cut, or would be once they have left the window. Empty for methods
    /// without blocks.
    fn blocks(&self) -> Vec<Range<usize>> {
        Vec::new()
    }

    /// Of the rows of `tokens` over all layers and kv heads, the share that a later query can still reach; 0 to 1.
    fn held(&self, _tokens: Range<usize>) -> f32 {
        1.0
    }

    /// What became of the tokens; `given` equals `read` here, the session sets it.
    fn report(&self) -> ContextReport;

    /// Bytes in RAM that grow with the input: rows, indexes, scratch.
    fn bytes(&self) -> usize;

    /// Of [`bytes`](Self::bytes), those of keys and values.
    fn row_bytes(&self) -> usize {
        self.bytes()
    }
}
