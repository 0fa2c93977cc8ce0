//! The admin interface against its `OpenAPI` description: `schemathesis` sends requests within and
//! outside it.

use std::process::Command;
use std::time::Duration;

use end_to_end::artifacts::schemathesis;
use end_to_end::functions::locator;
use end_to_end::operators::TOKEN;
use end_to_end::process::Process;

use super::admin::{Place, ask, deploy};

#[test]
fn schemathesis_finds_no_answer_outside_openapi() {
    let place = Place::new();
    let (_host, operators) = place.serve();
    let _ = deploy(&operators, "where", "first-1");
    let url = format!("http://{}/v1", operators.address());
    let folder = schemathesis();
    let mut command = Command::new("python3");
    command
        .current_dir(place.folder())
        .env("PYTHONPATH", &folder)
        .arg(folder.join("bin/schemathesis"))
        .args(["run", &format!("{url}/openapi.json"), "--url", &url])
        .args(["-H", &format!("Authorization: Bearer {TOKEN}")])
        // The description cannot define valid components.
        .args([
            "--checks",
            "all",
            "--exclude-checks",
            "positive_data_acceptance",
        ])
        .args(["--max-examples", "30", "--seed", "1", "--no-color"])
        .args(["--suppress-health-check", "all"]);
    // It sends many requests, one after the other.
    let finished = Process::start(&mut command).finish_within(Duration::from_mins(3));
    assert_eq!(
        finished.code,
        Some(0),
        "{}{}",
        finished.stdout,
        finished.stderr
    );
    assert!(finished.stdout.contains(" passed"), "{}", finished.stdout);
    let response = ask(
        &operators,
        "PUT",
        "/v1/functions/where",
        &locator("second2"),
    );
    assert_eq!(response.status, 200, "{response:?}");
}
