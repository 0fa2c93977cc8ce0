use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use http::header::{CONTENT_LENGTH, HeaderMap, HeaderValue};
use http_body_util::{BodyExt, Empty, Full};
use resolver::ResolveFn;

use super::*;

/// A local server without connections.
struct Server(TcpListener);

impl Server {
    fn start() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").expect("a free port"))
    }

    fn port(&self) -> u16 {
        self.0.local_addr().expect("an address").port()
    }

    /// Responds to one request.
    fn answer(self) -> thread::JoinHandle<()> {
        thread::spawn(move || {
            let (mut connection, _) = self.0.accept().expect("a connection");
            let _ = connection.read(&mut [0; 1024]).expect("a request");
            let response = b"HTTP/1.1 204 No Content\r\n\r\n";
            connection.write_all(response).expect("a client");
        })
    }

    fn has_no_connection(&self) -> bool {
        self.0.set_nonblocking(true).expect("a socket");
        let error = self.0.accept().expect_err("no connection");
        error.kind() == io::ErrorKind::WouldBlock
    }
}

fn outbound(allowed: &str, resolve: ResolveFn, timeout: Duration) -> OutboundCtx {
    let outbound = Outbound {
        policy: Policy::new(vec![allowed.parse().expect(allowed)]),
        resolver: Resolver::new(resolve),
        timeout,
        ..Outbound::default()
    };
    Arc::new(outbound).ctx(RequestId::next())
}

async fn send(ctx: &mut OutboundCtx, method: Method, url: &str) -> Result<u16, Error> {
    let body = Empty::new().map_err(|never| match never {});
    let request = Request::builder().method(method).uri(url);
    let request = request.body(body.boxed_unsync()).expect("a request");
    let done = Box::new(std::future::ready(Ok(())));
    let (response, _rest) = Box::into_pin(ctx.send_request(request, None, done)).await?;
    Ok(response.status().as_u16())
}

/// Sends a request to this allowed origin, and returns its error.
async fn failure(url: &str, resolve: ResolveFn) -> Error {
    let mut ctx = outbound(url, resolve, Duration::from_mins(1));
    let sent = send(&mut ctx, Method::GET, url).await;
    sent.expect_err("it fails")
}

#[tokio::test]
async fn a_name_with_a_loopback_address_is_denied_before_the_connection() {
    let server = Server::start();
    let url = format!("http://api.example:{}", server.port());
    let error = failure(&url, |_, port| Ok(vec![([127, 0, 0, 1], port).into()])).await;
    assert!(matches!(error, Error::DestinationIpProhibited), "{error}");
    assert!(server.has_no_connection());
}

#[tokio::test]
async fn a_name_is_resolved_once_and_the_checked_address_is_used() {
    static LOOK_UPS: AtomicUsize = AtomicUsize::new(0);

    let server = Server::start();
    let url = format!("http://localhost:{}", server.port());
    let resolve: ResolveFn = |name, port| {
        LOOK_UPS.fetch_add(1, Ordering::SeqCst);
        assert_eq!(name, "localhost");
        let private = SocketAddr::from(([10, 0, 0, 1], port));
        Ok(vec![private, ([127, 0, 0, 1], port).into()])
    };
    let mut ctx = outbound(&url, resolve, Duration::from_mins(1));
    let answered = server.answer();
    let sent = send(&mut ctx, Method::GET, &url).await;
    assert_eq!(sent.expect("an answer"), 204);
    assert_eq!(LOOK_UPS.load(Ordering::SeqCst), 1);
    answered.join().expect("no panic");
}

#[tokio::test]
async fn the_next_address_is_tried_if_the_first_does_not_accept() {
    let server = Server::start();
    let url = format!("http://localhost:{}", server.port());
    let resolve: ResolveFn = |_, port| {
        let other = SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], port));
        Ok(vec![other, ([127, 0, 0, 1], port).into()])
    };
    let mut ctx = outbound(&url, resolve, Duration::from_mins(1));
    let answered = server.answer();
    let sent = send(&mut ctx, Method::GET, &url).await;
    assert_eq!(sent.expect("an answer"), 204);
    answered.join().expect("no panic");
}

