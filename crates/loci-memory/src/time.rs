//! Moments, as records and their log hold them.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::error::MemoryError;

/// A moment: milliseconds since the beginning of 1970, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(i64);

const DAY: i64 = 86_400_000;
/// From the year 1 to the end of the year 9999, without the last two days, which zones may need.
const RANGE: std::ops::RangeInclusive<i64> = -62_135_596_800_000..=253_402_127_999_999;

impl Time {
    /// So many milliseconds since the beginning of 1970, held within the years that can be written.
    pub const fn from_millis(millis: i64) -> Self {
        if millis < *RANGE.start() {
            Self(*RANGE.start())
        } else if millis > *RANGE.end() {
            Self(*RANGE.end())
        } else {
            Self(millis)
        }
    }

    /// Milliseconds since the beginning of 1970.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// The system's time.
    pub fn now() -> Self {
        Self::from_millis(Timestamp::now().as_millisecond())
    }

    /// So many days later; earlier, if negative.
    #[must_use]
    pub const fn plus_days(self, days: i64) -> Self {
        Self::from_millis(self.0.saturating_add(days.saturating_mul(DAY)))
    }

    /// Its day, UTC.
    pub fn date(self) -> Date {
        TimeZone::UTC.to_datetime(self.timestamp()).date()
    }

    /// The beginning of a day, UTC.
    pub fn of_date(date: Date) -> Self {
        of_civil(date.at(0, 0, 0, 0))
    }

    fn timestamp(self) -> Timestamp {
        // The range was held when it was made.
        Timestamp::from_millisecond(self.0).unwrap_or_default()
    }
}

fn of_civil(at: DateTime) -> Time {
    let timestamp = TimeZone::UTC.to_timestamp(at);
    timestamp.map_or_else(|_| Time::default(), |timestamp| Time::from_millis(timestamp.as_millisecond()))
}

/// RFC 3339: `2023-05-20T02:21:00Z`.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.timestamp())
    }
}

/// RFC 3339, or without a zone, which is UTC then: `2023-05-20`, `2023/05/20 02:21`, `2023/05/20 (Sat) 02:21`.
impl FromStr for Time {
    type Err = MemoryError;

    fn from_str(text: &str) -> Result<Self, MemoryError> {
        let unreadable = || MemoryError::Time { text: text.to_owned() };
        let trimmed = text.trim();
        if let Ok(timestamp) = trimmed.parse::<Timestamp>() {
            return Ok(Self::from_millis(timestamp.as_millisecond()));
        }
        // A weekday in brackets says nothing that the date does not.
        let plain = match trimmed.split_once('(').map(|(before, rest)| (before, rest.split_once(')'))) {
            Some((before, Some((_, behind)))) => format!("{} {}", before.trim(), behind.trim()),
            _ => trimmed.to_owned(),
        };
        let plain = plain.replace('/', "-");
        let plain = plain.trim();
        if let Ok(at) = plain.parse::<DateTime>() {
            return Ok(of_civil(at));
        }
        Date::from_str(plain).map(Self::of_date).map_err(|_| unreadable())
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn forms_of_times() {
        let read = |text: &str| text.parse::<Time>().map(|time| time.to_string()).ok();
        assert_eq!(read("2023-05-20T02:21:00Z").as_deref(), Some("2023-05-20T02:21:00Z"));
        assert_eq!(read("2023-05-20T02:21:00+02:00").as_deref(), Some("2023-05-20T00:21:00Z"));
        assert_eq!(read(" 2023/05/20 ").as_deref(), Some("2023-05-20T00:00:00Z"));
        assert_eq!(read("2023/05/20 (Sat) 02:21").as_deref(), Some("2023-05-20T02:21:00Z"));
        assert_eq!(read("2023-05-20 02:21:07").as_deref(), Some("2023-05-20T02:21:07Z"));
        for wrong in ["", "yesterday", "2023-13-01", "2023-02-30", "20", "(", "99999999999"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        let error = "soon".parse::<Time>().unwrap_err().to_string();
        assert!(error.contains("soon") && error.contains("2023-05-20"), "{error}");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(millis in any::<i64>()) {
            let time = Time::from_millis(millis);
            prop_assert_eq!(time.to_string().parse::<Time>().unwrap(), time);
            prop_assert!(time.plus_days(3) >= time && Time::of_date(time.date()) <= time);
        }
    }
}
