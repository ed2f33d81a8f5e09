//! How answers of SCBench are scored.

use super::scoring;
use crate::example::Turn;
use crate::metrics::best_over;
use crate::metrics::bleu::{Words, sentence_bleu};
use crate::metrics::f1::f1_characters;
use crate::metrics::parse::{first_decimal, letter, numbers};
use crate::metrics::presence::{contains, contains_any, share_contained};

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
        Metric::Contains => right(contains(answer, gold)),
        Metric::AnyContained => right(contains_any(answer, &turn.gold)),
        Metric::Names => share_contained(answer, &turn.gold),
        Metric::Function => right(is_function(turn, gold, answer)),
        Metric::Characters => best_over(&turn.gold, |gold| f1_characters(answer, gold)),
        Metric::Letter => right(letter(answer, 4).is_some_and(|letter| gold == letter.to_string())),
        Metric::Number => right(first_decimal(answer).is_some_and(|given| is_number(given, gold))),
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
        sentence_bleu(code, &[function], Words::Western)
    };
    let functions = turn.data.get("functions").and_then(serde_json::Value::as_array);
    let others = functions.into_iter().flatten().filter_map(|one| one.as_str()).filter(|one| *one != gold);
    let best_other = others.map(like).fold(0.0, f64::max);
    let own = like(gold);
    own >= LEAST && own > best_other
}

/// Whether a number is the gold one; of a gold one without fraction the whole part is compared.
fn is_number(given: f64, gold: &str) -> bool {
    let given = if gold.contains('.') { given } else { given.trunc() };
    gold.parse::<f64>().is_ok_and(|gold| given == gold)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_compared_by_what_the_gold_one_is() {
        assert!(
            is_number(3.7, "3") && is_number(3.5, "3.50") && !is_number(3.0, "3.5") && !is_number(4.0, "3")
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
