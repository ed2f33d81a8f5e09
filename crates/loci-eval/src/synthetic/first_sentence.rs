//! First-sentence retrieval: the beginning of a long text, word by word.

use super::hay::Haystack;
use super::make::{ANY, Declared, ask, example, fill};
use super::scores::{holds_whole, small};
use crate::error::EvalError;
use crate::example::{Example, Turn};
use crate::metrics::edit::common;
use crate::task::{Level, Request, Score, Task, TaskInfo};

/// Asks for the first sentence of a text.
#[derive(Clone, Copy, Debug)]
pub struct FirstSentence;

const INFO: TaskInfo = Declared {
    id: "first-sentence",
    title: "The first sentence of a long text, word by word.",
    paper: "Xiong et al., Effective Long-Context Scaling of Foundation Models, 2023",
    parameters: &[],
    invariants: &["A program that reads the text gives the sentence"],
    description: "The score is ROUGE-L of the answer against the first sentence: the harmonic mean of \
                  precision and recall of their longest common subsequence of words (which measure the \
                  paper used is not known); `verbatim` wants the sentence as it stands. The distance is \
                  always the whole text, so depths change nothing but the draw. Passing the pass-key test \
                  does not imply passing this one.",
    diffusion: Level::Low,
    scope: Level::Low,
    metric: "rouge-l",
}
.info();

const HEAD: &str = "Read this text:\n\n";

fn words(text: &str) -> Vec<String> {
    small(text)
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

impl Task for FirstSentence {
    fn info(&self) -> &'static TaskInfo {
        &INFO
    }

    fn examples(&self, request: &Request<'_>) -> Result<Vec<Example>, EvalError> {
        let haystack = Haystack::of(request)?;
        fill(request, INFO.method.id, (1, ANY), |cell, random| {
            let mut hay = haystack.begin(random);
            Ok(move |units: usize| {
                let sentences = hay.take(units);
                let gold = sentences.first().map_or("", |sentence| sentence.trim()).to_owned();
                let turn = ask(
                    "\n\nRepeat the first sentence of the text, word by word and nothing else.".to_owned(),
                    String::new(),
                    vec![gold],
                    96,
                    Some(0.0),
                );
                Ok(example(
                    INFO.method.id,
                    cell,
                    format!("{HEAD}{}", sentences.concat().trim_end()),
                    vec![turn],
                ))
            })
        })
    }

    fn score(&self, turn: &Turn, answer: &str) -> Score {
        let gold = turn.gold.first().map_or("", String::as_str);
        let (wanted, given) = (words(gold), words(answer));
        let both = common(&wanted, &given) as f64;
        let score = 2.0 * both / (wanted.len() + given.len()).max(1) as f64;
        Score::of(score).and("verbatim", f64::from(u8::from(holds_whole(answer, gold))))
    }

    fn read(&self, example: &Example) -> Option<Vec<String>> {
        let text = example.context.strip_prefix(HEAD)?;
        super::hay::sentences(text).first().map(|sentence| vec![sentence.trim().to_owned()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_common_subsequence_by_hand() {
        let turn = Turn { gold: vec!["The cat sat on the mat.".to_owned()], ..Turn::default() };
        let score = FirstSentence.score(&turn, "the dog sat on a mat");
        assert!((score.score - 2.0 * 4.0 / 12.0).abs() < 1e-12 && score.also["verbatim"] == 0.0);
        assert_eq!(FirstSentence.score(&turn, "\"The cat sat on the mat.\"").also["verbatim"], 1.0);
        assert_eq!(FirstSentence.score(&turn, "").score, 0.0);
    }
}
