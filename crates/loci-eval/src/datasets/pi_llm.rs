//! PI-LLM: values of keys are updated again and again; the last of each is asked for.

use std::collections::BTreeMap;

use serde_json::json;

use super::catalogue::{DataSet, Expected};
use super::common::{declaration, root};
use super::files::{Record, object};
use crate::declare::counted;
use crate::error::EvalError;
use crate::example::{Example, Turn};
use crate::task::{Cell, Level, Request, Score, Task, TaskInfo};

/// Makes streams of updates from the published words.
#[derive(Clone, Copy, Debug)]
pub struct PiLlm;

const ID: &str = "pi-llm";
const FILE: &str = "dict_category_double-word_46-400_v1-1.json";

pub(super) const SET: DataSet = DataSet {
    id: ID,
    published: "https://github.com/zhuangziGiantfish/Unable-to-Forget (testing_data)",
    licence: "MIT",
    size: "46 categories of 400 values",
    folders: &["pi-llm", "pi-llm/testing_data", "Unable-to-Forget/testing_data"],
    files: &[Expected::object(&[FILE])],
};

const INFO: TaskInfo = TaskInfo {
    method: declaration(
        ID,
        "Keys get new values again and again; the last of each is asked for.",
        "Wang and Sun, Unable to Forget: Proactive Interference Reveals Working Memory Limits in LLMs Beyond Context \
         Length, 2025",
        &[
            counted("keys", "how many keys are updated", "keys", 46, (1, 46)),
            counted(
                "updates",
                "updates of each key; 0: as many as fit into the length asked for",
                "updates",
                0,
                (0, 400),
            ),
        ],
        "A stream of `key: value` lines in an order that is drawn; values of a key do not repeat. The score is the \
         share of keys answered with their last value; `earlier` is the share answered with a value that was \
         replaced. Everything needed stands in plain sight near the end: what makes it hard is what came before. \
         The wording is ours.",
    ),
    diffusion: Level::Medium,
    scope: Level::Medium,
    metric: "share of keys",
    sized: true,
};

const HEAD: &str =
    "Below is a stream of updates. Each line gives a key a new value, which replaces the one before it.\n\n";

impl Task for PiLlm {
    fn info(&self) -> &'static TaskInfo {
        &INFO
    }

    fn examples(&self, request: &Request<'_>) -> Result<Vec<Example>, EvalError> {
        let pools = pools(&object(&SET.path(root(request)?, &[FILE])?)?)?;
        let (keys, updates) = (request.values.size("keys"), request.values.size("updates"));
        if pools.len() < keys {
            return Err(EvalError::Unmakeable {
                task: ID,
                message: format!("{keys} keys wanted, {} in {FILE}; ask for fewer with keys=", pools.len()),
            });
        }
        if updates == 0 {
            return request.cells()?.into_iter().map(|cell| fitted(request, &pools, keys, cell)).collect();
        }
        if request.n == 0 {
            return Err(EvalError::Nothing(format!("{ID}: no examples wanted; n should be at least 1")));
        }
        let most = pools.iter().map(|(_, values)| values.len()).min().unwrap_or(0);
        if updates > most {
            return Err(EvalError::Unmakeable {
                task: ID,
                message: format!(
                    "{updates} updates wanted, {most} values of some key; ask for fewer with updates="
                ),
            });
        }
        let cells = (0..request.n).map(|number| Cell { length: 0, depth: None, number });
        Ok(cells.map(|cell| Draw::new(request, &pools, keys, cell).example(updates)).collect())
    }

    fn score(&self, turn: &Turn, answer: &str) -> Score {
        let given = stated(answer);
        let (mut right, mut earlier, mut keys) = (0.0, 0.0, 0.0);
        for (key, values) in turn.data.as_object().into_iter().flatten() {
            let values: Vec<String> = values
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|value| value.as_str())
                .map(plain)
                .collect();
            let said = given.get(&plain(key));
            keys += 1.0;
            right += f64::from(u8::from(said.is_some() && said == values.last()));
            earlier += f64::from(u8::from(
                said.is_some_and(|said| values.iter().rev().skip(1).any(|one| one == said)),
            ));
        }
        let share = |count: f64| if keys > 0.0 { count / keys } else { 0.0 };
        Score::of(share(right)).and("earlier", share(earlier))
    }

    fn read(&self, example: &Example) -> Option<Vec<String>> {
        let last = stated(example.context.strip_prefix(HEAD)?);
        Some(vec![last.iter().map(|(key, value)| format!("{key}: {value}\n")).collect()])
    }
}

fn plain(text: &str) -> String {
    text.trim_matches(|letter: char| !letter.is_alphanumeric()).to_lowercase()
}

/// What each line `key: value` says, the last of a key.
fn stated(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(key, value)| (plain(key), plain(value)))
        .collect()
}

/// The words of each category, as they stand.
fn pools(record: &Record) -> Result<Vec<(String, Vec<String>)>, EvalError> {
    let mut pools = Vec::new();
    for name in record.names() {
        let mut values = record.texts(name)?;
        let mut seen = std::collections::BTreeSet::new();
        values.retain(|value| !plain(value).is_empty() && seen.insert(plain(value)));
        if values.is_empty() {
            return Err(record.error(format!("field {name:?} has no values")));
        }
        pools.push((name.to_owned(), values));
    }
    Ok(pools)
}

