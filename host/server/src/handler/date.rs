//! The field `date` of responses, from the clock of the system.

use std::cell::RefCell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::HeaderValue;

thread_local! {
    static CURRENT: RefCell<Date> = const { RefCell::new(Date(None)) };
}

/// The current date, or None if the clock says a time before 1970 or after 9999 (RFC 9110, section
/// 6.6.1).
#[must_use]
pub fn now() -> Option<HeaderValue> {
    CURRENT.with_borrow_mut(|date| date.at(SystemTime::now()))
}

/// The value for one second. It is formatted anew for each other second, also after the clock has
/// stepped back.
struct Date(Option<(u64, HeaderValue)>);

impl Date {
    fn at(&mut self, time: SystemTime) -> Option<HeaderValue> {
        /// The last second of the year 9999.
        const LAST: u64 = 253_402_300_799;

        let seconds = time.duration_since(UNIX_EPOCH).ok()?.as_secs();
        match &self.0 {
            Some((second, value)) if *second == seconds => return Some(value.clone()),
            _ if seconds > LAST => return None,
            _ => {}
        }
        let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds));
        let value = HeaderValue::from_maybe_shared(Bytes::from(date)).ok()?;
        self.0 = Some((seconds, value.clone()));
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_follows_the_clock_in_both_directions_and_is_left_out_before_1970() {
        let mut date = Date(None);
        let mut at = |seconds| date.at(UNIX_EPOCH + Duration::from_secs(seconds));
        for (seconds, expected) in [
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (784_111_778, "Sun, 06 Nov 1994 08:49:38 GMT"),
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        ] {
            assert_eq!(at(seconds).unwrap(), expected);
        }
        assert_eq!(at(253_402_300_800), None);
        assert_eq!(date.at(UNIX_EPOCH - Duration::from_secs(1)), None);
    }
}
