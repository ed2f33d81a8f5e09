//! What things are hidden in: sentences of the user's text or of generated prose, and placing among them.

use loci_context::random::Random;

use super::prose::Prose;
use crate::error::EvalError;
use crate::task::Request;

/// A sentence is cut after so many words, so that a text without full stops still has places to hide something.
const MOST_WORDS: usize = 60;

/// Where sentences come from.
pub(super) struct Haystack<'a> {
    given: Option<Vec<&'a str>>,
    least_words: usize,
}

impl<'a> Haystack<'a> {
    /// The user's text if there is one, else prose.
    ///
    /// # Errors
    /// [`EvalError::Nothing`] for a text that is empty.
    pub(super) fn of(request: &Request<'a>) -> Result<Self, EvalError> {
        let given = request.haystack.map(sentences);
        if given.as_ref().is_some_and(Vec::is_empty) {
            return Err(EvalError::Nothing(
                "the haystack is empty; give a text with words in it, or none for generated prose".to_owned(),
            ));
        }
        Ok(Self { given, least_words: 0 })
    }

    /// Only with sentences of at least so many words; with all of them where the user's text has none that long.
    pub(super) fn with_words(mut self, least: usize) -> Self {
        self.least_words = least;
        let long = |sentence: &&str| sentence.split_whitespace().count() >= least;
        if let Some(given) = self.given.as_mut().filter(|given| given.iter().any(long)) {
            given.retain(long);
        }
        self
    }

    /// The sentences of one example: the user's text from a drawn sentence on, again from its beginning at its end, or
    /// prose of its own.
    pub(super) fn begin(&self, mut random: Random) -> Hay<'_> {
        match &self.given {
            Some(given) => {
                let at = random.below(given.len()).unwrap_or(0);
                Hay { given, at, prose: Prose::new(random), least_words: 0, made: Vec::new() }
            }
            None => {
                let least_words = self.least_words.min(10);
                Hay { given: &[], at: 0, prose: Prose::new(random), least_words, made: Vec::new() }
            }
        }
    }

    /// How many sentences there are before they repeat; `None`: without end.
    pub(super) fn sentences(&self) -> Option<usize> {
        self.given.as_ref().map(Vec::len)
    }

    /// Whether the user's text holds `text`, which therefore should not be hidden in it.
    pub(super) fn holds(&self, text: &str) -> bool {
        self.given.as_ref().is_some_and(|given| given.iter().any(|sentence| sentence.contains(text)))
    }
}

/// The sentences of one example.
pub(super) struct Hay<'h> {
    given: &'h [&'h str],
    at: usize,
    prose: Prose,
    /// At most 10, which most sentences of the prose have.
    least_words: usize,
    made: Vec<String>,
}

impl Hay<'_> {
    /// The first `count` sentences, each with white space behind it; the same ones whenever it is called.
    pub(super) fn take(&mut self, count: usize) -> &[String] {
        while self.made.len() < count {
            let next = match self.given.get(self.at % self.given.len().max(1)) {
                Some(sentence)
                    if sentence.ends_with(|end: char| end.is_whitespace() || "。！？".contains(end)) =>
                {
                    (*sentence).to_owned()
                }
                Some(sentence) => format!("{sentence} "),
                None => self.prose.next(),
            };
            if next.split_whitespace().count() < self.least_words {
                continue;
            }
            self.at += 1;
            self.made.push(next);
        }
        self.made.get(..count).unwrap_or(&[])
    }
}

/// The sentences of a text that hold something.
pub(super) fn sentences(text: &str) -> Vec<&str> {
    let ranges = loci_reading::sentences(text, MOST_WORDS).into_iter();
    ranges.filter_map(|range| text.get(range)).filter(|sentence| !sentence.trim().is_empty()).collect()
}

/// `pieces` one after the other with each of `hidden` before the piece whose beginning is nearest to its share of the
/// text; equal shares keep their order. Pieces and hidden texts bring their own white space.
pub(super) fn insert<T: AsRef<str>>(pieces: &[T], hidden: &[(f64, String)]) -> String {
    let total: usize = pieces.iter().map(|piece| piece.as_ref().len()).sum();
    let mut hidden: Vec<&(f64, String)> = hidden.iter().collect();
    hidden.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut waiting = hidden.into_iter().peekable();
    let mut text = String::with_capacity(total + 1000);
    let mut before = 0;
    for piece in pieces {
        let piece = piece.as_ref();
        let middle = before as f64 + piece.len() as f64 / 2.0;
        while let Some((_, needle)) = waiting.next_if(|(share, _)| share * (total as f64) < middle) {
            text.push_str(needle);
        }
        text.push_str(piece);
        before += piece.len();
    }
    waiting.for_each(|(_, needle)| text.push_str(needle));
    text
}

/// `count` different shares out of 40 evenly spaced ones from 0 to 1, or out of `count` if there are more, in an order
/// that was drawn.
pub(super) fn shares(random: &mut Random, count: usize) -> Vec<f64> {
    let of = count.max(40);
    let drawn = random.some_of(&(0..of).collect::<Vec<_>>(), count);
    drawn.into_iter().map(|place| place as f64 / (of - 1) as f64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sizes::Words;

    #[test]
    fn what_is_hidden_stands_within_one_sentence_of_its_depth() {
        let mut hay = Haystack { given: None, least_words: 10 }.begin(Random::new(3));
        let pieces = hay.take(200).to_vec();
        let longest = pieces.iter().map(String::len).max().unwrap();
        assert!(pieces.iter().all(|piece| piece.split_whitespace().count() >= 10));
        let total = pieces.concat().len();
        for share in [0.0, 0.1, 0.33, 0.5, 0.99, 1.0] {
            let text = insert(&pieces, &[(share, "NEEDLE ".to_owned())]);
            let at = text.find("NEEDLE ").unwrap();
            assert!((at as f64 - share * total as f64).abs() <= longest as f64, "{share}");
            assert_eq!(text.replace("NEEDLE ", ""), pieces.concat());
        }
        assert_eq!(insert(&["a ", "b "], &[(1.0, "y ".into()), (0.0, "x ".into())]), "x a b y ");
        assert_eq!(insert::<&str>(&[], &[(0.5, "x".into())]), "x");
    }

    #[test]
    fn the_users_text_is_read_round() {
        let values = crate::synthetic::passkey_values();
        let request = Request { haystack: Some("A b. C d."), ..Request::new(&values, &Words) };
        let haystack = Haystack::of(&request).unwrap();
        let taken = haystack.begin(Random::new(1)).take(4).concat();
        assert!(taken == "A b. C d. A b. C d. " || taken == "C d. A b. C d. A b. ");
        assert!(haystack.holds("C d") && !haystack.holds("e"));
        let long = Request { haystack: Some("A. B c d."), ..request };
        assert_eq!(Haystack::of(&long).unwrap().with_words(3).sentences(), Some(1));
        assert_eq!(Haystack::of(&long).unwrap().with_words(9).sentences(), Some(2));
        assert!(Haystack::of(&Request { haystack: Some(" \n "), ..request }).is_err());
        // A text without full stops still has places to hide something.
        let endless = "w ".repeat(200);
        assert_eq!(sentences(&endless).len(), 4);
        assert_eq!(sentences(&endless).concat(), endless);
    }
}
