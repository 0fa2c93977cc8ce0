//! The operator listener: health and metrics.

use std::thread;

use end_to_end::client::{Connection, Request, encrypt, json};
use end_to_end::process::Signal;
use end_to_end::{Setup, TestHost, app};

fn unruly() -> Setup {
    TestHost::serve_guest("unruly")
}

/// Sends a request without its body, for which the guest waits.
fn begin(connection: &mut Connection) {
    let request = encrypt("a").header("expect", "100-continue");
    connection.write(&request.head());
    assert_eq!(connection.receive().status, 100);
}

#[test]
fn livez_and_readyz_are_200_while_serving() {
    let (_host, operators) = app().start_with_operators();
    for (path, body) in [("/livez", "alive\n"), ("/readyz", "ready\n")] {
        let response = operators.get(path);
        assert_eq!(response.status, 200, "{response:?}");
        assert_eq!(response.body, body.as_bytes());
    }
    let response = operators.send(&Request::new("HEAD", "/readyz"));
    assert_eq!(response.status, 200, "{response:?}");
}

#[test]
fn readyz_is_503_while_draining() {
    let (mut host, operators) = app().flag("--grace-period", "600").start_with_operators();
    let mut connection = host.connect();
    begin(&mut connection);
    host.signal(Signal::TERM);
    let _ = host.log().wait_for_entry(&["no new connections"]);
    let response = operators.get("/readyz");
    assert_eq!(response.status, 503, "{response:?}");
    assert_eq!(response.json()["detail"], "the server is shutting down");
    assert_eq!(operators.get("/livez").status, 200);
    connection.write(json("a").as_bytes());
    assert_eq!(connection.receive().status, 200);
    assert_eq!(host.wait().code(), Some(0));
}

#[cfg(target_os = "linux")]
#[test]
fn readyz_is_503_while_the_audit_log_fails() {
    let (host, operators) = app().start_with_operators();
    assert_eq!(host.send(&encrypt("a")).status, 200);
    host.allow_writes(false);
    assert_eq!(host.send(&encrypt("a")).status, 503);
    let response = operators.get("/readyz");
    assert_eq!(response.status, 503, "{response:?}");
    let detail = "the audit log cannot be written";
    assert_eq!(response.json()["detail"], detail);
    operators.wait_for(&[(
        "guest_failures_total{function=\"app\",kind=\"unaudited\"}",
        1.0,
    )]);
    host.allow_writes(true);
    operators.wait_for(&[("audit_failing", 0.0)]);
    assert_eq!(operators.get("/readyz").status, 200);
}

#[cfg(target_os = "linux")]
#[test]
fn readyz_is_200_with_audit_policy_best_effort() {
    let (host, operators) = app()
        .flag("--audit-policy", "best-effort")
        .start_with_operators();
    assert_eq!(host.send(&encrypt("a")).status, 200);
    host.allow_writes(false);
    assert_eq!(host.send(&encrypt("a")).status, 200);
    operators.wait_for(&[("audit_failing", 1.0)]);
    assert_eq!(operators.get("/readyz").status, 200);
}

#[test]
fn ops_addr_answers_while_all_workers_compute() {
    let (host, operators) = unruly().flag("--threads", "1").start_with_operators();
    let mut connections: Vec<_> = (0..8).map(|_| host.connect()).collect();
    for connection in &mut connections {
        connection.write(&Request::new("GET", "/loop").bytes());
    }
    operators.wait_for(&[("requests_in_flight{function=\"guest\"}", 8.0)]);
    assert_eq!(operators.get("/livez").status, 200);
    drop(connections);
    operators.wait_for(&[("requests_in_flight{function=\"guest\"}", 0.0)]);
}

#[test]
fn ops_addr_answers_unknown_requests_with_a_problem_document() {
    let (_host, operators) = app().start_with_operators();
    for (method, path, status) in [("GET", "/", 404), ("POST", "/metrics", 405)] {
        let response = operators.send(&Request::new(method, path));
        assert_eq!(response.status, status, "{response:?}");
        let media_type = response.header("content-type");
        assert_eq!(media_type, Some("application/problem+json"));
    }
}

