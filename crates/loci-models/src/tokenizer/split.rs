//! Pre-tokenizers: where merges must not cross.
//!
//! Each is a list of stages; a stage cuts every piece of the one before. The published patterns end in
//! `\s+(?!\S)|\s+`: "a run of white space, without its last character when a word follows". That is the only
//! look-ahead among them, so it is done by hand ([`Rule::gives_back`]) and the rest runs on an automaton that needs
//! linear time on any text. Pieces are produced one after the other, so a text of any length costs no extra memory.

use regex_automata::Input;
use regex_automata::meta::Regex;

use super::TokenizerError;

const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const TEKKEN: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const DIGIT: &str = r"\p{N}";
const LAST_SPACES: &str = r"|\s+(?!\S)|\s+";

/// A name that GGUF files give in `tokenizer.ggml.pre`, and what it means.
struct Named {
    names: &'static [&'static str],
    stages: &'static [&'static str],
    /// A piece that is a token is that token, whatever the merges say.
    whole_pieces: bool,
}

const NAMED: &[Named] = &[
    // A file without a name, or with "default", is taken as what its model kind says: gpt2.
    Named { names: &["gpt-2", "default", "", "phi-2", "mpt", "olmo"], stages: &[GPT2], whole_pieces: false },
    Named {
        names: &["smollm", "starcoder", "refact", "command-r", "codeshell", "exaone"],
        stages: &[DIGIT, GPT2],
        whole_pieces: false,
    },
    Named { names: &["llama-bpe", "llama3", "llama-v3"], stages: &[LLAMA3], whole_pieces: true },
    Named { names: &["dbrx", "smaug-bpe"], stages: &[LLAMA3], whole_pieces: false },
    Named { names: &["qwen2", "deepseek-r1-qwen", "stablelm2"], stages: &[QWEN2], whole_pieces: false },
    Named { names: &["tekken"], stages: &[TEKKEN], whole_pieces: true },
];

/// The stages of a named pre-tokenizer, and whether a piece that is a token is taken whole.
pub(super) fn named(name: &str) -> Result<(Vec<Rule>, bool), TokenizerError> {
    let found = NAMED.iter().find(|entry| entry.names.contains(&name)).ok_or_else(|| {
        let mut known: Vec<_> =
            NAMED.iter().flat_map(|entry| entry.names).filter(|name| !name.is_empty()).collect();
        known.sort_unstable();
        TokenizerError::Unsupported {
            part: "pre-tokenizer",
            found: format!("{name:?}"),
            supported: known.into_iter().copied().collect::<Vec<_>>().join(", "),
        }
    })?;
    let rules = found.stages.iter().map(|pattern| Rule::new(pattern)).collect::<Result<_, _>>()?;
    Ok((rules, found.whole_pieces))
}

/// One stage: matches of a pattern are pieces, and so is what lies between them.
#[derive(Debug)]
pub(super) struct Rule {
    regex: Regex,
    /// The pattern ended in `\s+(?!\S)|\s+`, which is now the automaton's second pattern `\s+`.
    gives_back: bool,
}

impl Rule {
    /// The rule of GPT-2.
    pub(super) fn gpt2() -> Result<Self, TokenizerError> {
        Self::new(GPT2)
    }

    /// Every digit a piece of its own.
    pub(super) fn digits() -> Result<Self, TokenizerError> {
        Self::new(DIGIT)
    }

    /// # Errors
    /// [`TokenizerError::Unsupported`] for what is no regular expression, or one with look-around elsewhere.
    pub(super) fn new(pattern: &str) -> Result<Self, TokenizerError> {
        let first = pattern.strip_suffix(LAST_SPACES);
        let config = Regex::config().nfa_size_limit(Some(8 << 20)).hybrid_cache_capacity(8 << 20);
        let mut builder = Regex::builder();
        builder.configure(config);
        let regex = match first {
            Some(first) => builder.build_many(&[first, r"\s+"]),
            None => builder.build(pattern),
        };
        let regex = regex.map_err(|error| TokenizerError::Unsupported {
            part: "pre-tokenizer",
            found: format!("pattern {pattern:?} ({error})"),
            supported: r"regular expressions without look-around, except \s+(?!\S)|\s+ at the end".to_owned(),
        })?;
        Ok(Self { regex, gives_back: first.is_some() })
    }

