//! The model's tokens as `llguidance` wants them: a tree of their bytes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use llguidance::toktrie::{ApproximateTokEnv, INVALID_TOKEN, TokEnv, TokRxInfo, TokTrie};
use loci_models::tokenizer::Tokenizer;

/// Longest token that is offered, in bytes; the tree is built by recursion over them. Real ones have up to 128 or so.
const MAX_TOKEN: usize = 512;

/// The bytes by which each token is found; empty for what no answer may hold.
///
/// Control tokens, and those that end an answer, are marked with a byte that no text contains, so that only a grammar
/// which names one can ask for it.
fn words(tokenizer: &Tokenizer) -> Vec<Vec<u8>> {
    let marker = TokTrie::SPECIAL_TOKEN_MARKER;
    let word = |id: u32| {
        if tokenizer.is_special(id) || tokenizer.is_end(id) {
            let name = tokenizer.text_of(id).unwrap_or_default().as_bytes();
            return [&[marker], name].concat();
        }
        let bytes = tokenizer.bytes_of(id).unwrap_or_default();
        if bytes.contains(&marker) { Vec::new() } else { bytes.to_vec() }
    };
    let size = u32::try_from(tokenizer.vocab_size()).unwrap_or(u32::MAX);
    (0..size).map(word).map(|word| if word.len() > MAX_TOKEN { Vec::new() } else { word }).collect()
}

/// The tree of a model's tokens.
///
/// # Errors
/// What the tree cannot hold.
pub(super) fn environment(tokenizer: &Tokenizer) -> Result<TokEnv, String> {
    let words = words(tokenizer);
    let size = u32::try_from(words.len()).map_err(|error| error.to_string())?;
    let end = tokenizer.ends().first().copied().unwrap_or(INVALID_TOKEN);
    let build = || {
        let tree = TokTrie::from(&TokRxInfo::new(size, end), &words);
        match tokenizer.ends() {
            [] => tree,
            ends => tree.with_eos_tokens(ends),
        }
    };
    // The tree checks itself by assertions.
    let tree = catch_unwind(AssertUnwindSafe(build))
        .map_err(|_| "the model's vocabulary does not fit the tree of tokens".to_owned())?;
    // "Approximate": a text is spelt by whatever tokens the model chooses, never by the one canonical sequence.
    Ok(Arc::new(ApproximateTokEnv::new(tree)))
}
