//! Damaged, hostile and unsupported GGUF files: a typed error that says what to do, never a panic.

use std::path::Path;
use std::sync::Arc;

use crate::common::{memory, read};
use loci_kernels::Pool;
use loci_models::gguf::{Gguf, Value};
use loci_models::reference::{Entry, TinyModel, write_gguf};
use loci_models::wiring::LogitsFor;
use loci_models::{Model, ModelError};
use proptest::prelude::*;

const SMALL: TinyModel = TinyModel { layers: 1, heads: 2, kv_heads: 1, head_dim: 4, n_ctx: 64, seed: 5 };

fn open(bytes: Vec<u8>) -> Result<Model, ModelError> {
    Model::from_gguf(Gguf::from_bytes("test.gguf", bytes)?, Arc::new(Pool::new(1)))
}

type Tensors = Vec<(String, Vec<usize>, Vec<f32>)>;

/// Opens the small model after a change to its metadata and tensors.
fn changed(change: impl Fn(&mut Vec<(String, Entry)>, &mut Tensors)) -> Result<Model, ModelError> {
    let (mut metadata, mut tensors) = (SMALL.metadata(), SMALL.tensors());
    change(&mut metadata, &mut tensors);
    open(write_gguf(&metadata, &tensors))
}

fn set(metadata: &mut Vec<(String, Entry)>, key: &str, value: Entry) {
    metadata.retain(|(other, _)| other != key);
    metadata.push((key.to_owned(), value));
}

/// A header by hand: magic, version and counts, then `rest`.
fn raw(version: u32, tensors: u64, entries: u64, rest: &[u8]) -> Vec<u8> {
    let mut bytes = b"GGUF".to_vec();
    bytes.extend(version.to_le_bytes());
    bytes.extend(tensors.to_le_bytes());
    bytes.extend(entries.to_le_bytes());
    bytes.extend(rest);
    bytes
}

fn text(content: &str) -> Vec<u8> {
    let mut bytes = (content.len() as u64).to_le_bytes().to_vec();
    bytes.extend(content.as_bytes());
    bytes
}

/// A tensor entry.
fn tensor(name: &str, sizes: &[u64], ty: u32, offset: u64) -> Vec<u8> {
    let mut bytes = text(name);
    bytes.extend((sizes.len() as u32).to_le_bytes());
    sizes.iter().for_each(|size| bytes.extend(size.to_le_bytes()));
    bytes.extend(ty.to_le_bytes());
    bytes.extend(offset.to_le_bytes());
    bytes
}

/// The error must name the file and contain these words.
fn refused(bytes: Vec<u8>, words: &[&str]) {
    let error = open(bytes).unwrap_err().to_string();
    for word in words.iter().chain(&["test.gguf"]) {
        assert!(error.contains(word), "{error:?} does not say {word:?}");
    }
}

#[test]
fn the_small_model_opens_and_computes() {
    let model = open(SMALL.file()).unwrap();
    assert_eq!(model.config().vocab, TinyModel::VOCAB);
    assert!(model.has_tokenizer() && model.chat_template().is_some());
    let logits = read(&model, &mut memory(&model), &[256, 72, 105], LogitsFor::Last).unwrap();
    assert!(logits.iter().all(|logit| logit.is_finite()));
    let tokens = model.tokenizer().unwrap();
    assert_eq!(tokens.bos(), Some(256));
    assert!(tokens.is_end(257));
}

#[test]
fn every_value_type_is_read() {
    let mut rest = Vec::new();
    let mut entries = 0;
    let mut add = |key: &str, ty: u32, bytes: &[u8]| {
        rest.extend(text(key));
        rest.extend(ty.to_le_bytes());
        rest.extend(bytes);
        entries += 1;
    };
    add("u8", 0, &[200]);
    add("i8", 1, &(-5_i8).to_le_bytes());
    add("u16", 2, &60_000_u16.to_le_bytes());
    add("i16", 3, &(-300_i16).to_le_bytes());
    add("u32", 4, &4_000_000_000_u32.to_le_bytes());
    add("i32", 5, &(-7_i32).to_le_bytes());
    add("f32", 6, &1.5_f32.to_le_bytes());
    add("flag", 7, &[1]);
    add("text", 8, &text("grüße"));
    add("u64", 10, &u64::MAX.to_le_bytes());
    add("i64", 11, &i64::MIN.to_le_bytes());
    add("f64", 12, &(-2.25_f64).to_le_bytes());
    let mut list = 8_u32.to_le_bytes().to_vec();
    list.extend(2_u64.to_le_bytes());
    list.extend(text("a"));
    list.extend(text(""));
    add("texts", 9, &list);
    let mut nested = 9_u32.to_le_bytes().to_vec();
    nested.extend(1_u64.to_le_bytes());
    nested.extend(3_u32.to_le_bytes());
    nested.extend(2_u64.to_le_bytes());
    nested.extend([1, 0, 2, 0]);
    add("nested", 9, &nested);
    add("after", 7, &[0]);
    let file = Gguf::from_bytes("test.gguf", raw(3, 0, entries, &rest)).unwrap();
    let get = |key: &str| file.get(key).unwrap();
    assert_eq!(get("u8"), Value::Unsigned(200));
    assert_eq!(get("i8"), Value::Signed(-5));
    assert_eq!(get("u16"), Value::Unsigned(60_000));
    assert_eq!(get("i16"), Value::Signed(-300));
    assert_eq!(get("u32"), Value::Unsigned(4_000_000_000));
    assert_eq!(get("i32"), Value::Signed(-7));
    assert_eq!(get("f32"), Value::Number(1.5));
    assert_eq!(get("flag"), Value::Flag(true));
    assert_eq!(get("text"), Value::Text("grüße"));
    assert_eq!(get("u64"), Value::Unsigned(u64::MAX));
    assert_eq!(get("i64"), Value::Signed(i64::MIN));
    assert_eq!(get("f64"), Value::Number(-2.25));
    let texts: Vec<Value<'_>> = file.array("texts").unwrap().unwrap().values().collect();
    assert_eq!(texts, [Value::Text("a"), Value::Text("")]);
    assert_eq!(file.array("nested").unwrap().unwrap().len(), 1);
    assert_eq!(get("after"), Value::Flag(false));
    assert!(file.text("u8").is_err() && file.size("i32").is_err() && file.flag("text").is_err());
}

