//! Attention mass: weights kept during the walk, summed up when the denominators are known.
//!
//! Computing the scores a second time would need no buffer but takes about half the time of the whole call;
//! keeping the weights as 16-bit codes relative to the maximum of their row and block takes a fifth and is
//! exact to 1/131,070 of that maximum.

use super::Mass;
use super::kernels::{KEYS, MASS_CODES, TILES};
use crate::isa::Isa;
use crate::tiles::TILE;

/// Weights of all rows over all blocks.
#[derive(Debug, Default)]
pub(super) struct MassBuffer {
    slots: usize,
    next: usize,
    /// `[blocks, slots]`
    codes: Vec<[u16; KEYS]>,
    /// `[blocks, slots]`: the power of two that the largest code stands for; -inf where nothing was seen.
    level: Vec<f32>,
}

impl MassBuffer {
    pub(super) fn bytes(&self) -> usize {
        2 * KEYS * self.codes.capacity() + 4 * self.level.capacity()
    }

    pub(super) fn begin(&mut self, blocks: usize, slots: usize) {
        self.slots = slots;
        self.next = 0;
        // Old codes may stay: a level of -inf hides them.
        self.codes.resize(blocks * slots, [0; KEYS]);
        self.level.clear();
        self.level.resize(blocks * slots, f32::NEG_INFINITY);
    }

    /// The first of the next `blocks` records.
    pub(super) fn next_part(&mut self, blocks: usize) -> usize {
        self.next += blocks;
        self.next - blocks
    }

    /// Codes and levels of `rows` rows in one block.
    pub(super) fn record(
        &mut self,
        block: usize,
        row: usize,
        rows: usize,
    ) -> (&mut [[u16; KEYS]], &mut [f32]) {
        let at = block * self.slots + row;
        (&mut self.codes[at..][..rows], &mut self.level[at..][..rows])
    }

    /// Adds everything to `mass`. `tiles`: tiles of each part; `total`: the denominator of each row as a
    /// power of two, infinite for a row that saw nothing.
    pub(super) fn add_to(&self, isa: Isa, tiles: impl Iterator<Item = usize>, total: &[f32], mass: Mass<'_>) {
        let keys = mass.sums.len() / mass.heads;
        let (mut block, mut key) = (0, 0);
        for tiles in tiles {
            for start in (0..tiles).step_by(TILES) {
                let width = TILE * TILES.min(tiles - start);
                for head in 0..mass.heads {
                    let mut sums = [0.0; KEYS];
                    for row in (head..total.len()).step_by(mass.heads) {
                        let at = block * self.slots + row;
                        let weight = (self.level[at] - total[row]).exp2() / MASS_CODES;
                        if weight > 0.0 {
                            add(isa, &self.codes[at], weight, &mut sums);
                        }
                    }
                    let place = &mut mass.sums[head * keys + key..][..width];
                    place.iter_mut().zip(sums).for_each(|(place, sum)| *place += sum);
                }
                key += width;
                block += 1;
            }
        }
    }
}

#[inline(always)]
fn add_body(codes: &[u16; KEYS], weight: f32, sums: &mut [f32; KEYS]) {
    for (sum, code) in sums.iter_mut().zip(codes) {
        *sum += f32::from(*code) * weight;
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn add_avx512(codes: &[u16; KEYS], weight: f32, sums: &mut [f32; KEYS]) {
    add_body(codes, weight, sums);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn add_avx2(codes: &[u16; KEYS], weight: f32, sums: &mut [f32; KEYS]) {
    add_body(codes, weight, sums);
}

fn add(isa: Isa, codes: &[u16; KEYS], weight: f32, sums: &mut [f32; KEYS]) {
    match isa {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `attend` lowers the instruction set to what the processor has.
        Isa::Avx512 => unsafe { add_avx512(codes, weight, sums) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Isa::Avx2 => unsafe { add_avx2(codes, weight, sums) },
        _ => add_body(codes, weight, sums),
    }
}
