//! VAL probing: what stands before, behind and around a place in a list of sentences, functions or records.

use std::collections::BTreeSet;

use loci_context::random::Random;

use super::draw::{Form, Fresh, between, number};
use super::hay::{Hay, Haystack};
use super::make::{ANY, Declared, ask, example, fill};
use super::pairs::index_at;
use super::prose;
use super::scores::{recall, small};
use super::words::{ADJECTIVES, NOUNS, VERBS, words};
use crate::error::EvalError;
use crate::example::{Example, Turn};
use crate::task::{Level, Request, Score, Task, TaskInfo};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A sentence from words in its middle.
    Document,
    /// A function's name from a line behind it.
    Code,
    /// A record's text from the id before it.
    Database,
}

/// One of the three VAL probes.
#[derive(Clone, Copy, Debug)]
pub struct Probing {
    info: &'static TaskInfo,
    kind: Kind,
}

const fn declared(
    id: &'static str,
    title: &'static str,
    metric: &'static str,
    description: &'static str,
) -> TaskInfo {
    Declared {
        id,
        title,
        paper: "An et al., Make Your LLM Fully Utilize the Context (FILM), 2024",
        parameters: &[],
        invariants: &[
            "A program that reads the text gives the answer",
            "What is asked with stands in the text once",
        ],
        description,
        diffusion: Level::Low,
        scope: Level::Low,
        metric,
    }
    .info()
}

const DOCUMENT: TaskInfo = declared(
    "val-document",
    "The sentence that holds given words, to both sides.",
    "word recall",
    "One sentence a line, of the user's text or of generated prose; the question gives a few neighbouring \
     words from inside one. The score is the share of the sentence's different words that the answer has, \
     split at white space, in small letters. It rewards long answers, therefore `verbatim` wants the \
     sentence as it stands. Sentences that hold no words of their own are never asked. The probes differ in \
     direction: what is asked stands around (document), before (code) or behind (database) what the \
     question names. Report the mean and the difference between best and worst depth.",
);
const CODE: TaskInfo = declared(
    "val-code",
    "The function in which a given line stands, before it.",
    "accuracy",
    "Python functions of a few lines; the question gives one line, the answer is the name of its function. \
     Right is an answer that contains the name, case as it stands.",
);
const DATABASE: TaskInfo = declared(
    "val-database",
    "The label and description of a record, behind its id.",
    "accuracy",
    "Records of id, label and description; the question gives the id. Right is an answer that contains the \
     label or the description, in whatever case; `both` wants both.",
);
/// `val-document`.
pub const VAL_DOCUMENT: Probing = Probing { info: &DOCUMENT, kind: Kind::Document };
/// `val-code`.
pub const VAL_CODE: Probing = Probing { info: &CODE, kind: Kind::Code };
/// `val-database`.
pub const VAL_DATABASE: Probing = Probing { info: &DATABASE, kind: Kind::Database };

/// One thing that can be asked about.
struct Item {
    text: String,
    /// What the question may give, best first.
    cues: Vec<String>,
    gold: Vec<String>,
}

/// Makes items, none like another.
struct Items<'h> {
    kind: Kind,
    random: Random,
    fresh: Fresh,
    hay: Hay<'h>,
    seen: BTreeSet<String>,
    read: usize,
    made: Vec<Item>,
}

impl Items<'_> {
    /// The first `count` items; fewer where the user's text has no more sentences.
    fn take(&mut self, count: usize) -> &[Item] {
        while self.read < count {
            let item = match self.kind {
                Kind::Document => {
                    let sentence = self.hay.take(self.read + 1).last().map_or("", String::as_str);
                    sentence_item(&mut self.random, sentence)
                }
                Kind::Code => code_item(&mut self.random, &mut self.fresh),
                Kind::Database => record_item(&mut self.random, &mut self.fresh),
            };
            self.read += 1;
            if self.seen.insert(item.text.clone()) {
                self.made.push(item);
            }
        }
        self.made.get(..count.min(self.made.len())).unwrap_or(&[])
    }
}

