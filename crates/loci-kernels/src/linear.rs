//! Weights repacked at load, and their products with activations. stub: signatures only
use crate::{Isa, Pool, quant::GgmlType};

/// Why a matrix could not be packed.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// length
    #[error("the matrix [{out_features}, {in_features}] of type {ty} needs {expected} bytes, found {found}")]
    Length { #[allow(missing_docs)] ty: &'static str, #[allow(missing_docs)] out_features: usize, #[allow(missing_docs)] in_features: usize, #[allow(missing_docs)] expected: usize, #[allow(missing_docs)] found: usize },
}

/// A weight matrix `[out_features, in_features]` in the layout of the kernels.
#[derive(Debug)]
pub struct PackedMatrix {}

impl PackedMatrix {
    /// Packs `bytes` (`out_features` rows of `in_features` weights in format `ty`). Row `r` of the result is row
    /// `order(r)` of the source.
    ///
    /// # Errors
    /// When `bytes` has another length than the shape and type ask for.
    pub fn pack(_ty: GgmlType, _bytes: &[u8], _out_features: usize, _in_features: usize, _order: &(dyn Fn(usize) -> usize + Sync), _pool: &Pool) -> Result<Self, PackError> { unimplemented!() }
    /// rows
    pub fn out_features(&self) -> usize { unimplemented!() }
    /// columns
    pub fn in_features(&self) -> usize { unimplemented!() }
    /// memory held
    pub fn bytes(&self) -> usize { unimplemented!() }
    /// One row, dequantised: equal to the source's weights exactly.
    pub fn read_row(&self, _row: usize, _out: &mut [f32]) { unimplemented!() }
}

/// `outputs[i] [rows, weights[i].out_features] = input [rows, in_features] x weights[i]^T`; the input is quantised once.
pub fn matmul(_isa: Isa, _pool: &Pool, _input: &[f32], _rows: usize, _weights: &[&PackedMatrix], _outputs: &mut [&mut [f32]]) { unimplemented!() }

/// The plain form: every weight as f32, activations unquantised, sums in f64.
pub fn matmul_reference(_input: &[f32], _rows: usize, _weight: &PackedMatrix, _output: &mut [f32]) { unimplemented!() }
