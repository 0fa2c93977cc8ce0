//! The body of a client's request that a guest of WASI 0.3 passes on unread, in a request of its own
//! or to the next handler.
//!
//! wasmtime moves such a body from one message to the other, so that the guest cannot truncate it. It
//! arrives complete even if the guest has responded before: the work of the guest ends with the
//! connection that sends it. Like all work after a response, that is limited by
//! `--post-return-timeout`.

use std::cell::Cell;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use wasmtime_wasi_http::{Error, WasiBody};

use super::in_flight::{ForwardingPermit, InFlight};

thread_local! {
    /// Whether the body of a client was polled on this thread. A boxed body does not reveal whether
    /// it contains one, and wasmtime adds layers that do not ask it for its size.
    static IS_POLLED: Cell<bool> = const { Cell::new(false) };
}

/// The body of a client's request, which the server reads.
pub(crate) struct ClientBody<B>(pub(crate) B);

impl<B> Body for ClientBody<B>
where
    B: Body<Data = Bytes> + Unpin,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let frame = Pin::new(&mut self.0).poll_frame(cx);
        // After it, because it may be a body that another middleware forwards.
        IS_POLLED.set(true);
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

type FramePoll = Poll<Option<Result<Frame<Bytes>, Error>>>;

/// Polls `body`, and says whether it contains a [`ClientBody`].
pub(super) fn poll_frame(body: &mut WasiBody, cx: &mut Context<'_>) -> (FramePoll, bool) {
    IS_POLLED.set(false);
    let frame = Pin::new(body).poll_frame(cx);
    (frame, IS_POLLED.take())
}

/// The body of one outbound request, if it turns out to be that of a client. It is shared by the
/// reader of the body and by its connection.
pub(super) struct Forwarding {
    pub(super) in_flight: Arc<InFlight>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The guest does not end before this is dropped.
    permit: Option<ForwardingPermit>,
    /// The body, after its end: wasmtime closes the connection when the body and the response are
    /// dropped, but a part of the body may still be in its buffer.
    ended: WasiBody,
}

impl Forwarding {
    pub(super) fn new(in_flight: Arc<InFlight>) -> Arc<Self> {
        Arc::new(Self {
            in_flight,
            state: Mutex::default(),
        })
    }

    /// Lets the guest not end before `self` is dropped.
    pub(super) fn start(&self) {
        self.with(|state| {
            let permit = || self.in_flight.start_forwarding();
            state.permit.get_or_insert_with(permit);
        });
    }

    /// Keeps the body of a client until `self` is dropped. Any other body is dropped now.
    pub(super) fn keep(&self, body: &mut WasiBody) {
        self.with(|state| {
            if state.permit.is_some() {
                state.ended = mem::take(body);
            }
        });
    }

    fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use http_body_util::{BodyExt, Full};

    use super::super::body::GuestBody;
    use super::*;

    fn is_found(mut body: WasiBody) -> bool {
        poll_frame(
            &mut body,
            &mut Context::from_waker(std::task::Waker::noop()),
        )
        .1
    }

    #[test]
    fn the_body_of_a_client_is_found_in_boxes() {
        let full = || Full::new(Bytes::from_static(b"a")).map_err(|never| match never {});
        assert!(!is_found(full().boxed_unsync()));
        let boxed = ClientBody(full()).boxed_unsync();
        assert!(is_found(boxed.boxed_unsync()));
        assert!(!is_found(full().boxed_unsync()));
        // Two middlewares, one behind the other.
        let in_flight = Arc::new(InFlight::new(NonZeroU32::MIN));
        let outer = GuestBody::new(
            ClientBody(full()).boxed_unsync(),
            Forwarding::new(in_flight),
        );
        assert!(is_found(ClientBody(outer).boxed_unsync()));
    }
}
