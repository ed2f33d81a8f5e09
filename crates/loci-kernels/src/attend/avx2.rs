//! The three steps with AVX2, FMA and F16C.
//!
//! Bytes are widened to 16 bits and multiplied in pairs (`vpmaddwd`), which is exact for every code; the
//! byte product of AVX2 (`vpmaddubsw`) would saturate.

#[cfg(target_arch = "x86_64")]
pub(super) use x86::TABLE;

#[cfg(not(target_arch = "x86_64"))]
pub(super) use super::portable::TABLE;

#[cfg(target_arch = "x86_64")]
mod x86 {
    use crate::attend::kernels::{
        EXP2, KEYS, MASS_CODES, NEGLIGIBLE, Scores, Softmax, Sums, TILES, Table, Work, by_rows,
    };
    use crate::attend::portable;
    use crate::tiles::{Line, TILE};
    use std::arch::x86_64::*;

    pub(in crate::attend) static TABLE: Table = Table {
        scores_i8: by_rows!(scores_i8),
        scores_f16: by_rows!(scores_float, true),
        scores_f32: by_rows!(scores_float, false),
        softmax_codes: by_rows!(softmax, true),
        softmax_floats: by_rows!(softmax, false),
        sums_i8: by_rows!(sums_i8),
        sums_f16: by_rows!(sums_float, true),
        sums_f32: by_rows!(sums_float, false),
    };

    /// Numbers in a register.
    const LANES: usize = 8;
    /// Registers of a row over a block.
    const REGISTERS: usize = KEYS / LANES;

    /// Start of the scales of an `I8` tile.
    ///
    /// # Safety
    /// The tile is an `I8` tile of `dims`.
    #[inline(always)]
    unsafe fn scales(tile: &[Line], dims: usize) -> *const f32 {
        // SAFETY: the 16 scales follow the 16 * dims codes.
        unsafe { tile.as_ptr().cast::<u8>().add(TILE * dims).cast() }
    }

