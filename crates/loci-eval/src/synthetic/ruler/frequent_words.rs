//! Frequent words: coded words whose numbers follow a power law; the three most frequent are asked.

use super::super::draw::{Form, Fresh, shuffled};
use super::super::make::{Declared, ask, example, fill};
use super::{PAPER, all_contained, most_common};
use crate::error::EvalError;
use crate::example::{Example, Turn};
use crate::task::{Level, Request, Score, Task, TaskInfo};
use loci_models::method::{Domain, Parameter, Value};

/// Asks for the three most frequent coded words.
#[derive(Clone, Copy, Debug)]
pub struct FrequentWords;

const INFO: TaskInfo = Declared {
    id: "fwe",
    title: "The three most frequent words of a coded text.",
    paper: PAPER,
    parameters: &[Parameter {
        name: "alpha",
        meaning: "how steeply frequencies fall: the word of rank k stands k^-alpha times as often as the first",
        unit: "",
        default: Value::Number(2.0),
        domain: Domain::Numbers(1.2, 4.0),
    }],
    invariants: &["Counting the words gives the gold, with strictly falling numbers"],
    description: "Words of six random letters; dots stand for the most frequent, which is noise. The score \
                  is the share of the next three that the answer contains, `whole` wants them as whole \
                  words. The smallest text is one in which the fourth to fifth rank differ.",
    diffusion: Level::Low,
    scope: Level::High,
    metric: "words found",
}
.info();

const HEAD: &str = "Read the following coded text and keep track of how often each coded word appears.\n";
const QUESTION: &str = "\nQuestion: Leave the dots `....` aside. What are the three words that appear most often in \
                        the coded text above?\n";
const NOISE: &str = "....";
const ASKED: usize = 3;

/// The sum of k^-alpha over all ranks: the first thousand, and an integral for the others.
fn zeta(alpha: f64) -> f64 {
    let first: f64 = (1..1000).map(|rank| f64::from(rank).powf(-alpha)).sum();
    first + 1000_f64.powf(1.0 - alpha) / (alpha - 1.0) + 0.5 * 1000_f64.powf(-alpha)
}

/// How often the word of `rank` (from 1) stands in a text of about `words`.
fn times(words: usize, rank: usize, alpha: f64, zeta: f64) -> usize {
    (words as f64 * (rank as f64).powf(-alpha) / zeta) as usize
}

/// The fewest words from which on what is asked is told apart from what is not, at every size.
fn least(alpha: f64, zeta: f64) -> usize {
    let falls = |words: usize| {
        (2..=ASKED + 1).all(|rank| times(words, rank, alpha, zeta) > times(words, rank + 1, alpha, zeta))
    };
    // From here on neighbouring ranks differ by more than one, whatever the rounding.
    let (fourth, fifth) = ((4_f64).powf(-alpha), (5_f64).powf(-alpha));
    let sure = (zeta / (fourth - fifth)).ceil() as usize + 1;
    (1..=sure).rev().find(|words| !falls(*words)).map_or(1, |words| words + 1)
}

impl Task for FrequentWords {
    fn info(&self) -> &'static TaskInfo {
        &INFO
    }

    fn examples(&self, request: &Request<'_>) -> Result<Vec<Example>, EvalError> {
        let alpha = request.values.number("alpha");
        let zeta = zeta(alpha);
        let least = least(alpha, zeta);
        fill(request, INFO.method.id, (least, 10_000_000), |cell, mut random| {
            let mut fresh = Fresh::new();
            let size = (cell.length / 50).max(ASKED + 2);
            let vocabulary: Vec<String> = std::iter::once(NOISE.to_owned())
                .chain((1..size).map(|_| fresh.draw(&mut random, Form::Letters(6))))
                .collect();
            let gold = vocabulary.get(1..=ASKED).unwrap_or(&[]).to_vec();
            Ok(move |words| {
                let all: Vec<&str> = vocabulary
                    .iter()
                    .enumerate()
                    .flat_map(|(at, word)| {
                        std::iter::repeat_n(word.as_str(), times(words, at + 1, alpha, zeta))
                    })
                    .collect();
                let text = shuffled(&mut random.clone(), &all).join(" ");
                let start = "Answer: The three words that appear most often are:".to_owned();
                let turn = ask(QUESTION.to_owned(), start, gold.clone(), 50, None);
                Ok(example(INFO.method.id, cell, format!("{HEAD}{text}"), vec![turn]))
            })
        })
    }

    fn score(&self, turn: &Turn, answer: &str) -> Score {
        all_contained(turn, answer)
    }

    fn read(&self, example: &Example) -> Option<Vec<String>> {
        let (_, text) = example.context.split_once(HEAD)?;
        let counted = most_common(text.split_whitespace().filter(|word| *word != NOISE));
        Some(vec![counted.into_iter().take(ASKED).map(|(word, _)| word).collect::<Vec<_>>().join(" ")])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sizes::Words;

    #[test]
    fn numbers_fall_strictly_as_far_as_is_asked() {
        assert!((zeta(2.0) - std::f64::consts::PI.powi(2) / 6.0).abs() < 1e-9);
        for alpha in ["1.5", "2", "3.5"] {
            let values = crate::registry::parse(&format!("fwe:alpha={alpha}")).unwrap().1;
            let request = Request { lengths: &[1300, 5000], n: 3, ..Request::new(&values, &Words) };
            for made in FrequentWords.examples(&request).unwrap() {
                let text = made.context.strip_prefix(HEAD).unwrap();
                let counted = most_common(text.split_whitespace().filter(|word| *word != NOISE));
                let top: Vec<&str> = counted[..3].iter().map(|(word, _)| *word).collect();
                assert_eq!(top, made.turns[0].gold);
                assert!(counted[..4].windows(2).all(|two| two[0].1 > two[1].1), "{counted:?}");
            }
        }
    }
}
