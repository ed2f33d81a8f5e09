//! Needle in a haystack: sentences that do not belong to a text, at asked depths.

use loci_context::random::Random;

use super::hay::{Haystack, insert};
use super::make::{ANY, Declared, QUESTIONS, ask, depths, example, fill};
use super::scores::{holds_whole, small, word_recall};
use crate::declare::counted;
use crate::error::EvalError;
use crate::example::{Example, Turn};
use crate::task::{Level, Request, Score, Task, TaskInfo};

/// Hides sentences in prose and asks for what they say.
#[derive(Clone, Copy, Debug)]
pub struct Needle;

pub(super) const INFO: TaskInfo = Declared {
    id: "needle",
    title: "Sentences hidden in prose are found again.",
    paper: "Kamradt, Needle In A Haystack: pressure testing LLMs, 2023",
    parameters: &[
        counted(
            "needles",
            "how many sentences are hidden and asked for; the first stands at the depth, the others evenly behind",
            "sentences",
            1,
            (1, 20),
        ),
        QUESTIONS,
    ],
    invariants: &["A program that reads the text names what is hidden", "Depths are met to one sentence"],
    description: "A sentence names the best thing to do in some city; the question asks for it. What there \
                  is to do is composed anew for each example, so that it cannot be known. The score is the \
                  share of the hidden phrase's content words that the answer has; `phrase` wants the phrase \
                  as it stands. Run over lengths and depths for the usual grid, or with several questions, each about a \
                  city of its own, to have the depths from one reading; with --choose the likeliest of \
                  the hidden phrases is taken then. One needle that shares its \
                  words with the question is the easiest case of all: full marks show low scope and low \
                  diffusion, no more.",
    diffusion: Level::Low,
    scope: Level::Low,
    metric: "word recall",
}
.info();

const HEAD: &str = "Read the text below. A question about it follows.\n\n";
const CITIES: &[&str] = &[
    "Lisbon",
    "Marseille",
    "Krakow",
    "Trieste",
    "Bergen",
    "Antwerp",
    "Montreal",
    "Osaka",
    "Valparaiso",
    "Cork",
    "Tallinn",
    "Porto",
    "Ghent",
    "Galway",
    "Leipzig",
    "Toulouse",
    "Palermo",
    "Cusco",
    "Nagasaki",
    "Halifax",
    "Tampere",
    "Plovdiv",
    "Salamanca",
    "Wellington",
];
const DOINGS: &[&str] = &[
    "eat a warm cheese roll",
    "fly a yellow kite",
    "draw the passing trams",
    "share a pot of mint tea",
    "play chess with a stranger",
    "feed the swans",
    "listen to the brass band",
    "read a detective story",
    "taste nine kinds of olives",
    "watch the fishing boats",
    "dance barefoot",
    "count the church towers",
    "ride the wooden lift",
    "learn to fold paper cranes",
    "pick wild strawberries",
    "throw pebbles into the fountain",
];
const WHERE: &[&str] = &[
    "in the botanical garden",
    "beneath the iron viaduct",
    "on the roof of the opera",
    "beside the tiled palace",
    "in the covered arcade",
    "on the eastern pier",
    "in the museum courtyard",
    "along the city ramparts",
    "at the flower stalls",
    "under the observatory",
    "in the poets' cafe",
    "on the hill of cypresses",
];
const WHEN: &[&str] = &[
    "at sunrise",
    "on a windy Sunday",
    "under a full moon",
    "when it snows",
    "on midsummer night",
    "during the regatta",
    "before breakfast",
    "as the sirens sound noon",
    "in the cherry season",
    "on New Year's morning",
];

/// Things to do of which none shares its first words with another.
fn phrases(random: &mut Random, count: usize) -> Vec<String> {
    let mut phrases: Vec<String> = Vec::new();
    let mut doings: Vec<&str> = Vec::new();
    for _ in 0..count {
        if doings.is_empty() {
            doings = random.some_of(DOINGS, DOINGS.len());
        }
        let doing = doings.pop().unwrap_or("");
        phrases.push(loop {
            let phrase = format!("{doing} {} {}", random.one_of(WHERE), random.one_of(WHEN));
            if !phrases.contains(&phrase) {
                break phrase;
            }
        });
    }
    phrases
}

/// How a needle begins.
fn beginning(city: &str, one: bool) -> String {
    if one {
        format!("The best thing to do in {city} is to ")
    } else {
        format!("One of the best things to do in {city} is to ")
    }
}

fn turn(city: &str, phrases: Vec<String>, share: f64) -> Turn {
    let max_tokens = 12 + 28 * phrases.len();
    let (question, start) = if phrases.len() == 1 {
        (
            format!("\n\nAccording to the text, what is the best thing to do in {city}?"),
            beginning(city, true).trim_end().to_owned(),
        )
    } else {
        (
            format!("\n\nAccording to the text, what are the best things to do in {city}? Name all of them."),
            format!("The best things to do in {city} are to"),
        )
    };
    ask(question, start, phrases, max_tokens, Some(share))
}

