//! Packed rows: what is left of the rows before some position once a method has dropped single ones of them.

use loci_kernels::Isa;
use loci_kernels::tiles::{KeyTiles, ValueTiles};
use loci_models::memory::MemoryError;
use loci_models::rope::RopeSchedule;

use super::page::Forms;
use super::{Layout, Page, missing};
use crate::saved::{Reader, Writer};

/// What is to be left of the rows of one kv head.
#[derive(Clone, Debug, Default)]
pub struct HeadPacking {
    /// Positions that stay, ascending.
    pub rows: Vec<usize>,
    /// Numbers of a rotated key that stay, ascending; `None`: all.
    pub channels: Option<Vec<u16>>,
    /// Rows from this position on stay as they are; `None`: all rows written so far are decided about.
    pub end: Option<usize>,
    /// Whether the rows move together: they then stand at 0, 1, 2, … and what follows stands right behind them.
    pub together: bool,
}

/// Packed rows of one kv head.
#[derive(Clone, Debug)]
pub(crate) struct Packed {
    /// Where the rows stood in the text, ascending.
    pub(crate) positions: Vec<usize>,
    /// The rows.
    pub(crate) rows: Page,
    /// Numbers of a key that the rotated keys hold; `None`: all.
    pub(crate) channels: Option<Vec<u16>>,
    /// Positions by which the rows stand nearer to what follows than they did in the text, all alike: the last one
    /// stands right before it.
    pub(crate) moved: usize,
}

impl Packed {
    pub(super) fn bytes(&self) -> usize {
        let channels = self.channels.as_ref().map_or(0, |channels| channels.capacity() * size_of::<u16>());
        self.rows.bytes() + self.positions.capacity() * size_of::<usize>() + channels
    }

    /// The row that stood at `position`.
    pub(super) fn row(&self, position: usize) -> Option<usize> {
        self.positions.binary_search(&position).ok()
    }

    pub(super) fn save(&self, out: &mut Writer<'_>) -> Result<(), MemoryError> {
        out.numbers(&self.positions)?;
        let channels: Vec<usize> =
            self.channels.iter().flatten().map(|channel| usize::from(*channel)).collect();
        out.number(usize::from(self.channels.is_some()))?;
        out.numbers(&channels)?;
        out.number(self.moved)?;
        out.number(self.rows.forms().code())?;
        self.rows.save(out)
    }

    pub(super) fn read(from: &mut Reader, end: usize, layout: &Layout) -> Result<Self, MemoryError> {
        let positions = from.numbers()?;
        let some = from.number()? != 0;
        let head_dim = layout.shape.head_dim;
        let channels = from.numbers()?;
        let damaged = || MemoryError::Saved("packed rows are not in order".into());
        let ascends = |numbers: &[usize], end: usize| {
            numbers.windows(2).all(|pair| pair[0] < pair[1]) && numbers.last().is_none_or(|last| *last < end)
        };
        if !ascends(&positions, end) || !ascends(&channels, head_dim) {
            return Err(damaged());
        }
        let channels: Vec<u16> = channels.iter().filter_map(|channel| u16::try_from(*channel).ok()).collect();
        let key_dim = if some { channels.len() } else { head_dim };
        let moved = from.number()?;
        let forms = Forms::of_code(from.number()?)?;
        let rows = Page::read(from, positions.len(), layout, forms, key_dim)?;
        Ok(Self { positions, rows, channels: some.then_some(channels), moved })
    }
}

/// Packs rows one after the other.
pub(super) struct Packer<'a> {
    packing: &'a HeadPacking,
    schedule: &'a RopeSchedule,
    isa: Isa,
    positions: Vec<usize>,
    rows: Page,
    key: Vec<f32>,
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl<'a> Packer<'a> {
    pub(super) fn new(
        packing: &'a HeadPacking,
        layout: &Layout,
        schedule: &'a RopeSchedule,
        isa: Isa,
    ) -> Self {
        let (kind, head_dim, count) = (layout.row_type, layout.shape.head_dim, packing.rows.len());
        let key_dim = packing.channels.as_ref().map_or(head_dim, Vec::len);
        let rows = Page {
            raw: layout.raw.then(|| KeyTiles::new(kind, head_dim, count)),
            rotated: (layout.rotated_reach > 0).then(|| KeyTiles::new(kind, key_dim, count)),
            values: ValueTiles::new(kind, head_dim, count),
        };
        let zeros = vec![0.0; head_dim / 2];
        Self {
            packing,
            schedule,
            isa,
            positions: Vec::with_capacity(count),
            rows,
            key: vec![0.0; head_dim],
            cos: zeros.clone(),
            sin: zeros,
        }
    }

    /// Adds row `row` of `from`, which stood at `position`; `channels` are those that its rotated keys hold.
    pub(super) fn push(
        &mut self,
        position: usize,
        from: &Page,
        row: usize,
        channels: Option<&[u16]>,
    ) -> Result<(), MemoryError> {
        self.rows.values.push_from(&from.values, row);
        if let (Some(raw), Some(from)) = (&mut self.rows.raw, &from.raw) {
            raw.push_from(from, row);
        }
        if let Some(rotated) = &mut self.rows.rotated {
            if self.packing.together {
                let raw = from.raw.as_ref().ok_or_else(|| missing("unrotated keys", position))?;
                raw.read(row, &mut self.key);
                #[allow(clippy::cast_precision_loss)] // positions stay far below 2^52
                self.schedule.rotation(self.positions.len() as f64, &mut self.cos, &mut self.sin);
                loci_kernels::vector::rotate(self.isa, &mut self.key, &self.cos, &self.sin);
                rotated.push(&self.key);
            } else {
                let keys = from.rotated.as_ref().ok_or_else(|| missing("rotated keys", position))?;
                match (&self.packing.channels, channels) {
                    (wanted, held) if wanted.as_deref() == held => rotated.push_from(keys, row),
                    (Some(wanted), None) => {
                        keys.read(row, &mut self.key);
                        let cut: Vec<f32> = wanted
                            .iter()
                            .filter_map(|channel| self.key.get(usize::from(*channel)).copied())
                            .collect();
                        rotated.push(&cut);
                    }
                    _ => return Err(MemoryError::Misuse("packed keys cannot get other channels".into())),
                }
            }
        }
        self.positions.push(position);
        Ok(())
    }

    /// The packed rows, followed by what stands at `end`.
    pub(super) fn finish(self, end: usize) -> Packed {
        let moved = if self.packing.together { end - self.positions.len() } else { 0 };
        Packed { positions: self.positions, rows: self.rows, channels: self.packing.channels.clone(), moved }
    }
}
