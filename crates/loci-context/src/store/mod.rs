//! Keys and values of everything read: per layer and kv head, in pages that are hot (in RAM), cold (in a file) or
//! dropped.
//!
//! Outside this module rows are named by their **position** in the sequence; where a row physically lies (page, tile,
//! lane) is known only here. Keys are held in the forms that the recipe reads: unrotated, rotated to their position, or
//! both for the rows that are still near.

mod cold;
mod head;
mod packed;
mod page;
mod spare;

pub use packed::HeadPacking;
pub use page::PAGE;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use loci_kernels::pool::Parts;
use loci_kernels::tiles::RowType;
use loci_kernels::{Isa, Pool};
use loci_models::memory::{AttentionShape, MemoryError};
use loci_models::rope::RopeSchedule;

use crate::keep::KvHead;
use crate::saved::{Reader, Writer};
use cold::{ColdFile, ColdPlace};
use head::HeadRows;
pub(crate) use packed::Packed;
pub(crate) use page::{Page, PageRef};

/// What a store holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Shape of the model.
    pub shape: AttentionShape,
    /// Number format of rows.
    pub row_type: RowType,
    /// Whether unrotated keys are held.
    pub raw: bool,
    /// Rows at most this far from the newest also have rotated keys; `usize::MAX`: all.
    pub rotated_reach: usize,
    /// Pages a kv head of a layer may keep in RAM beyond those that are near; `None`: all.
    pub far_pages: Option<usize>,
}

impl Layout {
    /// Bytes of a page that is still near.
    pub fn near_page_bytes(&self) -> usize {
        self.far_page_bytes() + usize::from(self.rotated_reach > 0 && self.raw) * self.keys_bytes()
    }

    /// Bytes of a page beyond the rotated reach.
    pub fn far_page_bytes(&self) -> usize {
        self.keys_bytes() + self.values_bytes()
    }

    /// Bytes of the keys of a page in one form.
    fn keys_bytes(&self) -> usize {
        PAGE * self.row_type.key_bytes(self.shape.head_dim)
    }

    /// Bytes of the values of a page.
    fn values_bytes(&self) -> usize {
        PAGE * self.row_type.value_bytes(self.shape.head_dim)
    }
}

/// The rows of one sequence; see the [module documentation](self).
pub struct KvStore {
    layout: Layout,
    isa: Isa,
    layers: Vec<Vec<HeadRows>>,
    cold: Option<Arc<ColdFile>>,
    cold_folder: PathBuf,
    clock: u64,
}

/// Rotations of consecutive positions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rotations {
    pub(crate) first: usize,
    pairs: usize,
    cos: Vec<f32>,
    sin: Vec<f32>,
    /// Of each distance by which keys are moved, cos and sin without the schedule's scale.
    turns: BTreeMap<usize, (Vec<f32>, Vec<f32>)>,
}

impl Rotations {
    /// Rotations of the positions `first..first + count`.
    pub(crate) fn fill(&mut self, schedule: &RopeSchedule, first: usize, count: usize, pairs: usize) {
        (self.first, self.pairs) = (first, pairs);
        self.cos.resize(count * pairs, 0.0);
        self.sin.resize(count * pairs, 0.0);
        let rows = self.cos.chunks_exact_mut(pairs.max(1)).zip(self.sin.chunks_exact_mut(pairs.max(1)));
        for (offset, (cos, sin)) in rows.enumerate() {
            #[allow(clippy::cast_precision_loss)] // positions stay far below 2^52
            schedule.rotation((first + offset) as f64, cos, sin);
        }
    }

    /// Prepares for keys that are `moved` positions nearer.
    pub(crate) fn prepare(&mut self, schedule: &RopeSchedule, moved: usize) {
        if moved == 0 {
            return;
        }
        let pairs = self.pairs;
        self.turns.entry(moved).or_insert_with(|| {
            let (mut cos, mut sin) = (vec![0.0; pairs], vec![0.0; pairs]);
            #[allow(clippy::cast_precision_loss)] // positions stay far below 2^52
            schedule.turn(moved as f64, &mut cos, &mut sin);
            (cos, sin)
        });
    }

