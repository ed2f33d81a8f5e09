//! The rows that a group of heads reads, sorted into parts by where their keys stand.

use std::ops::Range;

use loci_kernels::attend::TilePair;
use loci_kernels::tiles::{KeyTiles, TILE, ValueTiles};
use loci_models::memory::MemoryError;

use super::{Call, PIECE_TILES};
use crate::select::Selection;
use crate::store::{PAGE, Packed, Page, PageRef, missing};

/// A part in whose tiles less than one row in this many is present is copied together before many queries read it.
const SPARSE: usize = 3;

/// Query rows from which copying pays.
const MANY_ROWS: usize = 24;

/// Heads that read the same rows of one kv head.
pub(super) struct Unit<'a> {
    kv_head: usize,
    pub(super) heads: Range<usize>,
    pub(super) parts: Vec<UnitPart>,
    /// What tiles lie in, held while they are read.
    sources: Vec<Source<'a>>,
}

/// Where tiles lie.
enum Source<'a> {
    /// 64 consecutive rows.
    Page(PageRef<'a>),
    /// What is left of a head's old rows.
    Packed(&'a Packed),
    /// Rows copied together, with their positions.
    Copied { keys: KeyTiles, values: ValueTiles, positions: Vec<usize> },
}

/// Where the keys of a part stand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Standing {
    /// At true distances, less `moved`.
    Near {
        /// Positions by which the keys are moved towards the query.
        moved: usize,
    },
    /// All at this distance.
    Far(f64),
}

pub(super) struct UnitPart {
    pub(super) standing: Standing,
    pub(super) tiles: Vec<UnitTile>,
    /// Keys at true distances below this are visible (near parts), or at this and beyond (far parts).
    pub(super) edge: usize,
    /// Packed rows, whose keys may hold fewer numbers than others.
    packed: bool,
}

impl UnitPart {
    fn present(&self) -> usize {
        self.tiles.iter().map(|tile| tile.present.count_ones() as usize).sum()
    }

    fn is_sparse(&self) -> bool {
        // Packed rows lie together already.
        !self.packed && SPARSE * self.present() < TILE * self.tiles.len()
    }
}

#[derive(Clone, Copy)]
pub(super) struct UnitTile {
    /// Index of its source in the unit.
    source: usize,
    /// Number of the tile in the source.
    number: usize,
    /// Position of its first row; rows of a page's tile follow each other.
    first: usize,
    present: u16,
}

/// The positions of a tile's rows, or of those of several tiles in a row.
pub(crate) enum Positions<'a> {
    /// Consecutive ones from here on.
    From(usize),
    /// These; rows behind them do not exist.
    Listed(&'a [usize]),
}

impl Positions<'_> {
    /// The rows that exist, each with its number.
    pub(crate) fn zip<'b>(&'b self, sums: &'b [f32]) -> impl Iterator<Item = (usize, f32)> + 'b {
        sums.iter().enumerate().map_while(|(row, sum)| match self {
            Self::From(first) => Some((first + row, *sum)),
            Self::Listed(positions) => positions.get(row).map(|position| (*position, *sum)),
        })
    }

    /// Adds `share` of the sums of the rows to `held`, whose first number belongs to position `first`; rows outside are
    /// passed over.
    pub(crate) fn add_to(&self, sums: &[f32], share: f32, first: usize, held: &mut [f32]) {
        match self {
            Self::From(start) => {
                let skipped = first.saturating_sub(*start);
                let (sums, held) = (sums.get(skipped..), held.get_mut(start + skipped - first..));
                let pairs = held.into_iter().flatten().zip(sums.into_iter().flatten());
                pairs.for_each(|(held, sum)| *held += sum * share);
            }
            Self::Listed(positions) => {
                for (position, sum) in positions.iter().zip(sums) {
                    let held = position.checked_sub(first).and_then(|row| held.get_mut(row));
                    held.into_iter().for_each(|held| *held += sum * share);
                }
            }
        }
    }

    /// Position behind the last row of a tile.
    fn end(&self) -> usize {
        match self {
            Self::From(first) => first + TILE,
            Self::Listed(positions) => positions.last().map_or(0, |last| last + 1),
        }
    }

    /// The first row at `position` or later.
    fn row(&self, position: usize) -> usize {
        match self {
            Self::From(first) => position.saturating_sub(*first),
            Self::Listed(positions) => positions.partition_point(|held| *held < position),
        }
    }
}

