//! BABILong: the facts of a bAbI story scattered in other text.

use std::collections::BTreeSet;

use loci_models::method::{Domain, Parameter, Value};

use super::data;
use super::hay::{Haystack, insert};
use super::make::{ANY, Declared, ask, example, fill};
use super::scores::{holds_whole, small};
use crate::declare::counted;
use crate::error::EvalError;
use crate::example::{Example, Turn};
use crate::task::{Level, Request, Score, Task, TaskInfo};

/// Scatters the facts of bAbI stories and asks their questions.
#[derive(Clone, Copy, Debug)]
pub struct Babilong;

const fn share(name: &'static str, meaning: &'static str, default: f64) -> Parameter {
    Parameter {
        name,
        meaning,
        unit: "share",
        default: Value::Number(default),
        domain: Domain::Numbers(0.0, 1.0),
    }
}

const INFO: TaskInfo = Declared {
    id: "babilong",
    title: "Questions about little stories whose facts are scattered in a long text.",
    paper: "Kuratov et al., BABILong: Testing the Limits of LLMs with Long Context Reasoning-in-a-Haystack, 2024",
    parameters: &[
        counted("task", "which of the bAbI tasks", "", 1, (1, 20)),
        share("from", "share of the text before which no fact stands", 0.0),
        share("to", "share of the text behind which no fact stands", 1.0),
    ],
    invariants: &["A program that reads the text answers the first task", "Facts stay in their order"],
    description: "A story is cut at a question: the facts before it, without the other questions, stand in \
                  their order at random places among sentences of at least ten words, of the user's text or \
                  generated. With a depth, all stand there. Right is an answer whose first sentence names \
                  the gold labels and no other label of the task, those of the question left out; labels \
                  are whole words. Stories with more facts than an eighth of the length are left out. Reads \
                  the files of bAbI, `qa1_single-supporting-fact_test.txt` and so on. Tasks 1 to 5 have \
                  examples in the prompt. The tags are those of tasks 1 to 3.",
    diffusion: Level::MediumHigh,
    scope: Level::LowMedium,
    metric: "accuracy",
}
.info();

const TEXT: &str = "\nText:\n";

/// What the model is told about a task, with solved examples.
const HEADS: [&str; 5] = [
    "I will give you a text in which facts about where persons are lie hidden. Answer a question about the \
     place of a person. Where a person moved several times, the last place counts. Answer with one word, \
     the place.\n\nExample: Lucy went to the cellar. Henry moved to the attic. Lucy travelled to the barn. \
     Where is Lucy? Answer: barn\nExample: Henry went back to the attic. Lucy moved to the cellar. Where is \
     Henry? Answer: attic\n",
    "I will give you a text in which facts about persons, places and things they carry lie hidden. Answer a \
     question about where a thing is: where the person who last had it is, or left it. Answer with one \
     word, the place.\n\nExample: Lucy took the cup there. Lucy went to the cellar. Where is the cup? \
     Answer: cellar\nExample: Henry got the rope. Henry went to the barn. Henry dropped the rope. Henry \
     moved to the attic. Where is the rope? Answer: barn\n",
    "I will give you a text in which facts about persons, places and things they carry lie hidden. Answer a \
     question about where a thing was before it came to another place. Answer with one word, the \
     place.\n\nExample: Lucy took the cup. Lucy went to the cellar. Lucy went to the barn. Where was the \
     cup before the barn? Answer: cellar\nExample: Henry went to the attic. Henry got the rope. Henry went \
     to the barn. Where was the rope before the barn? Answer: attic\n",
    "I will give you a text in which facts about where places lie to each other are hidden. Answer a \
     question about them. Answer with one word, the place.\n\nExample: The barn is north of the cellar. \
     What is north of the cellar? Answer: barn\nExample: The attic is east of the barn. What is the attic \
     east of? Answer: barn\n",
    "I will give you a text in which facts about persons who give each other things lie hidden. Answer a \
     question about who gave, who received, or what. Answer with one word.\n\nExample: Lucy gave the cup to \
     Henry. Who gave the cup to Henry? Answer: Lucy\nExample: Henry handed the rope to Lucy. What did Henry \
     give to Lucy? Answer: rope\n",
];
const OTHER_HEAD: &str = "I will give you a text in which facts lie hidden. Answer a question about these \
                          facts alone, as briefly as possible: with one word, or words with commas between \
                          them.\n";

