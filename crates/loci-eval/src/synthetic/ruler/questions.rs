//! Questions about documents that stand among other documents: SQuAD and HotpotQA.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::data;
use super::super::draw::shuffled;
use super::super::make::{Declared, ask, example, fill};
use super::super::scores::contains_any;
use super::{PAPER, cleaned};
use crate::error::EvalError;
use crate::example::{Example, Turn};
use crate::task::{Level, Request, Score, Task, TaskInfo};

/// Whose questions they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Squad,
    Hotpot,
}

/// One of RULER's two tasks with questions about documents.
#[derive(Clone, Copy, Debug)]
pub struct Questions {
    info: &'static TaskInfo,
    source: Source,
}

const QA_1: TaskInfo = Declared {
    id: "ruler-qa-1",
    title: "Questions of SQuAD, their paragraph among others.",
    paper: PAPER,
    parameters: &[],
    invariants: &["The document with the answer is in the text, once", "The depth is that of its documents"],
    description: "The paragraph that answers the question, other paragraphs of its article, then of other \
                  articles, as many as fit, in random order. Right is an answer that contains any of the \
                  gold answers; `whole` wants whole words. Reads `squad.json` or `dev-v2.0.json` (SQuAD \
                  2.0) or `dev-v1.1.json`; questions without an answer are left out.",
    diffusion: Level::LowMedium,
    scope: Level::Low,
    metric: "answer contained",
}
.info();

const QA_2: TaskInfo = Declared {
    id: "ruler-qa-2",
    title: "Questions of HotpotQA, their two paragraphs among others.",
    paper: PAPER,
    parameters: &[],
    invariants: &[
        "The documents with the answer are in the text, once",
        "The depth is that of its documents",
    ],
    description: "The paragraphs that answer the question together, the other paragraphs that HotpotQA \
                  gives for it, then those of other questions, as many as fit, in random order. Right is an \
                  answer that contains the gold answer; `whole` wants whole words. Reads `hotpotqa.json` or \
                  `hotpot_dev_distractor_v1.json`.",
    diffusion: Level::Medium,
    scope: Level::Low,
    metric: "answer contained",
}
.info();

/// `ruler-qa-1`.
pub const RULER_QA_1: Questions = Questions { info: &QA_1, source: Source::Squad };
/// `ruler-qa-2`.
pub const RULER_QA_2: Questions = Questions { info: &QA_2, source: Source::Hotpot };

const HEAD: &str =
    "Answer the question from the given documents. Give only the answer, nothing else.\n\nThe documents:\n";

/// A question with documents by their number.
struct Asked {
    question: String,
    answers: Vec<String>,
    needed: Vec<usize>,
    related: Vec<usize>,
}

/// Documents of which none occurs twice, and questions about them.
#[derive(Default)]
struct Collection {
    documents: Vec<String>,
    numbers: BTreeMap<String, usize>,
    questions: Vec<Asked>,
}

#[derive(Deserialize)]
struct Squad {
    data: Vec<Article>,
}

#[derive(Deserialize)]
struct Article {
    paragraphs: Vec<Paragraph>,
}

#[derive(Deserialize)]
struct Paragraph {
    context: String,
    qas: Vec<SquadQuestion>,
}

#[derive(Deserialize)]
struct SquadQuestion {
    question: String,
    #[serde(default)]
    is_impossible: bool,
    #[serde(default)]
    answers: Vec<SquadAnswer>,
}

#[derive(Deserialize)]
struct SquadAnswer {
    text: String,
}

#[derive(Deserialize)]
struct HotpotQuestion {
    question: String,
    answer: String,
    supporting_facts: Vec<(String, usize)>,
    context: Vec<(String, Vec<String>)>,
}

impl Collection {
    fn number(&mut self, document: String) -> usize {
        let next = self.documents.len();
        let number = *self.numbers.entry(document.clone()).or_insert(next);
        if number == next {
            self.documents.push(document);
        }
        number
    }

    fn add_squad(&mut self, squad: Squad) {
        for article in squad.data {
            let numbers: Vec<usize> =
                article.paragraphs.iter().map(|paragraph| self.number(paragraph.context.clone())).collect();
            for (paragraph, number) in article.paragraphs.into_iter().zip(&numbers) {
                for asked in paragraph.qas.into_iter().filter(|asked| !asked.is_impossible) {
                    let mut answers: Vec<String> =
                        asked.answers.into_iter().map(|answer| answer.text).collect();
                    answers.sort();
                    answers.dedup();
                    let related = numbers.iter().copied().filter(|other| other != number).collect();
                    self.questions.push(Asked {
                        question: asked.question,
                        answers,
                        needed: vec![*number],
                        related,
                    });
                }
            }
        }
    }

