//! Text that is near to a marker which a model copied wrongly.
//!
//! Guessing what was meant would cut the wrong text, so the nearest places are quoted and the model asks again (inferred
//! from the paper's remarks on wrong copies).

/// Most text that is looked through for one marker, in bytes: more would make a wrong call dear.
const MOST_BYTES: usize = 1 << 20;
/// Most places that are quoted, and characters of each.
const MOST_PLACES: usize = 3;
const MOST_CHARACTERS: usize = 80;
/// Fewer characters than this in common are chance.
const LEAST_COMMON: usize = 4;

/// Places in `texts` that are like `marker`: up to three quotations, exactly as they stand.
///
/// Alike is what differs in case, in white space or in the form of quotation marks and hyphens; where nothing is, the places
/// with the longest beginning and the longest end of the marker.
pub(super) fn nearest<'t>(texts: impl IntoIterator<Item = &'t str>, marker: &str) -> Vec<String> {
    let marker = Loose::of(marker).text.trim().to_owned();
    let mut left = MOST_BYTES;
    let mut looked = Vec::new();
    for text in texts {
        let text = text.get(..text.floor_char_boundary(left)).unwrap_or_default();
        left -= text.len();
        looked.push((text, Loose::of(text)));
    }
    if marker.is_empty() {
        return Vec::new();
    }
    let mut found: Vec<String> = Vec::new();
    let mut add = |quoted: Option<String>| {
        if let Some(quoted) = quoted.filter(|quoted| !found.contains(quoted)) {
            found.push(quoted);
        }
        found.len() < MOST_PLACES
    };
    let whole = looked.iter().flat_map(|(text, loose)| {
        loose.text.match_indices(&marker).map(|(at, same)| loose.quote(text, at, at + same.len()))
    });
    for quoted in whole {
        if !add(quoted) {
            break;
        }
    }
    if found.is_empty() {
        return [beginning(&looked, &marker), end(&looked, &marker)].into_iter().flatten().collect();
    }
    found
}

/// The place with the longest beginning of `marker`, as long as the marker.
fn beginning(looked: &[(&str, Loose)], marker: &str) -> Option<String> {
    let borders: Vec<usize> =
        marker.char_indices().map(|(at, _)| at).skip(LEAST_COMMON).chain([marker.len()]).collect();
    let find = |border: usize| {
        let common = marker.get(..border)?;
        looked.iter().find_map(|(text, loose)| Some((*text, loose, loose.text.find(common)?)))
    };
    // A text that holds a beginning holds every shorter one.
    let longest = borders.partition_point(|border| find(*border).is_some()).checked_sub(1)?;
    let (text, loose, at) = find(*borders.get(longest)?)?;
    loose.quote(text, at, (at + marker.len()).min(loose.text.len()))
}

/// The place with the longest end of `marker`, as long as the marker.
fn end(looked: &[(&str, Loose)], marker: &str) -> Option<String> {
    let borders: Vec<usize> = marker.char_indices().rev().map(|(at, _)| at).skip(LEAST_COMMON - 1).collect();
    let find = |border: usize| {
        let common = marker.get(border..)?;
        looked.iter().find_map(|(text, loose)| Some((*text, loose, loose.text.find(common)? + common.len())))
    };
    let longest = borders.partition_point(|border| find(*border).is_some()).checked_sub(1)?;
    let (text, loose, behind) = find(*borders.get(longest)?)?;
    loose.quote(text, behind.saturating_sub(marker.len()), behind)
}

/// A text without what models copy wrongly, and where each byte of it came from.
struct Loose {
    text: String,
    /// Byte of the original for each byte of `text`.
    from: Vec<usize>,
}

impl Loose {
    fn of(original: &str) -> Self {
        let (mut text, mut from) =
            (String::with_capacity(original.len()), Vec::with_capacity(original.len()));
        for (at, character) in original.char_indices() {
            let character = match character {
                character if character.is_whitespace() => ' ',
                '“' | '”' | '„' | '«' | '»' => '"',
                '‘' | '’' | '‚' | '`' => '\'',
                '‐' | '‑' | '–' | '—' => '-',
                // Where lower case is several characters, the first is like enough.
                character => character.to_lowercase().next().unwrap_or(character),
            };
            if character == ' ' && text.ends_with(' ') {
                continue;
            }
            text.push(character);
            from.resize(text.len(), at);
        }
        Self { text, from }
    }

    /// What stands in `original` between two bytes of this, at most 80 characters of it.
    fn quote(&self, original: &str, start: usize, end: usize) -> Option<String> {
        let first = *self.from.get(start)?;
        let last = *self.from.get(end.checked_sub(1)?)?;
        let behind = last + original.get(last..)?.chars().next()?.len_utf8();
        let quoted = original.get(first..behind)?;
        Some(quoted.chars().take(MOST_CHARACTERS).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn places_by_hand() {
        let text = "He said:  “The Key\nof gold” – twice. The key of gold.";
        assert_eq!(nearest([text], "the key of gold"), ["The Key\nof gold", "The key of gold"]);
        assert_eq!(nearest([text], "said: \"the key"), ["said:  “The Key"]);
        // A quotation mark between: the beginning and the end that are right.
        assert_eq!(nearest(["Straße İx", text], "GOLD - Twice"), ["gold” – twic", "old” – twice"]);
        assert_eq!(nearest([text], "He said: no"), ["He said:  “T"]);
        assert_eq!(nearest([text], "silver of gold."), ["he key of gold."], "as long as the marker");
        assert!(
            nearest([text], "xyz").is_empty()
                && nearest([text], " ").is_empty()
                && nearest([], "a").is_empty()
        );
        assert_eq!(nearest(["a a a a"], "A"), ["a"]);
        assert_eq!(nearest(["x".repeat(500).as_str()], &"X".repeat(200)), ["x".repeat(80)]);
    }

    #[test]
    fn not_everything_is_looked_through() {
        let long = "é ".repeat(MOST_BYTES / 2);
        assert!(nearest([long.as_str(), "Needle"], "needle").is_empty());
        assert_eq!(nearest(["Needle", long.as_str()], "needle"), ["Needle"]);
    }

    proptest! {
        #[test]
        fn quotations_stand_in_the_text(text in "[a-cA-C“ é\\nİ]{0,60}", marker in "[a-cA-C“ é]{0,12}") {
            for quoted in nearest([text.as_str()], &marker) {
                prop_assert!(text.contains(&quoted), "{quoted:?} in {text:?}");
            }
        }
    }
}
