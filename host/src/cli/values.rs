//! Parsers of values: sizes, times, numbers and variables.

use std::num::{IntErrorKind, ParseIntError};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use engine::Variable;

/// Units of sizes, in bytes.
const UNITS: [(&str, u64); 3] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

/// Parses a number of bytes: `4096`, `64KiB`, `10MiB` or `1GiB`.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let error = || "expected a number of bytes, such as 4096, 64KiB, 10MiB or 1GiB".to_owned();
    let (digits, unit) = UNITS
        .iter()
        .find_map(|&(name, bytes)| Some((text.strip_suffix(name)?.trim_end(), bytes)))
        .unwrap_or((text, 1));
    let number: u64 = digits.parse().map_err(|_| error())?;
    number.checked_mul(unit).ok_or_else(error)
}

/// Parses a number of bytes that must fit into the address space.
pub(super) fn memory(text: &str) -> Result<usize, String> {
    let bytes = bytes(text)?;
    usize::try_from(bytes)
        .map_err(|_| format!("{bytes} bytes exceed the address space of this machine"))
}

/// Maximum time, in seconds: 100 years. Clocks cannot represent much later points in time.
const MAX_SECONDS: f64 = 3_155_760_000.0;

/// Parses a number of seconds: `30` or `0.5`.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let error = || "expected a number of seconds, such as 30 or 0.5".to_owned();
    let seconds: f64 = text.parse().map_err(|_| error())?;
    if seconds > MAX_SECONDS {
        return Err(format!(
            "expected at most {MAX_SECONDS} seconds, which are 100 years"
        ));
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| error())
}

/// Parses a number of seconds above 0, for timeouts that would always expire at 0.
pub(super) fn timeout(text: &str) -> Result<Duration, String> {
    match seconds(text)? {
        Duration::ZERO => Err("expected more than 0 seconds".to_owned()),
        timeout => Ok(timeout),
    }
}

/// Parses a timeout, or `off` for the maximum time.
pub(super) fn timeout_or_off(text: &str) -> Result<Duration, String> {
    if text == "off" {
        return Ok(Duration::from_secs_f64(MAX_SECONDS));
    }
    timeout(text).map_err(|error| format!("{error}, or `off`"))
}

/// Parses an integer within the range of its type.
pub(super) fn number<T: FromStr<Err = ParseIntError>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: ParseIntError| {
        let expected = match error.kind() {
            IntErrorKind::PosOverflow => "expected a smaller number",
            _ if "0".parse::<T>().is_err() => "expected a whole number, 1 or more",
            _ => "expected a whole number, 0 or more",
        };
        expected.to_owned()
    })
}

/// Parses `KEY=VALUE`.
pub(super) fn variable(text: &str) -> Result<Variable, String> {
    let (key, value) = pair(text, "KEY=VALUE")?;
    Ok(Variable { key, value })
}

/// Parses `KEY=FILE`.
pub(super) fn variable_in_file(text: &str) -> Result<(String, PathBuf), String> {
    match pair(text, "KEY=FILE")? {
        (_, path) if path.is_empty() => Err("empty path after `=`".to_owned()),
        (key, path) => Ok((key, path.into())),
    }
}

fn pair(text: &str, expected: &str) -> Result<(String, String), String> {
    let (key, value) = text
        .split_once('=')
        .ok_or_else(|| format!("expected {expected}, found no `=`"))?;
    if key.is_empty() {
        return Err("empty name before `=`".to_owned());
    }
    if text.contains('\0') {
        return Err("a variable cannot contain a NUL character".to_owned());
    }
    Ok((key.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    #[test]
    fn size_may_have_a_unit() {
        assert_eq!(bytes("4096"), Ok(4096));
        assert_eq!(bytes("64KiB"), Ok(65536));
        assert_eq!(bytes("10 MiB"), Ok(10 << 20));
        assert_eq!(bytes("1GiB"), Ok(1 << 30));
        for bad in ["", "KiB", "64kb", "-1", "1.5MiB", "99999999999GiB"] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn seconds_may_be_fractional() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for bad in ["soon", "-1", "1e999", "NaN", "1.8e19", "3155760001"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn timeout_must_be_above_0() {
        assert_eq!(timeout("0.5"), Ok(Duration::from_millis(500)));
        for bad in ["0", "0.0", "1e-10", "soon"] {
            assert!(timeout(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn off_is_the_maximum_timeout() {
        let longest = seconds("3155760000").unwrap();
        assert_eq!(timeout_or_off("off"), Ok(longest));
        assert_eq!(timeout_or_off("0.5"), Ok(Duration::from_millis(500)));
        for bad in ["0", "Off", "none", "soon", "1.8e19"] {
            let error = timeout_or_off(bad).unwrap_err();
            assert!(error.ends_with(", or `off`"), "{bad}: {error}");
        }
    }

    #[test]
    fn number_out_of_range_is_reported_with_the_range() {
        assert_eq!(number("7"), Ok(7_u32));
        for (text, expected) in [
            ("0", "1 or more"),
            ("1.5", "1 or more"),
            ("", "1 or more"),
            ("4294967296", "smaller"),
        ] {
            let error = number::<NonZeroU32>(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
        assert!(number::<u32>("-1").unwrap_err().contains("0 or more"));
    }
}
