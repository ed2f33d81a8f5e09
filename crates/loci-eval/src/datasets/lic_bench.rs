//! LongICLBench: labels by the dozen, each shown only in examples.

use std::collections::BTreeMap;

use loci_models::method::{Domain, Parameter, ParameterError, Value};
use serde_json::json;

use super::catalogue::{DataSet, Expected};
use super::common::{TRUNCATE, carried, chosen, declaration, drawn, finished, root, subset};
use super::lic_bench_items::{Answer, Item, Kind, items, labels_of, select};
use crate::declare::{counted, flag};
use crate::error::EvalError;
use crate::example::{Example, Turn, Wrap};
use crate::task::{Level, Request, Score, Task, TaskInfo};

/// Reads the data sets of LongICLBench.
#[derive(Clone, Copy, Debug)]
pub struct LicBench;

const ID: &str = "lic-bench";

pub(super) const SET: DataSet = DataSet {
    id: ID,
    published: "https://github.com/TIGER-AI-Lab/LongICLBench (processed_data) and the homes of BANKING77, GoEmotions, \
                Discovery, TacRED and DialogRE",
    licence: "MIT (repository); BANKING77 CC BY 4.0, Few-NERD CC BY-SA 4.0, DialogRE for research, TacRED by the LDC",
    size: "six data sets, 500 test items of each",
    folders: &["lic-bench", "lic-bench/processed_data", "LongICLBench/processed_data"],
    files: &[
        Expected::part(&["banking77_train.jsonl", "banking77_train.json"]),
        Expected::part(&["banking77_test.jsonl", "banking77_test.json"]),
        Expected::part(&["goemotions_train.jsonl", "goemotions_train.json"]),
        Expected::part(&["goemotions_test.jsonl", "goemotions_test.json"]),
        Expected::part(&["discovery_train.jsonl", "discovery_train.json"]),
        Expected::part(&["discovery_test.jsonl", "discovery_test.json"]),
        Expected::part(&["train_tacred.json", "train_tacred.jsonl"]),
        Expected::part(&["test_tacred.json", "test_tacred.jsonl"]),
        Expected::part(&["fewnerd_train_10turns.json", "fewnerd_train_10turns.jsonl"]),
        Expected::part(&["fewnerd_test_1800.json", "fewnerd_test_1800.jsonl"]),
        Expected::part(&["train_dialogueRE_processed.json", "train_dialogueRE_processed.jsonl"]),
        Expected::part(&["test_dialogueRE.json", "test_dialogueRE.jsonl"]),
    ],
};

const NAMES: &[&str] = &["all", "banking77", "goemotions", "discovery", "tacred", "few-nerd", "dialogre"];

const INFO: TaskInfo = TaskInfo {
    method: declaration(
        ID,
        "Labels by the dozen, each shown only by examples in the prompt.",
        "Li et al., Long-context LLMs Struggle with Long In-context Learning, 2024",
        &[
            subset(NAMES),
            counted(
                "rounds",
                "examples of every label; Few-NERD and DialogRE have at most 5 rounds",
                "",
                1,
                (1, 10),
            ),
            Parameter {
                name: "layout",
                meaning: "order of the examples: every label once in each round, alike ones together, or drawn",
                unit: "",
                default: Value::Word("scattered"),
                domain: Domain::Words(&["scattered", "grouped", "shuffled"]),
            },
            flag("list", "whether the instruction lists the labels", false),
            counted("classes", "labels used, the first of the data set; 0: all", "labels", 0, (0, 1000)),
            TRUNCATE,
        ],
        "One prompt of examples is read once for all test items, of which `n` in all are drawn, evenly over the \
         data sets. A test item is right if the label is that of the item, whole and exact; of Few-NERD and \
         DialogRE the score is F1 of one item, and `right`, `predicted` and `gold` are counts from which the \
         authors' micro F1 follows. `position` says where in the prompt the label of the answer was shown, from 0 \
         to 1. The instruction is ours.",
    ),
    diffusion: Level::Low,
    scope: Level::High,
    metric: "accuracy or F1",
    sized: false,
};

