//! A short form of `make torture-audit`.

use end_to_end::audit::Kind;
use end_to_end::stress::harness::Rounds;
use end_to_end::stress::kill;

#[test]
fn sigkill_at_any_moment_leaves_every_entry_with_a_receipt() {
    let rounds = Rounds { count: 20, seed: 1 };
    let result = kill::run(rounds, &Kind::ALL, |_| ());
    let summary = result.unwrap_or_else(|violation| panic!("{violation}"));
    // With fewer, the test proves nothing.
    assert!(summary.receipts > 100, "{summary}");
}