#[test]
fn a_foreign_host_or_origin_is_answered_with_403_unless_ops_host_allows_it() {
    let (_host, operators) = app()
        .flag("--ops-host", "ops.example")
        .start_with_operators();
    let own = operators.address().to_string();
    let same = format!("http://{own}");
    for (host, origin, status) in [
        (&*own, None, 200),
        ("localhost:1", None, 200),
        ("OPS.example:443", None, 200),
        ("evil.example", None, 403),
        ("127.0.0.1.evil.example", None, 403),
        ("", None, 400),
        (&own, Some(&*same), 200),
        (&own, Some("https://ops.example"), 200),
        (&own, Some("http://evil.example"), 403),
        (&own, Some("http://localhost:3000"), 403),
        (&own, Some("null"), 403),
    ] {
        for path in ["/metrics", "/livez", "/readyz"] {
            let mut request = Request::new("GET", path).header("host", host);
            if let Some(origin) = origin {
                request = request.header("origin", origin);
            }
            let response = operators.send(&request);
            assert_eq!(response.status, status, "{host} {origin:?}: {response:?}");
        }
    }
    let old = Request::new("GET", "/livez")
        .without_header("host")
        .http_1_0();
    assert_eq!(operators.send(&old).status, 200);
}

#[test]
fn livez_is_answered_next_to_silent_clients() {
    let (_host, operators) = app().start_with_operators();
    let address = operators.address();
    // With a wait for 64 of them at a time, it would take more than a minute.
    let silent: Vec<_> = (0..400).map(|_| Connection::open(address)).collect();
    for path in ["/livez", "/readyz", "/metrics"] {
        assert_eq!(operators.get(path).status, 200);
    }
    drop(silent);
}

#[test]
fn ops_addr_must_be_on_loopback() {
    let finished = app().flag("--ops-addr", "0.0.0.0:0").fail();
    assert_eq!(finished.code, Some(64));
    assert!(finished.stderr.contains("loopback"), "{}", finished.stderr);
}

#[test]
fn metrics_count_requests_by_outcome() {
    let (host, operators) = unruly().start_with_operators();
    for (path, status) in [("/good", 200), ("/good", 200), ("/trap", 500)] {
        assert_eq!(host.send(&Request::new("GET", path)).status, status);
    }
    let mut connection = host.connect();
    connection.write(b"GET / HTTP/1.1\r\nhost : x\r\n\r\n");
    assert_eq!(connection.receive().status, 400);
    drop(connection);
    let name = "function=\"guest\"";
    operators.wait_for(&[
        (
            &format!("requests_total{{{name},method=\"GET\",code=\"200\"}}"),
            2.0,
        ),
        (
            &format!("requests_total{{{name},method=\"GET\",code=\"500\"}}"),
            1.0,
        ),
        (
            &format!("guest_failures_total{{{name},kind=\"trap\"}}"),
            1.0,
        ),
        ("refusals_total{reason=\"malformed\"}", 1.0),
        ("connections_total", 4.0),
        ("connections_open", 0.0),
        (&format!("requests_in_flight{{{name}}}"), 0.0),
        (&format!("requests_queued{{{name}}}"), 0.0),
        (&format!("request_duration_seconds_count{{{name}}}"), 3.0),
        (&format!("instances{{{name}}}"), 0.0),
        (&format!("pool_core_instances{{{name}}}"), 0.0),
        (&format!("pool_memories{{{name}}}"), 0.0),
        (&format!("pool_tables{{{name}}}"), 0.0),
        (&format!("pool_stacks{{{name}}}"), 0.0),
    ]);
    let metrics = operators.metrics();
    let max = metrics.get(&format!("instances_max{{{name}}}"));
    assert!(max.is_some_and(|max| max >= 1.0), "{}", metrics.text());
}

