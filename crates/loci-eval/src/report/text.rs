//! The report as a table for a terminal.

use super::{Cell, Comparison, Report, TaskReport};

/// The report as plain text.
pub fn text(report: &Report) -> String {
    let mut text = String::new();
    for task in &report.tasks {
        text.push_str(&format!(
            "\n{}: {} (diffusion {}, scope {})\n",
            task.task,
            task.title,
            task.diffusion.name(),
            task.scope.name()
        ));
        text.push_str(&aligned(&rows(task)));
        let pairs: Vec<(&str, &Comparison)> =
            task.comparisons.iter().map(|comparison| (task.id.as_str(), comparison)).collect();
        if !pairs.is_empty() {
            text.push('\n');
            text.push_str(&comparison_table(&pairs));
        }
        for failure in failures(task) {
            text.push_str(&format!("{failure}\n"));
        }
    }
    text.push_str(&format!("\nseed {}; p corrected by {}\n", report.card.seed, report.card.correction));
    text
}

/// Comparisons as a table, each with the name of its task.
pub fn comparison_table(comparisons: &[(&str, &Comparison)]) -> String {
    let mut rows = comparison_rows(comparisons.iter().map(|(_, comparison)| *comparison));
    let names = std::iter::once("task").chain(comparisons.iter().map(|(task, _)| *task));
    rows.iter_mut().zip(names).for_each(|(row, name)| row.insert(0, name.to_owned()));
    aligned(&rows)
}

/// Heading and rows of comparisons.
pub(super) fn comparison_rows<'a>(comparisons: impl IntoIterator<Item = &'a Comparison>) -> Vec<Vec<String>> {
    let heading = [
        "method",
        "against",
        "n",
        "difference",
        "95 %",
        "p",
        "p (Holm)",
        "p (BH)",
        "Cohen's d",
        "Cliff's delta",
    ];
    let effect = |value: Option<f64>| value.map_or_else(dash, |value| format!("{value:+.2}"));
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    rows.extend(comparisons.into_iter().map(|one| {
        vec![
            one.method.clone(),
            one.against.clone(),
            one.n.to_string(),
            format!("{:+.3}", one.difference),
            format!("{:+.3} to {:+.3}", one.low, one.high),
            p(one.p),
            p(one.p_holm),
            p(one.p_bh),
            effect(one.cohens_d),
            effect(one.cliffs_delta),
        ]
    }));
    rows
}

/// What could not be answered, a sentence for each method and length.
pub(super) fn failures(task: &TaskReport) -> Vec<String> {
    let failed = task.cells.iter().filter(|cell| cell.failed > 0);
    let said = failed.map(|cell| {
        let first = cell.error.as_deref().unwrap_or("unknown");
        format!(
            "{} at {}: {} without an answer, the first: {first}",
            cell.method,
            length(cell.length),
            cell.failed
        )
    });
    said.collect()
}

/// Heading and cells of a task's main table.
pub(super) fn rows(task: &TaskReport) -> Vec<Vec<String>> {
    let with_depths = depths(task).len() > 1;
    let mut heading: Vec<String> =
        ["method", "tokens", task.metric.as_str(), "95 %", "n"].map(str::to_owned).to_vec();
    if with_depths {
        heading.extend(depths(task).iter().map(|depth| format!("at {depth:.2}")));
    }
    heading.extend(["failed", "read/s", "write/s", "s each", "memory"].map(str::to_owned));
    let mut rows = vec![heading];
    for cell in &task.cells {
        let mut row = vec![cell.method.clone(), length(cell.length)];
        row.extend(match &cell.score {
            Some(score) => [
                format!("{:.3}", score.mean),
                format!("{:.2} to {:.2}", score.low, score.high),
                score.n.to_string(),
            ],
            None => [dash(), dash(), "0".to_owned()],
        });
        if with_depths {
            row.extend(depths(task).iter().map(|depth| at_depth(cell, *depth)));
        }
        row.push(if cell.failed > 0 { cell.failed.to_string() } else { dash() });
        let cost = &cell.cost;
        row.push(cost.prefill_tokens_per_s.map_or_else(dash, |speed| format!("{speed:.0}")));
        row.push(cost.decode_tokens_per_s.map_or_else(dash, |speed| format!("{speed:.0}")));
        row.push(format!("{:.1}", cost.seconds));
        row.push(if cost.memory_bytes == 0 {
            dash()
        } else {
            format!("{:.0} MiB", cost.memory_bytes as f64 / 1048576.0)
        });
        rows.push(row);
    }
    rows
}

/// Depths that any method was asked at.
pub(super) fn depths(task: &TaskReport) -> Vec<f64> {
    let mut depths: Vec<f64> =
        task.cells.iter().flat_map(|cell| cell.by_depth.iter().map(|(depth, _)| *depth)).collect();
    depths.sort_by(f64::total_cmp);
    depths.dedup();
    depths
}

fn at_depth(cell: &Cell, wanted: f64) -> String {
    let found = cell.by_depth.iter().find(|(depth, _)| *depth == wanted);
    found.map_or_else(dash, |(_, estimate)| format!("{:.2}", estimate.mean))
}

/// A number of tokens as it was typed; a dash where texts come as they are.
pub(super) fn length(tokens: usize) -> String {
    match tokens {
        0 => dash(),
        _ if tokens.is_multiple_of(1000) => format!("{}k", tokens / 1000),
        _ => tokens.to_string(),
    }
}

/// A p-value; very small ones as a bound.
pub(super) fn p(value: f64) -> String {
    if value < 0.0001 { "<0.0001".to_owned() } else { format!("{value:.4}") }
}

fn dash() -> String {
    "-".to_owned()
}

/// Columns of equal width: the first to the left, all others to the right.
pub(crate) fn aligned(rows: &[Vec<String>]) -> String {
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
            .map(|(column, (cell, width))| match column {
                0 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
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
        assert_eq!(aligned(&rows), "a      n\nlong  12\n");
    }

    #[test]
    fn lengths_and_small_p_read_well() {
        assert_eq!([length(0), length(2000), length(4096)], ["-", "2k", "4096"]);
        assert_eq!([p(0.00001), p(0.5)], ["<0.0001", "0.5000"]);
    }
}
