//! Books of Project Gutenberg as words: without what stands around the text, without headings.

use std::collections::BTreeMap;

/// The words of a book, and where sentences begin.
#[derive(Clone, Debug, Default)]
pub(super) struct Book {
    /// Words as they stand between white space.
    pub(super) words: Vec<String>,
    /// Indices of words that begin a sentence, rising.
    pub(super) sentences: Vec<usize>,
    /// Where each word occurs.
    places: BTreeMap<String, Vec<usize>>,
}

impl Book {
    /// Of a file of Project Gutenberg: header, licence, front matter, headings, illustrations and lines of ornaments
    /// are left out. What is front and back matter is guessed (ours): all before the first paragraph of prose, and
    /// near the end all from notes, an index or the words that it is the end.
    pub(super) fn new(text: &str) -> Self {
        let mut words: Vec<String> = Vec::new();
        let body = body(text);
        let mut read = 0;
        for paragraph in paragraphs(body) {
            let of: Vec<&str> = paragraph.split_whitespace().collect();
            let begun = !words.is_empty() || is_prose(&of);
            let late = 10 * read > 8 * body.len();
            read += paragraph.len();
            if late && is_end(&paragraph) {
                break;
            }
            if begun && !is_heading(&of) {
                words.extend(of.into_iter().map(str::to_owned));
            }
        }
        Self::of(words)
    }

    fn of(words: Vec<String>) -> Self {
        let ends = words.iter().enumerate().filter(|(_, word)| ends_sentence(word)).map(|(at, _)| at + 1);
        let mut sentences: Vec<usize> =
            std::iter::once(0).chain(ends).filter(|at| *at < words.len()).collect();
        sentences.dedup();
        let mut places: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        words.iter().enumerate().for_each(|(at, word)| places.entry(word.clone()).or_default().push(at));
        Self { words, sentences, places }
    }

    /// Starts of sentences in `from..to`.
    pub(super) fn starts(&self, from: usize, to: usize) -> &[usize] {
        let low = self.sentences.partition_point(|at| *at < from);
        let high = self.sentences.partition_point(|at| *at < to);
        self.sentences.get(low..high).unwrap_or(&[])
    }

    /// Start of the sentence with the word at `at`.
    pub(super) fn sentence(&self, at: usize) -> usize {
        let behind = self.sentences.partition_point(|start| *start <= at);
        behind.checked_sub(1).and_then(|index| self.sentences.get(index)).copied().unwrap_or(0)
    }

    /// `count` words from `start`.
    pub(super) fn run(&self, start: usize, count: usize) -> &[String] {
        self.words.get(start..(start + count).min(self.words.len())).unwrap_or(&[])
    }

    /// Whether the `count` words from `start` stand nowhere else.
    pub(super) fn once(&self, start: usize, count: usize) -> bool {
        let run = self.run(start, count);
        let places = run.first().and_then(|first| self.places.get(first));
        places.is_some_and(|places| places.iter().filter(|at| self.run(**at, count) == run).count() == 1)
    }
}

fn ends_sentence(word: &str) -> bool {
    let title = matches!(word.to_lowercase().as_str(), "mr." | "mrs." | "dr.");
    word.contains(['.', '?', '!', ';']) && !title
}

/// What stands between the marks of Project Gutenberg; everything where they are missing.
fn body(text: &str) -> &str {
    let from = ["*** START OF", "***START OF"].iter().find_map(|mark| {
        let at = text.find(mark)?;
        Some(at + text.get(at..)?.find('\n')? + 1)
    });
    let text = text.get(from.unwrap_or(0)..).unwrap_or("");
    let to = ["*** END OF", "***END OF"].iter().find_map(|mark| text.find(mark));
    text.get(..to.unwrap_or(text.len())).unwrap_or(text)
}

fn paragraphs(text: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    for line in text.lines() {
        if line.trim().is_empty() {
            all.push(String::new());
        } else if let Some(last) = all.last_mut() {
            last.push_str(line);
            last.push('\n');
        }
    }
    all.retain(|paragraph| !paragraph.is_empty());
    all
}

/// Whether a paragraph is more than a title page or a list of chapters.
fn is_prose(words: &[&str]) -> bool {
    let small = words.iter().filter(|word| word.starts_with(char::is_lowercase)).count();
    words.len() >= 25 && 2 * small >= words.len() && words.iter().any(|word| ends_sentence(word))
}

