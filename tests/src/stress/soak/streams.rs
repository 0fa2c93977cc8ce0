//! Clients over HTTP/2, with several requests at a time.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::clients::Tally;
use super::mix::Exchange;
use crate::DEADLINE;
use crate::http2::{Client, Event, begin, post};
use crate::random::Random;

/// Requests of one connection, and of one group.
const REQUESTS: u32 = 400;
const GROUP: u32 = 4;

/// Pause between two groups.
const PAUSE: Duration = Duration::from_millis(20);

/// Sends groups of requests on one connection after the other.
pub(super) fn send_groups(address: SocketAddr, end: Instant, mut random: Random) -> Tally {
    let mut tally = Tally::default();
    while Instant::now() < end {
        if let Err(reason) = one_connection(address, end, &mut random, &mut tally) {
            tally.fail(format!("HTTP/2: {reason}"));
        }
    }
    tally
}

fn one_connection(
    address: SocketAddr,
    end: Instant,
    random: &mut Random,
    tally: &mut Tally,
) -> Result<(), String> {
    let fail = |error: std::io::Error| error.to_string();
    let mut client = Client::open(address, DEADLINE).map_err(fail)?;
    client.send(&begin()).map_err(fail)?;
    let mut sent = 0;
    while sent < REQUESTS && Instant::now() < end {
        let mut waiting = BTreeMap::new();
        for _ in 0..GROUP {
            // Streams of a client have odd numbers.
            let stream = 2 * sent + 1;
            sent += 1;
            let (body, exchange) = Exchange::short(random);
            client
                .send(&post(stream, "/encrypt", &body))
                .map_err(fail)?;
            waiting.insert(stream, exchange);
        }
        while !waiting.is_empty() {
            match client.event().map_err(fail)? {
                Event::Response(stream, response) => {
                    let exchange = waiting.remove(&stream);
                    let exchange = exchange.ok_or("an answer on an unknown stream")?;
                    tally.count(&exchange, exchange.check(&response));
                }
                Event::Pong(_) => {}
                other => return Err(format!("expected an answer, found {other:?}")),
            }
        }
        sleep(PAUSE);
    }
    Ok(())
}