impl Task for Needle {
    fn info(&self) -> &'static TaskInfo {
        &INFO
    }

    fn examples(&self, request: &Request<'_>) -> Result<Vec<Example>, EvalError> {
        let haystack = Haystack::of(request)?;
        let count = request.values.size("needles").max(1);
        let questions = request.values.size("questions").max(1);
        let cities: Vec<&str> = CITIES.iter().copied().filter(|city| !haystack.holds(city)).collect();
        let cities = if cities.is_empty() { CITIES } else { &cities };
        if questions > cities.len() {
            return Err(EvalError::Unmakeable {
                task: INFO.method.id,
                message: format!(
                    "questions={questions} need as many cities that the text does not name; use {} or fewer",
                    cities.len()
                ),
            });
        }
        fill(request, INFO.method.id, (count * questions, ANY), |cell, mut random| {
            let asked = depths(cell, questions, &mut random);
            let cities = random.some_of(cities, asked.len());
            let mut phrases = phrases(&mut random, count * asked.len());
            // Small models tell the last needle whatever is asked, but may still find the right one the likeliest.
            let rivals: Vec<String> = match (count, asked.len()) {
                (1, 2..) => phrases.iter().map(|phrase| format!(" {phrase}")).collect(),
                _ => Vec::new(),
            };
            let mut hay = haystack.begin(random);
            let (mut hidden, mut turns) = (Vec::new(), Vec::new());
            for (city, share) in cities.into_iter().zip(asked) {
                let own = phrases.split_off(phrases.len().saturating_sub(count));
                let step = (1.0 - share) / count as f64;
                hidden.extend(own.iter().enumerate().map(|(at, phrase)| {
                    (share + at as f64 * step, format!("{}{phrase}. ", beginning(city, count == 1)))
                }));
                turns.push(Turn { choices: rivals.clone(), ..turn(city, own, share) });
            }
            Ok(move |sentences| {
                let context = format!("{HEAD}{}", insert(hay.take(sentences), &hidden));
                Ok(example(INFO.method.id, cell, context, turns.clone()))
            })
        })
    }

    fn score(&self, turn: &Turn, answer: &str) -> Score {
        let of = |score: fn(&str, &str) -> f64| {
            turn.gold.iter().map(|gold| score(gold, answer)).sum::<f64>() / turn.gold.len().max(1) as f64
        };
        let phrase =
            |gold: &str, answer: &str| f64::from(u8::from(holds_whole(&small(answer), &small(gold))));
        Score::of(of(word_recall)).and("phrase", of(phrase))
    }

    fn read(&self, example: &Example) -> Option<Vec<String>> {
        let answer = |turn: &Turn| {
            let city = CITIES.iter().find(|city| turn.question.contains(&format!(" in {city}?")))?;
            let told: Vec<&str> = [true, false]
                .iter()
                .flat_map(|one| example.context.split(&beginning(city, *one)).skip(1).collect::<Vec<_>>())
                .filter_map(|behind| behind.split_once('.').map(|(phrase, _)| phrase))
                .collect();
            Some(told.join("; "))
        };
        example.turns.iter().map(answer).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sizes::Words;

    #[test]
    fn needles_stand_at_their_depth_and_the_others_evenly_behind() {
        let values = crate::registry::parse("needle:needles=3").unwrap().1;
        let request = Request { lengths: &[2000], depths: &[0.0, 0.4, 1.0], ..Request::new(&values, &Words) };
        for made in Needle.examples(&request).unwrap() {
            let share = made.turns[0].depth.unwrap();
            for (at, phrase) in made.turns[0].gold.iter().enumerate() {
                let stands = made.context.find(phrase.as_str()).unwrap() as f64 / made.context.len() as f64;
                let wanted = share + at as f64 * (1.0 - share) / 3.0;
                assert!((stands - wanted).abs() < 0.05, "{stands} {wanted}");
            }
        }
    }

    #[test]
    fn several_questions_are_about_cities_of_their_own() {
        let values = crate::registry::parse("needle:questions=5").unwrap().1;
        let request = Request { lengths: &[2000], ..Request::new(&values, &Words) };
        let made = Needle.examples(&request).unwrap();
        let depths: Vec<f64> = made[0].turns.iter().map(|turn| turn.depth.unwrap()).collect();
        assert!(depths.iter().zip([0.1, 0.3, 0.5, 0.7, 0.9]).all(|(a, b)| (a - b).abs() < 1e-12));
        for (turn, read) in made[0].turns.iter().zip(Needle.read(&made[0]).unwrap()) {
            assert_eq!(turn.gold, [read]);
            assert!(turn.choices.len() == 5 && turn.choices.contains(&format!(" {}", turn.gold[0])));
            let stands = made[0].context.find(&turn.gold[0]).unwrap() as f64 / made[0].context.len() as f64;
            assert!((stands - turn.depth.unwrap()).abs() < 0.05);
        }
        let values = crate::registry::parse("needle:questions=30").unwrap().1;
        let request = Request { lengths: &[2000], ..Request::new(&values, &Words) };
        assert!(Needle.examples(&request).unwrap_err().to_string().contains("questions=30"));
    }

    #[test]
    fn half_of_it_is_half_right() {
        let turn = Turn { gold: vec!["feed the swans at sunrise".to_owned()], ..Turn::default() };
        let score = Needle.score(&turn, "Feed swans!");
        assert_eq!((score.score, score.also["phrase"]), (2.0 / 3.0, 0.0));
        assert_eq!(Needle.score(&turn, "You feed the swans at sunrise.").also["phrase"], 1.0);
    }
}
