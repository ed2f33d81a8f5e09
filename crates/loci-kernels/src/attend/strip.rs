//! The walk of one strip of query rows over the blocks of its parts.

use super::kernels::{GROUP, KEYS, Kernels, Scores, Softmax, Sums, TILES, Work};
use super::mass::MassBuffer;
use super::query::Queries;
use super::{Mass, Part, TilePair};
use crate::isa::Isa;
use crate::tiles::{Line, RowType, Side, TILE, unpack};
use bytemuck::Zeroable;

/// Buffers of [`attend`](super::attend), reused between calls: nothing is allocated once they have grown to
/// the largest strip. One per thread.
#[derive(Debug, Default)]
pub struct Scratch {
    rows: usize,
    head_dim: usize,
    /// `[rows, dims]` f32, not yet divided by the sums of weights.
    out: Vec<Line>,
    /// Running maximum of the scores (powers of two), per row, padded to whole groups.
    top: Vec<f32>,
    /// Running sums of the weights, per row and lane.
    sum: Vec<[f32; TILE]>,
    queries: Queries,
    reach: Vec<Reach>,
    mass: MassBuffer,
    /// 4-bit tiles of one block, unpacked to 8-bit ones: keys, then values.
    unpacked: [Vec<Line>; 2],
}

/// Which keys of a part a group of rows can see.
#[derive(Clone, Copy, Debug)]
struct Reach {
    /// Some row sees keys in here and none outside.
    any: (usize, usize),
    /// Every row sees all of these.
    all: (usize, usize),
}

impl Reach {
    const EVERYTHING: Self = Self { any: (0, usize::MAX), all: (0, usize::MAX) };

    fn of(bounds: &[(u32, u32)]) -> Self {
        let mut reach = Self { any: (usize::MAX, 0), all: (0, usize::MAX) };
        for &(from, to) in bounds {
            let (from, to) = (from as usize, to as usize);
            reach.all = (reach.all.0.max(from), reach.all.1.min(to));
            if from < to {
                reach.any = (reach.any.0.min(from), reach.any.1.max(to));
            }
        }
        reach
    }
}

/// Bits `from..to` of the 64 keys that start at `first`.
fn mask((from, to): (u32, u32), first: usize) -> u64 {
    let below = |limit: u32| match (limit as usize).saturating_sub(first) {
        0 => 0,
        bits if bits >= KEYS => u64::MAX,
        bits => (1 << bits) - 1,
    };
    below(to) & !below(from)
}

/// The tiles of block `index`; none beyond the last.
fn tiles_of<'a>(tiles: &'a [TilePair<'a>], index: usize) -> &'a [TilePair<'a>] {
    let tiles = tiles.get(TILES * index..).unwrap_or_default();
    &tiles[..tiles.len().min(TILES)]
}

/// Blocks by which tiles are fetched ahead. With a few rows a block takes less time than the memory needs to answer, so one
/// block ahead is too late.
const AHEAD: usize = 2;

/// The four tiles of one block; missing ones repeat the first with no key present.
struct Block<'a> {
    keys: [&'a [Line]; TILES],
    values: [&'a [Line]; TILES],
    present: u64,
}

impl<'a> Block<'a> {
    fn of(tiles: &'a [TilePair<'a>]) -> Option<Self> {
        let first = tiles.first()?;
        let pair = |index: usize| tiles.get(index).unwrap_or(first);
        let mut present = 0;
        for (index, tile) in tiles.iter().enumerate() {
            let exist = tile.keys.rows.min(tile.values.rows);
            let exist = (1_u32 << exist) - 1;
            present |= u64::from(u32::from(tile.present) & exist) << (TILE * index);
        }
        Some(Self {
            keys: std::array::from_fn(|index| pair(index).keys.lines),
            values: std::array::from_fn(|index| pair(index).values.lines),
            present,
        })
    }

    /// The block with 4-bit tiles unpacked to `buffers`; the first `count` tiles are there.
    fn unpacked<'b>(
        self,
        isa: Isa,
        count: usize,
        types: [RowType; 2],
        dims: [usize; 2],
        buffers: &'b mut [Vec<Line>; 2],
    ) -> Block<'b>
    where
        'a: 'b,
    {
        let [keys, values] = buffers;
        let unpacked = |side, tiles, which: usize, buffer| match types[which] {
            RowType::I4 => unpack_all(isa, side, tiles, count, dims[which], buffer),
            _ => tiles,
        };
        Block {
            keys: unpacked(Side::Keys, self.keys, 0, keys),
            values: unpacked(Side::Values, self.values, 1, values),
            present: self.present,
        }
    }

    /// Keys, then values.
    fn all(&self) -> [&'a [Line]; 2 * TILES] {
        let ([a, b, c, d], [e, f, g, h]) = (self.keys, self.values);
        [a, b, c, d, e, f, g, h]
    }
}

