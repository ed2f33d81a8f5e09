//! [`RecipeMemory`] runs a recipe behind the seam between model and memory.

mod budget;
mod forget;
mod learn;
mod mass;
mod state;
mod step;
mod take_over;
mod watch;

use std::any::Any;
use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use loci_kernels::tiles::RowType;
use loci_kernels::{Isa, Pool};
use loci_models::memory::{
    AttentionShape, ContextMemory, ContextReport, MemoryError, Signals, TokenEvidence,
};
use loci_models::rope::RopeSchedule;
use loci_models::watch::{Ablation, Watch};

use crate::attention::Buffers;
use crate::evidence::Evidence;
use crate::keep::Keep;
use crate::recipes::Recipe;
use crate::saved::{Reader, Writer};
use crate::segment::{ChunkView, Segment};
use crate::select::Select;
use crate::store::{KvStore, Rotations};
pub(crate) use learn::QUERY_SLACK;
pub(crate) use mass::MassTrack;
use mass::QueryTrack;
use watch::Watching;

pub use budget::Footprint;

/// The contextual memory of one sequence under one recipe.
pub struct RecipeMemory {
    /// The method as one would type it; a saved memory is only read back under the same.
    spec: String,
    recipe: Recipe,
    shape: AttentionShape,
    schedule: RopeSchedule,
    store: KvStore,
    pool: Arc<Pool>,
    isa: Isa,
    limit: Option<usize>,
    /// Tokens whose forward step is complete.
    read: usize,
    /// Tokens of the step being done.
    chunk: usize,
    rotations: Rotations,
    buffers: Buffers,
    /// Per layer; empty when the index does not want mass.
    mass: Vec<MassTrack>,
    /// Per layer, unrotated queries `[rows, heads, head_dim]` of the rows that are in no block yet, or of the newest ones
    /// that decide at the end of a context or prompt; empty when nobody wants them.
    queries: Vec<QueryTrack>,
    /// Per layer, blocks that the index knows.
    indexed: Vec<usize>,
    evidence: Option<Evidence>,
    recording: bool,
    watching: Watching,
    mark: Option<Arc<Mark>>,
    /// How often rows were packed: a mark from before does not lead back.
    packings: usize,
    /// The recipe before anything was read.
    fresh: Recipe,
}

/// A point to which [`RecipeMemory::truncate`] can go back although state depends on what came after it.
struct Mark {
    read: usize,
    mass: Vec<MassTrack>,
    queries: Vec<QueryTrack>,
    indexed: Vec<usize>,
    segment: Box<dyn Segment>,
    select: Box<dyn Select>,
    keep: Box<dyn Keep>,
    packings: usize,
}

/// What a memory is made from, besides its recipe.
pub(crate) struct Setting {
    pub(crate) spec: String,
    pub(crate) shape: AttentionShape,
    pub(crate) schedule: RopeSchedule,
    pub(crate) row_type: RowType,
    pub(crate) limit: Option<usize>,
    pub(crate) pool: Arc<Pool>,
    pub(crate) isa: Isa,
    pub(crate) cold_folder: std::path::PathBuf,
}

impl RecipeMemory {
    pub(crate) fn new(recipe: Recipe, setting: Setting) -> Self {
        let layout = budget::layout(&recipe, setting.shape, setting.row_type);
        let wants_mass = recipe.index.wants_mass();
        let wants_queries = recipe.index.wants_queries() || recipe.recent_queries(0) > 0;
        let layers = setting.shape.layers;
        let track = || MassTrack::new(setting.shape.heads);
        Self {
            spec: setting.spec,
            shape: setting.shape,
            schedule: setting.schedule,
            store: KvStore::new(layout, setting.isa, &setting.cold_folder),
            pool: setting.pool,
            isa: setting.isa,
            limit: setting.limit,
            read: 0,
            chunk: 0,
            rotations: Rotations::default(),
            buffers: Buffers::default(),
            mass: if wants_mass { (0..layers).map(|_| track()).collect() } else { Vec::new() },
            queries: if wants_queries { vec![QueryTrack::default(); layers] } else { Vec::new() },
            indexed: vec![0; layers],
            evidence: None,
            recording: false,
            watching: Watching::default(),
            mark: None,
            packings: 0,
            fresh: recipe.fork(),
            recipe,
        }
    }

