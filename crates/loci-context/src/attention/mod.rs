//! One attention call of a layer: from a choice of rows to the kernel's parts, cut into tasks for the pool.

mod alone;
mod unit;

use std::cell::RefCell;
use std::ops::Range;

use loci_kernels::attend::{self, Mass, Part, TilePair};
use loci_kernels::pool::Parts;
use loci_kernels::tiles::TILE;
use loci_kernels::{Isa, Pool};
use loci_models::memory::{AttentionShape, MemoryError};
use loci_models::rope::RopeSchedule;

use crate::memory::MassTrack;
use crate::place::Place;
use crate::select::Choice;
use crate::store::{KvStore, Rotations};
pub(crate) use unit::Positions;
use unit::{Piece, Standing, Unit};

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

/// Where tasks put their results, kept from call to call: a memory is asked once a layer for every token that is written.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    /// `[tasks, slot, head_dim]`.
    outs: Vec<f32>,
    /// `[tasks, slot]`: natural logs of the sums of exponentials.
    lses: Vec<f32>,
    /// `[tasks, mass slot]`.
    masses: Vec<f32>,
}

/// As many copies of `number`.
fn refill(buffer: &mut Vec<f32>, count: usize, number: f32) -> &mut [f32] {
    buffer.clear();
    // Growth by doubling would spend up to half of the budget on nothing.
    buffer.reserve_exact(count);
    buffer.resize(count, number);
    buffer
}

/// What one call works on.
#[derive(Clone, Copy)]
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

/// Receives attention mass: `(head, positions of some rows, their sums)`.
pub(crate) type MassVisitor<'a> = &'a mut dyn FnMut(usize, &Positions<'_>, &[f32]);

/// Who is told how much attention the rows received.
pub(crate) struct MassReaders<'a> {
    /// The sums of rows that were read as near are added here, heads at the same time.
    pub(crate) near: Option<&'a mut MassTrack>,
    /// Told of all rows, one head after the other.
    pub(crate) all: Option<MassVisitor<'a>>,
}

impl MassReaders<'_> {
    fn is_empty(&self) -> bool {
        self.near.is_none() && self.all.is_none()
    }
}