    /// cos and sin of `position - moved`, which may lie before the chunk; `moved` must have been prepared.
    pub(crate) fn moved(&self, position: usize, moved: usize, cos: &mut [f32], sin: &mut [f32]) {
        let (own_cos, own_sin) = self.at(position);
        let Some((back_cos, back_sin)) = self.turns.get(&moved) else { return };
        for pair in 0..self.pairs {
            // The angle of a difference, from the angles of both: cheaper than new cosines for every query.
            cos[pair] = own_cos[pair] * back_cos[pair] + own_sin[pair] * back_sin[pair];
            sin[pair] = own_sin[pair] * back_cos[pair] - own_cos[pair] * back_sin[pair];
        }
    }

    /// cos and sin of a position.
    pub(crate) fn at(&self, position: usize) -> (&[f32], &[f32]) {
        let start = (position - self.first) * self.pairs;
        (&self.cos[start..start + self.pairs], &self.sin[start..start + self.pairs])
    }
}

impl KvStore {
    /// An empty store. A file for cold pages is made in `cold_folder` when the first page must leave RAM.
    pub fn new(layout: Layout, isa: Isa, cold_folder: &Path) -> Self {
        let layers = (0..layout.shape.layers)
            .map(|_| (0..layout.shape.kv_heads).map(|_| HeadRows::default()).collect())
            .collect();
        Self { layout, isa, layers, cold: None, cold_folder: cold_folder.to_owned(), clock: 0 }
    }

    /// The layout it was made with.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Changes how many far pages a kv head of a layer may keep in RAM.
    pub(crate) fn set_far_pages(&mut self, pages: Option<usize>) {
        self.layout.far_pages = pages;
    }

    /// Rows written to `layer`.
    pub fn len(&self, layer: usize) -> usize {
        self.layers[layer].first().map_or(0, HeadRows::len)
    }

    /// Whether nothing was written to the first layer.
    pub fn is_empty(&self) -> bool {
        self.len(0) == 0
    }

    /// Bytes of pages in RAM.
    pub fn bytes(&self) -> usize {
        self.layers.iter().flatten().map(HeadRows::bytes).sum()
    }

    /// Writes rows `k`, `v` `[m, kv_heads, head_dim]` (keys unrotated) behind those of `layer`.
    pub(crate) fn append(&mut self, layer: usize, k: &[f32], v: &[f32], rotations: &Rotations, pool: &Pool) {
        let (layout, isa) = (&self.layout, self.isa);
        let kv_heads = layout.shape.kv_heads;
        let heads = Parts::new(&mut self.layers[layer], 1);
        pool.run(kv_heads, &|head| {
            if let Some([rows]) = heads.take(head) {
                rows.append(layout, isa, head, k, v, rotations);
            }
        });
    }

    /// Makes sure that all rows of `ranges` are in RAM for `head` of `layer`, and lets go of pages that are too many.
    pub(crate) fn fetch(
        &mut self,
        layer: usize,
        head: usize,
        ranges: impl Iterator<Item = std::ops::Range<usize>>,
    ) -> Result<(), MemoryError> {
        let Some(far_pages) = self.layout.far_pages else { return Ok(()) };
        self.clock += 1;
        let near_from = self.len(layer).saturating_sub(self.layout.rotated_reach);
        let rows = &mut self.layers[layer][head];
        for range in ranges {
            rows.touch(range, self.clock, &self.layout)?;
        }
        if rows.far_hot(near_from) > far_pages {
            let mut cold =
                ColdPlace { file: &mut self.cold, folder: &self.cold_folder, layout: &self.layout };
            rows.evict(near_from, far_pages, self.clock, &mut cold)?;
        }
        Ok(())
    }

    /// Lets go of pages that are too many, in all layers.
    pub(crate) fn settle(&mut self) -> Result<(), MemoryError> {
        let Some(far_pages) = self.layout.far_pages else { return Ok(()) };
        self.clock += 1;
        let mut cold = ColdPlace { file: &mut self.cold, folder: &self.cold_folder, layout: &self.layout };
        for rows in self.layers.iter_mut().flatten() {
            let near_from = rows.len().saturating_sub(self.layout.rotated_reach);
            if rows.far_hot(near_from) > far_pages {
                rows.evict(near_from, far_pages, self.clock, &mut cold)?;
            }
        }
        Ok(())
    }