/// Unpacks the first `count` tiles of a block; the others repeat the first.
fn unpack_all<'b>(
    isa: Isa,
    side: Side,
    tiles: [&[Line]; TILES],
    count: usize,
    dims: usize,
    buffer: &'b mut Vec<Line>,
) -> [&'b [Line]; TILES] {
    let lines = RowType::I8.tile_lines(side, dims);
    buffer.resize(TILES * lines, Line::zeroed());
    for (tile, out) in tiles.iter().zip(buffer.chunks_exact_mut(lines)).take(count) {
        unpack(isa, side, tile, dims, out);
    }
    let tile = |index: usize| if index < count { index * lines } else { 0 };
    let buffer = &*buffer;
    std::array::from_fn(|index| &buffer[tile(index)..][..lines])
}

/// Starts to fetch tiles into the second-level cache.
///
/// Tiles are short and may stand in scattered pages, which is more than the processor foresees: with one row
/// or a few, this doubles the speed. A third of a block at a time, because a longer burst would wait for
/// the memory instead of overlapping with the kernels.
fn fetch(tiles: &[&[Line]]) {
    tiles.iter().copied().flatten().for_each(crate::prefetch);
}

impl Scratch {
    /// Bytes allocated.
    pub fn bytes(&self) -> usize {
        64 * (self.out.capacity() + self.sum.capacity())
            + 4 * self.top.capacity()
            + size_of::<Reach>() * self.reach.capacity()
            + self.queries.bytes()
            + self.mass.bytes()
            + 64 * self.unpacked.iter().map(Vec::capacity).sum::<usize>()
    }

    fn dims(&self) -> usize {
        self.head_dim.next_multiple_of(TILE)
    }

    /// Starts a strip.
    pub(super) fn begin(&mut self, rows: usize, head_dim: usize) {
        self.rows = rows;
        self.head_dim = head_dim;
        let slots = rows.next_multiple_of(GROUP);
        let dims = self.dims();
        self.out.clear();
        self.out.resize((slots * dims * size_of::<f32>()).div_ceil(size_of::<Line>()), Line::zeroed());
        self.top.clear();
        self.top.resize(slots, f32::NEG_INFINITY);
        self.sum.clear();
        self.sum.resize(slots, [0.0; TILE]);
    }