    /// Checks that `tokens` tokens can be read inside the budget, and spends what is left on far pages.
    pub(crate) fn plan(&mut self, tokens: usize) -> Result<(), MemoryError> {
        let Some(limit) = self.limit else { return Ok(()) };
        let pages = budget::far_pages(&self.recipe, self.store.layout(), tokens, limit)?;
        self.store.set_far_pages(pages);
        Ok(())
    }

    /// Tokens that the newest query sees at their true distance whatever it is, once `read` tokens have been written.
    fn window(&self, read: usize) -> usize {
        self.recipe.place.rotated_reach().min(self.recipe.select.window(read)).min(read)
    }
}

/// What `tokens` tokens take under `recipe`, inside `limit` bytes if there is a limit.
pub(crate) fn footprint(
    recipe: &Recipe,
    shape: AttentionShape,
    row_type: RowType,
    tokens: usize,
    limit: Option<usize>,
) -> Footprint {
    budget::footprint(recipe, &budget::layout(recipe, shape, row_type), tokens, limit)
}

impl ContextMemory for RecipeMemory {
    fn shape(&self) -> AttentionShape {
        self.shape
    }

    fn len(&self) -> usize {
        self.read
    }

    fn chunk_multiple(&self) -> usize {
        self.recipe.chunk_multiple
    }

    fn chunk_limit(&self) -> usize {
        self.recipe.chunk_limit
    }

    fn wants_signals(&self) -> bool {
        self.recipe.segment.wants_signals() || self.recipe.keep.wants_signals()
    }

    fn begin_chunk(&mut self, tokens: usize) -> Result<(), MemoryError> {
        self.plan(self.read + tokens)?;
        self.make_room(tokens)?;
        self.chunk = tokens;
        self.watching.begin(tokens == 1, self.shape);
        self.rotations.fill(&self.schedule, self.read, tokens, self.shape.head_dim / 2);
        Ok(())
    }

    fn attend(
        &mut self,
        layer: usize,
        q: &[f32],
        k: &[f32],
        v: &[f32],
        out: &mut [f32],
    ) -> Result<(), MemoryError> {
        let q_width = self.shape.heads * self.shape.head_dim;
        let kv_width = self.shape.kv_heads * self.shape.head_dim;
        let m = self.chunk;
        if layer >= self.shape.layers
            || [q.len(), k.len(), v.len(), out.len()]
                != [m * q_width, m * kv_width, m * kv_width, m * q_width]
        {
            return Err(MemoryError::Misuse(format!(
                "attend got q {}, k {}, v {}, out {} numbers for {m} tokens in layer {layer}",
                q.len(),
                k.len(),
                v.len(),
                out.len()
            )));
        }
        if self.store.len(layer) != self.read {
            return Err(MemoryError::Misuse(format!("layer {layer} was written twice or left out")));
        }
        let mut silenced = Vec::new();
        let q = match self.watching.watch.silences(layer, Ablation::ZeroQuery) {
            true => {
                silenced.extend_from_slice(q);
                self.watching.watch.silence(layer, self.shape, &mut silenced);
                &silenced
            }
            false => q,
        };
        let mut done = 0;
        while done < m {
            // Groups end at multiples of their size, counted from the start of the sequence: chunks do not matter.
            let first = self.read + done;
            let group = self.recipe.select.group(first).unwrap_or(self.recipe.queries);
            let count = (group - first % group).min(m - done);
            let rows = done..done + count;
            self.step(
                layer,
                first,
                &q[rows.start * q_width..rows.end * q_width],
                &k[rows.start * kv_width..rows.end * kv_width],
                &v[rows.start * kv_width..rows.end * kv_width],
                &mut out[rows.start * q_width..rows.end * q_width],
            )?;
            done += count;
        }
        if self.watching.watch.silences(layer, Ablation::ZeroOutput) {
            self.watching.watch.silence(layer, self.shape, out);
        }
        Ok(())
    }

    fn end_chunk(&mut self, signals: Signals<'_>) -> Result<(), MemoryError> {
        let first = self.read;
        self.read += self.chunk;
        let chunk = ChunkView { first, end: self.read, signals, store: &self.store };
        self.recipe.segment.observe(&chunk)?;
        self.recipe.keep.after_chunk(&chunk);
        for layer in 0..self.shape.layers {
            self.learn(layer, self.read)?;
        }
        if self.chunk > 1 && self.recipe.is_stateful() {
            self.mark = Some(Arc::new(self.here()));
        }
        self.chunk = 0;
        Ok(())
    }

