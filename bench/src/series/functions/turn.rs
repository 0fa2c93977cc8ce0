//! One server of functions: time to the first answer, memory, and latency of the first request to
//! each.

use anyhow::{Context, Result};
use serde::Serialize;

use crate::load::job::Job;
use crate::load::paced::percentile;
use crate::load::timed::Timed;
use crate::machine::kernel::private_dirty_kib;
use crate::machine::rest::{Taken, mib};
use crate::servers::Server;
use crate::servers::running::Running;

/// Maximum number of functions that are timed.
const MAX_TIMED: usize = 200;

/// The figures of one turn.
#[derive(Debug, Serialize)]
pub(super) struct Turn {
    /// From the start of the process to the first answer, when all functions are served.
    pub(super) first_answer_ms: f64,
    /// Before all functions but one had a request.
    pub(super) fresh: Private,
    /// After each had one.
    pub(super) used: Private,
    /// The first request to unused functions, one after the other on one connection, and the second
    /// one. `None` where there is no such function.
    pub(super) first: Option<Latency>,
    pub(super) second: Option<Latency>,
}

/// Private memory of an idle server, in MiB.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Private {
    pub(super) all_mib: f64,
    /// The written part. The rest is backed by files.
    pub(super) dirty_mib: f64,
}

/// Latency, in milliseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Latency {
    pub(super) p50: f64,
    pub(super) p99: f64,
    pub(super) max: f64,
}

impl Turn {
    /// Starts a server with a function for each of these jobs.
    pub(super) fn take(server: &Server, jobs: &[Job]) -> Result<Self> {
        let running = Running::start(server)?;
        let (first, others) = jobs.split_first().context("no function")?;
        first.check(running.addr)?;
        let first_answer = running.age();
        let fresh = Private::at_rest(&running)?;

        let client = Timed::connect(running.addr)?;
        // The first request on a connection is slower, whatever its function.
        client.send(first)?;
        let every = others.len().div_ceil(MAX_TIMED).max(1);
        let (mut first_us, mut second_us) = (Vec::new(), Vec::new());
        for job in others.iter().step_by(every) {
            first_us.push(client.send(job)?);
            second_us.push(client.send(job)?);
        }
        for job in others {
            client.send(job)?;
        }
        Ok(Self {
            first_answer_ms: first_answer.as_secs_f64() * 1e3,
            fresh,
            used: Private::at_rest(&running)?,
            first: Latency::of(&mut first_us),
            second: Latency::of(&mut second_us),
        })
    }
}

impl Private {
    fn at_rest(server: &Running) -> Result<Self> {
        Ok(Self {
            all_mib: Taken::at_rest(server)?.private_mib,
            dirty_mib: mib(private_dirty_kib(server.id())?),
        })
    }
}

impl Latency {
    fn of(times_us: &mut [f64]) -> Option<Self> {
        let mut ms = |percent| Some(percentile(times_us, percent)? / 1e3);
        Some(Self {
            p50: ms(50)?,
            p99: ms(99)?,
            max: ms(100)?,
        })
    }
}
