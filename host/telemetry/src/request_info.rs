//! What the server knows of one request, for those who write about it.

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use audit_log::record::{self, Component};
use http::header::HeaderName;
use http::{Method, Request, Uri, Version};

use crate::Rejection;
use crate::RequestId;
use crate::cpu_clock::CpuClock;
use crate::metrics::FailureKind;
use crate::principal::{self, InvalidPrincipal};
use crate::request_telemetry::FunctionTelemetry;
use crate::trace_parent::TraceParent;
use memory_limit::MemoryShortage;

/// The longest path that is kept whole, in bytes.
const MAX_PATH_BYTES: usize = 1024;

/// The longest method that is kept whole, in bytes.
const MAX_METHOD_BYTES: usize = 32;

/// The facts about a request, and whether what happens in it is audited.
#[derive(Debug)]
pub struct RequestInfo {
    id: RequestId,
    method: Method,
    uri: Uri,
    version: Version,
    peer: Option<SocketAddr>,
    trace_parent: Option<TraceParent>,
    principal: Result<Option<Box<str>>, InvalidPrincipal>,
    /// Where one server has many.
    function: Option<Arc<FunctionTelemetry>>,
    /// Set when the audit log took no record of something that happened.
    is_audit_unavailable: AtomicBool,
    /// Set when its guest failed that got less memory than it wanted.
    memory_shortage: OnceLock<MemoryShortage>,
    /// 0, or 1 and the number of a [`FailureKind`].
    failure: AtomicU8,
    /// Why its body was not read to the end.
    body_rejection: OnceLock<Rejection>,
    cpu_clock: CpuClock,
    /// How many bytes its guest has printed.
    output_bytes: AtomicUsize,
}

impl RequestInfo {
    /// Takes the facts out of `request`, which came from `peer`. The proxy in front of
    /// the server names the user in the header `principal`, if there is one.
    #[must_use]
    pub fn new<B>(
        request: &Request<B>,
        peer: Option<SocketAddr>,
        principal: Option<&HeaderName>,
    ) -> Self {
        let headers = request.headers();
        let principal = principal.map_or(Ok(None), |name| principal::of(headers, name));
        Self {
            id: RequestId::of(headers),
            method: request.method().clone(),
            uri: request.uri().clone(),
            version: request.version(),
            peer,
            trace_parent: TraceParent::of(headers),
            principal: principal.map(|name| name.map(Into::into)),
            function: None,
            is_audit_unavailable: AtomicBool::new(false),
            memory_shortage: OnceLock::new(),
            failure: AtomicU8::new(0),
            body_rejection: OnceLock::new(),
            cpu_clock: CpuClock::default(),
            output_bytes: AtomicUsize::new(0),
        }
    }

    /// The id of the request.
    #[must_use]
    pub fn id(&self) -> &RequestId {
        &self.id
    }

    /// Notes to which of several functions it goes.
    pub fn set_function(&mut self, function: Arc<FunctionTelemetry>) {
        self.function = Some(function);
    }

