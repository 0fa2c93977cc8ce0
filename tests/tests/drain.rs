//! A short form of `make drain`, and which requests it counts as accepted.

use std::time::{Duration, Instant};

use end_to_end::stress::drain;
use end_to_end::stress::drain::verdict::{Outcome, Request, Verdict};
use end_to_end::stress::harness::Rounds;

#[test]
fn sigterm_under_load_loses_no_accepted_request() {
    let result = drain::run(Rounds { count: 5, seed: 1 }, |_| ());
    let summary = result.unwrap_or_else(|violation| panic!("{violation}"));
    // With fewer, the test proves nothing.
    assert!(summary.answered > 100, "{summary}");
    assert!(summary.completed_after > 10, "{summary}");
}

/// An unanswered request on a used connection, written at this time in milliseconds after a signal
/// that came 100 ms after the connection.
fn unanswered(after: i32) -> (Request, Instant) {
    let connected = Instant::now();
    let at = |ms: i32| connected + Duration::from_millis(ms.unsigned_abs().into());
    let request = Request {
        value: "a".to_owned(),
        connected,
        is_first: false,
        begun: Some(at(100 + after)),
        written: Some(at(100 + after)),
        is_split: false,
        saw_close: false,
        outcome: Outcome::Nothing,
        ended: at(200),
    };
    (request, at(100))
}

fn is_lost(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Lost(_))
}

#[test]
fn drain_counts_an_unanswered_request_before_the_signal_as_lost() {
    let (request, signal) = unanswered(-1);
    assert!(is_lost(&request.judge(signal, false)));
    let (mut request, signal) = unanswered(-1);
    request.written = None;
    assert!(is_lost(&request.judge(signal, false)));
}

#[test]
fn drain_counts_a_processed_request_without_an_answer_as_lost() {
    let (request, signal) = unanswered(1);
    assert!(is_lost(&request.judge(signal, true)));
}

#[test]
fn drain_counts_a_used_connection_that_closes_at_the_same_moment_as_a_race() {
    let (mut request, signal) = unanswered(1);
    assert_eq!(request.judge(signal, false), Verdict::Raced);
    request.is_first = true;
    assert_eq!(request.judge(signal, false), Verdict::RacedUnused);
    request.saw_close = true;
    assert_eq!(request.judge(signal, false), Verdict::AlreadyClosed);
}

#[test]
fn drain_allows_503_and_a_close_on_connections_made_after_the_signal() {
    let (mut request, signal) = unanswered(2);
    request.connected = signal + Duration::from_millis(1);
    assert_eq!(request.judge(signal, false), Verdict::NotAccepted);
    request.outcome = Outcome::Refused;
    assert_eq!(request.judge(signal, false), Verdict::NotAccepted);
    request.outcome = Outcome::Partial;
    assert!(is_lost(&request.judge(signal, false)));
}

#[test]
fn drain_counts_a_receipt_without_an_entry_as_lost() {
    let (mut request, signal) = unanswered(-50);
    request.outcome = Outcome::Receipt(3);
    assert_eq!(request.judge(signal, true), Verdict::Answered);
    assert!(is_lost(&request.judge(signal, false)));
}
