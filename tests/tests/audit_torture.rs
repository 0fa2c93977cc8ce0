//! A short form of `make torture-audit`.

use end_to_end::audit::Kind;
use end_to_end::torture::{self, Plan};

#[test]
fn a_server_that_is_killed_at_any_moment_leaves_every_entry_with_a_receipt() {
    let plan = Plan {
        rounds: 20,
        seed: 1,
        kinds: Kind::ALL.to_vec(),
    };
    let ended = torture::run(&plan, |_| ());
    let summary = ended.unwrap_or_else(|violation| panic!("{violation}"));
    // Otherwise it has shown nothing.
    assert!(summary.receipts > 100, "{summary}");
}