    /// 2^x; zero below 2^-126.
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    fn exp2(x: __m256) -> __m256 {
        let seen = _mm256_cmp_ps::<_CMP_GE_OQ>(x, _mm256_set1_ps(-126.0));
        let x = _mm256_max_ps(x, _mm256_set1_ps(-126.0));
        let floor = _mm256_floor_ps(x);
        let f = _mm256_sub_ps(x, floor);
        let mut power = _mm256_set1_ps(EXP2[4]);
        power = _mm256_fmadd_ps(power, f, _mm256_set1_ps(EXP2[3]));
        power = _mm256_fmadd_ps(power, f, _mm256_set1_ps(EXP2[2]));
        power = _mm256_fmadd_ps(power, f, _mm256_set1_ps(EXP2[1]));
        power = _mm256_fmadd_ps(power, f, _mm256_set1_ps(EXP2[0]));
        power = _mm256_fmadd_ps(power, f, _mm256_set1_ps(1.0));
        let exponent = _mm256_add_epi32(_mm256_cvtps_epi32(floor), _mm256_set1_epi32(127));
        let scale = _mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponent));
        _mm256_and_ps(seen, _mm256_mul_ps(power, scale))
    }

    /// The largest lane of all registers.
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    fn largest(lanes: &[__m256; REGISTERS]) -> f32 {
        let [a, b, c, d, e, f, g, h] = *lanes;
        let low = _mm256_max_ps(_mm256_max_ps(a, b), _mm256_max_ps(c, d));
        let high = _mm256_max_ps(_mm256_max_ps(e, f), _mm256_max_ps(g, h));
        let all = _mm256_max_ps(low, high);
        let four = _mm_max_ps(_mm256_castps256_ps128(all), _mm256_extractf128_ps::<1>(all));
        let two = _mm_max_ps(four, _mm_movehl_ps(four, four));
        _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)))
    }

    /// Lane mask from the low eight bits.
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    fn lanes_of(bits: u64) -> __m256 {
        let one_each = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
        let bits = _mm256_and_si256(_mm256_set1_epi32((bits & 0xff) as i32), one_each);
        _mm256_castsi256_ps(_mm256_cmpeq_epi32(bits, one_each))
    }

    /// Adds, for 16 outputs and `R` rows, the products of four bytes of each output with the row's four.
    /// An output's sum is spread over two lanes until [`whole`].
    ///
    /// # Safety
    /// `bytes` has 64 bytes.
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn add_products<const R: usize, const SIGNED: bool>(
        sums: &mut [[__m256i; 4]; R],
        bytes: *const u8,
        rows: [__m256i; R],
    ) {
        for quarter in 0..4 {
            // SAFETY: 16 of the 64 bytes.
            let four = unsafe { _mm_loadu_si128(bytes.add(16 * quarter).cast()) };
            let wide = if SIGNED { _mm256_cvtepi8_epi16(four) } else { _mm256_cvtepu8_epi16(four) };
            for row in 0..R {
                let products = _mm256_madd_epi16(wide, rows[row]);
                sums[row][quarter] = _mm256_add_epi32(sums[row][quarter], products);
            }
        }
    }

    /// The sums of 16 outputs in order, as f32, after adding `start`.
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    fn whole(sums: [__m256i; 4], start: i32) -> [__m256; 2] {
        let [a, b, c, d] = sums;
        let half = |low, high| {
            let sums = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_hadd_epi32(low, high));
            _mm256_cvtepi32_ps(_mm256_add_epi32(sums, _mm256_set1_epi32(start)))
        };
        [half(a, b), half(c, d)]
    }

    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn scores_i8<const R: usize>(args: &Scores<'_>, work: &mut Work) {
        // SAFETY: by the contract of `ScoresFn`, rows up to R exist.
        unsafe {
            for row in (0..R).step_by(2) {
                if row + 1 < R {
                    scores_of_rows::<2>(args, work, row);
                } else {
                    scores_of_rows::<1>(args, work, row);
                }
            }
        }
    }

    /// Scores of rows `first` to `first + N - 1`.
    ///
    /// # Safety
    /// As for `ScoresFn`, with at least `first + N` rows.
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn scores_of_rows<const N: usize>(args: &Scores<'_>, work: &mut Work, first: usize) {
        let dims = args.dims;
        // SAFETY: by the contract: query rows of dims bytes, four I8 tiles of dims.
        unsafe {
            let queries = args.queries.as_ptr().add(first * dims);
            for (index, tile) in args.tiles.iter().enumerate() {
                let keys = tile.as_ptr().cast::<u8>();
                let mut sums = [[_mm256_setzero_si256(); 4]; N];
                for four in (0..dims).step_by(4) {
                    let mut rows = [_mm256_setzero_si256(); N];
                    for row in 0..N {
                        let query = queries.add(row * dims + four).cast::<i32>().read_unaligned();
                        rows[row] = _mm256_broadcastq_epi64(_mm_cvtepi8_epi16(_mm_cvtsi32_si128(query)));
                    }
                    add_products::<N, false>(&mut sums, keys.add(TILE * four), rows);
                }
                let scales = scales(tile, dims);
                let scales = [_mm256_load_ps(scales), _mm256_load_ps(scales.add(LANES))];
                for row in 0..N {
                    let start = *args.start.get_unchecked(first + row);
                    let scores = work.scores[first + row].as_mut_ptr().add(TILE * index);
                    for (half, sums) in whole(sums[row], start).into_iter().enumerate() {
                        _mm256_store_ps(scores.add(LANES * half), _mm256_mul_ps(sums, scales[half]));
                    }
                }
            }
        }
    }

    /// Eight numbers of a float tile, at index `8 * at`.
    ///
    /// # Safety
    /// The tile has them.
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn load<const HALF: bool>(tile: *const Line, at: usize) -> __m256 {
        // SAFETY: by the contract; rows of 8 numbers are aligned to their size.
        unsafe {
            if HALF {
                _mm256_cvtph_ps(_mm_load_si128(tile.cast::<__m128i>().add(at)))
            } else {
                _mm256_load_ps(tile.cast::<f32>().add(LANES * at))
            }
        }
    }

    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn scores_float<const R: usize, const HALF: bool>(args: &Scores<'_>, work: &mut Work) {
        let dims = args.dims;
        // SAFETY: by the contract of `ScoresFn`: R query rows of dims f32, four float tiles of dims.
        unsafe {
            let queries = args.queries.as_ptr().cast::<f32>();
            for (index, tile) in args.tiles.iter().enumerate() {
                let mut sums = [[_mm256_setzero_ps(); 2]; R];
                for dim in 0..dims {
                    let keys = [0, 1].map(|half| load::<HALF>(tile.as_ptr(), 2 * dim + half));
                    for row in 0..R {
                        let query = _mm256_set1_ps(queries.add(row * dims + dim).read_unaligned());
                        for half in 0..2 {
                            sums[row][half] = _mm256_fmadd_ps(keys[half], query, sums[row][half]);
                        }
                    }
                }
                for row in 0..R {
                    for half in 0..2 {
                        let at = TILE * index + LANES * half;
                        _mm256_store_ps(work.scores[row].as_mut_ptr().add(at), sums[row][half]);
                    }
                }
            }
        }
    }

    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn softmax<const R: usize, const CODES: bool>(args: &mut Softmax<'_>, work: &mut Work) {
        // SAFETY: loads and stores are within the fixed arrays of `work` and `args`; `sum` and `mass` have R
        // rows and, with CODES, the tiles are I8 tiles of dims, by the contract of `SoftmaxFn`.
        unsafe {
            for row in 0..R {
                let scores = work.scores[row].as_mut_ptr();
                let mut lanes = [_mm256_setzero_ps(); REGISTERS];
                for (index, lanes) in lanes.iter_mut().enumerate() {
                    *lanes = _mm256_load_ps(scores.add(LANES * index));
                    if let Some(masks) = args.masks {
                        let seen = lanes_of(masks[row] >> (LANES * index));
                        *lanes = _mm256_blendv_ps(_mm256_set1_ps(f32::NEG_INFINITY), *lanes, seen);
                    }
                }
                let factor = args.factor[row];
                let level = largest(&lanes) * factor;
                let top = args.top[row].max(level);
                // While nothing has been seen every weight is 2^-inf = 0; the maximum must not be -inf then.
                let base = if top == f32::NEG_INFINITY { 0.0 } else { top };
                let correction = portable::exp2(args.top[row] - base);
                args.top[row] = top;
                work.correction[row] = correction;

                for weights in &mut lanes {
                    let power = _mm256_fmsub_ps(*weights, _mm256_set1_ps(factor), _mm256_set1_ps(base));
                    *weights = exp2(power);
                }
                let sum = args.sum.get_unchecked_mut(row).as_mut_ptr();
                for half in 0..2 {
                    let tile = |index: usize| lanes[2 * index + half];
                    let more =
                        _mm256_add_ps(_mm256_add_ps(tile(0), tile(1)), _mm256_add_ps(tile(2), tile(3)));
                    let sum = sum.add(LANES * half);
                    let before = _mm256_loadu_ps(sum);
                    _mm256_storeu_ps(sum, _mm256_fmadd_ps(before, _mm256_set1_ps(correction), more));
                }
                if let Some((codes, levels)) = &mut args.mass {
                    let largest = portable::exp2(level - base);
                    let seen = largest > NEGLIGIBLE;
                    *levels.get_unchecked_mut(row) = if seen { level } else { f32::NEG_INFINITY };
                    let inverse = _mm256_set1_ps(if seen { MASS_CODES / largest } else { 0.0 });
                    let codes = codes.get_unchecked_mut(row).as_mut_ptr();
                    for (index, pair) in lanes.chunks_exact(2).enumerate() {
                        let [low, high] =
                            [pair[0], pair[1]].map(|w| _mm256_cvtps_epi32(_mm256_mul_ps(w, inverse)));
                        let packed =
                            _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packus_epi32(low, high));
                        _mm256_storeu_si256(codes.add(TILE * index).cast(), packed);
                    }
                }
                if CODES {
                    for (index, weights) in lanes.iter_mut().enumerate() {
                        let scales = scales(args.tiles[index / 2], args.dims).add(LANES * (index % 2));
                        *weights = _mm256_mul_ps(*weights, _mm256_load_ps(scales));
                    }
                    let largest = largest(&lanes);
                    let (unit, inverse) =
                        if largest > NEGLIGIBLE { (largest / 255.0, 255.0 / largest) } else { (0.0, 0.0) };
                    work.unit[row] = unit;
                    let inverse = _mm256_set1_ps(inverse);
                    let whole = lanes.map(|weights| _mm256_cvtps_epi32(_mm256_mul_ps(weights, inverse)));
                    for half in 0..2 {
                        let tile = |index: usize| whole[2 * index + half];
                        let low = _mm256_packs_epi32(tile(0), tile(1));
                        let high = _mm256_packs_epi32(tile(2), tile(3));
                        let codes = work.codes[row].as_mut_ptr().add(KEYS / 2 * half);
                        _mm256_store_si256(codes.cast(), _mm256_packus_epi16(low, high));
                    }
                } else {
                    for (index, weights) in lanes.iter().enumerate() {
                        _mm256_store_ps(scores.add(LANES * index), *weights);
                    }
                }
            }
        }
    }

    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn sums_i8<const R: usize>(args: &mut Sums<'_>, work: &Work) {
        // SAFETY: by the contract of `SumsFn`, rows up to R exist.
        unsafe {
            for row in (0..R).step_by(2) {
                if row + 1 < R {
                    sums_of_rows::<2>(args, work, row);
                } else {
                    sums_of_rows::<1>(args, work, row);
                }
            }
        }
    }

    /// Outputs of rows `first` to `first + N - 1`.
    ///
    /// # Safety
    /// As for `SumsFn`, with at least `first + N` rows.
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn sums_of_rows<const N: usize>(args: &mut Sums<'_>, work: &Work, first: usize) {
        let dims = args.dims;
        // SAFETY: an I8 tile has 4 groups of dims times 4 bytes; out has rows of dims.
        unsafe {
            for dim in (0..dims).step_by(TILE) {
                let mut sums = [[_mm256_setzero_si256(); 4]; N];
                for (index, tile) in args.tiles.iter().enumerate() {
                    for group in 0..TILE / 4 {
                        let mut rows = [_mm256_setzero_si256(); N];
                        for row in 0..N {
                            let codes = work.codes[first + row].as_ptr().add(TILE * group + 4 * index);
                            let codes = _mm_cvtsi32_si128(codes.cast::<i32>().read_unaligned());
                            rows[row] = _mm256_broadcastq_epi64(_mm_cvtepu8_epi16(codes));
                        }
                        let values = tile.as_ptr().cast::<u8>().add(4 * (group * dims + dim));
                        add_products::<N, true>(&mut sums, values, rows);
                    }
                }
                for row in 0..N {
                    let out = args.out.as_mut_ptr().add((first + row) * dims + dim);
                    let correction = _mm256_set1_ps(work.correction[first + row]);
                    let unit = _mm256_set1_ps(work.unit[first + row]);
                    for (half, sums) in whole(sums[row], 0).into_iter().enumerate() {
                        let out = out.add(LANES * half);
                        let before = _mm256_mul_ps(_mm256_load_ps(out), correction);
                        _mm256_store_ps(out, _mm256_fmadd_ps(sums, unit, before));
                    }
                }
            }
        }
    }

    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn sums_float<const R: usize, const HALF: bool>(args: &mut Sums<'_>, work: &Work) {
        let dims = args.dims;
        // SAFETY: a float tile has 16 rows of dims; scores has at least R rows; out has R rows of dims.
        unsafe {
            for dim in (0..dims).step_by(TILE) {
                let out = args.out.as_mut_ptr().add(dim);
                let mut sums = [[_mm256_setzero_ps(); 2]; R];
                for row in 0..R {
                    let correction = _mm256_set1_ps(work.correction[row]);
                    for half in 0..2 {
                        let before = _mm256_load_ps(out.add(row * dims + LANES * half));
                        sums[row][half] = _mm256_mul_ps(before, correction);
                    }
                }
                for key in 0..TILES * TILE {
                    let tile = args.tiles[key / TILE].as_ptr();
                    let at = (key % TILE * dims + dim) / LANES;
                    let values = [load::<HALF>(tile, at), load::<HALF>(tile, at + 1)];
                    for row in 0..R {
                        let weight = _mm256_set1_ps(work.scores[row][key]);
                        for half in 0..2 {
                            sums[row][half] = _mm256_fmadd_ps(values[half], weight, sums[row][half]);
                        }
                    }
                }
                for row in 0..R {
                    for half in 0..2 {
                        _mm256_store_ps(out.add(row * dims + LANES * half), sums[row][half]);
                    }
                }
            }
        }
    }
}
