//! Probes: plain text with one sentence in it that answers a question which nothing else answers.

use std::ops::Range;

use loci_context::random::Random;
use loci_models::tokenizer::SpecialTokens;

use crate::documents::Document;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::layout::{Headings, Prompt, question_about};

const WHO: &[&str] = &[
    "The baker",
    "An old fisherman",
    "My neighbour",
    "The teacher",
    "A young painter",
    "The postman",
    "The gardener",
    "A quiet student",
    "The captain",
    "Her uncle",
    "The librarian",
    "A travelling doctor",
    "The carpenter",
    "His sister",
]; // one list a line would not be read any better
const DID: &[&str] = &[
    "walked along the river",
    "mended a wooden chair",
    "cooked soup for the family",
    "waited for the evening train",
    "wrote a letter to a friend",
    "watered the tomatoes",
    "closed the windows",
    "counted the boats in the harbour",
    "read the newspaper",
    "fed the chickens",
    "carried two baskets of apples",
    "swept the stairs",
    "listened to the rain",
    "sharpened the kitchen knives",
];
const WHEN: &[&str] = &[
    "before breakfast",
    "on a cold morning",
    "while the bells were ringing",
    "after the market had closed",
    "in the warm light of the afternoon",
    "as the fog came in",
    "until it was dark",
    "on the last day of the month",
    "without saying a word",
    "because nobody else had the time",
];
const NAMES: &[&str] = &[
    "Anna", "Bruno", "Clara", "David", "Elena", "Felix", "Greta", "Henry", "Irene", "Jakob", "Laura",
    "Martin", "Nora", "Oscar", "Paula", "Robert", "Sofia", "Thomas", "Vera", "Walter",
];
const WORDS: &[&str] = &[
    "lantern", "copper", "meadow", "violin", "orange", "thunder", "pepper", "castle", "feather", "island",
    "mirror", "basket", "winter", "candle", "garden", "button", "silver", "rocket", "tiger", "pencil",
];

/// Digits of a code, and words of a password.
const DIGITS: usize = 5;
const PASSWORD_WORDS: usize = 3;

/// One probe.
#[derive(Clone, Debug)]
pub struct Probe {
    /// The text with the needle in it.
    pub document: Document,
    /// What is asked.
    pub question: String,
    /// The answer.
    pub answer: String,
    /// The answer's bytes in the text.
    pub bytes: Range<usize>,
    /// Tokens of the prompt that were asked for.
    pub length: usize,
    /// Where the needle stands, in percent of the text.
    pub depth: f64,
}

impl Probe {
    /// The prompt, and the positions of the answer's tokens in it.
    ///
    /// # Errors
    /// As [`question_about`]; [`EngineError::Internal`] when the answer is not found again.
    pub fn prompt(&self, engine: &Engine) -> Result<(Prompt, Range<usize>), EngineError> {
        let documents = std::slice::from_ref(&self.document);
        let prompt = question_about(engine, documents, &self.question, None, Headings::Never, false)?;
        let inside = |source: &Option<crate::layout::Source>| {
            source.as_ref().is_some_and(|source| {
                source.bytes.start < self.bytes.end && self.bytes.start < source.bytes.end
            })
        };
        let start = prompt.sources.iter().position(inside);
        let end = prompt.sources.iter().rposition(inside);
        match start.zip(end) {
            Some((start, end)) => Ok((prompt, start..end + 1)),
            None => Err(EngineError::Internal("a probe's answer is not in its prompt".to_owned())),
        }
    }
}

/// A sentence that holds an answer.
struct Needle {
    sentence: String,
    question: String,
    answer: String,
}

/// Codes and passwords by turns: a head that copies digits only would otherwise pass for one that copies everything.
fn needle(draws: &mut Random, number: usize) -> Needle {
    let name = draws.one_of(NAMES);
    if number.is_multiple_of(2) {
        let digits = draws.some_of(&["1", "2", "3", "4", "5", "6", "7", "8", "9"], DIGITS).concat();
        Needle {
            sentence: format!("The secret code of {name} is {digits}."),
            question: format!("What is the secret code of {name}?"),
            answer: digits,
        }
    } else {
        let words = draws.some_of(WORDS, PASSWORD_WORDS).join(" ");
        Needle {
            sentence: format!("The password of {name} is {words}."),
            question: format!("What is the password of {name}?"),
            answer: words,
        }
    }
}

/// What needles are hidden in.
#[derive(Clone, Debug, Default)]
pub struct Haystack {
    /// Sentences of a text of the user's; empty: made up.
    sentences: Vec<String>,
}

