//! Lists of random pairs, written as JSON objects.

use loci_context::random::Random;

use super::draw::{Form, Fresh};

/// Pairs of which no text occurs twice, in the order drawn.
pub(super) struct Pairs {
    random: Random,
    fresh: Fresh,
    key: Form,
    value: Form,
    made: Vec<(String, String)>,
}

impl Pairs {
    /// No pair yet; keys and values will have these forms.
    pub(super) fn new(random: Random, key: Form, value: Form) -> Self {
        Self { random, fresh: Fresh::new(), key, value, made: Vec::new() }
    }

    /// The first `count` pairs; the same ones whenever it is called.
    pub(super) fn take(&mut self, count: usize) -> &[(String, String)] {
        while self.made.len() < count {
            let key = self.fresh.draw(&mut self.random, self.key);
            let value = self.fresh.draw(&mut self.random, self.value);
            self.made.push((key, value));
        }
        self.made.get(..count).unwrap_or(&[])
    }
}

/// One JSON object, one pair a line.
pub(super) fn json(pairs: &[(String, String)]) -> String {
    let lines: Vec<String> = pairs.iter().map(|(key, value)| format!("\"{key}\": \"{value}\"")).collect();
    format!("{{{}}}", lines.join(",\n"))
}

/// The pairs of the object that [`json`] wrote somewhere in `text`.
pub(super) fn read_json(text: &str) -> Vec<(&str, &str)> {
    let object =
        text.split_once('{').and_then(|(_, behind)| behind.split_once('}')).map_or("", |(object, _)| object);
    object
        .lines()
        .filter_map(|line| {
            let (key, value) = line.trim_end_matches(',').split_once(": ")?;
            Some((key.trim_matches('"'), value.trim_matches('"')))
        })
        .collect()
}

/// The first text in double quotes.
pub(super) fn quoted(text: &str) -> Option<&str> {
    text.split('"').nth(1)
}

/// The index of `count` items at a share from 0 to 1; 0 when there are none.
pub(super) fn index_at(share: f64, count: usize) -> usize {
    (share.clamp(0.0, 1.0) * count.saturating_sub(1) as f64).round() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_json_and_read_again() {
        let mut pairs = Pairs::new(Random::new(5), Form::Uuid, Form::Words);
        let taken = pairs.take(20).to_vec();
        assert_eq!(pairs.take(5), &taken[..5]);
        let text = json(&taken);
        let read: std::collections::BTreeMap<String, String> = serde_json::from_str(&text).unwrap();
        assert_eq!(read.len(), 20);
        let again: Vec<(String, String)> =
            read_json(&text).into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        assert_eq!(again, taken);
        assert_eq!(
            (index_at(0.0, 11), index_at(0.5, 11), index_at(1.0, 11), index_at(1.0, 0)),
            (0, 5, 10, 0)
        );
    }
}
