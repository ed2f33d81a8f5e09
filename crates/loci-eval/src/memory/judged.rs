//! What became of a question, and whether the answer is right. By rule: no model judges.

use serde::Serialize;

use super::history::{Asks, Question};
use crate::datasets::long_mem_eval::declines;
use crate::datasets::scoring::{holds, words};
use crate::metrics::order::{pairwise_accuracy, places};

/// An item that was given to a reader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Replayed {
    /// The chat that it is of.
    pub session: String,
    /// Whether that is evidence.
    pub evidence: bool,
    /// Whether the memory took it for support.
    pub supports: bool,
}

/// One answer in one setting.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Answered {
    /// The question.
    pub question: String,
    /// What it is about; the word of an [`Asks`].
    pub asks: &'static str,
    /// What was said.
    pub answer: String,
    /// Whether it says that it is not known.
    pub refused: bool,
    /// Whether it is right.
    pub right: bool,
    /// Whether it gives a value that was right before, and not the one that is now.
    pub out_of_date: bool,
    /// Whether the answer is right when the question is put in other words; asked where sources are in conflict.
    pub right_again: Option<bool>,
    /// Of an order that is asked for: share of the pairs that stand the right way round; 0 where a part is missing.
    pub order: Option<f64>,
    /// How sure the reader is; comparable within one setting.
    pub confidence: Option<f64>,
    /// What was replayed, best first; none where the setting replays nothing.
    pub replayed: Option<Vec<Replayed>>,
    /// Sentences of the answer, and those of them that no item supports.
    pub claims: usize,
    /// See `claims`.
    pub unsupported: usize,
    /// Chats that are evidence.
    pub evidence: usize,
    /// Chats between the newest of them and the question; none where nothing is evidence.
    pub age: Option<usize>,
    /// Share of the chats that stand before it.
    pub position: Option<f64>,
    /// Seconds of recall.
    pub recall_s: f64,
    /// Seconds from question to answer, recall included.
    pub seconds: f64,
    /// Tokens of the prompt; none for a reader without a model.
    pub prompt_tokens: Option<usize>,
    /// Tokens of the answer.
    pub answer_tokens: Option<usize>,
}

/// Whether an answer says that it is not known.
pub fn refuses(answer: &str) -> bool {
    answer.trim().is_empty() || declines(answer)
}

/// Whether an answer is right.
///
/// A question that cannot be answered wants a refusal. Of an update the old value may stand beside the new one (LongMemEval);
/// otherwise no wrong value of the like may be named. Of an order all parts must stand in it.
pub fn is_right(question: &Question, answer: &str) -> bool {
    let refused = refuses(answer);
    let gold = || question.gold.iter().all(|gold| holds(answer, gold));
    match question.asks {
        Asks::Unanswerable => refused,
        _ if refused => false,
        Asks::Order => order(&question.gold, answer) == 1.0,
        _ => gold() && !question.rivals.iter().any(|rival| holds(answer, rival)),
    }
}

/// Whether an answer gives a value that was right before, and not the one that is now.
pub fn is_out_of_date(question: &Question, answer: &str) -> bool {
    !refuses(answer)
        && question.stale.iter().any(|stale| holds(answer, stale))
        && !question.gold.iter().any(|gold| holds(answer, gold))
}

/// Share of the pairs of `gold` that an answer names the right way round, each part by where it is named first; 0 where one is
/// missing.
pub fn order(gold: &[String], answer: &str) -> f64 {
    let said = words(answer);
    let at = |part: &String| {
        let part = words(part);
        said.windows(part.len().max(1)).position(|run| run == part)
    };
    let Some(found) = gold.iter().map(at).collect::<Option<Vec<usize>>>() else { return 0.0 };
    let mut sorted = found.clone();
    sorted.sort_unstable();
    places(&sorted, &found).map_or(0.0, |places| pairwise_accuracy(&places))
}

/// Of the content words of a claim, the least share that one item has to have to support it; by hand.
const SUPPORT: f64 = 0.6;

