//! What only encoders compute: layer norms, GELU, and attention in which every token sees every other.
//!
//! Biases, sums and norms behind a product are taken row by row in one go, while a row is in the cache.

use std::cell::RefCell;
use std::ops::Range;

use loci_kernels::attend::{self, Part, TilePair};
use loci_kernels::pool::Parts;
use loci_kernels::tiles::{KeyTiles, RowType, ValueTiles};
use loci_kernels::vector;

use super::{Cpu, Linear, Matrix, beside};
use crate::encoder::{Activation, LayerNorm};

/// Query rows of a task of attention.
const STRIP_ROWS: usize = 48;

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// What a task of attention needs, kept from task to task.
#[derive(Default)]
struct Scratch {
    kernel: attend::Scratch,
    /// `[rows, head_dim]`.
    queries: Vec<f32>,
    /// `[rows, head_dim]`.
    out: Vec<f32>,
    /// `[rows]`.
    lse: Vec<f32>,
}

impl Cpu {
    /// Rows `words[token] + positions[position]`, normed, for each `(token, position)`; both tables have rows of
    /// `columns` numbers.
    pub(crate) fn embed_places(
        &self,
        words: &[f32],
        positions: &[f32],
        columns: usize,
        places: &[(u32, usize)],
        norm: &LayerNorm,
    ) -> Matrix {
        let mut out = self.matrix(places.len(), columns);
        self.by_rows(&mut out, &|first, part| {
            for (row, (token, position)) in part.chunks_exact_mut(columns).zip(places.iter().skip(first)) {
                row.copy_from_slice(beside(words, columns, *token as usize, columns));
                vector::add(self.isa, row, beside(positions, columns, *position, columns));
            }
            vector::layer_norm(self.isa, part, &norm.weight, &norm.bias, norm.epsilon);
        });
        out
    }

    /// The activation of a product.
    pub(crate) fn project_and_activate(
        &self,
        input: &Matrix,
        weight: &Linear,
        activation: Activation,
    ) -> Matrix {
        let [mut out] = self.products(input, [weight]);
        self.by_rows(&mut out, &|_, part| {
            self.add_bias(part, weight);
            match activation {
                Activation::Gelu => vector::gelu(self.isa, part),
                Activation::GeluTanh => vector::gelu_tanh(self.isa, part),
            }
        });
        out
    }

    /// The norm of a product and `residual` `[rows, out_features]`.
    pub(crate) fn project_and_norm(
        &self,
        input: &Matrix,
        weight: &Linear,
        residual: &Matrix,
        norm: &LayerNorm,
    ) -> Matrix {
        let [mut out] = self.products(input, [weight]);
        let columns = out.columns();
        self.by_rows(&mut out, &|first, part| {
            self.add_bias(part, weight);
            vector::add(self.isa, part, beside(residual.values(), columns, first, part.len()));
            vector::layer_norm(self.isa, part, &norm.weight, &norm.bias, norm.epsilon);
        });
        out
    }

    fn add_bias(&self, rows: &mut [f32], weight: &Linear) {
        if let Some(bias) = &weight.bias {
            for row in rows.chunks_exact_mut(bias.len()) {
                vector::add(self.isa, row, bias);
            }
        }
    }

    /// Attention of sequences of these `lengths`, which stand one behind the other in the rows of `q`, `k` and `v`
    /// `[rows, heads * head_dim]`: each row sees all rows of its own sequence.
    pub(crate) fn attend_all(
        &self,
        q: &Matrix,
        k: &Matrix,
        v: &Matrix,
        heads: usize,
        lengths: &[usize],
    ) -> Matrix {
        let columns = q.columns();
        let head_dim = columns / heads.max(1);
        let mut ends = Vec::with_capacity(lengths.len());
        let mut sequences: Vec<Range<usize>> = Vec::with_capacity(lengths.len());
        for length in lengths {
            let start = ends.last().copied().unwrap_or(0);
            ends.push(start + length);
            sequences.push(start..start + length);
        }
        // First the keys and values of each sequence and head go into tiles, then strips of rows read them.
        let mut tiles: Vec<Option<(KeyTiles, ValueTiles)>> = vec![None; lengths.len() * heads];
        let parts = Parts::new(&mut tiles, 1);
        self.pool.run(parts.count(), &|index| {
            let (Some([slot]), Some(rows)) = (parts.take(index), sequences.get(index / heads)) else {
                return;
            };
            let mut keys = KeyTiles::new(RowType::F32, head_dim, rows.len());
            let mut values = ValueTiles::new(RowType::F32, head_dim, rows.len());
            let head = index % heads;
            for row in rows.clone() {
                keys.push(beside(k.some_rows(row, 1), head_dim, head, head_dim));
                values.push(beside(v.some_rows(row, 1), head_dim, head, head_dim));
            }
            *slot = Some((keys, values));
        });
        drop(parts);
        let mut out = self.matrix(q.rows(), columns);
        let parts = Parts::new(out.values_mut(), STRIP_ROWS * columns);
        self.pool.run(parts.count(), &|index| {
            let Some(strip) = parts.take(index) else { return };
            let first = index * STRIP_ROWS;
            let end = first + strip.len() / columns.max(1);
            let begin = ends.partition_point(|end| *end <= first);
            for (number, rows) in sequences.iter().enumerate().skip(begin) {
                if rows.start >= end {
                    break;
                }
                let rows = rows.start.max(first)..rows.end.min(end);
                for head in 0..heads {
                    let Some(Some(pair)) = tiles.get(number * heads + head) else { continue };
                    SCRATCH.with_borrow_mut(|scratch| {
                        self.attend_head(q, pair, head, rows.clone(), first, strip, scratch);
                    });
                }
            }
        });
        drop(parts);
        out
    }

    /// One head of some rows; `strip` are the rows of the result from row `first` on.
    fn attend_head(
        &self,
        q: &Matrix,
        (keys, values): &(KeyTiles, ValueTiles),
        head: usize,
        rows: Range<usize>,
        first: usize,
        strip: &mut [f32],
        scratch: &mut Scratch,
    ) {
        let (head_dim, columns, count) = (keys.head_dim(), q.columns(), rows.len());
        let Scratch { kernel, queries, out, lse } = scratch;
        queries.clear();
        for row in rows.clone() {
            queries.extend_from_slice(beside(q.some_rows(row, 1), head_dim, head, head_dim));
        }
        out.resize(count * head_dim, 0.0);
        lse.resize(count, 0.0);
        let tiles: Vec<TilePair<'_>> = (0..keys.tiles())
            .map(|tile| TilePair { keys: keys.tile(tile), values: values.tile(tile), present: u16::MAX })
            .collect();
        let part = Part { queries, tiles: &tiles, bounds: None };
        let scale = 1.0 / (head_dim as f32).sqrt();
        attend::attend(self.isa, scale, &[part], count, head_dim, kernel, out, lse, None);
        for (row, from) in rows.zip(out.chunks_exact(head_dim)) {
            let start = (row - first) * columns + head * head_dim;
            if let Some(to) = strip.get_mut(start..start + head_dim) {
                to.copy_from_slice(from);
            }
        }
    }
}
