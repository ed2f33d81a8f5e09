//! The report as tables for a terminal.

use std::collections::BTreeSet;

use super::tables::{Table, comparison_rows, failures, of_all, of_task, untested};
use super::{Comparison, Report};

/// The report as plain text.
pub fn text(report: &Report) -> String {
    let mut text = String::new();
    // What was said below one table is not said again.
    let mut said = BTreeSet::new();
    let mut table = |one: &Table, caption: Option<&str>| table(one, caption, said.insert(one.note.clone()));
    for task in &report.tasks {
        text.push_str(&format!(
            "\n{}: {} (diffusion {}, scope {})\n",
            task.task,
            task.title,
            task.diffusion.name(),
            task.scope.name()
        ));
        for (index, one) in of_task(task).iter().enumerate() {
            // The first stands directly below the task, and says itself what it is.
            text.push_str(&if index == 0 { table(one, None) } else { table(one, Some(&one.caption)) });
        }
        for failure in failures(task) {
            text.push_str(&format!("{failure}\n"));
        }
    }
    for one in of_all(report) {
        text.push_str(&table(&one, Some(&one.caption)));
    }
    if let Some(untested) = untested(report) {
        text.push_str(&format!("\n{untested}\n"));
    }
    text.push_str(&format!("\nseed {}", report.card.seed));
    if !report.card.correction.is_empty() {
        text.push_str(&format!("; p corrected by {}", report.card.correction));
    }
    text.push('\n');
    text
}

fn table(one: &Table, caption: Option<&str>, with_note: bool) -> String {
    let caption = caption.map_or_else(String::new, |caption| format!("\n{caption}\n"));
    let note = if one.note.is_empty() || !with_note { String::new() } else { format!("{}\n", one.note) };
    match one.long {
        true => format!("\n{}: {} rows, in the report's files\n", one.caption, one.rows.len() - 1),
        false => format!("{caption}{}{note}", aligned(&one.rows, one.words)),
    }
}

/// Comparisons as a table, each with the name of its task.
pub fn comparison_table(comparisons: &[(&str, &Comparison)]) -> String {
    let mut rows = comparison_rows(comparisons.iter().map(|(_, comparison)| *comparison));
    let names = std::iter::once("task").chain(comparisons.iter().map(|(task, _)| *task));
    rows.iter_mut().zip(names).for_each(|(row, name)| row.insert(0, name.to_owned()));
    aligned(&rows, 3)
}

/// Columns of equal width: the first `words` to the left, all others to the right.
pub(crate) fn aligned(rows: &[Vec<String>], words: usize) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(column, (cell, width))| match column < words {
                true => format!("{cell:<width$}"),
                false => format!("{cell:>width$}"),
            })
            .collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other() {
        let rows = [vec!["a".to_owned(), "n".to_owned()], vec!["long".to_owned(), "12".to_owned()]];
        assert_eq!(aligned(&rows, 1), "a      n\nlong  12\n");
        assert_eq!(aligned(&rows, 2), "a     n\nlong  12\n");
    }
}
