//! Logits of tiny checkpoints of every architecture against those of an independent implementation; the fixtures
//! are made by `scripts/golden/tiny_checkpoints.py`.

use crate::common::{fixture, open, read, schedule};
use loci_models::wiring::LogitsFor;
use safetensors::SafeTensors;

/// Tokens and logits `[tokens, vocab]` of a fixture.
fn expected(name: &str) -> (Vec<u32>, Vec<f32>) {
    let bytes = std::fs::read(fixture(name).join("expected.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let words = |name: &str| file.tensor(name).unwrap().data().as_chunks::<4>().0.to_vec();
    let tokens = words("tokens").into_iter().map(u32::from_le_bytes).collect();
    (tokens, words("logits").into_iter().map(f32::from_le_bytes).collect())
}

/// How far our logits are from the expected ones.
struct Difference {
    worst: f32,
    /// Root of the mean square, as a share of the expected logits' standard deviation.
    relative: f32,
}

fn difference(name: &str) -> Difference {
    let (tokens, expected) = expected(name);
    let model = open(name);
    let mut memory =
        loci_models::reference::ReferenceMemory::new(model.shape(), schedule(&model, tokens.len()));
    let logits = read(&model, &mut memory, &tokens, LogitsFor::All).unwrap();
    assert_eq!(logits.len(), expected.len(), "{name}");
    let count = expected.len() as f32;
    let pairs = || logits.iter().zip(&expected);
    let worst = pairs().map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    let error = pairs().map(|(a, b)| (a - b).powi(2)).sum::<f32>() / count;
    let mean = expected.iter().sum::<f32>() / count;
    let variance = expected.iter().map(|logit| (logit - mean).powi(2)).sum::<f32>() / count;
    Difference { worst, relative: (error / variance).sqrt() }
}

/// Weights in f32 are computed in f32: only rounding is left.
fn agrees(name: &str) {
    let Difference { worst, .. } = difference(name);
    assert!(worst < 1e-4, "{name}: off by {worst}");
}

#[test]
fn llama_with_tied_embeddings_grouped_heads_and_attention_bias() {
    agrees("llama-tied");
}

#[test]
fn llama_in_shards() {
    agrees("llama-sharded");
}

#[test]
fn llama3_scaling_from_the_old_form_of_the_configuration() {
    agrees("llama3-bf16");
}

#[test]
fn mistral_in_half_precision() {
    agrees("mistral-f16");
}

#[test]
fn qwen2_with_its_biases_and_yarn() {
    agrees("qwen2-yarn");
}

#[test]
fn qwen3_with_head_norms_and_wide_heads() {
    agrees("qwen3");
}

#[test]
fn gguf_llama_has_its_rotation_pairs_put_in_order() {
    agrees("gguf-llama-f32");
}

#[test]
fn gguf_llama3_takes_its_frequencies_from_the_factors() {
    agrees("gguf-llama3-f16");
}

#[test]
fn gguf_qwen3_keeps_its_row_order() {
    agrees("gguf-qwen3-bf16");
}

#[test]
fn gguf_with_quantised_weights() {
    for name in ["gguf-llama-q8_0", "gguf-llama-q4_0", "gguf-llama-q4_1"] {
        let Difference { relative, .. } = difference(name);
        // Activations are rounded to 8 bits, half a percent a product, and a network of 32 numbers a token has
        // little to average it away.
        assert!(relative < 0.08, "{name}: off by {relative} of the logits' spread");
    }
}
