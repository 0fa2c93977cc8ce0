//! Requests at a fixed rate below the capacity, to measure latency rather than throughput.
//!
//! `oha` and `wrk2` are not used: they do not compare the body of a response with the expected one.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::http::Client;
use super::job::Job;

/// Interval between two requests of a connection.
const INTERVAL: Duration = Duration::from_millis(10);

/// Time after the end in which requests that were due before it are still sent.
const GRACE: Duration = Duration::from_secs(5);

/// What clients at a fixed rate observed.
#[derive(Debug, Default)]
pub(crate) struct Paced {
    /// Latency of each good answer in microseconds, from when its request was due: a request that
    /// waits for the previous one waits as well.
    pub(crate) times_us: Vec<f64>,
    /// Number of other answers, and of missing ones, by kind.
    pub(crate) failures: BTreeMap<String, u64>,
}

impl Paced {
    /// Fails unless all answers were good.
    pub(crate) fn all_good(self) -> Result<Self> {
        ensure!(
            self.failures.is_empty(),
            "requests failed: {}",
            list(&self.failures)
        );
        Ok(self)
    }

    fn fail(&mut self, how: &str, times: u64) {
        if times > 0 {
            *self.failures.entry(how.to_owned()).or_default() += times;
        }
    }
}

/// Sends requests on this number of connections for a while. After a failure a client connects
/// again.
pub(crate) fn run(addr: SocketAddr, job: &Job, connections: u32, duration: Duration) -> Paced {
    let begin = Instant::now();
    let mut all = Paced::default();
    thread::scope(|scope| {
        let senders: Vec<_> = (0..connections)
            .map(|index| {
                // Spread over the interval.
                let first = begin + INTERVAL * index / connections;
                let paths = job.paths.iter().cycle();
                let paths = paths.skip(index as usize).step_by(connections as usize);
                scope.spawn(move || send(addr, job, paths, first, begin + duration))
            })
            .collect();
        for sender in senders {
            let one = sender.join().expect("no client panics");
            all.times_us.extend(one.times_us);
            for (how, times) in one.failures {
                all.fail(&how, times);
            }
        }
    });
    all
}

/// Failures and their counts in words.
pub(crate) fn list(failures: &BTreeMap<String, u64>) -> String {
    let item = |(how, times): (&String, &u64)| format!("{times} × {how}");
    let items: Vec<_> = failures.iter().map(item).collect();
    items.join(", ")
}

/// Sends requests for these paths on one connection, from `first` until `end`.
fn send<'a>(
    addr: SocketAddr,
    job: &Job,
    paths: impl Iterator<Item = &'a String>,
    first: Instant,
    end: Instant,
) -> Paced {
    let mut requests = paths.map(|path| job.request_to(addr, path));
    let mut paced = Paced::default();
    let mut client = Client::new(addr);
    let mut due = first;
    while due < end && Instant::now() < end + GRACE {
        let request = requests.next().expect("the paths repeat");
        sleep(due.saturating_duration_since(Instant::now()));
        match client.send(&request) {
            Ok(answer) if answer.status != 200 => paced.fail(&answer.status.to_string(), 1),
            Ok(answer) if job.judge(&answer).is_err() => paced.fail("wrong answer", 1),
            Ok(_) => paced.times_us.push(due.elapsed().as_secs_f64() * 1e6),
            Err(_) => paced.fail("no answer", 1),
        }
        due += INTERVAL;
    }
    let never_sent = end.saturating_duration_since(due).as_nanos() / INTERVAL.as_nanos();
    paced.fail("never sent", u64::try_from(never_sent).unwrap_or(u64::MAX));
    paced
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::http::tests::serve;

    #[test]
    fn connections_share_the_paths_in_turn() {
        let good = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 4\r\n\r\ngood";
        let (addr, server) = serve(&[good; 4]);
        let job = Job::good().below(["/a", "/b", "/c", "/d"]);
        let paced = run(addr, &job, 2, INTERVAL * 2);
        assert_eq!(list(&paced.failures), "");
        let paths = server.join().unwrap();
        assert_eq!(paths, ["/a/good", "/b/good", "/c/good", "/d/good"]);
    }

    #[test]
    fn failures_and_good_answers_are_counted() {
        let failure = "HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n";
        let good = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ngood";
        // Only a good answer keeps a connection, so there are three.
        let (addr, _) = serve(&[failure, "", good]);
        let paced = run(addr, &Job::good(), 1, INTERVAL * 3);
        assert_eq!(paced.times_us.len(), 1);
        assert_eq!(list(&paced.failures), "1 × 500, 1 × no answer");
    }
}
