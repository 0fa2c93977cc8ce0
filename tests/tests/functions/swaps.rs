//! New versions under load: no request is lost, and none gets a mixture.

use std::thread;

use end_to_end::TestHost;
use end_to_end::churn::{drop_bad_files, swap};
use end_to_end::client::Request;
use end_to_end::functions::Folder;

#[test]
fn a_version_takes_over_under_load_without_a_lost_or_mixed_answer() {
    swap(30, |_| ()).unwrap_or_else(|fault| panic!("{fault}"));
}

#[test]
fn files_that_are_no_components_disturb_no_function() {
    drop_bad_files(40, 7, |_| ()).unwrap_or_else(|fault| panic!("{fault}"));
}

#[test]
fn a_request_ends_with_the_version_that_it_began_with() {
    let folder = Folder::new();
    folder.put(
        "f.wasm",
        end_to_end::guests::assemble("counter", |source| source),
    );
    let host = TestHost::serve_functions(folder.path())
        .flag("--body-buffer", "0")
        .start();
    let mut connection = host.connect();
    let request = end_to_end::client::post("/f/read", "x").header("expect", "100-continue");
    connection.write(&request.head());
    assert_eq!(connection.receive().status, 100);
    folder.put_locator("f.wasm", "second2");
    while host.send(&Request::new("GET", "/f")).text() != "second2 / /f second2" {
        thread::yield_now();
    }
    connection.write(b"x");
    let response = connection.receive();
    assert_eq!((response.status, response.text()), (200, "1".to_owned()));
}