/// The facts before a question, and what is asked.
#[derive(Debug, PartialEq)]
struct Story {
    facts: Vec<String>,
    question: String,
    answer: String,
}

/// Reads a file of bAbI: numbered lines, a story from each 1 on; questions with tabs (in one copy that is about, bars) before
/// answer and supporting facts.
fn stories(path: &str, text: &str) -> Result<Vec<Story>, EvalError> {
    let (mut stories, mut facts) = (Vec::new(), Vec::new());
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let wrong = |message: &str| EvalError::Line {
            path: path.to_owned(),
            line: at + 1,
            message: message.to_owned(),
        };
        let (number, rest) = line
            .trim_start()
            .split_once(' ')
            .ok_or_else(|| wrong("a line is a number, a blank, and a fact or question"))?;
        let number: usize =
            number.parse().map_err(|_| wrong("a line begins with its number in the story"))?;
        if number == 1 {
            facts.clear();
        }
        let mut parts = rest.split(['\t', '|']);
        let said = parts.next().unwrap_or("").trim().to_owned();
        match parts.next().map(str::trim) {
            Some("") => return Err(wrong("a question has an answer behind a tab")),
            Some(answer) => {
                stories.push(Story { facts: facts.clone(), question: said, answer: answer.to_owned() });
            }
            None => facts.push(said),
        }
    }
    if stories.is_empty() {
        return Err(EvalError::Nothing(format!(
            "{path} has no question: no line with an answer behind a tab; give a file of bAbI's tasks"
        )));
    }
    Ok(stories)
}

/// Parts of an answer: labels with commas between them.
fn labels(answer: &str) -> BTreeSet<String> {
    answer.split(',').map(|label| small(label.trim())).filter(|label| !label.is_empty()).collect()
}

