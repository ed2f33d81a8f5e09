//! The executor for inference on processors: the kernels, a pool of threads and reused buffers.

mod buffers;
mod encoder;

use std::borrow::Cow;
use std::sync::Arc;

use loci_kernels::linear::{PackedMatrix, matmul};
use loci_kernels::pool::Parts;
use loci_kernels::{Isa, Pool, vector};

use crate::ops::Ops;
use crate::signals::Distribution;
use crate::wiring::{ForwardError, Span};
use buffers::Buffers;
pub use buffers::Matrix;

/// Numbers below which an operation is not worth waking other threads for.
const SERIAL: usize = 1 << 14;
/// Numbers in one task of an operation that goes row by row.
const TASK: usize = 1 << 13;

/// A packed weight matrix and its bias.
#[derive(Debug)]
pub struct Linear {
    /// `[out_features, in_features]`.
    pub matrix: PackedMatrix,
    /// `[out_features]`.
    pub bias: Option<Vec<f32>>,
}

/// An RMS norm.
#[derive(Clone, Debug)]
pub struct Norm {
    /// One weight a column.
    pub weight: Vec<f32>,
    /// Added to the mean square.
    pub epsilon: f32,
}

/// The executor; see the [module documentation](self). Threads may share it: the pool runs one operation at a
/// time.
pub struct Cpu {
    pool: Arc<Pool>,
    isa: Isa,
    buffers: Arc<Buffers>,
}

impl std::fmt::Debug for Cpu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cpu")
            .field("isa", &self.isa)
            .field("threads", &self.pool.threads())
            .finish_non_exhaustive()
    }
}

impl Cpu {
    /// An executor that computes with `isa` on `pool`.
    pub fn new(pool: Arc<Pool>, isa: Isa) -> Self {
        Self { pool, isa, buffers: Arc::default() }
    }

    /// The threads it computes on.
    pub const fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// The instruction set it computes with.
    pub const fn isa(&self) -> Isa {
        self.isa
    }

    /// Bytes held in buffers that are free at the moment.
    pub fn idle_bytes(&self) -> usize {
        self.buffers.bytes()
    }

    fn matrix(&self, rows: usize, columns: usize) -> Matrix {
        Matrix::take(&self.buffers, rows, columns)
    }

    /// Products without the biases.
    fn products<const N: usize>(&self, input: &Matrix, weights: [&Linear; N]) -> [Matrix; N] {
        let rows = input.rows();
        let mut outputs = weights.map(|weight| self.matrix(rows, weight.matrix.out_features()));
        let matrices = weights.map(|weight| &weight.matrix);
        let mut slices = outputs.each_mut().map(Matrix::values_mut);
        matmul(self.isa, &self.pool, input.values(), rows, &matrices, &mut slices);
        outputs
    }

    /// Calls `task` with the index of a first row and a run of whole rows of `out`, on all threads if it pays.
    fn by_rows(&self, out: &mut Matrix, task: &(dyn Fn(usize, &mut [f32]) + Sync)) {
        let columns = out.columns().max(1);
        let all = out.values_mut();
        if all.len() < SERIAL {
            task(0, all);
            return;
        }
        let rows = (TASK / columns).max(1);
        let parts = Parts::new(all, rows * columns);
        self.pool.run(parts.count(), &|index| {
            if let Some(part) = parts.take(index) {
                task(index * rows, part);
            }
        });
    }
}

/// Rows of `columns` numbers of `values` that stand beside a run of `length` numbers from row `first` on.
fn beside(values: &[f32], columns: usize, first: usize, length: usize) -> &[f32] {
    let start = first * columns;
    values.get(start..start + length).unwrap_or(&[])
}

impl Ops for Cpu {
    type Tensor = Matrix;
    type Linear = Linear;
    type Norm = Norm;

