//! Sentence encoders against transformers and sentence-transformers (`scripts/golden/encoder.py`), and what they promise
//! of any batch, number of threads and damaged folder.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use crate::common::fixture;
use loci_kernels::Pool;
use loci_models::encoder::{EncoderError, LongTexts, Pooling};
use loci_models::{Encoder, ModelError};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Expected {
    texts: Vec<String>,
    tokens: Vec<Vec<u32>>,
    states: Vec<Vec<f32>>,
    vectors: Vec<Vec<f32>>,
}

#[derive(Deserialize)]
struct Real {
    texts: Vec<String>,
    tokens: Vec<usize>,
    vectors: Vec<Vec<f32>>,
}

fn open(path: &Path, threads: usize) -> Encoder {
    Encoder::open(path, Arc::new(Pool::new(threads))).unwrap()
}

fn expected(name: &str) -> Expected {
    serde_json::from_slice(&fs::read(fixture(name).join("expected.json")).unwrap()).unwrap()
}

fn strs(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

fn off(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot =
        |a: &[f32], b: &[f32]| -> f64 { a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum() };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// Tokens, hidden states and vectors of a fixture.
fn agrees(name: &str) {
    let expected = expected(name);
    let encoder = open(&fixture(name), 2);
    for (text, tokens) in expected.texts.iter().zip(&expected.tokens) {
        let own = encoder.tokenizer().encode(text).unwrap();
        let whole = [encoder.tokenizer().before(), &own, encoder.tokenizer().after()].concat();
        assert_eq!(&whole, tokens, "{text:?}");
    }
    let states = encoder.hidden_states(&[&expected.tokens[0]]).unwrap();
    let worst = off(&states[0], &expected.states.concat());
    assert!(worst < 1e-5, "{name}: states are off by {worst}");
    let embeddings = encoder.embed(&strs(&expected.texts), LongTexts::Refuse).unwrap();
    for (embedding, (vector, tokens)) in embeddings.iter().zip(expected.vectors.iter().zip(&expected.tokens))
    {
        let worst = off(&embedding.vector, vector);
        assert!(worst < 1e-5, "{name}: vectors are off by {worst}");
        assert_eq!((embedding.tokens, embedding.windows), (tokens.len(), 1));
    }
}

#[test]
fn mean_pooling_with_gelu_and_length_one() {
    agrees("bert-mean");
    let encoder = open(&fixture("bert-mean"), 1);
    assert_eq!(encoder.pooling().pooling, Pooling::Mean);
    assert!(encoder.pooling().normalise);
    assert_eq!((encoder.dimension(), encoder.max_tokens()), (24, 20));
}

#[test]
fn first_token_with_gelu_by_tanh_in_half_precision_under_a_prefix() {
    agrees("bert-cls");
    let encoder = open(&fixture("bert-cls"), 1);
    assert_eq!(encoder.pooling().pooling, Pooling::Cls);
    assert!(!encoder.pooling().normalise);
}

#[test]
fn a_vector_is_the_same_bits_alone_and_in_any_batch_on_any_number_of_threads() {
    let texts: Vec<String> = (0..300).map(|index| "the palace walked ".repeat(index % 4)).collect();
    let texts = strs(&texts);
    let one = open(&fixture("bert-mean"), 1);
    let all = one.embed(&texts, LongTexts::Refuse).unwrap();
    assert_eq!(all, open(&fixture("bert-mean"), 3).embed(&texts, LongTexts::Refuse).unwrap());
    for (text, embedding) in texts.iter().zip(&all).take(12) {
        assert_eq!(one.embed(&[text], LongTexts::Refuse).unwrap()[0], *embedding);
    }
    assert!(one.embed(&[], LongTexts::Refuse).unwrap().is_empty());
}

#[test]
fn a_long_text_is_refused_with_the_sizes_or_read_in_windows() {
    let encoder = open(&fixture("bert-mean"), 2);
    let long = "memory palace ".repeat(15); // 60 tokens and the two around them
    let error = encoder.embed(&["a", &long], LongTexts::Refuse).unwrap_err();
    assert!(matches!(error, EncoderError::TooLong { index: 1, tokens: 62, limit: 20 }), "{error}");
    assert_eq!(encoder.count_tokens(&long).unwrap(), 62);

    // Four windows of at most 18 tokens, about equal; words have two tokens each and are not cut.
    let embedding = encoder.embed(&[&long], LongTexts::Windows).unwrap().remove(0);
    assert_eq!((embedding.windows, embedding.tokens), (4, 60 + 4 * 2));
    let words: Vec<&str> = long.split_whitespace().collect();
    let parts = [0..7, 7..15, 15..22, 22..30].map(|range| words[range].join(" "));
    let texts = strs(&parts);
    let lengths: Vec<usize> = texts.iter().map(|text| encoder.count_tokens(text).unwrap() - 2).collect();
    let vectors = encoder.embed(&texts, LongTexts::Refuse).unwrap();
    let mut mean = vec![0.0_f32; encoder.dimension()];
    for (part, length) in vectors.iter().zip(&lengths) {
        for (sum, number) in mean.iter_mut().zip(&part.vector) {
            *sum += number * *length as f32;
        }
    }
    assert!(cosine(&mean, &embedding.vector) > 0.999_999, "{lengths:?}");
    let length: f32 = embedding.vector.iter().map(|x| x * x).sum();
    assert!((length - 1.0).abs() < 1e-5, "normalised again: {length}");
    // What fits is read the same way under both.
    assert_eq!(
        encoder.embed(&["the palace"], LongTexts::Windows).unwrap(),
        encoder.embed(&["the palace"], LongTexts::Refuse).unwrap()
    );
}

#[test]
fn sequences_beyond_the_positions_are_refused() {
    let encoder = open(&fixture("bert-mean"), 1);
    let error = encoder.hidden_states(&[&[5; 24], &[5; 25]]).unwrap_err();
    assert!(matches!(error, EncoderError::TooLong { index: 1, tokens: 25, limit: 24 }), "{error}");
}

/// A copy of a fixture in which the file `name` holds `value`.
fn changed(name: &str, change: impl FnOnce(&mut Value)) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("1_Pooling")).unwrap();
    let files = ["config.json", "model.safetensors", "vocab.txt", "tokenizer_config.json", "modules.json"];
    for file in files.iter().chain(&["sentence_bert_config.json", "1_Pooling/config.json"]) {
        fs::copy(fixture("bert-mean").join(file), folder.path().join(file)).unwrap();
    }
    let path = folder.path().join(name);
    let mut value = fs::read(&path).map_or(json!({}), |bytes| serde_json::from_slice(&bytes).unwrap());
    change(&mut value);
    fs::write(&path, value.to_string()).unwrap();
    folder
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    let cases: [(&str, &str, Value, &str); 17] = [
        ("config.json", "/model_type", json!("roberta"), "roberta"),
        ("config.json", "/position_embedding_type", json!("relative_key"), "relative_key"),
        ("config.json", "/hidden_act", json!("relu"), "relu"),
        ("config.json", "/num_attention_heads", json!(5), "divisor of the 24"),
        ("config.json", "/num_attention_heads", json!(0), "between 1"),
        ("config.json", "/layer_norm_eps", json!(-1.0), "layer_norm_eps"),
        ("config.json", "/vocab_size", json!(25), "26 tokens"),
        ("config.json", "/hidden_size", json!(27), "must be 27"),
        ("config.json", "/num_hidden_layers", json!(1), "encoder.layer.1"),
        ("config.json", "/num_hidden_layers", json!(3), "encoder.layer.2"),
        ("modules.json", "/2/type", json!("sentence_transformers.models.Dense"), "Dense"),
        ("modules.json", "/1/path", json!("../elsewhere"), "folder in this one"),
        ("modules.json", "/0/path", json!("0_Transformer"), "0_Transformer"),
        ("1_Pooling/config.json", "/pooling_mode_max_tokens", json!(true), "max_tokens and mean_tokens"),
        ("1_Pooling/config.json", "/pooling_mode_mean_tokens", json!(false), "(none)"),
        ("1_Pooling/config.json", "/word_embedding_dimension", json!(384), "384"),
        ("sentence_bert_config.json", "/max_seq_length", json!(2), "more than the 2"),
    ];
    for (file, place, value, word) in cases {
        let folder = changed(file, |whole| match whole.pointer_mut(place) {
            Some(found) => *found = value.clone(),
            None => whole[&place[1..]] = value.clone(),
        });
        let error = Encoder::open(folder.path(), Arc::new(Pool::new(1))).unwrap_err().to_string();
        assert!(error.contains(word), "{file}{place} = {value}: {error}");
    }
    let folder = changed("config.json", |whole| whole["is_decoder"] = json!(true));
    assert!(Encoder::open(folder.path(), Arc::new(Pool::new(1))).is_err());
    let prompt =
        changed("config_sentence_transformers.json", |whole| whole["default_prompt_name"] = json!("query"));
    let error = Encoder::open(prompt.path(), Arc::new(Pool::new(1))).unwrap_err().to_string();
    assert!(error.contains("default_prompt_name"), "{error}");
}