#[test]
fn files_of_another_kind() {
    refused(Vec::new(), &["an empty file", "config.json"]);
    refused(b"hello, world".to_vec(), &["hell"]);
    refused(raw(1, 0, 0, &[]), &["version 1", "2 and 3"]);
    refused(raw(3_u32.swap_bytes(), 0, 0, &[]), &["big endian"]);
    let error = Model::open(Path::new("no/such/file.gguf"), Arc::new(Pool::new(1))).unwrap_err().to_string();
    assert!(error.contains("no/such/file.gguf") && error.contains("check the path"), "{error}");
}

#[test]
fn lengths_beyond_the_file_are_refused_before_room_is_made() {
    refused(raw(3, 1 << 60, 0, &[0; 64]), &["number of tensors", "1152921504606846976"]);
    refused(raw(3, 0, u64::MAX, &[0; 64]), &["number of metadata entries"]);
    let mut key = (1_u64 << 62).to_le_bytes().to_vec();
    key.extend([0; 32]);
    refused(raw(3, 0, 1, &key), &["a metadata key"]);
    let mut list = text("list");
    list.extend(9_u32.to_le_bytes());
    list.extend(12_u32.to_le_bytes());
    list.extend((1_u64 << 61).to_le_bytes());
    refused(raw(3, 0, 1, &list), &["elements of list"]);
}

#[test]
fn arrays_nested_without_end_are_refused() {
    let mut nested = text("deep");
    nested.extend(9_u32.to_le_bytes());
    for _ in 0..10_000 {
        nested.extend(9_u32.to_le_bytes());
        nested.extend(1_u64.to_le_bytes());
    }
    refused(raw(3, 0, 1, &nested), &["nested at most 4"]);
}

#[test]
fn tensors_that_cannot_be_where_they_are_said_to_be() {
    let pad = [0_u8; 512];
    let one = |sizes: &[u64], ty: u32, offset: u64| {
        let mut rest = tensor("weight", sizes, ty, offset);
        rest.extend(pad);
        raw(3, 1, 0, &rest)
    };
    refused(one(&[32, 1 << 20], 0, 0), &["weight", "a file of"]);
    refused(one(&[1 << 40, 1 << 40], 0, 0), &["weight", "shape"]);
    refused(one(&[u64::MAX, 2], 8, 0), &["weight"]);
    refused(one(&[33], 8, 0), &["whole blocks of 32 weights (Q8_0)"]);
    refused(one(&[0, 4], 0, 0), &["at least 1"]);
    refused(one(&[1, 1, 1, 1, 1], 0, 0), &["at most 4 dimensions"]);
    refused(one(&[4], 0, 7), &["multiple of 32", "offset 7"]);
    refused(one(&[4], 0, u64::MAX - 31), &["weight"]);
    refused(one(&[256], 10, 0), &["weight", "Q2_K (number 10)", "Q6_K"]);
    refused(one(&[256], 4_000, 0), &["number 4000"]);
    for (second, words) in [("a", "every tensor name once"), ("b", "behind the tensor before it")] {
        let offset = if second == "a" { 32 } else { 0 };
        let mut rest = tensor("a", &[8], 0, 0);
        rest.extend(tensor(second, &[8], 0, offset));
        rest.extend(pad);
        refused(raw(3, 2, 0, &rest), &[words]);
    }
}