    /// The function to which it goes, where one server has many.
    pub fn component(&self) -> Option<&Component<'static>> {
        self.function.as_ref().map(|function| function.component())
    }

    /// Keeps a line of what its function prints, where one server has many.
    pub fn append_log_line(&self, line: impl fmt::Display) {
        if let Some(function) = &self.function {
            function.metrics().log_ring().push(line);
        }
    }

    /// How long its guest has computed.
    pub fn cpu_clock(&self) -> &CpuClock {
        &self.cpu_clock
    }

    /// Notes that its guest prints so many bytes, and returns how many it has printed
    /// before.
    pub fn add_output_bytes(&self, bytes: usize) -> usize {
        self.output_bytes.fetch_add(bytes, Ordering::Relaxed)
    }

    /// Notes why its body is not read to the end.
    pub fn reject_body(&self, rejection: Rejection) {
        // The first reason is the one.
        let _ = self.body_rejection.set(rejection);
    }

    /// Why its body was not read to the end, if it was not.
    pub fn body_rejection(&self) -> Option<Rejection> {
        self.body_rejection.get().copied()
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The version of HTTP.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The target, without the query.
    pub fn path(&self) -> &str {
        self.uri.path()
    }

    /// The other end of the connection.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// The principal that the proxy has authenticated.
    pub fn principal(&self) -> Option<&str> {
        self.principal.as_ref().ok()?.as_deref()
    }

    /// Checks that the request does not name several principals, or an unreadable one.
    ///
    /// # Errors
    ///
    /// Fails if it does: no guest may run for it, because no record could name the principal.
    pub fn check_principal(&self) -> Result<(), Rejection> {
        match &self.principal {
            Ok(_) => Ok(()),
            Err(invalid) => Err(Rejection::Malformed(invalid.detail())),
        }
    }

    /// What the sender says of its trace.
    pub fn trace_parent(&self) -> Option<TraceParent> {
        self.trace_parent
    }

    /// The facts as a record of the audit log has them.
    #[must_use]
    pub fn for_audit(&self) -> record::Request<'_> {
        let path = self.uri.path();
        let kept = cut(path, MAX_PATH_BYTES);
        record::Request {
            id: self.id.to_string().into(),
            trace_id: self
                .trace_parent
                .map(|parent| parent.trace_id_text().into()),
            peer: self.peer.map(|peer| peer.to_string().into()),
            method: cut(self.method.as_str(), MAX_METHOD_BYTES).into(),
            path: kept.into(),
            path_bytes: (kept.len() < path.len()).then_some(path.len() as u64),
            principal: self.principal().map(Cow::Borrowed),
        }
    }

    /// Notes that something happened in the request of which there is no record.
    pub fn set_audit_unavailable(&self) {
        self.is_audit_unavailable.store(true, Ordering::Relaxed);
    }

    /// Whether something happened in the request of which there is no record.
    pub fn is_audit_unavailable(&self) -> bool {
        self.is_audit_unavailable.load(Ordering::Relaxed)
    }

    /// Notes that the guest failed, and why it got less memory than it wanted before.
    pub fn set_memory_shortage(&self, lack: MemoryShortage) {
        // A guest fails once.
        let _ = self.memory_shortage.set(lack);
    }

    /// Why the guest, if it failed, got less memory than it wanted, if it did.
    pub fn memory_shortage(&self) -> Option<MemoryShortage> {
        self.memory_shortage.get().copied()
    }

    /// Notes how the guest failed. The last failure counts.
    pub fn set_failure(&self, kind: FailureKind) {
        self.failure.store(kind as u8 + 1, Ordering::Relaxed);
    }

    /// How the guest failed, if it did.
    pub fn failure(&self) -> Option<FailureKind> {
        let number = usize::from(self.failure.load(Ordering::Relaxed));
        FailureKind::ALL.get(number.checked_sub(1)?).copied()
    }
}

/// As many bytes of `text` as fit, without a part of a character.
fn cut(text: &str, max_bytes: usize) -> &str {
    &text[..text.floor_char_boundary(max_bytes)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(uri: &str, headers: &[(&str, &str)]) -> Request<()> {
        let mut request = Request::new(());
        *request.uri_mut() = uri.parse().unwrap();
        for (name, value) in headers {
            let name: HeaderName = name.parse().unwrap();
            request.headers_mut().append(name, value.parse().unwrap());
        }
        request
    }

    #[test]
    fn a_record_names_the_trace() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        let parent = format!("00-{id}-00f067aa0ba902b7-00");
        let info = RequestInfo::new(&request("/", &[("traceparent", &parent)]), None, None);
        assert_eq!(info.for_audit().trace_id.as_deref(), Some(id));
        let info = RequestInfo::new(&request("/", &[]), None, None);
        assert_eq!(info.for_audit().trace_id, None);
    }

    #[test]
    fn a_path_is_without_its_query_and_not_longer_than_allowed() {
        let long = format!("/{}", "x".repeat(5000));
        let info = RequestInfo::new(&request(&format!("{long}?secret=1"), &[]), None, None);
        let facts = info.for_audit();
        assert_eq!(facts.path, long[..MAX_PATH_BYTES]);
        assert_eq!(facts.path_bytes, Some(5001));
        let info = RequestInfo::new(&request("/a?secret=1", &[]), None, None);
        assert_eq!(info.for_audit().path, "/a");
        assert_eq!(info.for_audit().path_bytes, None);
    }

    #[test]
    fn the_principal_is_that_of_principal_header_alone() {
        let header = HeaderName::from_static("x-user");
        let request = request("/", &[("x-user", "alice")]);
        let info = RequestInfo::new(&request, None, Some(&header));
        assert_eq!(info.for_audit().principal.as_deref(), Some("alice"));
        let info = RequestInfo::new(&request, None, None);
        assert_eq!(info.for_audit().principal, None);
    }
}
