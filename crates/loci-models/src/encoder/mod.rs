//! Sentence encoders: a text becomes a vector, and texts of like meaning get vectors that point the same way.
//!
//! An [`Encoder`] is a BERT model (Devlin et al., 2018) in a folder as sentence-transformers writes it (Reimers and
//! Gurevych, 2019): every token sees every other one, and the vectors of a text's tokens become one. Texts are computed
//! one behind the other without padding, so a text's vector is the same bits alone and in any batch, on any number of
//! threads.
//!
//! Nothing is cut: a text longer than the encoder reads at once is refused, or read in windows
//! ([`LongTexts::Windows`]).

mod config;
mod load;
mod pooling;
mod windows;
mod wiring;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use loci_kernels::{Isa, Pool};

use crate::cpu::Cpu;
use crate::error::ModelError;
use crate::source::Source;
use crate::tokenizer::{TokenizerError, WordPiece};
pub use config::{Activation, EncoderConfig};
pub use pooling::{Pooling, PoolingConfig};
use windows::windows;
pub(crate) use wiring::LayerNorm;
use wiring::Weights;

/// Tokens computed at once: enough that reading the weights costs little, few enough that activations stay in cache.
const BATCH_TOKENS: usize = 1024;

/// What becomes of a text with more tokens than the encoder reads at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LongTexts {
    /// It is refused.
    #[default]
    Refuse,
    /// It is cut between words into windows of nearly equal length. Its vector is the mean of theirs, weighted by tokens,
    /// and normalised if theirs are.
    Windows,
}

/// The vector of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedding {
    /// `[dimension]`.
    pub vector: Vec<f32>,
    /// Tokens read, with those that stand around the text or each of its windows.
    pub tokens: usize,
    /// Windows it was read in; 1 for a text that fits.
    pub windows: usize,
}

/// Why texts got no vectors.
#[derive(Debug, thiserror::Error)]
pub enum EncoderError {
    /// A text is longer than the encoder reads at once.
    #[error(
        "text {index} has {tokens} tokens, more than the {limit} that the encoder reads at once; cut it, or ask for \
         windows, whose vectors are averaged"
    )]
    TooLong {
        /// Which text, from 0.
        index: usize,
        /// Its tokens, with those around it.
        tokens: usize,
        /// Most tokens, with those around a text.
        limit: usize,
    },
    /// A text could not be cut into tokens.
    #[error("text {index}: {source}")]
    Tokenizer {
        /// Which text, from 0.
        index: usize,
        /// Why.
        source: TokenizerError,
    },
    /// The model computed something that is no number.
    #[error("the vector of text {index} is not finite; the weights are damaged, get the model again")]
    NotFinite {
        /// Which text, from 0.
        index: usize,
    },
}

/// A sentence encoder. Threads may share it.
#[derive(Debug)]
pub struct Encoder {
    path: PathBuf,
    config: EncoderConfig,
    pooling: PoolingConfig,
    tokenizer: WordPiece,
    weights: Weights,
    cpu: Cpu,
}

/// A text, or a window of it, as the model reads it.
struct Window {
    text: usize,
    tokens: Vec<u32>,
    /// Tokens of the text itself.
    own: usize,
}

impl Encoder {
    /// Opens a folder with `config.json`, safetensors, `modules.json`, the settings of its pooling and a WordPiece
    /// tokenizer. Weights are packed on `pool`, on which the encoder will also compute.
    ///
    /// # Errors
    /// [`ModelError`] when something is missing, damaged or not supported.
    pub fn open(path: &Path, pool: Arc<Pool>) -> Result<Self, ModelError> {
        let source = Source::open(path)?;
        let Source::Folder(folder) = &source else {
            return Err(ModelError::unsupported(
                path,
                "an encoder in",
                "a single file",
                "folders with config.json, model.safetensors and modules.json",
            ));
        };
        let config = EncoderConfig::from_folder(folder)?;
        let pooling = PoolingConfig::from_folder(path, &config)?;
        let tokenizer = WordPiece::from_folder(path)
            .map_err(|source| ModelError::Tokenizer { path: path.to_owned(), source })?;
        if tokenizer.vocab_size() > config.vocab {
            return Err(ModelError::setting(
                &folder.config_path(),
                "vocab_size",
                format!("at least the {} tokens of the tokenizer", tokenizer.vocab_size()),
                config.vocab.to_string(),
            ));
        }
        let around = tokenizer.before().len() + tokenizer.after().len();
        if pooling.max_tokens <= around {
            return Err(ModelError::setting(
                path,
                "most tokens of a text",
                format!("more than the {around} that stand around it"),
                pooling.max_tokens.to_string(),
            ));
        }
        let weights = load::weights(&source, &config, &pool)?;
        let cpu = Cpu::new(pool, Isa::active());
        Ok(Self { path: path.to_owned(), config, pooling, tokenizer, weights, cpu })
    }

    /// The folder it came from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Sizes and settings.
    pub const fn config(&self) -> &EncoderConfig {
        &self.config
    }

    /// How the vectors of tokens become one.
    pub const fn pooling(&self) -> &PoolingConfig {
        &self.pooling
    }

