//! Any bytes as a GGUF file: an error or a model, never a panic or an allocation that the file does not fill.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use loci_kernels::Pool;
use loci_models::gguf::Gguf;
use loci_models::model::Model;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(file) = Gguf::from_bytes("fuzz.gguf", bytes.to_vec()) {
        for (name, _) in file.tensors() {
            let _found = file.tensor(name);
        }
        if let Ok(model) = Model::from_gguf(file, Arc::new(Pool::new(1))) {
            let _tokenizer = model.tokenizer();
        }
    }
});
