//! The cases of HTTP/1.1.

use std::io;
use std::net::SocketAddr;

use end_to_end::client::{Connection, Response};
use end_to_end::corpus::escape;
use end_to_end::corpus::http1::{Expected, Step, load};

use super::{PATIENCE, check_problem, themes};

themes! {
    "http1",
    chunk_extras
    chunks
    content_length
    expectations
    fields
    host
    line_endings
    methods
    pipelines
    request_line
    smuggling
    targets
    transfer_encoding
    versions
}

#[test]
fn there_are_more_than_220_cases() {
    let themes = end_to_end::corpus::themes("http1");
    let cases: usize = themes.iter().map(|theme| load(theme).len()).sum();
    assert!(cases > 220, "{cases}");
}

/// Runs one case on a connection of its own.
fn play(address: SocketAddr, steps: &[Step]) -> Result<(), String> {
    let connection = Connection::try_open(address);
    let mut client = Client {
        connection: connection.map_err(|error| format!("cannot connect: {error}"))?,
        ahead: None,
    };
    client.connection.set_deadline(PATIENCE);
    let ends_closed = steps.last() == Some(&Step::Closed);
    let last = steps
        .iter()
        .rposition(|step| matches!(step, Step::Receive(_)));
    for (index, step) in steps.iter().enumerate() {
        match step {
            // A server may refuse a request before it is complete; its answer counts.
            Step::Send(bytes) => drop(client.connection.try_write(bytes)),
            Step::End => drop(client.connection.end()),
            Step::Receive(expected) => {
                let response = client.receive(expected)?;
                if let Some(response) = response
                    && ends_closed
                    && last == Some(index)
                {
                    check_announces_end(&response)?;
                }
            }
            Step::Closed => client.check_closed()?,
            Step::Open => client.check_open()?,
        }
    }
    Ok(())
}

struct Client {
    connection: Connection,
    /// A response in the place of an optional one.
    ahead: Option<Response>,
}

impl Client {
    /// Receives a response and compares it. Returns `None` where an optional one is missing.
    fn receive(&mut self, expected: &Expected) -> Result<Option<Response>, String> {
        let status = expected.status;
        let method = if expected.is_head { "HEAD" } else { "GET" };
        let response = match self.ahead.take() {
            Some(response) => Ok(response),
            None => self.connection.try_receive_for(method),
        };
        let response = match response {
            Ok(response) if response.status != status && expected.is_optional => {
                self.ahead = Some(response);
                return Ok(None);
            }
            Ok(response) => response,
            Err(error) if expected.is_optional && is_end(&error) => return Ok(None),
            Err(error) => return Err(format!("expected {status}, but {error}")),
        };
        if response.status != status {
            return Err(format!("expected {status}, found {response:?}"));
        }
        if !response.is_complete {
            return Err(format!("broken off: {response:?}"));
        }
        if status >= 400 && !expected.is_head {
            check_problem(&response)?;
        }
        match &expected.body {
            Some(body) if *body != response.body => {
                let [expected, found] = [body, &response.body].map(|body| escape(body));
                Err(format!("the guest saw `{found}` instead of `{expected}`"))
            }
            _ => Ok(Some(response)),
        }
    }

    fn check_closed(&mut self) -> Result<(), String> {
        if let Some(response) = &self.ahead {
            return Err(format!("expected the end, found {response:?}"));
        }
        let rest = self.connection.rest();
        let rest = rest.map_err(|error| format!("expected the end, but {error}"))?;
        if rest.is_empty() {
            Ok(())
        } else {
            Err(format!("expected the end, found `{}`", escape(&rest)))
        }
    }

    /// Checks with another request that the connection is in sync.
    fn check_open(&mut self) -> Result<(), String> {
        let next = "GET /next HTTP/1.1\r\nHost: test\r\n\r\n";
        drop(self.connection.try_write(next.as_bytes()));
        let expected = Expected {
            status: 200,
            body: Some(b"GET /next test".to_vec()),
            is_head: false,
            is_optional: false,
        };
        self.receive(&expected)
            .map(drop)
            .map_err(|why| format!("in the request after it: {why}"))
    }
}

/// Checks that a response announces the close of the connection.
fn check_announces_end(response: &Response) -> Result<(), String> {
    // A refused request has no version that would imply it.
    if response.status < 400 || response.header("connection") == Some("close") {
        Ok(())
    } else {
        Err(format!("`connection: close` is missing: {response:?}"))
    }
}

fn is_end(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
    )
}
