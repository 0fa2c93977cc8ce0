//! Requests at a fixed pace, so that a server has time to spare: what is measured
//! then is how long one takes, not how many there can be.

use std::io::Write;
use std::net::SocketAddr;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::Result;

use super::http::{connect, receive, request};
use super::job::Job;

/// How often each connection sends a request.
const INTERVAL: Duration = Duration::from_millis(10);

/// Sends requests on so many connections for a while. Returns how long each took,
/// in microseconds, from when it was due: a request that waits for the one before
/// it waits as well.
pub(crate) fn run(
    addr: SocketAddr,
    job: &Job,
    connections: u32,
    duration: Duration,
) -> Result<Vec<f64>> {
    let begin = Instant::now();
    thread::scope(|scope| {
        let senders: Vec<_> = (0..connections)
            .map(|index| {
                // Spread over the interval.
                let first = begin + INTERVAL * index / connections;
                scope.spawn(move || send(addr, job, first, begin + duration))
            })
            .collect();
        let mut all = Vec::new();
        for sender in senders {
            all.extend(sender.join().expect("sending does not panic")?);
        }
        Ok(all)
    })
}

/// Sends on one connection, the first at `first`, until `end`.
fn send(addr: SocketAddr, job: &Job, first: Instant, end: Instant) -> Result<Vec<f64>> {
    let stream = connect(addr)?;
    let request = request(addr, job.path(), &job.body());
    let mut times = Vec::new();
    let mut due = first;
    while due < end {
        sleep(due.saturating_duration_since(Instant::now()));
        (&stream).write_all(&request)?;
        job.judge(&receive(&stream)?)?;
        times.push(due.elapsed().as_secs_f64() * 1e6);
        due += INTERVAL;
    }
    Ok(times)
}

/// The time that so many of a hundred requests do not exceed.
pub(crate) fn percentile(times: &mut [f64], percent: usize) -> Option<f64> {
    times.sort_unstable_by(f64::total_cmp);
    let index = (times.len() * percent).div_ceil(100).checked_sub(1)?;
    times.get(index).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_times() {
        let mut times: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        assert_eq!(percentile(&mut times, 99), Some(198.0));
        assert_eq!(percentile(&mut times, 50), Some(100.0));
        assert_eq!(percentile(&mut [], 99), None);
    }
}
