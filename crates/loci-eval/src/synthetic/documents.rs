//! Questions about documents whose numbers were altered, and about documents as they are.

use std::path::Path;

use loci_context::random::Random;
use loci_models::method::Parameter;
use serde::Deserialize;

use super::data;
use super::draw::{between, number, shuffled};
use super::hay::{Haystack, insert, sentences};
use super::make::{ANY, Declared, ask, example, fill};
use super::pairs::index_at;
use super::prose;
use super::scores::contained;
use crate::declare::choice;
use crate::error::EvalError;
use crate::example::{Example, Turn};
use crate::task::{Cell, Level, Request, Score, Task, TaskInfo};

/// One of the two tasks on documents of Giraffe.
#[derive(Clone, Copy, Debug)]
pub struct Documents {
    info: &'static TaskInfo,
    altered: bool,
}

const PARAMETERS: &[Parameter] = &[
    choice(
        "documents",
        "generated ones, or those of documents.jsonl in the data folder",
        "generated",
        &["generated", "given"],
    ),
    choice(
        "question",
        "whether it stands behind the document or also before it",
        "after",
        &["after", "before"],
    ),
];

const fn declared(
    id: &'static str,
    title: &'static str,
    description: &'static str,
    diffusion: Level,
) -> TaskInfo {
    Declared {
        id,
        title,
        paper: "Pal et al., Giraffe: Adventures in Expanding Context Lengths in LLMs, 2023",
        parameters: PARAMETERS,
        invariants: &[
            "A program that reads a generated text gives the answer",
            "An altered number is in the text no more",
        ],
        description,
        diffusion,
        scope: Level::Low,
        metric: "presence",
    }
    .info()
}

const ALTERED: TaskInfo = declared(
    "altered-numeric-qa",
    "Questions whose answer is a number that was changed in the document.",
    "The answer and all its occurrences in the document are replaced: a year from 1000 to 2100 by another \
     within ten years, any other number by one of as many digits; whoever answers from what he learned is \
     wrong. Right is an answer that contains the number; `whole` wants it as a whole number. Without a \
     depth, the answer stands in the first tenth, in between, or in the last tenth by turns. Given \
     documents are lines of JSON with `document`, `question` and `answer`, are cut around the sentence with \
     the answer, and only numeric answers are asked. Generated ones are prose with invented facts, whose \
     numbers nobody could know.",
    Level::LowMedium,
);
const FREE: TaskInfo = declared(
    "free-form-qa",
    "Questions whose answer is a short piece of the document.",
    "As `altered-numeric-qa`, with answers of any kind and documents as they are: a model may know the \
     answer from elsewhere.",
    Level::Low,
);
/// `altered-numeric-qa`.
pub const ALTERED_NUMERIC_QA: Documents = Documents { info: &ALTERED, altered: true };
/// `free-form-qa`.
pub const FREE_FORM_QA: Documents = Documents { info: &FREE, altered: false };

const HEAD: &str = "Answer a question from the document below, as briefly as possible and in its words.\n";
const HOUSES: &[&str] = &[
    "botanical museum",
    "observatory",
    "school of navigation",
    "glass factory",
    "sailing club",
    "music library",
    "ferry company",
    "chess society",
    "printing house",
    "veterinary college",
    "mountain rescue",
    "puppet theatre",
    "savings bank",
    "lace workshop",
];
const CITIES: &[&str] = &[
    "Arlenburg",
    "Bresk",
    "Corvelle",
    "Dunmarrow",
    "Estwick",
    "Farholm",
    "Grellin",
    "Havermoor",
    "Istvale",
    "Jorring",
    "Kestrow",
    "Lindhaven",
];
const OWNED: &[&str] =
    &["lamps", "horses", "books", "wagons", "bells", "paintings", "beehives", "telescopes"];

/// A document and what is asked about it.
#[derive(Clone, Debug, Deserialize)]
struct Item {
    document: String,
    question: String,
    answer: String,
}

/// Whether a text is a whole number, perhaps with commas between thousands.
fn is_number(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit())
        && text.ends_with(|last: char| last.is_ascii_digit())
        && text.chars().all(|character| character.is_ascii_digit() || character == ',')
}

/// Places where `number` stands as a whole number: not within a longer one, a decimal fraction or a word.
fn places_of(text: &str, number: &str) -> Vec<usize> {
    let joins = |character: Option<char>, next: Option<char>| match character {
        Some(',' | '.') => next.is_some_and(|next| next.is_ascii_digit()),
        other => other.is_some_and(char::is_alphanumeric),
    };
    text.match_indices(number)
        .map(|(at, _)| at)
        .filter(|at| {
            let mut before = text.get(..*at).unwrap_or("").chars().rev();
            let mut behind = text.get(at + number.len()..).unwrap_or("").chars();
            !joins(before.next(), before.next()) && !joins(behind.next(), behind.next())
        })
        .collect()
}

