//! Items of the six data sets of LongICLBench: how they are read, shown, chosen and answered.

use std::collections::BTreeMap;
use std::path::Path;

use super::catalogue::DataSet;
use super::files::{Record, records};
use crate::error::EvalError;

/// Which data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Banking,
    Emotions,
    Discovery,
    Tacred,
    Entities,
    Dialogue,
}

/// Something to be labelled.
#[derive(Clone, Debug, Default)]
pub(super) struct Item {
    /// What is labelled, alone.
    pub(super) text: String,
    /// Text and cue.
    pub(super) question: String,
    /// The answer as it is shown.
    pub(super) gold: String,
    /// Its one label, where it has one.
    pub(super) label: String,
    /// How many labels are wanted.
    pub(super) wanted: usize,
}

/// What an answer says.
pub(super) enum Answer {
    /// A label.
    Label(String),
    /// Several labels: how many, and how many are right.
    Counted { right: Box<dyn Fn(&str) -> f64>, predicted: f64 },
}

impl Kind {
    pub(super) const ALL: [Self; 6] =
        [Self::Banking, Self::Emotions, Self::Discovery, Self::Tacred, Self::Entities, Self::Dialogue];

    pub(super) const fn id(self) -> &'static str {
        match self {
            Self::Banking => "banking77",
            Self::Emotions => "goemotions",
            Self::Discovery => "discovery",
            Self::Tacred => "tacred",
            Self::Entities => "few-nerd",
            Self::Dialogue => "dialogre",
        }
    }

    pub(super) const fn wanted(self) -> &'static str {
        match self {
            Self::Banking => "the intent",
            Self::Emotions => "the emotion",
            Self::Discovery => "the conjunction",
            Self::Tacred => "the relation",
            Self::Entities => "the named entities and their types",
            Self::Dialogue => "the relations, one for each pair of entities and in their order,",
        }
    }

    pub(super) const fn is_classification(self) -> bool {
        !matches!(self, Self::Entities | Self::Dialogue)
    }

    /// Items shown in rounds 1 to 5, where that is fixed.
    const fn shots(self) -> Option<[usize; 5]> {
        match self {
            Self::Entities => Some([57, 114, 170, 224, 281]),
            Self::Dialogue => Some([34, 67, 99, 131, 163]),
            _ => None,
        }
    }

    pub(super) const fn most_rounds(self) -> usize {
        if self.is_classification() { 10 } else { 5 }
    }

    /// Rounds of test items.
    pub(super) const fn test_rounds(self) -> usize {
        match self {
            Self::Banking => 7,
            Self::Emotions => 25,
            Self::Discovery => 4,
            _ => 0,
        }
    }

    /// Where the answer of one line, or the next item, ends it.
    pub(super) fn stop(self) -> Vec<String> {
        let stop = if self == Self::Entities { "\nSentence" } else { "\n" };
        vec![stop.to_owned()]
    }

    /// Name of the field that stands before a text, and the last words of the cue.
    const fn fields(self) -> (&'static str, &'static str) {
        match self {
            Self::Banking => ("service query", "intent category:"),
            Self::Emotions => ("comment", "emotion category:"),
            Self::Discovery => ("\n", "previous ( ) is"),
            Self::Tacred => ("sentence", "between the two entities is:"),
            Self::Entities => ("Sentence", ""),
            Self::Dialogue => ("Dialogue", "each entity pair are:"),
        }
    }

    /// What `answer` says about `text`.
    pub(super) fn answer(self, text: &str, answer: &str) -> Answer {
        let (field, cue) = self.fields();
        let behind = match answer.rsplit_once(text).filter(|_| !text.is_empty()) {
            Some((_, behind)) => behind.split_once(cue).map_or(behind, |(_, behind)| behind),
            None => answer,
        };
        if self == Self::Entities {
            let mut given = BTreeMap::new();
            for line in behind.trim().lines() {
                match line.rsplit_once(": ").filter(|_| !line.to_lowercase().starts_with("sentence")) {
                    Some((entity, kind)) => given.insert(entity.trim().to_owned(), kind.trim().to_owned()),
                    None => break,
                };
            }
            let predicted = given.len() as f64;
            let right = move |gold: &str| {
                let gold = gold.lines().filter_map(|line| line.rsplit_once(": "));
                gold.filter(|(entity, kind)| given.get(*entity).is_some_and(|given| given == kind)).count()
                    as f64
            };
            return Answer::Counted { right: Box::new(right), predicted };
        }
        let line = behind.trim().split(field).next().unwrap_or("").trim().lines().next().unwrap_or("").trim();
        if self == Self::Dialogue {
            let given: Vec<String> =
                line.split(',').map(|one| one.trim().to_owned()).filter(|one| one.contains(':')).collect();
            let predicted = given.len() as f64;
            let right = move |gold: &str| {
                let pairs = gold.split(", ").zip(&given);
                pairs.filter(|(gold, given)| given.contains(gold)).count() as f64
            };
            return Answer::Counted { right: Box::new(right), predicted };
        }
        Answer::Label(line.to_owned())
    }
}

