//! Host memory of one store: bytes that the server retains for a guest outside of the guest's
//! memories.
//!
//! Strings, fields and body buffers are in the resource table of the store, or in an outbound
//! request. Each host function that retains more bytes (in `host_functions.rs`) first adds an upper
//! bound to a counter. When the counter reaches the limit, [`HostMemory::charge`] counts the actual
//! bytes, so that dropped ones are available again. So a host call costs an addition and a
//! comparison, dropping a handle costs nothing, and the counter is never below the actual bytes.
//!
//! Each size is an upper bound of the allocation, with the spare capacity of maps and vectors. A
//! handle of any kind needs at most 512 additional bytes for its entry and a small value;
//! `--max-handles` limits those.

use std::any::Any;

use http::HeaderMap;
use http::uri::{Authority, PathAndQuery};
use wasmtime::component::ResourceTable;
use wasmtime_wasi::p2::DynOutputStream;
use wasmtime_wasi_http::p2::bindings::http::types::{Method, Scheme};
use wasmtime_wasi_http::p2::body::{HostFutureTrailers, HostIncomingBody, HostOutgoingBody};
use wasmtime_wasi_http::p2::types::{
    HostFutureIncomingResponse, HostIncomingResponse, HostOutgoingRequest, HostOutgoingResponse,
};
use wasmtime_wasi_http::{FieldMap, p3};

use super::output::MAX_LINE_BYTES;

/// An empty map of fields.
pub(super) const FIELDS_BYTES: usize = 1 << 10;

/// A field of a map, without its name and value.
const FIELD_BYTES: usize = 256;

/// Size limit of the head of a response, and of the read buffer of a body, in bytes.
pub(crate) const MAX_HEAD_BYTES: usize = 64 << 10;

/// Size limit of a single write to a body, in bytes. Two such chunks are buffered.
pub(crate) const BODY_CHUNK_BYTES: usize = 64 << 10;

/// The buffer of an outgoing body: two chunks, and their channel.
pub(crate) const BODY_BYTES: usize = 2 * BODY_CHUNK_BYTES + (4 << 10);

/// A pending response: the task that receives it, and the largest possible head.
pub(super) const AWAITED_RESPONSE_BYTES: usize = MAX_HEAD_BYTES + (48 << 10);

/// The trailers of an incoming body: hyper accepts 16 KiB and 100 fields.
pub(super) const TRAILERS_BYTES: usize = (16 << 10) + 100 * FIELD_BYTES;

/// A standard output: its partial line.
pub(super) const OUTPUT_BYTES: usize = MAX_LINE_BYTES;

/// Bytes that are part of [`INSTANCE_BYTES`](memory_limit::INSTANCE_BYTES): enough for a request
/// and a response with a body.
const PREPAID_BYTES: usize = 192 << 10;

/// Step in which memory of the server is taken.
const STEP_BYTES: usize = 256 << 10;

/// The guest exceeded its host memory.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum HostMemoryExceeded {
    /// `--max-host-memory` is exceeded.
    #[error(
        "the strings, fields and bodies that the server retains for the guest exceed \
         {limit} bytes; allow more with `--max-host-memory`"
    )]
    Limit { limit: usize },
    /// `--max-total-memory` is exceeded.
    #[error(
        "the memory limit of the server leaves no room for strings, fields and bodies of the guest; allow \
         more with `--max-total-memory`"
    )]
    Server,
}

/// The host memory of one store.
#[derive(Debug)]
pub(super) struct HostMemory {
    /// Upper bound of the retained bytes.
    used: usize,
    /// Memory taken from the server: never less than `used`.
    granted: usize,
    limit: usize,
}

impl HostMemory {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            used: 0,
            granted: PREPAID_BYTES.min(limit),
            limit,
        }
    }

    /// Charges `bytes` that are about to be retained. `count` returns the bytes that are retained
    /// now, and `take` takes memory from the server, if available.
    ///
    /// # Errors
    ///
    /// Fails if the limit, or the memory limit of the server, is exceeded.
    pub(super) fn charge(
        &mut self,
        bytes: usize,
        count: impl FnOnce() -> usize,
        mut take: impl FnMut(usize) -> bool,
    ) -> Result<(), HostMemoryExceeded> {
        let used = self.used.saturating_add(bytes);
        if used <= self.granted {
            self.used = used;
            return Ok(());
        }
        let used = count().saturating_add(bytes);
        if used > self.limit {
            return Err(HostMemoryExceeded::Limit { limit: self.limit });
        }
        // One step more than needed, so that counting is rare.
        let wanted = used.saturating_add(STEP_BYTES).min(self.limit);
        for bytes in [wanted, used] {
            let more = bytes.saturating_sub(self.granted);
            if more == 0 || take(more) {
                self.granted += more;
                self.used = used;
                return Ok(());
            }
        }
        Err(HostMemoryExceeded::Server)
    }
}

/// Bytes that the values behind the handles of a store retain.
pub(super) fn retained_bytes(table: &mut ResourceTable) -> usize {
    table
        .iter_mut()
        .map(retained_by)
        .fold(0, usize::saturating_add)
}

