//! One attention call of a layer: from a choice of rows to the kernel's parts, cut into tasks for the pool.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;

use loci_kernels::attend::{self, Mass, Part, TilePair};
use loci_kernels::pool::Parts;
use loci_kernels::tiles::TILE;
use loci_kernels::{Isa, Pool};
use loci_models::memory::{AttentionShape, MemoryError};
use loci_models::rope::RopeSchedule;

use crate::place::Place;
use crate::select::{Choice, Selection};
use crate::store::{KvStore, PAGE, Page, Rotations, missing};

/// Query rows of a task in prefill: enough to use each loaded tile many times.
const STRIP_ROWS: usize = 48;

/// Tiles of a task when there are too few strips to occupy the threads. Fixed, so that sums do not depend on the
/// number of threads.
const PIECE_TILES: usize = 64;

/// With fewer strips than this, long key lists are cut into pieces.
const FEW_STRIPS: usize = 8;

thread_local! {
    static SCRATCH: RefCell<(attend::Scratch, Vec<f32>)> = RefCell::default();
}

/// What one call works on.
pub(crate) struct Call<'a> {
    pub(crate) store: &'a KvStore,
    pub(crate) layer: usize,
    pub(crate) shape: AttentionShape,
    /// Unrotated `[m, heads, head_dim]`.
    pub(crate) queries: &'a [f32],
    pub(crate) first: usize,
    pub(crate) choice: &'a Choice,
    pub(crate) place: &'a dyn Place,
    pub(crate) schedule: &'a RopeSchedule,
    pub(crate) rotations: &'a Rotations,
    pub(crate) pool: &'a Pool,
    pub(crate) isa: Isa,
}

/// Receives attention mass: `(head, first position of a tile, whether it was read as near, sums of its 16 rows)`.
pub(crate) type MassVisitor<'a> = &'a mut dyn FnMut(usize, usize, bool, &[f32]);

/// Heads that read the same rows of one kv head.
struct Unit {
    kv_head: usize,
    heads: Range<usize>,
    parts: Vec<UnitPart>,
}

struct UnitPart {
    /// `None`: true distances; otherwise the distance at which all keys stand.
    far: Option<f64>,
    tiles: Vec<UnitTile>,
    /// Keys at true distances below this are visible (near parts), or at this and beyond (far parts).
    edge: usize,
}

#[derive(Clone)]
struct UnitTile {
    page: Arc<Page>,
    /// Position of its first row.
    base: usize,
    present: u16,
}