    /// Makes room for the weights of all keys.
    pub(super) fn begin_mass(&mut self, parts: &[Part<'_>]) {
        let blocks = parts.iter().map(|part| part.tiles.len().div_ceil(TILES)).sum();
        self.mass.begin(blocks, self.top.len());
    }

    /// Adds the keys of one part.
    pub(super) fn add(&mut self, isa: Isa, scale: f32, part: &Part<'_>, with_mass: bool) {
        let blocks = part.tiles.len().div_ceil(TILES);
        let first_record = self.mass.next_part(blocks);
        let Some(first) = part.tiles.first() else { return };
        let (key_type, value_type) = (first.keys.row_type, first.values.row_type);
        let key_dim = usize::from(first.keys.head_dim);
        assert_eq!(part.queries.len(), self.rows * key_dim, "queries are [rows, numbers in a key]");
        for tile in part.tiles {
            assert_eq!((tile.keys.row_type, tile.values.row_type), (key_type, value_type), "one type a part");
            assert_eq!(usize::from(tile.keys.head_dim), key_dim, "keys of one length a part");
            assert_eq!(usize::from(tile.values.head_dim), self.head_dim, "values of this head dim");
        }
        let everything = self.set_reach(part.bounds);
        let last = everything.1.div_ceil(KEYS).min(blocks);
        self.queries.prepare(part.queries, key_dim, self.top.len(), scale, key_type);
        let kernels = Kernels::of(isa, key_type, value_type);
        let mut work = Work::new();
        let dims = [self.queries.dims(), self.dims()];
        let mut unpacked = std::mem::take(&mut self.unpacked);
        for index in everything.0 / KEYS + 1..last.min(everything.0 / KEYS + AHEAD) {
            if let Some(block) = Block::of(tiles_of(part.tiles, index)) {
                fetch(&block.all());
            }
        }
        for index in everything.0 / KEYS..last {
            let tiles = tiles_of(part.tiles, index);
            let Some(block) = Block::of(tiles) else { break };
            if block.present != 0 {
                let ahead = index + AHEAD;
                let next = if ahead < last { Block::of(tiles_of(part.tiles, ahead)) } else { None };
                let next = next.map_or([&[][..]; 2 * TILES], |next| next.all());
                let record = with_mass.then_some(first_record + index);
                let types = [key_type, value_type];
                let block = block.unpacked(isa, tiles.len(), types, dims, &mut unpacked);
                self.add_block(&kernels, &block, next, index * KEYS, part.bounds, record, &mut work);
            }
        }
        self.unpacked = unpacked;
    }

    /// Works out what each group of rows reaches; returns the range in which any key is visible.
    fn set_reach(&mut self, bounds: Option<&[(u32, u32)]>) -> (usize, usize) {
        self.reach.clear();
        match bounds {
            None => self.reach.resize(self.top.len() / GROUP, Reach::EVERYTHING),
            Some(bounds) => {
                assert_eq!(bounds.len(), self.rows, "bounds are per query row");
                self.reach.extend(bounds.chunks(GROUP).map(Reach::of));
            }
        }
        let none = (usize::MAX, 0);
        self.reach.iter().fold(none, |all, reach| (all.0.min(reach.any.0), all.1.max(reach.any.1)))
    }

    fn add_block(
        &mut self,
        kernels: &Kernels,
        block: &Block<'_>,
        mut next: [&[Line]; 2 * TILES],
        first_key: usize,
        bounds: Option<&[(u32, u32)]>,
        record: Option<usize>,
        work: &mut Work,
    ) {
        let (dims, key_dims) = (self.dims(), self.queries.dims());
        let size = self.queries.rows().len() / self.top.len() / key_dims;
        let out: &mut [f32] = bytemuck::cast_slice_mut(&mut self.out);
        for (group, reach) in self.reach.iter().enumerate() {
            let (start, end) = (first_key, first_key + KEYS);
            if reach.any.1 <= start || reach.any.0 >= end {
                continue;
            }
            let row = group * GROUP;
            let rows = GROUP.min(self.rows - row);
            let whole = block.present == u64::MAX && reach.all.0 <= start && reach.all.1 >= end;
            let mut masks = [0; GROUP];
            if !whole {
                for (index, mask_of_row) in masks[..rows].iter_mut().enumerate() {
                    let bounds = bounds.map_or((0, u32::MAX), |bounds| bounds[row + index]);
                    *mask_of_row = block.present & mask(bounds, start);
                }
                if masks == [0; GROUP] {
                    continue;
                }
            }
            let (Some(factor), Some(top)) =
                (self.queries.factor[row..].first_chunk(), self.top[row..].first_chunk_mut())
            else {
                continue; // never: both are padded to whole groups
            };
            let scores = Scores {
                tiles: block.keys,
                queries: &self.queries.rows()[row * key_dims * size..][..rows * key_dims * size],
                start: &self.queries.start[row..][..rows],
                dims: key_dims,
            };
            let mut softmax = Softmax {
                masks: (!whole).then_some(&masks),
                tiles: block.values,
                dims,
                factor,
                top,
                sum: &mut self.sum[row..][..rows],
                mass: record.map(|record| self.mass.record(record, row, rows)),
            };
            let mut sums = Sums { tiles: block.values, out: &mut out[row * dims..][..rows * dims], dims };
            // SAFETY: `attend` lowers the instruction set to what the processor has; `add` has checked row
            // types, key lengths and head dims, so tiles have the lengths that `key_dims` and `dims` say; the
            // row arrays above have `rows` rows, which is the number of rows that function `rows - 1` handles.
            unsafe {
                fetch(&next[..3]);
                kernels.scores[rows - 1](&scores, work);
                fetch(&next[3..6]);
                kernels.softmax[rows - 1](&mut softmax, work);
                fetch(&next[6..]);
                kernels.sums[rows - 1](&mut sums, work);
            }
            // Once is enough: with the first group.
            next = [&[]; 2 * TILES];
        }
    }

    /// Divides by the sums of weights.
    pub(super) fn finish(&mut self, out: &mut [f32], lse: &mut [f32]) {
        let (head_dim, dims) = (self.head_dim, self.dims());
        let sums: &[f32] = bytemuck::cast_slice(&self.out);
        for row in 0..self.rows {
            let total: f64 = self.sum[row].iter().map(|lane| f64::from(*lane)).sum();
            let out = &mut out[row * head_dim..][..head_dim];
            if total > 0.0 {
                lse[row] = ((f64::from(self.top[row]) + total.log2()) * std::f64::consts::LN_2) as f32;
                let inverse = (1.0 / total) as f32;
                for (out, sum) in out.iter_mut().zip(&sums[row * dims..]) {
                    // Adding zero makes -0, which an underflow may leave, the same as 0.
                    *out = sum * inverse + 0.0;
                }
            } else {
                lse[row] = f32::NEG_INFINITY;
                out.fill(0.0);
            }
        }
    }

    /// Adds the recorded weights to `mass`, now that the denominators are known.
    pub(super) fn add_mass(&mut self, isa: Isa, parts: &[Part<'_>], mass: Mass<'_>) {
        let tops = self.top.iter_mut().zip(&self.sum).take(self.rows);
        for (top, sum) in tops {
            let total: f64 = sum.iter().map(|lane| f64::from(*lane)).sum();
            *top = if total > 0.0 { (f64::from(*top) + total.log2()) as f32 } else { f32::INFINITY };
        }
        let tiles = parts.iter().map(|part| part.tiles.len());
        self.mass.add_to(isa, tiles, &self.top[..self.rows], mass);
    }
}
