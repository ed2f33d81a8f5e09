//! Damaged, incomplete and hostile model folders.

use std::path::Path;
use std::sync::Arc;

use crate::common::fixture;
use loci_kernels::Pool;
use loci_models::config::{ModelConfig, RopeScaling};
use loci_models::{Model, ModelError};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A copy of a fixture that may be damaged.
fn copy(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(fixture(name)).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    folder
}

fn open(folder: &Path) -> Result<Model, ModelError> {
    Model::open(folder, Arc::new(Pool::new(1)))
}

fn edit(path: &Path, change: impl Fn(&mut Value)) {
    let mut object: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    change(&mut object);
    std::fs::write(path, object.to_string()).unwrap();
}

fn message(folder: &Path) -> String {
    open(folder).unwrap_err().to_string()
}

const SHARD: &str = "model-00002-of-00003.safetensors";
const INDEX: &str = "model.safetensors.index.json";

#[test]
fn a_missing_file_is_named() {
    let folder = copy("llama-sharded");
    std::fs::remove_file(folder.path().join(SHARD)).unwrap();
    let error = message(folder.path());
    assert!(error.contains(SHARD) && error.contains(INDEX) && error.contains("download"), "{error}");

    let folder = copy("llama-tied");
    std::fs::remove_file(folder.path().join("model.safetensors")).unwrap();
    assert!(message(folder.path()).contains("model.safetensors"));
    std::fs::remove_file(folder.path().join("config.json")).unwrap();
    assert!(message(folder.path()).contains("a folder without config.json"));
}

#[test]
fn a_tensor_that_no_shard_has_is_named() {
    let folder = copy("llama-sharded");
    edit(&folder.path().join(INDEX), |index| {
        index["weight_map"]["model.layers.9.input_layernorm.weight"] = json!(SHARD);
    });
    let error = message(folder.path());
    assert!(error.contains(SHARD) && error.contains("model.layers.9.input_layernorm.weight"), "{error}");
}

#[test]
fn an_index_does_not_lead_out_of_its_folder() {
    for name in ["../model.safetensors", "/etc/hostname", "..", "a/b", ""] {
        let folder = copy("llama-sharded");
        edit(&folder.path().join(INDEX), |index| index["weight_map"]["model.norm.weight"] = json!(name));
        let error = message(folder.path());
        assert!(error.contains("weight_map.model.norm.weight"), "{error}");
    }
}

#[test]
fn shapes_that_contradict_the_configuration_are_named() {
    let folder = copy("llama-tied");
    edit(&folder.path().join("config.json"), |config| config["intermediate_size"] = json!(65));
    let error = message(folder.path());
    assert!(error.contains("mlp.gate_proj.weight") && error.contains("[65, 32], found [64, 32]"), "{error}");
}

#[test]
fn settings_that_are_not_supported_are_refused_by_name() {
    let cases: [(&str, Value, &[&str]); 8] = [
        ("architectures", json!(["MambaForCausalLM"]), &["MambaForCausalLM", "Qwen3ForCausalLM"]),
        ("architectures", json!(7), &["none named"]),
        ("hidden_act", json!("gelu"), &["gelu", "silu"]),
        ("hidden_size", json!(-3), &["hidden_size", "-3"]),
        ("num_hidden_layers", json!(null), &["num_hidden_layers", "nothing"]),
        ("num_key_value_heads", json!(3), &["divisor of the 4 heads"]),
        ("partial_rotary_factor", json!(0.5), &["partial_rotary_factor"]),
        ("rope_parameters", json!({"rope_type": "longrope"}), &["longrope", "llama3"]),
    ];
    for (key, value, words) in cases {
        let folder = copy("llama-tied");
        edit(&folder.path().join("config.json"), |config| config[key] = value.clone());
        let error = message(folder.path());
        for word in words.iter().chain(&["config.json"]) {
            assert!(error.contains(word), "{key}: {error:?} does not say {word:?}");
        }
    }
}

#[test]
fn an_active_sliding_window_is_refused_and_an_idle_one_is_not() {
    let folder = copy("mistral-f16");
    let config = folder.path().join("config.json");
    edit(&config, |config| config["sliding_window"] = json!(32));
    assert!(message(folder.path()).contains("32 tokens in a model of 64"));
    edit(&config, |config| config["sliding_window"] = json!(64));
    assert!(open(folder.path()).is_ok());
    let folder = copy("qwen2-yarn");
    edit(&folder.path().join("config.json"), |config| config["sliding_window"] = json!(32));
    assert!(open(folder.path()).is_ok());
}

