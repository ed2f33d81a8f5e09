//! What became of questions to a memory: settings side by side, the panels of each, and the minimal evaluation card.

use serde::Serialize;

use super::answering::{Answering, Arm, Setting};
use super::history::Asks;
use super::judged::Answered;
use super::panels::{Figure, panels};
use crate::report::{Card, Estimate, aligned, estimate_of};
use crate::statistics::trend::middle_drop;
use crate::statistics::{PairedTest, holm, mean, paired_test};

/// Everything about a run.
#[derive(Clone, Debug, Serialize)]
pub struct MemoryReport {
    /// What was run, and what it does not show.
    pub card: Card,
    /// What an evaluation card asks for, of each reader in each setting with a store.
    pub results: Vec<Blocks>,
    /// Each reader in each setting.
    pub settings: Vec<SettingRow>,
    /// Settings against each other.
    pub comparisons: Vec<Pair>,
    /// The panels of each reader in each setting that replays something.
    pub panels: Vec<Panels>,
    /// Every answer.
    pub arms: Vec<Arm>,
}

/// Share of right answers of one reader in one setting.
#[derive(Clone, Debug, Serialize)]
pub struct SettingRow {
    /// The reader.
    pub reader: String,
    /// The setting.
    pub setting: String,
    /// What is asked for; `all` of everything.
    pub asks: &'static str,
    /// Share of right answers.
    pub right: Estimate,
}

/// One setting against another, the same reader and questions.
#[derive(Clone, Debug, Serialize)]
pub struct Pair {
    /// The reader.
    pub reader: String,
    /// The one.
    pub setting: String,
    /// The other.
    pub against: String,
    /// Questions.
    pub n: usize,
    /// Mean difference of right answers.
    pub difference: f64,
    /// Lower end of its 95 % interval, by resampling questions.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Two-sided p of a paired permutation test.
    pub p: f64,
    /// p corrected over all pairs (Holm).
    pub p_holm: f64,
}

/// The panels of one reader in one setting.
#[derive(Clone, Debug, Serialize)]
pub struct Panels {
    /// The reader.
    pub reader: String,
    /// The setting.
    pub setting: String,
    /// The figures.
    pub figures: Vec<Figure>,
}

/// The five blocks of results of a minimal evaluation card.
#[derive(Clone, Debug, Serialize)]
pub struct Blocks {
    /// The reader.
    pub reader: String,
    /// The setting.
    pub setting: String,
    /// Right answers.
    pub correctness: Vec<Figure>,
    /// What answers rest on.
    pub faithfulness: Vec<Figure>,
    /// What the place of the evidence does.
    pub position_robustness: Vec<Figure>,
    /// Newer and older values.
    pub timeliness: Vec<Figure>,
    /// What is refused.
    pub refusal: Vec<Figure>,
    /// p of the difference of right answers from none of a memory (PO), corrected over all pairs of the report.
    pub p_holm_against_po: Option<f64>,
}

/// The report of a run; `k` items were replayed at most.
pub fn report(card: Card, answering: Answering, k: usize) -> MemoryReport {
    let arms = &answering.arms;
    let comparisons = comparisons(arms);
    let shown: Vec<Panels> = arms
        .iter()
        .filter(|arm| matches!(arm.setting, Setting::SrOff | Setting::Online))
        .map(|arm| {
            let noisy = arms.iter().find(|other| {
                arm.setting == Setting::Online
                    && other.setting == Setting::OnlineNoise
                    && (&other.reader, other.topics) == (&arm.reader, arm.topics)
            });
            let noisy = noisy.map(|arm| arm.answers.as_slice());
            Panels {
                reader: arm.reader.clone(),
                setting: arm.named(),
                figures: panels(&arm.answers, noisy, &answering.taken, k),
            }
        })
        .collect();
    MemoryReport {
        results: arms
            .iter()
            .filter_map(|arm| {
                let own = shown.iter().find(|one| one.reader == arm.reader && one.setting == arm.named())?;
                Some(blocks(arm, own, &comparisons))
            })
            .collect(),
        settings: arms.iter().flat_map(rows).collect(),
        comparisons,
        panels: shown,
        card,
        arms: answering.arms,
    }
}

fn right(answer: &Answered) -> f64 {
    f64::from(u8::from(answer.right))
}

fn rows(arm: &Arm) -> Vec<SettingRow> {
    let kinds = std::iter::once("all").chain(Asks::ALL.iter().map(|asks| asks.name()));
    kinds
        .filter_map(|asks| {
            let own = arm.answers.iter().filter(|answer| asks == "all" || answer.asks == asks);
            let values: Vec<f64> = own.map(right).collect();
            let right = estimate_of(&values)?;
            Some(SettingRow { reader: arm.reader.clone(), setting: arm.named(), asks, right })
        })
        .collect()
}