/// The items of a file.
///
/// # Errors
/// [`EvalError::Line`] for records that are not of the data set's form.
pub(super) fn items(kind: Kind, root: &Path, set: &DataSet, path: &Path) -> Result<Vec<Item>, EvalError> {
    let mut items = Vec::new();
    let all = records(path)?;
    if kind == Kind::Dialogue {
        return dialogues(&all);
    }
    let names = numbered(kind, root, set)?;
    for record in all {
        match kind {
            Kind::Banking => {
                let text = record.text("text")?;
                let question = format!("service query: {text}\nintent category: ");
                items.push(labelled(text, question, record.text("category")?.to_owned()));
            }
            Kind::Emotions => {
                let labels = record.list("labels")?;
                if let [label] = labels {
                    let text = record.text("text")?;
                    let label = named(kind, &record, label, &names)?;
                    items.push(labelled(text, format!("comment: {text}\nemotion category: "), label));
                }
            }
            Kind::Discovery => {
                let text = format!("{} ( ) {}", record.text("sentence1")?, record.text("sentence2")?);
                let label = named(kind, &record, record.value("label")?, &names)?;
                let cue = "the most suitable conjunction word in the previous ( ) is ";
                items.push(labelled(&text, format!("{text}\n{cue}"), label));
            }
            Kind::Tacred => {
                let text = record.text("sentence")?;
                let question = format!(
                    "sentence: {text}\nthe subject is {} and the object is {}\n\
                     the relation between the two entities is: ",
                    record.text("subject_entity")?,
                    record.text("object_entity")?
                );
                items.push(labelled(text, question, record.text("relation")?.to_owned()));
            }
            _ => items.push(entities(&record)?),
        }
    }
    Ok(items)
}

fn labelled(text: &str, question: String, label: String) -> Item {
    Item { text: text.to_owned(), question, gold: label.clone(), label, wanted: 1 }
}

fn entities(record: &Record) -> Result<Item, EvalError> {
    let text = record.text("sentence")?;
    let of = record.record("entities")?;
    let mut lines = Vec::new();
    for entity in of.names() {
        lines.push((text.find(entity), format!("{entity}: {}", of.text(entity)?)));
    }
    // In the order of the sentence: that of the file is lost where objects are sorted by name.
    lines.sort();
    let lines: Vec<String> = lines.into_iter().map(|(_, line)| line).collect();
    if lines.is_empty() {
        return Err(record.error("field \"entities\" is empty"));
    }
    Ok(Item {
        text: text.to_owned(),
        question: format!("Sentence: {text}\n"),
        gold: lines.join("\n"),
        label: String::new(),
        wanted: lines.len(),
    })
}

/// Dialogues with all their pairs, whether a record has one relation or a list of them.
fn dialogues(all: &[Record]) -> Result<Vec<Item>, EvalError> {
    let mut merged: Vec<(String, Vec<[String; 3]>)> = Vec::new();
    for record in all {
        let dialogue = record.text("dialogue")?;
        let of = if record.has("relations") { record.records("relations")? } else { vec![record.clone()] };
        if of.is_empty() {
            return Err(record.error("field \"relations\" is empty"));
        }
        for pair in of {
            let [relation, subject, object] =
                ["relation", "subject_entity", "object_entity"].map(|name| pair.text(name));
            let pair = [relation?.to_owned(), subject?.to_owned(), object?.to_owned()];
            match merged.iter_mut().find(|(other, _)| other == dialogue) {
                Some((_, pairs)) => pairs.push(pair),
                None => merged.push((dialogue.to_owned(), vec![pair])),
            }
        }
    }
    let item = |(text, pairs): (String, Vec<[String; 3]>)| {
        let of: Vec<String> =
            pairs.iter().map(|[_, subject, object]| format!("('{subject}', '{object}')")).collect();
        let count = pairs.len();
        let question = format!(
            "Dialogue: \n{text}\nThe list of {count} entity pairs are {}\nThe {count} respective relations between \
             each entity pair are: ",
            of.join(", ")
        );
        let gold: Vec<String> = pairs.into_iter().map(|[relation, ..]| relation).collect();
        Item { text, question, gold: gold.join(", "), label: String::new(), wanted: count }
    };
    Ok(merged.into_iter().map(item).collect())
}

