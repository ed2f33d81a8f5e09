//! How likely the model thought the tokens of an answer.

use loci_models::sampling::log_probs;
use loci_models::tokenizer::Tokenizer;

use crate::error::EngineError;

/// A token and how likely the model thought it.
#[derive(Clone, Debug, PartialEq)]
pub struct Likely {
    /// The token.
    pub token: u32,
    /// Its bytes, which need not be whole characters; of a control token its name.
    pub bytes: Vec<u8>,
    /// Natural logarithm of its probability: the log softmax of the model's logits, before penalties, biases, grammar,
    /// temperature and filters.
    pub log_prob: f32,
}

/// A token that was drawn, and what the model would have said.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawn {
    /// The token.
    pub chosen: Likely,
    /// The most likely tokens, best first; the drawn one is among them only if it belongs there.
    pub top: Vec<Likely>,
}

impl Drawn {
    /// Looks `token` and the `count` most likely tokens up in `logits` `[vocab_size]`.
    ///
    /// # Errors
    /// [`EngineError::Sampling`] when the logits are no numbers or do not have the token.
    pub fn new(tokenizer: &Tokenizer, logits: &[f32], token: u32, count: usize) -> Result<Self, EngineError> {
        let found = log_probs(logits, token, count)?;
        let likely = |id: u32, log_prob: f32| {
            let name = || tokenizer.text_of(id).unwrap_or_default().as_bytes();
            Likely { token: id, bytes: tokenizer.bytes_of(id).unwrap_or_else(name).to_vec(), log_prob }
        };
        Ok(Self {
            chosen: likely(found.drawn.id, found.drawn.log_prob),
            top: found.top.iter().map(|token| likely(token.id, token.log_prob)).collect(),
        })
    }
}
