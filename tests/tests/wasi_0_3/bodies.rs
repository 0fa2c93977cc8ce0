//! Bodies of responses that are incomplete, and clients that leave or do not read.

use std::fs;

use end_to_end::client::{Request, get};
use end_to_end::http2::{self, Client, END_STREAM, Event, Frame};
use end_to_end::installed::Installed;
use end_to_end::process::Process;
use end_to_end::{DEADLINE, TestHost};

use super::{guest, wait_until_idle};

/// Paths whose responses break off after `good`, and the causes in the log.
const BROKEN: [(&str, &str); 4] = [
    ("/trap-in-body", "unreachable"),
    ("/exit-in-body", "Exited with i32 exit status 0"),
    ("/half-body-late", "guest broke its response off"),
    ("/spin-in-body", "guest computed for more than 0.2 s"),
];

fn serve() -> TestHost {
    guest().flag("--cpu-timeout", "0.2").start()
}

#[test]
fn a_failure_after_the_head_breaks_the_connection() {
    let host = serve();
    for (path, cause) in BROKEN {
        let mut client = host.connect();
        client.write(&get(path).bytes());
        let response = client.receive();
        assert_eq!(response.status, 200, "{path}: {response:?}");
        assert!(!response.is_complete, "{path}: {response:?}");
        assert_eq!(response.body, b"good", "{path}");
        let id = response.header("x-request-id").expect("an id");
        let _ = host.log().wait_for_entry(&[id, "while responding", cause]);
    }
}

#[test]
fn a_failure_after_the_head_resets_the_stream_in_http2() {
    let host = serve();
    for (path, _) in BROKEN {
        let mut client = Client::open(host.address(), DEADLINE).expect("it listens");
        let request = http2::head(1, "GET", path, &[], END_STREAM);
        let bytes = [http2::begin(), request].concat();
        client.send(&bytes).expect("it reads");
        let event = client.event().expect("an event");
        assert!(matches!(event, Event::Reset(1, _)), "{path}: {event:?}");
    }
}

#[test]
fn curl_reports_a_trap_after_the_head() {
    /// The transfer is shorter than expected (curl(1)).
    const PARTIAL_FILE: i32 = 18;

    let Some(curl) = Installed::find("curl", "--version") else {
        return;
    };
    let host = serve();
    for (path, code) in [("/trap-in-body", PARTIAL_FILE), ("/write-slowly", 0)] {
        let url = format!("http://{}{path}", host.address());
        let mut command = curl.command();
        command.args(["--silent", "--max-time", "60", &url]);
        let finished = Process::start(&mut command).finish();
        assert_eq!((finished.code, &*finished.stdout), (Some(code), "good"));
    }
}

/// A body that differs from its length before its head is sent.
#[test]
fn a_body_of_another_length_is_answered_with_500() {
    let host = serve();
    for (path, cause) in [
        ("/half-body", "given as 100 bytes, and it has 4"),
        ("/no-body-with-length", "given as 100 bytes, and it has 0"),
        ("/long-body", "guest broke its response off"),
    ] {
        let response = host.send(&get(path));
        assert_eq!(response.status, 500, "{path}: {response:?}");
        let id = response.header("x-request-id").expect("an id");
        let _ = host.log().wait_for_entry(&[id, cause]);
    }
}

/// The body of such a response is not sent, and its guest sees that nothing reads it.
#[test]
fn a_response_without_a_body_ends_a_guest_that_writes_one() {
    let (host, operators) = guest().start_with_operators();
    let mut client = host.connect();
    for _ in 0..3 {
        for path in ["/good", "/write-for-ever", "/bytes?1000000"] {
            let response = client.exchange(&Request::new("HEAD", path));
            assert_eq!((response.status, response.body.len()), (200, 0), "{path}");
        }
        for status in [204, 304] {
            let response = client.exchange(&get(&format!("/status-{status}")));
            assert_eq!((response.status, response.body.len()), (status, 0));
        }
        assert_eq!(client.exchange(&get("/good")).body, b"good");
    }
    wait_until_idle(&operators);
    let failures = "guest_failures_total{function=\"hostile_03_guest\",kind=\"timeout\"}";
    assert_eq!(operators.metrics().get(failures), Some(0.0));
}