    /// The tokenizer.
    pub const fn tokenizer(&self) -> &WordPiece {
        &self.tokenizer
    }

    /// Numbers in a vector.
    pub const fn dimension(&self) -> usize {
        self.config.hidden
    }

    /// Most tokens of a text that is read at once, with those that stand around it.
    pub const fn max_tokens(&self) -> usize {
        self.pooling.max_tokens
    }

    /// How many tokens a text has, with those that stand around it once.
    ///
    /// # Errors
    /// [`TokenizerError::TextTooLong`] above 2 GiB.
    pub fn count_tokens(&self, text: &str) -> Result<usize, TokenizerError> {
        Ok(self.tokens(text)?.len() + self.around())
    }

    /// Vectors of texts, in their order. The empty text has one too.
    ///
    /// # Errors
    /// [`EncoderError`] with the index of the first text that cannot be read; no vector is computed then.
    pub fn embed(&self, texts: &[&str], long: LongTexts) -> Result<Vec<Embedding>, EncoderError> {
        let mut all = Vec::with_capacity(texts.len());
        for (index, text) in texts.iter().enumerate() {
            let tokens = self.tokens(text).map_err(|source| EncoderError::Tokenizer { index, source })?;
            let limit = self.max_tokens() - self.around();
            if tokens.len() > limit && long == LongTexts::Refuse {
                let tokens = tokens.len() + self.around();
                return Err(EncoderError::TooLong { index, tokens, limit: self.max_tokens() });
            }
            for window in windows(&tokens, limit, |id| self.tokenizer.is_inner(id)) {
                let (before, after) = (self.tokenizer.before(), self.tokenizer.after());
                all.push(Window { text: index, tokens: [before, window, after].concat(), own: window.len() });
            }
        }
        let none = Embedding { vector: vec![0.0; self.dimension()], tokens: 0, windows: 0 };
        let mut embeddings = vec![none; texts.len()];
        let mut rest = all.as_slice();
        while !rest.is_empty() {
            let mut tokens = 0;
            let fits = rest.iter().take_while(|window| {
                tokens += window.tokens.len();
                tokens <= BATCH_TOKENS
            });
            let (batch, later) = rest.split_at(fits.count().max(1));
            self.batch(batch, &mut embeddings);
            rest = later;
        }
        for (index, embedding) in embeddings.iter_mut().enumerate() {
            if embedding.windows > 1 && self.pooling.normalise {
                pooling::normalise(&mut embedding.vector);
            }
            if !embedding.vector.iter().all(|number| number.is_finite()) {
                return Err(EncoderError::NotFinite { index });
            }
        }
        Ok(embeddings)
    }

    /// Hidden states `[tokens, hidden]` of sequences of tokens, one matrix each: what is pooled. For looking inside.
    ///
    /// # Errors
    /// [`EncoderError::TooLong`] for a sequence with more tokens than the model has positions.
    ///
    /// # Panics
    /// When a token is not in the vocabulary.
    pub fn hidden_states(&self, sequences: &[&[u32]]) -> Result<Vec<Vec<f32>>, EncoderError> {
        let limit = self.config.positions;
        if let Some(index) = sequences.iter().position(|tokens| tokens.len() > limit) {
            let tokens = sequences.get(index).map_or(0, |tokens| tokens.len());
            return Err(EncoderError::TooLong { index, tokens, limit });
        }
        let states = wiring::forward(&self.weights, &self.cpu, sequences);
        let mut row = 0;
        Ok(sequences
            .iter()
            .map(|tokens| {
                let own = states.some_rows(row, tokens.len()).to_vec();
                row += tokens.len();
                own
            })
            .collect())
    }

    /// Adds the windows' vectors to those of their texts.
    fn batch(&self, batch: &[Window], embeddings: &mut [Embedding]) {
        let sequences: Vec<&[u32]> = batch.iter().map(|window| window.tokens.as_slice()).collect();
        let states = wiring::forward(&self.weights, &self.cpu, &sequences);
        // How many tokens each text has had so far; its windows follow each other.
        let mut row = 0;
        for window in batch {
            let count = window.tokens.len();
            let mut vector = self.pooling.pooling.pool(states.some_rows(row, count), self.dimension());
            row += count;
            if self.pooling.normalise {
                pooling::normalise(&mut vector);
            }
            let Some(embedding) = embeddings.get_mut(window.text) else { continue };
            // Tokens of the text in earlier windows, which are all but those around them.
            let earlier = embedding.tokens - embedding.windows * self.around();
            let share = window.own as f32 / (earlier + window.own).max(1) as f32;
            if embedding.windows == 0 {
                embedding.vector = vector;
            } else {
                for (mean, number) in embedding.vector.iter_mut().zip(&vector) {
                    *mean += (number - *mean) * share;
                }
            }
            embedding.tokens += count;
            embedding.windows += 1;
        }
    }

    fn tokens(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        match self.pooling.lower_case {
            true => self.tokenizer.encode(&text.to_lowercase()),
            false => self.tokenizer.encode(text),
        }
    }

    /// Tokens around each text or window.
    fn around(&self) -> usize {
        self.tokenizer.before().len() + self.tokenizer.after().len()
    }
}
