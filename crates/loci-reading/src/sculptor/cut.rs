//! Where a text is cut into fragments.
//!
//! The paper asks for pieces and does not say where they end. Here (inferred) a text of `n` characters is to be cut behind
//! every `n / pieces` characters; a cut moves on to the next line break, or else to the end of the next white space, as far
//! as it stands before where the next cut was to be; where there is neither, it stays. So there are as many pieces as were
//! asked for, and no line is split where lines are shorter than pieces.

use std::ops::Range;

/// Cuts `text` into `pieces`, or into its characters where it has fewer: byte ranges that cover it, none empty.
pub(super) fn cut(text: &str, pieces: usize) -> Vec<Range<usize>> {
    let characters = text.chars().count();
    let pieces = pieces.min(characters);
    if pieces == 0 {
        return Vec::new();
    }
    let mut cuts: Vec<Cut> = Vec::with_capacity(pieces);
    let mut before = None;
    for (number, (byte, character)) in text.char_indices().enumerate() {
        // Number of cuts that were to be at or before this character: the k-th is at ⌊k · n / pieces⌋.
        let due = ((number + 1) * pieces).div_ceil(characters) - 1;
        if due > cuts.len() {
            cuts.push(Cut { byte, quality: 0 });
        }
        let quality = match before {
            Some('\n') => 2,
            Some(before) if char::is_whitespace(before) => 1,
            _ => 0,
        };
        if let Some(cut) = cuts.last_mut().filter(|cut| cut.quality < quality) {
            *cut = Cut { byte, quality };
        }
        before = Some(character);
    }
    let ends = cuts.iter().map(|cut| cut.byte).chain([text.len()]);
    let mut start = 0;
    ends.map(|end| std::mem::replace(&mut start, end)..end).collect()
}

/// A place to cut, and how good it is: 2 behind a line break, 1 behind white space, 0 anywhere.
struct Cut {
    byte: usize,
    quality: u8,
}

/// How many of `pieces` each part of these lengths gets: at least one, the others in proportion to length; nothing where there
/// are more parts than pieces.
pub(super) fn shares(lengths: &[usize], pieces: usize) -> Option<Vec<usize>> {
    let mut shares = vec![1; lengths.len()];
    for _ in 0..pieces.checked_sub(lengths.len())? {
        // Each further piece goes where pieces are longest, the first of equals.
        let longer = |one: usize, other: usize| {
            let product = |length: usize, share: usize| length as u128 * share as u128;
            let length = |at: usize| lengths.get(at).copied().unwrap_or(0);
            let share = |at: usize| shares.get(at).copied().unwrap_or(1);
            product(length(one), share(other)) > product(length(other), share(one))
        };
        let best = (1..lengths.len()).fold(0, |best, at| if longer(at, best) { at } else { best });
        if let Some(share) = shares.get_mut(best) {
            *share += 1;
        }
    }
    Some(shares)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(text: &str, pieces: usize) -> Vec<&str> {
        cut(text, pieces).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn cuts_by_hand() {
        assert_eq!(of("a: 1\nb: 2\nc: 3\nd: 4\n", 2), ["a: 1\nb: 2\n", "c: 3\nd: 4\n"]);
        assert_eq!(of("a: 1\nb: 2\nc: 3\n", 2), ["a: 1\nb: 2\n", "c: 3\n"]);
        assert_eq!(of("one two three four", 3), ["one two ", "three ", "four"]);
        assert_eq!(of("一二三四五", 2), ["一二", "三四五"]);
        assert_eq!(of("ab", 5), ["a", "b"]);
        assert_eq!(of("abc", 1), ["abc"]);
        assert!(of("", 3).is_empty());
    }

    #[test]
    fn shares_by_hand() {
        assert_eq!(shares(&[100, 300], 4), Some(vec![1, 3]));
        assert_eq!(shares(&[1, 1_000], 5), Some(vec![1, 4]));
        assert_eq!(shares(&[10, 10, 10], 3), Some(vec![1, 1, 1]));
        assert_eq!(shares(&[10, 10, 10], 4), Some(vec![2, 1, 1]));
        assert_eq!(shares(&[10, 10, 10], 2), None);
    }

    /// The rule as it is written down, by trying every place.
    fn by_rule(text: &str, pieces: usize) -> Vec<usize> {
        let characters: Vec<(usize, char)> = text.char_indices().collect();
        let pieces = pieces.min(characters.len());
        let target = |k: usize| k * characters.len() / pieces;
        let choose = |k: usize| {
            let places = || target(k)..target(k + 1).min(characters.len());
            let behind = |at: usize| characters[at - 1].1;
            places()
                .find(|at| behind(*at) == '\n')
                .or_else(|| places().find(|at| behind(*at).is_whitespace()))
                .unwrap_or(target(k))
        };
        (1..pieces).map(|k| characters[choose(k)].0).collect()
    }

    proptest! {
        #[test]
        fn cuts_are_those_of_the_rule(text in "([a-cé一]{1,4}|[ \\n\\t]){0,40}", pieces in 1..=20_usize) {
            let ranges = cut(&text, pieces);
            let ends: Vec<usize> = ranges.iter().map(|range| range.end).collect();
            prop_assert_eq!(ranges.len(), pieces.min(text.chars().count()));
            if let Some((last, cuts)) = ends.split_last() {
                prop_assert_eq!(*last, text.len());
                prop_assert_eq!(cuts, by_rule(&text, pieces));
            }
            prop_assert!(ranges.iter().all(|range| !range.is_empty() && text.get(range.clone()).is_some()));
        }

        #[test]
        fn shares_are_in_proportion(lengths in prop::collection::vec(1..500_usize, 1..8), more in 0..20_usize) {
            let pieces = lengths.len() + more;
            let shares = shares(&lengths, pieces).unwrap();
            prop_assert_eq!(shares.iter().sum::<usize>(), pieces);
            prop_assert!(shares.iter().all(|share| *share > 0));
            // No part would be better off with a piece of another: that one's pieces would become longer than its own are.
            for (one, length) in lengths.iter().enumerate() {
                for (other, taken) in lengths.iter().enumerate().filter(|(at, _)| shares[*at] > 1) {
                    prop_assert!(length * (shares[other] - 1) <= taken * shares[one], "{one} {other} {shares:?}");
                }
            }
        }
    }
}
