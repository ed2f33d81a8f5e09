//! Scores of answers that choose: a class, a number, a paragraph, a label by its log-probability.

use super::parse::numbers;
use super::share;

/// Classification (LongBench): every class whose name stands in the answer is taken; of these, names that are a part
/// of the gold's name drop out; the score is 1 / (how many are left) if the gold is among them, else 0.
///
/// As in the published scorer, dropping one name skips the test of the next, which so may stay and lower the score.
pub fn classification<C: AsRef<str>>(answer: &str, gold: &str, classes: &[C]) -> f64 {
    let mut named: Vec<&str> =
        classes.iter().map(AsRef::as_ref).filter(|name| answer.contains(*name)).collect();
    let mut at = 0;
    while let Some(name) = named.get(at).copied() {
        if name != gold && gold.contains(name) {
            // A name that is listed twice goes at its first place, not at this one.
            named.remove(named.iter().position(|other| *other == name).unwrap_or(at));
        }
        at += 1;
    }
    if named.contains(&gold) { share(1.0, named.len()) } else { 0.0 }
}

/// Share of the whole numbers in the answer that are the gold, as digits: `07` is not 7 (LongBench's count). 0 if the
/// answer has none.
pub fn count(answer: &str, gold: &str) -> f64 {
    let given = numbers(answer);
    share(given.iter().filter(|number| **number == gold).count() as f64, given.len())
}

/// [`count`] for the number of a paragraph, which is the first one behind `Paragraph ` or `段落` in the gold (LongBench's
/// retrieval). 0 if the gold names none.
pub fn retrieval(answer: &str, gold: &str) -> f64 {
    let number_behind = |mark: &str| {
        gold.split(mark).skip(1).find_map(|behind| {
            let end = behind.find(|character: char| !character.is_ascii_digit()).unwrap_or(behind.len());
            behind.get(..end).filter(|number| !number.is_empty())
        })
    };
    let number = number_behind("Paragraph ").or_else(|| number_behind("段落"));
    number.map_or(0.0, |number| count(answer, number))
}

/// What of a label's log-probabilities is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelScore {
    /// Their sum: the label's probability. Long labels have less of it.
    Sum,
    /// Their mean over tokens.
    MeanPerToken,
}

/// Index of the label that is most likely, from the log-probabilities of each one's tokens; the first of equals. Labels
/// without tokens, or with a value that is not a number, are never chosen; `None` if no other is left.
pub fn likeliest<L: AsRef<[f64]>>(labels: &[L], by: LabelScore) -> Option<usize> {
    let score = |tokens: &[f64]| {
        let sum: f64 = tokens.iter().sum();
        match by {
            LabelScore::Sum => sum,
            LabelScore::MeanPerToken => sum / tokens.len() as f64,
        }
    };
    let mut best: Option<(usize, f64)> = None;
    for (index, label) in labels.iter().enumerate() {
        let tokens = label.as_ref();
        let value = score(tokens);
        if !tokens.is_empty() && !value.is_nan() && best.is_none_or(|(_, most)| value > most) {
            best = Some((index, value));
        }
    }
    best.map(|(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_shares_with_the_others_named() {
        let classes = ["Food", "Food sort", "City", "Sport"];
        assert_eq!(classification("Food sort", "Food sort", &classes), 1.0);
        assert_eq!(classification("City or Sport", "City", &classes), 0.5);
        assert_eq!(classification("Food", "Food sort", &classes), 0.0);
        assert_eq!(classification("", "City", &classes), 0.0);
        assert_eq!(classification("City", "City", &["Town"]), 0.0);
        // "b" is skipped when "a" goes, and stays.
        assert_eq!(classification("a b abc", "abc", &["a", "b", "abc"]), 0.5);
        assert_eq!(classification("a a abc", "abc", &["a", "a", "abc"]), 0.5);
    }

    #[test]
    fn numbers_count_in_any_order() {
        assert_eq!(count("7 or 8, no 7", "7"), 2.0 / 3.0);
        assert_eq!((count("seven", "7"), count("07", "7"), count("77", "7")), (0.0, 0.0, 0.0));
        assert_eq!(retrieval("Paragraph 12 or 1", "Paragraph 12"), 0.5);
        assert_eq!(retrieval("段落3", "段落3"), 1.0);
        assert_eq!((retrieval("3", "3"), retrieval("3", "Paragraph x, Paragraph 3")), (0.0, 1.0));
    }

    #[test]
    fn the_likeliest_label() {
        let labels = [vec![-1.0, -1.0], vec![-1.5], vec![-0.5, -0.5, -1.0]];
        assert_eq!(likeliest(&labels, LabelScore::Sum), Some(1));
        assert_eq!(likeliest(&labels, LabelScore::MeanPerToken), Some(2));
        assert_eq!(likeliest(&[vec![], vec![f64::NAN], vec![-9.0], vec![-9.0]], LabelScore::Sum), Some(2));
        assert_eq!(likeliest(&[vec![f64::NEG_INFINITY]], LabelScore::Sum), Some(0));
        assert_eq!(likeliest::<Vec<f64>>(&[], LabelScore::Sum), None);
    }
}
