//! A short form of `make drain`, and which requests it takes for accepted.

use std::time::{Duration, Instant};

use end_to_end::drain::fate::{Fate, Outcome, Request};
use end_to_end::drain::{self, Plan};

#[test]
fn a_server_that_is_ended_under_load_has_answered_what_it_accepted() {
    let plan = Plan { rounds: 5, seed: 1 };
    let ended = drain::run(&plan, |_| ());
    let summary = ended.unwrap_or_else(|violation| panic!("{violation}"));
    // Otherwise it has shown nothing.
    assert!(summary.answered > 100, "{summary}");
    assert!(summary.completed_after > 10, "{summary}");
}

/// A request on a kept connection, written so many milliseconds after a signal
/// that came 100 ms after the beginning.
fn unanswered(after: i32) -> (Request, Instant) {
    let connected = Instant::now();
    let at = |ms: i32| connected + Duration::from_millis(ms.unsigned_abs().into());
    let request = Request {
        value: "a".to_owned(),
        connected,
        is_first: false,
        begun: Some(at(100 + after)),
        written: Some(at(100 + after)),
        halved: false,
        end_was_seen: false,
        outcome: Outcome::Nothing,
        ended: at(200),
    };
    (request, at(100))
}

fn is_lost(fate: &Fate) -> bool {
    matches!(fate, Fate::Lost(_))
}

#[test]
fn what_was_written_before_the_signal_must_be_answered() {
    let (request, signal) = unanswered(-1);
    assert!(is_lost(&request.fate(signal, false)));
    let (mut request, signal) = unanswered(-1);
    request.written = None;
    assert!(is_lost(&request.fate(signal, false)));
}

#[test]
fn what_was_processed_must_be_answered_whenever_it_was_sent() {
    let (request, signal) = unanswered(1);
    assert!(is_lost(&request.fate(signal, true)));
}

#[test]
fn a_kept_connection_that_is_closed_at_the_same_moment_is_a_race() {
    let (mut request, signal) = unanswered(1);
    assert_eq!(request.fate(signal, false), Fate::Raced);
    request.is_first = true;
    assert_eq!(request.fate(signal, false), Fate::RacedUnused);
    request.end_was_seen = true;
    assert_eq!(request.fate(signal, false), Fate::TooLate);
}

#[test]
fn a_connection_that_was_made_after_the_signal_may_be_turned_away() {
    let (mut request, signal) = unanswered(2);
    request.connected = signal + Duration::from_millis(1);
    assert_eq!(request.fate(signal, false), Fate::TurnedAway);
    request.outcome = Outcome::Refused;
    assert_eq!(request.fate(signal, false), Fate::TurnedAway);
    request.outcome = Outcome::Part;
    assert!(is_lost(&request.fate(signal, false)));
}

#[test]
fn a_receipt_without_an_entry_is_a_lie() {
    let (mut request, signal) = unanswered(-50);
    request.outcome = Outcome::Receipt(3);
    assert_eq!(request.fate(signal, true), Fate::Answered);
    assert!(is_lost(&request.fate(signal, false)));
}