    /// Drops the pages of a kv head that lie wholly inside `unreachable`, and the rotated keys of pages that are no
    /// longer near.
    pub(crate) fn release(&mut self, head: KvHead, unreachable: &std::ops::Range<usize>) {
        let near_from = self.len(head.layer).saturating_sub(self.layout.rotated_reach);
        self.layers[head.layer][head.head].release(unreachable, near_from, &self.layout);
    }

    /// Keeps, of the rows of a kv head before `end`, only those that `packing` names.
    ///
    /// # Errors
    /// When a cold page cannot be read, or rows are named that are gone.
    pub(crate) fn pack(
        &mut self,
        head: KvHead,
        end: usize,
        packing: &HeadPacking,
        schedule: &RopeSchedule,
    ) -> Result<(), MemoryError> {
        self.layers[head.layer][head.head].pack(end, packing, &self.layout, schedule, self.isa)
    }

    /// Positions before the returned end that a kv head has kept (0: it keeps all), and whether their keys were cut.
    pub(crate) fn packed(&self, head: KvHead) -> (&[usize], usize, bool) {
        let (packed, end) = self.layers[head.layer][head.head].packed();
        let kept = packed.map_or(&[][..], |packed| packed.positions.as_slice());
        (kept, end, packed.is_some_and(|packed| packed.channels.is_some()))
    }

    /// Keeps the first `to` rows of every layer.
    ///
    /// # Errors
    /// When a cold page cannot be read.
    pub(crate) fn truncate(&mut self, to: usize) -> Result<(), MemoryError> {
        for rows in self.layers.iter_mut().flatten() {
            rows.truncate(to, &self.layout)?;
        }
        Ok(())
    }

    /// The first position of a kv head whose row is still there, looking at rows from `from` on.
    pub(crate) fn first_present(&self, head: KvHead, from: usize) -> usize {
        self.layers[head.layer][head.head].first_present(from)
    }

    /// Whether rotated keys are there for all rows from `from` on.
    pub(crate) fn rotated_from(&self) -> usize {
        self.layers.iter().flatten().map(HeadRows::rotated_from).max().unwrap_or(0)
    }

    /// The rows of one layer.
    pub fn layer(&self, layer: usize) -> LayerRows<'_> {
        LayerRows { store: self, heads: &self.layers[layer] }
    }

    /// The same rows again: pages are shared until one of the two writes to them.
    pub(crate) fn fork(&self) -> Self {
        Self {
            layout: self.layout.clone(),
            isa: self.isa,
            layers: self.layers.clone(),
            cold: self.cold.clone(),
            cold_folder: self.cold_folder.clone(),
            clock: self.clock,
        }
    }

    /// The rows of the first `layers` layers.
    pub(crate) fn fork_layers(&self, layers: usize) -> Self {
        let mut store = self.fork();
        store.layers.truncate(layers);
        store.layout.shape.layers = store.layers.len();
        store
    }

    pub(crate) fn save(&self, out: &mut Writer<'_>) -> Result<(), MemoryError> {
        self.layers.iter().flatten().try_for_each(|rows| rows.save(out, &self.layout))
    }

    pub(crate) fn load(&mut self, from: &mut Reader) -> Result<(), MemoryError> {
        let layout = self.layout.clone();
        for rows in self.layers.iter_mut().flatten() {
            *rows = HeadRows::read(from, &layout)?;
        }
        Ok(())
    }
}

/// The rows of one layer, for reading.
pub struct LayerRows<'a> {
    store: &'a KvStore,
    heads: &'a [HeadRows],
}

impl<'a> LayerRows<'a> {
    /// The instruction set in use.
    pub fn isa(&self) -> Isa {
        self.store.isa
    }

    /// The unrotated key at `position` of a kv head.
    ///
    /// # Errors
    /// When its page is cold and cannot be read, dropped, or holds no unrotated keys.
    pub fn read_raw_key(&self, head: usize, position: usize, key: &mut [f32]) -> Result<(), MemoryError> {
        let page = self.heads[head].page(position / PAGE, &self.store.layout)?;
        page.raw.as_ref().ok_or_else(|| missing("unrotated keys", position))?.read(position % PAGE, key);
        Ok(())
    }

