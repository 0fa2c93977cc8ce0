//! One server that holds more and more requests.

use anyhow::Result;
use serde::Serialize;

use crate::load::held::Held;
use crate::load::job::Job;
use crate::machine::rest::Taken;
use crate::servers::Server;
use crate::servers::running::Running;

/// Numbers of requests that are held at the same time. The default pool of `wasmtime serve` has
/// room for fewer than 100 of this component, ours for 1,000.
pub(super) const STEPS: [u16; 5] = [0, 50, 100, 500, 900];

/// One process, from its start to the last request that it held.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Turn {
    /// After the start, before any request.
    pub(super) fresh: Taken,
    /// One for each step that it held.
    pub(super) held: Vec<Taken>,
    /// Where it refused requests: the number of others at that step.
    pub(super) only: Option<u16>,
}

impl Turn {
    /// Starts a server and makes it hold more and more requests, until it refuses some.
    pub(super) fn take(server: &Server, job: &Job) -> Result<Self> {
        let running = Running::start(server)?;
        let fresh = Taken::at_rest(&running)?;
        job.check(running.addr)?;

        let mut held = Held::new(running.addr, job);
        let mut turn = Self {
            fresh,
            held: Vec::new(),
            only: None,
        };
        for count in STEPS {
            held.grow_to(count.into())?;
            let taken = Taken::at_rest(&running)?;
            let refused = u16::try_from(held.refused()?)?;
            if refused > 0 {
                turn.only = Some(count - refused);
                return Ok(turn);
            }
            turn.held.push(taken);
        }
        // Only if all of them answer were their instances alive.
        held.finish()?;
        Ok(turn)
    }

    /// Growth per request up to the last step that was held, in KiB.
    pub(super) fn kib_for_each(&self, figure: impl Fn(&Taken) -> f64) -> Option<f64> {
        let (none, last) = (self.held.first()?, self.held.last()?);
        let count = STEPS.get(self.held.len() - 1).filter(|&&count| count > 0)?;
        Some((figure(last) - figure(none)) * 1024.0 / f64::from(*count))
    }
}
