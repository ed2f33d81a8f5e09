//! The report as Markdown.

use super::text::{comparison_rows, failures, rows};
use super::{Card, Report};

/// The report as Markdown: a table for each task, the comparisons, and the card.
pub fn markdown(report: &Report) -> String {
    let mut text = "# Evaluation\n".to_owned();
    for task in &report.tasks {
        text.push_str(&format!(
            "\n## {}\n\n{} Diffusion {}, scope {}.\n\n",
            task.task,
            task.title,
            task.diffusion.name(),
            task.scope.name()
        ));
        text.push_str(&table(&rows(task)));
        if !task.comparisons.is_empty() {
            text.push('\n');
            text.push_str(&table(&comparison_rows(&task.comparisons)));
        }
        for failure in failures(task) {
            text.push_str(&format!("\n{failure}\n"));
        }
    }
    text.push_str("\n## Card\n\n");
    text.push_str(&table(&card(&report.card)));
    text
}

/// The card as rows of two.
pub(super) fn card(card: &Card) -> Vec<Vec<String>> {
    let mut rows = vec![vec!["what".to_owned(), "value".to_owned()]];
    let mut row = |name: &str, value: &str| {
        if !value.is_empty() {
            rows.push(vec![name.to_owned(), value.to_owned()]);
        }
    };
    row("command", &card.command);
    row("version", &card.version);
    row("models", &card.models.join(", "));
    row("machine", &card.machine);
    row("setting", &card.setting);
    row("decoding", &card.decoding);
    row("seed", &card.seed.to_string());
    row("compared with", &card.against);
    row("correction", &card.correction);
    row("intervals", "95 %: Wilson for right and wrong, else a percentile bootstrap over examples");
    for limit in &card.limits {
        row("limit", limit);
    }
    rows
}

/// A table whose first row is the heading.
fn table(rows: &[Vec<String>]) -> String {
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        let cells: Vec<String> = row.iter().map(|cell| cell.replace('|', "\\|").replace('\n', " ")).collect();
        text.push_str(&format!("| {} |\n", cells.join(" | ")));
        if index == 0 {
            let rules: Vec<&str> =
                (0..row.len()).map(|column| if column == 0 { "---" } else { "---:" }).collect();
            text.push_str(&format!("|{}|\n", rules.join("|")));
        }
    }
    text
}
