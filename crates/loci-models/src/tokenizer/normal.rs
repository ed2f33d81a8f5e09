//! Unicode normalisation form C with a way back to the bytes of the original text.

use std::borrow::Cow;

use unicode_normalization::char::canonical_combining_class;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// A text and, where it differs from the original, which bytes came from where.
#[derive(Debug)]
pub(super) struct Normalised<'t> {
    pub(super) text: Cow<'t, str>,
    /// `(start here, start in the original)` of each stretch; within one, bytes correspond one to one as far as
    /// both reach. Empty when nothing changed.
    stretches: Vec<(usize, usize)>,
    original_len: usize,
}

/// No composition can reach back over this character.
fn starts_anew(symbol: char) -> bool {
    symbol.is_ascii()
        || (canonical_combining_class(symbol) == 0
            && is_nfc_quick(std::iter::once(symbol)) == IsNormalized::Yes)
}

impl<'t> Normalised<'t> {
    /// `text` as it is.
    pub(super) fn unchanged(text: &'t str) -> Self {
        Self { text: Cow::Borrowed(text), stretches: Vec::new(), original_len: text.len() }
    }

    /// `text` in form C.
    pub(super) fn nfc(text: &'t str) -> Self {
        if is_nfc_quick(text.chars()) == IsNormalized::Yes {
            return Self::unchanged(text);
        }
        let mut out = String::with_capacity(text.len());
        let mut stretches = Vec::new();
        let mut begin = 0;
        let mut flush = |begin: usize, end: usize, out: &mut String| {
            let Some(part) = text.get(begin..end) else { return };
            let here = out.len();
            out.extend(part.nfc());
            // A new stretch after each one whose length changed keeps the list short.
            stretches.push((here, begin));
        };
        for (at, symbol) in text.char_indices() {
            if at > begin && starts_anew(symbol) {
                flush(begin, at, &mut out);
                begin = at;
            }
        }
        flush(begin, text.len(), &mut out);
        stretches.dedup_by(|next, kept| next.0 - kept.0 == next.1 - kept.1);
        Self { text: Cow::Owned(out), stretches, original_len: text.len() }
    }

    /// The byte of the original that byte `at` of the normalised text came from; grows with `at`, and the end is
    /// mapped to the end.
    pub(super) fn original(&self, at: usize) -> usize {
        if at >= self.text.len() {
            return self.original_len;
        }
        let index = self.stretches.partition_point(|(here, _)| *here <= at);
        let Some(&(here, there)) = index.checked_sub(1).and_then(|index| self.stretches.get(index)) else {
            return at;
        };
        let end = self.stretches.get(index).map_or(self.original_len, |(_, next)| *next);
        (there + (at - here)).min(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pieces_normalise_as_the_whole_and_map_back_in_order(text in "[a-c e\u{301}\u{300}\u{327}가-각\u{1100}-\u{1112}\u{1161}-\u{1175}\u{212b}\u{958}]{0,12}") {
            let normal = Normalised::nfc(&text);
            prop_assert_eq!(normal.text.as_ref(), text.nfc().collect::<String>());
            let mut last = 0;
            for at in 0..=normal.text.len() {
                let back = normal.original(at);
                prop_assert!(back >= last && back <= text.len());
                last = back;
            }
            prop_assert_eq!(last, text.len());
        }
    }

    #[test]
    fn text_after_a_change_maps_exactly() {
        let text = "e\u{301} tea";
        let normal = Normalised::nfc(text);
        assert_eq!(normal.text, "é tea");
        assert_eq!(normal.original(3), 4);
        assert_eq!(&text[normal.original(3)..], "tea");
    }
}