/// Sentences of an answer, and how many of them no one of `items` supports: those of which fewer than three in five words of more
/// than two letters stand in it.
pub fn claims(answer: &str, items: &[&str]) -> (usize, usize) {
    if refuses(answer) {
        return (0, 0);
    }
    let items: Vec<Vec<String>> = items.iter().map(|item| words(item)).collect();
    let supported = |sentence: &str| {
        let said: Vec<String> = words(sentence).into_iter().filter(|word| word.len() > 2).collect();
        let share = |item: &Vec<String>| {
            said.iter().filter(|word| item.contains(word)).count() as f64 / said.len() as f64
        };
        !said.is_empty() && items.iter().any(|item| share(item) >= SUPPORT)
    };
    let sentences = loci_reading::sentences(answer, 60);
    let sentences: Vec<&str> = sentences
        .into_iter()
        .filter_map(|range| answer.get(range))
        .filter(|sentence| !words(sentence).is_empty())
        .collect();
    (sentences.len(), sentences.iter().filter(|sentence| !supported(sentence)).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(asks: Asks, gold: &[&str], stale: &[&str], rivals: &[&str]) -> Question {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Question {
            id: "q".to_owned(),
            asks,
            text: String::new(),
            again: String::new(),
            gold: owned(gold),
            stale: owned(stale),
            rivals: owned(rivals),
            evidence: Vec::new(),
        }
    }

    #[test]
    fn right_and_wrong_by_hand() {
        let told = question(Asks::Told, &["Bergen"], &[], &[]);
        assert!(
            is_right(&told, "She lives in bergen.") && !is_right(&told, "In Turku.") && !is_right(&told, "")
        );
        assert!(!is_right(&told, "I do not know whether it is Bergen."), "a refusal is no answer");
        let update = question(Asks::Update, &["Bergen"], &["Turku"], &[]);
        assert!(
            is_right(&update, "Bergen; before that Turku")
                && !is_out_of_date(&update, "Bergen; before that Turku")
        );
        assert!(
            is_out_of_date(&update, "Turku")
                && !is_out_of_date(&update, "Ghent")
                && !is_out_of_date(&update, "")
        );
        let conflict = question(Asks::Conflict, &["oboe"], &[], &["harp"]);
        assert!(is_right(&conflict, "the oboe") && !is_right(&conflict, "the oboe or the harp"));
        let unknown = question(Asks::Unanswerable, &[], &[], &[]);
        assert!(
            is_right(&unknown, "I do not know.") && is_right(&unknown, " ") && !is_right(&unknown, "Kiko")
        );
    }

    #[test]
    fn orders_by_hand() {
        let gold: Vec<String> = ["the Salt Road", "Low Tide", "Winter"].map(str::to_owned).to_vec();
        assert_eq!(order(&gold, "First The Salt Road, then Low Tide, then Winter."), 1.0);
        assert_eq!(order(&gold, "Winter, Low Tide, The Salt Road"), 0.0);
        assert!((order(&gold, "Low Tide, Salt Road, Winter") - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(order(&gold, "Low Tide, Winter"), 0.0, "a part is missing");
        assert!(is_right(&question(Asks::Order, &["a b", "c"], &[], &[]), "b, then c"));
    }

    #[test]
    fn claims_that_stand_in_no_item_are_not_supported() {
        let items = ["My sister moved to Bergen and likes it there.", "The kitchen is ochre now."];
        assert_eq!(claims("Your sister moved to Bergen.", &items), (1, 0));
        assert_eq!(
            claims("Your sister moved to Bergen. Her dog was born in Rome last spring.", &items),
            (2, 1)
        );
        // Halves of two items do not make one claim.
        assert_eq!(claims("sister kitchen ochre moved likes now zebra", &items), (1, 1));
        assert_eq!((claims("I do not know.", &items), claims("Bergen", &[])), ((0, 0), (1, 1)));
    }
}