fn retained_by(value: &mut (dyn Any + Send)) -> usize {
    if let Some(map) = value.downcast_ref::<FieldMap>() {
        fields(map)
    } else if let Some(request) = value.downcast_ref::<HostOutgoingRequest>() {
        let HostOutgoingRequest {
            method,
            scheme,
            authority,
            path_with_query,
            headers,
            body,
        } = request;
        let body = body.as_ref().map_or(0, |_| BODY_BYTES);
        let texts = self::method(method)
            + self::scheme(scheme.as_ref())
            + text(authority.as_deref())
            + text(path_with_query.as_deref());
        texts + fields(headers) + body
    } else if let Some(response) = value.downcast_ref::<HostOutgoingResponse>() {
        let body = response.body.as_ref().map_or(0, |_| BODY_BYTES);
        fields(&response.headers) + body
    } else if value.is::<HostOutgoingBody>() {
        BODY_BYTES
    } else if let Some(response) = value.downcast_ref::<HostIncomingResponse>() {
        fields(&response.headers) + TRAILERS_BYTES
    } else if value.is::<HostFutureIncomingResponse>() {
        AWAITED_RESPONSE_BYTES
    } else if value.is::<HostIncomingBody>() || value.is::<HostFutureTrailers>() {
        TRAILERS_BYTES
    } else if let Some(request) = value.downcast_ref::<p3::Request>() {
        let texts = request.method.as_str().len()
            + request
                .scheme
                .as_ref()
                .map_or(0, |scheme| scheme.as_str().len())
            + text(request.authority.as_ref().map(Authority::as_str))
            + text(request.path_with_query.as_ref().map(PathAndQuery::as_str));
        texts + fields(&request.headers) + BODY_BYTES
    } else if let Some(response) = value.downcast_ref::<p3::Response>() {
        fields(&response.headers) + BODY_BYTES
    } else if value.is::<DynOutputStream>() {
        OUTPUT_BYTES
    } else {
        0
    }
}

/// Size of a map of fields.
pub(crate) fn fields(map: &HeaderMap) -> usize {
    let named = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        field(name.as_str().len(), value.len())
    };
    FIELDS_BYTES + map.iter().map(named).sum::<usize>()
}

/// Size of a field with a name and a value of these lengths.
pub(super) fn field(name_bytes: usize, value_bytes: usize) -> usize {
    FIELD_BYTES
        .saturating_add(name_bytes)
        .saturating_add(value_bytes)
}

pub(super) fn method(method: &Method) -> usize {
    match method {
        Method::Other(name) => name.len(),
        _ => 0,
    }
}

pub(super) fn scheme(scheme: Option<&Scheme>) -> usize {
    match scheme {
        Some(Scheme::Other(name)) => name.len(),
        _ => 0,
    }
}

pub(super) fn text(text: Option<&str>) -> usize {
    text.map_or(0, str::len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn max_host_memory_does_not_count_dropped_bytes() {
        let none = |_| panic!("prepaid");
        let mut memory = HostMemory::new(100);
        assert!(memory.charge(60, || panic!("not full"), none).is_ok());
        // The guest has dropped 20 of the 60 bytes.
        assert!(memory.charge(60, || 40, none).is_ok());
        assert_eq!(memory.used, 100);
        assert!(memory.charge(1, || 100, none).is_err());
        // The failed charge did not count.
        assert!(memory.charge(1, || 99, none).is_ok());
    }

    #[test]
    fn max_host_memory_does_not_overflow() {
        let mut memory = HostMemory::new(100);
        let error = memory.charge(usize::MAX, || usize::MAX, |_| true);
        assert_eq!(error, Err(HostMemoryExceeded::Limit { limit: 100 }));
    }

    #[test]
    fn max_total_memory_limits_host_memory_beyond_the_prepaid_bytes() {
        const LIMIT: usize = 16 << 20;
        const MIB: usize = 1 << 20;

        let mut server = MIB;
        let mut take = |bytes| {
            let left = server.checked_sub(bytes);
            server = left.unwrap_or(server);
            left.is_some()
        };
        let mut memory = HostMemory::new(LIMIT);
        let count = || panic!("prepaid");
        assert!(memory.charge(PREPAID_BYTES, count, &mut take).is_ok());
        assert_eq!(memory.granted, PREPAID_BYTES);
        assert!(memory.charge(1, || PREPAID_BYTES, &mut take).is_ok());
        assert_eq!(memory.granted, PREPAID_BYTES + 1 + STEP_BYTES);
        // The rest, without an additional step.
        let left = PREPAID_BYTES + MIB - memory.used;
        let used = memory.used;
        assert!(memory.charge(left, || used, &mut take).is_ok());
        assert_eq!(memory.granted, PREPAID_BYTES + MIB);
        let used = memory.used;
        let error = memory.charge(1, || used, &mut take);
        assert_eq!(error, Err(HostMemoryExceeded::Server));
        // Dropped bytes are still taken from the server, and used again.
        assert!(memory.charge(1, || 0, &mut take).is_ok());
        assert_eq!(memory.granted, PREPAID_BYTES + MIB);
    }

    #[test]
    fn all_parts_of_an_outgoing_request_are_counted() {
        let mut headers = FieldMap::new_mutable(1 << 20);
        let value = http::HeaderValue::from_static("value");
        headers
            .append_raw(http::header::ACCEPT, value)
            .expect("there is room");
        let request = HostOutgoingRequest {
            method: Method::Other("M".repeat(10)),
            scheme: Some(Scheme::Other("s".repeat(20))),
            authority: Some("a".repeat(30)),
            path_with_query: Some("p".repeat(40)),
            headers,
            body: None,
        };
        let mut table = ResourceTable::new();
        table.push(request).expect("there is room");
        let field = FIELD_BYTES + "accept".len() + "value".len();
        assert_eq!(retained_bytes(&mut table), 100 + FIELDS_BYTES + field);
    }
}
