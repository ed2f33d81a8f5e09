//! Any bytes as the weights of a Hugging Face folder.
#![no_main]

use libfuzzer_sys::fuzz_target;
use loci_models::folder::Folder;

const CONFIG: &str = r#"{"architectures":["LlamaForCausalLM"],"hidden_size":8,"num_hidden_layers":1,
"num_attention_heads":2,"num_key_value_heads":1,"intermediate_size":16,"vocab_size":16,"rms_norm_eps":1e-5,
"max_position_embeddings":64,"rope_theta":10000.0,"tie_word_embeddings":true}"#;

fuzz_target!(|bytes: &[u8]| {
    let Ok(folder) = tempfile::tempdir() else { return };
    let written = std::fs::write(folder.path().join("config.json"), CONFIG)
        .and_then(|()| std::fs::write(folder.path().join("model.safetensors"), bytes));
    if written.is_err() {
        return;
    }
    if let Ok(weights) = Folder::open(folder.path()) {
        let names: Vec<String> = weights.names().map(str::to_owned).collect();
        for name in names {
            let _found = weights.tensor(&name);
        }
    }
});
