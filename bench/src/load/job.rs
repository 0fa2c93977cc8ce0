//! The request of a load, and the expected answer.

use std::fmt::Display;
use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::http::{self, Answer};

/// One kind of request.
#[derive(Debug, Clone)]
pub(crate) enum Job {
    /// Encrypt a message of lower-case letters and spaces.
    Encrypt(String),
    /// Echo a body of this size.
    Echo(usize),
    /// Request this path of the guest `cpu-burn`, and expect this answer.
    CpuBurn { path: String, answer: String },
    /// Another job at each of these paths in turn; at least one.
    At { paths: Vec<String>, job: Box<Self> },
}

impl Job {
    /// An immediate answer.
    pub(crate) fn good() -> Self {
        Self::CpuBurn {
            path: "/good".to_owned(),
            answer: "good".to_owned(),
        }
    }

    /// A computation of this number of steps.
    pub(crate) fn compute(steps: u64) -> Self {
        Self::CpuBurn {
            path: format!("/compute?{steps}"),
            answer: computed(steps).to_string(),
        }
    }

    /// The same below each of these prefixes in turn, at least one: below `/app`, `/good` is
    /// `/app/good`.
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
            Self::CpuBurn { path, .. } => path,
            Self::At { paths, .. } => &paths[0],
        }
    }

    /// All paths, which take turns.
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
            // A period that is not a power of two exposes missing, repeated and reordered parts.
            Self::Echo(bytes) => (0..=250).cycle().take(*bytes).collect(),
            Self::CpuBurn { .. } => Vec::new(),
            Self::At { job, .. } => job.body(),
        }
    }

    /// Size of the message or the body.
    pub(crate) fn size_bytes(&self) -> usize {
        match self {
            Self::Encrypt(message) => message.len(),
            Self::Echo(bytes) => *bytes,
            Self::CpuBurn { .. } => 0,
            Self::At { job, .. } => job.size_bytes(),
        }
    }

    /// Sends one request, fails unless the answer is the expected one, and returns the size of the
    /// answer.
    pub(crate) fn check(&self, addr: SocketAddr) -> Result<usize> {
        let answer = http::post(addr, self.path(), &self.body())?;
        self.judge(&answer)?;
        Ok(answer.size_bytes)
    }

    /// Fails unless an answer is the expected one.
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
            Self::CpuBurn {
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

/// Caesar's cipher for lower-case letters, with a shift of three.
fn encrypted(message: &str) -> String {
    let shift = |letter: char| match letter {
        'a'..='w' => char::from(letter as u8 + 3),
        'x'..='z' => char::from(letter as u8 - 23),
        other => other,
    };
    message.chars().map(shift).collect()
}

/// The result of the guest `cpu-burn` after this number of steps.
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
    fn the_result_of_cpu_burn_is_known() {
        // The answer of the guest when it was written.
        assert_eq!(computed(1_000_000), 4_500_339_045_783_072_515);
    }

    #[test]
    fn hello_world_encrypts_to_khoor_zruog() {
        assert_eq!(encrypted("hello world"), "khoor zruog");
        assert_eq!(encrypted("xyz"), "abc");
    }

    #[test]
    fn the_body_is_the_one_of_the_readme() {
        let job = Job::Encrypt("hello world".to_owned());
        assert_eq!(job.body(), br#"{"message": "hello world"}"#);
    }

    #[test]
    fn prefixes_change_only_the_paths_of_a_job() {
        let job = Job::Encrypt("abc".to_owned()).below(["/a", "/b"]);
        assert_eq!(job.paths(), ["/a/encrypt", "/b/encrypt"]);
        assert_eq!(job.path(), "/a/encrypt");
        assert_eq!(job.body(), Job::Encrypt("abc".to_owned()).body());
        job.judge(&answer(200, br#"{"result":"def"}"#)).unwrap();
        assert!(job.judge(&answer(200, br#"{"result":"abc"}"#)).is_err());
    }

    #[test]
    fn a_wrong_answer_is_an_error_with_its_text() {
        let job = Job::Encrypt("abc".to_owned());
        job.judge(&answer(200, br#"{"result":"def"}"#)).unwrap();
        let error = job.judge(&answer(200, br#"{"result":"abc"}"#)).unwrap_err();
        assert_eq!(error.to_string(), "expected `def`, the answer was `abc`");
        let error = job.judge(&answer(500, b"the guest failed")).unwrap_err();
        assert_eq!(error.to_string(), "the answer was 500: the guest failed");
    }

    #[test]
    fn an_echo_with_reordered_parts_is_an_error() {
        let job = Job::Echo(1 << 17);
        let sent = job.body();
        job.judge(&answer(200, &sent)).unwrap();
        let (first, second) = sent.split_at(1 << 16);
        assert!(job.judge(&answer(200, &[second, first].concat())).is_err());
    }
}
