//! The cases of HTTP/2, without TLS and with prior knowledge.

use std::net::SocketAddr;

use end_to_end::corpus::http2::{Expected, Step, load};
use end_to_end::http2::{Client, END_HEADERS, END_STREAM, Event, Frame, hpack};

use super::{PATIENCE, check_problem, themes};

themes! {
    "http2",
    continuations
    expectations
    fields
    floods
    flow_control
    frames
    hpack
    preface
    pseudo_fields
    settings
    states
    streams
}

/// The sections of RFC 9113 with requirements on the treatment of what a client sends.
const SECTIONS: [&str; 31] = [
    "3.4", "4.1", "4.2", "4.3", "5.1", "5.1.1", "5.1.2", "5.5", "6.1", "6.2", "6.3", "6.4", "6.5",
    "6.5.2", "6.5.3", "6.6", "6.7", "6.8", "6.9", "6.9.1", "6.9.2", "6.10", "7", "8.1", "8.1.1",
    "8.2.1", "8.2.2", "8.3", "8.3.1", "8.4", "8.5",
];

#[test]
fn every_section_that_demands_an_error_has_a_case() {
    let themes = end_to_end::corpus::themes("http2");
    let cases = themes.iter().flat_map(|theme| load(theme));
    let covered: Vec<_> = cases.map(|case| case.section).collect();
    let missing = SECTIONS.map(|section| format!("9113 {section}"));
    let missing: Vec<_> = missing
        .iter()
        .filter(|section| !covered.contains(section))
        .collect();
    assert!(missing.is_empty(), "no case of {missing:?}");
}

/// The last stream of a client.
const LAST_STREAM: u32 = (1 << 31) - 1;

/// Runs one case on a connection of its own.
fn play(address: SocketAddr, steps: &[Step]) -> Result<(), String> {
    let client = Client::open(address, PATIENCE);
    let mut exchange = Exchange {
        client: client.map_err(|error| format!("cannot connect: {error}"))?,
        ahead: Vec::new(),
        is_ending: false,
    };
    for step in steps {
        match step {
            // A server may close the connection before; its actions count.
            Step::Send(bytes) => drop(exchange.client.send(bytes)),
            Step::End => drop(exchange.client.end()),
            Step::Expect(choices) => exchange.expect(choices)?,
            Step::ForgetOthers => exchange.ahead.clear(),
            Step::Closed => exchange.check_closed()?,
            // GOAWAY in the place of a reset is followed by the close.
            Step::Open if exchange.is_ending => exchange.check_closed()?,
            Step::Open => exchange.check_open()?,
        }
    }
    Ok(())
}

struct Exchange {
    client: Client,
    /// Actions of the server that were not expected yet.
    ahead: Vec<Event>,
    /// Whether the server has sent GOAWAY.
    is_ending: bool,
}

impl Exchange {
    /// Waits for one of these actions.
    fn expect(&mut self, choices: &[Expected]) -> Result<(), String> {
        let fits = |event: &Event| choices.iter().find(|choice| is(choice, event));
        if let Some(at) = self.ahead.iter().position(|event| fits(event).is_some()) {
            let event = self.ahead.remove(at);
            return self.note(&event);
        }
        loop {
            let event = self.client.event();
            let event = event.map_err(|error| format!("expected {choices:?}, but {error}"))?;
            if fits(&event).is_some() {
                return self.note(&event);
            }
            let is_about_another = match &event {
                Event::Pong(_) => continue,
                Event::Reset(_, code) | Event::GoAway(code) if code == "NO_ERROR" => continue,
                Event::GoAway(_) | Event::Ended => false,
                Event::Reset(stream, _)
                | Event::Response(stream, _)
                | Event::Informational(stream, _) => {
                    choices.iter().all(|choice| !is_about(choice, *stream))
                }
            };
            if !is_about_another {
                return Err(format!("expected {choices:?}, found {event:?}"));
            }
            self.ahead.push(event);
        }
    }

    fn note(&mut self, event: &Event) -> Result<(), String> {
        match event {
            Event::GoAway(_) => self.is_ending = true,
            Event::Response(_, response) if response.status >= 400 => check_problem(response)?,
            _ => {}
        }
        Ok(())
    }

    fn check_closed(&mut self) -> Result<(), String> {
        loop {
            let event = self.client.event();
            let event = event.map_err(|error| format!("expected the end, but {error}"))?;
            match event {
                Event::Ended => break,
                Event::Pong(_) => {}
                Event::Reset(_, code) | Event::GoAway(code) if code == "NO_ERROR" => {}
                event => self.ahead.push(event),
            }
        }
        if self.ahead.is_empty() {
            Ok(())
        } else {
            Err(format!("expected the end, found {:?}", self.ahead))
        }
    }

    /// Checks with another request that the connection is in sync.
    fn check_open(&mut self) -> Result<(), String> {
        let mut fields = Vec::new();
        for (name, value) in [
            (":method", "GET"),
            (":scheme", "http"),
            (":path", "/next"),
            (":authority", "test"),
        ] {
            fields.extend(hpack::literal(name.as_bytes(), value.as_bytes()));
        }
        let next = Frame::new("HEADERS", END_STREAM | END_HEADERS, LAST_STREAM, fields);
        drop(self.client.send(&next.bytes()));
        let body = Some(b"GET /next test".to_vec());
        self.expect(&[Expected::Response(LAST_STREAM, 200, body)])
            .map_err(|why| format!("in the request after it: {why}"))?;
        if self.ahead.is_empty() {
            Ok(())
        } else {
            Err(format!("expected nothing more, found {:?}", self.ahead))
        }
    }
}

fn is(choice: &Expected, event: &Event) -> bool {
    match (choice, event) {
        (Expected::Response(on, status, body), Event::Response(stream, response)) => {
            on == stream
                && *status == response.status
                && body.as_ref().is_none_or(|body| *body == response.body)
        }
        (Expected::Response(on, status, None), Event::Informational(stream, found)) => {
            on == stream && status == found
        }
        (Expected::Reset(on, code), Event::Reset(stream, found)) => on == stream && code == found,
        (Expected::GoAway(code), Event::GoAway(found)) => code == found,
        _ => false,
    }
}

fn is_about(choice: &Expected, stream: u32) -> bool {
    match choice {
        Expected::Response(on, ..) | Expected::Reset(on, _) => *on == stream,
        Expected::GoAway(_) => false,
    }
}