impl Call<'_> {
    fn count(&self) -> usize {
        self.queries.len() / (self.shape.heads * self.shape.head_dim)
    }

    /// Attends; `out` is `[m, heads, head_dim]`.
    pub(crate) fn run(&self, out: &mut [f32], mass: Option<MassVisitor<'_>>) -> Result<(), MemoryError> {
        let units = self.units()?;
        let Some(heads) = units.first().map(|unit| unit.heads.len()) else { return Ok(()) };
        let head_dim = self.shape.head_dim;
        let strip = (STRIP_ROWS / heads).max(1);
        let strips = self.count().div_ceil(strip);
        // Mass of several queries cannot be rescaled after it was summed, so only single queries are cut by keys.
        let cut = units.len() * strips < FEW_STRIPS && (mass.is_none() || self.count() == 1);
        let mut tasks = Vec::new();
        for (unit, plan) in units.iter().enumerate() {
            let pieces = if cut { plan.pieces() } else { vec![plan.whole()] };
            for strip_index in 0..strips {
                let queries = strip_index * strip..((strip_index + 1) * strip).min(self.count());
                let count = pieces.len();
                tasks.extend(pieces.iter().enumerate().map(|(number, piece)| Task {
                    unit,
                    queries: queries.clone(),
                    piece: piece.clone(),
                    last: number + 1 == count,
                }));
            }
        }
        let slot = strip.min(self.count()) * heads;
        let mut outs = vec![0.0; tasks.len() * slot * head_dim];
        let mut lses = vec![f32::NEG_INFINITY; tasks.len() * slot];
        let most_rows = tasks.iter().map(Task::key_rows).max().unwrap_or(0);
        let mass_slot = if mass.is_some() { (heads * most_rows).max(1) } else { 1 };
        let mut masses = vec![0.0; if mass.is_some() { tasks.len() * mass_slot } else { 0 }];
        {
            let out_parts = Parts::new(&mut outs, slot * head_dim);
            let lse_parts = Parts::new(&mut lses, slot);
            let mass_parts = Parts::new(&mut masses, mass_slot);
            self.pool.run(tasks.len(), &|index| {
                if let (Some(out), Some(lse)) = (out_parts.take(index), lse_parts.take(index)) {
                    let task = &tasks[index];
                    self.attend(&units[task.unit], task, out, lse, mass_parts.take(index));
                }
            });
        }
        let piece_lses = if cut && mass.is_some() { lses.clone() } else { Vec::new() };
        self.gather(&units, &tasks, slot, &mut outs, &mut lses, out);
        if let Some(visit) = mass {
            if cut {
                rescale(&tasks, slot, &piece_lses, &lses, &mut masses, mass_slot);
            }
            for (task, sums) in tasks.iter().zip(masses.chunks_exact(mass_slot)) {
                units[task.unit].report_mass(task, sums, visit);
            }
        }
        Ok(())
    }

    /// Brings the tasks' results to their places; pieces of the same queries are merged in ascending order.
    fn gather(
        &self,
        units: &[Unit],
        tasks: &[Task],
        slot: usize,
        outs: &mut [f32],
        lses: &mut [f32],
        out: &mut [f32],
    ) {
        let head_dim = self.shape.head_dim;
        let width = self.shape.heads * head_dim;
        let mut begin = 0;
        while begin < tasks.len() {
            let end = begin + tasks[begin..].iter().position(|task| task.last).map_or(1, |last| last + 1);
            let (own, others) = outs[begin * slot * head_dim..end * slot * head_dim].split_at_mut(slot * head_dim);
            let (own_lse, other_lses) = lses[begin * slot..end * slot].split_at_mut(slot);
            for (other, lse) in others.chunks_exact(slot * head_dim).zip(other_lses.chunks_exact(slot)) {
                attend::merge(own, own_lse, other, lse, head_dim);
            }
            let heads = &units[tasks[begin].unit].heads;
            let span = heads.len() * head_dim;
            for (query, row) in tasks[begin].queries.clone().zip(own.chunks_exact(span)) {
                let at = query * width + heads.start * head_dim;
                out[at..at + span].copy_from_slice(row);
            }
            begin = end;
        }
    }

    /// One task: rotates its queries for each part and calls the kernel.
    fn attend(&self, unit: &Unit, task: &Task, out: &mut [f32], lse: &mut [f32], mass: Option<&mut [f32]>) {
        let head_dim = self.shape.head_dim;
        let heads = unit.heads.len();
        let rows = task.queries.len() * heads;
        let tiles: Vec<Vec<TilePair<'_>>> = task.piece.iter().map(|piece| piece.pairs(unit)).collect();
        let bounds: Vec<Option<Vec<(u32, u32)>>> =
            task.piece.iter().map(|piece| self.bounds(&unit.parts[piece.part], piece, task, heads)).collect();
        SCRATCH.with_borrow_mut(|(scratch, rotated)| {
            rotated.clear();
            for piece in &task.piece {
                self.rotate_queries(unit, unit.parts[piece.part].far, task, rotated);
            }
            let queries: Vec<&[f32]> = rotated.chunks_exact(rows * head_dim).collect();
            let parts: Vec<Part<'_>> = (0..task.piece.len())
                .map(|part| Part { queries: queries[part], tiles: &tiles[part], bounds: bounds[part].as_deref() })
                .collect();
            let key_rows = task.key_rows();
            let mass = mass.map(|sums| Mass { heads, sums: &mut sums[..heads * key_rows] });
            #[allow(clippy::cast_precision_loss)] // a head has at most a few hundred numbers
            let scale = 1.0 / (head_dim as f32).sqrt();
            let (out, lse) = (&mut out[..rows * head_dim], &mut lse[..rows]);
            attend::attend(self.isa, scale, &parts, rows, head_dim, scratch, out, lse, mass);
        });
    }

    /// Appends the task's queries, rotated for near keys (own position) or for keys standing at `far`.
    fn rotate_queries(&self, unit: &Unit, far: Option<f64>, task: &Task, into: &mut Vec<f32>) {
        let head_dim = self.shape.head_dim;
        let width = self.shape.heads * head_dim;
        let pairs = head_dim / 2;
        let (mut far_cos, mut far_sin) = (vec![0.0; pairs], vec![0.0; pairs]);
        let mut rotated_at = f64::NAN;
        #[allow(clippy::cast_possible_truncation)] // YaRN's scale is near 1
        let key_scale = self.schedule.attention_scale as f32;
        for query in task.queries.clone() {
            let position = self.first + query;
            let start = query * width + unit.heads.start * head_dim;
            let at = into.len();
            into.extend_from_slice(&self.queries[start..start + unit.heads.len() * head_dim]);
            let (cos, sin) = match far {
                None => self.rotations.at(position),
                Some(far) => {
                    #[allow(clippy::cast_precision_loss)] // positions stay far below 2^52
                    let angle_at = far.min(position as f64);
                    if angle_at != rotated_at {
                        self.schedule.rotation(angle_at, &mut far_cos, &mut far_sin);
                        // An unrotated key lacks the schedule's scale that a rotated one carries.
                        far_cos.iter_mut().chain(&mut far_sin).for_each(|value| *value *= key_scale);
                        rotated_at = angle_at;
                    }
                    (far_cos.as_slice(), far_sin.as_slice())
                }
            };
            for head in into[at..].chunks_exact_mut(head_dim) {
                loci_kernels::vector::rotate(self.isa, head, cos, sin);
            }
        }
    }

    /// Visible rows of a piece for each query row of the task; `None` when every query sees all of them.
    fn bounds(&self, part: &UnitPart, piece: &Piece, task: &Task, heads: usize) -> Option<Vec<(u32, u32)>> {
        let tiles = &part.tiles[piece.tiles.clone()];
        let end = tiles.last()?.base + TILE;
        let begin = tiles.first()?.base;
        let visible = |query: usize| {
            let position = self.first + query;
            match part.far {
                None => (position + 1).saturating_sub(part.edge)..position + 1,
                Some(_) => 0..(position + 1).saturating_sub(part.edge),
            }
        };
        let all = task.queries.clone().all(|query| {
            let seen = visible(query);
            seen.start <= begin && seen.end >= end
        });
        if all {
            return None;
        }
        let row_of = |position: usize| {
            let tile = tiles.partition_point(|tile| tile.base + TILE <= position);
            let inside = tiles.get(tile).map_or(0, |tile| position.saturating_sub(tile.base));
            u32::try_from(tile * TILE + inside).unwrap_or(u32::MAX)
        };
        let mut bounds = Vec::with_capacity(task.queries.len() * heads);
        for query in task.queries.clone() {
            let seen = visible(query);
            let bound = (row_of(seen.start), row_of(seen.end));
            bounds.extend(std::iter::repeat_n(bound, heads));
        }
        Some(bounds)
    }

    fn units(&self) -> Result<Vec<Unit>, MemoryError> {
        let group = self.shape.group();
        let heads_of = |kv_head: usize| kv_head * group..(kv_head + 1) * group;
        match self.choice {
            Choice::AllHeads(selection) => (0..self.shape.kv_heads)
                .map(|kv_head| self.unit(kv_head, heads_of(kv_head), selection))
                .collect(),
            Choice::PerKvHead(selections) => selections
                .iter()
                .enumerate()
                .map(|(kv_head, selection)| self.unit(kv_head, heads_of(kv_head), selection))
                .collect(),
            Choice::PerHead(selections) => selections
                .iter()
                .enumerate()
                .map(|(head, selection)| self.unit(head / group, head..head + 1, selection))
                .collect(),
        }
    }

    /// Sorts the rows of a selection into parts by the distance at which they stand.
    fn unit(&self, kv_head: usize, heads: Range<usize>, selection: &Selection) -> Result<Unit, MemoryError> {
        debug_assert!(selection.is_sorted(), "spans must ascend and not overlap");
        let end = self.first + self.count();
        let mut unit = Unit { kv_head, heads, parts: Vec::new() };
        for span in &selection.spans {
            let stand = self.place.stand(span.role);
            // Rows that some query sees near, and rows that some query sees far: both, for those in between.
            let near_from = (self.first + 1).saturating_sub(stand.near);
            let near = span.rows.start.max(near_from)..span.rows.end.min(end);
            self.add(&mut unit, None, stand.near, near)?;
            if let Some(far) = stand.far {
                let far_to = end.saturating_sub(stand.near);
                let rows = span.rows.start..span.rows.end.min(far_to);
                self.add(&mut unit, Some(far), stand.near, rows)?;
            }
        }
        Ok(unit)
    }

    fn add(&self, unit: &mut Unit, far: Option<f64>, edge: usize, rows: Range<usize>) -> Result<(), MemoryError> {
        if rows.is_empty() {
            return Ok(());
        }
        let same = |part: &UnitPart| part.far == far && part.edge == edge;
        let part = match unit.parts.iter().position(same) {
            Some(part) => part,
            None => {
                unit.parts.push(UnitPart { far, tiles: Vec::new(), edge });
                unit.parts.len() - 1
            }
        };
        let tiles = &mut unit.parts[part].tiles;
        let layer = self.store.layer(self.layer);
        let mut page: Option<(usize, Arc<Page>)> = None;
        for tile in rows.start / TILE..rows.end.div_ceil(TILE) {
            let base = tile * TILE;
            let from = rows.start.saturating_sub(base);
            let to = (rows.end - base).min(TILE);
            let present = (u16::MAX >> (TILE - (to - from))) << from;
            if let Some(last) = tiles.last_mut().filter(|last| last.base == base) {
                last.present |= present;
                continue;
            }
            let number = base / PAGE;
            let page = match &page {
                Some((held, page)) if *held == number => Arc::clone(page),
                _ => {
                    let read = layer.page(unit.kv_head, number)?;
                    let held = if far.is_some() { &read.raw } else { &read.rotated };
                    if held.is_none() {
                        return Err(missing(if far.is_some() { "unrotated keys" } else { "rotated keys" }, base));
                    }
                    page = Some((number, Arc::clone(&read)));
                    read
                }
            };
            tiles.push(UnitTile { page, base, present });
        }
        Ok(())
    }
}

