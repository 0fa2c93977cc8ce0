//! Functions for WASI 0.3 that operators deploy, and compiled code that is kept.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use end_to_end::cases::check_result;
use end_to_end::client::{encrypt, get};
use end_to_end::functions::Folder;
use end_to_end::{TestHost, artifacts};

use super::guest;

#[test]
fn a_function_passes_from_one_version_of_wasi_to_the_other_without_losing_a_request() {
    let folder = Folder::new();
    let put = |name: &str| {
        let bytes = fs::read(artifacts::component(name)).expect("a component");
        folder.put("cipher.wasm", bytes);
    };
    put("app");
    let host = TestHost::serve_functions(folder.path())
        .flag("--audit", "none")
        .flag("--max-requests-per-connection", "4000000000")
        .start();
    let is_over = AtomicBool::new(false);
    let answers = thread::scope(|scope| {
        let clients = [(); 3].map(|()| {
            scope.spawn(|| {
                let mut connection = host.connect();
                let mut answers = 0;
                while !is_over.load(Ordering::Relaxed) {
                    let request = encrypt("hello").path("/cipher/encrypt");
                    check_result(&connection.exchange(&request), "khoor");
                    answers += 1;
                }
                answers
            })
        });
        // The first one was deployed at the start.
        for (deployed, name) in (2..).zip(["app-0.3", "app", "app-0.3"]) {
            put(name);
            let _ = host.log().wait_for_matches(" deployed function=", deployed);
        }
        is_over.store(true, Ordering::Relaxed);
        clients.map(|client| client.join().expect("answers"))
    });
    assert!(answers.iter().all(|count| *count > 0), "{answers:?}");
    let log = host.log().text();
    assert_eq!(log.matches("wasi=0.3 ").count(), 2, "{log}");
}

#[test]
fn compiled_code_for_wasi_0_3_is_kept_and_served_again() {
    let cache = tempfile::tempdir().expect("a folder");
    for _ in 0..2 {
        let mut host = guest().cache(cache.path()).start();
        let _ = host.log().wait_for_entry(&["serving", "wasi=0.3"]);
        assert_eq!(host.send(&get("/good")).body, b"good");
        assert_eq!(host.terminate().code(), Some(0));
    }
    // The first server has written it.
    let kept = fs::read_dir(cache.path().join("component-runner")).expect("a folder");
    assert!(kept.count() > 0);
}
