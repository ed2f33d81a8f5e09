//! Loops over the exponential function, written once for all instruction sets.
//!
//! Numbers behind the last whole vector go through the same operations, padded with zeros or `-inf`, which add
//! nothing to a sum.

use crate::Isa;

/// Calls the form of a loop for an instruction set.
macro_rules! dispatch {
    ($isa:ident, $function:ident($($argument:ident),*)) => {
        match $isa {
            // SAFETY: the caller names an instruction set that this processor has.
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => unsafe { avx512::$function($($argument),*) },
            // SAFETY: the caller names an instruction set that this processor has.
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => unsafe { avx2::$function($($argument),*) },
            // SAFETY: plain Rust runs anywhere.
            _ => unsafe { portable::$function($($argument),*) },
        }
    };
}

/// `gate = silu(gate) * up`; the lengths are equal.
pub(super) fn swiglu(isa: Isa, gate: &mut [f32], up: &[f32]) {
    dispatch!(isa, swiglu(gate, up))
}

/// `row = gelu(row)` by the error function.
pub(super) fn gelu(isa: Isa, row: &mut [f32]) {
    dispatch!(isa, gelu(row))
}

/// `row = gelu(row)` by the hyperbolic tangent.
pub(super) fn gelu_tanh(isa: Isa, row: &mut [f32]) {
    dispatch!(isa, gelu_tanh(row))
}

/// The complementary error function for `z >= 0` is `e^(-z^2)` times a polynomial in `1 / (1 + ERFC_SLOPE z)` without
/// constant term, up to 1.5e-7 (Abramowitz and Stegun 1964, 7.1.26); coefficients from the fifth power down.
const ERFC_SLOPE: f32 = 0.327_591_1;
const ERFC: [f32; 5] = [1.061_405_4, -1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6];
/// `2 sqrt(2 / pi)` and the weight of the cube, of the form with the hyperbolic tangent.
const TANH_SLOPE: f32 = 1.595_769;
const TANH_CUBE: f32 = 0.044_715;

/// `row = e^(row - largest)`; returns the sum.
pub(super) fn exp_and_sum(isa: Isa, row: &mut [f32], largest: f32) -> f32 {
    dispatch!(isa, exp_and_sum(row, largest))
}

/// With `x = row - largest`: the sums of `e^x` and of `e^x x`.
pub(super) fn sums(isa: Isa, row: &[f32], largest: f32) -> (f32, f32) {
    dispatch!(isa, sums(row, largest))
}

