//! Outlines without a model that writes, from the vectors of sentences.
//!
//! Neighbouring sentences of one topic have similar vectors. The text is cut where neighbours are least alike, into ranges
//! of allowed lengths, by dynamic programming; a range is named by the words that tell it from the others. The paper has no
//! such structurizer; this stands in for one in small proofs.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet, VecDeque};
use std::ops::Range;

use super::outline::{Aspect, Outline};
use crate::tokens::words;

/// Most sentences times ranges: their table takes 4 bytes each.
const MOST_CELLS: usize = 50_000_000;
/// Words of a title.
const TITLE_WORDS: usize = 3;
/// Shorter words say little, except in scripts without spaces.
const LEAST_LETTERS: usize = 3;
/// English words that are in titles of nothing (ours).
const EMPTY_WORDS: &[&str] = &[
    "about", "after", "all", "also", "and", "any", "are", "because", "been", "before", "but", "can", "could",
    "did", "does", "each", "for", "from", "had", "has", "have", "her", "him", "his", "how", "into", "its",
    "like", "may", "more", "most", "not", "one", "only", "other", "our", "out", "over", "said", "she",
    "should", "some", "such", "than", "that", "the", "their", "them", "then", "there", "these", "they",
    "this", "those", "two", "under", "until", "upon", "very", "was", "were", "what", "when", "where",
    "which", "while", "who", "will", "with", "would", "you", "your",
];

/// Into what sentences are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentOptions {
    /// How many ranges; where lengths do not allow it, the nearest number that they do.
    pub ranges: usize,
    /// Fewest sentences of a range, at least 1.
    pub shortest: usize,
    /// Most sentences of a range.
    pub longest: usize,
}

/// Why sentences cannot be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSegments {
    /// There are none.
    #[error("there are no sentences to cut into ranges")]
    Nothing,
    /// A vector is not like the others.
    #[error("the vector of sentence {sentence} has {found} finite numbers, and the first has {expected}")]
    Vector {
        /// Number of the sentence, from 0.
        sentence: usize,
        /// Finite numbers of its vector.
        found: usize,
        /// Numbers of the first vector.
        expected: usize,
    },
    /// Sentences and vectors are not as many.
    #[error("there are {sentences} sentences and {vectors} vectors")]
    Count {
        /// Sentences.
        sentences: usize,
        /// Vectors.
        vectors: usize,
    },
    /// No number of ranges of these lengths holds the sentences.
    #[error(
        "{sentences} sentences do not come apart into ranges of {shortest} to {longest}; allow other lengths"
    )]
    Lengths {
        /// Sentences.
        sentences: usize,
        /// Fewest of a range.
        shortest: usize,
        /// Most of a range.
        longest: usize,
    },
    /// The table would be too large.
    #[error("{ranges} ranges of {sentences} sentences are too many at once; cut the text into chunks first")]
    TooMany {
        /// Ranges.
        ranges: usize,
        /// Sentences.
        sentences: usize,
    },
}

/// Cuts sentences with these unit vectors, all of one length, into contiguous ranges that hold all: of the ways that
/// `options` allow, the one with the smallest sum of similarities between the sentences before and behind a cut.
///
/// # Errors
/// [`BadSegments`] where that cannot be done.
pub fn segment(vectors: &[Vec<f32>], options: SegmentOptions) -> Result<Vec<Range<usize>>, BadSegments> {
    let sentences = vectors.len();
    let expected = vectors.first().ok_or(BadSegments::Nothing)?.len();
    for (sentence, vector) in vectors.iter().enumerate() {
        let found = vector.iter().filter(|number| number.is_finite()).count();
        if found != expected || vector.len() != expected {
            return Err(BadSegments::Vector { sentence, found, expected });
        }
    }
    let (shortest, longest) = (options.shortest.max(1), options.longest.min(sentences));
    let (fewest, most) = (sentences.div_ceil(longest.max(1)), sentences / shortest);
    if shortest > longest || fewest > most {
        let longest = options.longest;
        return Err(BadSegments::Lengths { sentences, shortest, longest });
    }
    let ranges = options.ranges.clamp(fewest, most);
    if ranges.saturating_mul(sentences) > MOST_CELLS {
        return Err(BadSegments::TooMany { ranges, sentences });
    }
    let alike: Vec<f64> = vectors.windows(2).map(similarity).collect();
    let mut ends = cuts(&alike, ranges, shortest, longest);
    ends.push(sentences);
    let mut start = 0;
    Ok(ends.into_iter().map(|end| std::mem::replace(&mut start, end)..end).collect())
}

