//! The card of a run: how it can be repeated, and what it does not show.

use serde::Serialize;

use super::estimates::in_order;
use crate::run::Record;
use crate::task::Task;

/// How a run can be repeated, and what it does not show.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Card {
    /// The command as it was typed.
    pub command: String,
    /// Version of Loci.
    pub version: String,
    /// Models.
    pub models: Vec<String>,
    /// Methods, with their parameters: what is kept of the text, and how.
    pub methods: Vec<String>,
    /// Where the texts are from, and of when.
    pub texts: String,
    /// What was done against texts that stand in the training data or twice.
    pub deduplication: String,
    /// How often what is asked for changes; empty where nothing does.
    pub updates: String,
    /// What an unanswerable question is; empty where there are none.
    pub unanswerable: String,
    /// Settings of a memory: what is an item, how many are replayed, when it refuses; empty without a memory.
    pub memory: String,
    /// Where the memory is when a question is asked: in the prompt, frozen, or live.
    pub protocol: String,
    /// What finds passages, where a method has such a part.
    pub retriever: String,
    /// Processor, instruction set, threads; empty where the model is not here.
    pub machine: String,
    /// Number format of rows, position schedule, budget: what all methods have in common.
    pub setting: String,
    /// How answers were got and scored.
    pub decoding: String,
    /// Seed of the examples.
    pub seed: u64,
    /// The method that the others are compared with.
    pub against: String,
    /// Answers, tokens and seconds in all, and the largest memory.
    pub cost: String,
    /// How p-values were corrected, and for how many comparisons; empty where nothing was compared.
    pub correction: String,
    /// What these figures do not show.
    pub limits: Vec<String>,
}

/// Puts into a card what tasks and records show, where it is empty.
pub(super) fn filled(card: &mut Card, tasks: &[(&dyn Task, &str, Vec<&Record>)]) {
    let records = || tasks.iter().flat_map(|(_, _, records)| records.iter().copied());
    if card.methods.is_empty() {
        card.methods = in_order(records().map(|record| record.method.as_str()));
    }
    let fill = |field: &mut String, text: String| {
        if field.is_empty() {
            *field = text;
        }
    };
    let generated = tasks.iter().filter(|(task, ..)| task.info().sized).count();
    let origin = match (generated, tasks.len() - generated) {
        (_, 0) => "generated from the seed; nothing in them depends on a date",
        (0, _) => {
            "data sets as published; when they and the model's training data were collected was not compared"
        }
        _ => {
            "some generated from the seed, some data sets as published; when those and the model's training data were \
             collected was not compared"
        }
    };
    fill(&mut card.texts, origin.to_owned());
    let dedup = match generated == tasks.len() {
        true => "not needed: what is asked for is drawn anew",
        false => "none: texts were not searched for in the model's training data, nor for each other",
    };
    fill(&mut card.deduplication, dedup.to_owned());
    let with_closed_book = match card.methods.iter().any(|method| method == "closed-book") {
        true => "by closed-book the same questions without it; over a store that changes they were not asked",
        false => "the same questions without it, and over a store that changes, were not asked",
    };
    fill(
        &mut card.protocol,
        format!("the text is given with the question (offline, raw text); {with_closed_book}"),
    );
    let retrievers: Vec<&str> =
        card.methods.iter().filter(|method| method.starts_with("retrieval")).map(String::as_str).collect();
    let retriever = if retrievers.is_empty() { "none".to_owned() } else { retrievers.join("; ") };
    fill(&mut card.retriever, retriever);
    let sum = |of: fn(&Record) -> usize| records().map(of).sum::<usize>();
    let seconds = |of: fn(&Record) -> f64| records().map(of).sum::<f64>();
    let memory = records().map(|record| record.memory_bytes).max().unwrap_or(0) as f64 / 1_048_576.0;
    fill(
        &mut card.cost,
        format!(
            "{} answers; {} tokens read in {:.0} s, {} written in {:.0} s; at most {memory:.1} MiB of contextual memory",
            records().count(),
            sum(|record| record.read_tokens),
            seconds(|record| record.prefill_s),
            sum(|record| record.answer_tokens),
            seconds(|record| record.decode_s)
        ),
    );
}

/// The card as rows of two, under a heading.
pub(super) fn rows(card: &Card) -> Vec<Vec<String>> {
    let mut rows = vec![vec!["what".to_owned(), "value".to_owned()]];
    let mut row = |name: &str, value: &str| {
        if !value.is_empty() {
            rows.push(vec![name.to_owned(), value.to_owned()]);
        }
    };
    row("command", &card.command);
    row("version", &card.version);
    row("models", &card.models.join(", "));
    row("methods", &card.methods.join("; "));
    row("setting", &card.setting);
    row("texts", &card.texts);
    row("deduplication", &card.deduplication);
    row("updates", &card.updates);
    row("unanswerable", &card.unanswerable);
    row("memory", &card.memory);
    row("protocol", &card.protocol);
    row("retriever", &card.retriever);
    row("decoding", &card.decoding);
    row("seed", &card.seed.to_string());
    row("machine", &card.machine);
    row("cost", &card.cost);
    row("compared with", &card.against);
    row("correction", &card.correction);
    row("intervals", "95 %: Wilson for right and wrong, else a percentile bootstrap over examples");
    for limit in &card.limits {
        row("limit", limit);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::super::tests::{record, report_of};

    #[test]
    fn what_records_show_is_filled_in_and_what_is_not_known_is_said() {
        let records = [record("passkey", "full", "a", 1.0), record("passkey", "retrieval:top_k=3", "a", 1.0)];
        let card = report_of(&[("passkey", &records)]).card;
        assert_eq!((card.retriever.as_str(), card.methods.len()), ("retrieval:top_k=3", 2));
        assert!(card.texts.starts_with("generated") && card.deduplication.starts_with("not needed"));
        assert!(card.cost.starts_with("2 answers; 1980 tokens read in 4 s"), "{}", card.cost);
        assert!(card.protocol.ends_with("changes, were not asked"), "{}", card.protocol);
        let closed = [record("passkey", "closed-book", "a", 0.0)];
        let protocol = report_of(&[("passkey", &closed)]).card.protocol;
        assert!(protocol.contains("by closed-book"), "{protocol}");
        let data = [record("loogle", "full", "a", 1.0)];
        let card = report_of(&[("passkey", &records[..1]), ("loogle", &data)]).card;
        assert_eq!(card.retriever, "none");
        assert!(card.texts.contains("not compared") && card.deduplication.starts_with("none"));
        let shown = super::rows(&card);
        for name in ["texts", "deduplication", "protocol", "retriever", "cost", "methods"] {
            assert!(shown.iter().any(|row| row[0] == name), "{name}");
        }
    }
}
