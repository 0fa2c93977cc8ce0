//! Sizes for people.

/// A number of bytes in binary units, with one decimal from 1 KiB.
pub(super) fn binary_size(bytes: u64) -> String {
    const STEP: u128 = 1024;
    let bytes = u128::from(bytes);
    if bytes < STEP {
        return format!("{bytes} B");
    }
    let mut unit = STEP;
    for name in ["KiB", "MiB", "GiB", "TiB", "PiB"] {
        let tenths = (bytes * 10 + unit / 2) / unit;
        // The rounded number decides, so that `1024.0 KiB` does not occur.
        if tenths < STEP * 10 {
            return format!("{}.{} {name}", tenths / 10, tenths % 10);
        }
        unit *= STEP;
    }
    let tenths = (bytes * 10 + unit / 2) / unit;
    format!("{}.{} EiB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_sizes_are_exact() {
        assert_eq!(binary_size(0), "0 B");
        assert_eq!(binary_size(1023), "1023 B");
    }

    #[test]
    fn sizes_have_one_rounded_decimal() {
        assert_eq!(binary_size(1024), "1.0 KiB");
        assert_eq!(binary_size(59_699), "58.3 KiB");
        assert_eq!(binary_size(3 * 1024 * 1024 + 512 * 1024), "3.5 MiB");
        assert_eq!(binary_size(u64::MAX), "16.0 EiB");
    }

    #[test]
    fn a_size_that_rounds_up_to_the_next_unit_is_written_in_it() {
        assert_eq!(binary_size(1024 * 1024 - 1), "1.0 MiB");
        assert_eq!(binary_size(1024 * 1024 - 52), "1023.9 KiB");
    }
}
