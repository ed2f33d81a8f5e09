//! SORT on books: which of two segments came first.

use std::collections::BTreeMap;

use serde_json::json;

use super::book_sort_form::{Size, Wording};
use super::book_words::{Book, evenness};
use super::catalogue::{DataSet, Expected};
use super::common::{chosen, declaration, root, subset};
use super::files::text;
use crate::declare::{counted, flag};
use crate::error::EvalError;
use crate::example::{Example, Turn};
use crate::task::{Level, Request, Score, Task, TaskInfo};

/// Makes pairs of segments from the books of Book-SORT.
#[derive(Clone, Copy, Debug)]
pub struct BookSort;

pub(super) const ID: &str = "sort";

macro_rules! books {
    ($($id:literal)*) => {
        &[
            Expected::table(&["prompts.jsonl"], false),
            $(Expected::plain(&[
                concat!("books/", $id, "-0.txt"),
                concat!($id, "-0.txt"),
                concat!("pg", $id, ".txt"),
            ])),*
        ]
    };
}

pub(super) const SET: DataSet = DataSet {
    id: ID,
    published: "https://github.com/bridge-ai-neuro/SORT (the books are those of https://www.gutenberg.org)",
    licence: "CC0 (Book-SORT); the books are in the public domain in the USA",
    size: "9 books, 654,000 words",
    folders: &["sort", "SORT", "SORT/data"],
    files: books!("69087" "72578" "72600" "72869" "72958" "72963" "72972" "73017" "73042"),
};

const NAMES: &[&str] =
    &["all", "69087", "72578", "72600", "72869", "72958", "72963", "72972", "73017", "73042"];

const TITLES: [(&str, &str); 9] = [
    ("69087", "The Murder of Roger Ackroyd"),
    ("72578", "Tom Swift and His Talking Pictures"),
    ("72600", "The Trumpeter of Krakow"),
    ("72869", "Meet the Tiger"),
    ("72958", "Hunting for Hidden Gold"),
    ("72963", "The Nature of the Physical World"),
    ("72972", "Money for Nothing"),
    ("73017", "Pomona; or, the Future of English"),
    ("73042", "The Well of Loneliness"),
];

const INFO: TaskInfo = TaskInfo {
    method: declaration(
        ID,
        "Which of two segments of a book came first.",
        "Pink et al., Assessing Episodic Memory in LLMs with Sequence Order Recall Tasks, 2024",
        &[
            subset(NAMES),
            counted(
                "excerpt",
                "words of a book that are read; the paper: 250 to 20,000",
                "words",
                250,
                (60, 100_000),
            ),
            counted("segment", "words of each segment; the paper: 20 and 50", "words", 20, (5, 1000)),
            flag("text", "whether the excerpt is given; without it, what is measured is guessing", true),
            flag("both_orders", "asks each pair in both orders, which cancels a liking for one label", false),
            counted(
                "prompt",
                "wording: 0 ours, else that line of prompts.jsonl, whose system line stands before the text",
                "",
                0,
                (0, 1000),
            ),
        ],
        "An excerpt is read, and of four pairs of segments from it, in four bins of distance, the first is asked \
         for: `distance-1` is the nearest bin. Segments begin with sentences, do not overlap, and stand once in the \
         book. In every bin half of the pairs have the first segment first; starts of excerpts pass a test of \
         evenness or are drawn again. `n` is excerpts in all. What is front matter is guessed (ours).",
    ),
    diffusion: Level::Medium,
    scope: Level::Low,
    metric: "accuracy",
    sized: false,
};

/// Names of the figures by bin.
const BINS: [&str; 4] = ["distance-1", "distance-2", "distance-3", "distance-4"];
/// Draws of one pair before its excerpt is given up.
const TRIES: usize = 10_000;
/// Excerpts of one book, at most; the paper draws 110.
const MOST_EXCERPTS: usize = 10_000;
/// Draws of all starts in a book before they are taken uneven.
const REDRAWS: usize = 100;

