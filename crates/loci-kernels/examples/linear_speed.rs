//! Times the products of a small Llama-like model: `linear_speed [threads] [seconds per figure] [all|prefill|decode]`.
//!
//! Prefill figures are in 10^9 operations a second (two for each weight and row), decode figures in GB/s of
//! packed weights, beside the speed at which plain reading goes through memory.

use loci_kernels::linear::{PackedMatrix, matmul};
use loci_kernels::quant::GgmlType;
use loci_kernels::{Isa, Pool};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

fn weights(ty: GgmlType, out: usize, columns: usize, pool: &Pool) -> PackedMatrix {
    let mut bytes = vec![0; ty.bytes_for(out * columns).unwrap_or(0)];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = (index * 31 % 61) as u8; // keeps f16 factors finite
    }
    match PackedMatrix::pack(ty, &bytes, out, columns, &|row| row, pool) {
        Ok(packed) => packed,
        Err(error) => {
            eprintln!("{error}");
            std::process::exit(1)
        }
    }
}

/// Seconds of the fastest of repeated calls.
fn fastest(limit: f64, mut call: impl FnMut()) -> f64 {
    let begin = Instant::now();
    let mut best = f64::INFINITY;
    while begin.elapsed().as_secs_f64() < limit {
        let start = Instant::now();
        call();
        best = best.min(start.elapsed().as_secs_f64());
    }
    best
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let threads = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(2);
    let limit = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(0.3);
    let what = arguments.next().unwrap_or_else(|| "all".into());
    let (isa, pool) = (Isa::active(), Pool::new(threads));
    println!("{} with {threads} threads", isa.name());
    if what != "decode" {
        prefill(isa, &pool, limit);
    }
    if what != "prefill" {
        decode(isa, &pool, limit);
    }
}

/// Name, out_features and in_features of the products of one layer of SmolLM2-135M.
const LAYERS: [(&str, usize, usize); 4] =
    [("qkv", 960, 576), ("o", 576, 576), ("gate+up", 3072, 576), ("down", 576, 1536)];
const TYPES: [GgmlType; 3] = [GgmlType::Q4_0, GgmlType::Q4_1, GgmlType::Q8_0];

fn prefill(isa: Isa, pool: &Pool, limit: f64) {
    let rows = 512;
    let other =
        [GgmlType::Q4_K, GgmlType::Q6_K, GgmlType::F32, GgmlType::F16].map(|ty| (ty, [("", 3072, 768)]));
    let layers = TYPES.iter().flat_map(|ty| LAYERS.iter().map(move |layer| (*ty, *layer)));
    for (ty, (name, out, columns)) in layers.chain(other.iter().map(|(ty, layers)| (*ty, layers[0]))) {
        let weight = weights(ty, out, columns, pool);
        let input: Vec<f32> = (0..rows * columns).map(|x| (x % 101) as f32 - 50.0).collect();
        let mut output = vec![0.0; rows * out];
        let time = fastest(limit, || matmul(isa, pool, &input, rows, &[&weight], &mut [&mut output]));
        let speed = 2.0 * (rows * out * columns) as f64 / time / 1e9;
        println!(
            "prefill {rows} {:5} {name:8} [{out} x {columns}] {:8.1} us {speed:6.1} GOP/s",
            ty.name(),
            time * 1e6
        );
    }
}

/// GB/s of adding up 128 MiB of numbers, several times the last cache level.
fn plain_reading(pool: &Pool, limit: f64) -> f64 {
    let words: Vec<u64> = (0..16 << 20).collect();
    let part = words.len() / 64;
    let total = AtomicU64::new(0);
    let time = fastest(limit, || {
        pool.run(64, &|task| {
            let sum = words[task * part..][..part].iter().fold(0_u64, |sum, word| sum.wrapping_add(*word));
            total.fetch_add(sum, Ordering::Relaxed);
        });
    });
    (words.len() * 8) as f64 / time / 1e9
}

fn decode(isa: Isa, pool: &Pool, limit: f64) {
    println!("plain reading {:.1} GB/s", plain_reading(pool, limit));
    let input = vec![0.5; 1536];
    let mut output = vec![0.0; 49_152];
    let mut run = |weight: &PackedMatrix| {
        let (rows, columns) = (weight.out_features(), weight.in_features());
        matmul(isa, pool, &input[..columns], 1, &[weight], &mut [&mut output[..rows]]);
    };
    for ty in TYPES {
        // 30 layers like the real thing, so that weights come from memory and not from a cache.
        let model: Vec<PackedMatrix> = (0..30)
            .flat_map(|_| LAYERS.iter().map(|(_, out, columns)| weights(ty, *out, *columns, pool)))
            .collect();
        let bytes: usize = model.iter().map(PackedMatrix::bytes).sum();
        let time = fastest(limit, || model.iter().for_each(&mut run));
        let (size, name) = (bytes as f64, ty.name());
        println!(
            "decode  {name:5} 30 layers, {:.1} MB, {:.2} ms, {:.1} GB/s",
            size / 1e6,
            time * 1e3,
            size / time / 1e9
        );
        let cached = fastest(limit, || (0..30).for_each(|_| model[..4].iter().for_each(&mut run)));
        println!("decode  {name:5} the same from cache {:.1} GB/s", size / cached / 1e9);
    }
    let head = weights(GgmlType::Q8_0, 49_152, 576, pool);
    let time = fastest(limit, || run(&head));
    println!("decode  Q8_0  head {:.2} ms, {:.1} GB/s", time * 1e3, head.bytes() as f64 / time / 1e9);
    println!("plain reading {:.1} GB/s", plain_reading(pool, limit));
    let tiny = weights(GgmlType::Q8_0, 64, 32, pool);
    let mut logits = [[0.0; 64]; 2];
    let [first, second] = &mut logits;
    let many = fastest(limit, || {
        for _ in 0..1000 {
            matmul(isa, pool, &input[..32], 1, &[&tiny, &tiny], &mut [&mut first[..], &mut second[..]]);
        }
    });
    println!("smallest call with two tasks {:.2} us", many * 1e3);
}
