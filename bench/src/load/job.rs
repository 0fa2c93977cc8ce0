//! What a server is asked to do, again and again, and whether it did it.

use std::fmt::Display;
use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::http::{self, Answer};

/// One kind of request.
#[derive(Debug, Clone)]
pub(crate) enum Job {
    /// To encrypt a message of small letters and spaces.
    Encrypt(String),
    /// To send a body of so many bytes back.
    Echo(usize),
    /// To do what the guest `toil` does at this path, and answer with this.
    Toil { path: String, answer: String },
    /// To do another job, at each of these paths in turn. There is at least one.
    At { paths: Vec<String>, job: Box<Self> },
}

impl Job {
    /// To answer at once.
    pub(crate) fn good() -> Self {
        Self::Toil {
            path: "/good".to_owned(),
            answer: "good".to_owned(),
        }
    }

    /// To compute so many steps.
    pub(crate) fn compute(steps: u64) -> Self {
        Self::Toil {
            path: format!("/compute?{steps}"),
            answer: computed(steps).to_string(),
        }
    }

    /// The same below each of these prefixes in turn: below `/app`, `/good` is
    /// `/app/good`. There has to be at least one.
    pub(crate) fn below(self, prefixes: impl IntoIterator<Item = impl Display>) -> Self {
        let path = |prefix| format!("{prefix}{}", self.path());
        Self::At {
            paths: prefixes.into_iter().map(path).collect(),
            job: self.into(),
        }
    }

    /// The path of the request, or the first of them.
    pub(crate) fn path(&self) -> &str {
        match self {
            Self::Encrypt(_) => "/encrypt",
            Self::Echo(_) => "/echo",
            Self::Toil { path, .. } => path,
            Self::At { paths, .. } => &paths[0],
        }
    }

    /// All paths, which are taken in turn.
    pub(crate) fn paths(&self) -> Vec<&str> {
        match self {
            Self::At { paths, .. } => paths.iter().map(String::as_str).collect(),
            _ => vec![self.path()],
        }
    }

    /// The body of the request.
    pub(crate) fn body(&self) -> Vec<u8> {
        match self {
            Self::Encrypt(message) => format!(r#"{{"message": "{message}"}}"#).into_bytes(),
            // No power of two, so that a part that is missing, doubled or out of
            // order shows.
            Self::Echo(bytes) => (0..=250).cycle().take(*bytes).collect(),
            Self::Toil { .. } => Vec::new(),
            Self::At { job, .. } => job.body(),
        }
    }

    /// How long the message or the body is.
    pub(crate) fn size_bytes(&self) -> usize {
        match self {
            Self::Encrypt(message) => message.len(),
            Self::Echo(bytes) => *bytes,
            Self::Toil { .. } => 0,
            Self::At { job, .. } => job.size_bytes(),
        }
    }

    /// Asks once, fails unless the answer is right, and returns how many bytes it
    /// took.
    pub(crate) fn check(&self, addr: SocketAddr) -> Result<usize> {
        let answer = http::post(addr, self.path(), &self.body())?;
        self.judge(&answer)?;
        Ok(answer.size_bytes)
    }

    /// Fails unless an answer is right.
    pub(crate) fn judge(&self, answer: &Answer) -> Result<()> {
        let text = String::from_utf8_lossy(&answer.body);
        ensure!(
            answer.status == 200,
            "the answer was {}: {}",
            answer.status,
            short(&text)
        );
        match self {
            Self::Encrypt(message) => {
                let found: Encrypted = serde_json::from_slice(&answer.body)
                    .with_context(|| format!("the answer was {}", short(&text)))?;
                let expected = encrypted(message);
                ensure!(
                    found.result == expected,
                    "expected `{}`, the answer was `{}`",
                    short(&expected),
                    short(&found.result)
                );
            }
            Self::Echo(bytes) => ensure!(
                answer.body == self.body(),
                "expected the {bytes} bytes that were sent, the answer was {} others",
                answer.body.len()
            ),
            Self::Toil {
                answer: expected, ..
            } => ensure!(
                answer.body == expected.as_bytes(),
                "expected `{expected}`, the answer was `{}`",
                short(&text)
            ),
            Self::At { job, .. } => job.judge(answer)?,
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct Encrypted {
    result: String,
}

/// Caesar's cipher, three letters on, for small letters.
fn encrypted(message: &str) -> String {
    let shift = |letter: char| match letter {
        'a'..='w' => char::from(letter as u8 + 3),
        'x'..='z' => char::from(letter as u8 - 23),
        other => other,
    };
    message.chars().map(shift).collect()
}

/// The number at which the guest `toil` arrives after so many steps.
fn computed(steps: u64) -> u64 {
    (0..steps).fold(0x9e37_79b9_7f4a_7c15, |number: u64, _| {
        let number = number ^ (number << 13);
        let number = number ^ (number >> 7);
        number ^ (number << 17)
    })
}

fn short(text: &str) -> String {
    text.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::http::tests::answer;

    #[test]
    fn what_toil_computes_is_known() {
        // What the guest answered when it was written.
        assert_eq!(computed(1_000_000), 4_500_339_045_783_072_515);
    }

    #[test]
    fn the_expected_answer_is_the_one_that_people_know() {
        assert_eq!(encrypted("hello world"), "khoor zruog");
        assert_eq!(encrypted("xyz"), "abc");
    }

    #[test]
    fn the_body_is_the_one_of_the_readme() {
        let job = Job::Encrypt("hello world".to_owned());
        assert_eq!(job.body(), br#"{"message": "hello world"}"#);
    }

    #[test]
    fn below_prefixes_a_job_is_the_same_at_other_paths() {
        let job = Job::Encrypt("abc".to_owned()).below(["/a", "/b"]);
        assert_eq!(job.paths(), ["/a/encrypt", "/b/encrypt"]);
        assert_eq!(job.path(), "/a/encrypt");
        assert_eq!(job.body(), Job::Encrypt("abc".to_owned()).body());
        job.judge(&answer(200, br#"{"result":"def"}"#)).unwrap();
        assert!(job.judge(&answer(200, br#"{"result":"abc"}"#)).is_err());
    }

    #[test]
    fn a_wrong_answer_is_an_error_that_shows_it() {
        let job = Job::Encrypt("abc".to_owned());
        job.judge(&answer(200, br#"{"result":"def"}"#)).unwrap();
        let error = job.judge(&answer(200, br#"{"result":"abc"}"#)).unwrap_err();
        assert_eq!(error.to_string(), "expected `def`, the answer was `abc`");
        let error = job.judge(&answer(500, b"the guest failed")).unwrap_err();
        assert_eq!(error.to_string(), "the answer was 500: the guest failed");
    }

    #[test]
    fn an_echo_with_two_parts_in_the_wrong_order_is_an_error() {
        let job = Job::Echo(1 << 17);
        let sent = job.body();
        job.judge(&answer(200, &sent)).unwrap();
        let (first, second) = sent.split_at(1 << 16);
        assert!(job.judge(&answer(200, &[second, first].concat())).is_err());
    }
}