fn labels_file(kind: Kind) -> String {
    format!("{}_labels.json", kind.id())
}

/// Names of labels that are numbers in the data, where the folder has them.
fn numbered(kind: Kind, root: &Path, set: &DataSet) -> Result<BTreeMap<String, String>, EvalError> {
    let Some(path) = set.file(root, &[labels_file(kind).as_str()]) else { return Ok(BTreeMap::new()) };
    let record = super::files::object(&path)?;
    record.names().into_iter().map(|name| Ok((name.to_owned(), record.text(name)?.to_owned()))).collect()
}

fn named(
    kind: Kind,
    record: &Record,
    label: &serde_json::Value,
    names: &BTreeMap<String, String>,
) -> Result<String, EvalError> {
    match label {
        serde_json::Value::String(name) => Ok(name.clone()),
        serde_json::Value::Number(number) => names.get(&number.to_string()).cloned().ok_or_else(|| {
            record.error(format!(
                "label {number} has no name; give them in {} as {{\"0\": …}}",
                labels_file(kind)
            ))
        }),
        _ => Err(record.error("a label should be a text or a number")),
    }
}

/// Labels in the order in which they first occur.
pub(super) fn labels_of(items: &[Item]) -> Vec<String> {
    let mut labels: Vec<String> = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    labels.extend(items.iter().filter(|item| seen.insert(&item.label)).map(|item| item.label.clone()));
    labels
}

/// Items of `rounds` rounds: of each round one of every label; the next unused of a later label where one ran out.
/// All, where `rounds` is 0.
pub(super) fn select(kind: Kind, items: &[Item], rounds: usize) -> Vec<Item> {
    if rounds == 0 {
        return items.to_vec();
    }
    if let Some(shots) = kind.shots() {
        let count = shots.get(rounds - 1).copied().unwrap_or(items.len());
        return by_pairs(kind, items, count);
    }
    if kind == Kind::Tacred {
        return in_passing(items, rounds);
    }
    let labels = labels_of(items);
    let mut left: Vec<std::collections::VecDeque<&Item>> =
        labels.iter().map(|label| items.iter().filter(|item| item.label == *label).collect()).collect();
    let mut chosen = Vec::new();
    for _ in 0..rounds {
        for at in 0..labels.len() {
            let next = left.iter_mut().skip(at).find_map(std::collections::VecDeque::pop_front);
            chosen.extend(next.cloned());
        }
    }
    chosen
}

/// The first `count` sentences, or dialogues until they have `count` pairs.
fn by_pairs(kind: Kind, items: &[Item], count: usize) -> Vec<Item> {
    let mut left = count;
    let mut chosen = Vec::new();
    for item in items {
        let takes = if kind == Kind::Dialogue { item.wanted } else { 1 };
        if left == 0 {
            break;
        }
        left = left.saturating_sub(takes);
        chosen.push(item.clone());
    }
    chosen
}

/// Walks the items once: one is taken if its label is not in the round; a round with all labels begins the next.
fn in_passing(items: &[Item], rounds: usize) -> Vec<Item> {
    let labels = labels_of(items).len();
    let (mut round, mut done, mut chosen) = (std::collections::BTreeSet::new(), 0, Vec::new());
    for item in items {
        if done < rounds && round.insert(&item.label) {
            chosen.push(item.clone());
            if round.len() == labels {
                round.clear();
                done += 1;
            }
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(labels: &str) -> Vec<Item> {
        labels.chars().map(|label| labelled("t", String::new(), label.to_string())).collect()
    }

    fn chosen(kind: Kind, labels: &str, rounds: usize) -> String {
        select(kind, &of(labels), rounds).iter().map(|item| item.label.as_str()).collect()
    }

    #[test]
    fn a_label_that_ran_out_is_replaced_by_a_later_one() {
        assert_eq!(chosen(Kind::Banking, "aaabbbc", 2), "abcab");
        assert_eq!(chosen(Kind::Banking, "abbbccc", 2), "abcbbc");
        assert_eq!(chosen(Kind::Tacred, "aabcab", 2), "abcab");
        assert_eq!(chosen(Kind::Tacred, "aabcab", 1), "abc");
    }

    #[test]
    fn echoed_items_are_cut_off() {
        let label = |answer: &str| match Kind::Banking.answer("my card", answer) {
            Answer::Label(label) => label,
            Answer::Counted { .. } => String::new(),
        };
        assert_eq!(label("service query: my card\nintent category: lost\nservice query: x"), "lost");
        assert_eq!((label(" lost \nother"), label("")), ("lost".to_owned(), String::new()));
    }
}
