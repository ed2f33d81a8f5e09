//! Scores of heads, kept for later: by model, in the folder of caches; those of the default model are built in.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use loci_models::memory::AttentionShape;
use serde::{Deserialize, Serialize};

use super::copies::Mode;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::files;
use crate::model_store::model_folder;

/// Score from which a head is called a retrieval head, as in the paper.
pub const THRESHOLD: f64 = 0.1;

/// Tables that are part of the program.
const BUILT_IN: &[&str] = &[include_str!("../../heads/smollm2.toml")];

/// Scores of a model's query heads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadTable {
    /// The command that made it.
    pub made_by: String,
    /// The model, as it was called then.
    pub model: String,
    /// Of the model's file; see [`fingerprint`]. Empty for a model that is in no file.
    pub fingerprint: String,
    /// How copies were counted.
    pub mode: Mode,
    /// Probes answered.
    pub accepted: usize,
    /// Probes asked.
    pub total: usize,
    /// `[layers][heads]`.
    pub scores: Vec<Vec<f64>>,
}

impl HeadTable {
    /// Reads what [`text`](Self::text) wrote.
    fn parse(text: &str, shape: AttentionShape) -> Result<Self, String> {
        let table: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        let fits =
            table.scores.len() == shape.layers && table.scores.iter().all(|row| row.len() == shape.heads);
        if !fits {
            return Err(format!(
                "its scores are not those of {} layers of {} heads",
                shape.layers, shape.heads
            ));
        }
        match table.scores.iter().flatten().find(|score| !(score.is_finite() && **score >= 0.0)) {
            Some(score) => Err(format!("{score} is no score")),
            None => Ok(table),
        }
    }

    /// TOML, a line for each layer.
    pub fn text(&self) -> String {
        let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let mode = if self.mode == Mode::Paper { "paper" } else { "official" };
        let mut text = format!(
            "# Scores of the model's query heads: the share of an answer's tokens that each copied from the text.\n\
             made_by = {}\nmodel = {}\nfingerprint = {}\nmode = \"{mode}\"\naccepted = {}\ntotal = {}\nscores = [\n",
            quoted(&self.made_by),
            quoted(&self.model),
            quoted(&self.fingerprint),
            self.accepted,
            self.total
        );
        for row in &self.scores {
            let row: Vec<String> = row.iter().map(|score| format!("{score:.4}")).collect();
            // Writing to a string cannot fail.
            let _done = writeln!(text, "    [{}],", row.join(", "));
        }
        text.push_str("]\n");
        text
    }

    /// `[layers * heads]`: the scores of the heads that reach `threshold`, 0 for all others; `None` when none does.
    pub fn weights(&self, threshold: f64) -> Option<Arc<[f32]>> {
        #[allow(clippy::cast_possible_truncation)] // a weight needs no more digits
        let weight = |score: &f64| if *score >= threshold { *score as f32 } else { 0.0 };
        let weights: Arc<[f32]> = self.scores.iter().flatten().map(weight).collect();
        weights.iter().any(|weight| *weight > 0.0).then_some(weights)
    }

    /// The form of DuoAttention's gates, one number for each kv head: the largest of its query heads.
    pub fn gates(&self, shape: AttentionShape) -> String {
        let mut text = String::new();
        for row in &self.scores {
            let largest = |heads: &[f64]| heads.iter().copied().fold(0.0, f64::max).min(1.0);
            let gates: Vec<String> =
                row.chunks(shape.group().max(1)).map(|heads| format!("{:.6}", largest(heads))).collect();
            text.push_str(&gates.join("\t"));
            text.push('\n');
        }
        text
    }
}

/// The scores known for the model that `engine` runs: measured here, or else built in.
///
/// # Errors
/// [`EngineError::Heads`] when the file of scores exists and cannot be used.
pub fn known(engine: &Engine) -> Result<Option<HeadTable>, EngineError> {
    let Some(fingerprint) = of_file(engine).and_then(|found| found.ok()) else { return Ok(None) };
    let shape = engine.model().shape();
    if let Some(path) = place(fingerprint).filter(|path| path.is_file()) {
        let table = std::fs::read_to_string(&path)
            .map_err(|error| error.to_string())
            .and_then(|text| HeadTable::parse(&text, shape));
        return table.map(Some).map_err(|reason| EngineError::Heads {
            path: path.display().to_string(),
            message: format!("{reason}; measure them again with loci inspect heads, or delete the file"),
        });
    }
    // A table of another model fails to parse for this shape, or names another file.
    let built_in = BUILT_IN.iter().filter_map(|text| HeadTable::parse(text, shape).ok());
    Ok(built_in.into_iter().find(|table| table.fingerprint == fingerprint))
}