/// Another number of the same kind that the text does not hold yet.
fn other_number(text: &str, old: &str, random: &mut Random) -> String {
    let commas = old.contains(',');
    let plain = old.replace(',', "");
    let year = plain.parse::<u64>().ok().filter(|year| !commas && (1000..=2100).contains(year));
    let mut new = String::new();
    for _ in 0..200 {
        new = match year {
            Some(year) => {
                between(random, year.saturating_sub(10).max(1000), (year + 10).min(2100)).to_string()
            }
            None => number(random, plain.len() as u32).to_string(),
        };
        if commas {
            let digits = new.len();
            new = new
                .char_indices()
                .flat_map(|(at, digit)| {
                    (at > 0 && (digits - at).is_multiple_of(3)).then_some(',').into_iter().chain([digit])
                })
                .collect();
        }
        if new != old && places_of(text, &new).is_empty() {
            return new;
        }
    }
    // Every number of that length is in the text: any other will do.
    if new == old { number(random, plain.len() as u32 + 1).to_string() } else { new }
}

/// The text with another number in all places of `old`, and that number.
fn altered(text: &str, old: &str, random: &mut Random) -> (String, String) {
    let new = other_number(text, old, random);
    let (mut changed, mut done) = (String::new(), 0);
    for at in places_of(text, old) {
        changed.push_str(text.get(done..at).unwrap_or(""));
        changed.push_str(&new);
        done = at + old.len();
    }
    changed.push_str(text.get(done..).unwrap_or(""));
    (changed, new)
}

fn read_items(path: &Path) -> Result<Vec<Item>, EvalError> {
    let text = data::read(path)?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(at, line)| {
            serde_json::from_str(line).map_err(|error| EvalError::Line {
                path: path.display().to_string(),
                line: at + 1,
                message: format!("{error}; a line is {{\"document\": …, \"question\": …, \"answer\": …}}"),
            })
        })
        .collect()
}

/// The depth of a cell: what was asked for, or the first tenth, between, the last tenth by turns.
fn depth(cell: Cell, random: &mut Random) -> f64 {
    let drawn = random.unit();
    cell.depth.unwrap_or(match cell.number % 3 {
        0 => 0.1 * drawn,
        1 => 0.1 + 0.8 * drawn,
        _ => 0.9 + 0.1 * drawn,
    })
}

/// A sentence that tells a fact, with question and answer.
fn fact(random: &mut Random, place: &str, numeric: bool) -> (String, String, String) {
    if !numeric {
        let name = format!("{} of {}", random.one_of(&prose::names()), random.one_of(CITIES));
        return (
            format!("The first head of the {place} was {name}. "),
            format!("Who was the first head of the {place}?"),
            name,
        );
    }
    if random.unit() < 0.5 {
        let year = between(random, 1500, 1990).to_string();
        return (
            format!("The {place} was opened in {year}. "),
            format!("In which year was the {place} opened?"),
            year,
        );
    }
    let (count, what) = (between(random, 11, 9999).to_string(), random.one_of(OWNED));
    (format!("The {place} owns {count} {what}. "), format!("How many {what} does the {place} own?"), count)
}

impl Documents {
    fn turn(&self, before: bool, question: &str, answer: &str, depth: f64) -> (String, Turn) {
        let (head, behind) = if before {
            (
                format!("{HEAD}\nQuestion: {question}\n"),
                "\n\nAnswer the question that stands before the document.".to_owned(),
            )
        } else {
            (HEAD.to_owned(), format!("\n\nQuestion: {question}"))
        };
        (head, ask(behind, "Answer:".to_owned(), vec![answer.to_owned()], 50, Some(depth)))
    }

    fn generated(&self, request: &Request<'_>, before: bool) -> Result<Vec<Example>, EvalError> {
        let id = self.info.method.id;
        let haystack = Haystack::of(request)?;
        let all: Vec<String> = HOUSES
            .iter()
            .flat_map(|house| CITIES.iter().map(move |city| format!("{house} of {city}")))
            .collect();
        fill(request, id, (1, ANY), |cell, mut random| {
            let share = depth(cell, &mut random);
            let places = random.some_of(&all, 7);
            let facts: Vec<(String, String, String)> =
                places.iter().map(|place| fact(&mut random, place, self.altered)).collect();
            let (_, question, answer) = facts.first().cloned().unwrap_or_default();
            let hidden: Vec<(f64, String)> = facts
                .into_iter()
                .enumerate()
                .map(|(at, (sentence, _, _))| (if at == 0 { share } else { random.unit() }, sentence))
                .collect();
            let mut hay = haystack.begin(random);
            Ok(move |units: usize| {
                let (head, turn) = self.turn(before, &question, &answer, share);
                let text = insert(hay.take(units), &hidden);
                Ok(example(id, cell, format!("{head}\nDocument:\n{}", text.trim_end()), vec![turn]))
            })
        })
    }

