//! Clients that speak HTTP/2, with several requests at a time.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::clients::Tally;
use super::mix::Exchange;
use crate::DEADLINE;
use crate::http2::{Client, Event, begin, post};
use crate::random::Random;

/// How many requests one connection sends, in groups of how many.
const REQUESTS: u32 = 400;
const AT_A_TIME: u32 = 4;

/// How long a connection waits between two groups.
const PAUSE: Duration = Duration::from_millis(20);

/// Sends groups of requests on one connection after the other.
pub(super) fn several(address: SocketAddr, end: Instant, mut random: Random) -> Tally {
    let mut tally = Tally::default();
    while Instant::now() < end {
        if let Err(why) = one_connection(address, end, &mut random, &mut tally) {
            tally.fail(format!("HTTP/2: {why}"));
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
        for _ in 0..AT_A_TIME {
            // Those of a client are odd.
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
                    let exchange = exchange.ok_or("an answer that nobody waits for")?;
                    tally.take(&exchange, exchange.check(&response));
                }
                Event::Pong(_) => {}
                other => return Err(format!("expected an answer, found {other:?}")),
            }
        }
        sleep(PAUSE);
    }
    Ok(())
}
