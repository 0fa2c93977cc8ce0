//! The requests, and the expected answers.

use crate::client::{Request, Response, decrypt, encrypt, json, post};
use crate::random::Random;

/// Length of a long message, in bytes.
const LONG: usize = 100 << 10;

/// A request, and the expected answer.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) request: Request,
    expected: Expected,
}

#[derive(Debug)]
enum Expected {
    /// The result document with this result, and an entry in the audit log.
    Result(String),
    /// A problem document with this status.
    Problem(u16),
}

impl Exchange {
    /// Of a hundred, 60 encrypt a short message, 20 decrypt one, 5 encrypt a long one, and 15 are
    /// invalid.
    pub(super) fn random(random: &mut Random) -> Self {
        match random.below(100) {
            0..60 => Self::encrypt(&message(random, 64)),
            60..80 => {
                let result = message(random, 64);
                Self {
                    request: decrypt(&shifted(&result)),
                    expected: Expected::Result(result),
                }
            }
            80..85 => Self::long(random),
            _ => Self::invalid(random),
        }
    }

    /// A request to encrypt a short message, and its body.
    pub(super) fn short(random: &mut Random) -> (String, Self) {
        let message = message(random, 64);
        let exchange = Self::encrypt(&message);
        (json(&message), exchange)
    }

    /// A request with a long message.
    pub(super) fn long(random: &mut Random) -> Self {
        let word = message(random, 64) + " ";
        let count = LONG / word.len();
        Self::encrypt(&word.repeat(count))
    }

    fn encrypt(message: &str) -> Self {
        Self {
            request: encrypt(message),
            expected: Expected::Result(shifted(message)),
        }
    }

    fn invalid(random: &mut Random) -> Self {
        let too_large = vec![b' '; (1 << 20) + (64 << 10)];
        let (request, status) = match random.below(40) {
            0 => (post("/encrypt", too_large), 413),
            1..10 => (post("/encrypt", "hello"), 400),
            10..20 => (Request::new("GET", "/"), 404),
            20..30 => (Request::new("GET", "/decrypt"), 405),
            _ => (encrypt("a").header("content-type", "text/plain"), 415),
        };
        Self {
            request,
            expected: Expected::Problem(status),
        }
    }

    /// Whether the expected answer comes with an entry in the audit log.
    pub(super) fn is_audited(&self) -> bool {
        matches!(self.expected, Expected::Result(_))
    }

    /// Checks an answer.
    ///
    /// # Errors
    ///
    /// Fails for any other answer than the expected one.
    pub(super) fn check(&self, response: &Response) -> Result<(), String> {
        let status = match &self.expected {
            Expected::Result(_) => 200,
            Expected::Problem(status) => *status,
        };
        if response.status != status || !response.is_complete {
            return Err(format!("expected {status}, found {response:?}"));
        }
        let document = response.json();
        match &self.expected {
            Expected::Result(result) if document["result"] != result.as_str() => {
                Err(format!("expected `{result}`, found {response:?}"))
            }
            Expected::Problem(_) if document["status"] != status => {
                Err(format!("expected a problem, found {response:?}"))
            }
            _ => Ok(()),
        }
    }
}

/// At most `max` lower-case letters.
fn message(random: &mut Random, max: usize) -> String {
    let length = 1 + random.below(max);
    let letter = |_| char::from(b'a' + u8::try_from(random.below(26)).expect("a letter"));
    (0..length).map(letter).collect()
}

/// The service's encryption of lower-case letters.
fn shifted(message: &str) -> String {
    let shift = |letter: char| match letter {
        'a'..='w' => char::from(letter as u8 + 3),
        'x'..='z' => char::from(letter as u8 - 23),
        other => other,
    };
    message.chars().map(shift).collect()
}
