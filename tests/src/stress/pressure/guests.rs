//! Clients of large and of hostile guests.

use std::collections::VecDeque;
use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use crate::artifacts;
use crate::client::{Connection, Request, json, post};
use crate::functions::Folder;
use crate::guests::assemble;
use crate::random::Random;
use crate::stress::hostile::{Answer, table};

/// Size of the memory image of the large guest, in MiB.
const IMAGE_MIB: usize = 8;

/// Number of requests to large guests that are sent at once.
const BURST: usize = 20;

/// Number of connections that stay open whose clients do not read.
const KEPT: usize = 8;

/// Number of answers by kind.
#[derive(Debug, Default)]
pub struct Counts {
    /// 200, or an answer that the hostile guest allows.
    pub answered: usize,
    /// 503.
    pub refused: usize,
    /// Any other answer.
    pub other: usize,
    /// The first of the other answers.
    pub first_other: Option<String>,
}

/// A guest with a large memory, like a language engine: at its start it reads all of it and writes
/// to a quarter.
#[must_use]
pub fn large() -> Vec<u8> {
    const BEGIN: &str = r#"(memory (export "memory") 4)"#;

    assemble("locator", |source| {
        assert!(source.contains(BEGIN), "the guest has another memory");
        let image = "x".repeat(IMAGE_MIB << 20);
        let pages = 16 * IMAGE_MIB + 16;
        let end = IMAGE_MIB << 20;
        source.replace(
            BEGIN,
            &format!(
                r#"(memory (export "memory") {pages})
    (data (i32.const 65536) "{image}")
    (func $touch
      (local $at i32)
      (local.set $at (i32.const 65536))
      (loop $next
        (drop (i32.load8_u (local.get $at)))
        (if (i32.lt_u (local.get $at) (i32.const {written}))
          (then (i32.store8 (local.get $at) (i32.const 1))))
        (local.set $at (i32.add (local.get $at) (i32.const 4096)))
        (br_if $next (i32.lt_u (local.get $at) (i32.const {end})))))
    (start $touch)"#,
                written = end / 4,
            ),
        )
    })
}

/// A request to a large guest.
#[derive(Debug)]
pub struct Large(Request);

impl Large {
    /// Puts the large guests into the folder: [`large`], and one in JavaScript if it is built.
    #[must_use]
    pub fn all(functions: &Folder) -> Vec<Self> {
        functions.put("large.wasm", large());
        let mut all = vec![Self(Request::new("GET", "/large/here"))];
        let script = artifacts::target().join("experiments/polyglot/app.wasm");
        if let Ok(component) = fs::read(script) {
            functions.put("script.wasm", component);
            all.push(Self(post("/script/encrypt", json("a"))));
        }
        all
    }

    /// The request.
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.0
    }

    /// Sends bursts of requests until `end`.
    #[must_use]
    pub fn send_bursts(&self, address: SocketAddr, end: Instant) -> Counts {
        let mut counts = Counts::default();
        while Instant::now() < end {
            let sent: Vec<_> = (0..BURST)
                .map(|_| {
                    let mut connection = Connection::try_open(address)?;
                    connection.try_write(&self.0.bytes())?;
                    Ok(connection)
                })
                .collect();
            for connection in sent {
                let received = connection.and_then(|mut connection: Connection| {
                    let response = connection.try_receive_for("GET")?;
                    Ok((response.status, response.is_complete))
                });
                match received {
                    Ok((200, true)) => counts.answered += 1,
                    Ok((503, true)) => counts.refused += 1,
                    other => counts.note(&other),
                }
            }
        }
        counts
    }
}

/// Runs one hostile guest after the other until `end`.
#[must_use]
pub fn send_hostile(address: SocketAddr, mut random: Random, end: Instant) -> Counts {
    let mut counts = Counts::default();
    let mut kept = VecDeque::new();
    while Instant::now() < end {
        let behaviour = &table()[random.below(table().len())];
        match behaviour.run(address) {
            Ok((Answer::Problem(503), _)) => counts.refused += 1,
            Ok((answer, open)) if behaviour.answers.contains(&answer) => {
                counts.answered += 1;
                kept.extend(open);
                if kept.len() > KEPT {
                    kept.pop_front();
                }
            }
            other => counts.note(&other.map(|(answer, _)| (behaviour.name, answer))),
        }
    }
    counts
}

impl Counts {
    /// The sum of all counts.
    #[must_use]
    pub fn sum(all: impl IntoIterator<Item = Self>) -> Self {
        all.into_iter().fold(Self::default(), |sum, one| Self {
            answered: sum.answered + one.answered,
            refused: sum.refused + one.refused,
            other: sum.other + one.other,
            first_other: sum.first_other.or(one.first_other),
        })
    }

    fn note(&mut self, other: &io::Result<impl fmt::Debug>) {
        self.other += 1;
        self.first_other.get_or_insert_with(|| format!("{other:?}"));
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            answered,
            refused,
            other,
            first_other,
        } = self;
        write!(
            f,
            "{answered} as expected, {refused} refused, {other} other"
        )?;
        match first_other {
            Some(first) => write!(f, ", such as {first}"),
            None => Ok(()),
        }
    }
}
