//! How answers of SCBench are scored.

use super::scoring;
use crate::example::Turn;
use crate::metrics::numbers;

/// The rule of a task.
#[derive(Clone, Copy, Debug)]
pub(super) enum Metric {
    /// The gold answer is somewhere in the answer.
    Contains,
    /// Any gold answer is, whatever the case.
    AnyContained,
    /// Share of the gold names that are, whatever the case.
    Names,
    /// The function asked for is the most similar one and similar enough.
    Function,
    /// F1 of characters.
    Characters,
    /// The letter of an option.
    Letter,
    /// The first number.
    Number,
    /// The first whole number, as it stands.
    FirstInteger,
    /// ROUGE-Lsum.
    Summary,
}

/// The score of an answer, from 0 to 1.
pub(super) fn score(metric: Metric, turn: &Turn, answer: &str) -> f64 {
    let gold = turn.gold.first().map_or("", String::as_str);
    let right = |right: bool| f64::from(u8::from(right));
    match metric {
        Metric::Contains => right(answer.contains(gold)),
        Metric::AnyContained => {
            let answer = answer.to_uppercase();
            right(turn.gold.iter().any(|gold| answer.contains(&gold.to_uppercase())))
        }
        Metric::Names => {
            let answer = answer.to_lowercase();
            let held = turn.gold.iter().filter(|name| answer.contains(&name.to_lowercase())).count();
            held as f64 / turn.gold.len().max(1) as f64
        }
        Metric::Function => right(is_function(turn, gold, answer)),
        Metric::Characters => {
            turn.gold.iter().map(|gold| scoring::f1_characters(answer, gold)).fold(0.0, f64::max)
        }
        Metric::Letter => right(letter(answer).is_some_and(|letter| gold == letter.to_string())),
        Metric::Number => right(number(answer).is_some_and(|given| is_number(given, gold))),
        Metric::FirstInteger => right(numbers(answer).first().is_some_and(|first| *first == gold)),
        Metric::Summary => scoring::rouge_l_sum(answer, gold),
    }
}

/// Whether the code in `answer` is the wanted function rather than another of the same context.
fn is_function(turn: &Turn, gold: &str, answer: &str) -> bool {
    const LEAST: f64 = 0.8;
    let code = answer.split("```").nth(1).map_or(answer, |block| match block.split_once('\n') {
        // What stands behind the opening marks is the name of the language.
        Some((language, code)) if !language.trim().contains(' ') => code,
        _ => block,
    });
    let like = |function: &str| {
        if code.split_whitespace().eq(function.split_whitespace()) && !code.trim().is_empty() {
            return 1.0;
        }
        scoring::bleu(code, function, [0.25; 4])
    };
    let functions = turn.data.get("functions").and_then(serde_json::Value::as_array);
    let others = functions.into_iter().flatten().filter_map(|one| one.as_str()).filter(|one| *one != gold);
    let best_other = others.map(like).fold(0.0, f64::max);
    let own = like(gold);
    own >= LEAST && own > best_other
}

/// The letter from A to D that an answer names: its first character, what stands behind a phrase that announces it,
/// or the first that stands alone.
fn letter(answer: &str) -> Option<char> {
    let answer = answer.trim();
    let of = |letter: &char| ('A'..='D').contains(letter);
    if let Some(first) = answer.chars().next().filter(of) {
        return Some(first);
    }
    let plain: String =
        answer.chars().map(|letter| if "\n\"'.,?!{}".contains(letter) { ' ' } else { letter }).collect();
    let plain = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    for phrase in ["answer is:", "answer:", "answer is", "option is"] {
        if let Some((_, behind)) = plain.split_once(phrase) {
            return behind.trim_start().chars().next().filter(of);
        }
    }
    plain.split(' ').find(|word| word.len() == 1).and_then(|word| word.chars().next()).filter(of).or_else(
        || plain.split(' ').filter(|word| word.len() == 1).filter_map(|word| word.chars().next()).find(of),
    )
}

/// The first number in `text`, with its fraction.
fn number(text: &str) -> Option<&str> {
    let start = text.find(|letter: char| letter.is_ascii_digit())?;
    let rest = text.get(start..)?;
    let whole = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
    let fraction = rest.get(whole..)?.strip_prefix('.').unwrap_or("");
    let digits = fraction.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(fraction.len());
    rest.get(..if digits > 0 { whole + 1 + digits } else { whole })
}

/// Whether a number is the gold one; of a gold one without fraction the whole part is compared.
fn is_number(given: &str, gold: &str) -> bool {
    let (Ok(given), Ok(wanted)) = (given.parse::<f64>(), gold.parse::<f64>()) else { return false };
    if gold.contains('.') { given == wanted } else { given.trunc() == wanted }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn letters_are_found_as_the_authors_find_them() {
        let cases = [
            ("B", 'B'),
            ("  D.", 'D'),
            ("the answer is: C", 'C'),
            ("my answer: \"A\"", 'A'),
            ("so it's B", 'B'),
        ];
        for (answer, wanted) in cases {
            assert_eq!(letter(answer), Some(wanted), "{answer}");
        }
        assert_eq!((letter(""), letter("none"), letter("the answer is: E")), (None, None, None));
    }

    #[test]
    fn numbers_are_compared_by_what_the_gold_one_is() {
        assert_eq!((number("is 3.50."), number("7."), number("none")), (Some("3.50"), Some("7"), None));
        assert!(
            is_number("3.7", "3")
                && is_number("3.50", "3.5")
                && !is_number("3", "3.5")
                && !is_number("4", "3")
        );
    }

    #[test]
    fn a_function_must_be_the_wanted_one() {
        let functions = ["def f(a):\n  b = a + 1\n  return b", "def f(a):\n  b = a - 1\n  return b"];
        let turn = Turn {
            gold: vec![functions[0].to_owned()],
            data: json!({ "functions": functions }),
            ..Turn::default()
        };
        let of = |answer: &str| score(Metric::Function, &turn, answer);
        assert_eq!(of(&format!("Here:\n```python\n{}\n```", functions[0])), 1.0);
        assert_eq!((of(functions[1]), of(""), of("``` ```"), of("def g(): pass")), (0.0, 0.0, 0.0, 0.0));
    }

    #[test]
    fn the_share_of_names() {
        let turn = Turn { gold: vec!["ABC".to_owned(), "XYZ".to_owned()], ..Turn::default() };
        assert_eq!(score(Metric::Names, &turn, "only abc"), 0.5);
    }
}