impl Task for BookSort {
    fn info(&self) -> &'static TaskInfo {
        &INFO
    }

    fn examples(&self, request: &Request<'_>) -> Result<Vec<Example>, EvalError> {
        let root = root(request)?;
        let size = Size::new(request)?;
        let wording = Wording::new(request)?;
        let mut books = Vec::new();
        for (file, name) in SET.files.iter().skip(1).zip(chosen_of(request)) {
            if let Some(path) = SET.file(root, file.names).filter(|_| name.1) {
                let book = Book::new(&text(&path)?);
                if book.words.len() > size.excerpt {
                    books.push((name.0, book));
                }
            }
        }
        if books.is_empty() {
            let what = format!(
                "book of more than {} words among {}",
                size.excerpt,
                chosen(request, NAMES).join(", ")
            );
            return Err(SET.missing(root, &what));
        }
        if request.n == 0 {
            return Err(EvalError::Nothing(format!("{ID}: no excerpts wanted; n should be at least 1")));
        }
        let mut examples = Vec::new();
        for (number, (id, book)) in books.iter().enumerate() {
            let count = request.n / books.len() + usize::from(number < request.n % books.len());
            let count = count.min(MOST_EXCERPTS);
            examples.extend(of_book(request, &size, &wording, (id, book, number), count)?);
        }
        if examples.is_empty() {
            return Err(EvalError::Unmakeable {
                task: ID,
                message: format!(
                    "no excerpt of {} words has pairs of {} words in all four distances; ask for a longer excerpt",
                    size.excerpt, size.segment
                ),
            });
        }
        examples.sort_by_cached_key(|example| example.context.len());
        Ok(examples)
    }

    fn score(&self, turn: &Turn, answer: &str) -> Score {
        let mut given =
            answer.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
        let said = given.find(|word| !word.eq_ignore_ascii_case("segment"));
        let right = said.is_some() && said == turn.gold.first().map(String::as_str);
        let score = Score::right(right).and("said-a", f64::from(u8::from(said == Some("A"))));
        let bin = turn.data.get("bin").and_then(serde_json::Value::as_u64).unwrap_or(0) as usize;
        match BINS.get(bin) {
            Some(name) => score.and(name, f64::from(u8::from(right))),
            None => score,
        }
    }

    fn read(&self, example: &Example) -> Option<Vec<String>> {
        let place = |turn: &Turn, name: &str| example.context.find(super::common::carried(turn, name));
        let first =
            |turn: &Turn| Some(if place(turn, "a")? < place(turn, "b")? { "A" } else { "B" }.to_owned());
        example.turns.iter().map(first).collect()
    }
}

fn chosen_of(request: &Request<'_>) -> Vec<(&'static str, bool)> {
    let wanted = chosen(request, NAMES);
    NAMES.iter().skip(1).map(|name| (*name, wanted.contains(name))).collect()
}

/// The excerpts of one book.
fn of_book(
    request: &Request<'_>,
    size: &Size,
    wording: &Wording,
    (id, book, number): (&str, &Book, usize),
    count: usize,
) -> Result<Vec<Example>, EvalError> {
    let cell = format!("{ID}/{id}/{}/{}", size.excerpt, size.segment);
    let mut made = Vec::new();
    for start in starts(request, size, book, &cell, count + count / 2 + 10) {
        if made.len() == count {
            break;
        }
        if let Some(pairs) = pairs(request, size, book, &format!("{cell}/{start}"), start) {
            made.push((start, pairs));
        }
    }
    // Half of the answers of each bin are A; of an odd number, the one more by turns.
    let mut first_is_a = Vec::new();
    for bin in 0..BINS.len() {
        let more = made.len() % 2 * ((number + bin) % 2);
        let answers: Vec<bool> = (0..made.len()).map(|at| at < made.len() / 2 + more).collect();
        first_is_a.push(request.random(&format!("{cell}/answers/{bin}")).some_of(&answers, answers.len()));
    }
    let title = TITLES.iter().find(|(of, _)| *of == id).map_or(id, |(_, title)| title);
    let before = Wording::filled(&wording.before, title);
    let after = Wording::filled(&wording.after, title);
    let mut examples = Vec::new();
    for (place, (start, pairs)) in made.iter().enumerate() {
        let mut turns = Vec::new();
        for (bin, pair) in pairs.iter().enumerate() {
            let order = first_is_a.get(bin).and_then(|answers| answers.get(place)).copied().unwrap_or(true);
            turns.push(turn(size, book, &after, wording, (bin, *pair), order));
            if request.values.flag("both_orders") {
                turns.push(turn(size, book, &after, wording, (bin, *pair), !order));
            }
        }
        let excerpt = book.run(*start, size.excerpt).join(" ");
        examples.push(Example {
            id: format!("{cell}/{place}"),
            context: if request.values.flag("text") {
                before.replace("<excerpt>", &excerpt)
            } else {
                String::new()
            },
            turns,
            labels: BTreeMap::from([("book".to_owned(), id.to_owned())]),
            ..Example::default()
        });
    }
    Ok(examples)
}

/// Starts of excerpts, spread evenly over the book.
fn starts(request: &Request<'_>, size: &Size, book: &Book, cell: &str, count: usize) -> Vec<usize> {
    let room = book.words.len().saturating_sub(size.excerpt);
    let mut drawn = Vec::new();
    for attempt in 0..REDRAWS {
        let mut random = request.random(&format!("{cell}/starts/{attempt}"));
        drawn = (0..count).filter_map(|_| random.below(room)).collect();
        if evenness(drawn.iter().map(|at| *at as f64 / room.max(1) as f64).collect()) > 0.05 {
            break;
        }
    }
    drawn.into_iter().map(|at| book.sentence(at)).collect()
}