#[test]
fn missing_files_are_named() {
    for file in ["modules.json", "vocab.txt", "1_Pooling/config.json", "model.safetensors", "config.json"] {
        let folder = changed("config.json", |_| {});
        fs::remove_file(folder.path().join(file)).unwrap();
        let error = Encoder::open(folder.path(), Arc::new(Pool::new(1))).unwrap_err().to_string();
        let name = if file == "vocab.txt" { "tokenizer.json" } else { file };
        assert!(error.contains(name), "{error}");
    }
    let file = fixture("bert-mean").join("vocab.txt");
    let error = Encoder::open(&file, Arc::new(Pool::new(1))).unwrap_err();
    assert!(matches!(error, ModelError::NotAModel { .. } | ModelError::Damaged { .. }), "{error}");
}

#[test]
fn settings_of_other_releases_mean_the_same() {
    let folder = changed("1_Pooling/config.json", |whole| {
        *whole = json!({"embedding_dimension": 24, "pooling_mode": "mean", "include_prompt": true});
    });
    let texts = ["the memory palace"];
    let vector = |path: &Path| open(path, 1).embed(&texts, LongTexts::Refuse).unwrap().remove(0).vector;
    assert_eq!(vector(folder.path()), vector(&fixture("bert-mean")));
    // Without a length in the settings, the positions are the limit.
    let folder = changed("sentence_bert_config.json", |whole| *whole = json!({}));
    assert_eq!(open(folder.path(), 1).max_tokens(), 24);
}

#[test]
fn the_real_encoder_gives_the_vectors_of_sentence_transformers() {
    let Some(path) = loci_testing::real_encoder() else { return };
    let golden: Real = serde_json::from_slice(&fs::read(fixture("minilm.json")).unwrap()).unwrap();
    let encoder = open(&path, 2);
    assert_eq!((encoder.dimension(), encoder.max_tokens()), (384, 256));
    let embeddings = encoder.embed(&strs(&golden.texts), LongTexts::Refuse).unwrap();
    for ((embedding, vector), tokens) in embeddings.iter().zip(&golden.vectors).zip(&golden.tokens) {
        assert_eq!(embedding.tokens, *tokens);
        let cosine = cosine(&embedding.vector, vector);
        assert!(cosine > 0.999_999, "{cosine}");
    }
    let like = |a: usize, b: usize| cosine(&embeddings[a].vector, &embeddings[b].vector);
    assert!(like(0, 1) > like(0, 2) + 0.2, "{} {}", like(0, 1), like(0, 2));
}