/// Brings the mass of pieces, each relative to its own softmax, to the softmax over all pieces of the query.
fn rescale(tasks: &[Task], slot: usize, piece_lses: &[f32], lses: &[f32], masses: &mut [f32], mass_slot: usize) {
    let mut begin = 0;
    for (index, task) in tasks.iter().enumerate() {
        let rows = task.key_rows();
        let sums = &mut masses[index * mass_slot..(index + 1) * mass_slot];
        for (head, sums) in sums.chunks_mut(rows.max(1)).take(slot).enumerate() {
            let share = (piece_lses[index * slot + head] - lses[begin * slot + head]).exp();
            sums.iter_mut().for_each(|sum| *sum *= share);
        }
        if task.last {
            begin = index + 1;
        }
    }
}

/// Some tiles of one part of a unit.
#[derive(Clone)]
struct Piece {
    part: usize,
    tiles: Range<usize>,
}

impl Piece {
    fn pairs<'a>(&self, unit: &'a Unit) -> Vec<TilePair<'a>> {
        let part = &unit.parts[self.part];
        part.tiles[self.tiles.clone()]
            .iter()
            .filter_map(|tile| {
                let keys = if part.far.is_some() { tile.page.raw.as_ref() } else { tile.page.rotated.as_ref() }?;
                let number = tile.base % PAGE / TILE;
                Some(TilePair {
                    keys: keys.tile(number),
                    values: tile.page.values.tile(number),
                    present: tile.present,
                })
            })
            .collect()
    }
}

