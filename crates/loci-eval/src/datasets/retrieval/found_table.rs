//! A [`FoundReport`] as plain text.

use super::figures::FoundReport;
use crate::report::{Estimate, aligned};

/// The report as plain text: what was done, the figures, and the differences from the first setting.
pub fn found_table(report: &FoundReport) -> String {
    let mut text = format!("{}, {}\n", report.data_set, report.files.join(", "));
    for line in report.protocol.iter().chain(&report.settings) {
        text.push_str(&format!("{line}\n"));
    }
    text.push_str(&format!("nDCG with binary gains and discount {}\n\n", report.discount));
    let header = [
        "group",
        "sought",
        "by",
        "expansion",
        "k",
        "n",
        "recall_any",
        "95 %",
        "chance",
        "recall_all",
        "n",
        "share",
        "95 %",
        "nDCG",
        "95 %",
    ];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for row in &report.rows {
        let mut cells = vec![
            row.group.clone(),
            row.sought.to_owned(),
            row.by.to_owned(),
            row.expansion.clone(),
            row.k.to_string(),
        ];
        cells.push(row.recall_any.n.to_string());
        cells.extend(with_interval(row.recall_any));
        cells.push(format!("{:.2}", row.chance));
        cells.extend(match row.recall_all {
            Some(estimate) => [format!("{:.3}", estimate.mean), estimate.n.to_string()],
            None => ["-".to_owned(), "0".to_owned()],
        });
        cells.extend(with_interval(row.share));
        cells.extend(with_interval(row.ndcg));
        rows.push(cells);
    }
    text.push_str(&aligned(&rows, 4));
    if let Some(first) = report.differences.first() {
        text.push_str(&format!(
            "\nnDCG@{} against another setting on the same questions; p of a paired permutation test, by Holm over all {} \
             comparisons\n",
            first.k,
            report.differences.len()
        ));
        let mut rows = vec![
            ["group", "sought", "by", "expansion", "against", "n", "difference", "95 %", "p", "Holm"]
                .map(str::to_owned)
                .to_vec(),
        ];
        for one in &report.differences {
            rows.push(vec![
                one.group.clone(),
                one.sought.to_owned(),
                one.by.to_owned(),
                one.expansion.clone(),
                one.against.clone(),
                one.n.to_string(),
                format!("{:+.3}", one.difference),
                format!("{:+.2} to {:+.2}", one.low, one.high),
                format!("{:.3}", one.p),
                format!("{:.3}", one.p_holm),
            ]);
        }
        text.push_str(&aligned(&rows, 5));
    }
    let left_out: Vec<String> =
        report.left_out.iter().map(|left| format!("{} {}", left.questions, left.reason)).collect();
    text.push_str(&format!(
        "\n{} questions over {} items; left out: {}\n",
        report.questions,
        report.items,
        listed(&left_out)
    ));
    text
}

fn with_interval(estimate: Estimate) -> [String; 2] {
    [format!("{:.3}", estimate.mean), format!("{:.2} to {:.2}", estimate.low, estimate.high)]
}

fn listed(parts: &[String]) -> String {
    if parts.is_empty() { "none".to_owned() } else { parts.join("; ") }
}