/// Declared before anything is seen: what a memory does at all, what replaying does against reading everything, what live
/// against frozen, and what topics do.
fn comparisons(arms: &[Arm]) -> Vec<Pair> {
    let declared = [
        ((Setting::LcOff, None), (Setting::Po, None)),
        ((Setting::SrOff, Some(false)), (Setting::Po, None)),
        ((Setting::Online, Some(false)), (Setting::Po, None)),
        ((Setting::SrOff, Some(true)), (Setting::Po, None)),
        ((Setting::Online, Some(true)), (Setting::Po, None)),
        ((Setting::SrOff, Some(false)), (Setting::LcOff, None)),
        ((Setting::Online, Some(false)), (Setting::SrOff, Some(false))),
        ((Setting::Online, Some(true)), (Setting::SrOff, Some(true))),
        ((Setting::Online, Some(true)), (Setting::Online, Some(false))),
    ];
    let mut pairs = Vec::new();
    let mut readers: Vec<&str> = Vec::new();
    for arm in arms {
        if !readers.contains(&arm.reader.as_str()) {
            readers.push(&arm.reader);
        }
    }
    for reader in readers {
        let of = |(setting, topics): (Setting, Option<bool>)| {
            arms.iter().find(|arm| arm.reader == reader && (arm.setting, arm.topics) == (setting, topics))
        };
        for (one, other) in declared {
            let (Some(one), Some(other)) = (of(one), of(other)) else { continue };
            let values: Vec<f64> = one
                .answers
                .iter()
                .zip(&other.answers)
                .map(|(one, other)| right(one) - right(other))
                .collect();
            let Some(PairedTest { difference, interval, p }) = paired_test(&values) else { continue };
            pairs.push(Pair {
                reader: reader.to_owned(),
                setting: one.named(),
                against: other.named(),
                n: values.len(),
                difference,
                low: interval.low,
                high: interval.high,
                p,
                p_holm: p,
            });
        }
    }
    let ps: Vec<f64> = pairs.iter().map(|pair| pair.p).collect();
    pairs.iter_mut().zip(holm(&ps)).for_each(|(pair, p)| pair.p_holm = p);
    pairs
}

fn blocks(arm: &Arm, panels: &Panels, pairs: &[Pair]) -> Blocks {
    let named = |names: &[&str]| -> Vec<Figure> {
        panels.figures.iter().filter(|figure| names.contains(&figure.name)).cloned().collect()
    };
    let whole = estimate_of(&arm.answers.iter().map(right).collect::<Vec<_>>());
    let accuracy = Figure {
        panel: "correctness",
        name: "Accuracy",
        value: whole.map(|estimate| estimate.mean),
        interval: whole.map(|estimate| (estimate.low, estimate.high)),
        n: arm.answers.len(),
        form: "right answers by rule; questions that cannot be answered want a refusal".to_owned(),
    };
    let place = |answer: &Answered| answer.position.map(|position| (position * 3.0).min(2.0) as usize);
    let part = |part: usize| -> Vec<f64> {
        arm.answers.iter().filter(|answer| place(answer) == Some(part)).map(right).collect()
    };
    let parts: Vec<Option<f64>> = (0..3).map(|number| mean(&part(number))).collect();
    let placed = arm.answers.iter().filter(|answer| answer.position.is_some()).count();
    let drop = Figure {
        panel: "position robustness",
        name: "Mid-sequence drop",
        value: middle_drop(&parts),
        interval: None,
        n: placed,
        form: format!(
            "mean of the first and the last third of the history less the middle one ({}), by the newest evidence; no interval \
             of its own",
            parts
                .iter()
                .map(|part| part.map_or("-".to_owned(), |part| format!("{part:.2}")))
                .collect::<Vec<_>>()
                .join(", ")
        ),
    };
    let against = pairs.iter().find(|pair| {
        pair.reader == arm.reader && pair.setting == arm.named() && pair.against == Setting::Po.name()
    });
    Blocks {
        reader: arm.reader.clone(),
        setting: arm.named(),
        correctness: vec![accuracy],
        faithfulness: named(&["RSF", "ASR@k", "UCR"]),
        position_robustness: vec![drop],
        timeliness: named(&["Freshness-Hit", "Out-of-Date-Use"]),
        refusal: named(&["Abstention", "Coverage", "AURC"]),
        p_holm_against_po: against.map(|pair| pair.p_holm),
    }
}

/// The report as plain text: the settings, what differs between them, and the panels, each figure by itself.
pub fn memory_table(report: &MemoryReport) -> String {
    let interval = |low: f64, high: f64| format!("{low:.2} to {high:.2}");
    let mut rows = vec![["reader", "setting", "asks", "n", "right", "95 %"].map(str::to_owned).to_vec()];
    for row in &report.settings {
        rows.push(vec![
            row.reader.clone(),
            row.setting.clone(),
            row.asks.to_owned(),
            row.right.n.to_string(),
            format!("{:.2}", row.right.mean),
            interval(row.right.low, row.right.high),
        ]);
    }
    let mut text = aligned(&rows, 3);
    let titles = ["reader", "setting", "against", "n", "difference", "95 %", "p", "Holm"];
    let mut rows = vec![titles.map(str::to_owned).to_vec()];
    for pair in &report.comparisons {
        rows.push(vec![
            pair.reader.clone(),
            pair.setting.clone(),
            pair.against.clone(),
            pair.n.to_string(),
            format!("{:+.2}", pair.difference),
            format!("{:+.2} to {:+.2}", pair.low, pair.high),
            format!("{:.4}", pair.p),
            format!("{:.4}", pair.p_holm),
        ]);
    }
    text.push_str(&format!(
        "\nsettings against each other, on the same questions; p of a paired permutation test, by Holm over all {} pairs\n{}",
        report.comparisons.len(),
        aligned(&rows, 3)
    ));
    for one in &report.panels {
        let mut rows = vec![["panel", "figure", "n", "value", "95 %"].map(str::to_owned).to_vec()];
        for figure in &one.figures {
            rows.push(vec![
                figure.panel.to_owned(),
                figure.name.to_owned(),
                figure.n.to_string(),
                figure.value.map_or("not measured".to_owned(), |value| format!("{value:.3}")),
                figure.interval.map_or("-".to_owned(), |(low, high)| format!("{low:.3} to {high:.3}")),
            ]);
        }
        text.push_str(&format!("\n{}, {}\n{}", one.reader, one.setting, aligned(&rows, 2)));
    }
    text
}

#[cfg(test)]
mod tests;