impl<'a> Call<'a> {
    /// The heads that read together, each with its rows. Made on one thread: when each thread looked up the pages of some
    /// heads, their headers lay in the wrong processor's cache, and writing became slower.
    pub(super) fn units(&self) -> Result<Vec<Unit<'a>>, MemoryError> {
        let groups = self.choice.groups(self.shape).into_iter();
        groups.map(|(kv_head, heads, selection)| self.unit(kv_head, heads, selection)).collect()
    }

    /// Sorts the rows of a selection into parts by the distance at which they stand.
    fn unit(
        &self,
        kv_head: usize,
        heads: Range<usize>,
        selection: &Selection,
    ) -> Result<Unit<'a>, MemoryError> {
        debug_assert!(selection.is_sorted(), "spans must ascend and not overlap");
        let end = self.first + self.count();
        let mut unit = Unit::new(kv_head, heads);
        for span in &selection.spans {
            let stand = self.place.stand(span.role);
            // Rows that some query sees near, and rows that some query sees far: both, for those in between.
            let near_from = (self.first + 1).saturating_sub(stand.near);
            let near = span.rows.start.max(near_from)..span.rows.end.min(end);
            self.add(&mut unit, Standing::Near { moved: span.moved }, stand.near, near)?;
            if let Some(far) = stand.far {
                let far_to = end.saturating_sub(stand.near);
                let rows = span.rows.start..span.rows.end.min(far_to);
                self.add(&mut unit, Standing::Far(far), stand.near, rows)?;
            }
        }
        Ok(unit)
    }

    /// Adds rows that stand so to a unit; `edge` is that of the part.
    pub(super) fn add(
        &self,
        unit: &mut Unit<'a>,
        standing: Standing,
        edge: usize,
        rows: Range<usize>,
    ) -> Result<(), MemoryError> {
        let layer = self.store.layer(self.layer);
        let (packed, packed_end) = layer.packed(unit.kv_head);
        if let Some(packed) = packed.filter(|_| rows.start < packed_end) {
            let row = |position: usize| packed.positions.partition_point(|held| *held < position);
            let held = row(rows.start)..row(rows.end.min(packed_end));
            if !held.is_empty() {
                let standing = standing.moved_by(packed.moved);
                let part = unit.part(standing, edge, true);
                if standing.keys(&packed.rows).is_none() {
                    return Err(missing(standing.form(), rows.start));
                }
                unit.sources.push(Source::Packed(packed));
                let source = unit.sources.len() - 1;
                for number in held.start / TILE..held.end.div_ceil(TILE) {
                    let base = number * TILE;
                    let present = present(held.start.saturating_sub(base), (held.end - base).min(TILE));
                    let first = packed.positions[base];
                    unit.parts[part].tiles.push(UnitTile { source, number, first, present });
                }
            }
        }
        let rows = rows.start.max(packed_end)..rows.end;
        if rows.is_empty() {
            return Ok(());
        }
        if !layer.holds(unit.kv_head, standing.is_near(), rows.start) {
            return Err(missing(standing.form(), rows.start));
        }
        let part = unit.part(standing, edge, false);
        unit.parts[part].tiles.reserve(rows.len() / TILE + 2);
        unit.sources.reserve(rows.len() / PAGE + 2);
        let mut held = None;
        for tile in rows.start / TILE..rows.end.div_ceil(TILE) {
            let first = tile * TILE;
            let present = present(rows.start.saturating_sub(first), (rows.end - first).min(TILE));
            let tiles = &mut unit.parts[part].tiles;
            if let Some(last) = tiles.last_mut().filter(|last| last.first == first) {
                last.present |= present;
                continue;
            }
            if held != Some(first / PAGE) {
                let page = layer.page(unit.kv_head, first / PAGE)?;
                loci_kernels::prefetch(&*page);
                if layer.may_be_cold() && standing.keys(&page).is_none() {
                    return Err(missing(standing.form(), first));
                }
                held = Some(first / PAGE);
                unit.sources.push(Source::Page(page));
            }
            let source = unit.sources.len() - 1;
            tiles.push(UnitTile { source, number: first % PAGE / TILE, first, present });
        }
        Ok(())
    }
}

