//! Block formats of GGUF: layout and exact dequantisation.
//!
//! A quantised tensor is a sequence of blocks. Each block holds small unsigned codes `u` and what turns
//! them back into weights: `w = scale * (u - zero)` in the symmetric formats, `w = scale * u + min` in the
//! others. The K-formats have blocks of 256 weights with a scale (and min) of few bits for each 16 or 32 of
//! them, multiplied by one f16 for all. [`dequantize`] gives the same f32 numbers, bit for bit, as the
//! reference implementation of the format.

pub(crate) mod blocks;

use blocks::Block;

/// Number formats of GGUF tensors that Loci reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(non_camel_case_types)] // the names of the format's own documentation
pub enum GgmlType {
    /// 32-bit float.
    F32,
    /// 16-bit float, IEEE half precision.
    F16,
    /// 16-bit float with the exponent of f32.
    BF16,
    /// 32 signed 8-bit codes, f16 scale.
    Q8_0,
    /// 32 4-bit codes with zero point 8, f16 scale.
    Q4_0,
    /// 32 4-bit codes, f16 scale and min.
    Q4_1,
    /// 32 5-bit codes with zero point 16, f16 scale.
    Q5_0,
    /// 32 5-bit codes, f16 scale and min.
    Q5_1,
    /// 256 4-bit codes; 6-bit scale and min for each 32.
    Q4_K,
    /// 256 5-bit codes; 6-bit scale and min for each 32.
    Q5_K,
    /// 256 6-bit codes with zero point 32; 8-bit scale for each 16.
    Q6_K,
}

impl GgmlType {
    /// All formats.
    pub const ALL: [Self; 11] = [
        Self::F32,
        Self::F16,
        Self::BF16,
        Self::Q8_0,
        Self::Q4_0,
        Self::Q4_1,
        Self::Q5_0,
        Self::Q5_1,
        Self::Q4_K,
        Self::Q5_K,
        Self::Q6_K,
    ];

    /// The format with this number in a GGUF file; `None` when Loci does not read it.
    pub const fn from_id(id: u32) -> Option<Self> {
        Some(match id {
            0 => Self::F32,
            1 => Self::F16,
            2 => Self::Q4_0,
            3 => Self::Q4_1,
            6 => Self::Q5_0,
            7 => Self::Q5_1,
            8 => Self::Q8_0,
            12 => Self::Q4_K,
            13 => Self::Q5_K,
            14 => Self::Q6_K,
            30 => Self::BF16,
            _ => return None,
        })
    }

    /// The number of weights in one block; 1 for plain numbers.
    pub const fn block_len(self) -> usize {
        match self {
            Self::F32 | Self::F16 | Self::BF16 => 1,
            Self::Q8_0 | Self::Q4_0 | Self::Q4_1 | Self::Q5_0 | Self::Q5_1 => 32,
            Self::Q4_K | Self::Q5_K | Self::Q6_K => 256,
        }
    }

    /// The bytes of one block.
    pub const fn block_bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::BF16 => 2,
            Self::Q8_0 => 2 + 32,
            Self::Q4_0 => 2 + 16,
            Self::Q4_1 => 4 + 16,
            Self::Q5_0 => 2 + 4 + 16,
            Self::Q5_1 => 4 + 4 + 16,
            Self::Q4_K => 4 + 12 + 128,
            Self::Q5_K => 4 + 12 + 32 + 128,
            Self::Q6_K => 128 + 64 + 16 + 2,
        }
    }

    /// The name as in GGUF.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::BF16 => "BF16",
            Self::Q8_0 => "Q8_0",
            Self::Q4_0 => "Q4_0",
            Self::Q4_1 => "Q4_1",
            Self::Q5_0 => "Q5_0",
            Self::Q5_1 => "Q5_1",
            Self::Q4_K => "Q4_K",
            Self::Q5_K => "Q5_K",
            Self::Q6_K => "Q6_K",
        }
    }

    /// Whether the format stores plain numbers instead of codes.
    pub const fn is_dense(self) -> bool {
        self.block_len() == 1
    }

    /// The bytes of `n` weights; `None` when `n` is no multiple of the block or the number overflows.
    pub const fn bytes_for(self, n: usize) -> Option<usize> {
        if !n.is_multiple_of(self.block_len()) {
            return None;
        }
        (n / self.block_len()).checked_mul(self.block_bytes())
    }
}