/// Whether the text ends before this paragraph, if it stands near the end.
fn is_end(paragraph: &str) -> bool {
    let start = paragraph.trim_start().trim_start_matches(['[', '_', '*']).to_lowercase();
    start.starts_with("transcriber") || start.starts_with("the end") || start.trim_end() == "index"
}

/// Whether a paragraph is a heading, a number, an illustration or an ornament.
fn is_heading(words: &[&str]) -> bool {
    let small = words.iter().any(|word| word.chars().any(char::is_lowercase));
    let first = words.first().map(|word| word.to_lowercase()).unwrap_or_default();
    let named =
        ["chapter", "part", "book", "volume", "section"].contains(&first.as_str()) && words.len() <= 12;
    // A question or cry in capitals is part of the text.
    let capitals = !small && !words.last().is_some_and(|word| word.contains(['!', '?', '”', '"']));
    let ends = words.last().is_some_and(|word| ends_sentence(word));
    capitals || (named && !ends) || first.starts_with("[illustration")
}

/// How likely values of so little evenness in [0, 1] are, if they were drawn evenly: the test of Kolmogorov and
/// Smirnov.
pub(super) fn evenness(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let n = values.len() as f64;
    let off = |(at, value): (usize, &f64)| (value - at as f64 / n).max((at + 1) as f64 / n - value);
    let most = values.iter().enumerate().map(off).fold(0.0, f64::max);
    let scaled = (n.sqrt() + 0.12 + 0.11 / n.sqrt()) * most;
    if values.is_empty() || scaled < 0.2 {
        return 1.0;
    }
    let term = |k: f64, sign: f64| sign * (-2.0 * k * k * scaled * scaled).exp();
    let sum: f64 = (1..=100).map(|k| term(f64::from(k), if k % 2 == 1 { 1.0 } else { -1.0 })).sum();
    (2.0 * sum).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Produced by X\n*** START OF THE PROJECT GUTENBERG EBOOK Y ***\n\nTITLE\n\nCONTENTS\n\nI. \
                        One.... 1\n\n CHAPTER I\nTHE BEGINNING\n\nMr. Brown went out; it was a very fine day and \
                        everybody in the whole town was already up and about and nobody at all had thought of rain. \
                        He sang.\n\n   *   *   *\n\n CHAPTER II\n\n[Illustration: A day.]\n\n“STOP!”\n\nHe stopped. \
                        He sang.\n\nTHE END\n\nPublished by us.\n\n *** END OF THE PROJECT GUTENBERG EBOOK Y \
                        ***\nLicence. Licence.";

    #[test]
    fn only_the_text_is_left() {
        let book = Book::new(TEXT);
        let text = book.words.join(" ");
        assert!(text.starts_with("Mr. Brown went out; it was"), "{text}");
        assert!(text.ends_with("of rain. He sang. “STOP!” He stopped. He sang."), "{text}");
        let starts: Vec<&str> = book.sentences.iter().map(|at| book.words[*at].as_str()).collect();
        assert_eq!(starts, ["Mr.", "it", "He", "“STOP!”", "He", "He"]);
        assert_eq!((book.sentence(1), book.sentence(4), book.sentence(6)), (0, 4, 4));
        let last = book.words.len() - 2;
        assert!(!book.once(last, 2) && book.once(0, 2));
        assert_eq!(book.starts(1, last), &book.sentences[1..5]);
    }

    #[test]
    fn no_text_is_no_words() {
        for text in ["", "\n\n", "*** START OF", "*** END OF"] {
            assert!(Book::new(text).words.is_empty());
        }
    }

    #[test]
    fn even_values_are_told_from_uneven_ones() {
        let even: Vec<f64> = (0..100).map(|at| (f64::from(at) + 0.5) / 100.0).collect();
        assert!(evenness(even.clone()) > 0.99);
        assert!(evenness(even.iter().map(|value| value * value).collect()) < 0.001);
        // The largest gap is 0.335, over 20 values: 2 exp(-2 (4.6167 x 0.335)^2) = 0.0167.
        let shifted: Vec<f64> = (0..20).map(|at| f64::from(at) / 20.0 * 0.7).collect();
        let p = evenness(shifted);
        assert!((p - 0.0167).abs() < 1e-4, "{p}");
        assert_eq!(evenness(Vec::new()), 1.0);
    }
}