/// The loops for one vector type. The operations come from the module's `use` lines.
macro_rules! loops {
    ($(#[$attribute:meta])*) => {
        /// # Safety
        /// The processor has the instruction set of the module.
        $(#[$attribute])*
        pub(super) unsafe fn swiglu(gate: &mut [f32], up: &[f32]) {
            let (gates, gate_rest) = gate.as_chunks_mut::<LANES>();
            let (ups, up_rest) = up.as_chunks::<LANES>();
            // SAFETY: as for this function.
            unsafe {
                for (gate, up) in gates.iter_mut().zip(ups) {
                    gated(gate, up);
                }
                let (mut gate, mut up) = ([0.0; LANES], [0.0; LANES]);
                gate[..gate_rest.len()].copy_from_slice(gate_rest);
                up[..up_rest.len()].copy_from_slice(up_rest);
                gated(&mut gate, &up);
                gate_rest.copy_from_slice(&gate[..gate_rest.len()]);
            }
        }

        #[inline]
        $(#[$attribute])*
        unsafe fn gated(gate: &mut [f32; LANES], up: &[f32; LANES]) {
            // SAFETY: the processor has the instruction set of the module.
            unsafe {
                let x = load(gate);
                let below = add(splat(1.0), exponential(sub(splat(0.0), x)));
                store(gate, mul(div(x, below), load(up)));
            }
        }

        /// # Safety
        /// The processor has the instruction set of the module.
        $(#[$attribute])*
        pub(super) unsafe fn gelu(row: &mut [f32]) {
            let (chunks, rest) = row.as_chunks_mut::<LANES>();
            let mut last = [0.0; LANES];
            last[..rest.len()].copy_from_slice(rest);
            // SAFETY: as for this function.
            unsafe {
                for chunk in chunks.iter_mut().chain(std::iter::once(&mut last)) {
                    let x = load(chunk);
                    let size = max(x, sub(splat(0.0), x));
                    let z = mul(size, splat(std::f32::consts::FRAC_1_SQRT_2));
                    let t = div(splat(1.0), add(splat(1.0), mul(splat(super::ERFC_SLOPE), z)));
                    let mut tail = splat(0.0);
                    for coefficient in super::ERFC {
                        tail = mul(add(tail, splat(coefficient)), t);
                    }
                    let tail = mul(tail, exponential(sub(splat(0.0), mul(z, z))));
                    // x (1 + erf z) / 2, without a difference that would cancel below 0
                    store(chunk, sub(max(x, splat(0.0)), mul(mul(size, splat(0.5)), tail)));
                }
            }
            rest.copy_from_slice(&last[..rest.len()]);
        }

        /// # Safety
        /// The processor has the instruction set of the module.
        $(#[$attribute])*
        pub(super) unsafe fn gelu_tanh(row: &mut [f32]) {
            let (chunks, rest) = row.as_chunks_mut::<LANES>();
            let mut last = [0.0; LANES];
            last[..rest.len()].copy_from_slice(rest);
            // SAFETY: as for this function.
            unsafe {
                for chunk in chunks.iter_mut().chain(std::iter::once(&mut last)) {
                    let x = load(chunk);
                    let cube = mul(mul(mul(x, x), splat(super::TANH_CUBE)), x);
                    let u = mul(add(x, cube), splat(super::TANH_SLOPE));
                    // (1 + tanh u) / 2 is the logistic function of 2 u, and the slope is doubled already.
                    let below = add(splat(1.0), exponential(sub(splat(0.0), u)));
                    store(chunk, div(x, below));
                }
            }
            rest.copy_from_slice(&last[..rest.len()]);
        }

        /// # Safety
        /// The processor has the instruction set of the module.
        $(#[$attribute])*
        pub(super) unsafe fn exp_and_sum(row: &mut [f32], largest: f32) -> f32 {
            let (chunks, rest) = row.as_chunks_mut::<LANES>();
            let mut lanes = [0.0; LANES];
            // SAFETY: as for this function.
            unsafe {
                let mut total = splat(0.0);
                for chunk in chunks {
                    let power = exponential(sub(load(chunk), splat(largest)));
                    total = add(total, power);
                    store(chunk, power);
                }
                let mut last = [f32::NEG_INFINITY; LANES];
                last[..rest.len()].copy_from_slice(rest);
                let power = exponential(sub(load(&last), splat(largest)));
                store(&mut last, power);
                rest.copy_from_slice(&last[..rest.len()]);
                store(&mut lanes, add(total, power));
            }
            lanes.iter().sum()
        }

        /// # Safety
        /// The processor has the instruction set of the module.
        $(#[$attribute])*
        pub(super) unsafe fn sums(row: &[f32], largest: f32) -> (f32, f32) {
            let (chunks, rest) = row.as_chunks::<LANES>();
            let (mut lanes, mut weighted_lanes) = ([0.0; LANES], [0.0; LANES]);
            let mut last = [f32::NEG_INFINITY; LANES];
            last[..rest.len()].copy_from_slice(rest);
            // SAFETY: as for this function.
            unsafe {
                let (mut total, mut weighted) = (splat(0.0), splat(0.0));
                for chunk in chunks.iter().chain(std::iter::once(&last)) {
                    // Bounded below, where the power is 0, so that 0 times -inf does not come up.
                    let x = max(sub(load(chunk), splat(largest)), splat(-1e4));
                    let power = exponential(x);
                    total = add(total, power);
                    weighted = add(weighted, mul(power, x));
                }
                store(&mut lanes, total);
                store(&mut weighted_lanes, weighted);
            }
            (lanes.iter().sum(), weighted_lanes.iter().sum())
        }
    };
}

/// The same for plain numbers, in groups that a compiler can turn into vectors.
mod portable {
    const LANES: usize = 8;
    type Vector = [f32; LANES];

    #[inline(always)]
    fn each(f: impl Fn(usize) -> f32) -> Vector {
        std::array::from_fn(f)
    }
    #[inline(always)]
    unsafe fn load(x: &Vector) -> Vector {
        *x
    }
    #[inline(always)]
    unsafe fn store(at: &mut Vector, x: Vector) {
        *at = x;
    }
    #[inline(always)]
    unsafe fn splat(x: f32) -> Vector {
        [x; LANES]
    }
    #[inline(always)]
    unsafe fn add(a: Vector, b: Vector) -> Vector {
        each(|lane| a[lane] + b[lane])
    }
    #[inline(always)]
    unsafe fn sub(a: Vector, b: Vector) -> Vector {
        each(|lane| a[lane] - b[lane])
    }
    #[inline(always)]
    unsafe fn mul(a: Vector, b: Vector) -> Vector {
        each(|lane| a[lane] * b[lane])
    }
    #[inline(always)]
    unsafe fn div(a: Vector, b: Vector) -> Vector {
        each(|lane| a[lane] / b[lane])
    }
    #[inline(always)]
    unsafe fn max(a: Vector, b: Vector) -> Vector {
        each(|lane| if b[lane] > a[lane] { b[lane] } else { a[lane] })
    }
    #[inline(always)]
    unsafe fn exponential(x: Vector) -> Vector {
        each(|lane| crate::vector::exp::exp(x[lane]))
    }
    loops!();
}

/// Loads and stores of whole arrays, and the loops, for vectors of `std::arch`.
#[cfg(target_arch = "x86_64")]
macro_rules! x86 {
    ($module:ident, $lanes:literal, $vector:ident, $features:literal, $exp:ident, $load:ident, $store:ident,
     $splat:ident, $add:ident, $sub:ident, $mul:ident, $div:ident, $max:ident) => {
        mod $module {
            use crate::vector::exp::$exp as exponential;
            use std::arch::x86_64::{
                $add as add, $div as div, $load, $max as maximum, $mul as mul, $splat as splat, $store,
                $sub as sub, $vector as Vector,
            };

            const LANES: usize = $lanes;

            #[inline]
            #[target_feature(enable = $features)]
            unsafe fn load(x: &[f32; LANES]) -> Vector {
                // SAFETY: the array has that many numbers.
                unsafe { $load(x.as_ptr()) }
            }
            #[inline]
            #[target_feature(enable = $features)]
            unsafe fn store(at: &mut [f32; LANES], x: Vector) {
                // SAFETY: the array has that many numbers.
                unsafe { $store(at.as_mut_ptr(), x) }
            }
            /// The larger of both; `a` where one is NaN.
            #[inline]
            #[target_feature(enable = $features)]
            unsafe fn max(a: Vector, b: Vector) -> Vector {
                maximum(b, a)
            }
            loops!(#[target_feature(enable = $features)]);
        }
    };
}

#[cfg(target_arch = "x86_64")]
x86!(
    avx2,
    8,
    __m256,
    "avx2,fma",
    exp_avx2,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    _mm256_set1_ps,
    _mm256_add_ps,
    _mm256_sub_ps,
    _mm256_mul_ps,
    _mm256_div_ps,
    _mm256_max_ps
);
#[cfg(target_arch = "x86_64")]
x86!(
    avx512,
    16,
    __m512,
    "avx512f,avx512bw,avx512vl,avx512dq",
    exp_avx512,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    _mm512_set1_ps,
    _mm512_add_ps,
    _mm512_sub_ps,
    _mm512_mul_ps,
    _mm512_div_ps,
    _mm512_max_ps
);
