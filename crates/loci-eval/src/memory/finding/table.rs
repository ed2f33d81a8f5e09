//! A [`FindingReport`] as plain text.

use super::FindingReport;
use crate::report::aligned;

/// The report as plain text.
pub fn finding_table(report: &FindingReport) -> String {
    let mut text = format!("{}\n", report.corpus);
    for line in &report.protocol {
        text.push_str(&format!("{line}\n"));
    }
    for (way, written) in &report.written {
        text.push_str(&format!(
            "{way}: {} items, {} of them held back; {} were there already; {} without facts, {} left out for it\n",
            written.items,
            written.held,
            written.repeated,
            written.without_facts,
            written.dropped.len()
        ));
    }
    let titles =
        ["group", "unit", "keys", "by", "days", "k", "n", "recall_all", "95 %", "recall_any", "95 %", "nDCG"];
    let mut rows = vec![titles.map(str::to_owned).to_vec()];
    for row in &report.rows {
        let days = if row.choice.days { "on" } else { "off" };
        let mut cells: Vec<String> =
            [row.group.as_str(), row.choice.unit, row.choice.keys, row.choice.by, days]
                .map(str::to_owned)
                .to_vec();
        cells.extend([row.k.to_string(), row.recall_all.n.to_string()]);
        for estimate in [row.recall_all, row.recall_any] {
            cells.push(format!("{:.3}", estimate.mean));
            cells.push(format!("{:.2} to {:.2}", estimate.low, estimate.high));
        }
        cells.push(format!("{:.3}", row.ndcg.mean));
        rows.push(cells);
    }
    text.push_str(&format!("\n{}", aligned(&rows, 5)));
    let titles = ["of", "group", "choice", "against", "k", "n", "recall_all", "95 %", "p", "Holm"];
    let mut rows = vec![titles.map(str::to_owned).to_vec()];
    for one in &report.differences {
        rows.push(vec![
            one.of.to_owned(),
            one.group.clone(),
            one.choice.clone(),
            one.against.clone(),
            one.k.to_string(),
            one.n.to_string(),
            format!("{:+.3}", one.difference),
            format!("{:+.2} to {:+.2}", one.low, one.high),
            format!("{:.3}", one.p),
            format!("{:.3}", one.p_holm),
        ]);
    }
    text.push_str(&format!(
        "\nchoices that differ in one thing, on the same questions; p of a paired permutation test, by Holm over all {} \
         comparisons\n{}",
        report.differences.len(),
        aligned(&rows, 4)
    ));
    let left_out: Vec<String> = report
        .left_out
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(why, count)| format!("{count} {why}"))
        .collect();
    let left_out = if left_out.is_empty() { "none".to_owned() } else { left_out.join("; ") };
    text.push_str(&format!("\n{} questions; left out: {left_out}\n", report.questions));
    text
}
