//! One server that holds more and more requests.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde::Serialize;

use crate::load::held::Held;
use crate::load::job::Job;
use crate::machine::kernel::{memory, processor_time, proportional_kib};
use crate::servers::Server;
use crate::servers::running::Running;

/// How many requests are held at the same time. The pool of `wasmtime serve` as it
/// comes takes fewer than 100 of this component, ours runs at most 1,000.
pub(super) const STEPS: [u16; 5] = [0, 50, 100, 500, 900];

/// A server has come to rest when it used less than this share of a processor for
/// so long.
const IDLE: f64 = 0.06;
const WATCHED: Duration = Duration::from_millis(200);

/// How long it may take until then.
const PATIENCE: Duration = Duration::from_secs(30);

/// One process, from its start to the last request that it held.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Turn {
    /// After the start, before any request.
    pub(super) fresh: Taken,
    /// One for each step that it took.
    pub(super) held: Vec<Taken>,
    /// Where it refused requests: how many others it held at that step.
    pub(super) only: Option<u16>,
}

/// Memory, in MiB.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Taken {
    pub(super) resident_mib: f64,
    /// Without the part of what is shared that counts for others.
    pub(super) proportional_mib: f64,
}

impl Turn {
    /// Starts a server and lets it hold more and more requests, as far as it does.
    pub(super) fn take(server: &Server, job: &Job) -> Result<Self> {
        let running = Running::start(server)?;
        let fresh = settled(&running)?;
        job.check(running.addr)?;

        let mut held = Held::new(running.addr, job);
        let mut turn = Self {
            fresh,
            held: Vec::new(),
            only: None,
        };
        for count in STEPS {
            held.grow_to(count.into())?;
            let taken = settled(&running)?;
            let refused = u16::try_from(held.refused()?)?;
            if refused > 0 {
                turn.only = Some(count - refused);
                return Ok(turn);
            }
            turn.held.push(taken);
        }
        // They were alive all the time only if they still answer.
        held.finish()?;
        Ok(turn)
    }

    /// How much each request added at the last step that was held, in KiB.
    pub(super) fn kib_for_each(&self, figure: impl Fn(&Taken) -> f64) -> Option<f64> {
        let (none, last) = (self.held.first()?, self.held.last()?);
        let count = STEPS.get(self.held.len() - 1).filter(|&&count| count > 0)?;
        Some((figure(last) - figure(none)) * 1024.0 / f64::from(*count))
    }
}

/// The memory of a server as soon as it does nothing.
fn settled(server: &Running) -> Result<Taken> {
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
    Ok(Taken {
        resident_mib: mib(memory(server.id())?.resident_kib),
        proportional_mib: mib(proportional_kib(server.id())?),
    })
}

fn mib(kib: u64) -> f64 {
    // Exact below 4 TiB, and no process has more.
    f64::from(u32::try_from(kib).unwrap_or(u32::MAX)) / 1024.0
}