impl Haystack {
    /// Sentences of `text`, used from the beginning and over again.
    ///
    /// # Errors
    /// [`EngineError::Nothing`] when there is none.
    pub fn of_text(text: &str) -> Result<Self, EngineError> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let ends = |word: &&str| word.trim_end_matches(['"', '\'', '”', '’', ')']).ends_with(['.', '!', '?']);
        let sentences: Vec<String> = words.split_inclusive(ends).map(|words| words.join(" ")).collect();
        if sentences.is_empty() {
            return Err(EngineError::Nothing { what: "the text".to_owned(), purpose: "hide needles in" });
        }
        Ok(Self { sentences })
    }

    fn sentence(&self, draws: &mut Random, number: usize) -> String {
        match self.sentences.get(number % self.sentences.len().max(1)) {
            Some(sentence) => sentence.clone(),
            None => format!("{} {} {}.", draws.one_of(WHO), draws.one_of(DID), draws.one_of(WHEN)),
        }
    }

    /// A probe whose prompt has at most `length` tokens, and nearly as many, with its needle `depth` percent into the text,
    /// behind the last sentence that ends there. `number` and `seed` decide what is drawn.
    ///
    /// # Errors
    /// [`EngineError::Unsupported`] when the needle and its question alone are longer.
    pub fn probe(
        &self,
        engine: &Engine,
        length: usize,
        depth: f64,
        number: usize,
        seed: u64,
    ) -> Result<Probe, EngineError> {
        let mixed = seed.wrapping_mul(0x2545_F491_4F6C_DD1D) ^ (number as u64) << 20 ^ length as u64;
        let mut draws = Random::new(mixed);
        let Needle { sentence, question, answer } = needle(&mut draws, number);
        let bare = Document { name: "probe".to_owned(), text: sentence.clone() };
        let fixed = question_about(engine, &[bare], &question, None, Headings::Never, false)?.len();
        let Some(room) = length.checked_sub(fixed) else {
            return Err(EngineError::Unsupported(format!(
                "a probe of {length} tokens does not hold needle and question, which are {fixed} tokens; use --lengths {} or more",
                fixed + 64
            )));
        };
        let tokenizer = engine.tokenizer()?;
        let (mut sentences, mut ends, mut total) = (Vec::new(), vec![0], 0);
        loop {
            let next = self.sentence(&mut draws, sentences.len());
            let tokens = tokenizer.encode(&format!(" {next}"), SpecialTokens::AsText, false)?.len();
            if tokens == 0 || total + tokens > room {
                break;
            }
            total += tokens;
            sentences.push(next);
            ends.push(total);
        }
        let wanted = total as f64 * depth / 100.0;
        let before = ends.partition_point(|end| *end as f64 <= wanted).saturating_sub(1);
        sentences.insert(before, sentence.clone());
        let text = sentences.join(" ");
        let start = sentences.iter().take(before).map(|sentence| sentence.len() + 1).sum::<usize>()
            + sentence.rfind(&answer).unwrap_or(0);
        let bytes = start..start + answer.len();
        Ok(Probe {
            document: Document { name: "probe".to_owned(), text },
            question,
            answer,
            bytes,
            length,
            depth,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use loci_kernels::Pool;
    use loci_models::reference::TinyModel;

    use super::*;

    fn engine() -> Engine {
        let model = TinyModel::default().open(Arc::new(Pool::new(1))).unwrap();
        Engine::from_model(model, "tiny").unwrap()
    }

    #[test]
    fn probes_have_the_length_and_the_needle_where_it_was_asked_for() {
        let engine = engine();
        for number in 0..6 {
            for depth in [0.0, 30.0, 100.0] {
                let probe = Haystack::default().probe(&engine, 900, depth, number, 7).unwrap();
                assert_eq!(probe.document.text[probe.bytes.clone()], probe.answer);
                let (prompt, span) = probe.prompt(&engine).unwrap();
                assert!((700..=900).contains(&prompt.len()), "{} tokens", prompt.len());
                // This model's tokens are bytes; a space is three.
                assert_eq!(span.len(), probe.answer.len() + 2 * probe.answer.matches(' ').count());
                let here = probe.bytes.start as f64 / probe.document.text.len() as f64 * 100.0;
                assert!((here - depth).abs() < 16.0, "{here} for {depth}");
                assert_eq!(probe.document.text.matches(&probe.answer).count(), 1);
            }
        }
        let again = || Haystack::default().probe(&engine, 500, 50.0, 3, 7).unwrap().document;
        assert_eq!(again(), again());
        assert_ne!(again(), Haystack::default().probe(&engine, 500, 50.0, 3, 8).unwrap().document);
    }

    #[test]
    fn a_text_of_the_user_is_cut_into_sentences() {
        let haystack = Haystack::of_text("One is here. \"Two is there!\" Three\nhas no end").unwrap();
        assert_eq!(haystack.sentences, ["One is here.", "\"Two is there!\"", "Three has no end"]);
        assert!(Haystack::of_text(" \n ").is_err());
        let probe = haystack.probe(&engine(), 700, 50.0, 0, 1).unwrap();
        assert!(probe.document.text.contains("there!\" Three has no end One is"));
    }

    #[test]
    fn a_probe_that_does_not_hold_its_needle_is_refused() {
        let error = Haystack::default().probe(&engine(), 40, 0.0, 0, 1).unwrap_err().to_string();
        assert!(error.contains("40 tokens") && error.contains("--lengths"), "{error}");
    }
}
