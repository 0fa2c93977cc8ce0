//! New versions under load: no request is lost, and each is answered by one version.

use std::thread;

use end_to_end::TestHost;
use end_to_end::client::{Request, post};
use end_to_end::functions::{Folder, locator_response};
use end_to_end::guests::assemble;
use end_to_end::stress::swap::{drop_broken_files, swap_versions};

#[test]
fn a_version_swap_under_load_loses_no_request_and_mixes_no_answer() {
    swap_versions(30, |_| ()).unwrap_or_else(|reason| panic!("{reason}"));
}

#[test]
fn broken_files_are_refused_and_the_previous_version_stays_active() {
    drop_broken_files(40, 7, |_| ()).unwrap_or_else(|reason| panic!("{reason}"));
}

#[test]
fn a_request_in_flight_keeps_its_version_during_a_swap() {
    let folder = Folder::new();
    folder.put("f.wasm", assemble("counter", |source| source));
    let host = TestHost::serve_functions(folder.path())
        .flag("--body-buffer", "0")
        .start();
    let mut connection = host.connect();
    let request = post("/f/read", "x").header("expect", "100-continue");
    connection.write(&request.head());
    assert_eq!(connection.receive().status, 100);
    folder.put_locator("f.wasm", "second2");
    let new = locator_response("second2", "/", "/f");
    while host.send(&Request::new("GET", "/f")).text() != new {
        thread::yield_now();
    }
    connection.write(b"x");
    let response = connection.receive();
    assert_eq!((response.status, response.text()), (200, "1".to_owned()));
}
