//! Attributes and trace context of a span.

use std::cell::Cell;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use audit_log::record::Component;
use http::Version;

use crate::trace_parent::TraceParent;

/// The trace, the id and the parent of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SpanContext {
    pub(crate) trace_id: [u8; 16],
    pub(crate) span_id: [u8; 8],
    pub(crate) parent: Option<TraceParent>,
}

/// The span of a finished request.
#[derive(Debug)]
pub(crate) struct Span {
    pub(crate) context: SpanContext,
    pub(crate) end: SystemTime,
    pub(crate) duration: Duration,
    pub(crate) request: RequestAttributes,
}

/// The attributes of a request and of its response.
#[derive(Debug)]
pub(crate) struct RequestAttributes {
    pub(crate) component: Arc<Component<'static>>,
    pub(crate) request_id: Box<str>,
    pub(crate) method: Box<str>,
    pub(crate) path: Box<str>,
    pub(crate) is_tls: bool,
    pub(crate) version: Version,
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) user_agent: Option<Box<str>>,
    /// The status of the response. None: the client closed the request before.
    pub(crate) status: Option<u16>,
    /// The kind of the guest's failure, if it failed.
    pub(crate) failure: Option<&'static str>,
}

impl SpanContext {
    /// The context of a span below `parent`, or of a new trace. Returns `None` if the sender did
    /// not sample its own span.
    pub(crate) fn child_of(parent: Option<TraceParent>) -> Option<Self> {
        if parent.is_some_and(|parent| !parent.is_sampled()) {
            return None;
        }
        let new = || {
            let mut trace_id = [0; 16];
            trace_id[..8].copy_from_slice(&random());
            trace_id[8..].copy_from_slice(&random());
            trace_id
        };
        Some(Self {
            trace_id: parent.map_or_else(new, |parent| parent.trace_id),
            span_id: random(),
            parent,
        })
    }
}

impl Span {
    /// The start of the request, in nanoseconds since the Unix epoch.
    pub(super) fn start_nanos(&self) -> u64 {
        self.end_nanos().saturating_sub(nanos(self.duration))
    }

    /// The end of the request, in nanoseconds since the Unix epoch.
    pub(super) fn end_nanos(&self) -> u64 {
        nanos(self.end.duration_since(UNIX_EPOCH).unwrap_or_default())
    }

    /// The approximate memory of the span, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let RequestAttributes {
            request_id,
            method,
            path,
            user_agent,
            ..
        } = &self.request;
        let texts = request_id.len() + method.len() + path.len();
        size_of::<Self>() + texts + user_agent.as_ref().map_or(0, |text| text.len())
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// A random id that is not 0. Each thread seeds `SplitMix64` from the system: a system call for
/// each id would cost more than the rest of a span. `RandomIdGenerator` of `opentelemetry_sdk`
/// panics where the system has no random numbers.
fn random() -> [u8; 8] {
    thread_local! {
        static STATE: Cell<u64> = Cell::new(getrandom::u64().unwrap_or_else(|_| seed()));
    }
    let mut mixed = 0;
    while mixed == 0 {
        let state = STATE.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        STATE.set(state);
        mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
    }
    mixed.to_be_bytes()
}

/// The seed if the system provides no random numbers: the current time.
fn seed() -> u64 {
    nanos(
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::thread;

    use super::*;

    fn parent(flags: u8) -> TraceParent {
        TraceParent {
            trace_id: [7; 16],
            parent_id: [8; 8],
            flags,
        }
    }

    #[test]
    fn a_span_continues_the_trace_of_a_sampled_parent() {
        let trace = SpanContext::child_of(Some(parent(1))).unwrap();
        assert_eq!(trace.trace_id, [7; 16]);
        assert_eq!(trace.parent, Some(parent(1)));
        assert_ne!(trace.span_id, [8; 8]);
    }

    #[test]
    fn an_unsampled_parent_has_no_child_span() {
        assert_eq!(SpanContext::child_of(Some(parent(0))), None);
    }

    #[test]
    fn trace_and_span_ids_are_unique_across_threads() {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                thread::spawn(|| {
                    (0..1000)
                        .map(|_| SpanContext::child_of(None).unwrap())
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        let traces: Vec<_> = threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect();
        let ids: HashSet<_> = traces.iter().map(|trace| trace.trace_id).collect();
        let spans: HashSet<_> = traces.iter().map(|trace| trace.span_id).collect();
        assert_eq!((ids.len(), spans.len()), (4000, 4000));
    }
}
