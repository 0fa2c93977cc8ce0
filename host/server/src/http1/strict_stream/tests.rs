//! Tests of the stream.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;

use hyper::rt::ReadBuf as HyperReadBuf;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::runtime::Builder;
use tokio::task::{LocalSet, yield_now};

use super::*;
use crate::scheduling::pace::EventLoop;
use crate::transport::socket::ConnectInfo;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";

fn stream(socket: UnixStream, state: &Rc<ConnectionState>) -> StrictStream {
    let limits = MessageLimits {
        head_bytes: 1000,
        body_bytes: 1000,
        target_bytes: 1000,
        fields: 100,
    };
    let read_buffer = Rc::new(RefCell::new(vec![0; 1000].into()));
    let timeout = Duration::from_secs(1);
    StrictStream::new(
        Socket::Unix(socket),
        BytesMut::new(),
        state.clone(),
        read_buffer,
        limits,
        timeout,
    )
}

/// Polls for bytes once.
async fn poll_once(stream: &mut StrictStream) -> Poll<usize> {
    let mut bytes = [0; 100];
    poll_fn(|cx| {
        let mut buffer = HyperReadBuf::new(&mut bytes);
        let read = Pin::new(&mut *stream).poll_read(cx, buffer.unfilled());
        Poll::Ready(read.map(|read| {
            read.unwrap();
            buffer.filled().len()
        }))
    })
    .await
}

/// A connection whose function can start no request: its iterations are not counted.
async fn connection() -> (UnixStream, StrictStream, Rc<ConnectionState>, Rc<Pace>) {
    let (client, server) = UnixStream::pair().unwrap();
    let state = ConnectionState::new(ConnectInfo {
        local: None,
        peer: None,
        is_tls: false,
    });
    let pace = Pace::new(EventLoop::new(Arc::default()));
    state.start(&pace).await;
    while !pace.is_full() {
        pace.next().await;
    }
    (client, stream(server, &state), state, pace)
}

/// Sends bytes, and waits until the runtime knows that they can be read.
async fn send(bytes: &[u8], client: &mut UnixStream, stream: &mut StrictStream) {
    assert!(poll_once(stream).await.is_pending());
    client.write_all(bytes).await.unwrap();
    poll_fn(|cx| {
        if stream.socket.is_readable(cx) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

async fn read(stream: &mut StrictStream) -> usize {
    loop {
        match poll_once(stream).await {
            Poll::Ready(read) => return read,
            Poll::Pending => yield_now().await,
        }
    }
}

/// Whether the next request of the connection need not wait.
async fn starts_at_once(state: &Rc<ConnectionState>, pace: &Rc<Pace>) -> bool {
    let _in_flight = state.begin();
    let mut start = pin!(state.start(pace));
    poll_fn(|cx| Poll::Ready(start.as_mut().poll(cx).is_ready())).await
}

fn run(test: impl Future<Output = ()>) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, test);
}

#[test]
fn a_request_stays_in_the_socket_until_it_may_start() {
    run(async {
        let (mut client, mut stream, state, pace) = connection().await;
        send(REQUEST, &mut client, &mut stream).await;
        assert!(poll_once(&mut stream).await.is_pending());
        assert_eq!(read(&mut stream).await, REQUEST.len());
        // hyper looks for the end of the stream before it starts the request.
        assert!(poll_once(&mut stream).await.is_pending());
        assert!(starts_at_once(&state, &pace).await);
        assert!(!starts_at_once(&state, &pace).await);
    });
}

#[test]
fn a_connection_without_a_complete_head_keeps_no_turn() {
    run(async {
        let (mut client, mut stream, state, pace) = connection().await;
        assert!(poll_once(&mut stream).await.is_pending());
        assert!(stream.turn.is_none(), "nothing has arrived");
        send(&REQUEST[..3], &mut client, &mut stream).await;
        assert!(poll_once(&mut stream).await.is_pending());
        while stream.turn.is_some() {
            assert!(poll_once(&mut stream).await.is_pending());
            yield_now().await;
        }
        assert!(!starts_at_once(&state, &pace).await);
    });
}

#[test]
fn a_connection_with_requests_for_several_functions_does_not_wait() {
    run(async {
        let (mut client, mut stream, state, _busy) = connection().await;
        let other = Pace::new(EventLoop::new(Arc::default()));
        state.start(&other).await;
        send(REQUEST, &mut client, &mut stream).await;
        assert_eq!(poll_once(&mut stream).await, Poll::Ready(REQUEST.len()));
    });
}