#[test]
fn metrics_count_failures_by_kind() {
    let setup = unruly()
        .flag("--request-timeout", "60")
        .flag("--cpu-timeout", "2");
    let (host, operators) = setup.start_with_operators();
    for (path, status, kind) in [
        ("/trap", 500, "trap"),
        ("/recurse", 500, "trap"),
        ("/overfull", 500, "memory"),
        ("/silent", 500, "no_response"),
        ("/loop", 504, "cpu"),
    ] {
        let count = format!("guest_failures_total{{function=\"guest\",kind=\"{kind}\"}}");
        let before = operators.metrics().get(&count).expect("a count");
        let response = host.send(&Request::new("GET", path));
        assert_eq!(response.status, status, "{path}");
        operators.wait_for(&[(&count, before + 1.0)]);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn max_total_memory_rejects_requests_and_is_reported() {
    let (host, operators) = app()
        .flag("--max-total-memory", "1MiB")
        .start_with_operators();
    let mut connection = host.connect();
    for count in [1.0, 2.0] {
        let response = connection.exchange(&encrypt("a"));
        assert_eq!(response.status, 503, "{response:?}");
        assert_eq!(response.header("retry-after"), Some("1"));
        operators.wait_for(&[("refusals_total{reason=\"memory\"}", count)]);
    }
    let ready = operators.get("/readyz");
    assert_eq!(ready.status, 503);
    let text = String::from_utf8_lossy(&ready.body);
    assert!(text.contains("--max-total-memory"), "{text}");
    assert_eq!(operators.get("/livez").status, 200);
    let _ = host.log().wait_for_entry(&["memory limit exceeded"]);
    let metrics = operators.metrics();
    assert_eq!(metrics.get("memory_limit_bytes"), Some(f64::from(1 << 20)));
    assert!(metrics.get("memory_held_bytes") > metrics.get("memory_limit_bytes"));
    assert_eq!(metrics.get("guest_memory_limit_bytes"), Some(0.0));
}

#[test]
fn metrics_have_component_and_build_info() {
    let (host, operators) = app().start_with_operators();
    let metrics = operators.metrics();
    let text = metrics.text();
    assert!(
        text.contains("component_runner_component_info{function=\"app\",name=\"app\",sha256=\""),
        "{text}"
    );
    assert!(
        text.contains("component_runner_build_info{version=\""),
        "{text}"
    );
    let start = metrics.get_common("process_start_time_seconds");
    assert!(start.is_some_and(|start| start > 1.7e9), "{text}");
    if cfg!(target_os = "linux") {
        let memory = metrics.get_common("process_resident_memory_bytes");
        assert!(memory.is_some_and(|bytes| bytes > 1e6), "{text}");
        let open = metrics.get_common("process_open_fds");
        let max = metrics.get_common("process_max_fds");
        assert!(open > Some(3.0) && open < max, "{text}");
    }
    drop(host);
}

#[test]
fn metrics_count_a_disconnected_client() {
    let (host, operators) = unruly().start_with_operators();
    let mut connection = host.connect();
    connection.write(&Request::new("GET", "/loop").bytes());
    operators.wait_for(&[("requests_in_flight{function=\"guest\"}", 1.0)]);
    drop(connection);
    operators.wait_for(&[
        ("requests_in_flight{function=\"guest\"}", 0.0),
        (
            "requests_total{function=\"guest\",method=\"GET\",code=\"499\"}",
            1.0,
        ),
    ]);
}

#[test]
fn metrics_count_an_aborted_body() {
    let (host, operators) = app().start_with_operators();
    let mut connection = host.connect();
    begin(&mut connection);
    drop(connection);
    operators.wait_for(&[
        ("refusals_total{reason=\"body_broken\"}", 1.0),
        (
            "requests_total{function=\"app\",method=\"POST\",code=\"400\"}",
            1.0,
        ),
    ]);
}

/// The format of `promtool check metrics`: only types of the text format, and each metric has the
/// name of its series.
#[test]
fn metrics_are_in_the_text_format_of_prometheus_unless_accept_names_openmetrics() {
    let (host, operators) = app().start_with_operators();
    assert_eq!(host.send(&encrypt("a")).status, 200);
    for accept in [None, Some("*/*"), Some("text/plain;version=0.0.4")] {
        let request = Request::new("GET", "/metrics");
        let request = match accept {
            Some(accept) => request.header("accept", accept),
            None => request,
        };
        let response = operators.send(&request);
        let media_type = response.header("content-type");
        assert_eq!(media_type, Some("text/plain; version=0.0.4; charset=utf-8"));
        assert_eq!(response.header("vary"), Some("accept"));
        let text = String::from_utf8(response.body).expect("text");
        let (mut name, mut kind) = ("", "");
        for line in text.lines() {
            let words: Vec<_> = line.splitn(4, ' ').collect();
            match words[..] {
                ["#", "HELP", described, _] => name = described,
                ["#", "TYPE", described, found] => {
                    assert_eq!(described, name, "{text}");
                    assert!(matches!(found, "counter" | "gauge" | "histogram"), "{line}");
                    kind = found;
                }
                ["#", ..] => panic!("{line}"),
                _ => {
                    let series = line.split(['{', ' ']).next().expect("a name");
                    let suffix = series.strip_prefix(name).expect(line);
                    match kind {
                        "histogram" => assert!(suffix.starts_with('_'), "{line}"),
                        _ => assert_eq!(suffix, "", "{line}"),
                    }
                }
            }
        }
        assert!(text.contains("# TYPE component_runner_build_info gauge\n"));
        assert!(text.contains("# TYPE component_runner_connections_total counter\n"));
    }
}

#[test]
fn metrics_are_consistent_under_load() {
    let (host, operators) = app().start_with_operators();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut connection = host.connect();
                for _ in 0..50 {
                    assert_eq!(connection.exchange(&encrypt("a")).status, 200);
                }
            });
        }
        for _ in 0..20 {
            // Parsing checks them.
            let _ = operators.metrics();
        }
    });
    operators.wait_for(&[(
        "requests_total{function=\"app\",method=\"POST\",code=\"200\"}",
        200.0,
    )]);
}
