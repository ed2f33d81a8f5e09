//! Speed of a sentence encoder: `cargo run --release -p loci-models --example encode_speed FOLDER FILE BATCH REPEAT THREADS`.
//!
//! Reads FILE (a text a line), embeds its first BATCH lines REPEAT times and prints one JSON object with the seconds of
//! each time, the tokens, and the vectors of the last. scripts/compare-embeddings.py runs it.
#![allow(clippy::unwrap_used)] // an example

use std::sync::Arc;
use std::time::Instant;

use loci_kernels::Pool;
use loci_models::Encoder;
use loci_models::encoder::LongTexts;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, file, batch, repeat, threads] = arguments.as_slice() else {
        eprintln!("usage: encode_speed FOLDER FILE BATCH REPEAT THREADS");
        std::process::exit(2);
    };
    let encoder = Encoder::open(folder.as_ref(), Arc::new(Pool::new(threads.parse().unwrap()))).unwrap();
    let content = std::fs::read_to_string(file).unwrap();
    let texts: Vec<&str> = content.lines().take(batch.parse().unwrap()).collect();
    let mut last = encoder.embed(&texts, LongTexts::Refuse).unwrap();
    let mut seconds = Vec::new();
    for _ in 0..repeat.parse().unwrap() {
        let start = Instant::now();
        last = encoder.embed(&texts, LongTexts::Refuse).unwrap();
        seconds.push(start.elapsed().as_secs_f64());
    }
    let tokens: usize = last.iter().map(|embedding| embedding.tokens).sum();
    let vectors: Vec<&[f32]> = last.iter().map(|embedding| embedding.vector.as_slice()).collect();
    println!("{}", serde_json::json!({"seconds": seconds, "tokens": tokens, "vectors": vectors}));
}
