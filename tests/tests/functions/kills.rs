//! A short form of `make torture-functions`.

use end_to_end::redeploy::{self, Plan};

#[test]
fn a_server_that_is_killed_during_a_deploy_serves_what_was_before_or_after_it() {
    let plan = Plan { rounds: 6, seed: 1 };
    let ended = redeploy::run(&plan, |_| ());
    let summary = ended.unwrap_or_else(|violation| panic!("{violation}"));
    assert_eq!(summary.rounds, 6, "{summary}");
}
