//! The conflict rule: of several items about one thing, which one counts.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::Serialize;

use crate::record::{Content, Item, State};
use crate::time::Time;

/// Where an item stands among those about the same thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "standing")]
pub enum Standing {
    /// Nothing speaks against it.
    Current,
    /// It is not true at the time that was asked about.
    NotThen,
    /// Another one found is true as well, and better believed or newer.
    Outdone {
        /// That item.
        by: String,
    },
    /// Another one found says something else, and nothing decides between them: answer with both, or not.
    Tied {
        /// That item.
        with: String,
    },
}

/// The standing of each item at `at`, in their order. The rule (memory governance): true at that time first, then trust, then what
/// was learned or became true last. Items without a topic, and those whose topic nobody shares, have no rivals.
pub(crate) fn standings(items: &[&Item], at: Time) -> Vec<Standing> {
    let mut topics: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, item) in items.iter().enumerate() {
        if let Some(topic) = item.content.as_ref().and_then(|content| content.topic.as_deref()) {
            topics.entry(topic).or_default().push(place);
        }
    }
    let mut standings: Vec<Standing> = items
        .iter()
        .map(|item| match item.content.as_ref().is_some_and(|content| content.is_valid(at)) {
            true => Standing::Current,
            false => Standing::NotThen,
        })
        .collect();
    for rivals in topics.values() {
        // Only what is true then takes part; a superseded one only where its successor is not true yet.
        let mut able: Vec<(usize, &Item, &Content)> = rivals
            .iter()
            .filter_map(|place| Some((*place, *items.get(*place)?)))
            .filter_map(|(place, item)| Some((place, item, item.content.as_ref()?)))
            .filter(|(_, _, content)| content.is_valid(at))
            .collect();
        able.sort_by(|(_, one, of_one), (_, other, of_other)| better((other, of_other), (one, of_one)));
        let Some((_, best, of_best)) = able.first().copied() else { continue };
        for (place, item, content) in able.iter().skip(1) {
            let tied =
                better((best, of_best), (item, content)) == Ordering::Equal && of_best.text != content.text;
            let standing = match tied {
                true => Standing::Tied { with: best.id.clone() },
                false => Standing::Outdone { by: best.id.clone() },
            };
            if let Some(own) = standings.get_mut(*place) {
                *own = standing;
            }
        }
        let tied = able
            .iter()
            .skip(1)
            .find(|(place, ..)| matches!(standings.get(*place), Some(Standing::Tied { .. })));
        if let (Some((_, other, _)), Some((place, ..))) = (tied, able.first())
            && let Some(own) = standings.get_mut(*place)
        {
            *own = Standing::Tied { with: other.id.clone() };
        }
    }
    standings
}

/// Which of two items that are true counts more.
fn better((one, of_one): (&Item, &Content), (other, of_other): (&Item, &Content)) -> Ordering {
    let in_use = |item: &Item| item.state != State::Superseded;
    (in_use(one), of_one.trust, one.when()).cmp(&(in_use(other), of_other.trust, other.when()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Kind, Trust};

    fn item(id: &str, topic: Option<&str>, trust: u8, from: Option<&str>, until: Option<&str>) -> Item {
        let time = |text: &str| text.parse().unwrap();
        Item {
            id: id.to_owned(),
            row: 0,
            content: Some(Content {
                text: format!("says {id}"),
                kind: Kind::Fact,
                topic: topic.map(str::to_owned),
                trust: Trust::try_from(trust).unwrap(),
                valid_from: from.map(time),
                valid_until: until.map(time),
                ..Content::note("")
            }),
            learned: time("2023-01-01"),
            state: State::Released,
            superseded_by: None,
            held_for: Vec::new(),
            digest: String::new(),
            salt: None,
        }
    }

    fn at(items: &[Item], time: &str) -> Vec<Standing> {
        standings(&items.iter().collect::<Vec<_>>(), time.parse().unwrap())
    }

    #[test]
    fn true_then_trusted_then_newest() {
        let outdone = |by: &str| Standing::Outdone { by: by.to_owned() };
        let items = [
            item("a", Some("home"), 80, Some("2020-01-01"), None),
            item("b", Some("home"), 80, Some("2022-01-01"), None),
            item("c", Some("home"), 40, Some("2022-06-01"), None),
            item("d", Some("dog"), 40, None, Some("2021-01-01")),
            item("e", None, 10, None, None),
        ];
        assert_eq!(
            at(&items, "2023-01-01"),
            [outdone("b"), Standing::Current, outdone("b"), Standing::NotThen, Standing::Current]
        );
        // Before b was true, a counted.
        assert_eq!(
            at(&items, "2020-06-01"),
            [Standing::Current, Standing::NotThen, Standing::NotThen, Standing::Current, Standing::Current]
        );
    }

    #[test]
    fn what_nothing_decides_is_tied() {
        let items = [
            item("a", Some("home"), 80, Some("2020-01-01"), None),
            item("b", Some("home"), 80, Some("2020-01-01"), None),
        ];
        let tied = |with: &str| Standing::Tied { with: with.to_owned() };
        assert_eq!(at(&items, "2021-01-01"), [tied("b"), tied("a")]);
        let mut same = items.clone();
        same[1].content = same[0].content.clone();
        assert_eq!(at(&same, "2021-01-01"), [Standing::Current, Standing::Outdone { by: "a".to_owned() }]);
        let mut old = items;
        old[0].state = State::Superseded;
        assert_eq!(at(&old, "2021-01-01"), [Standing::Outdone { by: "b".to_owned() }, Standing::Current]);
    }
}