impl Task for Babilong {
    fn info(&self) -> &'static TaskInfo {
        &INFO
    }

    fn examples(&self, request: &Request<'_>) -> Result<Vec<Example>, EvalError> {
        let id = INFO.method.id;
        let task = request.values.size("task");
        let names = [format!("qa{task}_*_test.txt"), format!("qa{task}_*.txt")];
        let path = data::find(request, id, &names.each_ref().map(String::as_str), "the bAbI stories")?;
        let all = stories(&path.display().to_string(), &data::read(&path)?)?;
        let known: BTreeSet<String> = all.iter().flat_map(|story| labels(&story.answer)).collect();
        let known: Vec<String> = known.into_iter().collect();
        let (from, to) = (request.values.number("from"), request.values.number("to"));
        if from > to {
            return Err(EvalError::Unmakeable {
                task: id,
                message: format!("from={from} is behind to={to}; give a smaller from or a larger to"),
            });
        }
        let haystack = Haystack::of(request)?.with_words(10);
        fill(request, id, (0, ANY), |cell, mut random| {
            let most = cell.length / 8;
            let fitting: Vec<&Story> =
                all.iter().filter(|story| !story.facts.is_empty() && story.facts.len() <= most).collect();
            let story =
                random.below(fitting.len()).and_then(|at| fitting.get(at)).copied().ok_or_else(|| {
                    EvalError::Unmakeable {
                        task: id,
                        message: format!(
                            "no story of {} has at most {most} facts, an eighth of {}; ask for a longer text",
                            path.display(),
                            cell.length
                        ),
                    }
                })?;
            let mut shares: Vec<f64> = story
                .facts
                .iter()
                .map(|_| cell.depth.unwrap_or_else(|| from + (to - from) * random.unit()))
                .collect();
            shares.sort_by(f64::total_cmp);
            let mut hay = haystack.begin(random);
            let known = &known;
            Ok(move |units: usize| {
                let hidden: Vec<(f64, String)> =
                    shares.iter().copied().zip(story.facts.iter().map(|fact| format!("{fact} "))).collect();
                let head = task.checked_sub(1).and_then(|at| HEADS.get(at)).copied().unwrap_or(OTHER_HEAD);
                let context = format!("{head}{TEXT}{}", insert(hay.take(units), &hidden).trim_end());
                let turn = Turn {
                    data: serde_json::json!({ "labels": known }),
                    ..ask(
                        format!("\n\nQuestion: {}", story.question),
                        "Answer:".to_owned(),
                        vec![story.answer.clone()],
                        20,
                        cell.depth,
                    )
                };
                Ok(example(id, cell, context, vec![turn]))
            })
        })
    }

    fn score(&self, turn: &Turn, answer: &str) -> Score {
        let answer = small(answer);
        // What a model writes on after its answer is not part of it.
        let answer = ["<context>", "<example>", "question"]
            .iter()
            .fold(answer.as_str(), |answer, tag| answer.split(tag).next().unwrap_or(""));
        let answer = answer.trim().split('.').next().unwrap_or("");
        let question = small(&turn.question);
        let known: Vec<&str> = turn
            .data
            .get("labels")
            .and_then(|labels| labels.as_array())
            .map(|labels| labels.iter().filter_map(|label| label.as_str()).collect())
            .unwrap_or_default();
        let gold = turn.gold.first().map(|gold| labels(gold)).unwrap_or_default();
        let named: BTreeSet<String> = known
            .into_iter()
            .filter(|label| {
                holds_whole(answer, label) && (gold.contains(*label) || !holds_whole(&question, label))
            })
            .map(str::to_owned)
            .collect();
        Score::right(!gold.is_empty() && named == gold)
    }

    /// Only the first task: where a person went last.
    fn read(&self, example: &Example) -> Option<Vec<String>> {
        let person =
            example.turns.first()?.question.strip_prefix("\n\nQuestion: Where is ")?.trim_end_matches('?');
        let (_, text) = example.context.split_once(TEXT)?;
        let (_, place) = super::hay::sentences(text).into_iter().rev().find_map(|sentence| {
            sentence.strip_prefix(person)?.trim_end().strip_suffix('.')?.rsplit_once(" to the ")
        })?;
        Some(vec![place.to_owned()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sizes::Words;

    #[test]
    fn stories_are_cut_at_their_questions() {
        let text =
            "1 A went to the x.\n2 Where is A? \tx\t1\n3 A went to the y.\n4 Where is A?\ty\t3\n1 B left.\n";
        let read = stories("file", text).unwrap();
        assert_eq!((read.len(), read[1].facts.len(), read[1].answer.as_str()), (2, 2, "y"));
        assert!(matches!(stories("file", "1 a\nx"), Err(EvalError::Line { line: 2, .. })));
        assert!(stories("file", "1 Where?\t").is_err());
        assert_eq!(stories("file", "1 A went.\n2 Where is A? |x|1\n").unwrap()[0].answer, "x");
        assert!(stories("file", "1 A went.\n").unwrap_err().to_string().contains("no question"));
    }

    #[test]
    fn only_the_gold_labels_may_be_named() {
        let turn = |gold: &str, question: &str| Turn {
            question: question.to_owned(),
            gold: vec![gold.to_owned()],
            data: serde_json::json!({"labels": ["apple", "barn", "cellar", "milk", "no"]}),
            ..Turn::default()
        };
        let where_is = turn("barn", "Where is Lucy?");
        for (answer, score) in [
            ("Barn", 1.0),
            ("She is in the barn. Not in the cellar.", 1.0),
            ("barn or cellar", 0.0),
            ("barn, I know", 1.0),
            ("barn <context> cellar", 1.0),
            ("", 0.0),
        ] {
            assert_eq!(Babilong.score(&where_is, answer).score, score, "{answer}");
        }
        let before = turn("barn", "Where was it before the cellar?");
        assert_eq!(Babilong.score(&before, "before the cellar it was in the barn").score, 1.0);
        let list = turn("apple,milk", "What is Lucy carrying?");
        assert_eq!(Babilong.score(&list, "milk and an apple").score, 1.0);
        assert_eq!(Babilong.score(&list, "milk").score, 0.0);
    }

    #[test]
    fn facts_stay_in_their_window() {
        let folder = crate::synthetic::fixtures::folder();
        let values = crate::registry::parse("babilong:from=0.4,to=0.6").unwrap().1;
        let request =
            Request { lengths: &[2000], n: 5, data: Some(folder.path()), ..Request::new(&values, &Words) };
        for made in Babilong.examples(&request).unwrap() {
            let (_, text) = made.context.split_once(TEXT).unwrap();
            for (at, _) in text.match_indices("Lucinda ") {
                let share = at as f64 / text.len() as f64;
                assert!((0.35..0.65).contains(&share), "{share}");
            }
        }
        let values = crate::registry::parse("babilong:from=0.9,to=0.1").unwrap().1;
        assert!(Babilong.examples(&Request { values: &values, ..request }).is_err());
        let values = crate::registry::parse("babilong:task=7").unwrap().1;
        let error = Babilong.examples(&Request { values: &values, ..request }).unwrap_err().to_string();
        assert!(error.contains("qa7_*"), "{error}");
    }
}