/// Bits of the rows `from..to` of a tile.
fn present(from: usize, to: usize) -> u16 {
    (u16::MAX >> (TILE - (to - from))) << from
}

impl Standing {
    /// As before, `by` positions nearer where distances are true ones.
    fn moved_by(self, by: usize) -> Self {
        match self {
            Self::Near { moved } => Self::Near { moved: moved + by },
            Self::Far(_) => self,
        }
    }

    /// The keys of a page in the form that is read.
    fn keys(self, page: &Page) -> Option<&KeyTiles> {
        match self {
            Self::Near { .. } => page.rotated.as_ref(),
            Self::Far(_) => page.raw.as_ref(),
        }
    }

    fn form(self) -> &'static str {
        match self {
            Self::Near { .. } => "rotated keys",
            Self::Far(_) => "unrotated keys",
        }
    }

    pub(super) fn is_near(self) -> bool {
        matches!(self, Self::Near { .. })
    }
}

/// Some tiles of one part of a unit.
#[derive(Clone)]
pub(super) struct Piece {
    pub(super) part: usize,
    pub(super) tiles: Range<usize>,
}

impl Piece {
    /// The tiles as the kernel takes them.
    pub(super) fn pairs<'a>(&self, unit: &'a Unit<'_>) -> Vec<TilePair<'a>> {
        let part = &unit.parts[self.part];
        part.tiles[self.tiles.clone()]
            .iter()
            .filter_map(|tile| {
                let (keys, values) = unit.sources[tile.source].tiles(part.standing)?;
                Some(TilePair {
                    keys: keys.tile(tile.number),
                    values: values.tile(tile.number),
                    present: tile.present,
                })
            })
            .collect()
    }

    /// Rows of the piece from `position` on begin at this one, counted as the kernel counts.
    pub(super) fn row_of(&self, unit: &Unit<'_>, position: usize) -> u32 {
        let tiles = &unit.parts[self.part].tiles[self.tiles.clone()];
        let tile = tiles.partition_point(|tile| unit.positions(tile).end() <= position);
        let inside = tiles.get(tile).map_or(0, |tile| unit.positions(tile).row(position));
        u32::try_from(tile * TILE + inside).unwrap_or(u32::MAX)
    }

    /// Positions from the first row to behind the last.
    pub(super) fn extent(&self, unit: &Unit<'_>) -> Option<Range<usize>> {
        let tiles = &unit.parts[self.part].tiles[self.tiles.clone()];
        Some(tiles.first()?.first..unit.positions(tiles.last()?).end())
    }
}

impl Source<'_> {
    fn tiles(&self, standing: Standing) -> Option<(&KeyTiles, &ValueTiles)> {
        match self {
            Self::Page(page) => Some((standing.keys(page)?, &page.values)),
            Self::Packed(packed) => Some((standing.keys(&packed.rows)?, &packed.rows.values)),
            Self::Copied { keys, values, .. } => Some((keys, values)),
        }
    }
}