impl Task for LicBench {
    fn info(&self) -> &'static TaskInfo {
        &INFO
    }

    fn examples(&self, request: &Request<'_>) -> Result<Vec<Example>, EvalError> {
        let root = root(request)?;
        let names = chosen(request, NAMES);
        let alone = names.len() == 1;
        let (mut shown, mut parts) = (BTreeMap::new(), Vec::new());
        for (kind, files) in Kind::ALL.iter().zip(SET.files.chunks(2)) {
            let [train, test] = files else { continue };
            if !names.contains(&kind.id()) {
                continue;
            }
            let paths = match (SET.file(root, train.names), SET.file(root, test.names)) {
                (Some(train), Some(test)) => (train, test),
                (None, _) if alone => return Err(SET.missing(root, &train.names.join(" or "))),
                (_, None) if alone => return Err(SET.missing(root, &test.names.join(" or "))),
                _ => continue,
            };
            if kind.most_rounds() < request.values.size("rounds") {
                if alone {
                    return Err(ParameterError::Combination(format!(
                        "{} has at most {} rounds; use a smaller rounds=",
                        kind.id(),
                        kind.most_rounds()
                    ))
                    .into());
                }
                continue;
            }
            let train = items(*kind, root, &SET, &paths.0)?;
            let test = items(*kind, root, &SET, &paths.1)?;
            let (demonstrations, tests) = prepared(request, *kind, train, test)?;
            parts.push((
                kind.id().to_owned(),
                tests.into_iter().map(|item| (*kind, item)).collect::<Vec<_>>(),
            ));
            shown.insert(kind.id(), demonstrations);
        }
        if parts.is_empty() {
            return Err(SET.missing(root, &format!("training and test file of {}", names.join(" or "))));
        }
        let mut turns: BTreeMap<&str, (Kind, Vec<Item>)> = BTreeMap::new();
        for (kind, item) in drawn(request, parts)? {
            turns.entry(kind.id()).or_insert_with(|| (kind, Vec::new())).1.push(item);
        }
        let examples = turns
            .into_values()
            .filter_map(|(kind, items)| Some(example(request, kind, shown.get(kind.id())?, &items)))
            .collect();
        finished(request, examples)
    }

    fn score(&self, turn: &Turn, answer: &str) -> Score {
        let Some(kind) = Kind::ALL.iter().find(|kind| kind.id() == carried(turn, "part")) else {
            return Score::of(0.0);
        };
        let gold = turn.gold.first().map_or("", String::as_str);
        match kind.answer(carried(turn, "text"), answer) {
            Answer::Label(label) => {
                let at = turn.choices.iter().position(|choice| *choice == label);
                let place = at.and_then(|at| turn.data.get("places")?.get(at)?.as_f64());
                let score = Score::right(!label.is_empty() && label == gold);
                place.map_or(score.clone(), |place| score.and("position", place))
            }
            Answer::Counted { right, predicted } => {
                let wanted = turn.data.get("wanted").and_then(serde_json::Value::as_f64).unwrap_or(0.0);
                let right = right(gold);
                let sum = predicted + wanted;
                Score::of(if sum > 0.0 { 2.0 * right / sum } else { 0.0 })
                    .and("right", right)
                    .and("predicted", predicted)
                    .and("gold", wanted)
            }
        }
    }
}

/// Demonstrations in their order and test items.
fn prepared(
    request: &Request<'_>,
    kind: Kind,
    mut train: Vec<Item>,
    mut test: Vec<Item>,
) -> Result<(Vec<Item>, Vec<Item>), EvalError> {
    let rounds = request.values.size("rounds");
    let classes = request.values.size("classes");
    if classes > 0 && kind.is_classification() {
        let labels: Vec<String> = labels_of(&train).into_iter().take(classes).collect();
        train.retain(|item| labels.contains(&item.label));
        test.retain(|item| labels.contains(&item.label));
    }
    let mut shown = select(kind, &train, rounds);
    match request.values.word("layout") {
        "grouped" => {
            let order = labels_of(&shown);
            shown.sort_by_key(|item| order.iter().position(|label| *label == item.label));
        }
        "shuffled" => {
            shown = request.random(&format!("{ID}/{}/layout", kind.id())).some_of(&shown, shown.len());
        }
        _ => {}
    }
    let tests = select(kind, &test, kind.test_rounds());
    Ok((shown, tests.into_iter().take(500).collect()))
}

