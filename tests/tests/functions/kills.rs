//! A short form of `make torture-functions`.

use end_to_end::stress::harness::Rounds;
use end_to_end::stress::kill::deploy;

#[test]
fn sigkill_during_a_deploy_leaves_the_previous_or_the_new_version() {
    let result = deploy::run(Rounds { count: 6, seed: 1 }, |_| ());
    let summary = result.unwrap_or_else(|violation| panic!("{violation}"));
    assert_eq!(summary.rounds, 6, "{summary}");
}
