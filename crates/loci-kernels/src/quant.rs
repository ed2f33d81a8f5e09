//! Block formats of GGUF: layout and exact dequantisation. stub
/// Number formats of GGUF tensors that Loci reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, non_camel_case_types)]
pub enum GgmlType { F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K }
impl GgmlType {
    /// From the number in a GGUF file.
    pub const fn from_id(id: u32) -> Option<Self> {
        Some(match id { 0 => Self::F32, 1 => Self::F16, 2 => Self::Q4_0, 3 => Self::Q4_1, 6 => Self::Q5_0, 7 => Self::Q5_1, 8 => Self::Q8_0, 12 => Self::Q4_K, 13 => Self::Q5_K, 14 => Self::Q6_K, 30 => Self::BF16, _ => return None })
    }
    /// Weights in one block.
    pub const fn block_len(self) -> usize { unimplemented!() }
    /// Bytes of one block.
    pub const fn block_bytes(self) -> usize { unimplemented!() }
    /// Name as in GGUF.
    pub const fn name(self) -> &'static str { unimplemented!() }
    /// Bytes of `n` weights; None if n is no multiple of the block or overflows
    pub fn bytes_for(self, _n: usize) -> Option<usize> { unimplemented!() }
}
/// Dequantises whole blocks exactly.
pub fn dequantize(_ty: GgmlType, _bytes: &[u8], _out: &mut [f32]) { unimplemented!() }
