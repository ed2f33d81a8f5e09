//! Common words: the ten words of a list that stand in it more often than the others.

use loci_context::random::Random;

use super::super::draw::shuffled;
use super::super::make::{Declared, ask, example, fill};
use super::super::words::{ADJECTIVES, NOUNS, VERBS, words};
use super::{PAPER, SMALL, all_contained};
use crate::declare::counted;
use crate::error::EvalError;
use crate::example::{Example, Turn};
use crate::task::{Level, Request, Score, Task, TaskInfo};

/// Asks for the most common words of a list.
#[derive(Clone, Copy, Debug)]
pub struct CommonWords;

const INFO: TaskInfo = Declared {
    id: "cwe",
    title: "The ten most common words of a long list.",
    paper: PAPER,
    parameters: &[
        counted("words", "how many words are common", "words", 10, (1, 50)),
        counted(
            "often",
            "how often each of them stands in the list; 0: 30 times, 6 below 4,096 tokens, 3 below 1,024",
            "times",
            0,
            (0, 1000),
        ),
        counted(
            "seldom",
            "how often each other word does; 0: 3 times, once below 4,096 tokens",
            "times",
            0,
            (0, 500),
        ),
    ],
    invariants: &["Counting the words gives the gold, with no other word as common"],
    description: "A numbered list of words in random order; a short solved one stands in front. The score \
                  is the share of the common words that the answer contains, `whole` wants them as whole \
                  words. Everything has to be read, and nothing of it has to be searched for. Very long \
                  lists run out of words and repeat numbers behind them.",
    diffusion: Level::Low,
    scope: Level::High,
    metric: "words found",
}
.info();

const HEAD: &str = "Below is a numbered list of words. In it, some words stand more often than others. \
                    Remember those that stand most often.\n";

fn question(count: usize) -> String {
    format!("\nQuestion: What are the {count} most common words in the list above?\n")
}

fn answer_start(count: usize) -> String {
    format!("Answer: The {count} words that stand most often in the list are:")
}

/// The list: common words so often, others so often, shuffled.
fn list(random: &mut Random, common: &[String], often: usize, others: &[String], seldom: usize) -> String {
    let times = |words: &[String], times: usize| -> Vec<String> {
        words.iter().flat_map(|word| std::iter::repeat_n(word.clone(), times)).collect()
    };
    let all = [times(common, often), times(others, seldom)].concat();
    shuffled(random, &all).iter().enumerate().map(|(at, word)| format!("{}. {word}\n", at + 1)).collect()
}

fn numbered(words: &[String]) -> String {
    words.iter().enumerate().map(|(at, word)| format!(" {}. {word}", at + 1)).collect()
}

impl Task for CommonWords {
    fn info(&self) -> &'static TaskInfo {
        &INFO
    }

    fn examples(&self, request: &Request<'_>) -> Result<Vec<Example>, EvalError> {
        let count = request.values.size("words").max(1);
        let vocabulary: Vec<&str> = [ADJECTIVES, NOUNS, VERBS].into_iter().flat_map(words).collect();
        fill(request, INFO.method.id, (1, 1_000_000), |cell, mut random| {
            let (often, seldom, shown) = match cell.length {
                ..1024 => (3, 1, (2, 10)),
                1024..SMALL => (6, 1, (3, 10)),
                _ => (30, 3, (10, 10)),
            };
            let given = |name, otherwise| {
                Some(request.values.size(name)).filter(|size| *size > 0).unwrap_or(otherwise)
            };
            let (often, seldom) = (given("often", often), given("seldom", seldom));
            if often <= seldom {
                return Err(EvalError::Unmakeable {
                    task: INFO.method.id,
                    message: format!("often={often} is not more than seldom={seldom}; give a larger often"),
                });
            }
            let drawn: Vec<String> =
                random.some_of(&vocabulary, vocabulary.len()).into_iter().map(str::to_owned).collect();
            let (common, mut others) = drawn.split_at(count.min(drawn.len()));
            let (common, shown_common) =
                (common.to_vec(), others.get(..count.min(others.len())).unwrap_or(&[]).to_vec());
            others = others.get(count.min(others.len())..).unwrap_or(&[]);
            let shown_others = others.get(..shown.1.min(others.len())).unwrap_or(&[]).to_vec();
            let others = others.get(shown_others.len()..).unwrap_or(&[]).to_vec();
            let solved = format!(
                "{HEAD}{}{}{}{}\n\n",
                list(&mut random, &shown_common, shown.0, &shown_others, 1),
                question(count),
                answer_start(count),
                numbered(&shown_common),
            );
            let max_tokens = 12 * count;
            Ok(move |units: usize| {
                let seldom_words: Vec<String> = (0..units)
                    .filter_map(|at| {
                        let word = others.get(at % others.len().max(1))?;
                        let round = at / others.len().max(1);
                        Some(if round == 0 { word.clone() } else { format!("{word}{}", round + 1) })
                    })
                    .collect();
                let body = list(&mut random.clone(), &common, often, &seldom_words, seldom);
                let turn = ask(question(count), answer_start(count), common.clone(), max_tokens, None);
                Ok(example(INFO.method.id, cell, format!("{solved}{HEAD}{body}"), vec![turn]))
            })
        })
    }

    fn score(&self, turn: &Turn, answer: &str) -> Score {
        all_contained(turn, answer)
    }

    fn read(&self, example: &Example) -> Option<Vec<String>> {
        let (_, list) = example.context.rsplit_once(HEAD)?;
        let count = example.turns.first()?.question.split_whitespace().find_map(|word| word.parse().ok())?;
        let words = list.lines().filter_map(|line| line.split_once(". ")).map(|(_, word)| word);
        Some(vec![
            super::most_common(words)
                .into_iter()
                .take(count)
                .map(|(word, _)| word)
                .collect::<Vec<_>>()
                .join(", "),
        ])
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::sizes::Words;

    #[test]
    fn counting_gives_the_gold_with_a_gap_behind_it() {
        let values = crate::registry::parse("cwe").unwrap().1;
        let request = Request { lengths: &[600, 2000, 9000], ..Request::new(&values, &Words) };
        for made in CommonWords.examples(&request).unwrap() {
            let (_, list) = made.context.rsplit_once(HEAD).unwrap();
            let counted =
                super::super::most_common(list.lines().filter_map(|line| Some(line.split_once(". ")?.1)));
            let top: BTreeSet<&str> = counted[..10].iter().map(|(word, _)| *word).collect();
            assert_eq!(top, made.turns[0].gold.iter().map(String::as_str).collect());
            assert!(counted[9].1 > counted[10].1, "{counted:?}");
        }
        let values = crate::registry::parse("cwe:often=3,seldom=3").unwrap().1;
        assert!(CommonWords.examples(&Request { values: &values, ..request }).is_err());
    }
}
