//! The bytes of a request.

use std::iter;

/// A request that is sent unchanged.
#[derive(Debug, Clone)]
pub struct Request {
    method: String,
    path: String,
    version: &'static str,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    /// A request with the `host` of every listener on loopback, and without a body.
    #[must_use]
    pub fn new(method: &str, path: &str) -> Self {
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            version: "HTTP/1.1",
            headers: vec![("host".to_owned(), "localhost".to_owned())],
            body: Vec::new(),
        }
    }

    /// Adds a header, or replaces it.
    #[must_use]
    pub fn header(self, name: &str, value: &str) -> Self {
        let mut request = self.without_header(name);
        request.headers.push((name.to_owned(), value.to_owned()));
        request
    }

    /// Adds a bearer token.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// Sends it to another path.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Removes a header.
    #[must_use]
    pub fn without_header(mut self, name: &str) -> Self {
        self.headers.retain(|(existing, _)| existing != name);
        self
    }

    /// Sets the body and its `content-length`.
    #[must_use]
    pub fn body(self, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        let length = body.len().to_string();
        let mut request = self.header("content-length", &length);
        request.body = body;
        request
    }

    /// Announces a chunked body, which the test sends.
    #[must_use]
    pub fn chunked(self) -> Self {
        self.without_header("content-length")
            .header("transfer-encoding", "chunked")
    }

    /// Makes it a request of HTTP/1.0.
    #[must_use]
    pub fn http_1_0(mut self) -> Self {
        self.version = "HTTP/1.0";
        self
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The path and the query.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.path
    }

    /// The headers, by name and value.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        let headers = self.headers.iter();
        headers.map(|(name, value)| (&**name, &**value))
    }

    /// The body.
    #[must_use]
    pub fn content(&self) -> &[u8] {
        &self.body
    }

    /// The head.
    #[must_use]
    pub fn head(&self) -> Vec<u8> {
        let first = format!("{} {} {}", self.method, self.path, self.version);
        let header = |(name, value): &(String, String)| format!("{name}: {value}");
        let lines = iter::once(first).chain(self.headers.iter().map(header));
        let mut head: String = lines.map(|line| line + "\r\n").collect();
        head.push_str("\r\n");
        head.into_bytes()
    }

    /// Head and body.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.head();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// A GET of this path.
#[must_use]
pub fn get(path: &str) -> Request {
    Request::new("GET", path)
}

/// A POST of this body, as JSON.
pub fn post(path: &str, body: impl Into<Vec<u8>>) -> Request {
    Request::new("POST", path)
        .header("content-type", "application/json")
        .body(body)
}

/// A request to encrypt a message.
#[must_use]
pub fn encrypt(message: &str) -> Request {
    post("/encrypt", json(message))
}

/// A request to decrypt a message.
#[must_use]
pub fn decrypt(message: &str) -> Request {
    post("/decrypt", json(message))
}

/// The JSON document of a message.
#[must_use]
pub fn json(message: &str) -> String {
    serde_json::json!({ "message": message }).to_string()
}

/// One chunk of a chunked body. An empty one ends the body.
#[must_use]
pub fn chunk(data: &[u8]) -> Vec<u8> {
    let mut chunk = format!("{:x}\r\n", data.len()).into_bytes();
    chunk.extend_from_slice(data);
    chunk.extend_from_slice(b"\r\n");
    chunk
}
