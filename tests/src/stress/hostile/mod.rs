//! Guests that attack the server or their neighbours, and what their clients may see.
//! `guests/hostile.wat` for WASI 0.2 and the package `hostile-03-guest` for WASI 0.3 have all of
//! them, one per path, and answer at `/good`.
//!
//! - this file: [`Behaviour`], with its client and the allowed answers.
//! - [`table`]: all of them; `table_03.rs` has those for WASI 0.3.
//! - [`Server`]: a server with small limits that runs them.
//! - [`Repeat`]: runs them many times, next to clients of a well-behaved guest.
//! - [`suite`]: all of them, with the memory of the server before and after.

mod repeat;
mod server;
pub mod suite;
mod table;
mod table_03;

use std::io;
use std::net::SocketAddr;

use crate::client::{Connection, Request, Response};

pub use repeat::{GoodClient, Outcome, Repeat};
pub(super) use server::put_guests;
pub use server::{MAX_CONCURRENCY, Server};
pub use table::table;

/// A hostile guest and its client.
#[derive(Debug, Clone, Copy)]
pub struct Behaviour {
    /// The version of WASI of the guest.
    pub wasi: Wasi,
    /// Its path, without the slash.
    pub name: &'static str,
    /// The behaviour of the client.
    pub client: Client,
    /// What the client may see. Several answers depend on what was sent before the guest failed.
    pub answers: &'static [Answer],
    /// The flag of the limit that stops the guest, or another reason.
    pub limit: &'static str,
}

/// A version of WASI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wasi {
    /// 0.2.
    V02,
    /// 0.3.
    V03,
}

impl Wasi {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::V02, Self::V03];

    /// The function of the hostile guests.
    const fn hostile(self) -> &'static str {
        match self {
            Self::V02 => "hostile",
            Self::V03 => "hostile-03",
        }
    }

    /// The function of the well-behaved guest.
    const fn good(self) -> &'static str {
        match self {
            Self::V02 => "good",
            Self::V03 => "good-03",
        }
    }
}

/// The behaviour of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// Sends a GET and receives the response.
    Plain,
    /// Sends a small body as well.
    Body,
    /// Sends the start of a body that is small enough to be read ahead, and waits.
    SmallHalf,
    /// Sends more of a body than is read ahead, and waits.
    LargeHalf,
    /// Sends a GET and disconnects.
    Leaves,
    /// Sends a GET and never reads.
    Deaf,
}

/// What a client sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// 200 and `good`.
    Good,
    /// A problem document with this status.
    Problem(u16),
    /// A complete response with this status and no body.
    Empty(u16),
    /// An incomplete response with the status 200.
    Broken,
    /// Nothing, because it does not read.
    Unseen,
}

/// Length of a body that a client announces and does not send.
const ANNOUNCED_BYTES: usize = 1 << 20;

impl Behaviour {
    /// Runs it once. Returns what its client saw, and the connection if that has to stay open
    /// until the server ends it.
    ///
    /// # Errors
    ///
    /// Fails if no answer comes in time, or one that no client may see.
    pub fn run(&self, address: SocketAddr) -> io::Result<(Answer, Option<Connection>)> {
        let mut connection = Connection::try_open(address)?;
        let path = format!("/{}/{}", self.wasi.hostile(), self.name);
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
            _ => Ok((classify(&connection.try_receive_for("GET")?)?, None)),
        }
    }
}

/// What a response is to its client.
fn classify(response: &Response) -> io::Result<Answer> {
    let is_problem = response.header("content-type") == Some("application/problem+json")
        && response.header("x-request-id").is_some();
    match response.status {
        200 if !response.is_complete => Ok(Answer::Broken),
        200 if response.body == b"good" => Ok(Answer::Good),
        200 if response.body.is_empty() => Ok(Answer::Empty(200)),
        204 | 304 => Ok(Answer::Empty(response.status)),
        status if status >= 400 && is_problem && response.is_complete => {
            Ok(Answer::Problem(status))
        }
        _ => Err(io::Error::other(format!("{response:?}"))),
    }
}