fn fitted(
    request: &Request<'_>,
    pools: &[(String, Vec<String>)],
    keys: usize,
    cell: Cell,
) -> Result<Example, EvalError> {
    let draw = Draw::new(request, pools, keys, cell);
    let most = draw.keys.iter().map(|(_, values)| values.len()).min().unwrap_or(1);
    request.largest(ID, cell.length, (1, most), |updates| Ok(draw.example(updates)))
}

/// What is drawn of one example, enough for every number of updates.
struct Draw<'a> {
    request: &'a Request<'a>,
    id: String,
    length: usize,
    keys: Vec<(String, Vec<String>)>,
}

impl<'a> Draw<'a> {
    fn new(request: &'a Request<'a>, pools: &[(String, Vec<String>)], keys: usize, cell: Cell) -> Self {
        let id = cell.id(ID);
        let mut random = request.random(&id);
        let mut keys = random.some_of(pools, keys);
        for (_, values) in &mut keys {
            *values = random.some_of(values, values.len());
        }
        Self { request, id, length: cell.length, keys }
    }

    fn example(&self, updates: usize) -> Example {
        let mut order = Vec::new();
        for key in 0..self.keys.len() {
            order.extend(std::iter::repeat_n(key, updates));
        }
        let order = self.request.random(&format!("{}/{updates}", self.id)).some_of(&order, order.len());
        let mut used: Vec<(&str, std::slice::Iter<'_, String>)> =
            self.keys.iter().map(|(key, values)| (key.as_str(), values.iter())).collect();
        let mut context = HEAD.to_owned();
        for key in order {
            if let Some((key, values)) = used.get_mut(key)
                && let Some(value) = values.next()
            {
                context.push_str(&format!("{key}: {value}\n"));
            }
        }
        let names: Vec<&str> = self.keys.iter().map(|(key, _)| key.as_str()).collect();
        let values: serde_json::Map<String, serde_json::Value> = self
            .keys
            .iter()
            .map(|(key, values)| (key.clone(), json!(values.get(..updates).unwrap_or(values))))
            .collect();
        let gold = self
            .keys
            .iter()
            .filter_map(|(key, values)| Some(format!("{key}: {}", values.get(updates.checked_sub(1)?)?)));
        Example {
            id: self.id.clone(),
            context,
            turns: vec![Turn {
                question: format!(
                    "\nWhat is the current value of each of these keys: {}? Answer with one line for each key: the \
                     key, a colon and its value.",
                    names.join(", ")
                ),
                gold: vec![gold.collect::<Vec<_>>().join("\n")],
                max_tokens: 16 * names.len() + 16,
                data: serde_json::Value::Object(values),
                ..Turn::default()
            }],
            length: self.length,
            labels: BTreeMap::from([("updates".to_owned(), updates.to_string())]),
            ..Example::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::common::tests::{examples, folder, golden, refuses};
    use super::*;
    use crate::sizes::Words;

    const POOLS: &str = r#"{"bird": ["emu", "great tit", "kea", "Kea", "ani"], "tree": ["oak", "fir", "elm", "ash"],
        "metal": ["iron", "tin", "zinc", "lead"]}"#;

    #[test]
    fn updates_are_made_and_the_last_counts() {
        let name = format!("pi-llm/{FILE}");
        let made = examples("pi-llm:keys=2,updates=3", &[(&name, POOLS)], 4).unwrap();
        golden(&PiLlm, &made);
        for example in &made {
            let read = PiLlm.read(example).unwrap();
            assert_eq!(PiLlm.score(&example.turns[0], &read[0]).score, 1.0);
            assert_eq!(example.context.lines().count(), 2 + 6);
        }
        let turn = &made[0].turns[0];
        let (key, values) = turn.data.as_object().unwrap().iter().next().unwrap();
        let score = PiLlm.score(turn, &format!("* {}: {}.", key.to_uppercase(), values[0].as_str().unwrap()));
        assert_eq!((score.score, score.also["earlier"]), (0.0, 0.5));
    }

    #[test]
    fn as_many_updates_as_fit() {
        let folder = folder(&[(&format!("pi-llm/{FILE}"), POOLS)]);
        let (task, values) = crate::registry::parse("pi-llm:keys=3").unwrap();
        let request =
            Request { data: Some(folder.path()), lengths: &[130, 120], ..Request::new(&values, &Words) };
        let made = task.examples(&request).unwrap();
        assert!(made.iter().all(|example| request.size_of(example).unwrap() <= example.length));
        assert_eq!(made[0].labels["updates"], "1");
        assert_eq!(made[1].labels["updates"], "2");
        let short = Request { lengths: &[20], ..request };
        assert!(matches!(task.examples(&short), Err(EvalError::Unmakeable { .. })));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let name = format!("pi-llm/{FILE}");
        refuses("pi-llm", &[], &["no dict_category"]);
        refuses("pi-llm:keys=4,updates=1", &[(&name, POOLS)], &["4 keys wanted, 3"]);
        refuses("pi-llm:keys=3,updates=5", &[(&name, POOLS)], &["5 updates wanted, 4 values"]);
        refuses("pi-llm:keys=1", &[(&name, "{\"a\": [1]}")], &["line 1", "a list of texts, not a number"]);
        refuses("pi-llm:keys=1", &[(&name, "{\"a\": []}")], &["\"a\" has no values"]);
        refuses("pi-llm:keys=1", &[(&name, "{")], &["line 1: not JSON"]);
    }
}
