//! Moments that a person names.

use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};

/// A moment, which can be compared with the times of records.
///
/// It is read from a time (`2026-08-01T12:00:00Z`), a day (`2026-08-01`, which is
/// its first moment in UTC), or how long ago it was (`90s`, `30m`, `1h`, `2d`,
/// `4w`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment(String);

impl Moment {
    /// Whether the record was written before this moment. `time` is its time, and
    /// all times of records have the same form: it is enough to compare the texts.
    #[must_use]
    pub fn is_after(&self, time: &str) -> bool {
        *time < *self.0
    }
}

impl From<Timestamp> for Moment {
    fn from(timestamp: Timestamp) -> Self {
        Self(format!("{timestamp:.9}"))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let ago = ago(text).and_then(|ago| Timestamp::now().checked_sub(ago).ok());
        ago.or_else(|| text.parse().ok())
            .or_else(|| format!("{text}T00:00:00Z").parse().ok())
            .map(Self::from)
            .ok_or_else(|| {
                "expected a time such as 2026-08-01T12:00:00Z, a day such as 2026-08-01, or how \
                 long ago, such as 30m, 1h or 2d"
                    .to_owned()
            })
    }
}

fn ago(text: &str) -> Option<SignedDuration> {
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
    fn a_moment_is_read_as_a_time_or_a_day() {
        for (text, expected) in [
            ("2026-08-01T12:00:00Z", "2026-08-01T12:00:00.000000000Z"),
            (
                "2026-08-01T12:00:00.5+02:00",
                "2026-08-01T10:00:00.500000000Z",
            ),
            ("2026-08-01", "2026-08-01T00:00:00.000000000Z"),
        ] {
            assert_eq!(text.parse::<Moment>().unwrap().to_string(), expected);
        }
    }

    #[test]
    fn a_moment_is_read_as_how_long_ago_it_was() {
        for (text, seconds) in [
            ("90s", 90),
            ("30m", 1800),
            ("1h", 3600),
            ("2d", 172_800),
            ("1w", 604_800),
        ] {
            let moment: Timestamp = text.parse::<Moment>().unwrap().0.parse().unwrap();
            let age = Timestamp::now().duration_since(moment).as_secs();
            assert!((seconds..seconds + 60).contains(&age), "{text}: {age}");
        }
    }

    #[test]
    fn what_names_no_moment_is_refused() {
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
            assert!(text.parse::<Moment>().is_err(), "{text}");
        }
    }

    #[test]
    fn moments_are_compared_to_the_nanosecond() {
        let moment: Moment = "2026-08-01T12:00:00.000000001Z".parse().unwrap();
        assert!(moment.is_after("2026-08-01T12:00:00.000000000Z"));
        assert!(!moment.is_after("2026-08-01T12:00:00.000000001Z"));
    }
}
