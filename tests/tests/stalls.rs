//! Stalled readers of the log, stalled workers, and signals.

use end_to_end::client::get;
use end_to_end::operators::Operators;
use end_to_end::process::Signal;
use end_to_end::strace::Fault;
use end_to_end::{Setup, TestHost, wait};

/// More than a pipe and the queue of the log hold: each line of the guest is six bytes, and
/// the server puts the id of its request before it.
const MUCH: &str = "1MiB";

/// Serves a guest that prints [`MUCH`] and is stopped then, with an unread log.
fn serve_unread() -> TestHost {
    TestHost::serve_guest("hostile")
        .flag("--max-output", MUCH)
        .flag("--cpu-timeout", "0.5")
        .flag("--threads", "2")
        .flag("--ops-addr", "127.0.0.1:0")
        .log_unread()
        .start()
}

/// Runs guests that print more than the queue holds, and checks that each is answered and the
/// server continues.
fn fill_the_log(host: &TestHost) -> f64 {
    for _ in 0..8 {
        assert_eq!(host.send(&get("/print-for-ever")).status, 504);
    }
    for _ in 0..100 {
        assert_eq!(host.send(&get("/trap")).status, 500);
    }
    let operators = Operators::of(host);
    for path in ["/livez", "/readyz"] {
        assert_eq!(operators.get(path).status, 200);
    }
    wait::until("dropped lines", || {
        let metrics = operators.metrics();
        let dropped = metrics.get("log_dropped_total").unwrap_or_default();
        if dropped > 0.0 {
            Ok(dropped)
        } else {
            Err(metrics.text().to_owned())
        }
    })
}

#[test]
fn a_stalled_reader_of_standard_error_blocks_no_request_and_the_log_counts_dropped_lines() {
    let mut host = serve_unread();
    let dropped = fill_the_log(&host);
    host.log().resume();
    let entry = host
        .log()
        .wait_for_entry(&["lines of this log were dropped"]);
    let count = entry
        .split_ascii_whitespace()
        .find_map(|word| word.parse::<f64>().ok());
    assert!(count >= Some(dropped), "{dropped}: {entry}");
    // The log continues.
    let id = "after-the-gap";
    let response = host.send(&get("/trap").header("x-request-id", id));
    assert_eq!(response.status, 500);
    let _ = host.log().wait_for_entry(&["request failed", id]);
    assert_eq!(host.terminate().code(), Some(0));
}

#[test]
fn sigterm_ends_a_server_whose_standard_error_is_not_read() {
    let mut host = serve_unread();
    fill_the_log(&host);
    assert_eq!(host.terminate().code(), Some(0));
}

#[test]
fn a_second_sigterm_ends_a_server_whose_standard_error_is_not_read() {
    let mut host = TestHost::serve_guest("hostile")
        .flag("--grace-period", "600")
        .flag("--request-timeout", "600")
        .flag("--ops-addr", "127.0.0.1:0")
        .log_unread()
        .start();
    let operators = Operators::of(&host);
    // More than a pipe holds.
    for _ in 0..500 {
        assert_eq!(host.send(&get("/trap")).status, 500);
    }
    let mut client = host.connect();
    client.write(&get("/sleep").bytes());
    operators.wait_for(&[("requests_in_flight{function=\"guest\"}", 1.0)]);
    host.signal(Signal::TERM);
    wait::until("the drain", || {
        let response = operators.get("/readyz");
        if response.status == 503 {
            Ok(())
        } else {
            Err(format!("{response:?}"))
        }
    });
    assert_eq!(host.terminate().code(), Some(128 + 15));
}

#[test]
fn livez_is_503_and_names_the_worker_whose_event_loop_does_not_run() {
    let (host, operators) = TestHost::serve_guest("hostile")
        .flag("--threads", "2")
        .start_with_operators();
    assert_eq!(operators.get("/livez").status, 200);
    // Far longer than this test takes.
    let stop = "epoll_wait,epoll_pwait:delay_exit=600000000";
    let Some(fault) = Fault::inject(host.process_id(), "worker-1", stop, &[]) else {
        return;
    };
    // The event loop stops at its next wait.
    let response = wait::until("503", || {
        let response = operators.get("/livez");
        if response.status == 503 {
            Ok(response)
        } else {
            Err(format!("{response:?}"))
        }
    });
    let text = response.text();
    assert!(
        text.contains("worker-1") && !text.contains("worker-0"),
        "{text}"
    );
    let _ = host.log().wait_for_entry(&["ERROR", "worker-1"]);
    drop(fault);
    wait::until("all workers", || {
        let response = operators.get("/livez");
        if response.status == 200 {
            Ok(())
        } else {
            Err(format!("{response:?}"))
        }
    });
}

#[test]
fn sighup_without_an_access_log_file_is_logged_and_does_not_end_the_server() {
    let setups: [fn(Setup) -> TestHost; 2] = [
        |setup| setup.start(),
        |setup| setup.flag("--access-log", "-").start_announced_on_stderr(),
    ];
    for start in setups {
        let mut host = start(TestHost::serve_guest("counter"));
        for _ in 0..2 {
            host.signal(Signal::HUP);
            let _ = host.log().wait_for_entry(&["SIGHUP ignored"]);
            assert_eq!(host.send(&get("/count")).status, 200);
        }
        assert_eq!(host.terminate().code(), Some(0));
    }
}
