//! The rows that a group of heads reads, sorted into parts by where their keys stand.

use std::ops::Range;
use std::sync::Arc;

use loci_kernels::attend::TilePair;
use loci_kernels::tiles::TILE;
use loci_models::memory::MemoryError;

use super::{Call, PIECE_TILES};
use crate::select::Selection;
use crate::store::{PAGE, Page, missing};

/// Heads that read the same rows of one kv head.
pub(super) struct Unit {
    kv_head: usize,
    pub(super) heads: Range<usize>,
    pub(super) parts: Vec<UnitPart>,
    /// The pages that tiles lie in, held while they are read.
    pages: Vec<Arc<Page>>,
}

pub(super) struct UnitPart {
    /// `None`: true distances; otherwise the distance at which all keys stand.
    pub(super) far: Option<f64>,
    pub(super) tiles: Vec<UnitTile>,
    /// Keys at true distances below this are visible (near parts), or at this and beyond (far parts).
    pub(super) edge: usize,
}

#[derive(Clone, Copy)]
pub(super) struct UnitTile {
    /// Index of its page in the unit.
    page: usize,
    /// Position of its first row.
    pub(super) base: usize,
    present: u16,
}

impl Call<'_> {
    /// The heads that read together, each with its rows.
    pub(super) fn units(&self) -> Result<Vec<Unit>, MemoryError> {
        let groups = self.choice.groups(self.shape).into_iter();
        groups.map(|(kv_head, heads, selection)| self.unit(kv_head, heads, selection)).collect()
    }

    /// Sorts the rows of a selection into parts by the distance at which they stand.
    fn unit(&self, kv_head: usize, heads: Range<usize>, selection: &Selection) -> Result<Unit, MemoryError> {
        debug_assert!(selection.is_sorted(), "spans must ascend and not overlap");
        let end = self.first + self.count();
        let mut unit = Unit { kv_head, heads, parts: Vec::new(), pages: Vec::new() };
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

    fn add(
        &self,
        unit: &mut Unit,
        far: Option<f64>,
        edge: usize,
        rows: Range<usize>,
    ) -> Result<(), MemoryError> {
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
        let layer = self.store.layer(self.layer);
        let mut held = None;
        for tile in rows.start / TILE..rows.end.div_ceil(TILE) {
            let base = tile * TILE;
            let from = rows.start.saturating_sub(base);
            let to = (rows.end - base).min(TILE);
            let present = (u16::MAX >> (TILE - (to - from))) << from;
            let tiles = &mut unit.parts[part].tiles;
            if let Some(last) = tiles.last_mut().filter(|last| last.base == base) {
                last.present |= present;
                continue;
            }
            if held != Some(base / PAGE) {
                let page = layer.page(unit.kv_head, base / PAGE)?;
                let (keys, what) = match far {
                    Some(_) => (&page.raw, "unrotated keys"),
                    None => (&page.rotated, "rotated keys"),
                };
                if keys.is_none() {
                    return Err(missing(what, base));
                }
                held = Some(base / PAGE);
                unit.pages.push(page);
            }
            tiles.push(UnitTile { page: unit.pages.len() - 1, base, present });
        }
        Ok(())
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
    pub(super) fn pairs<'a>(&self, unit: &'a Unit) -> Vec<TilePair<'a>> {
        let part = &unit.parts[self.part];
        part.tiles[self.tiles.clone()]
            .iter()
            .filter_map(|tile| {
                let page = &unit.pages[tile.page];
                let keys = if part.far.is_some() { page.raw.as_ref() } else { page.rotated.as_ref() }?;
                let number = tile.base % PAGE / TILE;
                Some(TilePair {
                    keys: keys.tile(number),
                    values: page.values.tile(number),
                    present: tile.present,
                })
            })
            .collect()
    }
}

impl Unit {
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