#[test]
fn models_that_loci_does_not_know() {
    let with =
        |key: &'static str, value: Entry| changed(move |metadata, _| set(metadata, key, value.clone()));
    let message = |model: Result<Model, ModelError>| model.unwrap_err().to_string();
    let error = message(with("general.architecture", Entry::Text("mamba".to_owned())));
    assert!(error.contains("mamba") && error.contains("llama, qwen2, qwen3"), "{error}");
    let error = message(with("llama.attention.sliding_window", Entry::U32(16)));
    assert!(error.contains("sliding") && error.contains("16 tokens"), "{error}");
    assert!(with("llama.attention.sliding_window", Entry::U32(4096)).is_ok());
    assert!(message(with("llama.expert_count", Entry::U32(8))).contains("expert_count"));
    assert!(message(with("llama.rope.dimension_count", Entry::U32(2))).contains("rope.dimension_count"));
    assert!(
        message(with("llama.rope.scaling.type", Entry::Text("longrope".to_owned()))).contains("longrope")
    );
    assert!(message(with("llama.attention.head_count_kv", Entry::U32(0))).contains("key-value heads"));
    assert!(message(with("llama.attention.head_count", Entry::U32(3))).contains("rope.dimension_count"));
    assert!(message(with("llama.block_count", Entry::U32(u32::MAX))).contains("number of layers"));
    assert!(message(with("llama.block_count", Entry::U32(2))).contains("blk.1.attn_norm.weight is missing"));
    assert!(message(with("llama.embedding_length", Entry::Text("8".to_owned()))).contains("a whole number"));
    assert!(message(with("llama.rope.freq_base", Entry::F32(f32::NAN))).contains("finite"));
    assert!(message(with("general.alignment", Entry::U32(24))).contains("power of two"));
}

#[test]
fn tensors_that_do_not_fit_the_configuration() {
    let message = |model: Result<Model, ModelError>| model.unwrap_err().to_string();
    let error = message(changed(|_, tensors| tensors.retain(|(name, ..)| name != "blk.0.ffn_up.weight")));
    assert!(error.contains("blk.0.ffn_up.weight is missing"), "{error}");
    let error = message(changed(|_, tensors| {
        for (name, shape, numbers) in tensors {
            if name == "blk.0.attn_k.weight" {
                *shape = vec![2, 8];
                numbers.truncate(16);
            }
        }
    }));
    assert!(error.contains("[4, 8], found [2, 8]"), "{error}");
    let error = message(changed(|_, tensors| {
        tensors.push(("blk.0.attn_sinks.weight".to_owned(), vec![2], vec![0.0; 2]));
    }));
    assert!(error.contains("blk.0.attn_sinks.weight") && error.contains("llama model"), "{error}");
}

#[test]
fn a_model_without_tokenizer_reads_tokens_and_says_what_is_missing() {
    let model = changed(|metadata, _| metadata.retain(|(key, _)| !key.starts_with("tokenizer."))).unwrap();
    assert!(!model.has_tokenizer());
    assert!(model.tokenizer().unwrap_err().to_string().contains("tokenizer.ggml.model"));
    assert!(read(&model, &mut memory(&model), &[1], LogitsFor::Last).is_ok());
}

#[test]
fn embeddings_serve_as_the_head_when_there_is_none() {
    let model = changed(|_, tensors| tensors.retain(|(name, ..)| name != "output.weight")).unwrap();
    assert!(model.config().tied_embeddings);
    assert!(read(&model, &mut memory(&model), &[1], LogitsFor::Last).is_ok());
}

#[test]
fn every_truncation_is_refused() {
    let file = SMALL.file();
    for length in (0..file.len()).step_by(7) {
        assert!(open(file[..length].to_vec()).is_err(), "cut to {length} bytes");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Any bytes of the header may be anything: opening ends with a model or an error.
    #[test]
    fn a_mutated_header_never_panics(changes in proptest::collection::vec((0_usize..7000, any::<u8>()), 1..6)) {
        let mut file = SMALL.file();
        for (at, byte) in changes {
            let length = file.len();
            file[at % length] = byte;
        }
        if let Ok(model) = open(file) {
            let mut memory = memory_of(&model);
            let _logits = read(&model, &mut memory, &[1, 2], LogitsFor::Last);
        }
    }

    /// Lengths and counts are the dangerous numbers: extreme ones at every place.
    #[test]
    fn extreme_lengths_never_panic(at in 0_usize..7000, number in prop_oneof![
        Just(u64::MAX), Just(u64::MAX / 2 + 1), Just(1 << 32), Just(0), any::<u64>(),
    ]) {
        let mut file = SMALL.file();
        let start = at % (file.len() - 8);
        file[start..start + 8].copy_from_slice(&number.to_le_bytes());
        let _outcome = open(file);
    }
}

/// A memory for a model whose RoPE may have been damaged.
fn memory_of(model: &Model) -> loci_models::reference::ReferenceMemory {
    let rope = loci_models::rope::RopeSchedule::stock(10_000.0, model.shape().head_dim).unwrap();
    loci_models::reference::ReferenceMemory::new(model.shape(), rope)
}