/// Dequantises whole blocks exactly: `out[i]` is weight `i` of `bytes`.
///
/// # Panics
/// When `bytes` is not [`GgmlType::bytes_for`] `out.len()` long; callers check sizes when they open a file.
pub fn dequantize(ty: GgmlType, bytes: &[u8], out: &mut [f32]) {
    assert_eq!(ty.bytes_for(out.len()), Some(bytes.len()), "{} weights of type {}", out.len(), ty.name());
    match ty {
        GgmlType::F32 => {
            for (value, raw) in out.iter_mut().zip(bytes.as_chunks::<4>().0) {
                *value = f32::from_le_bytes(*raw);
            }
        }
        GgmlType::F16 => {
            for (value, raw) in out.iter_mut().zip(bytes.as_chunks::<2>().0) {
                *value = half::f16::from_le_bytes(*raw).to_f32();
            }
        }
        GgmlType::BF16 => {
            for (value, raw) in out.iter_mut().zip(bytes.as_chunks::<2>().0) {
                *value = half::bf16::from_le_bytes(*raw).to_f32();
            }
        }
        _ => {
            let mut block = Block::default();
            let blocks = bytes.chunks_exact(ty.block_bytes());
            for (weights, raw) in out.chunks_exact_mut(ty.block_len()).zip(blocks) {
                block.read(ty, raw);
                block.dequantize(weights);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_refused_instead_of_overflowing() {
        for ty in GgmlType::ALL {
            assert_eq!(ty.bytes_for(0), Some(0));
            assert_eq!(ty.bytes_for(ty.block_len() * 3), Some(ty.block_bytes() * 3));
            if !ty.is_dense() {
                assert_eq!(ty.bytes_for(ty.block_len() + 1), None);
            }
        }
        assert_eq!(GgmlType::F32.bytes_for(usize::MAX), None);
        assert_eq!(GgmlType::Q8_0.bytes_for(usize::MAX / 32 * 32), None);
    }

    #[test]
    fn unknown_numbers_have_no_format() {
        assert_eq!(GgmlType::from_id(3), Some(GgmlType::Q4_1));
        assert_eq!(GgmlType::from_id(4), None);
        assert_eq!(GgmlType::from_id(u32::MAX), None);
    }

    /// Bytes and values written by `scripts/golden/quant.py` from the format's reference implementation.
    #[test]
    fn every_format_equals_the_reference_implementation() {
        let goldens: [(GgmlType, &[u8]); 11] = [
            (GgmlType::F32, include_bytes!("../tests/fixtures/quant_F32.bin")),
            (GgmlType::F16, include_bytes!("../tests/fixtures/quant_F16.bin")),
            (GgmlType::BF16, include_bytes!("../tests/fixtures/quant_BF16.bin")),
            (GgmlType::Q8_0, include_bytes!("../tests/fixtures/quant_Q8_0.bin")),
            (GgmlType::Q4_0, include_bytes!("../tests/fixtures/quant_Q4_0.bin")),
            (GgmlType::Q4_1, include_bytes!("../tests/fixtures/quant_Q4_1.bin")),
            (GgmlType::Q5_0, include_bytes!("../tests/fixtures/quant_Q5_0.bin")),
            (GgmlType::Q5_1, include_bytes!("../tests/fixtures/quant_Q5_1.bin")),
            (GgmlType::Q4_K, include_bytes!("../tests/fixtures/quant_Q4_K.bin")),
            (GgmlType::Q5_K, include_bytes!("../tests/fixtures/quant_Q5_K.bin")),
            (GgmlType::Q6_K, include_bytes!("../tests/fixtures/quant_Q6_K.bin")),
        ];
        for (ty, golden) in goldens {
            let (count, rest) = golden.split_first_chunk::<4>().unwrap();
            let count = u32::from_le_bytes(*count) as usize;
            let (bytes, expected) = rest.split_at(ty.bytes_for(count).unwrap());
            let mut found = vec![0.0; count];
            dequantize(ty, bytes, &mut found);
            for (index, (found, raw)) in found.iter().zip(expected.as_chunks::<4>().0).enumerate() {
                let expected = f32::from_le_bytes(*raw);
                assert_eq!(*found, expected, "{} weight {index}", ty.name());
            }
        }
    }
}