impl Unit<'_> {
    /// Heads that read nothing yet.
    pub(super) const fn new(kv_head: usize, heads: Range<usize>) -> Self {
        Self { kv_head, heads, parts: Vec::new(), sources: Vec::new() }
    }

    /// The part for keys that stand like this; made if there is none.
    fn part(&mut self, standing: Standing, edge: usize, packed: bool) -> usize {
        let same = |part: &UnitPart| part.standing == standing && part.edge == edge && part.packed == packed;
        self.parts.iter().position(same).unwrap_or_else(|| {
            self.parts.push(UnitPart { standing, tiles: Vec::new(), edge, packed });
            self.parts.len() - 1
        })
    }

    /// The positions of a tile's rows.
    pub(super) fn positions(&self, tile: &UnitTile) -> Positions<'_> {
        let positions = match &self.sources[tile.source] {
            Source::Page(_) => return Positions::From(tile.first),
            Source::Packed(packed) => &packed.positions,
            Source::Copied { positions, .. } => positions,
        };
        Positions::Listed(&positions[tile.number * TILE..((tile.number + 1) * TILE).min(positions.len())])
    }

    /// The positions of the rows of `tiles`, as many tiles together as follow each other; each with their number.
    pub(super) fn runs<'a>(
        &'a self,
        tiles: &'a [UnitTile],
    ) -> impl Iterator<Item = (Positions<'a>, usize)> + 'a {
        let mut rest = tiles;
        std::iter::from_fn(move || {
            let positions = self.positions(rest.first()?);
            let count = match positions {
                Positions::From(first) => {
                    let follows = |(number, tile): &(usize, &UnitTile)| {
                        tile.first == first + number * TILE
                            && matches!(self.sources[tile.source], Source::Page(_))
                    };
                    rest.iter().enumerate().take_while(follows).count()
                }
                Positions::Listed(_) => 1,
            };
            rest = &rest[count..];
            Some((positions, count))
        })
    }

    /// Numbers of a key that a part's keys hold; `None`: all.
    pub(super) fn channels(&self, part: usize) -> Option<&[u16]> {
        match self.sources.get(self.parts[part].tiles.first()?.source)? {
            Source::Packed(packed) => packed.channels.as_deref(),
            Source::Page(_) | Source::Copied { .. } => None,
        }
    }

    /// Whether [`gather`](Self::gather) would copy a part.
    pub(super) fn is_sparse(&self, queries: usize) -> bool {
        queries * self.heads.len() >= MANY_ROWS && self.parts.iter().any(UnitPart::is_sparse)
    }

    /// Copies the rows of sparse parts together when enough queries will read them: the kernel works on whole tiles,
    /// so scattered rows cost it up to sixteen times their share.
    pub(super) fn gather(&mut self, queries: usize) {
        if !self.is_sparse(queries) {
            return;
        }
        for part in 0..self.parts.len() {
            if !self.parts[part].is_sparse() {
                continue;
            }
            let Some(copied) = self.copied(part) else { continue };
            let source = self.sources.len();
            if let Source::Copied { positions, .. } = &copied {
                let tile = |(number, rows): (usize, &[usize])| UnitTile {
                    source,
                    number,
                    first: rows[0],
                    present: u16::MAX,
                };
                self.parts[part].tiles = positions.chunks(TILE).enumerate().map(tile).collect();
            }
            self.sources.push(copied);
        }
    }

    /// The position of row `row` of a tile, which is present.
    fn position(&self, tile: &UnitTile, row: usize) -> usize {
        match self.positions(tile) {
            Positions::From(first) => first + row,
            Positions::Listed(positions) => positions[row],
        }
    }

    fn copied(&self, part: usize) -> Option<Source<'static>> {
        let part = &self.parts[part];
        let present = part.present();
        let (first_keys, first_values) = self.sources[part.tiles.first()?.source].tiles(part.standing)?;
        let mut keys = KeyTiles::new(first_keys.row_type(), first_keys.head_dim(), present);
        let mut values = ValueTiles::new(first_values.row_type(), first_values.head_dim(), present);
        let mut positions = Vec::with_capacity(present);
        for tile in &part.tiles {
            let (from_keys, from_values) = self.sources[tile.source].tiles(part.standing)?;
            for row in (0..TILE).filter(|row| tile.present >> row & 1 == 1) {
                keys.push_from(from_keys, tile.number * TILE + row);
                values.push_from(from_values, tile.number * TILE + row);
                positions.push(self.position(tile, row));
            }
        }
        Some(Source::Copied { keys, values, positions })
    }

    /// All parts as one task.
    pub(super) fn whole(&self) -> Vec<Piece> {
        self.parts.iter().enumerate().map(|(part, plan)| Piece { part, tiles: 0..plan.tiles.len() }).collect()
    }

    /// Pieces of at most [`PIECE_TILES`] tiles, each a task of its own.
    pub(super) fn pieces(&self) -> Vec<Vec<Piece>> {
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
}
