//! What names a beginning of a prompt: hashes of its blocks of tokens, each of which stands for all before it too.

use crate::context::ContextOptions;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::saved::fingerprint;

/// Tokens of a block.
pub(super) const BLOCK: usize = 512;

/// A chain of hashes over the tokens of a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chain {
    /// Of everything but the tokens: what read them, and how.
    pub(super) seed: String,
    /// Of each whole block.
    pub(super) blocks: Vec<String>,
    /// Of all tokens.
    pub(super) whole: String,
}

/// Hashes of this many digits name blocks and entries: 128 bits.
const DIGITS: usize = 32;

fn name(hash: blake3::Hash) -> String {
    hash.to_hex().chars().take(DIGITS).collect()
}

impl Chain {
    /// The chain of `tokens` behind `seed`.
    pub(super) fn new(seed: &str, tokens: &[u32]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(seed.as_bytes());
        let mut blocks = Vec::with_capacity(tokens.len() / BLOCK);
        for block in tokens.chunks(BLOCK) {
            block.iter().for_each(|token| {
                hasher.update(&token.to_le_bytes());
            });
            if block.len() == BLOCK {
                blocks.push(name(hasher.finalize()));
            }
        }
        hasher.update(b"end");
        Self { seed: seed.to_owned(), blocks, whole: name(hasher.finalize()) }
    }

    /// Whole blocks that two chains of one seed begin with alike.
    pub(super) fn common(&self, other: &[String]) -> usize {
        self.blocks.iter().zip(other).take_while(|(own, other)| own == other).count()
    }
}

/// What must agree for one session to go on where another ended: the program, the model, and how its memory works. `None`
/// for a model that is in no file. The context is [settled](ContextOptions::settled).
pub(super) fn seed(
    engine: &Engine,
    context: &ContextOptions,
    planned_tokens: usize,
    chunk: usize,
) -> Result<Option<String>, EngineError> {
    let (Some(model), Some(method)) = (fingerprint(engine)?, &context.method) else { return Ok(None) };
    let schedule = context.schedule(engine, planned_tokens)?;
    let heads = context.head_scores.as_ref().map(|scores| scores.text());
    let text = format!(
        "{} {model} {method} rows {} positions {:?} x {} budget {:?} heads {heads:?} drafts itself {} chunk {chunk}",
        env!("CARGO_PKG_VERSION"),
        context.rows().name(),
        schedule.frequencies,
        schedule.attention_scale,
        context.budget,
        context.draft.is_some(),
    );
    Ok(Some(name(blake3::hash(text.as_bytes()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_agree_up_to_the_first_block_that_differs() {
        let tokens: Vec<u32> = (0..1700).collect();
        let chain = Chain::new("seed", &tokens);
        assert_eq!(chain.blocks.len(), 3);
        assert_eq!(chain.common(&Chain::new("seed", &tokens[..1100]).blocks), 2);
        let mut other = tokens.clone();
        other[600] = 0;
        let changed = Chain::new("seed", &other);
        assert_eq!(chain.common(&changed.blocks), 1);
        assert_ne!(chain.blocks[2], changed.blocks[2], "a hash stands for all before it");
        assert_eq!(chain.common(&Chain::new("other", &tokens).blocks), 0);
        assert_ne!(chain.whole, Chain::new("seed", &tokens[..1699]).whole);
        assert_ne!(Chain::new("seed", &tokens[..1024]).whole, chain.blocks[1]);
    }
}
