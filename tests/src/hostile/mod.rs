//! Guests that harm whoever runs them, and what must come of it. `guests/hostile.wat`
//! has them all, each at a path of its own, and answers at `/good`.
//!
//! - this file: [`Behaviour`], and what its client does and may see.
//! - [`table`]: all of them.
//! - [`Server`]: one that runs them, within small limits, and how it is.
//! - [`Campaign`]: runs them beside a good client.

mod campaign;
mod server;
mod table;

use std::io;
use std::net::SocketAddr;

use crate::client::{Connection, Request, Response};

pub use campaign::{Campaign, GoodClient, Outcome};
pub use server::{MAX_CONCURRENCY, Server};
pub use table::table;

/// What a guest does at one path, and what must come of it.
#[derive(Debug, Clone, Copy)]
pub struct Behaviour {
    /// Its path, without the slash.
    pub name: &'static str,
    /// What the client does.
    pub client: Client,
    /// What the client sees: one of these. Where there are several, it depends on how
    /// much was sent before the guest failed.
    pub answers: &'static [Answer],
    /// The flag of the limit that it meets, or what else stops it.
    pub limit: &'static str,
}

/// What the client of a guest does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// It asks, and takes what comes.
    Plain,
    /// It sends a small body as well.
    Body,
    /// It sends the beginning of a body that is small enough to be read ahead, and then
    /// waits.
    SmallHalf,
    /// It sends more of a body than is read ahead, and then waits.
    LargeHalf,
    /// It asks, and leaves at once.
    Leaves,
    /// It asks, and never reads.
    Deaf,
}

/// What a client sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// 200 and `good`, like everybody else.
    Good,
    /// A problem document with this status.
    Problem(u16),
    /// A response with this status and without a body.
    Empty(u16),
    /// A response with the status 200 that breaks off.
    Broken,
    /// Nothing, as it does not look.
    Unseen,
}

/// How long the body is that a client announces and does not send.
const ANNOUNCED_BYTES: usize = 1 << 20;

impl Behaviour {
    /// Runs it once. Returns what its client saw, and the connection if that has to stay
    /// open until the server has ended it.
    ///
    /// # Errors
    ///
    /// Fails if nothing comes in time, or what comes is nothing that a client may see.
    pub fn run(&self, address: SocketAddr) -> io::Result<(Answer, Option<Connection>)> {
        let mut connection = Connection::try_open(address)?;
        let path = format!("/hostile/{}", self.name);
        let get = Request::new("GET", &path);
        let half = |bytes: usize, announced: usize| {
            let post = Request::new("POST", &path).body(vec![b'x'; bytes]);
            post.header("content-length", &announced.to_string())
        };
        let request = match self.client {
            Client::Plain | Client::Leaves | Client::Deaf => get,
            Client::Body => Request::new("POST", &path).body("hello"),
            Client::SmallHalf => half(1, 100),
            Client::LargeHalf => half(64 << 10, ANNOUNCED_BYTES),
        };
        connection.try_write(&request.bytes())?;
        match self.client {
            Client::Leaves => Ok((Answer::Unseen, None)),
            Client::Deaf => Ok((Answer::Unseen, Some(connection))),
            _ => Ok((seen(&connection.try_receive_for("GET")?)?, None)),
        }
    }
}

/// What a response is to its client.
fn seen(response: &Response) -> io::Result<Answer> {
    let is_problem = response.header("content-type") == Some("application/problem+json")
        && response.header("x-request-id").is_some();
    match response.status {
        200 if !response.is_complete => Ok(Answer::Broken),
        200 if response.body == b"good" => Ok(Answer::Good),
        204 | 304 => Ok(Answer::Empty(response.status)),
        status if status >= 400 && is_problem && response.is_complete => {
            Ok(Answer::Problem(status))
        }
        _ => Err(io::Error::other(format!("{response:?}"))),
    }
}