/// For each bin, the starts of a pair, the first in the book first. `None` where some bin has none.
fn pairs(
    request: &Request<'_>,
    size: &Size,
    book: &Book,
    cell: &str,
    start: usize,
) -> Option<Vec<(usize, usize)>> {
    let mut random = request.random(cell);
    let end = start + size.excerpt + 1 - size.segment;
    let sentences = book.starts(start, end);
    let mut pairs = Vec::new();
    for edges in size.edges.windows(2) {
        let (low, high) = (*edges.first()?, *edges.last()?);
        let mut found = None;
        for _ in 0..TRIES {
            let one = *sentences.get(random.below(sentences.len())?)?;
            let far: Vec<usize> = sentences
                .iter()
                .copied()
                .filter(|other| (low + 1..=high).contains(&one.abs_diff(*other)))
                .collect();
            let Some(other) = random.below(far.len()).and_then(|index| far.get(index)) else { continue };
            if book.once(one, size.segment) && book.once(*other, size.segment) {
                found = Some((one.min(*other), one.max(*other)));
                break;
            }
        }
        pairs.push(found?);
    }
    Some(pairs)
}

fn turn(
    size: &Size,
    book: &Book,
    after: &str,
    wording: &Wording,
    (bin, (early, late)): (usize, (usize, usize)),
    first_is_a: bool,
) -> Turn {
    let of = |start: usize| book.run(start, size.segment).join(" ");
    let (a, b) = if first_is_a { (of(early), of(late)) } else { (of(late), of(early)) };
    Turn {
        question: after.replace("<segments>", &format!("Segment A: {a}\nSegment B: {b}")),
        answer_start: wording.answer.clone(),
        gold: vec![if first_is_a { "A" } else { "B" }.to_owned()],
        max_tokens: 4,
        choices: vec!["A".to_owned(), "B".to_owned()],
        data: json!({ "bin": bin, "distance": late - early, "a": a, "b": b }),
        ..Turn::default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::common::tests::{examples, golden, refuses};
    use super::*;

    fn book() -> String {
        let sentences = (0..400).map(|at| format!("The {at}th day was number w{at} of all the days we had"));
        format!("*** START OF X ***\n\n{}.\n\n*** END OF X ***", sentences.collect::<Vec<_>>().join(".\n"))
    }

    #[test]
    fn pairs_are_balanced_in_their_bins_and_a_reader_tells_them() {
        let made = examples("sort:excerpt=400", &[("sort/books/72578-0.txt", &book())], 8).unwrap();
        golden(&BookSort, &made);
        assert_eq!(made.len(), 8);
        let edges = [20, 100, 133, 200, 320];
        for bin in 0..4 {
            let of: Vec<&Turn> = made.iter().map(|example| &example.turns[bin]).collect();
            assert_eq!(of.iter().filter(|turn| turn.gold[0] == "A").count(), 4);
            for turn in of {
                let distance = turn.data["distance"].as_u64().unwrap() as usize;
                assert!(edges[bin] < distance && distance <= edges[bin + 1]);
            }
        }
        for example in &made {
            let gold: Vec<String> = example.turns.iter().map(|turn| turn.gold[0].clone()).collect();
            assert_eq!(BookSort.read(example).unwrap(), gold);
        }
        let score = BookSort.score(&made[0].turns[2], "");
        assert_eq!((score.also["distance-3"], score.also["said-a"]), (0.0, 0.0));
    }

    #[test]
    fn both_orders_no_text_and_published_wordings() {
        let prompts = r#"{"system_prompt": "S.", "pre_excerpt": "From <booktitle>: <excerpt>",
            "post_excerpt": "<segments> Was <label_list[0]> or <label_list[1]> <tasktype>?",
            "model_answer_prefix": "Answer:"}"#;
        let files = [("sort/books/72578-0.txt", &*book()), ("sort/prompts.jsonl", prompts)];
        let made = examples("sort:excerpt=400,prompt=1,both_orders=true", &files, 2).unwrap();
        golden(&BookSort, &made);
        assert!(made[0].context.starts_with("S.\n\nFrom Tom Swift and His Talking Pictures: "));
        let turns = &made[0].turns;
        assert_eq!((turns.len(), &turns[0].data["a"]), (8, &turns[1].data["b"]));
        assert!(turns[0].question.ends_with(" Was A or B first?") && turns[0].answer_start == "Answer:");
        let without = examples("sort:excerpt=400,text=false", &files, 1).unwrap();
        assert_eq!((without[0].context.as_str(), without[0].turns.len()), ("", 4));
        refuses("sort:prompt=2,excerpt=400", &files, &["prompts.jsonl has 1"]);
        refuses("sort:excerpt=400,prompt=1", &files[..1], &["no prompts.jsonl"]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        refuses("sort", &[], &["no book of more than 250 words"]);
        refuses("sort:excerpt=80", &[], &["excerpt=80 is too short for segment=20"]);
        let files = [("sort/books/72578-0.txt", &*book())];
        refuses("sort:subset=69087", &files, &["among 69087"]);
        refuses("sort:excerpt=10000", &files, &["more than 10000 words"]);
        refuses("sort", &[("sort/books/72578-0.txt.zst", "x")], &["72578-0.txt.zst"]);
    }
}
