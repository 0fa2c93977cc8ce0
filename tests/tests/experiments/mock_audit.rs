//! `experiments/mock-audit`: the service where its audit log fails.

use end_to_end::TestHost;
use end_to_end::artifacts::experiment;
use end_to_end::cases::check_problem;
use end_to_end::client::{decrypt, encrypt};

#[test]
fn an_audit_log_that_refuses_entries_is_503() {
    let host = TestHost::serve(experiment("mock-audit", "refused")).start();
    for request in [encrypt("hello"), decrypt("khoor")] {
        check_problem(&host.send(&request), 503, &["audit log", "this mock"]);
    }
}

#[test]
fn a_stub_of_the_audit_log_traps_and_the_host_answers() {
    let host = TestHost::serve(experiment("mock-audit", "stubbed")).start();
    check_problem(&host.send(&encrypt("hello")), 500, &["the guest failed"]);
    let _ = host.log().wait_for_entry(&[
        "request failed",
        "unreachable",
        "stub: runner:audit/audit-log@0.1.0#append is not implemented",
    ]);
}
