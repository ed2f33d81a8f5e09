//! The three steps with AVX-512 and VNNI.
//!
//! A group of 4 rows by 4 tiles are 16 sums in registers: per 4 loads of keys and 4 broadcasts of query
//! dwords come 16 `vpdpbusd` (or fused multiply-adds), so the multipliers are the limit, not the loads.
//! The same holds for 4 rows by 64 dims of the output.

#[cfg(target_arch = "x86_64")]
pub(super) use x86::TABLE;

#[cfg(not(target_arch = "x86_64"))]
pub(super) use super::portable::TABLE;

#[cfg(target_arch = "x86_64")]
mod x86 {
    use crate::attend::kernels::{
        EXP2, GROUP, KEYS, MASS_CODES, NEGLIGIBLE, Scores, Softmax, Sums, TILES, Table, Work, by_rows,
    };
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

    /// Start of the scales of an `I8` tile.
    ///
    /// # Safety
    /// The tile is an `I8` tile of `dims`.
    #[inline(always)]
    unsafe fn scales(tile: &[Line], dims: usize) -> *const f32 {
        // SAFETY: the 16 scales follow the 16 * dims codes.
        unsafe { tile.as_ptr().cast::<u8>().add(TILE * dims).cast() }
    }

    /// 2^x: the polynomial of the fraction, scaled by 2^floor(x) in one instruction. 2^-inf is 0.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
    fn exp2(x: __m512) -> __m512 {
        let f = _mm512_reduce_ps::<0x09>(x); // x - floor(x), exceptions suppressed
        let mut power = _mm512_set1_ps(EXP2[4]);
        power = _mm512_fmadd_ps(power, f, _mm512_set1_ps(EXP2[3]));
        power = _mm512_fmadd_ps(power, f, _mm512_set1_ps(EXP2[2]));
        power = _mm512_fmadd_ps(power, f, _mm512_set1_ps(EXP2[1]));
        power = _mm512_fmadd_ps(power, f, _mm512_set1_ps(EXP2[0]));
        power = _mm512_fmadd_ps(power, f, _mm512_set1_ps(1.0));
        _mm512_scalef_ps(power, x)
    }

    /// 2^x of four numbers.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
    fn exp2_of_4(x: __m128) -> __m128 {
        _mm512_castps512_ps128(exp2(_mm512_zextps128_ps512(x)))
    }

    /// The largest lane of each of four registers.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
    fn largest(rows: [__m512; GROUP]) -> __m128 {
        let [a, b, c, d] = rows;
        let ab = _mm512_max_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
        let cd = _mm512_max_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
        // ab: a b a b in each quarter; the lower and upper halves of ab and cd side by side.
        let low = _mm512_shuffle_ps::<0x44>(ab, cd);
        let high = _mm512_shuffle_ps::<0xee>(ab, cd);
        let quarters = _mm512_max_ps(low, high);
        let half = _mm256_max_ps(_mm512_castps512_ps256(quarters), _mm512_extractf32x8_ps::<1>(quarters));
        _mm_max_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps::<1>(half))
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
    unsafe fn scores_i8<const R: usize>(args: &Scores<'_>, work: &mut Work) {
        let dims = args.dims;
        // SAFETY: by the contract of `ScoresFn`: R query rows of dims bytes, four I8 tiles of dims.
        unsafe {
            let mut sums = [[_mm512_setzero_si512(); TILES]; R];
            for row in 0..R {
                sums[row] = [_mm512_set1_epi32(*args.start.get_unchecked(row)); TILES];
            }
            let tiles = args.tiles.map(|tile| tile.as_ptr().cast::<u8>());
            let queries = args.queries.as_ptr();
            for four in (0..dims).step_by(4) {
                let mut keys = [_mm512_setzero_si512(); TILES];
                for tile in 0..TILES {
                    keys[tile] = _mm512_load_si512(tiles[tile].add(four * TILE).cast());
                }
                for row in 0..R {
                    let query = queries.add(row * dims + four).cast::<i32>().read_unaligned();
                    let query = _mm512_set1_epi32(query);
                    for tile in 0..TILES {
                        sums[row][tile] = _mm512_dpbusd_epi32(sums[row][tile], keys[tile], query);
                    }
                }
            }
            for tile in 0..TILES {
                let scales = _mm512_load_ps(scales(args.tiles[tile], dims));
                for row in 0..R {
                    let scores = _mm512_mul_ps(_mm512_cvtepi32_ps(sums[row][tile]), scales);
                    _mm512_store_ps(work.scores[row].as_mut_ptr().add(TILE * tile), scores);
                }
            }
        }
    }