/// The inner product of two neighbours, in f64 and in order.
fn similarity(pair: &[Vec<f32>]) -> f64 {
    let [one, other] = pair else { return 0.0 };
    one.iter().zip(other).map(|(one, other)| f64::from(*one) * f64::from(*other)).sum()
}

/// Where to cut: `alike[i]` is what a cut behind sentence `i` costs. Of equal ways, the one whose last cuts are earliest.
fn cuts(alike: &[f64], ranges: usize, shortest: usize, longest: usize) -> Vec<usize> {
    let sentences = alike.len() + 1;
    // Cost of the first `end` sentences in as many ranges as are done; infinite where lengths do not allow it.
    let mut costs: Vec<f64> = (0..=sentences)
        .map(|end| if (shortest..=longest).contains(&end) { 0.0 } else { f64::INFINITY })
        .collect();
    // For each further range, and each end, where the range begins.
    let mut starts: Vec<Vec<u32>> = Vec::with_capacity(ranges);
    for _ in 1..ranges {
        let mut next = vec![f64::INFINITY; sentences + 1];
        let mut from = vec![0; sentences + 1];
        // Starts that may still be best, costs rising: the least of the last `longest - shortest + 1` is in front.
        let mut open: VecDeque<(usize, f64)> = VecDeque::new();
        for end in shortest..=sentences {
            let start = end - shortest;
            let before = costs.get(start).copied().unwrap_or(f64::INFINITY);
            let cut = start.checked_sub(1).and_then(|behind| alike.get(behind));
            let cost = before + cut.copied().unwrap_or(f64::INFINITY);
            while open.back().is_some_and(|(_, other)| *other > cost) {
                open.pop_back();
            }
            open.push_back((start, cost));
            while open.front().is_some_and(|(start, _)| end - start > longest) {
                open.pop_front();
            }
            if let (Some((start, cost)), Some(next), Some(from)) =
                (open.front(), next.get_mut(end), from.get_mut(end))
            {
                *next = *cost;
                // Below the limit on cells, so it fits.
                *from = *start as u32;
            }
        }
        costs = next;
        starts.push(from);
    }
    let mut end = sentences;
    let mut found: Vec<usize> = Vec::with_capacity(ranges);
    for from in starts.iter().rev() {
        end = from.get(end).map_or(0, |start| *start as usize);
        found.push(end);
    }
    found.reverse();
    found
}

/// A title for each of `parts`: its most characteristic words, in their order in the part.
///
/// Words weigh by how often the part has them times ln(1 + parts / parts that have them); of equals the earlier one. A part
/// without words is called by its number.
pub fn titles(parts: &[&str]) -> Vec<String> {
    let counted: Vec<Vec<(String, usize)>> = parts.iter().map(|part| counts(part)).collect();
    let mut having: HashMap<&str, usize> = HashMap::new();
    for (word, _) in counted.iter().flatten() {
        *having.entry(word).or_default() += 1;
    }
    let title = |(number, own): (usize, &Vec<(String, usize)>)| {
        let weight = |(word, count): &(String, usize)| {
            let having = having.get(word.as_str()).copied().unwrap_or(1);
            *count as f64 * (1.0 + parts.len() as f64 / having as f64).ln()
        };
        let mut ranked: Vec<usize> = (0..own.len()).collect();
        let weights: Vec<f64> = own.iter().map(weight).collect();
        let of = |at: &usize| weights.get(*at).copied().unwrap_or(0.0);
        ranked.sort_by(|one, other| of(other).partial_cmp(&of(one)).unwrap_or(Ordering::Equal));
        ranked.truncate(TITLE_WORDS);
        ranked.sort_unstable();
        let best: Vec<&str> =
            ranked.iter().filter_map(|at| own.get(*at)).map(|(word, _)| word.as_str()).collect();
        match capital(&best.join(", ")) {
            title if title.is_empty() => format!("Part {}", number + 1),
            title => title,
        }
    };
    counted.iter().enumerate().map(title).collect()
}

