//! What flags take: sizes, times and variables.

use std::time::Duration;

/// The units of a size, and how many bytes each has.
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

/// The same, where memory of this size is allocated.
pub(super) fn memory(text: &str) -> Result<usize, String> {
    let bytes = bytes(text)?;
    usize::try_from(bytes).map_err(|_| format!("{bytes} bytes are more than this machine has"))
}

/// Parses a number of seconds: `30` or `0.5`.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let error = || "expected a number of seconds, such as 30 or 0.5".to_owned();
    let seconds: f64 = text.parse().map_err(|_| error())?;
    Duration::try_from_secs_f64(seconds).map_err(|_| error())
}

/// Parses `KEY=VALUE`.
pub(super) fn variable(text: &str) -> Result<(String, String), String> {
    let (key, value) = text
        .split_once('=')
        .ok_or("expected KEY=VALUE, found no `=`")?;
    if key.is_empty() {
        return Err("the name before `=` is empty".to_owned());
    }
    if text.contains('\0') {
        return Err("a variable cannot contain a NUL character".to_owned());
    }
    Ok((key.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_may_have_a_unit() {
        assert_eq!(bytes("4096"), Ok(4096));
        assert_eq!(bytes("64KiB"), Ok(65536));
        assert_eq!(bytes("10 MiB"), Ok(10 << 20));
        assert_eq!(bytes("1GiB"), Ok(1 << 30));
        for bad in ["", "KiB", "64kb", "-1", "1.5MiB", "99999999999GiB"] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn fractions_of_a_second_are_possible() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for bad in ["soon", "-1", "1e999"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
