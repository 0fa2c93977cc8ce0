//! System clock for guests and TLS, which clamps times before 1970 to 1970.
//!
//! The clocks of wasmtime and rustls panic at such times.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;
use wasmtime_wasi::HostWallClock;
use wasmtime_wasi::clocks::WallClock;

/// The system clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

/// The time since 1970, or zero before.
fn since_1970(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

impl HostWallClock for SystemClock {
    fn resolution(&self) -> Duration {
        WallClock::new().resolution()
    }

    fn now(&self) -> Duration {
        since_1970(SystemTime::now())
    }
}

impl TimeProvider for SystemClock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(self.now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_1970_are_clamped_to_1970() {
        const SECOND: Duration = Duration::from_secs(1);

        assert_eq!(since_1970(UNIX_EPOCH - SECOND), Duration::ZERO);
        assert_eq!(since_1970(UNIX_EPOCH), Duration::ZERO);
        assert_eq!(since_1970(UNIX_EPOCH + SECOND), SECOND);
    }
}
