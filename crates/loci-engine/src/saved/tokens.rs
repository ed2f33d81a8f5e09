//! Tokens and where they come from, as bytes: of each token its id, its document counted from 1 (0: none), and the first byte
//! and the byte behind the last in that document, all u32.

use crate::documents::Document;
use crate::layout::{Prompt, Source};

const TOKEN: usize = 16;

/// The tokens of a prompt; `None` where a document is too long for the form, which the tokenizer excludes.
pub(super) fn pack(prompt: &Prompt) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(prompt.len() * TOKEN);
    for (token, source) in prompt.tokens.iter().zip(&prompt.sources) {
        let (document, range) = match source {
            Some(source) => (source.document + 1, source.bytes.clone()),
            None => (0, 0..0),
        };
        bytes.extend(token.to_le_bytes());
        for number in [document, range.start, range.end] {
            bytes.extend(u32::try_from(number).ok()?.to_le_bytes());
        }
    }
    Some(bytes)
}

/// Reads what [`pack`] gave, for a model with `vocab` tokens; says what does not fit.
pub(super) fn unpack(bytes: &[u8], documents: &[Document], vocab: usize) -> Result<Prompt, String> {
    let (packed, over) = bytes.as_chunks::<TOKEN>();
    if !over.is_empty() {
        return Err(format!("{} bytes are no whole number of tokens", bytes.len()));
    }
    let mut prompt = Prompt::of_tokens(Vec::with_capacity(packed.len()));
    prompt.sources.reserve(packed.len());
    for (index, token) in packed.iter().enumerate() {
        let (numbers, _) = token.as_chunks::<4>();
        let number = |at: usize| numbers.get(at).map_or(0, |bytes| u32::from_le_bytes(*bytes));
        let (id, document, start, end) =
            (number(0), number(1) as usize, number(2) as usize, number(3) as usize);
        if id as usize >= vocab {
            return Err(format!("token {index} is {id} and the model knows {vocab}"));
        }
        let source = match document.checked_sub(1) {
            None => None,
            Some(document) => {
                let length = documents.get(document).map_or(0, |document| document.text.len());
                if start > end || end > length {
                    return Err(format!("token {index} comes from bytes {start}..{end} of {length}"));
                }
                Some(Source { document, bytes: start..end })
            }
        };
        prompt.tokens.push(id);
        prompt.sources.push(source);
    }
    prompt.fixed = vec![false; prompt.len()];
    prompt.documents = prompt.len();
    Ok(prompt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_back_and_nonsense_does_not() {
        let documents = [Document { name: "a".to_owned(), text: "alpha".to_owned() }];
        let mut prompt = Prompt::of_tokens(vec![3, 1, 4]);
        prompt.sources[1] = Some(Source { document: 0, bytes: 0..2 });
        prompt.sources[2] = Some(Source { document: 0, bytes: 2..5 });
        let bytes = pack(&prompt).unwrap();
        let found = unpack(&bytes, &documents, 5).unwrap();
        assert_eq!((&found.tokens, &found.sources, found.documents), (&prompt.tokens, &prompt.sources, 3));
        assert!(unpack(&bytes, &documents, 4).unwrap_err().contains("token 2 is 4"));
        assert!(unpack(&bytes[..47], &documents, 5).unwrap_err().contains("47"));
        assert!(unpack(&bytes, &[], 5).unwrap_err().contains("of 0"));
        for (at, wrong) in [(20, 2), (24, 9), (44, 6)] {
            let mut damaged = bytes.clone();
            damaged[at] = wrong;
            assert!(unpack(&damaged, &documents, 5).is_err(), "byte {at}");
        }
    }
}
