//! Ids of fragments and search hits.

/// Ids there are: digit, letter, digit, letter, digit.
const COUNT: u64 = 10 * 26 * 10 * 26 * 10;
/// A step without a factor in common with [`COUNT`] = 2⁵ · 5³ · 13², so that the sequence meets every id once before it
/// repeats; large, so that neighbours look different and a model does not mistake one for the other.
const STEP: u64 = 418_121;

/// A sequence of ids, each of 6 characters such as `f1a2b3`. The same seed gives the same sequence; no id comes twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ids {
    seed: u64,
    given: u64,
}

impl Ids {
    pub(super) const fn new(seed: u64) -> Self {
        Self { seed: seed % COUNT, given: 0 }
    }

    /// The next `count` ids, which begin with `prefix`; nothing where there are not so many left.
    pub(super) fn take(&mut self, prefix: char, count: usize) -> Option<Vec<String>> {
        let first = self.given;
        let behind = u64::try_from(count).ok().and_then(|count| first.checked_add(count))?;
        if behind > COUNT {
            return None;
        }
        self.given = behind;
        Some((first..behind).map(|number| self.id(prefix, number)).collect())
    }

    fn id(&self, prefix: char, number: u64) -> String {
        // Below COUNT each, so nothing overflows.
        let mut place = (self.seed + number * STEP) % COUNT;
        let mut id = String::with_capacity(6);
        id.push(prefix);
        for at in 0..5 {
            let (first, kinds) = if at % 2 == 0 { (b'0', 10) } else { (b'a', 26) };
            id.push(char::from(first + (place % kinds) as u8));
            place /= kinds;
        }
        id
    }
}

/// Whether `word` has the form of an id that begins with `prefix`.
pub(super) fn is_id(word: &str, prefix: u8) -> bool {
    let bytes = word.as_bytes();
    let right = |at: usize, byte: &u8| match at {
        0 => *byte == prefix,
        at if at % 2 == 1 => byte.is_ascii_digit(),
        _ => byte.is_ascii_lowercase(),
    };
    bytes.len() == 6 && bytes.iter().enumerate().all(|(at, byte)| right(at, byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_id_comes_once_and_then_none() {
        let mut ids = Ids::new(7);
        let all = ids.take('f', COUNT as usize).unwrap();
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), COUNT as usize);
        assert!(all.iter().all(|id| is_id(id, b'f')));
        assert_eq!(ids.take('f', 1), None);
        assert_eq!(ids.take('s', 0), Some(Vec::new()));
        assert_eq!(Ids::new(7).take('s', usize::MAX), None);
    }

    #[test]
    fn a_seed_is_a_sequence() {
        let five = |seed| Ids::new(seed).take('f', 5).unwrap();
        assert_eq!(five(1), five(1));
        assert_ne!(five(1), five(2));
        for word in ["f1a2b", "f1a2b3c", "s1a2b3", "f1A2b3", "fa1b2c", "é1a2b3", ""] {
            assert!(!is_id(word, b'f'), "{word}");
        }
    }
}
