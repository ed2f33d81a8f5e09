//! Methods over groups: quadrants of tasks, and data sets within a task.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::TaskReport;
use super::estimates::{in_order, scores_by_example};
use crate::run::Record;
use crate::statistics::mean;
use crate::task::Level;

/// One of the four quadrants of diffusion and scope (Goldman et al., Is It Really Long Context if All You Need Is
/// Retrieval?, 2024).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Quadrant {
    /// Whether what is needed is hard to find: medium and more.
    pub diffuse: bool,
    /// Whether much is needed: medium and more.
    pub wide: bool,
    /// Its tasks, with their parameters; none: the quadrant was not tested.
    pub tasks: Vec<String>,
    /// Each method over these tasks.
    pub methods: Vec<Standing>,
}

/// A method over the tasks of a quadrant.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Standing {
    /// The method.
    pub method: String,
    /// Mean over tasks, each the mean over its lengths; `None` unless every one of them has a score: fewer would not
    /// compare with other methods.
    pub mean: Option<f64>,
}

/// A mean in which each data set weighs the same.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Average {
    /// The method.
    pub method: String,
    /// Tokens asked for; 0 where texts come as they are.
    pub length: usize,
    /// `zh`, or `not zh` (English and code); empty where the examples are not of both.
    pub language: &'static str,
    /// The group whose data sets are averaged; `None`: over groups, each weighing the same.
    pub group: Option<String>,
    /// Data sets of the group, or groups.
    pub parts: usize,
    /// The mean.
    pub mean: f64,
}

impl Quadrant {
    /// Its name, as shown.
    pub fn name(&self) -> String {
        let level = |high| if high { "high" } else { "low" };
        format!("{} diffusion, {} scope", level(self.diffuse), level(self.wide))
    }
}

/// The paper has two levels of each axis; of ours, medium is nearer to its high one: two-hop questions are its example of
/// high diffusion, and needles by the handful already more than one search.
fn high(level: Level) -> bool {
    level >= Level::Medium
}

/// All four quadrants, those without a task too. Tasks whose score does not say how much was right are in none.
pub(super) fn quadrants(tasks: &[TaskReport]) -> Vec<Quadrant> {
    let methods = in_order(tasks.iter().flat_map(|task| task.cells.iter().map(|cell| cell.method.as_str())));
    let all = [(false, false), (true, false), (false, true), (true, true)];
    let quadrant = |(diffuse, wide): (bool, bool)| {
        let here = |task: &&TaskReport| {
            task.scores_rightness && (high(task.diffusion), high(task.scope)) == (diffuse, wide)
        };
        let own: Vec<&TaskReport> = tasks.iter().filter(here).collect();
        let standing = |method: &String| {
            let scores: Option<Vec<f64>> = own.iter().map(|task| over_cells(task, method)).collect();
            Standing { method: method.clone(), mean: scores.and_then(|scores| mean(&scores)) }
        };
        Quadrant {
            diffuse,
            wide,
            tasks: own.iter().map(|task| task.task.clone()).collect(),
            methods: if own.is_empty() { Vec::new() } else { methods.iter().map(standing).collect() },
        }
    };
    all.map(quadrant).to_vec()
}

/// Mean of a method's cells; `None` unless each has a score.
fn over_cells(task: &TaskReport, method: &str) -> Option<f64> {
    let own = task.cells.iter().filter(|cell| cell.method == method);
    mean(&own.map(|cell| Some(cell.score?.mean)).collect::<Option<Vec<f64>>>()?)
}

/// Records by group and data set.
type Groups<'a> = BTreeMap<String, BTreeMap<String, Vec<&'a Record>>>;