    fn given(&self, request: &Request<'_>, before: bool) -> Result<Vec<Example>, EvalError> {
        let id = self.info.method.id;
        let path = data::find(request, id, &["documents.jsonl"], "documents")?;
        let mut items = read_items(&path)?;
        items.retain(|item| {
            let answer = item.answer.trim();
            !answer.is_empty()
                && (!self.altered || is_number(answer) && !places_of(&item.document, answer).is_empty())
                && item.document.contains(answer)
        });
        if items.is_empty() {
            let kind = if self.altered { "numeric answer" } else { "answer" };
            return Err(EvalError::Nothing(format!(
                "{id}: no document of {} holds its {kind}; give others, or documents=generated",
                path.display()
            )));
        }
        let order = shuffled(&mut request.random(id), &items);
        fill(request, id, (1, ANY), |cell, mut random| {
            let item = order
                .get(cell.number % order.len().max(1))
                .cloned()
                .ok_or_else(|| EvalError::Nothing(format!("{id}: there are no documents")))?;
            let share = depth(cell, &mut random);
            let old = item.answer.trim();
            let (document, answer) = if self.altered {
                altered(&item.document, old, &mut random)
            } else {
                (item.document.clone(), old.to_owned())
            };
            let pieces: Vec<String> = sentences(&document).into_iter().map(str::to_owned).collect();
            let has = |piece: &String| {
                if self.altered { !places_of(piece, &answer).is_empty() } else { piece.contains(&answer) }
            };
            // An answer over the border of two sentences: where it begins.
            let asked = pieces.iter().position(has).unwrap_or_else(|| {
                let at = document.find(&answer).unwrap_or(0);
                let mut end = 0;
                pieces
                    .iter()
                    .take_while(|piece| {
                        end += piece.len();
                        end <= at
                    })
                    .count()
            });
            let needed = if pieces.iter().any(has) { 1 } else { 2 };
            Ok(move |units: usize| {
                let units = units.max(needed).min(pieces.len());
                let first =
                    asked.saturating_sub(index_at(share, units - needed + 1)).min(pieces.len() - units);
                let text = pieces.get(first..first + units).unwrap_or(&[]).concat();
                let before_it = pieces.get(first..asked).unwrap_or(&[]).concat().len();
                let stands = before_it as f64 / text.len().max(1) as f64;
                let (head, turn) = self.turn(before, &item.question, &answer, stands);
                let turn = Turn { depth: Some(cell.depth.unwrap_or(stands)), ..turn };
                Ok(example(id, cell, format!("{head}\nDocument:\n{}", text.trim_end()), vec![turn]))
            })
        })
    }
}

impl Task for Documents {
    fn info(&self) -> &'static TaskInfo {
        self.info
    }

    fn examples(&self, request: &Request<'_>) -> Result<Vec<Example>, EvalError> {
        let before = request.values.word("question") == "before";
        match request.values.word("documents") {
            "given" => self.given(request, before),
            _ => self.generated(request, before),
        }
    }

    fn score(&self, turn: &Turn, answer: &str) -> Score {
        contained(&turn.gold, answer)
    }

    /// Only generated documents.
    fn read(&self, example: &Example) -> Option<Vec<String>> {
        let all = format!("{}{}", example.context, example.turns.first()?.question);
        let question = all.rsplit_once("Question: ")?.1.lines().next()?;
        let between = |text: &str, before: &str, behind: &str| -> Option<String> {
            Some(text.split_once(before)?.1.split_once(behind)?.0.to_owned())
        };
        let document = example.context.split_once("Document:\n")?.1;
        let answer = if let Some(place) = between(question, "first head of the ", "?") {
            between(document, &format!("first head of the {place} was "), ".")?
        } else if let Some(place) = between(question, "was the ", " opened") {
            between(document, &format!("The {place} was opened in "), ".")?
        } else {
            let place = between(question, "does the ", " own")?;
            between(document, &format!("The {place} owns "), " ")?
        };
        Some(vec![answer])
    }
}

#[cfg(test)]
mod tests;