impl Call<'_> {
    fn count(&self) -> usize {
        self.queries.len() / (self.shape.heads * self.shape.head_dim)
    }

    /// Attends; `out` is `[m, heads, head_dim]`.
    pub(crate) fn run(
        &self,
        buffers: &mut Buffers,
        out: &mut [f32],
        readers: MassReaders<'_>,
    ) -> Result<(), MemoryError> {
        if let Choice::PerQuery(choices) = self.choice {
            return self.run_alone(choices, buffers, out, readers);
        }
        let mut units = self.units()?;
        self.gather_sparse(&mut units);
        let Some(heads) = units.first().map(|unit| unit.heads.len()) else { return Ok(()) };
        let head_dim = self.shape.head_dim;
        let strip = (STRIP_ROWS / heads).max(1);
        let strips = self.count().div_ceil(strip);
        let wanted = !readers.is_empty();
        // Mass of several queries cannot be rescaled after it was summed, so only single queries are cut by keys.
        let cut = units.len() * strips < FEW_STRIPS && (!wanted || self.count() == 1);
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
        let outs = refill(&mut buffers.outs, tasks.len() * slot * head_dim, 0.0);
        let lses = refill(&mut buffers.lses, tasks.len() * slot, f32::NEG_INFINITY);
        let most_rows = tasks.iter().map(Task::key_rows).max().unwrap_or(0);
        let mass_slot = if wanted { (heads * most_rows).max(1) } else { 1 };
        let mass_count = if wanted { tasks.len() * mass_slot } else { 0 };
        let masses = refill(&mut buffers.masses, mass_count, 0.0);
        {
            let out_parts = Parts::new(outs, slot * head_dim);
            let lse_parts = Parts::new(lses, slot);
            let mass_parts = Parts::new(masses, mass_slot);
            self.pool.run(tasks.len(), &|index| {
                if let (Some(out), Some(lse)) = (out_parts.take(index), lse_parts.take(index)) {
                    let task = &tasks[index];
                    let mass = mass_parts.take(index);
                    self.attend(&units[task.unit], &task.piece, task.queries.clone(), out, lse, mass);
                }
            });
        }
        let mut shares = if wanted && cut { lses.to_vec() } else { Vec::new() };
        self.gather(&units, &tasks, slot, outs, lses, out);
        if wanted {
            share(&tasks, slot, lses, &mut shares);
            let summed = Summed { units: &units, tasks: &tasks, slot, shares: &shares, masses, mass_slot };
            summed.report(self.pool, readers);
        }
        Ok(())
    }

    /// Copies scattered rows together where that pays.
    fn gather_sparse(&self, units: &mut [Unit<'_>]) {
        let queries = self.count();
        if !units.iter().any(|unit| unit.is_sparse(queries)) {
            return;
        }
        let count = units.len();
        let parts = Parts::new(units, 1);
        self.pool.run(count, &|index| {
            if let Some([unit]) = parts.take(index) {
                unit.gather(queries);
            }
        });
    }

    /// Brings the tasks' results to their places; pieces of the same queries are merged in ascending order.
    fn gather(
        &self,
        units: &[Unit<'_>],
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
            let (own, others) =
                outs[begin * slot * head_dim..end * slot * head_dim].split_at_mut(slot * head_dim);
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

    /// Some queries, by their numbers, over some pieces: rotates them for each part and calls the kernel.
    fn attend(
        &self,
        unit: &Unit<'_>,
        pieces: &[Piece],
        queries: impl ExactSizeIterator<Item = usize> + Clone,
        out: &mut [f32],
        lse: &mut [f32],
        mass: Option<&mut [f32]>,
    ) {
        let head_dim = self.shape.head_dim;
        let heads = unit.heads.len();
        let rows = queries.len() * heads;
        let tiles: Vec<Vec<TilePair<'_>>> = pieces.iter().map(|piece| piece.pairs(unit)).collect();
        let bounds: Vec<Option<Vec<(u32, u32)>>> =
            pieces.iter().map(|piece| self.bounds(unit, piece, queries.clone())).collect();
        SCRATCH.with_borrow_mut(|(scratch, rotated)| {
            rotated.clear();
            let mut ends = vec![0];
            for piece in pieces {
                let start = rotated.len();
                self.rotate_queries(unit, unit.parts[piece.part].standing, queries.clone(), rotated);
                if let Some(channels) = unit.channels(piece.part) {
                    cut(rotated, start, head_dim, channels);
                }
                ends.push(rotated.len());
            }
            let parts: Vec<Part<'_>> = (0..pieces.len())
                .map(|part| Part {
                    queries: &rotated[ends[part]..ends[part + 1]],
                    tiles: &tiles[part],
                    bounds: bounds[part].as_deref(),
                })
                .collect();
            let key_rows = key_rows(pieces);
            let mass = mass.map(|sums| Mass { heads, sums: &mut sums[..heads * key_rows] });
            #[allow(clippy::cast_precision_loss)] // a head has at most a few hundred numbers
            let scale = 1.0 / (head_dim as f32).sqrt();
            let (out, lse) = (&mut out[..rows * head_dim], &mut lse[..rows]);
            attend::attend(self.isa, scale, &parts, rows, head_dim, scratch, out, lse, mass);
        });
    }

    /// Appends queries, rotated so that the keys of a part stand where they should.
    fn rotate_queries(
        &self,
        unit: &Unit<'_>,
        standing: Standing,
        queries: impl Iterator<Item = usize>,
        into: &mut Vec<f32>,
    ) {
        let head_dim = self.shape.head_dim;
        let width = self.shape.heads * head_dim;
        let pairs = head_dim / 2;
        let (mut own_cos, mut own_sin) = (vec![0.0; pairs], vec![0.0; pairs]);
        let mut rotated_at = f64::NAN;
        #[allow(clippy::cast_possible_truncation)] // YaRN's scale is near 1
        let key_scale = self.schedule.attention_scale as f32;
        for query in queries {
            let position = self.first + query;
            let start = query * width + unit.heads.start * head_dim;
            let at = into.len();
            into.extend_from_slice(&self.queries[start..start + unit.heads.len() * head_dim]);
            let (cos, sin) = match standing {
                Standing::Near { moved: 0 } => self.rotations.at(position),
                Standing::Near { moved } => {
                    self.rotations.moved(position, moved, &mut own_cos, &mut own_sin);
                    (own_cos.as_slice(), own_sin.as_slice())
                }
                Standing::Far(far) => {
                    #[allow(clippy::cast_precision_loss)] // positions stay far below 2^52
                    let angle_at = far.min(position as f64);
                    if angle_at != rotated_at {
                        self.schedule.rotation(angle_at, &mut own_cos, &mut own_sin);
                        // An unrotated key lacks the schedule's scale that a rotated one carries.
                        own_cos.iter_mut().chain(&mut own_sin).for_each(|value| *value *= key_scale);
                        rotated_at = angle_at;
                    }
                    (own_cos.as_slice(), own_sin.as_slice())
                }
            };
            for head in into[at..].chunks_exact_mut(head_dim) {
                loci_kernels::vector::rotate(self.isa, head, cos, sin);
            }
        }
    }

    /// Visible rows of a piece for each query row; `None` when every query sees all of them.
    fn bounds(
        &self,
        unit: &Unit<'_>,
        piece: &Piece,
        queries: impl ExactSizeIterator<Item = usize> + Clone,
    ) -> Option<Vec<(u32, u32)>> {
        let part = &unit.parts[piece.part];
        let extent = piece.extent(unit)?;
        let visible = |query: usize| {
            let position = self.first + query;
            match part.standing {
                Standing::Near { .. } => (position + 1).saturating_sub(part.edge)..position + 1,
                Standing::Far(_) => 0..(position + 1).saturating_sub(part.edge),
            }
        };
        let all = queries.clone().all(|query| {
            let seen = visible(query);
            seen.start <= extent.start && seen.end >= extent.end
        });
        if all {
            return None;
        }
        let mut bounds = Vec::with_capacity(queries.len() * unit.heads.len());
        for query in queries {
            let seen = visible(query);
            let bound = (piece.row_of(unit, seen.start), piece.row_of(unit, seen.end));
            bounds.extend(std::iter::repeat_n(bound, unit.heads.len()));
        }
        Some(bounds)
    }
}

/// Leaves only `channels` of the rows of `head_dim` numbers that begin at `start`.
fn cut(rows: &mut Vec<f32>, start: usize, head_dim: usize, channels: &[u16]) {
    let mut to = start;
    for row in (start..rows.len()).step_by(head_dim) {
        for channel in channels {
            // Channels ascend, so nothing is overwritten before it was read.
            rows[to] = rows[row + usize::from(*channel)];
            to += 1;
        }
    }
    rows.truncate(to);
}

/// Turns the logs of the sums of pieces into the shares that the pieces have in the softmax over all of their query.
fn share(tasks: &[Task], slot: usize, lses: &[f32], shares: &mut [f32]) {
    let mut begin = 0;
    for ((index, task), own) in tasks.iter().enumerate().zip(shares.chunks_exact_mut(slot)) {
        let whole = &lses[begin * slot..(begin + 1) * slot];
        own.iter_mut().zip(whole).for_each(|(share, whole)| *share = (*share - whole).exp());
        if task.last {
            begin = index + 1;
        }
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
        key_rows(&self.piece)
    }
}

/// Rows of keys of some pieces, as the kernel counts.
fn key_rows(pieces: &[Piece]) -> usize {
    pieces.iter().map(|piece| piece.tiles.len() * TILE).sum()
}

/// Receives the positions of some rows, whether they were read as near, their sums, and the share of these.
type RunVisitor<'a> = &'a mut dyn FnMut(&Positions<'_>, bool, &[f32], f32);

/// Whose mass was summed, `[tasks, mass slot]`, each task's relative to its own softmax.
struct Summed<'a> {
    units: &'a [Unit<'a>],
    tasks: &'a [Task],
    slot: usize,
    /// `[tasks, slot]`: the shares that tasks have in the softmax of their query; empty: all of it.
    shares: &'a [f32],
    masses: &'a [f32],
    mass_slot: usize,
}

impl Summed<'_> {
    fn report(&self, pool: &Pool, readers: MassReaders<'_>) {
        if let Some(track) = readers.near {
            let (first, heads) = track.parts();
            pool.run(heads.count(), &|head| {
                if let Some([held]) = heads.take(head) {
                    self.of_head(head, &mut |rows, near, sums, share| {
                        if near {
                            rows.add_to(sums, share, first, held);
                        }
                    });
                }
            });
        }
        let Some(visit) = readers.all else { return };
        let mut shared = Vec::new();
        for head in self.units.iter().flat_map(|unit| unit.heads.clone()) {
            self.of_head(head, &mut |rows, _, sums, share| {
                shared.clear();
                shared.extend(sums.iter().map(|sum| sum * share));
                visit(head, rows, &shared);
            });
        }
    }

    /// Calls `visit` with the rows that a head read.
    fn of_head(&self, head: usize, visit: RunVisitor<'_>) {
        for (index, task) in self.tasks.iter().enumerate() {
            let unit = &self.units[task.unit];
            if !unit.heads.contains(&head) {
                continue;
            }
            let offset = head - unit.heads.start;
            let share = self.shares.get(index * self.slot + offset).copied().unwrap_or(1.0);
            let mut at = index * self.mass_slot + offset * task.key_rows();
            for piece in &task.piece {
                let part = &unit.parts[piece.part];
                for (rows, tiles) in unit.runs(&part.tiles[piece.tiles.clone()]) {
                    let to = at + tiles * TILE;
                    visit(&rows, part.standing.is_near(), &self.masses[at..to], share);
                    at = to;
                }
            }
        }
    }
}