fn example(request: &Request<'_>, kind: Kind, shown: &[Item], tests: &[Item]) -> Example {
    let mut context = format!(
        "Predict {} of the last item. Use only labels that occur in the examples, written exactly as there.",
        kind.wanted()
    );
    let labels = if kind.is_classification() { labels_of(shown) } else { Vec::new() };
    if request.values.flag("list") && !labels.is_empty() {
        context.push_str(&format!(" The labels are: {}.", labels.join(", ")));
    }
    context.push_str(" The examples are:\n");
    for item in shown {
        context.push_str(&format!("{}{}\n", item.question, item.gold));
    }
    let last = (shown.len().max(2) - 1) as f64;
    let places: Vec<f64> = labels
        .iter()
        .map(|label| {
            let at: Vec<usize> =
                shown.iter().enumerate().filter(|(_, item)| item.label == *label).map(|(at, _)| at).collect();
            at.iter().sum::<usize>() as f64 / at.len().max(1) as f64 / last
        })
        .collect();
    let turns = tests
        .iter()
        .map(|item| {
            let at = labels.iter().position(|label| *label == item.label);
            Turn {
                // The cue ends without a blank, which belongs to the first token of a label.
                question: item.question.trim_end_matches(' ').to_owned(),
                gold: vec![item.gold.clone()],
                max_tokens: 100,
                stop: kind.stop(),
                choices: labels.clone(),
                depth: at.and_then(|at| places.get(at)).copied(),
                data: json!({ "part": kind.id(), "text": item.text, "places": places, "wanted": item.wanted }),
                ..Turn::default()
            }
        })
        .collect();
    Example {
        id: format!("{ID}/{}", kind.id()),
        context,
        turns,
        wrap: Wrap::Chat,
        labels: BTreeMap::from([("dataset".to_owned(), kind.id().to_owned())]),
        ..Example::default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::common::tests::{examples, golden, refuses};
    use super::*;

    fn banking(labels: usize, each: usize) -> String {
        let row = |at: usize| format!("{{\"text\": \"q{at}\", \"category\": \"label_{}\"}}\n", at / each);
        (0..labels * each).map(row).collect()
    }

    #[test]
    fn a_round_has_every_label_once_and_tests_share_the_examples() {
        let (train, test) = (banking(4, 3), banking(4, 8));
        let files =
            [("lic-bench/banking77_train.jsonl", &*train), ("lic-bench/banking77_test.jsonl", &*test)];
        let made = examples("lic-bench:rounds=2", &files, 9).unwrap();
        golden(&LicBench, &made);
        assert_eq!((made.len(), made[0].turns.len(), made[0].turns[0].choices.len()), (1, 9, 4));
        let order = |context: &str| -> Vec<String> {
            context
                .lines()
                .filter_map(|line| line.strip_prefix("intent category: "))
                .map(str::to_owned)
                .collect()
        };
        let scattered = order(&made[0].context);
        assert_eq!(scattered.len(), 8);
        assert_eq!(scattered[..4], scattered[4..]);
        let grouped = order(&examples("lic-bench:rounds=2,layout=grouped", &files, 9).unwrap()[0].context);
        assert!(grouped.is_sorted() && grouped.len() == 8);
        let score = |answer: &str| LicBench.score(&made[0].turns[0], answer);
        let gold = made[0].turns[0].gold[0].clone();
        assert_eq!(score(&format!(" {gold}\nservice query: other")).score, 1.0);
        assert_eq!(score(&format!("{gold}_more")).score, 0.0);
        assert!(score(&gold).also.contains_key("position"));
        let few = examples("lic-bench:classes=2,list=true", &files, 99).unwrap();
        assert_eq!((few[0].turns[0].choices.len(), few[0].turns.len()), (2, 14));
        assert!(few[0].context.contains("The labels are: label_0, label_1."));
    }

    #[test]
    fn entities_and_relations_are_counted() {
        let nerd = r#"{"sentence": "Ann met Bob.", "entities": {"Ann": "person-x", "Bob": "person-y"}}"#;
        let train = r#"[{"dialogue": "A: hi", "relation": "per:age", "subject_entity": "S", "object_entity": "5"},
            {"dialogue": "A: hi", "relation": "per:pet", "subject_entity": "S", "object_entity": "T"}]"#;
        let test = r#"{"dialogue": "B: ho", "relations": [
            {"relation": "per:pet", "subject_entity": "S", "object_entity": "Z"}]}"#;
        let files = [
            ("lic-bench/fewnerd_train_10turns.json", nerd),
            ("lic-bench/fewnerd_test_1800.json", nerd),
            ("lic-bench/train_dialogueRE_processed.json", train),
            ("lic-bench/test_dialogueRE.json", test),
        ];
        let made = examples("lic-bench", &files, 9).unwrap();
        golden(&LicBench, &made);
        let nerd = made.iter().find(|example| example.labels["dataset"] == "few-nerd").unwrap();
        let score = LicBench.score(&nerd.turns[0], "Ann: person-x\nBob: place\nSentence: more");
        assert_eq!((score.score, score.also["predicted"]), (0.5, 2.0));
        let dialogue = made.iter().find(|example| example.labels["dataset"] == "dialogre").unwrap();
        assert_eq!(dialogue.context.matches("Dialogue:").count(), 1);
        assert!(dialogue.context.contains("per:age, per:pet\n"));
    }

    #[test]
    fn the_other_classifications() {
        let emotions =
            "{\"text\": \"t\", \"labels\": [\"joy\"]}\n{\"text\": \"u\", \"labels\": [\"joy\", \"fear\"]}";
        let discovery = "{\"sentence1\": \"a\", \"sentence2\": \"b\", \"label\": \"so\"}";
        let tacred = r#"{"sentence": "s", "relation": "r", "subject_entity": "x", "object_entity": "y"}"#;
        let files = [
            ("lic-bench/goemotions_train.jsonl", emotions),
            ("lic-bench/goemotions_test.jsonl", emotions),
            ("lic-bench/discovery_train.jsonl", discovery),
            ("lic-bench/discovery_test.jsonl", discovery),
            ("lic-bench/train_tacred.json", tacred),
            ("lic-bench/test_tacred.json", tacred),
        ];
        let made = examples("lic-bench", &files, 9).unwrap();
        golden(&LicBench, &made);
        assert_eq!(made.len(), 3);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let good = banking(2, 2);
        refuses("lic-bench", &[], &["no training and test file"]);
        let files = [("lic-bench/banking77_test.jsonl", &*good)];
        refuses("lic-bench:subset=banking77", &files, &["no banking77_train.jsonl"]);
        let bad = [files[0], ("lic-bench/banking77_train.jsonl", "{\"text\": \"a\", \"category\": 3}")];
        refuses("lic-bench", &bad, &["banking77_train.jsonl, line 1", "\"category\" should be a text"]);
        let nerd = r#"{"sentence": "A", "entities": {"A": 1}}"#;
        let bad =
            [("lic-bench/fewnerd_train_10turns.json", nerd), ("lic-bench/fewnerd_test_1800.json", nerd)];
        refuses("lic-bench", &bad, &["line 1", "\"A\" should be a text"]);
        refuses("lic-bench:subset=few-nerd,rounds=6", &bad, &["at most 5 rounds"]);
        let ints = "{\"text\": \"t\", \"labels\": [3]}";
        let bad = [("lic-bench/goemotions_train.jsonl", ints), ("lic-bench/goemotions_test.jsonl", ints)];
        refuses("lic-bench", &bad, &["goemotions_labels.json"]);
    }
}