#[test]
fn scalings_are_taken_from_the_configuration() {
    let config = |scaling: Value| {
        let mut object: Value =
            serde_json::from_slice(&std::fs::read(fixture("llama3-bf16").join("config.json")).unwrap())
                .unwrap();
        object["rope_scaling"] = scaling;
        ModelConfig::from_json(Path::new("config.json"), object.as_object().unwrap())
            .map(|config| config.rope.scaling)
    };
    assert_eq!(config(Value::Null).unwrap(), None);
    assert_eq!(
        config(json!({"type": "linear", "factor": 2})).unwrap(),
        Some(RopeScaling::Linear { factor: 2.0 })
    );
    let dynamic = config(json!({"rope_type": "dynamic", "factor": 4.0})).unwrap();
    assert_eq!(dynamic, Some(RopeScaling::Dynamic { factor: 4.0 }));
    let yarn =
        config(json!({"rope_type": "yarn", "factor": 4.0, "mscale": 1.0, "mscale_all_dim": 0.5})).unwrap();
    let expected = (0.1 * 4.0_f64.ln() + 1.0) / (0.05 * 4.0_f64.ln() + 1.0);
    assert!(matches!(yarn, Some(RopeScaling::Yarn { attention_scale: Some(scale), .. })
        if (scale - expected).abs() < 1e-12));
    assert!(config(json!({"type": "linear"})).is_err());
    assert!(config(json!({"type": "linear", "factor": 0.5})).is_err());
}

#[test]
fn numbers_of_another_type_are_refused() {
    let folder = copy("llama-tied");
    let path = folder.path().join("model.safetensors");
    let mut bytes = std::fs::read(&path).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header = String::from_utf8(bytes[8..8 + length].to_vec()).unwrap().replace("\"F32\"", "\"I32\"");
    bytes.splice(8..8 + length, header.into_bytes());
    std::fs::write(&path, bytes).unwrap();
    let error = message(folder.path());
    assert!(error.contains("I32") && error.contains("F32, F16, BF16"), "{error}");
}

#[test]
fn a_weights_file_named_by_itself_points_to_its_folder() {
    let error = message(&fixture("llama-tied").join("model.safetensors"));
    assert!(error.contains("folder"), "{error}");
}

#[test]
fn a_folder_without_tokenizer_says_what_is_missing() {
    let model = open(&fixture("llama-tied")).unwrap();
    assert!(model.tokenizer().unwrap_err().to_string().contains("tokenizer.json"));
}

#[test]
fn every_truncation_of_the_weights_is_refused() {
    let folder = copy("llama-tied");
    let path = folder.path().join("model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    for length in (0..4096).step_by(61).chain([bytes.len() / 2, bytes.len() - 1]) {
        // A new file each time: the old one may still be mapped.
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, &bytes[..length]).unwrap();
        assert!(open(folder.path()).is_err(), "cut to {length} bytes");
    }
}

#[test]
fn offsets_that_overflow_are_refused() {
    let folder = copy("llama-tied");
    let path = folder.path().join("model.safetensors");
    let piece = usize::MAX / 16;
    let entries: Vec<String> = (0..16)
        .map(|index: usize| {
            let (from, to) = (index * piece, (index + 1) * piece);
            format!("\"t{index}\":{{\"dtype\":\"U8\",\"shape\":[{piece}],\"data_offsets\":[{from},{to}]}}")
        })
        .collect();
    let header = format!("{{{}}}", entries.join(","));
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    std::fs::write(&path, bytes).unwrap();
    assert!(message(folder.path()).contains("model.safetensors"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn a_mutated_header_never_panics(changes in proptest::collection::vec((0_usize..3000, any::<u8>()), 1..5)) {
        let folder = copy("llama-tied");
        let path = folder.path().join("model.safetensors");
        let mut bytes = std::fs::read(&path).unwrap();
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        std::fs::write(&path, bytes).unwrap();
        let _outcome = open(folder.path());
    }

    #[test]
    fn a_mutated_configuration_never_panics(at in 0_usize..700, byte in any::<u8>()) {
        let folder = copy("llama3-bf16");
        let path = folder.path().join("config.json");
        let mut bytes = std::fs::read(&path).unwrap();
        let at = at % bytes.len();
        bytes[at] = byte;
        std::fs::write(&path, bytes).unwrap();
        let _outcome = open(folder.path());
    }
}
