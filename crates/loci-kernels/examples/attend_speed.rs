//! Speed of `attend`, with as many threads as there are processors, each on a strip of its own.
//!
//! `cargo run --release -p loci-kernels --example attend_speed [keys]`
//!
//! `LOCI_ISA` restricts it to one instruction set. Prints nanoseconds per query row and key over all threads, and bytes read per second.

use loci_kernels::attend::{Mass, Part, Scratch, TilePair, attend};
use loci_kernels::pool::Parts;
use loci_kernels::tiles::{KeyTiles, RowType, TILE, ValueTiles};
use loci_kernels::{Isa, Pool, isa};
use std::time::Instant;

fn numbers(count: usize, mut seed: u64) -> Vec<f32> {
    (0..count)
        .map(|_| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 40) as f32 / 8_388_608.0 - 1.0
        })
        .collect()
}

struct Case {
    keys: KeyTiles,
    values: ValueTiles,
    queries: Vec<f32>,
}

impl Case {
    fn new(kind: RowType, head_dim: usize, count: usize, rows: usize, seed: u64) -> Self {
        let (mut keys, mut values) =
            (KeyTiles::new(kind, head_dim, count), ValueTiles::new(kind, head_dim, count));
        for row in numbers(count * head_dim, seed).chunks_exact(head_dim) {
            keys.push(row);
            values.push(row);
        }
        Self { keys, values, queries: numbers(rows * head_dim, seed + 1) }
    }

    fn tiles(&self) -> Vec<TilePair<'_>> {
        (0..self.keys.tiles())
            .map(|index| TilePair {
                keys: self.keys.tile(index),
                values: self.values.tile(index),
                present: u16::MAX,
            })
            .collect()
    }
}

/// Best of many short runs, so that other programs disturb little, in seconds, of one strip on each thread.
fn time(pool: &Pool, isa: Isa, cases: &[Case], rows: usize, head_dim: usize, with_mass: bool) -> f64 {
    let threads = pool.threads();
    let tiles: Vec<_> = cases.iter().map(Case::tiles).collect();
    let keys = tiles[0].len() * TILE;
    let mut scratch: Vec<Scratch> = (0..threads).map(|_| Scratch::default()).collect();
    let (mut out, mut lse) = (vec![0.0; threads * rows * head_dim], vec![0.0; threads * rows]);
    let mut sums = vec![0.0; threads * keys * 3];
    let repeats = (1_000_000 / (rows * keys * threads)).clamp(1, 45);
    let mut best = f64::MAX;
    let started = Instant::now();
    while started.elapsed().as_millis() < 300 {
        let scratch = Parts::new(&mut scratch, 1);
        let (out, lse) = (Parts::new(&mut out, rows * head_dim), Parts::new(&mut lse, rows));
        let sums = Parts::new(&mut sums, keys * 3);
        let start = Instant::now();
        pool.run(threads, &|task| {
            let (Some(scratch), Some(out), Some(lse), Some(sums)) =
                (scratch.take(task), out.take(task), lse.take(task), sums.take(task))
            else {
                return;
            };
            let mine: Vec<usize> = (0..cases.len()).filter(|case| case % threads == task).collect();
            for repeat in 0..repeats {
                let case = mine[repeat % mine.len()];
                let part = Part { queries: &cases[case].queries, tiles: &tiles[case], bounds: None };
                let mass = with_mass.then_some(Mass { heads: 3, sums });
                attend(isa, 0.125, &[part], rows, head_dim, &mut scratch[0], out, lse, mass);
            }
        });
        best = best.min(start.elapsed().as_secs_f64() / repeats as f64);
    }
    best
}

