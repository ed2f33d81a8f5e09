//! Loops without sums, written once in plain Rust and compiled for each instruction set.
//!
//! Rust neither reorders nor fuses their operations, so all instruction sets give the same bits.

use super::COLUMNS;
use crate::Isa;

/// Declares a function that runs the same inlined body, compiled with the features of an instruction set.
macro_rules! compiled {
    ($(#[$doc:meta])* fn $name:ident($($argument:ident: $ty:ty),*) $(-> $result:ty)? $body:block) => {
        $(#[$doc])*
        pub(super) fn $name(isa: Isa, $($argument: $ty),*) $(-> $result)? {
            #[inline(always)]
            fn body($($argument: $ty),*) $(-> $result)? $body
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2")]
            fn avx2($($argument: $ty),*) $(-> $result)? {
                body($($argument),*)
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
            fn avx512($($argument: $ty),*) $(-> $result)? {
                body($($argument),*)
            }
            match isa {
                // SAFETY: the caller names an instruction set that this processor has.
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512 => unsafe { avx512($($argument),*) },
                // SAFETY: the caller names an instruction set that this processor has.
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2 => unsafe { avx2($($argument),*) },
                _ => body($($argument),*),
            }
        }
    };
}

compiled! {
    /// `out = input * factor * weight`; the lengths are equal.
    fn scale(input: &[f32], factor: f32, weight: &[f32], out: &mut [f32]) {
        for ((out, number), weight) in out.iter_mut().zip(input).zip(weight) {
            *out = number * factor * weight;
        }
    }
}

compiled! {
    /// `row *= factor`.
    fn multiply(row: &mut [f32], factor: f32) {
        for number in row {
            *number *= factor;
        }
    }
}

compiled! {
    /// Rotates pairs; the lengths are equal.
    fn rotate(first: &mut [f32], second: &mut [f32], cos: &[f32], sin: &[f32]) {
        for (((x, y), cos), sin) in first.iter_mut().zip(second).zip(cos).zip(sin) {
            (*x, *y) = (*x * cos - *y * sin, *y * cos + *x * sin);
        }
    }
}

compiled! {
    /// `a += b`; the lengths are equal.
    fn add(a: &mut [f32], b: &[f32]) {
        for (a, b) in a.iter_mut().zip(b) {
            *a += b;
        }
    }
}

/// `sums + column * number`.
#[inline(always)]
fn add_multiplied(sums: [f32; COLUMNS], column: &[f32; COLUMNS], number: f32) -> [f32; COLUMNS] {
    std::array::from_fn(|index| sums[index] + column[index] * number)
}

compiled! {
    /// Products of `numbers` with columns, as many as there is room for in `out`; lengths fit.
    fn products(columns: &[f32], numbers: &[f32], out: &mut [f32]) {
        let groups = columns.as_chunks::<COLUMNS>().0.chunks_exact(numbers.len().max(1));
        for (rows, out) in groups.zip(out.as_chunks_mut::<COLUMNS>().0) {
            // Four sums of each column: one alone would wait for itself.
            let [mut a, mut b, mut c, mut d] = [[0.0; COLUMNS]; 4];
            let ((rows, rows_left), (numbers, left)) = (rows.as_chunks::<4>(), numbers.as_chunks::<4>());
            for (row, number) in rows.iter().zip(numbers) {
                a = add_multiplied(a, &row[0], number[0]);
                b = add_multiplied(b, &row[1], number[1]);
                c = add_multiplied(c, &row[2], number[2]);
                d = add_multiplied(d, &row[3], number[3]);
            }
            for (row, number) in rows_left.iter().zip(left) {
                a = add_multiplied(a, row, *number);
            }
            *out = std::array::from_fn(|index| (a[index] + b[index]) + (c[index] + d[index]));
        }
    }
}

compiled! {
    /// The sum, in 32 chains: the same bits on all instruction sets.
    fn sum(row: &[f32]) -> f32 {
        let mut sums = [0.0_f32; 32];
        let (chunks, rest) = row.as_chunks::<32>();
        for chunk in chunks {
            for (sum, number) in sums.iter_mut().zip(chunk) {
                *sum += number;
            }
        }
        sums.iter().chain(rest).sum()
    }
}

compiled! {
    /// `row -= less`.
    fn lower(row: &mut [f32], less: f32) {
        for number in row {
            *number -= less;
        }
    }
}

compiled! {
    /// `row = row * factor * weight + bias`; the lengths are equal.
    fn scale_and_shift(row: &mut [f32], factor: f32, weight: &[f32], bias: &[f32]) {
        for ((number, weight), bias) in row.iter_mut().zip(weight).zip(bias) {
            *number = *number * factor * weight + bias;
        }
    }
}

compiled! {
    /// The largest number; `-inf` for an empty row. NaN is passed over.
    fn max(row: &[f32]) -> f32 {
        let mut largest = [f32::NEG_INFINITY; 32];
        let (chunks, rest) = row.as_chunks::<32>();
        for chunk in chunks {
            for (largest, number) in largest.iter_mut().zip(chunk) {
                *largest = if *number > *largest { *number } else { *largest };
            }
        }
        largest.iter().chain(rest).fold(f32::NEG_INFINITY, |a, b| if *b > a { *b } else { a })
    }
}

compiled! {
    /// Whole numbers nearest to `numbers[i] * factor`.
    fn round_to_16_bits(numbers: &[f32], factor: f32, out: &mut [i16]) {
        for (out, number) in out.iter_mut().zip(numbers) {
            *out = (number * factor).round_ties_even() as i16;
        }
    }
}