#[tokio::test]
async fn a_name_without_an_address_is_a_dns_error() {
    let url = "http://api.example";
    let error = failure(url, |_, _| Ok(vec![])).await;
    assert!(matches!(error, Error::DnsError { .. }), "{error}");
    let error = failure(url, |_, _| Err(io::Error::other("no such host"))).await;
    assert!(matches!(error, Error::DnsError { .. }), "{error}");
}

#[tokio::test]
async fn a_slow_look_up_is_a_dns_timeout() {
    let url = "http://api.example";
    let never: ResolveFn = |_, _| loop {
        thread::park();
    };
    let mut ctx = outbound(url, never, Duration::from_millis(1));
    let error = send(&mut ctx, Method::GET, url).await.expect_err("a limit");
    assert!(matches!(error, Error::DnsTimeout), "{error}");
}

#[tokio::test]
async fn a_denied_origin_is_not_resolved() {
    let resolve: ResolveFn = |_, _| panic!("not resolved");
    let mut ctx = outbound("http://api.example", resolve, Duration::from_mins(1));
    let sent = send(&mut ctx, Method::GET, "http://other.example").await;
    let error = sent.expect_err("a refusal");
    assert!(matches!(error, Error::HttpRequestDenied), "{error}");
    let sent = send(&mut ctx, Method::GET, "http://me@api.example").await;
    let error = sent.expect_err("a refusal");
    assert!(matches!(error, Error::HttpRequestUriInvalid), "{error}");
}

#[tokio::test]
async fn method_connect_is_invalid() {
    let resolve: ResolveFn = |_, _| panic!("not resolved");
    let mut ctx = outbound("http://api.example", resolve, Duration::from_mins(1));
    let sent = send(&mut ctx, Method::CONNECT, "http://api.example").await;
    let error = sent.expect_err("a refusal");
    assert!(matches!(error, Error::HttpRequestMethodInvalid), "{error}");
}

#[tokio::test]
async fn an_unfinished_body_of_an_ended_guest_is_an_error() {
    let in_flight = Arc::new(InFlight::new(NonZeroU32::MIN));
    let body = || {
        let part = Full::new(bytes::Bytes::from_static(b"part"));
        part.map_err(|never| match never {}).boxed_unsync()
    };
    let forwarding = || Forwarding::new(in_flight.clone());
    let of_guest = || {
        let headers = HeaderMap::new();
        body::RequestBody::new(body(), &headers, forwarding(), RequestId::next())
    };
    let mut whole = of_guest();
    assert!(whole.frame().await.is_some_and(|frame| frame.is_ok()));
    assert!(whole.frame().await.is_none());
    let mut half = of_guest();
    assert!(half.frame().await.is_some_and(|frame| frame.is_ok()));
    in_flight.close();
    assert!(half.frame().await.is_some_and(|frame| frame.is_err()));
}

#[tokio::test]
async fn a_body_beyond_its_content_length_is_an_error_before_it_is_sent() {
    let in_flight = Arc::new(InFlight::new(NonZeroU32::MIN));
    for (length, is_good) in [(4, true), (5, true), (3, false)] {
        let part = Full::new(bytes::Bytes::from_static(b"part"));
        let part = part.map_err(|never| match never {}).boxed_unsync();
        let headers = HeaderMap::from_iter([(CONTENT_LENGTH, HeaderValue::from(length))]);
        let mut body = body::RequestBody::new(
            part,
            &headers,
            Forwarding::new(in_flight.clone()),
            RequestId::next(),
        );
        let frame = body.frame().await.expect("a part");
        assert_eq!(frame.is_ok(), is_good, "{length}");
    }
}