    fn wants_prompt_end(&self) -> bool {
        self.recipe.keep.prompt_queries() > 0
    }

    fn look_ahead(&self) -> usize {
        self.recipe.keep.look_ahead()
    }

    fn importance(&self) -> &[f32] {
        self.recipe.keep.importance()
    }

    fn end_prompt(&mut self, end: usize) -> Result<(), MemoryError> {
        self.decide_about_prompt(end)
    }

    fn wants_context_end(&self) -> bool {
        self.fresh.select.recent_queries(0) > 0
    }

    fn end_context(&mut self) -> Result<(), MemoryError> {
        self.index_context()
    }

    fn truncate(&mut self, to: usize) -> Result<usize, MemoryError> {
        self.go_back(to)
    }

    fn fork(&self) -> Result<Box<dyn ContextMemory>, MemoryError> {
        Ok(Box::new(Self {
            spec: self.spec.clone(),
            recipe: self.recipe.fork(),
            shape: self.shape,
            schedule: self.schedule.clone(),
            store: self.store.fork(),
            pool: Arc::clone(&self.pool),
            isa: self.isa,
            limit: self.limit,
            read: self.read,
            chunk: self.chunk,
            rotations: self.rotations.clone(),
            buffers: Buffers::default(),
            mass: self.mass.clone(),
            queries: self.queries.clone(),
            indexed: self.indexed.clone(),
            evidence: self.evidence.clone(),
            recording: self.recording,
            watching: self.watching.clone(),
            mark: self.mark.clone(),
            packings: self.packings,
            fresh: self.fresh.fork(),
        }))
    }

    fn whole_rows(&self) -> Option<&dyn Any> {
        self.has_whole_rows().then_some(self)
    }

    fn take_over(&mut self, rows: &dyn Any, tokens: usize) -> Result<usize, MemoryError> {
        self.take_rows(rows, tokens)
    }

    fn save(&self, out: &mut dyn Write) -> Result<(), MemoryError> {
        self.write_state(&mut Writer::new(out))
    }

    fn load(&mut self, from: Bytes) -> Result<(), MemoryError> {
        let mut reader = Reader::new(from);
        self.read_state(&mut reader)?;
        reader.finish()
    }

    fn record_evidence(&mut self, on: bool) {
        if on {
            self.evidence = Some(Evidence::new(&self.watching.watch, self.shape));
        }
        self.recording = on;
    }

    fn evidence(&self) -> Vec<TokenEvidence> {
        self.evidence.as_ref().map(Evidence::ranges).unwrap_or_default()
    }

    fn watch(&mut self, watch: Watch) -> Result<(), MemoryError> {
        self.start_watch(watch)
    }

    fn looks(&self) -> &[Option<usize>] {
        self.watching.looks()
    }

    fn evidence_by_layer(&self) -> Vec<Vec<f32>> {
        self.evidence.as_ref().map(Evidence::by_layer).unwrap_or_default()
    }

    fn blocks(&self) -> Vec<Range<usize>> {
        self.recipe.segment.outlook(self.read)
    }

    fn held(&self, tokens: Range<usize>) -> f32 {
        self.share_held(&tokens)
    }

    fn report(&self) -> ContextReport {
        let (dropped, thinned) = self.losses();
        let held = self.read - dropped;
        let lossy = self.store.layout().row_type.is_integer();
        let compressed = if lossy { held } else { thinned };
        ContextReport {
            given: self.read,
            read: self.read,
            skipped: 0,
            kept: held - compressed,
            compressed,
            recalled: self.evidence.as_ref().map_or(0, Evidence::recalled),
            dropped,
            window: self.window(self.read),
        }
    }

    fn bytes(&self) -> usize {
        self.store.bytes()
            + self.recipe.index.bytes()
            + self.recipe.segment.bytes()
            + self.recipe.select.bytes()
            + mass::bytes(&self.mass, &self.queries)
            + self.mark.as_ref().map_or(0, |mark| mark.bytes())
            + self.evidence.as_ref().map_or(0, Evidence::bytes)
    }

    fn row_bytes(&self) -> usize {
        self.store.bytes()
    }
}