    fn embed(&self, table: &Linear, tokens: &[u32]) -> Matrix {
        let columns = table.matrix.in_features();
        let mut out = self.matrix(tokens.len(), columns);
        self.by_rows(&mut out, &|first, part| {
            for (row, token) in part.chunks_exact_mut(columns).zip(tokens.get(first..).unwrap_or(&[])) {
                table.matrix.read_row(*token as usize, row);
            }
        });
        out
    }

    fn linear<const N: usize>(&self, input: &Matrix, weights: [&Linear; N]) -> [Matrix; N] {
        let mut outputs = self.products(input, weights);
        for (output, weight) in outputs.iter_mut().zip(weights) {
            if let Some(bias) = &weight.bias {
                self.by_rows(output, &|_, part| {
                    for row in part.chunks_exact_mut(bias.len()) {
                        vector::add(self.isa, row, bias);
                    }
                });
            }
        }
        outputs
    }

    fn norm(&self, input: &Matrix, norm: &Norm) -> Matrix {
        let columns = input.columns();
        let mut out = self.matrix(input.rows(), columns);
        self.by_rows(&mut out, &|first, part| {
            let source = beside(input.values(), columns, first, part.len());
            vector::rms_norm(self.isa, source, &norm.weight, norm.epsilon, part);
        });
        out
    }

    fn head_norm(&self, input: Matrix, norm: &Norm) -> Matrix {
        // A row is a whole number of heads, so rows of heads are rows of numbers.
        self.norm(&input, norm)
    }

    fn gate(&self, mut gate: Matrix, up: &Matrix) -> Matrix {
        let columns = gate.columns();
        self.by_rows(&mut gate, &|first, part| {
            vector::swiglu(self.isa, part, beside(up.values(), columns, first, part.len()));
        });
        gate
    }

    fn add(&self, mut a: Matrix, b: &Matrix) -> Matrix {
        let columns = a.columns();
        self.by_rows(&mut a, &|first, part| {
            vector::add(self.isa, part, beside(b.values(), columns, first, part.len()));
        });
        a
    }

    fn attend(
        &self,
        layer: usize,
        q: &Matrix,
        k: &Matrix,
        v: &Matrix,
        spans: &mut [Span<'_>],
    ) -> Result<Matrix, ForwardError> {
        let mut out = self.matrix(q.rows(), q.columns());
        let mut row = 0;
        for (index, span) in spans.iter_mut().enumerate() {
            let count = span.tokens.len();
            if count == 0 {
                continue;
            }
            let (q, k, v) = (q.some_rows(row, count), k.some_rows(row, count), v.some_rows(row, count));
            span.memory
                .attend(layer, q, k, v, out.some_rows_mut(row, count))
                .map_err(|source| ForwardError::Memory { span: index, source })?;
            row += count;
        }
        Ok(out)
    }

    fn select(&self, input: &Matrix, rows: &[usize]) -> Matrix {
        let mut out = self.matrix(rows.len(), input.columns());
        for (to, row) in rows.iter().enumerate() {
            out.some_rows_mut(to, 1).copy_from_slice(input.some_rows(*row, 1));
        }
        out
    }

    fn distributions(&self, logits: &Matrix) -> Vec<Distribution> {
        let columns = logits.columns();
        let mut out = vec![Distribution::default(); logits.rows()];
        let parts = Parts::new(&mut out, 1);
        self.pool.run(parts.count(), &|row| {
            let source = logits.some_rows(row, 1);
            let mut shares = self.matrix(1, columns);
            shares.values_mut().copy_from_slice(source);
            let log_sum_exp = vector::softmax(self.isa, shares.values_mut());
            // H = -sum p ln p = lse - sum p logit
            let entropy = (log_sum_exp - vector::dot(self.isa, shares.values(), source)).max(0.0);
            if let Some([slot]) = parts.take(row) {
                *slot = Distribution { log_sum_exp, entropy };
            }
        });
        drop(parts);
        out
    }

    fn values<'a>(&self, tensor: &'a Matrix) -> Cow<'a, [f32]> {
        Cow::Borrowed(tensor.values())
    }
}
