//! Repacking of weights into panels, and reading them back.

use super::layout::{self, BLOCK, Blocks, PANEL, with_blocks};
use crate::Pool;
use crate::pool::Parts;
use crate::quant::{GgmlType, blocks::Block, dequantize};

/// Why a matrix could not be packed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PackError {
    /// The bytes are not what shape and format ask for.
    #[error("the matrix [{out_features}, {in_features}] of type {ty} needs {expected} bytes, found {found}")]
    Length {
        /// Name of the format.
        ty: &'static str,
        /// Rows asked for.
        out_features: usize,
        /// Columns asked for.
        in_features: usize,
        /// Bytes that such a matrix has.
        expected: usize,
        /// Bytes given.
        found: usize,
    },
    /// The rows do not consist of whole blocks, or the size overflows.
    #[error(
        "a matrix [{out_features}, {in_features}] cannot have type {ty}: \
         rows must be a multiple of {block} long and the size must fit into memory"
    )]
    Shape {
        /// Name of the format.
        ty: &'static str,
        /// Rows asked for.
        out_features: usize,
        /// Columns asked for.
        in_features: usize,
        /// Weights in one block of the format.
        block: usize,
    },
}

/// One cache line; the unit of allocation, so that no load of 64 bytes of codes crosses a line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// A weight matrix `[out_features, in_features]` in the layout of the kernels.
///
/// Packing is lossless and happens once, when a model is loaded; the source bytes are not needed afterwards.
pub struct PackedMatrix {
    /// Decides the layout; `Q5_0` is kept as `Q8_0`.
    pub(super) ty: GgmlType,
    out_features: usize,
    in_features: usize,
    /// Bytes of one panel.
    pub(super) panel_bytes: usize,
    lines: Vec<Line>,
}

impl std::fmt::Debug for PackedMatrix {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "PackedMatrix([{}, {}], {})", self.out_features, self.in_features, self.ty.name())
    }
}

impl PackedMatrix {
    /// Packs `bytes`: `out_features` rows of `in_features` weights in format `ty`. Row `r` of the result is row
    /// `order(r)` of the source, which must be below `out_features`.
    ///
    /// # Errors
    /// When `bytes` has another length than shape and format ask for, or `in_features` is no multiple of the
    /// format's block.
    ///
    /// # Panics
    /// When `order` names a row that does not exist.
    pub fn pack(
        ty: GgmlType,
        bytes: &[u8],
        out_features: usize,
        in_features: usize,
        order: &(dyn Fn(usize) -> usize + Sync),
        pool: &Pool,
    ) -> Result<Self, PackError> {
        let shape = PackError::Shape { ty: ty.name(), out_features, in_features, block: ty.block_len() };
        let Some(row_bytes) = ty.bytes_for(in_features) else { return Err(shape) };
        let Some(expected) = row_bytes.checked_mul(out_features) else { return Err(shape) };
        if bytes.len() != expected {
            let ty = ty.name();
            return Err(PackError::Length { ty, out_features, in_features, expected, found: bytes.len() });
        }
        let layout = if ty == GgmlType::Q5_0 { GgmlType::Q8_0 } else { ty };
        let panel_bytes = layout::panel_bytes(layout, in_features);
        let panels = out_features.div_ceil(PANEL);
        let lines = panel_bytes / 64;
        let mut packed = Self {
            ty: layout,
            out_features,
            in_features,
            panel_bytes,
            lines: vec![Line([0; 64]); panels * lines],
        };
        if lines == 0 {
            return Ok(packed);
        }
        let parts = Parts::new(&mut packed.lines, lines);
        pool.run(parts.count(), &|panel| {
            let Some(lines) = parts.take(panel) else { return };
            // SAFETY: `Line` is 64 plain bytes without padding, and the length is the same number of bytes.
            let bytes_of_panel =
                unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast::<u8>(), lines.len() * 64) };
            let row = |lane: usize| {
                let index = panel * PANEL + lane;
                (index < out_features).then(|| {
                    let source = order(index);
                    assert!(source < out_features, "row {source} of a matrix with {out_features} rows");
                    &bytes[source * row_bytes..][..row_bytes]
                })
            };
            for lane in 0..PANEL {
                match row(lane) {
                    Some(row) if ty.is_dense() => pack_dense_row(ty.block_bytes(), row, lane, bytes_of_panel),
                    Some(row) => with_blocks!(layout, pack_row(ty, row, lane, bytes_of_panel)),
                    None if ty.is_dense() => {}
                    None => with_blocks!(layout, pad_row(in_features / BLOCK, lane, bytes_of_panel)),
                }
            }
        });
        Ok(packed)
    }

    /// Rows of the matrix: the length of an output row.
    pub fn out_features(&self) -> usize {
        self.out_features
    }

    /// Columns of the matrix: the length of an input row.
    pub fn in_features(&self) -> usize {
        self.in_features
    }

    /// Bytes of memory held.
    pub fn bytes(&self) -> usize {
        self.lines.len() * 64
    }

    /// The packed panels, [`Self::panel_bytes`] bytes each.
    pub(super) fn panels(&self) -> &[u8] {
        // SAFETY: `Line` is 64 plain bytes without padding, and the length is the same number of bytes.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast::<u8>(), self.bytes()) }
    }

    /// One row, dequantised: bit for bit the weights of the source.
    ///
    /// # Panics
    /// When `row` is not below [`Self::out_features`] or `out` is not [`Self::in_features`] long.
    pub fn read_row(&self, row: usize, out: &mut [f32]) {
        assert!(row < self.out_features, "row {row} of a matrix with {} rows", self.out_features);
        assert_eq!(out.len(), self.in_features, "length of a row");
        if out.is_empty() {
            return;
        }
        let panel = &self.panels()[row / PANEL * self.panel_bytes..][..self.panel_bytes];
        let lane = row % PANEL;
        if self.ty.is_dense() {
            let size = self.ty.block_bytes();
            for (value, raw) in out.iter_mut().zip(panel.chunks_exact(PANEL * size)) {
                dequantize(self.ty, &raw[lane * size..][..size], std::slice::from_mut(value));
            }
        } else {
            with_blocks!(self.ty, read_packed(panel, lane, out));
        }
    }
}

