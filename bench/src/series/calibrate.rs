//! Jobs of a given processor time on this machine.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::load::http::Client;
use crate::load::job::Job;
use crate::machine::kernel::processor_time;
use crate::servers::Server;
use crate::servers::running::Running;

/// Time for which requests are sent.
const DURATION: Duration = Duration::from_secs(1);

/// A job that takes `cost`, with a server of its own. `job` makes one of this amount of work; the
/// calibration starts with `amount`.
pub(super) fn calibrate(
    server: &Server,
    cost: Duration,
    amount: u32,
    job: impl Fn(u64) -> Job,
) -> Result<Job> {
    let running = Running::start(server)?;
    let first = job(amount.into());
    let mut client = Client::new(running.addr);
    first.send(running.addr, &mut client)?;
    let before = processor_time(running.id())?;
    let begin = Instant::now();
    let mut requests = 0;
    while begin.elapsed() < DURATION {
        first.send(running.addr, &mut client)?;
        requests += 1;
    }
    let used = processor_time(running.id())?.saturating_sub(before);
    ensure!(!used.is_zero(), "`{}` costs nothing", first.path());
    let amount = f64::from(amount) * cost.as_secs_f64() / (used / requests).as_secs_f64();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a few millions"
    )]
    Ok(job(amount as u64))
}