/// Some queries against some pieces of one unit.
struct Task {
    unit: usize,
    queries: Range<usize>,
    piece: Vec<Piece>,
    /// The last one for these queries.
    last: bool,
}

impl Task {
    fn key_rows(&self) -> usize {
        self.piece.iter().map(|piece| piece.tiles.len() * TILE).sum()
    }
}

impl Unit {
    fn whole(&self) -> Vec<Piece> {
        self.parts
            .iter()
            .enumerate()
            .map(|(part, plan)| Piece { part, tiles: 0..plan.tiles.len() })
            .collect()
    }

    /// Pieces of at most [`PIECE_TILES`] tiles, each a task of its own.
    fn pieces(&self) -> Vec<Vec<Piece>> {
        let mut pieces = Vec::new();
        for (part, plan) in self.parts.iter().enumerate() {
            let mut begin = 0;
            while begin < plan.tiles.len() {
                let end = (begin + PIECE_TILES).min(plan.tiles.len());
                pieces.push(vec![Piece { part, tiles: begin..end }]);
                begin = end;
            }
        }
        pieces
    }

    fn report_mass(&self, task: &Task, sums: &[f32], visit: &mut dyn FnMut(usize, usize, bool, &[f32])) {
        let total = task.key_rows();
        for (offset, head) in self.heads.clone().enumerate() {
            let mut at = offset * total;
            for piece in &task.piece {
                let part = &self.parts[piece.part];
                for tile in &part.tiles[piece.tiles.clone()] {
                    visit(head, tile.base, part.far.is_none(), &sums[at..at + TILE]);
                    at += TILE;
                }
            }
        }
    }
}
