//! The memory of an idle server.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde::Serialize;

use crate::machine::kernel::{memory, private_kib, processor_time, proportional_kib};
use crate::servers::running::Running;

/// A server is idle when it used less than this share of a processor for this time.
const IDLE: f64 = 0.06;
const WATCHED: Duration = Duration::from_millis(200);

/// Timeout until then.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Memory, in MiB.
#[derive(Debug, Clone, Copy, Serialize)]
#[expect(clippy::struct_field_names, reason = "each name ends with its unit")]
pub(crate) struct Taken {
    pub(crate) resident_mib: f64,
    /// With shared pages in proportion (PSS).
    pub(crate) proportional_mib: f64,
    /// Without shared pages.
    pub(crate) private_mib: f64,
}

impl Taken {
    /// The memory of a server once it is idle.
    pub(crate) fn at_rest(server: &Running) -> Result<Self> {
        let started = Instant::now();
        loop {
            let before = processor_time(server.id())?;
            sleep(WATCHED);
            let used = processor_time(server.id())?.since(&before).total();
            if used < WATCHED.mul_f64(IDLE) {
                break;
            }
            ensure!(started.elapsed() < IDLE_TIMEOUT, "it does not become idle");
        }
        Ok(Self {
            resident_mib: mib(memory(server.id())?.resident_kib),
            proportional_mib: mib(proportional_kib(server.id())?),
            private_mib: mib(private_kib(server.id())?),
        })
    }
}

/// KiB as MiB, exact below 4 TiB.
pub(crate) fn mib(kib: u64) -> f64 {
    f64::from(u32::try_from(kib).unwrap_or(u32::MAX)) / 1024.0
}
