//! The request of a load, and the expected answer.

use std::fmt::Display;
use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::http::{Answer, Client, request};

/// A request for each of some paths in turn, and the expected answer.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    /// At least one.
    pub(crate) paths: Vec<String>,
    pub(crate) body: Vec<u8>,
    /// The bearer token, if it has one.
    pub(super) token: Option<&'static str>,
    expected: Expected,
}

#[derive(Debug, Clone)]
enum Expected {
    /// This body.
    Body(Vec<u8>),
    /// JSON with this result.
    Result(String),
}

impl Job {
    /// Encrypt a message of lower-case letters and spaces.
    pub(crate) fn encrypt(message: &str) -> Self {
        Self {
            paths: vec!["/encrypt".to_owned()],
            body: format!(r#"{{"message": "{message}"}}"#).into_bytes(),
            token: None,
            expected: Expected::Result(encrypted(message)),
        }
    }

    /// Echo a body of this size.
    pub(crate) fn echo(bytes: usize) -> Self {
        // A period that is not a power of two exposes missing, repeated and reordered parts.
        let body: Vec<u8> = (0..=250).cycle().take(bytes).collect();
        Self {
            paths: vec!["/echo".to_owned()],
            token: None,
            expected: Expected::Body(body.clone()),
            body,
        }
    }

    /// An immediate answer of the guest `cpu-burn`.
    pub(crate) fn good() -> Self {
        Self::cpu_burn("/good".to_owned(), "good".to_owned())
    }

    /// Its computation of this number of steps.
    pub(crate) fn compute(steps: u64) -> Self {
        Self::cpu_burn(format!("/compute?{steps}"), computed(steps).to_string())
    }

    fn cpu_burn(path: String, answer: String) -> Self {
        Self {
            paths: vec![path],
            body: Vec::new(),
            token: None,
            expected: Expected::Body(answer.into_bytes()),
        }
    }

    /// The same below each of these prefixes in turn, at least one: below `/app`, `/good` is
    /// `/app/good`.
    pub(crate) fn below(self, prefixes: impl IntoIterator<Item = impl Display>) -> Self {
        let path = |prefix| format!("{prefix}{}", self.path());
        Self {
            paths: prefixes.into_iter().map(path).collect(),
            ..self
        }
    }

    /// The same with this bearer token.
    pub(crate) fn bearer(self, token: &'static str) -> Self {
        Self {
            token: Some(token),
            ..self
        }
    }

    /// One job for each path.
    pub(crate) fn split(&self) -> impl Iterator<Item = Self> {
        self.paths.iter().map(|path| Self {
            paths: vec![path.clone()],
            body: self.body.clone(),
            token: self.token,
            expected: self.expected.clone(),
        })
    }

    /// The path of the request, or the first of them.
    pub(crate) fn path(&self) -> &str {
        &self.paths[0]
    }

    /// The first request.
    pub(super) fn request(&self, addr: SocketAddr) -> Vec<u8> {
        self.request_to(addr, self.path())
    }

    /// The request to this path.
    pub(super) fn request_to(&self, addr: SocketAddr, path: &str) -> Vec<u8> {
        request(addr, path, self.token, &self.body)
    }

    /// Sends one request, fails unless the answer is the expected one, and returns the size of the
    /// answer.
    pub(crate) fn check(&self, addr: SocketAddr) -> Result<f64> {
        self.send(addr, &mut Client::new(addr))
    }

    /// The same on the connection of a client.
    pub(crate) fn send(&self, addr: SocketAddr, client: &mut Client) -> Result<f64> {
        let answer = client.send(&self.request(addr));
        let answer = answer.and_then(|answer| self.judge(&answer).map(|()| answer));
        let answer = answer.with_context(|| self.path().to_owned())?;
        Ok(f64::from(u32::try_from(answer.size_bytes)?))
    }

    /// Fails unless an answer is the expected one.
    pub(crate) fn judge(&self, answer: &Answer) -> Result<()> {
        let short =
            |text: &[u8]| -> String { String::from_utf8_lossy(text).chars().take(200).collect() };
        let text = short(&answer.body);
        ensure!(
            answer.status == 200,
            "the answer was {}: {text}",
            answer.status
        );
        let (expected, found) = match &self.expected {
            Expected::Body(body) => (body.as_slice(), answer.body.clone()),
            Expected::Result(expected) => {
                let found = serde_json::from_slice::<Encrypted>(&answer.body);
                let found = found.with_context(|| format!("the answer was {text}"))?;
                (expected.as_bytes(), found.result.into_bytes())
            }
        };
        ensure!(
            expected == found,
            "expected `{}`, the answer was `{}`",
            short(expected),
            short(&found)
        );
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
        let job = Job::encrypt("hello world");
        assert_eq!(job.body, br#"{"message": "hello world"}"#);
    }

    #[test]
    fn prefixes_change_only_the_paths_of_a_job() {
        let job = Job::encrypt("abc").below(["/a", "/b"]);
        assert_eq!(job.paths, ["/a/encrypt", "/b/encrypt"]);
        assert_eq!(job.path(), "/a/encrypt");
        assert_eq!(job.body, Job::encrypt("abc").body);
        let split: Vec<_> = job.split().map(|one| one.path().to_owned()).collect();
        assert_eq!(split, job.paths);
        job.judge(&answer(200, br#"{"result":"def"}"#)).unwrap();
        assert!(job.judge(&answer(200, br#"{"result":"abc"}"#)).is_err());
    }

    #[test]
    fn each_request_has_the_bearer_token() {
        let job = Job::good().bearer("secret").below(["/a", "/b"]);
        let addr = "127.0.0.1:1".parse().unwrap();
        for one in job.split() {
            let request = String::from_utf8(one.request(addr)).unwrap();
            assert!(
                request.contains("\r\nauthorization: Bearer secret\r\n"),
                "{request}"
            );
        }
    }

    #[test]
    fn a_wrong_answer_is_an_error_with_its_text() {
        let job = Job::encrypt("abc");
        job.judge(&answer(200, br#"{"result":"def"}"#)).unwrap();
        let error = job.judge(&answer(200, br#"{"result":"abc"}"#)).unwrap_err();
        assert_eq!(error.to_string(), "expected `def`, the answer was `abc`");
        let error = job.judge(&answer(500, b"the guest failed")).unwrap_err();
        assert_eq!(error.to_string(), "the answer was 500: the guest failed");
    }

    #[test]
    fn an_echo_with_reordered_parts_is_an_error() {
        let job = Job::echo(1 << 17);
        let sent = job.body.clone();
        job.judge(&answer(200, &sent)).unwrap();
        let (first, second) = sent.split_at(1 << 16);
        assert!(job.judge(&answer(200, &[second, first].concat())).is_err());
    }
}
