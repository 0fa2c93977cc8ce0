//! One server of functions: how soon it answers, what they take, and how long the first
//! request to each waits.

use anyhow::{Context, Result};
use serde::Serialize;

use crate::load::job::Job;
use crate::load::paced::percentile;
use crate::load::timed::Timed;
use crate::machine::kernel::private_dirty_kib;
use crate::machine::rest::{Taken, mib};
use crate::servers::Server;
use crate::servers::running::Running;

/// How many functions are timed at most.
const MOST_TIMED: usize = 200;

/// What one server showed.
#[derive(Debug, Serialize)]
pub(super) struct Turn {
    /// From the start of the process until the first answer. All functions are served then.
    pub(super) first_answer_ms: f64,
    /// Before all functions but one were asked for anything.
    pub(super) fresh: Private,
    /// After each was.
    pub(super) asked: Private,
    /// The first request to functions that nobody has asked before, one after the other on
    /// one connection, and the second. None where there is no such function.
    pub(super) first: Option<Latency>,
    pub(super) second: Option<Latency>,
}

/// Memory that a server at rest shares with no other process, in MiB.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Private {
    pub(super) all_mib: f64,
    /// What it has written. The rest is in files as well.
    pub(super) dirty_mib: f64,
}

/// How long requests took, in milliseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Latency {
    pub(super) p50: f64,
    pub(super) p99: f64,
    pub(super) max: f64,
}

impl Turn {
    /// Starts a server that does these jobs, each by a function of its own.
    pub(super) fn take(server: &Server, jobs: &[Job]) -> Result<Self> {
        let running = Running::start(server)?;
        let (first, others) = jobs.split_first().context("there is no function")?;
        first.check(running.addr)?;
        let first_answer = running.age();
        let fresh = Private::at_rest(&running)?;

        let client = Timed::connect(running.addr)?;
        // What the first request on a connection brings has nothing to do with functions.
        client.ask(first)?;
        let every = others.len().div_ceil(MOST_TIMED).max(1);
        let (mut first_us, mut second_us) = (Vec::new(), Vec::new());
        for job in others.iter().step_by(every) {
            first_us.push(client.ask(job)?);
            second_us.push(client.ask(job)?);
        }
        for job in others {
            client.ask(job)?;
        }
        Ok(Self {
            first_answer_ms: first_answer.as_secs_f64() * 1e3,
            fresh,
            asked: Private::at_rest(&running)?,
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
