//! Random draws that the tasks share: ids, numbers, pairs of words, places, orders.

use std::collections::BTreeSet;

use loci_context::random::Random;

use super::words::{ADJECTIVES, NOUNS, words};

/// What an id or a value looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `misty-canyon`.
    Words,
    /// So many digits, the first not 0.
    Number(u32),
    /// 36 characters of the shape of a version-4 UUID.
    Uuid,
    /// Two letters and two digits: `ab12`.
    Short,
    /// So many capital letters.
    Capitals(usize),
    /// So many small letters.
    Letters(usize),
}

/// Draws ids and values of which none equals another.
#[derive(Clone, Debug)]
pub(super) struct Fresh {
    adjectives: Vec<&'static str>,
    nouns: Vec<&'static str>,
    taken: BTreeSet<String>,
}

impl Fresh {
    /// Nothing drawn yet.
    pub(super) fn new() -> Self {
        Self { adjectives: words(ADJECTIVES), nouns: words(NOUNS), taken: BTreeSet::new() }
    }

    /// One of `form` that was not drawn before and for which `fits`. Where those run out, longer ones are drawn.
    pub(super) fn draw_if(&mut self, random: &mut Random, form: Form, fits: impl Fn(&str) -> bool) -> String {
        let mut tries = 0;
        loop {
            let mut drawn = self.once(random, form);
            for _ in 0..tries / 30 {
                drawn = match form {
                    Form::Words => format!("{drawn}-{}", random.one_of(&self.nouns)),
                    _ => drawn + &self.once(random, form),
                };
            }
            // A haystack that holds everything there is to draw is not worth an error of its own.
            if !self.taken.contains(&drawn) && (fits(&drawn) || tries > 300) {
                self.taken.insert(drawn.clone());
                return drawn;
            }
            tries += 1;
        }
    }

    /// Whether `text` was not drawn before; from now on it was.
    pub(super) fn take(&mut self, text: &str) -> bool {
        self.taken.insert(text.to_owned())
    }

    /// One of `form` that was not drawn before.
    pub(super) fn draw(&mut self, random: &mut Random, form: Form) -> String {
        self.draw_if(random, form, |_| true)
    }

    fn once(&self, random: &mut Random, form: Form) -> String {
        match form {
            Form::Words => format!("{}-{}", random.one_of(&self.adjectives), random.one_of(&self.nouns)),
            Form::Number(digits) => number(random, digits).to_string(),
            Form::Uuid => uuid(random),
            Form::Capitals(count) => letters(random, count).to_ascii_uppercase(),
            Form::Letters(count) => letters(random, count),
            Form::Short => letters(random, 2) + &format!("{:02}", random.below(100).unwrap_or(0)),
        }
    }
}

/// A whole number from `low` to `high`, both included.
pub(super) fn between(random: &mut Random, low: u64, high: u64) -> u64 {
    low + (random.unit() * (high.saturating_sub(low) + 1) as f64) as u64
}

/// A number of so many digits, at least 1 and at most 15.
pub(super) fn number(random: &mut Random, digits: u32) -> u64 {
    let digits = digits.clamp(1, 15);
    between(random, 10_u64.pow(digits - 1), 10_u64.pow(digits) - 1)
}

/// Random small letters.
pub(super) fn letters(random: &mut Random, count: usize) -> String {
    (0..count).map(|_| char::from(b'a' + random.below(26).unwrap_or(0) as u8)).collect()
}

/// Random hexadecimal digits in the shape of a version-4 UUID.
pub(super) fn uuid(random: &mut Random) -> String {
    "xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx"
        .chars()
        .map(|place| match place {
            'x' => char::from_digit(random.below(16).unwrap_or(0) as u32, 16).unwrap_or('0'),
            'y' => char::from_digit(8 + random.below(4).unwrap_or(0) as u32, 16).unwrap_or('8'),
            other => other,
        })
        .collect()
}

/// `items` in an order that was drawn.
pub(super) fn shuffled<T: Clone>(random: &mut Random, items: &[T]) -> Vec<T> {
    random.some_of(items, items.len())
}

/// `count` different numbers below `of`, rising; all when there are fewer.
pub(super) fn places(random: &mut Random, count: usize, of: usize) -> Vec<usize> {
    let mut chosen = BTreeSet::new();
    // Floyd's way: every set is as likely as every other, in `count` draws.
    for last in of - count.min(of)..of {
        let drawn = random.below(last + 1).unwrap_or(0);
        if !chosen.insert(drawn) {
            chosen.insert(last);
        }
    }
    chosen.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_drawn_twice_even_when_it_runs_out() {
        for form in [Form::Words, Form::Number(2), Form::Uuid, Form::Short, Form::Capitals(1)] {
            let (mut fresh, mut random) = (Fresh::new(), Random::new(7));
            let drawn: BTreeSet<String> = (0..500).map(|_| fresh.draw(&mut random, form)).collect();
            assert_eq!(drawn.len(), 500, "{form:?}");
        }
    }

    #[test]
    fn numbers_have_their_digits_and_ids_their_shape() {
        let mut random = Random::new(1);
        assert!((0..200).all(|_| number(&mut random, 7).to_string().len() == 7));
        assert!((0..200).all(|_| (3..=5).contains(&between(&mut random, 3, 5))));
        let id = uuid(&mut random);
        assert_eq!((id.len(), id.matches('-').count(), id.as_bytes()[14]), (36, 4, b'4'));
    }

    #[test]
    fn places_are_different_and_rising() {
        let mut random = Random::new(2);
        for (count, of) in [(0, 0), (3, 3), (5, 2), (4, 100)] {
            let drawn = places(&mut random, count, of);
            assert_eq!(drawn.len(), count.min(of));
            assert!(drawn.windows(2).all(|two| two[0] < two[1]) && drawn.iter().all(|place| *place < of));
        }
    }
}
