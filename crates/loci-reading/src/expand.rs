//! Key expansion: more words to find an item by than its own text has.
//!
//! An item is found by its key, such as what the user said, and what is read is its value, such as the message with the reply.
//! An expansion is a text made of the item beforehand: the facts in it, or its keyphrases. [`entries`] joins keys and
//! expansions into what is indexed, and [`items`] leads from a ranking of that back to items (Wu et al., LongMemEval:
//! Benchmarking Chat Assistants on Long-Term Interactive Memory, 2024, whose best index merges facts with the key).
//!
//! In the paper a model writes the expansions. [`facts`] and [`Keyphrases`] make them by rule, without a model: they show what
//! the words of an item give when they are chosen, and cannot say what a model would put in other words.

use std::collections::{BTreeSet, HashMap};

use crate::passages::sentences;
use crate::tokens::{is_unspaced, words};

/// How an expansion enters the index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Join {
    /// One entry: the expansion, a space, the key (the paper's choice).
    #[default]
    Merge,
    /// Two entries that lead to one item: the key, and the expansion.
    Separate,
    /// One entry: the expansion alone.
    Replace,
}

impl Join {
    /// Its word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Merge => "merge",
            Self::Separate => "separate",
            Self::Replace => "replace",
        }
    }
}

/// What becomes of an item whose expansion is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenEmpty {
    /// It is found by its key.
    #[default]
    Keep,
    /// Where expansions are merged or replace the key it is left out of the index, so that it can no longer be found. The code
    /// published with LongMemEval does so, and this is for comparison with its figures only.
    Drop,
}

/// What is indexed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The item that it leads to, counted from 0.
    pub item: usize,
    /// What it is found by.
    pub key: String,
}

/// The entries of items with these `keys`, in the order of the items; `expansions` are theirs in the same order, empty where
/// an item has none, and missing ones are empty. White space alone is empty.
pub fn entries<K, E>(keys: &[K], expansions: &[E], join: Join, when_empty: WhenEmpty) -> Vec<Entry>
where
    K: AsRef<str>,
    E: AsRef<str>,
{
    let mut found = Vec::with_capacity(keys.len());
    for (item, key) in keys.iter().enumerate() {
        let key = key.as_ref();
        let expansion = expansions.get(item).map_or("", |expansion| expansion.as_ref().trim());
        let mut enter = |key: String| found.push(Entry { item, key });
        match (expansion.is_empty(), join) {
            (true, Join::Merge | Join::Replace) if when_empty == WhenEmpty::Drop => {}
            (true, _) => enter(key.to_owned()),
            (false, Join::Merge) => enter(format!("{expansion} {key}")),
            (false, Join::Replace) => enter(expansion.to_owned()),
            (false, Join::Separate) => {
                enter(key.to_owned());
                enter(expansion.to_owned());
            }
        }
    }
    found
}

/// The items that ranked `entries` lead to, best first: `ranking` holds places in `entries`, and of an item with several
/// entries the best place counts.
pub fn items(entries: &[Entry], ranking: impl IntoIterator<Item = usize>) -> Vec<usize> {
    let mut seen = BTreeSet::new();
    let of = ranking.into_iter().filter_map(|place| entries.get(place).map(|entry| entry.item));
    of.filter(|item| seen.insert(*item)).collect()
}

/// Sentences of more words than this are cut: text without full stops is no sentence.
const MOST_WORDS_OF_SENTENCE: usize = 60;

/// How a speaker names himself.
const FIRST_PERSON: &[&str] = &["i", "me", "my", "mine", "myself", "we", "us", "our", "ours", "ourselves"];

/// Numbers in words. `one` is missing: it mostly is none.
const NUMBERS: &[&str] = &[
    "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "dozen",
    "hundred", "thousand", "million", "first", "second", "third", "half", "twice",
];

/// Verbs of having, in the forms in which people tell of themselves.
const HAVING: &[&str] = &[
    "have",
    "had",
    "own",
    "owned",
    "got",
    "bought",
    "purchased",
    "sold",
    "kept",
    "lost",
    "received",
    "wear",
    "drive",
    "use",
];

