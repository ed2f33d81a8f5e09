//! Any text as `tokenizer.json`, and any text through a tokenizer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use loci_models::tokenizer::{SpecialTokens, Tokenizer};

fuzz_target!(|input: (&str, &str)| {
    let (file, text) = input;
    if let Ok(tokenizer) = Tokenizer::from_json(file, &serde_json::Value::Null, &serde_json::Value::Null) {
        if let Ok(tokens) = tokenizer.encode(text, SpecialTokens::AsText, true) {
            let ids: Vec<u32> = tokens.iter().map(|token| token.id).collect();
            let _decoded = tokenizer.decode(&ids);
            assert!(tokens.iter().all(|token| token.start <= token.end && token.end as usize <= text.len()));
        }
    }
});
