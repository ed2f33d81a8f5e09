//! Any bytes, or a damaged model, as a GGUF file: an error or a model, never a panic or an allocation that the file
//! does not fill.
#![no_main]

mod edits;

use std::sync::Arc;

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use loci_kernels::Pool;
use loci_models::gguf::Gguf;
use loci_models::model::Model;
use loci_models::reference::TinyModel;

#[derive(Arbitrary, Debug)]
enum Input<'a> {
    Bytes(&'a [u8]),
    Damaged { edits: Vec<(u32, u8)>, length: Option<u32> },
}

fuzz_target!(|input: Input<'_>| {
    let bytes = match input {
        Input::Bytes(bytes) => bytes.to_vec(),
        Input::Damaged { edits, length } => edits::edited(TinyModel::default().file(), &edits, length),
    };
    if let Ok(file) = Gguf::from_bytes("fuzz.gguf", bytes) {
        for (name, _) in file.tensors() {
            let _found = file.tensor(name);
        }
        if let Ok(model) = Model::from_gguf(file, Arc::new(Pool::new(1))) {
            let _tokenizer = model.tokenizer();
        }
    }
});