fn sentence_item(random: &mut Random, sentence: &str) -> Item {
    let words: Vec<&str> = sentence.split_whitespace().collect();
    let inside = words.len().saturating_sub(2);
    let mut cues = Vec::new();
    if inside > 0 {
        let size = inside.min(6);
        let first = 1 + random.below(inside - size + 1).unwrap_or(0);
        cues.extend(words.get(first..first + size).map(|piece| piece.join(" ")));
        cues.extend(words.get(1..=inside).map(|piece| piece.join(" ")));
    }
    let text = words.join(" ");
    Item { gold: vec![text.clone()], text, cues }
}

fn code_item(random: &mut Random, fresh: &mut Fresh) -> Item {
    let (verbs, adjectives, nouns) = (words(VERBS), words(ADJECTIVES), words(NOUNS));
    let pair = fresh.draw(random, Form::Words).replace('-', "_");
    let name = format!("{}_{pair}", random.one_of(&verbs));
    let argument = random.one_of(&nouns);
    let mut lines = Vec::new();
    for _ in 0..between(random, 2, 4) {
        let (some, other) = (random.one_of(&adjectives), random.one_of(&nouns));
        let size = number(random, 3);
        lines.push(match random.below(5) {
            Some(0) => format!("{some}_{other} = {argument} * {size}"),
            Some(1) => format!(
                "{some}_{other} = [step for step in range({size}) if step % {}]",
                between(random, 2, 9)
            ),
            Some(2) => format!("{argument}.append(\"{some} {other}\"[:{}])", between(random, 1, 9)),
            Some(3) => format!("{argument} = max({argument}, len(\"{some} {other} {size}\"))"),
            _ => format!("print(\"{some} {other}\", {argument}, {size})"),
        });
    }
    let body: String = lines.iter().map(|line| format!("    {line}\n")).collect();
    Item {
        text: format!("def {name}({argument}):\n{body}    return {argument}\n"),
        cues: lines,
        gold: vec![name],
    }
}

fn record_item(random: &mut Random, fresh: &mut Fresh) -> Item {
    let id = loop {
        let id = format!("Q{}", number(random, 7));
        if fresh.take(&id) {
            break id;
        }
    };
    let label = fresh.draw(random, Form::Words).replace('-', " ");
    let about = fresh.draw(random, Form::Words).replace('-', " ");
    let description = format!("{about} {}", prose::place(random));
    Item {
        text: format!("<{id}, {label}, {description}>"),
        cues: vec![format!("<{id},")],
        gold: vec![label, description],
    }
}

impl Probing {
    /// Head of the text, question and beginning of the answer.
    fn words(&self, cue: &str) -> (&'static str, String, &'static str) {
        match self.kind {
            Kind::Document => (
                "Below are sentences, one a line.\n\n",
                format!(
                    "\n\nWhich sentence above contains \"{cue}\"? Give the whole sentence and nothing else."
                ),
                "The sentence is:",
            ),
            Kind::Code => (
                "Below are Python functions.\n\n",
                format!(
                    "\n\nIn which function above does this line stand?\n\n{cue}\n\nGive the name of the \
                     function and nothing else."
                ),
                "The function is",
            ),
            Kind::Database => (
                "Below are records of a database. Each has an id, a label and a description.\n\n",
                format!(
                    "\n\nWhat are the label and the description of the record with the id {}?",
                    cue.trim_matches(['<', ','])
                ),
                "The label and description are:",
            ),
        }
    }
}

