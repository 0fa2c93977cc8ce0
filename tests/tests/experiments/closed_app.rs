//! `experiments/closed-app`: four steps towards a component for any host.

use end_to_end::artifacts::experiment;
use end_to_end::cases::check_result;
use end_to_end::client::encrypt;
use end_to_end::{Peer, TestHost};

const BY_COMPONENT: &str = r#" stderr: {"sequence":1,"action":"encrypt""#;

fn serve(step: &str) -> TestHost {
    TestHost::serve(experiment("closed-app", step))
        .env("SHIFT_AMOUNT", "5")
        .start()
}

#[test]
fn open_it_takes_audit_log_and_environment_from_the_host() {
    let host = serve("1-open");
    check_result(&host.send(&encrypt("hello")), "mjqqt");
    assert_eq!(host.audit_entries().len(), 1);
}

#[test]
fn audited_it_brings_its_own_audit_log() {
    let host = serve("2-audited");
    check_result(&host.send(&encrypt("hello")), "mjqqt");
    let _ = host.log().wait_for_entry(&[BY_COMPONENT]);
}

#[test]
fn closed_it_brings_its_own_environment_too() {
    for step in ["3-closed", "4-fused"] {
        let host = serve(step);
        check_result(&host.send(&encrypt("hello")), "khoor");
        let _ = host.log().wait_for_entry(&[BY_COMPONENT]);
    }
}

#[test]
fn closed_it_runs_on_another_host_as_it_is() {
    let peer = Peer::serve(experiment("closed-app", "3-closed"), &[]);
    check_result(&peer.send(&encrypt("hello")), "khoor");
}
