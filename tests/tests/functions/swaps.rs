//! New versions under load: no request is lost, and none gets a mixture.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use end_to_end::TestHost;
use end_to_end::client::Request;
use end_to_end::functions::{Folder, locator};

/// How many times the version changes.
const SWAPS: usize = 30;

/// How many clients send meanwhile.
const CLIENTS: usize = 4;

/// A server on which a connection may send as many requests as it likes.
fn serve(folder: &Folder) -> TestHost {
    TestHost::serve_functions(folder.path())
        .flag("--max-requests-per-connection", "4000000000")
        .start()
}

fn answer(version: &str) -> String {
    format!("{version} /x /where {version}")
}

#[test]
fn a_version_takes_over_under_load_without_a_lost_or_mixed_answer() {
    let folder = Folder::new();
    let versions = ["first-1", "second2"].map(|version| (version, locator(version)));
    folder.put("where.wasm", &versions[0].1);
    let host = serve(&folder);
    let is_over = AtomicBool::new(false);
    // How many changes were asked for, and how many are known to be done.
    let (asked, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let answers = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                scope.spawn(|| {
                    let mut answers = BTreeMap::<String, usize>::new();
                    let mut connection = host.connect();
                    while !is_over.load(Ordering::Acquire) {
                        let before = done.load(Ordering::Acquire);
                        let response = connection.exchange(&Request::new("GET", "/where/x"));
                        let after = asked.load(Ordering::Acquire);
                        assert_eq!(response.status, 200, "{response:?}");
                        assert!(response.is_complete, "{response:?}");
                        let text = response.text();
                        let active: Vec<_> = (before..=after)
                            .map(|number| answer(versions[number % 2].0))
                            .collect();
                        assert!(active.contains(&text), "{text} in {before}..={after}");
                        *answers.entry(text).or_default() += 1;
                    }
                    answers
                })
            })
            .collect();
        for number in 1..=SWAPS {
            let (version, bytes) = &versions[number % 2];
            asked.store(number, Ordering::Release);
            folder.put("where.wasm", bytes);
            while host.send(&Request::new("GET", "/where/x")).text() != answer(version) {
                thread::yield_now();
            }
            done.store(number, Ordering::Release);
        }
        is_over.store(true, Ordering::Release);
        let answers = clients.into_iter().map(thread::ScopedJoinHandle::join);
        answers
            .map(|answers| answers.expect("a client"))
            .collect::<Vec<_>>()
    });
    for answers in answers {
        assert_eq!(answers.len(), 2, "{answers:?}");
    }
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

#[test]
fn files_that_are_no_components_disturb_no_function() {
    let folder = Folder::new();
    folder.put_locator("where.wasm", "first-1");
    let host = serve(&folder);
    let whole = locator("second2");
    let mut random = end_to_end::random::Random::new(7);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut connection = host.connect();
            while !is_over.load(Ordering::Acquire) {
                let response = connection.exchange(&Request::new("GET", "/where/x"));
                assert_eq!(response.text(), answer("first-1"), "{response:?}");
            }
        });
        for number in 0..50 {
            let length = random.below(whole.len() - 1);
            let mut bytes = whole[..length].to_vec();
            if number % 2 == 0 {
                // Behind the header, so that it is not refused for that alone.
                let rest = bytes.iter_mut().skip(8);
                rest.for_each(|byte| *byte ^= 0x55);
            }
            folder.put("where.wasm", bytes);
            folder.put(&format!("other-{number}.wasm"), &whole[..8]);
        }
        let _ = host
            .log()
            .wait_for_entry(&["function refused", "function=\"other-49\""]);
        is_over.store(true, Ordering::Release);
    });
    // And then a good one.
    folder.put("where.wasm", &whole);
    while host.send(&Request::new("GET", "/where/x")).text() != answer("second2") {
        thread::yield_now();
    }
}