/// Verbs of what happens to people.
const HAPPENING: &[&str] = &[
    "went",
    "visited",
    "attended",
    "moved",
    "started",
    "began",
    "finished",
    "completed",
    "joined",
    "met",
    "made",
    "took",
    "caught",
    "won",
    "ran",
    "read",
    "watched",
    "tried",
    "learned",
    "cooked",
    "baked",
    "planned",
    "booked",
    "ordered",
    "downloaded",
    "married",
    "graduated",
    "worked",
    "work",
    "live",
    "lived",
    "love",
    "loved",
    "prefer",
    "like",
    "enjoy",
    "born",
    "turned",
    "saw",
    "gave",
    "played",
    "studied",
    "wrote",
    "written",
];

/// The sentences of a user's `message` that tell something of the user, by rule and without a model: those in the first person
/// (I, my, we, …) with a number, a name (a word with a capital behind the first word, other than I), or a verb of having or
/// happening from a fixed list. English only: a text in a script without capitals and these words has none.
///
/// They are pieces of the message without the white space around them: nothing is put into other words, pronouns stay. A
/// question counts as well if it says such a thing on the way.
pub fn facts(message: &str) -> Vec<&str> {
    let sentences = sentences(message, MOST_WORDS_OF_SENTENCE).into_iter();
    sentences
        .filter_map(|range| message.get(range))
        .map(str::trim)
        .filter(|sentence| tells(sentence))
        .collect()
}

fn tells(sentence: &str) -> bool {
    let (mut first_person, mut telling) = (false, false);
    let pieces = sentence.split(|letter: char| !letter.is_alphanumeric()).filter(|piece| !piece.is_empty());
    for (place, piece) in pieces.enumerate() {
        let word = piece.to_lowercase();
        let among = |list: &[&str]| list.contains(&word.as_str());
        // The country is no pronoun.
        let personal = piece != "US" && among(FIRST_PERSON);
        first_person |= personal;
        let name = place > 0 && !personal && piece.chars().next().is_some_and(char::is_uppercase);
        let number = piece.chars().any(char::is_numeric) || among(NUMBERS);
        telling |= name || number || among(HAVING) || among(HAPPENING);
    }
    first_person && telling
}

/// The words that tell texts from each other: by tf-idf (Salton and Buckley, Term-weighting approaches in automatic text
/// retrieval, 1988), a word's count in a text times ln(texts / texts that have it). By rule, without a model, and single
/// [`words`] where a model would give phrases; in Chinese, single characters.
#[derive(Clone, Debug)]
pub struct Keyphrases {
    texts: usize,
    /// In how many texts a word stands.
    having: HashMap<String, usize>,
}

impl Keyphrases {
    /// Counts the words of all `texts`.
    pub fn new<T: AsRef<str>>(texts: &[T]) -> Self {
        let mut having: HashMap<String, usize> = HashMap::new();
        for text in texts {
            let own: BTreeSet<String> = words(text.as_ref()).into_iter().collect();
            for word in own {
                *having.entry(word).or_default() += 1;
            }
        }
        Self { texts: texts.len(), having }
    }

