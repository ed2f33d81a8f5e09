//! Sentences that nobody wrote: names and numbers that the text does not have.

use loci_context::random::Random;

/// A planted sentence and its question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Needle {
    /// Which of the depths it stands at.
    pub(super) depth: usize,
    /// What is planted.
    pub(super) sentence: String,
    /// What is asked.
    pub(super) question: String,
    /// The answer.
    number: String,
}

impl Needle {
    /// Whether the number stands in `answer` as a number of its own.
    pub(super) fn is_in(&self, answer: &str) -> bool {
        answer.split(|letter: char| !letter.is_ascii_digit()).any(|digits| digits == self.number)
    }
}

const ONSETS: &str = "bdfgklmnprstvz";
const VOWELS: &str = "aeiou";
/// What a number may be of.
const THINGS: [&str; 5] = ["locker number", "ticket number", "badge number", "room number", "account number"];

/// `part` with `each` needles at every one of `depths`, and the needles. No name or number occurs in `whole`.
pub(super) fn plant(
    part: &str,
    whole: &str,
    depths: &[f64],
    each: usize,
    seed: u64,
) -> (String, Vec<Needle>) {
    let mut random = Random::new(seed);
    let lower = whole.to_lowercase();
    let mut needles: Vec<Needle> = Vec::new();
    for depth in 0..depths.len() {
        for _ in 0..each {
            let needle = loop {
                let name = name(&mut random);
                let number = (10_000 + random.below(90_000).unwrap_or(0)).to_string();
                let used = |word: &str| needles.iter().any(|other| other.sentence.contains(word));
                if !lower.contains(&name.to_lowercase())
                    && !whole.contains(&number)
                    && !used(&name)
                    && !used(&number)
                {
                    let thing = THINGS[random.below(THINGS.len()).unwrap_or(0)];
                    break Needle {
                        depth,
                        sentence: format!("The {thing} of {name} is {number}."),
                        question: format!("What is the {thing} of {name}?"),
                        number,
                    };
                }
            };
            needles.push(needle);
        }
    }
    let mut planted = String::with_capacity(part.len() + needles.len() * 64);
    let mut from = 0;
    for (index, needle) in needles.iter().enumerate() {
        // Needles of a depth are spread around it.
        let within = (index % each) as f64 - (each as f64 - 1.0) / 2.0;
        let share = depths.get(needle.depth).copied().unwrap_or(0.0) + within / (depths.len() * each) as f64;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a place in the text
        let at = sentence_end(part, (share.clamp(0.0, 1.0) * part.len() as f64) as usize).max(from);
        planted.push_str(part.get(from..at).unwrap_or(""));
        if !planted.is_empty() && !planted.ends_with(char::is_whitespace) {
            planted.push(' ');
        }
        planted.push_str(&needle.sentence);
        planted.push(' ');
        from = at;
    }
    planted.push_str(part.get(from..).unwrap_or("").trim_start());
    (planted, needles)
}

/// Three syllables with a capital.
fn name(random: &mut Random) -> String {
    let mut letter = |of: &str| of.chars().nth(random.below(of.len()).unwrap_or(0)).unwrap_or('a');
    let mut name = String::new();
    for _ in 0..3 {
        name.push(letter(ONSETS));
        name.push(letter(VOWELS));
    }
    name.push(letter(ONSETS));
    name.get(..1).unwrap_or("").to_uppercase() + name.get(1..).unwrap_or("")
}

/// The first byte behind a sentence that ends at `from` or later; else behind a word; else the text's end.
fn sentence_end(text: &str, from: usize) -> usize {
    let from = (from..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    let rest = text.get(from..).unwrap_or("");
    // Tables and code have no sentences: a word's end will do where none comes soon.
    let near = rest.char_indices().take(400);
    let ends = ['.', '!', '?', '\n'];
    let sentence = near
        .zip(rest.chars().skip(1))
        .find(|((_, letter), next)| ends.contains(letter) && next.is_whitespace());
    match sentence {
        Some(((at, letter), _)) => from + at + letter.len_utf8(),
        None => from + rest.find(char::is_whitespace).unwrap_or(rest.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needles_stand_between_sentences_at_their_depths() {
        let text = "One sentence stands here. Another one follows it! ".repeat(100);
        let depths = [0.1, 0.5, 0.9];
        let (planted, needles) = plant(&text, &text, &depths, 2, 7);
        assert_eq!(needles.len(), 6);
        for needle in &needles {
            let at = planted.find(&needle.sentence).expect("it is planted");
            let share = at as f64 / planted.len() as f64;
            assert!((share - depths[needle.depth]).abs() < 0.15, "{share} for {}", depths[needle.depth]);
            assert!(planted[..at].trim_end().ends_with(['.', '!']), "{}", &planted[at - 10..at]);
            assert!(needle.is_in(&format!("It is {}, I think.", needle.number)));
            assert!(!needle.is_in(&format!("It is 1{}.", needle.number)));
            assert!(!text.contains(&needle.number));
        }
        // Nothing of the text is lost.
        let words = |text: &str| text.split_whitespace().count();
        let added: usize = needles.iter().map(|needle| words(&needle.sentence)).sum();
        assert_eq!(words(&planted), words(&text) + added);
        assert_eq!(plant(&text, &text, &depths, 2, 7), (planted.clone(), needles));
        assert_ne!(plant(&text, &text, &depths, 2, 8).0, planted);
    }

    #[test]
    fn texts_without_sentences_are_cut_between_words() {
        let text = "wörter ohne ende ".repeat(100);
        let (planted, needles) = plant(&text, &text, &[0.5], 1, 1);
        let at = planted.find(&needles[0].sentence).expect("it is planted");
        assert!(
            planted[..at].ends_with("wörter ")
                || planted[..at].ends_with("ohne ")
                || planted[..at].ends_with("ende ")
        );
    }
}