    /// The next non-empty match in `text` from byte `from` on.
    fn find(&self, text: &str, from: usize) -> Option<(usize, usize)> {
        let mut from = from;
        loop {
            let found = self.regex.search(&Input::new(text).range(from..))?;
            let (start, mut end) = (found.start(), found.end());
            if start == end {
                from = start + text.get(start..)?.chars().next()?.len_utf8();
                continue;
            }
            if self.gives_back && found.pattern().as_usize() == 1 && end < text.len() {
                let last = text.get(start..end)?.chars().next_back()?.len_utf8();
                if end - last > start {
                    end -= last;
                }
            }
            return Some((start, end));
        }
    }

    /// Calls `piece` with the byte range of every piece, in order; together they are `text`.
    fn pieces(&self, text: &str, piece: &mut dyn FnMut(usize, usize)) {
        let mut at = 0;
        while at < text.len() {
            let (start, end) = self.find(text, at).unwrap_or((text.len(), text.len()));
            if at < start {
                piece(at, start);
            }
            if start < end {
                piece(start, end);
            }
            at = end;
        }
    }
}

/// Cuts `text` by all stages and calls `piece` with each piece.
pub(super) fn split<'t>(rules: &[Rule], text: &'t str, piece: &mut dyn FnMut(&'t str)) {
    match rules.split_first() {
        None if text.is_empty() => {}
        None => piece(text),
        Some((rule, rest)) => rule.pieces(text, &mut |start, end| {
            if let Some(part) = text.get(start..end) {
                split(rest, part, piece);
            }
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(name: &str, text: &str) -> Vec<String> {
        let mut out = Vec::new();
        split(&named(name).unwrap().0, text, &mut |piece| out.push(piece.to_owned()));
        out
    }

    #[test]
    fn white_space_before_a_word_keeps_its_last_character_for_it() {
        assert_eq!(cut("gpt-2", "a   b"), ["a", "  ", " b"]);
        assert_eq!(cut("gpt-2", "a\n\nb  "), ["a", "\n", "\n", "b", "  "]);
        assert_eq!(cut("qwen2", "a \n b"), ["a", " \n", " b"]);
        assert_eq!(cut("llama-bpe", "a\n\nb"), ["a", "\n\n", "b"]);
    }

    #[test]
    fn digits_are_cut_as_each_family_wants() {
        assert_eq!(cut("gpt-2", "x 12345"), ["x", " 12345"]);
        assert_eq!(cut("smollm", "x  123"), ["x", "  ", "1", "2", "3"]);
        assert_eq!(cut("llama-bpe", "x 12345"), ["x", " ", "123", "45"]);
        assert_eq!(cut("qwen2", "12"), ["1", "2"]);
    }

    #[test]
    fn words_and_contractions() {
        assert_eq!(cut("llama-bpe", "DON'T don't"), ["DON", "'T", " don", "'t"]);
        assert_eq!(cut("tekken", "HelloWorld"), ["Hello", "World"]);
    }

    #[test]
    fn unknown_names_are_refused_with_the_list() {
        let error = named("no-such").unwrap_err().to_string();
        assert!(
            error.contains("no-such") && error.contains("smollm") && error.contains("llama-bpe"),
            "{error}"
        );
    }

    #[test]
    fn look_around_elsewhere_is_refused() {
        assert!(matches!(Rule::new("a(?=b)"), Err(TokenizerError::Unsupported { .. })));
    }

    #[test]
    fn patterns_that_match_nothing_end() {
        let mut count = 0;
        split(&[Rule::new("x*").unwrap()], "aéx x", &mut |_| count += 1);
        assert_eq!(count, 4);
    }
}
