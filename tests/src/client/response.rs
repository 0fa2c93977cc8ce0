//! A response.

use std::fmt;

use serde_json::Value;

/// A response, complete or not.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The received bytes of the body.
    pub body: Vec<u8>,
    /// Whether the body is complete.
    pub is_complete: bool,
}

impl Response {
    /// The value of a header that occurs once.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(existing, _)| existing == name);
        let (_, value) = values.next()?;
        assert!(values.next().is_none(), "`{name}` occurs twice in {self:?}");
        Some(value)
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in the body of {self:?}"))
    }

    /// The member `result` of the body of a 200.
    #[must_use]
    pub fn result(&self) -> String {
        assert_eq!(self.status, 200, "{self:?}");
        let document = self.json();
        let result = document["result"].as_str();
        result
            .unwrap_or_else(|| panic!("no `result` in {self:?}"))
            .to_owned()
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Longer bodies are truncated.
        const SHOWN_BYTES: usize = 1000;

        writeln!(f, "the response {}", self.status)?;
        for (name, value) in &self.headers {
            writeln!(f, "{name}: {value}")?;
        }
        let shown = &self.body[..self.body.len().min(SHOWN_BYTES)];
        let complete = if self.is_complete { "" } else { ", incomplete" };
        writeln!(f, "({} bytes{complete})", self.body.len())?;
        f.write_str(&String::from_utf8_lossy(shown))
    }
}
