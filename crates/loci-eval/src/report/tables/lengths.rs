//! The table over lengths.

use super::{Table, heading};
use crate::report::OverLengths;
use crate::report::lengths::THRESHOLD;
use crate::report::numbers::{dash, length, score};

/// Each method over lengths; no rows where nothing was run at two lengths.
pub(super) fn over_lengths(caption: &str, all: &[OverLengths]) -> Table {
    let effective = format!("effective at {THRESHOLD}");
    let names = [
        "method",
        "mean",
        "longer weigh more",
        "shorter weigh more",
        &effective,
        "for twice the length",
        "worst",
    ];
    let mut rows = vec![heading(&names)];
    rows.extend(all.iter().map(|one| {
        let worst = one.worst.map_or_else(dash, |worst| {
            let depth = worst.depth.map_or_else(String::new, |depth| format!(", depth {depth:.2}"));
            format!("{:.2} at {}{depth} (n {})", worst.mean, length(worst.length), worst.n)
        });
        vec![
            one.method.clone(),
            score(one.mean),
            score(one.longer_weigh_more),
            score(one.shorter_weigh_more),
            effective_length(one),
            one.per_doubling.map_or_else(dash, |slope| format!("{slope:+.3}")),
            worst,
        ]
    }));
    Table {
        caption: caption.to_owned(),
        rows,
        words: 1,
        note: format!(
            "Effective: the largest length with a mean of at least {THRESHOLD}, the score of Llama 2 7B at 4,096 tokens \
             over RULER's tasks; for another task it is a mark and no norm."
        ),
        ..Table::default()
    }
}

/// The effective length as it is shown: a bound where no length that was run is on its other side.
fn effective_length(one: &OverLengths) -> String {
    let shown = match (one.effective_length, one.scored.first()) {
        (_, None) => return dash(),
        (0, Some(shortest)) => return format!("<{}", length(*shortest)),
        (found, _) if one.lengths.last() == Some(&found) => format!(">={}", length(found)),
        (found, _) => length(found),
    };
    let unknown: Vec<String> = one.unknown().into_iter().map(length).collect();
    if unknown.is_empty() { shown } else { format!("{shown} (not run: {})", unknown.join(", ")) }
}
