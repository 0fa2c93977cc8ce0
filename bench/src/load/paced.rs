//! Requests at a fixed rate below the capacity, to measure latency rather than throughput.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::http::{Answer, connect, receive, request};
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
    fn fail(&mut self, how: &str, times: u64) {
        if times > 0 {
            *self.failures.entry(how.to_owned()).or_default() += times;
        }
    }
}

/// Sends requests on this number of connections for a while. Returns the latency of each in
/// microseconds; all must get the expected answer.
pub(crate) fn run(
    addr: SocketAddr,
    job: &Job,
    connections: u32,
    duration: Duration,
) -> Result<Vec<f64>> {
    let Paced { times_us, failures } = watch(addr, job, connections, duration);
    if !failures.is_empty() {
        bail!("requests failed: {}", list(&failures));
    }
    Ok(times_us)
}

/// Like [`run`], where requests may fail. After a failure a client connects again.
pub(crate) fn watch(addr: SocketAddr, job: &Job, connections: u32, duration: Duration) -> Paced {
    let begin = Instant::now();
    let mut all = Paced::default();
    thread::scope(|scope| {
        let senders: Vec<_> = (0..connections)
            .map(|index| {
                // Spread over the interval.
                let first = begin + INTERVAL * index / connections;
                let turns = (index as usize, connections as usize);
                scope.spawn(move || send(addr, job, turns, first, begin + duration))
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

/// Sends on one connection, from `first` until `end`. All connections together take the paths of
/// the job in turn; this is the connection of this index.
fn send(
    addr: SocketAddr,
    job: &Job,
    (index, connections): (usize, usize),
    first: Instant,
    end: Instant,
) -> Paced {
    let (paths, body) = (job.paths(), job.body());
    let paths = paths.iter().cycle().skip(index).step_by(connections);
    let mut requests = paths.map(|path| request(addr, path, &body));
    let mut paced = Paced::default();
    let mut connection = None;
    let mut due = first;
    while due < end && Instant::now() < end + GRACE {
        let request = requests.next().expect("the paths repeat");
        sleep(due.saturating_duration_since(Instant::now()));
        match exchange(addr, &mut connection, &request) {
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

/// Sends a request on the open connection, or on a new one, and keeps it after a good answer.
fn exchange(
    addr: SocketAddr,
    connection: &mut Option<TcpStream>,
    request: &[u8],
) -> Result<Answer> {
    let stream = match connection.take() {
        Some(stream) => stream,
        None => connect(addr)?,
    };
    (&stream).write_all(request)?;
    let answer = receive(&stream)?;
    if answer.status == 200 && answer.header("connection") != Some("close") {
        *connection = Some(stream);
    }
    Ok(answer)
}

/// A percentile of the times.
pub(crate) fn percentile(times: &mut [f64], percent: usize) -> Option<f64> {
    times.sort_unstable_by(f64::total_cmp);
    let index = (times.len() * percent).div_ceil(100).checked_sub(1)?;
    times.get(index).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, TcpListener};

    #[test]
    fn a_percentile_is_one_of_the_times() {
        let mut times: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        assert_eq!(percentile(&mut times, 99), Some(198.0));
        assert_eq!(percentile(&mut times, 50), Some(100.0));
        assert_eq!(percentile(&mut [], 99), None);
    }

    #[test]
    fn connections_share_the_paths_in_turn() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let addr = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let mut paths = Vec::new();
            for _ in 0..4 {
                let (stream, _) = listener.accept().unwrap();
                let mut read = [0; 1024];
                let count = std::io::Read::read(&mut &stream, &mut read).unwrap();
                let head = String::from_utf8_lossy(&read[..count]).into_owned();
                paths.push(head.split(' ').nth(1).unwrap().to_owned());
                (&stream)
                    .write_all(
                        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 4\r\n\r\ngood",
                    )
                    .unwrap();
            }
            paths.sort();
            paths
        });
        let job = Job::good().below(["/a", "/b", "/c", "/d"]);
        let paced = watch(addr, &job, 2, INTERVAL * 2);
        assert_eq!(list(&paced.failures), "");
        let paths = server.join().unwrap();
        assert_eq!(paths, ["/a/good", "/b/good", "/c/good", "/d/good"]);
    }

    #[test]
    fn failures_and_good_answers_are_counted() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let addr = listener.local_addr().unwrap();
        thread::spawn(move || {
            let answers: [&[u8]; 3] = [
                b"HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n",
                b"",
                b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ngood",
            ];
            // Only a good answer keeps a connection, so there are three.
            for answer in answers {
                let (stream, _) = listener.accept().unwrap();
                let mut read = [0; 1024];
                let _ = std::io::Read::read(&mut &stream, &mut read).unwrap();
                (&stream).write_all(answer).unwrap();
            }
        });
        let paced = watch(addr, &Job::good(), 1, INTERVAL * 3);
        assert_eq!(paced.times_us.len(), 1);
        assert_eq!(list(&paced.failures), "1 × 500, 1 × no answer");
    }
}
