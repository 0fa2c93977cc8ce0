//! Host memory of one store: what the server keeps for a guest outside the guest's own
//! memories, in bytes.
//!
//! Strings, fields and body buffers live in the resource table of the store, or in a
//! request on its way to another server. Each host function that makes the server keep more
//! (they are in `host_functions.rs`) adds the most that it can be to one counter, before it
//! does anything. When the counter reaches the limit, [`HostMemory::charge`] counts what is
//! really there, so that what the guest has dropped in between is available again. A host
//! call thus costs an addition and a comparison, dropping a handle costs nothing, and the
//! counter is never below what the server keeps.
//!
//! Each size is an upper bound of what the allocator hands out, spare capacity of maps and
//! vectors included. A handle of any kind needs at most 512 bytes beside that,
//! for its entry and a small value; `--max-handles` limits those.

use std::any::Any;

use http::HeaderMap;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::p2::DynOutputStream;
use wasmtime_wasi_http::FieldMap;
use wasmtime_wasi_http::p2::bindings::http::types::{Method, Scheme};
use wasmtime_wasi_http::p2::body::{HostFutureTrailers, HostIncomingBody, HostOutgoingBody};
use wasmtime_wasi_http::p2::types::{
    HostFutureIncomingResponse, HostIncomingResponse, HostOutgoingRequest, HostOutgoingResponse,
};

use super::output::MAX_LINE_BYTES;
use crate::outbound::{BODY_CHUNK_BYTES, MAX_HEAD_BYTES};

/// A map of fields, before its first field.
pub(super) const FIELDS_BYTES: usize = 1 << 10;

/// One field of a map, beside its name and its value.
const FIELD_BYTES: usize = 256;

/// What an outgoing body buffers: two chunks, and the channel that they are in.
pub(crate) const BODY_BYTES: usize = 2 * BODY_CHUNK_BYTES + (4 << 10);

/// A response that is awaited: the task that receives it, and the largest head that it
/// can have.
pub(super) const AWAITED_RESPONSE_BYTES: usize = MAX_HEAD_BYTES + (48 << 10);

/// The trailers of an incoming body: hyper accepts 16 KiB and 100 fields.
pub(super) const TRAILERS_BYTES: usize = (16 << 10) + 100 * FIELD_BYTES;

/// A standard output: its unfinished line.
pub(super) const OUTPUT_BYTES: usize = MAX_LINE_BYTES;

/// What is part of [`INSTANCE_BYTES`](memory_limit::INSTANCE_BYTES): enough for a request
/// and a response with a body.
const PREPAID_BYTES: usize = 192 << 10;

/// How much is taken of the memory of the server at once.
const STEP_BYTES: usize = 256 << 10;

/// The guest made the server keep more than it may.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum HostMemoryExceeded {
    /// More than `--max-host-memory`.
    #[error(
        "the strings, fields and bodies that the server keeps for the guest need more than \
         {limit} bytes; allow more with `--max-host-memory`"
    )]
    Limit { limit: usize },
    /// More than `--max-total-memory` leaves.
    #[error(
        "the server has no memory left for the strings, fields and bodies of the guest; allow \
         more with `--max-total-memory`"
    )]
    Server,
}

/// The host memory of one store.
#[derive(Debug)]
pub(super) struct HostMemory {
    /// At least what is kept.
    used: usize,
    /// What was taken of the memory of the server: never less than `used`.
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

    /// Adds `bytes` that are about to be kept. `count` says what is kept at the moment, and
    /// `take` takes memory of the server, if there is so much.
    ///
    /// # Errors
    ///
    /// Fails if the limit, or the memory of the server, is exceeded.
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
        // A step more than is needed, so that counting is rare.
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

/// What the values behind the handles of a store keep.
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
    } else if value.is::<DynOutputStream>() {
        OUTPUT_BYTES
    } else {
        0
    }
}

/// A map of fields.
pub(crate) fn fields(map: &HeaderMap) -> usize {
    let named = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        field(name.as_str().len(), value.len())
    };
    FIELDS_BYTES + map.iter().map(named).sum::<usize>()
}

/// One field, with a name and a value of these lengths.
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
    fn max_host_memory_counts_what_is_kept_and_not_what_was() {
        let none = |_| panic!("it is included");
        let mut memory = HostMemory::new(100);
        assert!(memory.charge(60, || panic!("not full"), none).is_ok());
        // Of 60 bytes the guest has dropped 20.
        assert!(memory.charge(60, || 40, none).is_ok());
        assert_eq!(memory.used, 100);
        assert!(memory.charge(1, || 100, none).is_err());
        // A refusal takes nothing.
        assert!(memory.charge(1, || 99, none).is_ok());
    }

    #[test]
    fn max_host_memory_does_not_overflow() {
        let mut memory = HostMemory::new(100);
        let error = memory.charge(usize::MAX, || usize::MAX, |_| true);
        assert_eq!(error, Err(HostMemoryExceeded::Limit { limit: 100 }));
    }

    #[test]
    fn max_total_memory_gives_what_is_kept_beyond_what_an_instance_includes() {
        const LIMIT: usize = 16 << 20;
        const MIB: usize = 1 << 20;

        let mut server = MIB;
        let mut take = |bytes| {
            let left = server.checked_sub(bytes);
            server = left.unwrap_or(server);
            left.is_some()
        };
        let mut memory = HostMemory::new(LIMIT);
        let count = || panic!("it is included");
        assert!(memory.charge(PREPAID_BYTES, count, &mut take).is_ok());
        assert_eq!(memory.granted, PREPAID_BYTES);
        assert!(memory.charge(1, || PREPAID_BYTES, &mut take).is_ok());
        assert_eq!(memory.granted, PREPAID_BYTES + 1 + STEP_BYTES);
        // All that is left, without a step more.
        let left = PREPAID_BYTES + MIB - memory.used;
        let used = memory.used;
        assert!(memory.charge(left, || used, &mut take).is_ok());
        assert_eq!(memory.granted, PREPAID_BYTES + MIB);
        let used = memory.used;
        let error = memory.charge(1, || used, &mut take);
        assert_eq!(error, Err(HostMemoryExceeded::Server));
        // What the guest has dropped is taken already.
        assert!(memory.charge(1, || 0, &mut take).is_ok());
        assert_eq!(memory.granted, PREPAID_BYTES + MIB);
    }

    #[test]
    fn all_that_a_request_keeps_is_counted() {
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
