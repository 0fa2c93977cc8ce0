//! Points in time as users write them.

use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};

/// A point in time that can be compared with the times of records.
///
/// It is parsed from a time (`2026-08-01T12:00:00Z`), a day (`2026-08-01`, its start in UTC),
/// or an age (`90s`, `30m`, `1h`, `2d`, `4w`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeBound(String);

impl TimeBound {
    /// Whether a record with the time `time` was written before this bound. All record times
    /// have the same form, so the texts are compared.
    #[must_use]
    pub fn is_after(&self, time: &str) -> bool {
        *time < *self.0
    }
}

impl From<Timestamp> for TimeBound {
    fn from(timestamp: Timestamp) -> Self {
        Self(format!("{timestamp:.9}"))
    }
}

impl fmt::Display for TimeBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for TimeBound {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let start = age(text).and_then(|age| Timestamp::now().checked_sub(age).ok());
        start
            .or_else(|| text.parse().ok())
            .or_else(|| format!("{text}T00:00:00Z").parse().ok())
            .map(Self::from)
            .ok_or_else(|| {
                "expected a time such as 2026-08-01T12:00:00Z, a day such as 2026-08-01, or an age \
                 such as 30m, 1h or 2d"
                    .to_owned()
            })
    }
}

/// Parses an age. [`jiff::Span`] is not used because it also accepts years, ISO durations and
/// several units, and cannot subtract days from a [`Timestamp`].
fn age(text: &str) -> Option<SignedDuration> {
    let (at, _) = text.char_indices().next_back()?;
    let (number, unit) = text.split_at(at);
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        "w" => 7 * 24 * 60 * 60,
        _ => return None,
    };
    let number: u32 = number.parse().ok()?;
    Some(SignedDuration::from_secs(i64::from(number) * seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_bound_parses_a_time_or_a_day() {
        for (text, expected) in [
            ("2026-08-01T12:00:00Z", "2026-08-01T12:00:00.000000000Z"),
            (
                "2026-08-01T12:00:00.5+02:00",
                "2026-08-01T10:00:00.500000000Z",
            ),
            ("2026-08-01", "2026-08-01T00:00:00.000000000Z"),
        ] {
            assert_eq!(text.parse::<TimeBound>().unwrap().to_string(), expected);
        }
    }

    #[test]
    fn time_bound_parses_an_age() {
        for (text, seconds) in [
            ("90s", 90),
            ("30m", 1800),
            ("1h", 3600),
            ("2d", 172_800),
            ("1w", 604_800),
        ] {
            let bound: Timestamp = text.parse::<TimeBound>().unwrap().0.parse().unwrap();
            let age = Timestamp::now().duration_since(bound).as_secs();
            assert!((seconds..seconds + 60).contains(&age), "{text}: {age}");
        }
    }

    #[test]
    fn invalid_time_bound_is_rejected() {
        for text in [
            "",
            "1",
            "h",
            "-1h",
            "1y",
            "yesterday",
            "2026-13-01",
            "5\u{e4}",
        ] {
            assert!(text.parse::<TimeBound>().is_err(), "{text}");
        }
    }

    #[test]
    fn time_bounds_are_compared_to_the_nanosecond() {
        let bound: TimeBound = "2026-08-01T12:00:00.000000001Z".parse().unwrap();
        assert!(bound.is_after("2026-08-01T12:00:00.000000000Z"));
        assert!(!bound.is_after("2026-08-01T12:00:00.000000001Z"));
    }
}