    /// The most telling words of `text`, which is one of the texts that were counted: at most `most`, the best first, of equal
    /// ones the one that comes first. A word that all texts have says nothing and is not among them; nor is a single letter,
    /// which is what an apostrophe leaves behind.
    pub fn of(&self, text: &str, most: usize) -> Vec<String> {
        // Count and first place of each word.
        let mut counts: HashMap<String, (usize, usize)> = HashMap::new();
        for (place, word) in words(text).into_iter().enumerate() {
            counts.entry(word).or_insert((0, place)).0 += 1;
        }
        let weigh = |(word, (count, place)): (String, (usize, usize))| {
            let having = self.having.get(&word).copied().unwrap_or(1).max(1);
            let letter = word.chars().count() == 1 && !word.chars().all(is_unspaced);
            let weight = count as f64 * (self.texts as f64 / having as f64).ln();
            (weight > 0.0 && !letter).then_some((weight, place, word))
        };
        let mut weighed: Vec<(f64, usize, String)> = counts.into_iter().filter_map(weigh).collect();
        weighed.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)));
        weighed.into_iter().take(most).map(|(_, _, word)| word).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEYS: &[&str] = &["one two", "three", "four five"];
    const EXPANSIONS: &[&str] = &["a fact", " \n", "b"];

    fn of(join: Join, when_empty: WhenEmpty) -> Vec<(usize, String)> {
        entries(KEYS, EXPANSIONS, join, when_empty).into_iter().map(|entry| (entry.item, entry.key)).collect()
    }

    fn said(entries: &[(usize, &str)]) -> Vec<(usize, String)> {
        entries.iter().map(|(item, key)| (*item, (*key).to_owned())).collect()
    }

    #[test]
    fn expansions_are_merged_kept_apart_or_put_in_place_of_keys() {
        let of = |join| of(join, WhenEmpty::Keep);
        assert_eq!(of(Join::Merge), said(&[(0, "a fact one two"), (1, "three"), (2, "b four five")]));
        assert_eq!(
            of(Join::Separate),
            said(&[(0, "one two"), (0, "a fact"), (1, "three"), (2, "four five"), (2, "b")])
        );
        assert_eq!(of(Join::Replace), said(&[(0, "a fact"), (1, "three"), (2, "b")]));
    }

    #[test]
    fn an_item_without_expansion_goes_only_where_that_is_asked_for() {
        let of = |join| of(join, WhenEmpty::Drop);
        assert_eq!(of(Join::Merge), said(&[(0, "a fact one two"), (2, "b four five")]));
        assert_eq!(of(Join::Replace), said(&[(0, "a fact"), (2, "b")]));
        // An entry of its own is only an addition: nothing is lost without it.
        assert_eq!(of(Join::Separate).len(), 5);
        // Missing ones are empty.
        let none: &[&str] = &[];
        assert_eq!(entries(KEYS, none, Join::Merge, WhenEmpty::Keep).len(), 3);
        assert!(entries(KEYS, none, Join::Replace, WhenEmpty::Drop).is_empty());
    }

    #[test]
    fn the_best_place_of_an_item_counts() {
        let entries = entries(KEYS, EXPANSIONS, Join::Separate, WhenEmpty::Keep);
        assert_eq!(items(&entries, [4, 1, 0, 99, 3, 2]), [2, 0, 1]);
        assert!(items(&entries, []).is_empty());
    }

    #[test]
    fn facts_are_what_the_user_says_of_himself() {
        let message = "Can you recommend a pan? I bought my first wok last week. The weather is nice. By the way, my cousin \
                       lives in Oslo!\n\nWe were tired. It cost 30 dollars. I'm not sure. The US has 50 states.";
        assert_eq!(
            facts(message),
            ["I bought my first wok last week.", "By the way, my cousin lives in Oslo!"]
        );
        assert_eq!(facts("Since I turned 32, what should I eat?"), ["Since I turned 32, what should I eat?"]);
        assert!(facts("").is_empty() && facts("我养了两只猫。").is_empty());
    }

    #[test]
    fn keyphrases_are_the_words_that_few_texts_have() {
        let texts = ["the cat, the cat's hat", "the dog", "the hat 猫"];
        let keyphrases = Keyphrases::new(&texts);
        assert_eq!(keyphrases.of(texts[0], 9), ["cat", "hat"], "2 ln 3, ln 1.5; the stands everywhere");
        assert_eq!(keyphrases.of(texts[2], 9), ["猫", "hat"]);
        assert_eq!(keyphrases.of(texts[0], 1), ["cat"]);
        assert!(keyphrases.of("", 9).is_empty() && keyphrases.of(texts[0], 0).is_empty());
    }

    proptest! {
        #[test]
        fn no_item_is_lost_unless_asked_for(
            pairs in prop::collection::vec(("[a-c ]{0,4}", "[a-c ]{0,4}"), 0..9),
        ) {
            let (keys, expansions): (Vec<String>, Vec<String>) = pairs.into_iter().unzip();
            for join in [Join::Merge, Join::Separate, Join::Replace] {
                let entries = entries(&keys, &expansions, join, WhenEmpty::Keep);
                prop_assert!(items(&entries, 0..entries.len()).into_iter().eq(0..keys.len()));
            }
        }

        #[test]
        fn facts_are_pieces_of_the_message(text in "([I我a-c]{1,3}|my|[A-C]a|[0-9]|[ \\n.?!。]){0,30}") {
            for fact in facts(&text) {
                prop_assert!(text.contains(fact) && !fact.is_empty());
            }
        }
    }
}