/// No timeout ends these guests.
#[test]
fn a_client_that_disconnects_cancels_its_guest() {
    let (host, operators) = guest()
        .flag("--request-timeout", "600")
        .flag("--response-idle-timeout", "600")
        .flag("--cpu-timeout", "600")
        .flag("--body-buffer", "0")
        .flag("--min-body-rate", "0")
        .start_with_operators();
    for path in [
        "/never",
        "/never-awake",
        "/block",
        "/never-body",
        "/forget-body",
        "/half-never",
        "/never-trailers",
        "/write-for-ever",
        "/spin",
        "/spin-in-body",
        "/yield-for-ever",
    ] {
        let mut client = host.connect();
        client.write(&get(path).bytes());
        operators.wait_for(&[("instances{function=\"hostile_03_guest\"}", 1.0)]);
        drop(client);
        wait_until_idle(&operators);
    }
    for path in ["/read-all", "/echo-itself"] {
        let mut client = host.connect();
        client.write(&Request::new("POST", path).chunked().head());
        operators.wait_for(&[("instances{function=\"hostile_03_guest\"}", 1.0)]);
        drop(client);
        wait_until_idle(&operators);
    }
}

#[test]
fn a_reset_stream_of_http2_cancels_its_guest() {
    const STREAMS: u32 = 40;

    let (host, operators) = guest()
        .flag("--request-timeout", "600")
        .flag("--response-idle-timeout", "600")
        .start_with_operators();
    for path in ["/never", "/block", "/never-body", "/write-for-ever"] {
        let mut client = Client::open(host.address(), DEADLINE).expect("it listens");
        let streams = (0..STREAMS).map(|number| 2 * number + 1);
        let heads = streams
            .clone()
            .flat_map(|stream| http2::head(stream, "GET", path, &[], END_STREAM));
        let bytes: Vec<u8> = http2::begin().into_iter().chain(heads).collect();
        client.send(&bytes).expect("it reads");
        let instances = "instances{function=\"hostile_03_guest\"}";
        operators.wait_for(&[(instances, f64::from(STREAMS))]);
        let resets = streams.flat_map(|stream| {
            let code = 8_u32.to_be_bytes(); // CANCEL
            Frame::new("RST_STREAM", 0, stream, code).bytes()
        });
        client.send(&resets.collect::<Vec<u8>>()).expect("it reads");
        wait_until_idle(&operators);
    }
}

#[test]
fn half_close_timeout_cancels_a_guest_of_wasi_0_3_that_begins_no_response() {
    let (host, operators) = guest()
        .flag("--half-close-timeout", "0.2")
        .flag("--request-timeout", "600")
        .start_with_operators();
    for path in ["/never", "/block"] {
        let mut client = host.connect();
        client.write(&get(path).bytes());
        operators.wait_for(&[("instances{function=\"hostile_03_guest\"}", 1.0)]);
        client.end().expect("the server is there");
        assert_eq!(client.receive_if_any(), None);
        wait_until_idle(&operators);
    }
    // One that answers in time is not cancelled.
    let mut client = host.connect();
    client.write(&get("/wait-many").bytes());
    client.end().expect("the server is there");
    assert_eq!(client.receive().body, b"good");
}

#[cfg(target_os = "linux")]
#[test]
fn clients_that_do_not_read_an_endless_body_hold_no_memory() {
    const CLIENTS: usize = 10;
    /// Per client: what the guest has, and the buffers of the server.
    const EACH: u64 = 2 << 20;

    let (host, operators) = guest()
        .flag("--write-timeout", "600")
        .flag("--max-response-body", "1000GiB")
        .start_with_operators();
    assert_eq!(host.send(&get("/good")).body, b"good");
    let limit = host.anonymous_bytes() + CLIENTS as u64 * EACH;
    let clients: Vec<_> = (0..CLIENTS).map(|_| host.connect()).collect();
    host.holds_at_most(limit, || {
        let mut clients = clients;
        for client in &mut clients {
            client.write(&get("/write-for-ever").bytes());
        }
        let in_flight = "requests_in_flight{function=\"hostile_03_guest\"}";
        operators.wait_for(&[(in_flight, 10.0)]);
        // They would write gigabytes meanwhile.
        for _ in 0..500 {
            assert_eq!(host.send(&get("/good")).body, b"good");
        }
    });
    wait_until_idle(&operators);
    let used = fs::read_to_string(format!("/proc/{}/status", host.process_id()));
    assert!(used.is_ok(), "the server has ended");
}
