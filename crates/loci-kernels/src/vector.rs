//! Vector operations of a transformer. stub
use crate::Isa;
/// `out[r] = input[r] / rms(input[r]) * weight`, rows of `weight.len()`.
pub fn rms_norm(_isa: Isa, _input: &[f32], _weight: &[f32], _epsilon: f32, _out: &mut [f32]) { unimplemented!() }
/// Rotates one row in place, half-split pairs (i, i + n) where n = cos.len(): x0 = x0 cos - x1 sin, x1 = x1 cos + x0 sin. Dimensions behind 2n stay.
pub fn rotate(_isa: Isa, _row: &mut [f32], _cos: &[f32], _sin: &[f32]) { unimplemented!() }
/// `gate[i] = silu(gate[i]) * up[i]`
pub fn swiglu(_isa: Isa, _gate: &mut [f32], _up: &[f32]) { unimplemented!() }
/// `a += b`
pub fn add(_isa: Isa, _a: &mut [f32], _b: &[f32]) { unimplemented!() }
/// dot product
pub fn dot(_isa: Isa, _a: &[f32], _b: &[f32]) -> f32 { unimplemented!() }
/// in place softmax; returns log-sum-exp
pub fn softmax(_isa: Isa, _row: &mut [f32]) -> f32 { unimplemented!() }
