//! Export and import: a memory as lines of JSON.

use std::io::{BufRead, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::MemoryError;
use crate::log::{Action, Body, Change};
use crate::memory::Memory;
use crate::record::{Content, Key, KeyKind, State};
use crate::rows::Filter;
use crate::time::Time;

/// Lines that are imported in one transaction.
const BATCH: usize = 500;

/// One item as a line of an export. Forgotten ones are not exported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Its id in the store that it comes from.
    pub id: String,
    /// When that store learned it.
    pub learned: Time,
    /// Where it stood.
    pub state: State,
    /// The item that took its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<String>,
    /// What it says.
    #[serde(flatten)]
    pub content: Content,
    /// Its keys besides its own words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<Key>,
}

/// What an import did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// Items that are new.
    pub added: usize,
    /// Items that were there already, or only repeat one.
    pub known: usize,
    /// Items that wait for somebody to look at them.
    pub held: usize,
}

impl Memory {
    /// Writes all items but the forgotten ones, one a line; returns how many.
    ///
    /// # Errors
    /// What the store fails with, and [`MemoryError::File`] for the output.
    pub fn export(&mut self, to: &mut dyn Write) -> Result<usize, MemoryError> {
        let lines = self.look(|rows, scope| {
            let mut lines = Vec::new();
            for item in rows.items(scope, &Filter::default())? {
                let Some(content) = item.content else { continue };
                let keys = rows.keys(scope, item.row)?.into_iter().map(|(_, key)| key);
                let keys = keys.filter(|key| key.kind != KeyKind::Plain).collect();
                let (id, learned, state, superseded_by) =
                    (item.id, item.learned, item.state, item.superseded_by);
                lines.push(Line { id, learned, state, superseded_by, content, keys });
            }
            Ok(lines)
        })?;
        let failed = |source| MemoryError::File { path: Path::new("the output").to_owned(), source };
        for line in &lines {
            let text = serde_json::to_string(line).map_err(|error| {
                MemoryError::Invalid(format!("item {} cannot be written down: {error}", line.id))
            })?;
            writeln!(to, "{text}").map_err(failed)?;
        }
        to.flush().map_err(failed)?;
        Ok(lines.len())
    }

    /// Takes up the lines of an export, each through the gate: items get new ids and the time of the import as when they were
    /// learned; when they were true stays. What was superseded, taken back or held where it comes from is so here. Items that are
    /// there already are passed over, so that an import that broke off can be run again.
    ///
    /// # Errors
    /// [`MemoryError::Import`] with the number of the first line that is wrong; lines before it may have been taken up.
    pub fn import(&mut self, from: &mut dyn BufRead) -> Result<Imported, MemoryError> {
        let mut imported = Imported::default();
        let mut ids = std::collections::BTreeMap::new();
        let mut batch: Vec<(usize, Line)> = Vec::new();
        for (number, line) in from.lines().enumerate() {
            let wrong = |message: String| MemoryError::Import { line: number + 1, message };
            let line = line.map_err(|error| wrong(error.to_string()))?;
            if line.trim().is_empty() {
                continue;
            }
            batch.push((number + 1, serde_json::from_str(&line).map_err(|error| wrong(error.to_string()))?));
            if batch.len() == BATCH {
                self.take(&std::mem::take(&mut batch), &mut ids, &mut imported)?;
            }
        }
        self.take(&batch, &mut ids, &mut imported)?;
        Ok(imported)
    }

    /// Takes up some lines in one transaction. `ids` are the new ids by the old ones.
    fn take(
        &mut self,
        lines: &[(usize, Line)],
        ids: &mut std::collections::BTreeMap<String, String>,
        imported: &mut Imported,
    ) -> Result<(), MemoryError> {
        let before = (ids.clone(), *imported);
        self.change(|writer| {
            // A transaction may be begun again.
            (*ids, *imported) = before.clone();
            for (number, line) in lines {
                let at =
                    |error: MemoryError| MemoryError::Import { line: *number, message: error.to_string() };
                let mut content = line.content.clone();
                for parent in &mut content.parents {
                    let new = ids.get(parent).cloned();
                    *parent = new.ok_or_else(|| MemoryError::NoItem { id: parent.clone() }).map_err(at)?;
                }
                let added = writer.add(&content, &line.keys).map_err(at)?;
                ids.insert(line.id.clone(), added.id.clone());
                match added.verdict.state() {
                    None => imported.known += 1,
                    Some(State::Proposed) => imported.held += 1,
                    Some(state) => {
                        imported.added += 1;
                        if line.state != state && line.state != State::Forgotten {
                            let item = writer.one(&added.id)?;
                            let by = line.superseded_by.as_ref().and_then(|by| ids.get(by)).cloned();
                            writer.rows.set_state(writer.row, item.row, line.state, by.as_deref())?;
                            let change = Change { id: item.id, from: Some(state), to: line.state, by };
                            writer.log(Action::Decide, &Body { changes: vec![change], ..Body::default() })?;
                        }
                    }
                }
            }
            Ok(())
        })
    }
}
