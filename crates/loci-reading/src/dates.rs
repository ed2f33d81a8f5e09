//! Dates as they stand in texts, so that passages can be put in the order of time.

/// A date, and a time of day where one stands behind it: year, month, day, minute of the day. Sorts as time does.
pub type Date = (u16, u8, u8, u16);

/// The last date in `text`, written as `2023/05/20`, `2023-05-20` or `2023.05.20`, a time of day such as `02:21` behind it
/// or behind a weekday in brackets; `None` without any. Other forms of dates are not read.
pub fn last_date(text: &str) -> Option<Date> {
    let bytes = text.as_bytes();
    (0..bytes.len()).rev().find_map(|at| date_at(bytes, at))
}

/// The date that begins at byte `at`.
fn date_at(bytes: &[u8], at: usize) -> Option<Date> {
    let before = at.checked_sub(1).and_then(|before| bytes.get(before));
    if before.is_some_and(u8::is_ascii_digit) {
        return None;
    }
    let year = number(bytes.get(at..at + 4)?)?;
    let mark = *bytes.get(at + 4)?;
    if !matches!(mark, b'/' | b'-' | b'.') || bytes.get(at + 7) != Some(&mark) {
        return None;
    }
    let month = number(bytes.get(at + 5..at + 7)?)?;
    let day = number(bytes.get(at + 8..at + 10)?)?;
    let followed = bytes.get(at + 10).is_some_and(u8::is_ascii_digit);
    if followed || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let month_and_day = (u8::try_from(month).ok()?, u8::try_from(day).ok()?);
    Some((year, month_and_day.0, month_and_day.1, minute(bytes.get(at + 10..)?).unwrap_or(0)))
}

/// The minute of the day at the beginning of what stands behind a date.
fn minute(behind: &[u8]) -> Option<u16> {
    let mut rest = behind.strip_prefix(b" ").or_else(|| behind.strip_prefix(b"T"))?;
    if rest.first() == Some(&b'(') {
        let close = rest.iter().take(16).position(|byte| *byte == b')')?;
        rest = rest.get(close + 1..)?.strip_prefix(b" ")?;
    }
    if rest.get(2) != Some(&b':') {
        return None;
    }
    let (hour, minute) = (number(rest.get(..2)?)?, number(rest.get(3..5)?)?);
    (hour < 24 && minute < 60).then_some(hour * 60 + minute)
}

fn number(digits: &[u8]) -> Option<u16> {
    digits.iter().all(u8::is_ascii_digit).then(|| std::str::from_utf8(digits).ok()?.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_dates() {
        assert_eq!(last_date("Session Date: 2023/05/20 (Sat) 02:21\nwords"), Some((2023, 5, 20, 141)));
        assert_eq!(last_date("2023-05-20T23:59 and 2021.01.02."), Some((2021, 1, 2, 0)));
        assert_eq!(last_date("2023-05-20 (über) x"), Some((2023, 5, 20, 0)));
        for none in ["", "20/05/2023", "12023-05-20", "2023-05-201", "2023-13-01", "2023-05/20", "2023-00-10"]
        {
            assert_eq!(last_date(none), None, "{none}");
        }
    }
}
