//! What a server has taken when it has come to rest.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde::Serialize;

use crate::machine::kernel::{descriptors, memory, private_kib, processor_time, proportional_kib};
use crate::servers::running::Running;

/// A server has come to rest when it used less than this share of a processor for
/// so long.
const IDLE: f64 = 0.06;
const WATCHED: Duration = Duration::from_millis(200);

/// How long it may take until then.
const PATIENCE: Duration = Duration::from_secs(30);

/// Memory, in MiB, and file descriptors.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Taken {
    pub(crate) resident_mib: f64,
    /// Without the part of what is shared that counts for others.
    pub(crate) proportional_mib: f64,
    /// Without all that is shared.
    pub(crate) private_mib: f64,
    pub(crate) descriptors: u32,
}

impl Taken {
    /// What a server has as soon as it does nothing.
    pub(crate) fn at_rest(server: &Running) -> Result<Self> {
        let started = Instant::now();
        loop {
            let before = processor_time(server.id())?;
            sleep(WATCHED);
            let used = processor_time(server.id())?.since(&before).total();
            if used < WATCHED.mul_f64(IDLE) {
                break;
            }
            ensure!(started.elapsed() < PATIENCE, "it does not come to rest");
        }
        Ok(Self {
            resident_mib: mib(memory(server.id())?.resident_kib),
            proportional_mib: mib(proportional_kib(server.id())?),
            private_mib: mib(private_kib(server.id())?),
            descriptors: descriptors(server.id())?,
        })
    }
}

/// Exact below 4 TiB, and no process has more.
pub(crate) fn mib(kib: u64) -> f64 {
    f64::from(u32::try_from(kib).unwrap_or(u32::MAX)) / 1024.0
}
