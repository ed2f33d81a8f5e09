//! Times that questions speak of, by rule: which days a question is about.
//!
//! English forms. What is not understood is no time: a wrong one would hide the right items.

use jiff::civil::Date;
use jiff::{Span, ToSpan};

use crate::time::Time;

/// Days, from the first to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days {
    /// The first.
    pub first: Date,
    /// The last.
    pub last: Date,
}

impl Days {
    /// So many days more at both ends.
    #[must_use]
    pub fn widened(self, days: i64) -> Self {
        Self { first: self.first.saturating_sub(days.days()), last: self.last.saturating_add(days.days()) }
    }

    /// Whether a moment is on one of the days.
    pub fn hold(self, time: Time) -> bool {
        let date = time.date();
        self.first <= date && date <= self.last
    }
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const NUMBERS: [&str; 13] = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
];

/// The days that `question`, asked at `now`, is about; `None` where it names none, and for questions about how long something
/// took or how long ago it was, whose answer is the time.
pub fn days_of(question: &str, now: Time) -> Option<Days> {
    let small = question.to_lowercase();
    if [
        "how long",
        "how many days",
        "how many weeks",
        "how many months",
        "how many years",
        "when did",
        "what date",
        "which day",
    ]
    .iter()
    .any(|asks| small.contains(asks))
    {
        return None;
    }
    let words: Vec<&str> = small
        .split(|letter: char| !letter.is_alphanumeric() && !"-/".contains(letter))
        .filter(|word| !word.is_empty())
        .collect();
    let today = now.date();
    let found = (0..words.len()).find_map(|at| days_at(words.get(at..)?, today))?;
    // A range that begins on the day of the question says nothing of the past.
    (found.first != today).then_some(found)
}

/// The days that `words` begin with.
fn days_at(words: &[&str], today: Date) -> Option<Days> {
    let day = |date: Date| Some(Days { first: date, last: date });
    let before = |span: Span| today.saturating_sub(span);
    match words {
        ["yesterday", ..] => day(before(1.day())),
        ["last", "week", ..] => Some(Days { first: before(7.days()), last: before(1.day()) }),
        ["last" | "past", "month", ..] => month(before(1.month()).year(), before(1.month()).month()),
        ["last" | "past", "year", ..] => year(today.year() - 1),
        ["last" | "past", count, unit, ..] => {
            let first = today.saturating_sub(span(number(count)?, unit)?);
            Some(Days { first, last: today })
        }
        ["a" | "an", unit, "ago", ..] => around(today.saturating_sub(span(1, unit)?), unit),
        [count, unit, "ago", ..] => around(today.saturating_sub(span(number(count)?, unit)?), unit),
        ["in" | "of" | "during", name, rest @ ..] => match MONTHS.iter().position(|month| month == name) {
            Some(place) => {
                let place = i8::try_from(place).ok()? + 1;
                let given = rest
                    .first()
                    .and_then(|year| year.parse().ok())
                    .filter(|year| (1000..3000).contains(year));
                // Without a year the last such month that has begun.
                let this = if place <= today.month() { today.year() } else { today.year() - 1 };
                month(given.unwrap_or(this), place)
            }
            None => year(name.parse().ok().filter(|year| (1900..2200).contains(year))?),
        },
        [word, ..] if word.len() >= 10 => day(word.replace('/', "-").parse().ok()?),
        _ => None,
    }
}

fn number(word: &str) -> Option<i64> {
    let named = || NUMBERS.iter().position(|name| *name == word).and_then(|place| i64::try_from(place).ok());
    word.parse().ok().or_else(named).filter(|number| (1..=1000).contains(number))
}

fn span(count: i64, unit: &str) -> Option<Span> {
    Some(match unit.strip_suffix('s').unwrap_or(unit) {
        "day" => count.days(),
        "week" => count.weeks(),
        "month" => count.months(),
        "year" => count.years(),
        _ => return None,
    })
}

/// A day, as exactly as its unit says: some weeks ago is a week, some months ago a month.
fn around(date: Date, unit: &str) -> Option<Days> {
    let days = match unit.strip_suffix('s').unwrap_or(unit) {
        "day" => 0,
        "week" => 3,
        "month" => 15,
        _ => return year(date.year()),
    };
    Some(Days { first: date, last: date }.widened(days))
}

fn month(year: i16, month: i8) -> Option<Days> {
    let first = Date::new(year, month, 1).ok()?;
    Some(Days { first, last: first.last_of_month() })
}

fn year(year: i16) -> Option<Days> {
    Some(Days { first: Date::new(year, 1, 1).ok()?, last: Date::new(year, 12, 31).ok()? })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn days(question: &str) -> Option<(String, String)> {
        let now = "2023-05-30T10:00:00Z".parse().unwrap();
        days_of(question, now).map(|days| (days.first.to_string(), days.last.to_string()))
    }

    #[test]
    fn questions_name_days() {
        for (question, first, last) in [
            ("What did I buy yesterday?", "2023-05-29", "2023-05-29"),
            ("Whom did I meet last week?", "2023-05-23", "2023-05-29"),
            ("What did I cook 10 days ago?", "2023-05-20", "2023-05-20"),
            ("Which film did I see two weeks ago?", "2023-05-13", "2023-05-19"),
            ("Where was I a month ago?", "2023-04-15", "2023-05-15"),
            ("Which books did I read in March?", "2023-03-01", "2023-03-31"),
            ("Which books did I read in November?", "2022-11-01", "2022-11-30"),
            ("What happened in February 2020?", "2020-02-01", "2020-02-29"),
            ("What did I do in 2021?", "2021-01-01", "2021-12-31"),
            ("What did I say on 2023/05/02?", "2023-05-02", "2023-05-02"),
            ("Where did I travel last year?", "2022-01-01", "2022-12-31"),
            ("What did I spend in the past three months?", "2023-02-28", "2023-05-30"),
        ] {
            assert_eq!(days(question), Some((first.to_owned(), last.to_owned())), "{question}");
        }
        for question in [
            "How many months ago did I move?",
            "How long did I wait last week?",
            "When did I buy it in March?",
            "What is my dog called?",
            "What did I do in the end?",
            "Who won the last game?",
            "What about 2023/13/45?",
            "",
        ] {
            assert_eq!(days(question), None, "{question}");
        }
    }

    #[test]
    fn widening_holds_both_ends() {
        let days =
            Days { first: "2023-05-10".parse().unwrap(), last: "2023-05-11".parse().unwrap() }.widened(2);
        let hold = |text: &str| days.hold(text.parse().unwrap());
        assert!(
            hold("2023-05-08")
                && hold("2023-05-13T23:59:59Z")
                && !hold("2023-05-07T23:59:59Z")
                && !hold("2023-05-14")
        );
    }

    proptest! {
        #[test]
        fn no_question_breaks_it(question in "(last|past|in|ago|days|years|\\d{1,20}|march|2023-05-20|[a-z é猫/-]){0,8}( \\w{1,9}){0,6}", now in any::<i64>()) {
            let _any = days_of(&question, Time::from_millis(now));
        }
    }
}
