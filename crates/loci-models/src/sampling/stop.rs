//! Strings at which an answer stops, found in a stream.

use super::SamplingError;

/// Lets text through up to the first stop string, and holds back what may be the beginning of one.
///
/// Of several stop strings the one that is complete first wins, and of those that end together the longest; so the
/// result does not depend on how the text was cut. No stop string is ever let through.
#[derive(Clone, Debug)]
pub struct StopStrings {
    stops: Vec<String>,
    held: String,
    stopped: Option<usize>,
}

impl StopStrings {
    /// A matcher for `stops`; none means that everything is let through.
    ///
    /// # Errors
    /// [`SamplingError::EmptyStop`] for an empty string.
    pub fn new(stops: impl IntoIterator<Item = impl Into<String>>) -> Result<Self, SamplingError> {
        let stops: Vec<String> = stops.into_iter().map(Into::into).collect();
        match stops.iter().position(String::is_empty) {
            Some(index) => Err(SamplingError::EmptyStop { index }),
            None => Ok(Self { stops, held: String::new(), stopped: None }),
        }
    }

    /// Takes the next text; returns what can be shown. After a stop string nothing more comes.
    pub fn push(&mut self, text: &str) -> String {
        if self.stopped.is_some() {
            return String::new();
        }
        self.held.push_str(text);
        let found = self.stops.iter().enumerate().filter_map(|(index, stop)| {
            let start = self.held.find(stop.as_str())?;
            Some((start + stop.len(), start, index))
        });
        if let Some((_, start, index)) = found.min() {
            self.stopped = Some(index);
            self.held.truncate(start);
            return std::mem::take(&mut self.held);
        }
        let keep = self.stops.iter().map(|stop| longest_beginning(&self.held, stop)).max().unwrap_or(0);
        let rest = self.held.split_off(self.held.len() - keep);
        std::mem::replace(&mut self.held, rest)
    }

    /// Ends the text: what was held back was no stop string.
    pub fn finish(self) -> String {
        self.held
    }

    /// The stop string that was found.
    pub fn stopped(&self) -> Option<&str> {
        self.stops.get(self.stopped?).map(String::as_str)
    }
}

/// Length of the longest end of `text` with which `stop` begins, shorter than `stop`.
pub fn longest_beginning(text: &str, stop: &str) -> usize {
    let lengths = stop.char_indices().map(|(at, _)| at).rev();
    lengths.into_iter().find(|length| text.as_bytes().ends_with(&stop.as_bytes()[..*length])).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition: try every end, and for it every stop string, the longest first.
    fn plain<'t>(text: &'t str, stops: &[String]) -> &'t str {
        for end in 0..=text.len() {
            let before = &text.as_bytes()[..end];
            let longest =
                stops.iter().filter(|stop| before.ends_with(stop.as_bytes())).map(String::len).max();
            if let Some(length) = longest {
                return &text[..end - length];
            }
        }
        text
    }

    proptest! {
        #[test]
        fn any_cutting_gives_the_text_up_to_the_first_stop(
            text in "[abé]{0,30}",
            stops in prop::collection::vec("[abé]{1,4}", 0..4),
            cuts in prop::collection::vec(1_usize..5, 0..30),
        ) {
            let mut matcher = StopStrings::new(stops.clone()).unwrap();
            let mut out = String::new();
            let mut symbols = text.chars().peekable();
            let mut cuts = cuts.into_iter().chain(std::iter::repeat(1));
            while symbols.peek().is_some() {
                let piece: String = symbols.by_ref().take(cuts.next().unwrap()).collect();
                out.push_str(&matcher.push(&piece));
                prop_assert!(stops.iter().all(|stop| !out.contains(stop.as_str())));
            }
            let expected = plain(&text, &stops);
            prop_assert_eq!(matcher.stopped().is_some(), expected.len() < text.len());
            out.push_str(&matcher.finish());
            prop_assert_eq!(out, expected);
        }
    }

    #[test]
    fn only_what_may_be_a_beginning_is_held_back() {
        let mut matcher = StopStrings::new(["\nUser:"]).unwrap();
        assert_eq!(matcher.push("Yes.\nUs"), "Yes.");
        assert_eq!(matcher.push("ing"), "\nUsing");
        assert_eq!(matcher.push(" it\nUser: no"), " it");
        assert_eq!(matcher.stopped(), Some("\nUser:"));
        assert_eq!(matcher.push("more"), "");
    }

    #[test]
    fn empty_stops_are_refused() {
        assert_eq!(StopStrings::new(["a", ""]).unwrap_err(), SamplingError::EmptyStop { index: 1 });
    }
}