fn pack_dense_row(size: usize, row: &[u8], lane: usize, panel: &mut [u8]) {
    for (value, group) in row.chunks_exact(size).zip(panel.chunks_exact_mut(PANEL * size)) {
        group[lane * size..][..size].copy_from_slice(value);
    }
}

fn pack_row<B: Blocks>(ty: GgmlType, row: &[u8], lane: usize, panel: &mut [u8]) {
    let mut source = Block::default();
    for (index, raw) in row.chunks_exact(ty.block_bytes()).enumerate() {
        source.read(ty, raw);
        let moved = B::ZERO.wrapping_sub(source.zero); // 0, or what moves the zero point to 128
        let blocks = source.len / BLOCK;
        for part in 0..blocks {
            let block = index * blocks + part;
            for (column, code) in source.codes[part * BLOCK..][..BLOCK].iter().enumerate() {
                put_code::<B>(panel, block, lane, column, code.wrapping_add(moved));
            }
            let place = layout::place::<B>(block);
            let at = place.factors;
            if B::SUPERS {
                let (first, second) = if B::HALVES {
                    (source.group_scales[part * 2], source.group_scales[part * 2 + 1])
                } else {
                    (source.group_scales[part], source.group_mins[part])
                };
                panel[at + lane] = first as u8;
                panel[at + PANEL + lane] = second as u8;
                put_halves::<B>(panel, place.supers, lane, &source);
            } else {
                put_halves::<B>(panel, at, lane, &source);
            }
        }
    }
}

/// Rows behind the last one: codes of the weight 0 under a scale of 0.
fn pad_row<B: Blocks>(blocks: usize, lane: usize, panel: &mut [u8]) {
    for block in 0..blocks {
        for column in 0..BLOCK {
            put_code::<B>(panel, block, lane, column, B::ZERO);
        }
    }
}

fn put_halves<B: Blocks>(panel: &mut [u8], at: usize, lane: usize, source: &Block) {
    panel[at + lane * 2..][..2].copy_from_slice(&source.scale.to_le_bytes());
    if B::MINS {
        panel[at + 32 + lane * 2..][..2].copy_from_slice(&source.min.to_le_bytes());
    }
}

/// Index of the byte that holds a code, and the shift within it.
fn code_place<B: Blocks>(block: usize, lane: usize, column: usize) -> (usize, u32) {
    let (column, shift) = if B::NIBBLES { (column % 16, column as u32 / 16 * 4) } else { (column, 0) };
    (layout::place::<B>(block).codes + column / 4 * 64 + lane * 4 + column % 4, shift)
}

fn put_code<B: Blocks>(panel: &mut [u8], block: usize, lane: usize, column: usize, code: u8) {
    let (at, shift) = code_place::<B>(block, lane, column);
    panel[at] |= code << shift;
}

fn read_packed<B: Blocks>(panel: &[u8], lane: usize, out: &mut [f32]) {
    let mut scales = [0.0; 2];
    let mut min = 0.0;
    for (block, out) in out.chunks_exact_mut(BLOCK).enumerate() {
        factors::<B>(panel, lane, block, &mut scales, &mut min);
        for (column, value) in out.iter_mut().enumerate() {
            let (at, shift) = code_place::<B>(block, lane, column);
            let code = if B::NIBBLES { panel[at] >> shift & 0xF } else { panel[at] };
            *value = scales[column / 16] * f32::from(i16::from(code) - i16::from(B::ZERO));
            if B::MINS {
                *value += min;
            }
        }
    }
}

/// The scales of the two halves of a block and its min, for one lane of a panel.
fn factors<B: Blocks>(panel: &[u8], lane: usize, block: usize, scales: &mut [f32; 2], min: &mut f32) {
    let half =
        |at: usize| half::f16::from_le_bytes([panel[at + lane * 2], panel[at + lane * 2 + 1]]).to_f32();
    let place = layout::place::<B>(block);
    let at = place.factors;
    if !B::SUPERS {
        *scales = [half(at); 2];
        *min = if B::MINS { half(at + 32) } else { 0.0 };
        return;
    }
    let small = |at: usize| f32::from(panel[at + lane] as i8);
    let scale = half(place.supers);
    if B::HALVES {
        *scales = [scale * small(at), scale * small(at + PANEL)];
        *min = 0.0;
    } else {
        *scales = [scale * small(at); 2];
        *min = half(place.supers + 32) * small(at + PANEL);
    }
}