/// Keeps `table` for the model that `engine` runs; returns the file. `None` where no folder for caches is known or the
/// model is in no file.
///
/// # Errors
/// [`EngineError::Heads`] when the system refuses.
pub fn keep(engine: &Engine, table: &HeadTable) -> Result<Option<PathBuf>, EngineError> {
    let Some(fingerprint) = of_file(engine) else { return Ok(None) };
    let failed = |path: &Path, error: std::io::Error| EngineError::Heads {
        path: path.display().to_string(),
        message: error.to_string(),
    };
    let fingerprint = fingerprint.map_err(|error| failed(engine.path().unwrap_or(Path::new("")), error))?;
    let Some(path) = place(fingerprint) else { return Ok(None) };
    let table = HeadTable { fingerprint: fingerprint.to_owned(), ..table.clone() };
    files::write(&path, table.text()).map_err(|error| failed(&path, error))?;
    Ok(Some(path))
}

/// The fingerprint of a model in one file; scores of others are not kept.
fn of_file(engine: &Engine) -> Option<std::io::Result<&str>> {
    engine.path().filter(|path| path.is_file())?;
    engine.fingerprint().transpose()
}

/// Where the scores of the model with this fingerprint lie.
fn place(fingerprint: &str) -> Option<PathBuf> {
    Some(model_folder()?.parent()?.join("heads").join(format!("{fingerprint}.toml")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: AttentionShape = AttentionShape { layers: 2, heads: 4, kv_heads: 2, head_dim: 16 };

    fn table() -> HeadTable {
        HeadTable {
            made_by: "loci inspect heads -m \"x\"".to_owned(),
            model: "x".to_owned(),
            fingerprint: "00".to_owned(),
            mode: Mode::Paper,
            accepted: 3,
            total: 4,
            scores: vec![vec![0.0, 0.25, 0.05, 0.0], vec![1.0, 0.1, 0.0, 0.0999]],
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        assert_eq!(HeadTable::parse(&table().text(), SHAPE).unwrap(), table());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new").join("x.toml");
        files::write(&path, "one").unwrap();
        files::write(&path, "two").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no temporary file stays");
    }

    #[test]
    fn the_tables_built_in_are_valid() {
        let shape = AttentionShape { layers: 30, heads: 9, kv_heads: 3, head_dim: 64 };
        for text in BUILT_IN {
            let table = HeadTable::parse(text, shape).unwrap();
            assert_eq!(table.fingerprint.len(), 32);
            assert!(table.accepted > 0 && table.made_by.starts_with("loci inspect heads "));
            assert!(table.weights(THRESHOLD).is_some());
        }
    }

    #[test]
    fn a_damaged_table_is_refused() {
        let text = table().text();
        for wrong in
            [text.replace("0.2500", "nan"), text.replace("0.2500", "-0.25"), text.replace(", 0.0999", "")]
        {
            assert!(HeadTable::parse(&wrong, SHAPE).is_err(), "{wrong}");
        }
        assert!(HeadTable::parse(text.get(..90).unwrap(), SHAPE).is_err());
    }

    #[test]
    fn only_retrieval_heads_have_weight_and_kv_heads_get_their_largest() {
        assert_eq!(*table().weights(0.1).unwrap(), [0.0, 0.25, 0.0, 0.0, 1.0, 0.1, 0.0, 0.0]);
        assert!(table().weights(1.1).is_none());
        let gates = table().gates(SHAPE);
        assert_eq!(gates, "0.250000\t0.050000\n1.000000\t0.099900\n");
        let scores = loci_context::heads::HeadScores::parse(&gates, SHAPE).unwrap();
        assert_eq!(scores.full_heads(0.5), [[true, false], [true, false]]);
    }
}
