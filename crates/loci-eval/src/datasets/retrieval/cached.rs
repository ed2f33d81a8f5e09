//! Vectors that are made once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use loci_engine::EngineError;
use loci_reading::TextEncoder;

/// More vectors than this are not kept: 200,000 of 384 numbers are 300 MB.
const MOST: usize = 200_000;

/// An encoder that remembers: histories share sessions, and settings share keys.
#[derive(Debug)]
pub(super) struct Cached {
    encoder: Arc<dyn TextEncoder>,
    kept: Mutex<HashMap<blake3::Hash, Vec<f32>>>,
}

impl Cached {
    pub(super) fn new(encoder: Arc<dyn TextEncoder>) -> Self {
        Self { encoder, kept: Mutex::default() }
    }

    /// Numbers in a vector.
    pub(super) fn dimension(&self) -> usize {
        self.encoder.dimension()
    }

    /// The vector of each text, in their order.
    ///
    /// # Errors
    /// What the encoder fails with.
    pub(super) fn encode(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EngineError> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() + texts.len() > MOST {
            kept.clear();
        }
        let hashes: Vec<blake3::Hash> = texts.iter().map(|text| blake3::hash(text.as_bytes())).collect();
        let mut new: HashMap<blake3::Hash, &str> = HashMap::new();
        let mut order = Vec::new();
        for (hash, text) in hashes.iter().zip(texts) {
            if !kept.contains_key(hash) && new.insert(*hash, text).is_none() {
                order.push((*hash, *text));
            }
        }
        let unseen: Vec<&str> = order.iter().map(|(_, text)| *text).collect();
        if !unseen.is_empty() {
            let vectors = self.encoder.encode(&unseen)?;
            kept.extend(order.iter().map(|(hash, _)| *hash).zip(vectors));
        }
        let lost =
            || EngineError::Internal(format!("the encoder {} gave too few vectors", self.encoder.name()));
        hashes.iter().map(|hash| kept.get(hash).cloned().ok_or_else(lost)).collect()
    }
}
