//! Tests of the stream.

use std::cell::RefCell;
use std::future::poll_fn;
use std::sync::Arc;

use hyper::rt::ReadBuf as HyperReadBuf;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::runtime::Builder;
use tokio::task::LocalSet;

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

#[test]
fn a_request_stays_in_the_socket_until_it_may_start() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let (mut client, server) = UnixStream::pair().unwrap();
        let state = ConnectionState::new(ConnectInfo {
            local: None,
            peer: None,
            is_tls: false,
        });
        let mut stream = stream(server, &state);
        // Its iterations are not counted, so the pace stays full.
        let pace = Pace::new(EventLoop::new(Arc::default()));
        state.start(&pace).await;
        while !pace.is_full() {
            pace.next().await;
        }
        assert!(poll_once(&mut stream).await.is_pending());
        client.write_all(REQUEST).await.unwrap();
        // The runtime learns that the socket is readable.
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert!(
            poll_once(&mut stream).await.is_pending(),
            "it is read at once"
        );
        let read = loop {
            match poll_once(&mut stream).await {
                Poll::Ready(read) => break read,
                Poll::Pending => tokio::task::yield_now().await,
            }
        };
        assert_eq!(read, REQUEST.len());
        // It need not wait a second time.
        let start = std::pin::pin!(state.start(&pace));
        assert!(is_ready(start).await);
    });
}

async fn is_ready(mut future: Pin<&mut impl Future<Output = ()>>) -> bool {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_ready())).await
}