/// Of examples with the label `dataset`, the mean over the data sets of each `group`, and over groups (over data sets where
/// there are no groups), Chinese apart from the rest: LongBench's averages (Bai et al. 2023). Empty with fewer than two
/// data sets.
pub(super) fn averages(records: &[&Record]) -> Vec<Average> {
    let label = |record: &Record, name: &str| record.labels.get(name).cloned();
    let sets: BTreeSet<String> = records.iter().filter_map(|record| label(record, "dataset")).collect();
    if sets.len() < 2 {
        return Vec::new();
    }
    let chinese = |record: &Record| label(record, "language").is_some_and(|language| language == "zh");
    let both = records.iter().any(|record| chinese(record)) && !records.iter().all(|record| chinese(record));
    // By method, length and language.
    let mut found: BTreeMap<(usize, usize, &str), Groups<'_>> = BTreeMap::new();
    let methods = in_order(records.iter().map(|record| record.method.as_str()));
    for record in records.iter().filter(|record| record.score.is_some()) {
        let Some(set) = label(record, "dataset") else { continue };
        let language = match (both, chinese(record)) {
            (false, _) => "",
            (true, false) => "not zh",
            (true, true) => "zh",
        };
        let method = methods.iter().position(|method| *method == record.method).unwrap_or(0);
        let groups = found.entry((method, record.length, language)).or_default();
        let group = label(record, "group").unwrap_or_default();
        groups.entry(group).or_default().entry(set).or_default().push(record);
    }
    let mut all = Vec::new();
    for ((method, length, language), groups) in found {
        let Some(method) = methods.get(method) else { continue };
        let of = |group: Option<&String>, means: &[f64]| {
            Some(Average {
                method: method.clone(),
                length,
                language,
                group: group.cloned(),
                parts: means.len(),
                mean: mean(means)?,
            })
        };
        let mut means = Vec::new();
        for (group, sets) in &groups {
            let own: Vec<f64> = sets.values().filter_map(|records| set_mean(records)).collect();
            if groups.len() == 1 {
                means = own;
                break;
            }
            means.extend(mean(&own));
            all.extend(of(Some(group), &own));
        }
        all.extend(of(None, &means));
    }
    all
}

fn set_mean(records: &[&Record]) -> Option<f64> {
    mean(&scores_by_example(records).into_values().collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{record, report_of};
    use super::*;

    #[test]
    fn quadrants_hold_each_task_once_and_say_which_were_not_tested() {
        let easy = [record("passkey", "full", "a", 1.0), record("passkey", "other", "a", 0.5)];
        let hard = [
            record("loogle", "full", "b", 0.25),
            Record { score: None, ..record("loogle", "other", "b", 0.0) },
        ];
        let lines = [record("lines", "full", "c", 0.0), record("lines", "other", "c", 0.0)];
        let report = report_of(&[("passkey", &easy), ("loogle", &hard), ("lines", &lines)]);
        let names: Vec<(String, usize)> =
            report.quadrants.iter().map(|one| (one.name(), one.tasks.len())).collect();
        let expected = [
            ("low diffusion, low scope", 2),
            ("high diffusion, low scope", 0),
            ("low diffusion, high scope", 0),
            ("high diffusion, high scope", 1),
        ];
        assert_eq!(names, expected.map(|(name, tasks)| (name.to_owned(), tasks)));
        let means = |at: usize| report.quadrants[at].methods.iter().map(|one| one.mean).collect::<Vec<_>>();
        assert_eq!((means(0), means(3)), (vec![Some(0.5), Some(0.25)], vec![Some(0.25), None]));
        assert!(means(1).is_empty());
    }

    #[test]
    fn each_data_set_weighs_the_same_in_its_group_and_each_group_in_the_whole() {
        let of = |set: &str, group: &str, language: &str, scores: &[f64]| -> Vec<Record> {
            let labels: BTreeMap<String, String> =
                [("dataset", set), ("group", group), ("language", language)]
                    .into_iter()
                    .filter(|(_, value)| !value.is_empty())
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .collect();
            let one = |(index, score): (usize, &f64)| Record {
                labels: labels.clone(),
                ..record("t", "full", &format!("{set}/{index}"), *score)
            };
            scores.iter().enumerate().map(one).collect()
        };
        let mean_of = |records: &[Vec<Record>]| -> Vec<(&'static str, Option<String>, usize, f64)> {
            let found = averages(&records.iter().flatten().collect::<Vec<_>>());
            found.into_iter().map(|one| (one.language, one.group, one.parts, one.mean)).collect()
        };
        let group = |name: &str| Some(name.to_owned());
        let all = [
            of("trec", "few-shot", "en", &[1.0, 1.0, 1.0, 1.0]),
            of("samsum", "few-shot", "en", &[0.0]),
            of("lcc", "code", "python", &[0.25]),
            of("lsht", "few-shot", "zh", &[0.75]),
        ];
        let expected = [
            ("not zh", group("code"), 1, 0.25),
            ("not zh", group("few-shot"), 2, 0.5),
            ("not zh", None, 2, 0.375),
            ("zh", None, 1, 0.75),
        ];
        assert_eq!(mean_of(&all), expected);
        let plain = [of("a", "", "", &[1.0, 1.0]), of("b", "", "", &[0.0])];
        assert_eq!(mean_of(&plain), [("", None, 2, 0.5)]);
        assert!(mean_of(&plain[..1]).is_empty());
    }
}
