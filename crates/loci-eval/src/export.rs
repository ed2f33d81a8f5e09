//! Results in the layout that users of other harnesses read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::error::EvalError;
use crate::report::cells;
use crate::run::Record;

/// Writes `records` in the layout of EleutherAI's lm-evaluation-harness: for each model and method a folder with one
/// `results_….json` (mean and standard error of each task) and a `samples_TASK_….jsonl` for each task. `stamp` stands where
/// the harness writes the time. Returns the files.
///
/// # Errors
/// [`EvalError::File`], and [`EvalError::Nothing`] without a scored answer.
pub fn lm_eval(records: &[Record], folder: &Path, stamp: &str) -> Result<Vec<PathBuf>, EvalError> {
    let mut by_subject: BTreeMap<(String, String), Vec<&Record>> = BTreeMap::new();
    for record in records.iter().filter(|record| record.score.is_some()) {
        by_subject.entry((record.model.clone(), record.method.clone())).or_default().push(record);
    }
    if by_subject.is_empty() {
        return Err(EvalError::Nothing("there is no scored answer to export".to_owned()));
    }
    let mut written = Vec::new();
    for ((model, method), records) in by_subject {
        let folder = folder.join(file_name(&format!("{model}__{method}")));
        let mut tasks: BTreeMap<&str, Vec<&Record>> = BTreeMap::new();
        for record in records {
            tasks.entry(&record.task).or_default().push(record);
        }
        let (mut results, mut versions, mut counts) =
            (serde_json::Map::new(), serde_json::Map::new(), serde_json::Map::new());
        for (task, records) in tasks {
            for cell in cells(&records) {
                let Some(score) = cell.score else { continue };
                // Lengths are tasks of their own there.
                let name = if cell.length == 0 { task.to_owned() } else { format!("{task}@{}", cell.length) };
                let own: Vec<&Record> =
                    records.iter().copied().filter(|record| record.length == cell.length).collect();
                let mut values = serde_json::Map::new();
                values.insert("alias".to_owned(), json!(name));
                values.insert("score,none".to_owned(), json!(score.mean));
                values.insert("score_stderr,none".to_owned(), json!(standard_error(&own)));
                values.extend(cell.also.iter().map(|(also, mean)| (format!("{also},none"), json!(mean))));
                results.insert(name.clone(), Value::Object(values));
                versions.insert(name.clone(), json!(env!("CARGO_PKG_VERSION")));
                counts.insert(name.clone(), json!({"original": own.len(), "effective": own.len()}));
                let samples: String =
                    own.iter().enumerate().map(|(index, record)| sample(index, record)).collect();
                written.push(write(
                    &folder.join(format!("samples_{}_{stamp}.jsonl", file_name(&name))),
                    &samples,
                )?);
            }
        }
        let whole = json!({
            "results": results,
            "versions": versions,
            "n-samples": counts,
            "config": {"model": "loci", "model_args": format!("model={model},method={method}")},
            "model_name": model,
            "date": stamp,
        });
        let text = format!("{whole:#}\n");
        written.push(write(&folder.join(format!("results_{stamp}.json")), &text)?);
    }
    Ok(written)
}

/// Standard error of the mean of the scores, as that harness gives it; 0 of a single one.
fn standard_error(records: &[&Record]) -> f64 {
    let scores: Vec<f64> = records.iter().filter_map(|record| record.score).collect();
    let n = scores.len() as f64;
    let mean = scores.iter().sum::<f64>() / n;
    let variance = scores.iter().map(|score| (score - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    (variance / n).sqrt()
}

fn sample(index: usize, record: &Record) -> String {
    let line = json!({
        "doc_id": index,
        "doc": {"id": record.example, "turn": record.turn, "length": record.length, "depth": record.depth},
        "target": record.gold.first(),
        "resps": [[record.answer]],
        "filtered_resps": [record.answer],
        "prompt_hash": record.prompt_hash,
        "score": record.score,
    });
    format!("{line}\n")
}

/// A name without what folders and file systems take for something else.
fn file_name(text: &str) -> String {
    text.chars()
        .map(
            |character| {
                if character.is_alphanumeric() || "-_.@".contains(character) { character } else { '_' }
            },
        )
        .collect()
}

fn write(path: &Path, text: &str) -> Result<PathBuf, EvalError> {
    loci_engine::files::write(path, text)
        .map_err(|source| EvalError::File { path: path.display().to_string(), source })?;
    Ok(path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_and_samples_have_the_harness_s_fields() {
        let record = |example: &str, score| Record {
            task: "passkey:digits=5".to_owned(),
            model: "m".to_owned(),
            method: "inf-llm:window=64".to_owned(),
            example: example.to_owned(),
            length: 1000,
            score,
            gold: vec!["7".to_owned()],
            ..Record::default()
        };
        let folder = tempfile::tempdir().unwrap();
        let records = [record("a", Some(1.0)), record("b", Some(0.0)), record("c", None)];
        let files = lm_eval(&records, folder.path(), "now").unwrap();
        assert_eq!(files.len(), 2);
        let read = |path: &Path| std::fs::read_to_string(path).unwrap();
        let results: Value = serde_json::from_str(&read(&files[1])).unwrap();
        let own = &results["results"]["passkey:digits=5@1000"];
        assert_eq!((&own["score,none"], &own["score_stderr,none"]), (&json!(0.5), &json!(0.5)));
        assert_eq!(results["n-samples"]["passkey:digits=5@1000"]["effective"], 2);
        assert_eq!(read(&files[0]).lines().count(), 2);
        assert!(files[1].ends_with("m__inf-llm_window_64/results_now.json"), "{files:?}");
        assert!(lm_eval(&records[2..], folder.path(), "now").is_err());
    }
}