impl Task for Probing {
    fn info(&self) -> &'static TaskInfo {
        self.info
    }

    fn examples(&self, request: &Request<'_>) -> Result<Vec<Example>, EvalError> {
        let id = self.info.method.id;
        let haystack = Haystack::of(request)?;
        let most = haystack.sentences().filter(|_| self.kind == Kind::Document).unwrap_or(ANY);
        fill(request, id, (1, most), |cell, mut random| {
            let share = cell.depth.unwrap_or_else(|| random.unit());
            let mut items = Items {
                kind: self.kind,
                hay: haystack.begin(random.clone()),
                random,
                fresh: Fresh::new(),
                seen: BTreeSet::new(),
                read: 0,
                made: Vec::new(),
            };
            Ok(move |units: usize| {
                let items = items.take(units);
                let between = if self.kind == Kind::Code { "\n" } else { "" };
                let text: String =
                    items.iter().map(|item| format!("{}{between}\n", item.text.trim_end())).collect();
                // The first item from the depth on that can be asked about without a second right answer.
                let start = index_at(share, items.len());
                let (item, cue) = (0..items.len())
                    .filter_map(|step| items.get((start + step) % items.len()))
                    .find_map(|item| {
                        let once = |cue: &&String| text.matches(cue.as_str()).count() == 1;
                        Some((item, item.cues.iter().find(once)?))
                    })
                    .ok_or_else(|| EvalError::Unmakeable {
                        task: id,
                        message: format!(
                            "none of {} sentences has words of its own; give a haystack with different, longer ones",
                            items.len()
                        ),
                    })?;
                let (head, question, start) = self.words(cue);
                let turn = ask(question, start.to_owned(), item.gold.clone(), 128, Some(share));
                Ok(example(id, cell, format!("{head}{}", text.trim_end()), vec![turn]))
            })
        })
    }

    fn score(&self, turn: &Turn, answer: &str) -> Score {
        let right = |yes: bool| f64::from(u8::from(yes));
        let gold: Vec<&str> = turn.gold.iter().map(|gold| gold.trim_matches('.')).collect();
        let first = gold.first().copied().unwrap_or("");
        match self.kind {
            Kind::Document => {
                let words = |text: &str| -> BTreeSet<String> {
                    small(text).split_whitespace().map(str::to_owned).collect()
                };
                let whole = turn.gold.first().map_or("", String::as_str);
                Score::of(recall(&words(whole), &words(answer)))
                    .and("verbatim", right(!first.is_empty() && answer.contains(first)))
            }
            Kind::Code => Score::right(!first.is_empty() && answer.contains(first)),
            Kind::Database => {
                let answer = small(answer);
                let has = |text: &&&str| !text.is_empty() && answer.contains(&small(text));
                let found = gold.iter().filter(has).count();
                Score::right(found > 0).and("both", right(found > 0 && found == gold.len()))
            }
        }
    }

    fn read(&self, example: &Example) -> Option<Vec<String>> {
        let question = &example.turns.first()?.question;
        let answer = match self.kind {
            Kind::Document => {
                let cue = question.split_once('"')?.1.rsplit_once("\"?")?.0;
                example.context.lines().find(|line| line.contains(cue))?
            }
            Kind::Code => {
                let cue = question.split("\n\n").nth(2)?;
                let (before, _) = example.context.split_once(cue)?;
                before.rsplit_once("def ")?.1.split_once('(')?.0
            }
            Kind::Database => {
                let id = question.rsplit_once(' ')?.1.trim_end_matches('?');
                example.context.split_once(&format!("<{id}, "))?.1.split_once('>')?.0
            }
        };
        Some(vec![answer.to_owned()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sizes::Words;

    #[test]
    fn what_is_asked_stands_at_its_depth() {
        for task in [VAL_DOCUMENT, VAL_CODE, VAL_DATABASE] {
            let values = loci_models::method::Values::defaults(&task.info.method);
            let request =
                Request { lengths: &[3000], depths: &[0.0, 0.4, 1.0], ..Request::new(&values, &Words) };
            for made in task.examples(&request).unwrap() {
                let at =
                    made.context.find(&made.turns[0].gold[0]).unwrap() as f64 / made.context.len() as f64;
                assert!((at - made.turns[0].depth.unwrap()).abs() < 0.05, "{}: {at}", made.id);
            }
        }
    }

    #[test]
    fn scores_are_those_of_the_paper() {
        let turn = |gold: &[&str]| Turn {
            gold: gold.iter().map(|text| (*text).to_owned()).collect(),
            ..Turn::default()
        };
        let score = VAL_DOCUMENT.score(&turn(&["The cat saw the dog."]), "the THE cat");
        assert_eq!((score.score, score.also["verbatim"]), (0.5, 0.0));
        assert_eq!(VAL_CODE.score(&turn(&["open_gate"]), "It is `open_gate`.").score, 1.0);
        assert_eq!(VAL_CODE.score(&turn(&["open_gate"]), "Open_Gate").score, 0.0);
        let score = VAL_DATABASE.score(&turn(&["Red lamp.", "a lamp of old"]), "red LAMP");
        assert_eq!((score.score, score.also["both"]), (1.0, 0.0));
        assert_eq!(VAL_DATABASE.score(&turn(&[]), "x").score, 0.0);
    }
}