/// Products of bytes per second of a loop that does nothing else, on all threads.
#[cfg(target_arch = "x86_64")]
fn peak(pool: &Pool) -> f64 {
    #[target_feature(enable = "avx512f,avx512vnni")]
    fn bare(rounds: usize) -> i32 {
        use std::arch::x86_64::*;
        let (a, b) = (_mm512_set1_epi8(3), _mm512_set1_epi8(5));
        let mut sums = [_mm512_setzero_si512(); 16];
        for _ in 0..rounds {
            for _ in 0..16 {
                for sum in &mut sums {
                    *sum = _mm512_dpbusd_epi32(*sum, a, b);
                }
            }
            sums = std::hint::black_box(sums);
        }
        sums.iter().map(|sum| _mm512_reduce_add_epi32(*sum)).fold(0, i32::wrapping_add)
    }
    if Isa::best() < Isa::Avx512 {
        return f64::NAN;
    }
    let rounds = 6_000;
    let mut best = f64::MAX;
    let started = Instant::now();
    while started.elapsed().as_millis() < 300 {
        let start = Instant::now();
        pool.run(pool.threads(), &|_| {
            // SAFETY: checked above.
            std::hint::black_box(unsafe { bare(rounds) });
        });
        best = best.min(start.elapsed().as_secs_f64());
    }
    (rounds * 16 * 16 * 64 * pool.threads()) as f64 / best
}

#[cfg(not(target_arch = "x86_64"))]
fn peak(_pool: &Pool) -> f64 {
    f64::NAN
}

/// Bytes per second that all threads together read from memory.
fn memory(pool: &Pool) -> f64 {
    let numbers = vec![1_u64; 1 << 24];
    let part = numbers.len() / pool.threads();
    let mut best = f64::MAX;
    for _ in 0..8 {
        let start = Instant::now();
        pool.run(pool.threads(), &|task| {
            let sum =
                numbers[task * part..][..part].iter().fold(0, |sum: u64, number| sum.wrapping_add(*number));
            std::hint::black_box(sum);
        });
        best = best.min(start.elapsed().as_secs_f64());
    }
    8.0 * numbers.len() as f64 / best
}

fn main() {
    let count: usize = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(8_000);
    let head_dim = 64;
    let pool = Pool::with_all_processors();
    let threads = pool.threads();
    println!("{threads} threads, {count} keys, head_dim {head_dim}");
    let limit = peak(&pool);
    println!("bare vpdpbusd loop: {:.0} G products/s; memory: {:.1} GB/s", limit / 1e9, memory(&pool) / 1e9);
    let only = isa::requested().unwrap_or_default();
    for isa in Isa::available().filter(|isa| only.is_none_or(|only| only == *isa)) {
        for kind in [RowType::I4, RowType::I8, RowType::F16, RowType::F32] {
            let strips: Vec<Case> =
                (0..threads).map(|seed| Case::new(kind, head_dim, count, 48, seed as u64)).collect();
            let pairs = (threads * 48 * strips[0].keys.tiles() * TILE) as f64;
            let plain = time(&pool, isa, &strips, 48, head_dim, false);
            let mass = time(&pool, isa, &strips, 48, head_dim, true);
            // As many different heads as in 30 layers of 3, so that nothing stays in the caches.
            let heads: Vec<Case> =
                (0..90).map(|seed| Case::new(kind, head_dim, count, 3, seed as u64)).collect();
            let decode = time(&pool, isa, &heads, 3, head_dim, false);
            let bytes = threads
                * heads[0].keys.tiles()
                * TILE
                * (kind.key_bytes(head_dim) + kind.value_bytes(head_dim));
            println!(
                "{:8} {:3}  48 rows: {:6.3} ns per row and key ({:4.0} G products/s), with mass {:6.3} ns; \
                 3 rows: {:6.3} ns, {:5.1} GB/s",
                isa.name(),
                kind.name(),
                plain / pairs * 1e9,
                pairs * 2.0 * head_dim as f64 / plain / 1e9,
                mass / pairs * 1e9,
                decode / (pairs / 16.0) * 1e9,
                bytes as f64 / decode / 1e9,
            );
        }
    }
}