/// The words of `part` that can stand in a title, in the order in which they first come, with how often they do.
fn counts(part: &str) -> Vec<(String, usize)> {
    let empty: HashSet<&str> = EMPTY_WORDS.iter().copied().collect();
    let says = |word: &String| {
        let short = word.chars().count() < LEAST_LETTERS && !word.chars().any(crate::tokens::is_unspaced);
        !short && !empty.contains(word.as_str()) && word.chars().any(char::is_alphabetic)
    };
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut counts: Vec<(String, usize)> = Vec::new();
    for word in words(part).into_iter().filter(says) {
        match places.get(&word).and_then(|at| counts.get_mut(*at)) {
            Some((_, count)) => *count += 1,
            None => {
                places.insert(word.clone(), counts.len());
                counts.push((word, 1));
            }
        }
    }
    counts
}

fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

/// The outline of a text from its sentences and their unit vectors; the scope is the words that it has most.
///
/// # Errors
/// [`BadSegments`] as [`segment`], and where there are not as many vectors as sentences.
pub fn outline(
    sentences: &[&str],
    vectors: &[Vec<f32>],
    options: SegmentOptions,
) -> Result<Outline, BadSegments> {
    if sentences.len() != vectors.len() {
        return Err(BadSegments::Count { sentences: sentences.len(), vectors: vectors.len() });
    }
    let ranges = segment(vectors, options)?;
    let of = |range: &Range<usize>| sentences.get(range.clone()).unwrap_or_default().join(" ");
    let parts: Vec<String> = ranges.iter().map(of).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let aspects = ranges.into_iter().zip(titles(&parts));
    let aspects = aspects.map(|(sentences, name)| Aspect { name, sentences, sub: Vec::new() }).collect();
    let scope = titles(&[parts.join(" ").as_str()]).pop().unwrap_or_default();
    Ok(Outline { scope, aspects })
}

#[cfg(test)]
mod tests {
    use super::super::outline::parse;
    use super::*;
    use proptest::prelude::*;

    const FREE: SegmentOptions = SegmentOptions { ranges: 2, shortest: 1, longest: usize::MAX };

    fn at(angles: &[f32]) -> Vec<Vec<f32>> {
        angles.iter().map(|angle| vec![angle.cos(), angle.sin()]).collect()
    }

    #[test]
    fn cuts_where_neighbours_are_least_alike() {
        let vectors = at(&[0.0, 0.1, 1.5, 1.6, 1.7, 0.2]);
        assert_eq!(segment(&vectors, FREE), Ok(vec![0..5, 5..6]), "1.7 to 0.2 is the widest step");
        assert_eq!(segment(&vectors, SegmentOptions { shortest: 2, ..FREE }), Ok(vec![0..2, 2..6]));
        assert_eq!(segment(&vectors, SegmentOptions { ranges: 3, ..FREE }), Ok(vec![0..2, 2..5, 5..6]));
        assert_eq!(
            segment(&vectors, SegmentOptions { ranges: 1, shortest: 1, longest: 3 }).unwrap().len(),
            2,
            "at least two"
        );
        assert_eq!(segment(&vectors, SegmentOptions { ranges: 99, ..FREE }).unwrap().len(), 6);
        assert_eq!(segment(&vectors[..1], FREE).unwrap().len(), 1);
    }