    /// The key at `position` of a kv head, rotated to its position.
    ///
    /// # Errors
    /// When its page is cold and cannot be read, dropped, or holds no rotated keys, or the row was moved or cut.
    pub fn read_rotated_key(&self, head: usize, position: usize, key: &mut [f32]) -> Result<(), MemoryError> {
        let (packed, end) = self.heads[head].packed();
        if position < end {
            let packed = packed.filter(|packed| packed.channels.is_none() && packed.moved == 0);
            let row = packed.and_then(|packed| Some((packed.rows.rotated.as_ref()?, packed.row(position)?)));
            let (keys, row) = row.ok_or_else(|| missing("rotated keys", position))?;
            keys.read(row, key);
            return Ok(());
        }
        let page = self.heads[head].page(position / PAGE, &self.store.layout)?;
        page.rotated.as_ref().ok_or_else(|| missing("rotated keys", position))?.read(position % PAGE, key);
        Ok(())
    }

    /// The value at `position` of a kv head.
    ///
    /// # Errors
    /// When its page is cold and cannot be read, or dropped.
    pub fn read_value(&self, head: usize, position: usize, value: &mut [f32]) -> Result<(), MemoryError> {
        self.heads[head].page(position / PAGE, &self.store.layout)?.values.read(position % PAGE, value);
        Ok(())
    }

    /// The positions of `range` whose rows a kv head still has.
    pub fn present(&self, head: usize, range: std::ops::Range<usize>) -> Vec<usize> {
        let (packed, end) = self.heads[head].packed();
        let old = packed.into_iter().flat_map(|packed| &packed.positions).copied();
        let old = old.filter(|position| range.contains(position));
        old.chain(range.start.max(end)..range.end).collect()
    }

    /// Products of the unrotated keys at `positions` of a kv head with `probe`.
    ///
    /// # Errors
    /// As [`read_raw_key`](Self::read_raw_key).
    pub fn score_raw_keys(
        &self,
        head: usize,
        positions: std::ops::Range<usize>,
        probe: &[f32],
        scores: &mut [f32],
    ) -> Result<(), MemoryError> {
        let mut key = vec![0.0; probe.len()];
        let mut current: Option<(usize, PageRef<'_>)> = None;
        for (position, score) in positions.zip(scores) {
            let number = position / PAGE;
            let page = match &current {
                Some((held, page)) if *held == number => page,
                _ => &current.insert((number, self.heads[head].page(number, &self.store.layout)?)).1,
            };
            page.raw
                .as_ref()
                .ok_or_else(|| missing("unrotated keys", position))?
                .read(position % PAGE, &mut key);
            *score = loci_kernels::vector::dot(self.store.isa, &key, probe);
        }
        Ok(())
    }

    /// What a kv head has kept of the rows before the returned position, once they were packed.
    pub(crate) fn packed(&self, head: usize) -> (Option<&'a Packed>, usize) {
        self.heads[head].packed()
    }

    /// Whether the keys of rows from `position` on are held in the form that is wanted, as far as that is known without a
    /// look at the pages: one that was in the file has lost a form.
    pub(crate) fn holds(&self, head: usize, rotated: bool, position: usize) -> bool {
        let layout = &self.store.layout;
        match rotated {
            true => layout.rotated_reach > 0 && position >= self.heads[head].rotated_from(),
            false => layout.raw,
        }
    }

    /// Whether pages may have been in the file.
    pub(crate) fn may_be_cold(&self) -> bool {
        self.store.layout.far_pages.is_some()
    }

    /// The page that holds `number * PAGE` and on; read from the file when it is cold.
    pub(crate) fn page(&self, head: usize, number: usize) -> Result<PageRef<'a>, MemoryError> {
        self.heads[head].page(number, &self.store.layout)
    }
}

pub(crate) fn missing(what: &str, position: usize) -> MemoryError {
    MemoryError::Misuse(format!("{what} of position {position} were asked for but are not held"))
}
