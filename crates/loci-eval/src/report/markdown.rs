//! The report as Markdown.

use super::tables::{Table, failures, of_all, of_task, untested};
use super::{Report, card};

/// The report as Markdown: tables over all tasks and for each of them, and the card.
pub fn markdown(report: &Report) -> String {
    let mut text = "# Evaluation\n".to_owned();
    for one in of_all(report) {
        text.push_str(&captioned(&one));
    }
    if let Some(untested) = untested(report) {
        text.push_str(&format!("\n{untested}\n"));
    }
    for task in &report.tasks {
        text.push_str(&format!(
            "\n## {}\n\n{} Diffusion {}, scope {}.\n",
            task.task,
            task.title,
            task.diffusion.name(),
            task.scope.name()
        ));
        for one in of_task(task) {
            text.push_str(&captioned(&one));
        }
        for failure in failures(task) {
            text.push_str(&format!("\n{failure}\n"));
        }
    }
    text.push_str("\n## Card\n\n");
    text.push_str(&table(&card::rows(&report.card), 2));
    text
}

fn captioned(one: &Table) -> String {
    let note = if one.note.is_empty() { String::new() } else { format!("\n{}\n", one.note) };
    format!("\n{}:\n\n{}{note}", one.caption, table(&one.rows, one.words))
}

/// A table whose first row is the heading, the first `words` columns to the left.
fn table(rows: &[Vec<String>], words: usize) -> String {
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        let cells: Vec<String> = row.iter().map(|cell| cell.replace('|', "\\|").replace('\n', " ")).collect();
        text.push_str(&format!("| {} |\n", cells.join(" | ")));
        if index == 0 {
            let rules: Vec<&str> =
                (0..row.len()).map(|column| if column < words { "---" } else { "---:" }).collect();
            text.push_str(&format!("|{}|\n", rules.join("|")));
        }
    }
    text
}
