//! One block of any quantised format, taken apart.

use super::GgmlType;
use half::f16;

/// The parts of one block: `w = scale * (u - zero) + min`, where only one of `zero` and `min` is in use.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    /// Weights in the block: 32 or 256.
    pub(crate) len: usize,
    /// Weights that share a scale: 32, or 16 in `Q6_K`.
    pub(crate) group: usize,
    /// Code of the weight 0 in the symmetric formats, else 0.
    pub(crate) zero: u8,
    /// Unsigned codes in the order of the weights.
    pub(crate) codes: [u8; 256],
    /// f16 factor of all scales.
    pub(crate) scale: f16,
    /// f16 factor of all mins, with the sign with which they are added; 0 in the symmetric formats.
    pub(crate) min: f16,
    /// Integer factors of the groups' scales; 1 outside the K-formats.
    pub(crate) group_scales: [i8; 16],
    /// Integer factors of the groups' mins; 1 outside the K-formats.
    pub(crate) group_mins: [i8; 16],
}

impl Default for Block {
    fn default() -> Self {
        Self {
            len: 0,
            group: 32,
            zero: 0,
            codes: [0; 256],
            scale: f16::ZERO,
            min: f16::ZERO,
            group_scales: [1; 16],
            group_mins: [1; 16],
        }
    }
}

impl Block {
    /// Takes one block of a quantised format apart. `raw` is `ty.block_bytes()` long.
    pub(crate) fn read(&mut self, ty: GgmlType, raw: &[u8]) {
        self.len = ty.block_len();
        self.group = if ty == GgmlType::Q6_K { 16 } else { 32 };
        let f16_at = |at: usize| f16::from_le_bytes([raw[at], raw[at + 1]]);
        self.min = f16::ZERO;
        self.zero = 0;
        match ty {
            GgmlType::Q8_0 => {
                self.scale = f16_at(0);
                self.zero = 128;
                for (code, byte) in self.codes.iter_mut().zip(&raw[2..34]) {
                    *code = byte ^ 0x80; // adds 128 to a signed byte
                }
            }
            GgmlType::Q4_0 => {
                self.scale = f16_at(0);
                self.zero = 8;
                self.read_nibbles(&raw[2..18]);
            }
            GgmlType::Q4_1 => {
                self.scale = f16_at(0);
                self.min = f16_at(2);
                self.read_nibbles(&raw[4..20]);
            }
            GgmlType::Q5_0 => {
                self.scale = f16_at(0);
                self.zero = 16;
                self.read_nibbles(&raw[6..22]);
                self.add_fifth_bits([raw[2], raw[3], raw[4], raw[5]]);
            }
            GgmlType::Q5_1 => {
                self.scale = f16_at(0);
                self.min = f16_at(2);
                self.read_nibbles(&raw[8..24]);
                self.add_fifth_bits([raw[4], raw[5], raw[6], raw[7]]);
            }
            GgmlType::Q4_K => {
                self.scale = f16_at(0);
                self.min = -f16_at(2);
                self.read_group_factors(&raw[4..16]);
                self.read_long_nibbles(&raw[16..144]);
            }
            GgmlType::Q5_K => {
                self.scale = f16_at(0);
                self.min = -f16_at(2);
                self.read_group_factors(&raw[4..16]);
                self.read_long_nibbles(&raw[48..176]);
                // Bit `g` of high byte `i` belongs to weight `i` of group `g`.
                for (index, code) in self.codes.iter_mut().enumerate() {
                    *code |= (raw[16 + index % 32] >> (index / 32) & 1) << 4;
                }
            }
            GgmlType::Q6_K => {
                self.scale = f16_at(208);
                self.zero = 32;
                for (factor, byte) in self.group_scales.iter_mut().zip(&raw[192..208]) {
                    *factor = *byte as i8;
                }
                for (index, code) in self.codes.iter_mut().enumerate() {
                    // Per half of 128 weights: 64 bytes of low nibbles (low ones first), 32 of two high bits.
                    let (half, quarter, lane) = (index / 128, index % 128 / 32, index % 32);
                    let low = raw[half * 64 + quarter % 2 * 32 + lane] >> (quarter / 2 * 4) & 0xF;
                    let high = raw[128 + half * 32 + lane] >> (quarter * 2) & 3;
                    *code = low | high << 4;
                }
            }
            GgmlType::F32 | GgmlType::F16 | GgmlType::BF16 => self.len = 0,
        }
        if self.len == 32 {
            self.group_scales[0] = 1;
            self.group_mins[0] = 1;
        }
    }

    /// 16 bytes: weight `i` in the low nibble of byte `i`, weight `i + 16` in the high one.
    fn read_nibbles(&mut self, raw: &[u8]) {
        let (low, high) = self.codes.split_at_mut(16);
        for ((byte, low), high) in raw.iter().zip(low).zip(high) {
            *low = byte & 0xF;
            *high = byte >> 4;
        }
    }

    /// The fifth bits of 32 codes, bit `i` for weight `i`.
    fn add_fifth_bits(&mut self, raw: [u8; 4]) {
        let bits = u32::from_le_bytes(raw);
        for (index, code) in self.codes[..32].iter_mut().enumerate() {
            *code |= ((bits >> index & 1) as u8) << 4;
        }
    }

    /// 128 bytes: 32 bytes hold one group in the low nibbles and the next one in the high nibbles.
    fn read_long_nibbles(&mut self, raw: &[u8]) {
        for (pair, bytes) in self.codes.chunks_exact_mut(64).zip(raw.chunks_exact(32)) {
            let (low, high) = pair.split_at_mut(32);
            for ((byte, low), high) in bytes.iter().zip(low).zip(high) {
                *low = byte & 0xF;
                *high = byte >> 4;
            }
        }
    }

    /// Eight 6-bit scales and mins in 12 bytes: the first four of each in the low six bits of bytes 0..8, the
    /// others in the nibbles of bytes 8..12 with their upper two bits on top of the first ones.
    fn read_group_factors(&mut self, raw: &[u8]) {
        for group in 0..4 {
            let (scale, min, rest) = (raw[group], raw[group + 4], raw[group + 8]);
            self.group_scales[group] = (scale & 63) as i8;
            self.group_mins[group] = (min & 63) as i8;
            self.group_scales[group + 4] = (rest & 0xF | scale >> 6 << 4) as i8;
            self.group_mins[group + 4] = (rest >> 4 | min >> 6 << 4) as i8;
        }
    }

    /// The weights of the block. Products of f16 factors, group factors and codes are exact in f32, so that
    /// only the addition of a min rounds.
    pub(crate) fn dequantize(&self, out: &mut [f32]) {
        let (scale, min) = (self.scale.to_f32(), self.min.to_f32());
        let symmetric = self.zero != 0;
        for (group, weights) in out.chunks_mut(self.group).enumerate() {
            let scale = scale * f32::from(self.group_scales[group]);
            let min = min * f32::from(self.group_mins[group]);
            for (weight, code) in weights.iter_mut().zip(&self.codes[group * self.group..]) {
                *weight = scale * f32::from(i16::from(*code) - i16::from(self.zero));
                if !symmetric {
                    *weight += min;
                }
            }
        }
    }
}
