//! Middleware of WASI 0.3 that rebuilds requests and responses: `guests/middleware-0.3`.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use end_to_end::client::{Connection, Request, Response, chunk};
use end_to_end::functions::Folder;
use end_to_end::http2::{self, Client, Event, Frame};
use end_to_end::{DEADLINE, TestHost, artifacts};

use super::{component, guest};
use crate::foreign_wasi_0_3::chain_of;

const REFUSED: &str = "Err(ErrorCode::HttpProtocolError)";

/// A server of the guest behind this number of middlewares, as one component.
fn serve_composed(folder: &Path, middlewares: usize) -> TestHost {
    let mut composed = component();
    for number in 0..middlewares {
        let folder = folder.join(number.to_string());
        fs::create_dir(&folder).expect("a folder");
        composed = chain_of(
            &folder,
            [&artifacts::test_guest("middleware-03"), &composed],
        );
    }
    TestHost::serve(composed).flag("--body-buffer", "0").start()
}

/// A server of the guest behind twice this middleware, as instances of their own.
fn serve_segments(middleware: &Path) -> TestHost {
    let folder = Folder::new();
    let copy =
        |name: &str, source: PathBuf| folder.put(name, fs::read(source).expect("a component"));
    copy("service.wasm", component());
    copy("middleware.wasm", middleware.to_owned());
    folder.put(
        "functions.toml",
        r#"
        [[function]]
        name = "f"
        route = "/"
        component = "service.wasm"
        middleware = [
            { component = "middleware.wasm", cpu-timeout = 1 },
            { component = "middleware.wasm", cpu-timeout = 2 },
        ]
        "#,
    );
    TestHost::serve_functions(folder.join("functions.toml"))
        .flag("--body-buffer", "0")
        .start()
}

/// The response to a body and trailers over HTTP/2.
fn answer(host: &TestHost, path: &str) -> Response {
    let mut client = Client::open(host.address(), DEADLINE).expect("it listens");
    let bytes = [
        http2::begin(),
        http2::head(
            1,
            "POST",
            path,
            &[("foo", "bar"), ("content-length", "5")],
            0,
        ),
        Frame::new("DATA", 0, 1, "hello").bytes(),
        http2::trailers(1, &[("x-checksum", "1234")]),
    ];
    client.send(&bytes.concat()).expect("it reads");
    match client.event().expect("an answer") {
        Event::Response(1, response) => response,
        event => panic!("{event:?}"),
    }
}

/// The values of `x-sent`, of which each middleware adds one.
fn results(response: &Response) -> Vec<&str> {
    let fields = response.headers.iter();
    let results = fields.filter(|(name, _)| name == "x-sent");
    results.map(|(_, value)| &**value).collect()
}

#[test]
fn a_middleware_of_wasi_0_3_transforms_both_bodies_and_keeps_fields_and_trailers() {
    let folder = tempfile::tempdir().expect("a folder");
    let response = answer(&serve_composed(folder.path(), 1), "/echo-all");
    assert_eq!((response.status, &*response.text()), (200, "HHEELLLLOO"));
    assert_eq!(response.header("foo"), Some("bar"));
    assert_eq!(response.header("content-length"), None);
    assert_eq!(response.header("x-checksum"), Some("1234"));
    assert_eq!(results(&response), ["Ok(())"]);
}

#[test]
fn middlewares_of_wasi_0_3_with_instances_of_their_own_transform_both_bodies() {
    let host = serve_segments(&artifacts::test_guest("middleware-03"));
    // The trailers of the second one come back unread.
    for path in ["/echo-all", "/echo-itself"] {
        let response = answer(&host, path);
        assert_eq!(response.status, 200, "{path}: {response:?}");
        assert_eq!(response.text(), "HHHHEEEELLLLLLLLOOOO", "{path}");
        assert_eq!(response.header("foo"), Some("bar"), "{path}");
        assert_eq!(response.header("x-checksum"), Some("1234"), "{path}");
        assert_eq!(results(&response), ["Ok(())"; 2], "{path}");
    }
}