    #[test]
    fn what_cannot_be_cut_is_refused() {
        assert_eq!(segment(&[], FREE), Err(BadSegments::Nothing));
        let bad = [vec![1.0, 0.0], vec![1.0]];
        assert_eq!(segment(&bad, FREE), Err(BadSegments::Vector { sentence: 1, found: 1, expected: 2 }));
        assert!(segment(&[vec![f32::NAN]], FREE).is_err());
        let five = at(&[0.0; 5]);
        let uneven = SegmentOptions { ranges: 2, shortest: 3, longest: 4 };
        assert_eq!(
            segment(&five, uneven),
            Err(BadSegments::Lengths { sentences: 5, shortest: 3, longest: 4 })
        );
        assert!(segment(&five, SegmentOptions { longest: 0, ..FREE }).is_err());
        assert_eq!(outline(&["a"], &five, FREE), Err(BadSegments::Count { sentences: 1, vectors: 5 }));
        let many = vec![Vec::new(); 10_000];
        assert!(matches!(
            segment(&many, SegmentOptions { ranges: 9_000, ..FREE }),
            Err(BadSegments::TooMany { .. })
        ));
    }

    #[test]
    fn titles_tell_parts_apart() {
        let parts = [
            "The king rode. The king sang of war.",
            "A farmer ploughed; the king slept.",
            "1 2 3.",
            "王王和",
        ];
        assert_eq!(titles(&parts), ["King, rode, sang", "Farmer, ploughed, slept", "Part 3", "王, 和"]);
        assert!(titles(&[]).is_empty());
        let sentences = ["Kings rode.", "Kings sang.", "Farmers ploughed."];
        let found = outline(&sentences, &at(&[0.0, 0.1, 1.5]), FREE).unwrap();
        assert_eq!(found.aspects[0].name, "Kings, rode, sang");
        assert_eq!(found.scope, "Kings, rode, sang");
        assert_eq!(parse(&found.render(), 3), Ok(found));
    }

    /// The least cost of all ways, one by one.
    fn by_trying(alike: &[f64], from: usize, ranges: usize, options: &SegmentOptions) -> f64 {
        let left = alike.len() + 1 - from;
        if ranges == 1 {
            return if (options.shortest..=options.longest).contains(&left) { 0.0 } else { f64::INFINITY };
        }
        (options.shortest..=options.longest.min(left.saturating_sub(1)))
            .map(|length| alike[from + length - 1] + by_trying(alike, from + length, ranges - 1, options))
            .fold(f64::INFINITY, f64::min)
    }

    proptest! {
        #[test]
        fn no_allowed_way_is_better(
            angles in prop::collection::vec(0.0..3.0_f32, 1..11),
            ranges in 1..6_usize,
            shortest in 1..4_usize,
            longer in 0..6_usize,
        ) {
            let vectors = at(&angles);
            let options = SegmentOptions { ranges, shortest, longest: shortest + longer };
            let Ok(found) = segment(&vectors, options) else {
                let none = (1..=vectors.len()).all(|ranges| {
                    !(ranges * shortest..=ranges * options.longest).contains(&vectors.len())
                });
                prop_assert!(none);
                return Ok(());
            };
            let mut end = 0;
            for range in &found {
                prop_assert!(range.start == end && (shortest..=options.longest).contains(&range.len()));
                end = range.end;
            }
            prop_assert_eq!(end, vectors.len());
            let alike: Vec<f64> = vectors.windows(2).map(similarity).collect();
            let cost: f64 = found.iter().skip(1).map(|range| alike[range.start - 1]).sum();
            let least = by_trying(&alike, 0, found.len(), &options);
            prop_assert!((cost - least).abs() < 1e-9, "{cost} {least}");
        }
    }
}