    fn add_hotpot(&mut self, questions: Vec<HotpotQuestion>) {
        for asked in questions {
            let (mut needed, mut related) = (Vec::new(), Vec::new());
            for (title, sentences) in asked.context {
                let is_needed = asked.supporting_facts.iter().any(|(other, _)| *other == title);
                let number = self.number(format!("{title}\n{}", sentences.concat()));
                if is_needed { needed.push(number) } else { related.push(number) }
            }
            self.questions.push(Asked {
                question: asked.question,
                answers: vec![asked.answer],
                needed,
                related,
            });
        }
    }

    fn read(request: &Request<'_>, task: &Questions) -> Result<Self, EvalError> {
        let id = task.info.method.id;
        let mut collection = Self::default();
        let names: (&[&str], &str) = match task.source {
            Source::Squad => (&["squad.json", "dev-v2.0.json", "dev-v1.1.json"], "SQuAD"),
            Source::Hotpot => (&["hotpotqa.json", "hotpot_dev_distractor_v1.json"], "HotpotQA"),
        };
        let path = data::find(request, id, names.0, names.1)?;
        let text = data::read(&path)?;
        match task.source {
            Source::Squad => collection.add_squad(data::parse(&path, &text)?),
            Source::Hotpot => collection.add_hotpot(data::parse(&path, &text)?),
        }
        collection.questions.retain(|asked| {
            !asked.needed.is_empty() && asked.answers.iter().any(|answer| !answer.is_empty())
        });
        if collection.questions.is_empty() {
            return Err(EvalError::Nothing(format!(
                "{id}: {} has no question with an answer; give another file",
                path.display()
            )));
        }
        Ok(collection)
    }
}

impl Task for Questions {
    fn info(&self) -> &'static TaskInfo {
        self.info
    }

    fn examples(&self, request: &Request<'_>) -> Result<Vec<Example>, EvalError> {
        let id = self.info.method.id;
        let collection = Collection::read(request, self)?;
        let order = shuffled(&mut request.random(id), &(0..collection.questions.len()).collect::<Vec<_>>());
        let all: Vec<usize> = (0..collection.documents.len()).collect();
        fill(request, id, (0, all.len()), |cell, mut random| {
            // The same question at every length and depth, so that these alone make the difference.
            let asked = order
                .get(cell.number % order.len().max(1))
                .and_then(|number| collection.questions.get(*number))
                .ok_or_else(|| EvalError::Nothing(format!("{id}: there are no questions")))?;
            let mut others = shuffled(&mut random, &asked.related);
            others.extend(
                shuffled(&mut random, &all)
                    .into_iter()
                    .filter(|number| !asked.related.contains(number) && !asked.needed.contains(number)),
            );
            let collection = &collection;
            Ok(move |units: usize| {
                let mut random = random.clone();
                let mut chosen = shuffled(&mut random, others.get(..units.min(others.len())).unwrap_or(&[]));
                let needed = shuffled(&mut random, &asked.needed);
                for number in needed {
                    let share = cell.depth.unwrap_or_else(|| random.unit());
                    let at = (share.clamp(0.0, 1.0) * chosen.len() as f64).round() as usize;
                    chosen.insert(at.min(chosen.len()), number);
                }
                let mut context = HEAD.to_owned();
                for (at, number) in chosen.iter().enumerate() {
                    let document = collection.documents.get(*number).map_or("", String::as_str);
                    context.push_str(&format!("\nDocument {}:\n{document}\n", at + 1));
                }
                let question = format!(
                    "\nAnswer the question from the given documents. Give only the answer, nothing else.\n\n\
                     Question: {}",
                    asked.question
                );
                let turn = ask(question, "Answer:".to_owned(), asked.answers.clone(), 32, cell.depth);
                Ok(example(id, cell, context, vec![turn]))
            })
        })
    }

    fn score(&self, turn: &Turn, answer: &str) -> Score {
        contains_any(&turn.gold, &cleaned(answer))
    }
}

#[cfg(test)]
mod tests {
    use loci_models::method::Values;

    use super::*;
    use crate::sizes::Words;

    #[test]
    fn the_answer_is_in_the_text_at_its_depth_and_once() {
        let folder = super::super::super::fixtures::folder();
        for task in [RULER_QA_1, RULER_QA_2] {
            let values = Values::defaults(&task.info.method);
            let base =
                Request { lengths: &[300], n: 4, data: Some(folder.path()), ..Request::new(&values, &Words) };
            for made in task.examples(&Request { depths: &[0.0, 1.0], ..base }).unwrap() {
                let gold = &made.turns[0].gold[0];
                assert_eq!(made.context.matches(gold.as_str()).count(), 1, "{}", made.id);
                let at = made.context.find(gold.as_str()).unwrap() as f64 / made.context.len() as f64;
                assert!((at < 0.6) == (made.turns[0].depth == Some(0.0)), "{}: {at}", made.id);
                assert_eq!(task.score(&made.turns[0], &format!("It is {gold}.")).score, 1.0);
            }
            let error = task.examples(&Request { data: None, ..base }).unwrap_err().to_string();
            assert!(error.contains(".json"), "{error}");
        }
    }
}