/// Middleware that returns the response before the service has read the request.
#[test]
fn a_body_that_a_middleware_forwards_is_complete_after_its_response() {
    let host = serve_segments(&artifacts::experiment("parts", "logger-middleware"));
    let mut client = host.connect();
    let request = Request::new("POST", "/print-body-after-response").chunked();
    client.write(&[request.head(), chunk(b"first")].concat());
    let response = client.receive();
    assert_eq!(response.body, b"good");
    let id = response.header("x-request-id").expect("an id");
    client.write(&[chunk(b"last"), chunk(b"")].concat());
    let _ = host.log().wait_for_entry(&[id, "9 bytes, complete"]);
}

#[test]
fn the_error_that_a_service_reports_for_a_request_passes_each_middleware() {
    let folder = tempfile::tempdir().expect("a folder");
    let response = answer(&serve_composed(folder.path(), 2), "/read-and-refuse");
    assert_eq!(results(&response), [REFUSED; 2], "{response:?}");
}

#[test]
fn the_error_that_a_service_reports_for_a_request_passes_middlewares_with_instances_of_their_own() {
    let host = serve_segments(&artifacts::test_guest("middleware-03"));
    let response = answer(&host, "/read-and-refuse");
    assert_eq!(results(&response), [REFUSED; 2], "{response:?}");
    // The outermost one reports it to the server.
    let id = response.header("x-request-id").expect("an id");
    let log = host.log().wait_for_entry(&[id, "error about its request"]);
    assert_eq!(log.matches("error about its request").count(), 1, "{log}");
}

#[test]
fn the_error_that_a_guest_of_wasi_0_3_reports_for_its_request_is_logged() {
    let host = guest().start();
    let request = Request::new("POST", "/read-and-refuse").body("hello");
    let response = host.send(&request);
    assert_eq!((response.status, &*response.text()), (200, "good"));
    let id = response.header("x-request-id").expect("an id");
    let cause = "guest reported an error about its request";
    let _ = host.log().wait_for_entry(&[id, cause, "protocol"]);
    // A guest without an objection adds nothing to the log.
    let request = Request::new("POST", "/read-all").body("hello");
    assert_eq!(host.send(&request).body, b"good");
    assert_eq!(host.log().text().matches(cause).count(), 1);
}

#[test]
fn a_body_of_1_mib_passes_a_middleware_that_reads_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let host = serve_composed(folder.path(), 1);
    let body: Vec<u8> = (b'A'..=b'Z').cycle().take(1 << 20).collect();
    let request = Request::new("POST", "/echo").body(body.clone()).bytes();
    let stream = std::net::TcpStream::connect(host.address()).expect("it listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("a time");
    let mut writer = Connection::over(stream.try_clone().expect("a socket"));
    let mut reader = Connection::over(stream);
    let response = thread::scope(|scope| {
        scope.spawn(|| writer.write(&request));
        reader.receive()
    });
    assert!(response.is_complete, "{response:?}");
    let expected: Vec<_> = body.iter().flat_map(|byte| [*byte; 2]).collect();
    // Not `assert_eq`, because it has 2 MiB.
    assert!(response.body == expected, "{response:?}");
}

/// wasmtime does not let a component read trailers that it has written itself. The client gets no
/// response that looks complete.
#[test]
fn trailers_that_come_back_to_their_own_middleware_are_a_trap() {
    let folder = tempfile::tempdir().expect("a folder");
    let host = serve_composed(folder.path(), 1);
    let mut client = host.connect();
    client.write(&Request::new("POST", "/echo-itself").body("hello").bytes());
    if let Some(response) = client.receive_if_any() {
        assert!(
            response.status == 500 || !response.is_complete,
            "{response:?}"
        );
    }
    let cause = "intra-component future/stream with non-numeric payload";
    let _ = host.log().wait_for_entry(&[cause]);
}