    /// Sixteen numbers of a float tile, at index `16 * at`.
    ///
    /// # Safety
    /// The tile has them.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
    unsafe fn load<const HALF: bool>(tile: *const Line, at: usize) -> __m512 {
        // SAFETY: by the contract; rows of 16 numbers are aligned to their size.
        unsafe {
            if HALF {
                _mm512_cvtph_ps(_mm256_load_si256(tile.cast::<__m256i>().add(at)))
            } else {
                _mm512_load_ps(tile.cast::<f32>().add(TILE * at))
            }
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
    unsafe fn scores_float<const R: usize, const HALF: bool>(args: &Scores<'_>, work: &mut Work) {
        let dims = args.dims;
        // SAFETY: by the contract of `ScoresFn`: R query rows of dims f32, four float tiles of dims.
        unsafe {
            let mut sums = [[_mm512_setzero_ps(); TILES]; R];
            let tiles = args.tiles.map(<[Line]>::as_ptr);
            let queries = args.queries.as_ptr().cast::<f32>();
            for dim in 0..dims {
                let mut keys = [_mm512_setzero_ps(); TILES];
                for tile in 0..TILES {
                    keys[tile] = load::<HALF>(tiles[tile], dim);
                }
                for row in 0..R {
                    let query = _mm512_set1_ps(queries.add(row * dims + dim).read_unaligned());
                    for tile in 0..TILES {
                        sums[row][tile] = _mm512_fmadd_ps(keys[tile], query, sums[row][tile]);
                    }
                }
            }
            for row in 0..R {
                for tile in 0..TILES {
                    _mm512_store_ps(work.scores[row].as_mut_ptr().add(TILE * tile), sums[row][tile]);
                }
            }
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
    unsafe fn softmax<const R: usize, const CODES: bool>(args: &mut Softmax<'_>, work: &mut Work) {
        // SAFETY: loads and stores are within the fixed arrays of `work` and `args`; `sum` and `mass` have R
        // rows and, with CODES, the tiles are I8 tiles of dims, by the contract of `SoftmaxFn`.
        unsafe {
            let none = _mm512_set1_ps(f32::NEG_INFINITY);
            let mut tops = [none; GROUP];
            for row in 0..R {
                let scores = work.scores[row].as_mut_ptr();
                let mut lanes = [none; TILES];
                for tile in 0..TILES {
                    lanes[tile] = _mm512_load_ps(scores.add(TILE * tile));
                    if let Some(masks) = args.masks {
                        let seen = (masks[row] >> (TILE * tile)) as __mmask16;
                        lanes[tile] = _mm512_mask_mov_ps(none, seen, lanes[tile]);
                        _mm512_store_ps(scores.add(TILE * tile), lanes[tile]);
                    }
                }
                let [a, b, c, d] = lanes;
                tops[row] = _mm512_max_ps(_mm512_max_ps(a, b), _mm512_max_ps(c, d));
            }
            let level = _mm_mul_ps(largest(tops), _mm_loadu_ps(args.factor.as_ptr()));
            let before = _mm_loadu_ps(args.top.as_ptr());
            let top = _mm_max_ps(before, level);
            // While nothing has been seen every weight is 2^-inf = 0; the maximum must not be -inf then.
            let seen = _mm_cmp_ps_mask::<_CMP_NEQ_OQ>(top, _mm_set1_ps(f32::NEG_INFINITY));
            let base = _mm_maskz_mov_ps(seen, top);
            let correction = exp2_of_4(_mm_sub_ps(before, base));
            _mm_storeu_ps(args.top.as_mut_ptr(), top);
            _mm_store_ps(work.correction.as_mut_ptr(), correction);
            let mut bases = [0.0; GROUP];
            _mm_storeu_ps(bases.as_mut_ptr(), base);

            // For the mass: what makes the largest weight of the block the largest code.
            let mut kept = [0.0; GROUP];
            if let Some((_, levels)) = &mut args.mass {
                let largest = exp2_of_4(_mm_sub_ps(level, base));
                let used = _mm_cmp_ps_mask::<_CMP_GT_OQ>(largest, _mm_set1_ps(NEGLIGIBLE));
                _mm_storeu_ps(kept.as_mut_ptr(), _mm_maskz_div_ps(used, _mm_set1_ps(MASS_CODES), largest));
                let all = (1 << R) - 1;
                let level = _mm_mask_mov_ps(_mm_set1_ps(f32::NEG_INFINITY), used, level);
                _mm_mask_storeu_ps(levels.as_mut_ptr(), all, level);
            }

            let mut products = [_mm512_setzero_ps(); GROUP];
            for row in 0..R {
                let scores = work.scores[row].as_mut_ptr();
                let factor = _mm512_set1_ps(args.factor[row]);
                let base = _mm512_set1_ps(bases[row]);
                let mut weights = [none; TILES];
                for tile in 0..TILES {
                    let score = _mm512_load_ps(scores.add(TILE * tile));
                    weights[tile] = exp2(_mm512_fmsub_ps(score, factor, base));
                }
                let [a, b, c, d] = weights;
                let more = _mm512_add_ps(_mm512_add_ps(a, b), _mm512_add_ps(c, d));
                let sum = args.sum.get_unchecked_mut(row).as_mut_ptr();
                let correction = _mm512_set1_ps(work.correction[row]);
                _mm512_storeu_ps(sum, _mm512_fmadd_ps(_mm512_loadu_ps(sum), correction, more));
                if let Some((codes, _)) = &mut args.mass {
                    keep(&weights, kept[row], codes.get_unchecked_mut(row));
                }
                if CODES {
                    for tile in 0..TILES {
                        let scales = _mm512_load_ps(scales(args.tiles[tile], args.dims));
                        weights[tile] = _mm512_mul_ps(weights[tile], scales);
                    }
                    let [a, b, c, d] = weights;
                    products[row] = _mm512_max_ps(_mm512_max_ps(a, b), _mm512_max_ps(c, d));
                }
                for tile in 0..TILES {
                    _mm512_store_ps(scores.add(TILE * tile), weights[tile]);
                }
            }
            if CODES {
                let largest = largest(products);
                let used = _mm_cmp_ps_mask::<_CMP_GT_OQ>(largest, _mm_set1_ps(NEGLIGIBLE));
                let codes = _mm_set1_ps(255.0);
                _mm_store_ps(work.unit.as_mut_ptr(), _mm_maskz_div_ps(used, largest, codes));
                let mut inverses = [0.0; GROUP];
                _mm_storeu_ps(inverses.as_mut_ptr(), _mm_maskz_div_ps(used, codes, largest));
                for row in 0..R {
                    let inverse = _mm512_set1_ps(inverses[row]);
                    let weights = work.scores[row].as_ptr();
                    let mut codes = [_mm512_setzero_si512(); TILES];
                    for tile in 0..TILES {
                        let weight = _mm512_load_ps(weights.add(TILE * tile));
                        codes[tile] = _mm512_cvtps_epi32(_mm512_mul_ps(weight, inverse));
                    }
                    let [a, b, c, d] = codes;
                    let packed = _mm512_packus_epi16(_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d));
                    _mm512_store_si512(work.codes[row].as_mut_ptr().cast(), packed);
                }
            }
        }
    }

    /// Keeps the weights of one row for the mass, as codes relative to the maximum of the block.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
    fn keep(weights: &[__m512; TILES], inverse: f32, codes: &mut [u16; KEYS]) {
        for tile in 0..TILES {
            let code = _mm512_cvtps_epi32(_mm512_mul_ps(weights[tile], _mm512_set1_ps(inverse)));
            let code = _mm512_cvtusepi32_epi16(code);
            // SAFETY: 16 of the 64 codes.
            unsafe { _mm256_storeu_si256(codes.as_mut_ptr().add(TILE * tile).cast(), code) };
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
    unsafe fn sums_i8<const R: usize>(args: &mut Sums<'_>, work: &Work) {
        let registers = args.dims / TILE;
        for first in (0..registers).step_by(4) {
            // SAFETY: by the contract of `SumsFn`; the columns are inside dims.
            unsafe {
                match registers - first {
                    1 => columns_i8::<R, 1>(args, work, first),
                    2 => columns_i8::<R, 2>(args, work, first),
                    3 => columns_i8::<R, 3>(args, work, first),
                    _ => columns_i8::<R, 4>(args, work, first),
                }
            }
        }
    }

    /// Dims `16 * first` to `16 * (first + C) - 1`. Not inlined: in the loop over columns, the compiler would
    /// broadcast all weights beforehand and keep them on the stack.
    ///
    /// # Safety
    /// As for `SumsFn`, with dims at least `16 * (first + C)`.
    #[inline(never)]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
    unsafe fn columns_i8<const R: usize, const C: usize>(args: &mut Sums<'_>, work: &Work, first: usize) {
        let dims = args.dims;
        // SAFETY: an I8 tile has 4 groups of dims times 4 bytes; codes has GROUP >= R rows; out has R rows.
        unsafe {
            let mut sums = [[_mm512_setzero_si512(); C]; R];
            for tile in 0..TILES {
                let bytes = args.tiles[tile].as_ptr().cast::<u8>().add(4 * TILE * first);
                for group in 0..TILE / 4 {
                    let mut values = [_mm512_setzero_si512(); C];
                    for column in 0..C {
                        values[column] =
                            _mm512_load_si512(bytes.add(4 * (group * dims + TILE * column)).cast());
                    }
                    for row in 0..R {
                        let codes = work.codes[row].as_ptr().add(TILE * group + 4 * tile);
                        let codes = _mm512_set1_epi32(codes.cast::<i32>().read_unaligned());
                        for column in 0..C {
                            sums[row][column] = _mm512_dpbusd_epi32(sums[row][column], codes, values[column]);
                        }
                    }
                }
            }
            for row in 0..R {
                let correction = _mm512_set1_ps(work.correction[row]);
                let unit = _mm512_set1_ps(work.unit[row]);
                let out = args.out.as_mut_ptr().add(row * dims + TILE * first);
                for column in 0..C {
                    let out = out.add(TILE * column);
                    let before = _mm512_mul_ps(_mm512_load_ps(out), correction);
                    let sum = _mm512_cvtepi32_ps(sums[row][column]);
                    _mm512_store_ps(out, _mm512_fmadd_ps(sum, unit, before));
                }
            }
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
    unsafe fn sums_float<const R: usize, const HALF: bool>(args: &mut Sums<'_>, work: &Work) {
        let registers = args.dims / TILE;
        for first in (0..registers).step_by(4) {
            // SAFETY: by the contract of `SumsFn`; the columns are inside dims.
            unsafe {
                match registers - first {
                    1 => columns_float::<R, 1, HALF>(args, work, first),
                    2 => columns_float::<R, 2, HALF>(args, work, first),
                    3 => columns_float::<R, 3, HALF>(args, work, first),
                    _ => columns_float::<R, 4, HALF>(args, work, first),
                }
            }
        }
    }

    /// Dims `16 * first` to `16 * (first + C) - 1`. Not inlined: in the loop over columns, the compiler would
    /// broadcast all weights beforehand and keep them on the stack.
    ///
    /// # Safety
    /// As for `SumsFn`, with dims at least `16 * (first + C)`.
    #[inline(never)]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
    unsafe fn columns_float<const R: usize, const C: usize, const HALF: bool>(
        args: &mut Sums<'_>,
        work: &Work,
        first: usize,
    ) {
        let dims = args.dims;
        // SAFETY: a float tile has 16 rows of dims; scores has GROUP >= R rows; out has R rows.
        unsafe {
            let mut sums = [[_mm512_setzero_ps(); C]; R];
            for row in 0..R {
                let correction = _mm512_set1_ps(work.correction[row]);
                for column in 0..C {
                    let out = args.out.as_ptr().add(row * dims + TILE * (first + column));
                    sums[row][column] = _mm512_mul_ps(_mm512_load_ps(out), correction);
                }
            }
            for tile in 0..TILES {
                let numbers = args.tiles[tile].as_ptr();
                for key in 0..TILE {
                    let mut values = [_mm512_setzero_ps(); C];
                    for column in 0..C {
                        values[column] = load::<HALF>(numbers, key * (dims / TILE) + first + column);
                    }
                    for row in 0..R {
                        let weight = _mm512_set1_ps(work.scores[row][TILE * tile + key]);
                        for column in 0..C {
                            sums[row][column] = _mm512_fmadd_ps(values[column], weight, sums[row][column]);
                        }
                    }
                }
            }
            for row in 0..R {
                for column in 0..C {
                    let out = args.out.as_mut_ptr().add(row * dims + TILE * (first + column));
                    _mm512_store_ps(out, sums[row][column]);
                }
            }
        }
    }
}
