//! Texts to vectors.

use std::path::Path;
use std::sync::Arc;

use loci_kernels::Pool;
use loci_models::Encoder;
pub use loci_models::encoder::{Embedding, EncoderError, LongTexts};

use crate::error::EngineError;

/// A loaded sentence encoder. Threads may share it; their work is done by turns on one pool.
#[derive(Debug)]
pub struct Embedder {
    encoder: Encoder,
    name: String,
}

impl Embedder {
    /// Loads the encoder in the folder `path`, to compute on `pool`; `name` is how reports call it.
    ///
    /// # Errors
    /// [`EngineError::Model`] when the folder does not hold a sentence encoder that is supported.
    pub fn open(path: &Path, name: &str, pool: Arc<Pool>) -> Result<Self, EngineError> {
        Ok(Self { encoder: Encoder::open(path, pool)?, name: name.to_owned() })
    }

    /// How reports call the encoder.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Numbers in a vector.
    pub const fn dimension(&self) -> usize {
        self.encoder.dimension()
    }

    /// Most tokens of a text that is read at once, with those that stand around it.
    pub const fn max_tokens(&self) -> usize {
        self.encoder.max_tokens()
    }

    /// Whether vectors have length 1, so that their product is their cosine.
    pub const fn normalises(&self) -> bool {
        self.encoder.pooling().normalise
    }

    /// How many tokens a text has, with those that stand around it.
    ///
    /// # Errors
    /// [`EngineError::Tokenizer`] above 2 GiB.
    pub fn count_tokens(&self, text: &str) -> Result<usize, EngineError> {
        Ok(self.encoder.count_tokens(text)?)
    }

    /// Vectors of texts, in their order, with the tokens that were read. A text's vector is the same alone and in any
    /// company.
    ///
    /// # Errors
    /// [`EngineError::Encoder`] with the index of the first text that cannot be read; nothing is computed then.
    pub fn embed(&self, texts: &[&str], long: LongTexts) -> Result<Vec<Embedding>, EngineError> {
        Ok(self.encoder.embed(texts, long)?)
    }
}
