//! Well-behaved functions next to others that spin, leak, flood, or get more requests than they
//! have room for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use end_to_end::TestHost;
use end_to_end::client::{Connection, Request, Response};
use end_to_end::functions::Folder;
use end_to_end::guests::assemble;

/// Number of well-behaved functions.
const GOOD: usize = 96;

/// Number of their clients, each of which requests all of them in turn, and minimum number of
/// rounds.
const CLIENTS: usize = 2;
const ROUNDS: usize = 3;

/// Maximum number of requests of a client to a bad function: immediate refusals would leave no time
/// for the others.
const ASKED: usize = 50;

/// Paths of bad functions, number of clients at once, and their answers: each of these, and no
/// other.
const BAD: [(&str, usize, &[&str]); 7] = [
    ("/spin/loop", 2, &["504"]),
    ("/leak/grow-for-ever", 1, &["504"]),
    ("/leak/leak-responses", 1, &["500"]),
    ("/flood/loop-with-calls", 1, &["504"]),
    ("/flood/print-for-ever", 1, &["504"]),
    ("/flood/audit-for-ever", 1, &["504"]),
    // One per thread sleeps until its timeout, and the others find no room.
    ("/busy/sleep", 10, &["503", "504"]),
];

const FUNCTIONS: &str = r#"
    folder = "."

    [[function]]
    name = "busy"
    max-concurrency = 1
    max-queue = 0
    request-timeout = 0.2
"#;

#[test]
fn good_functions_lose_no_request_next_to_bad_ones() {
    let folder = Folder::new();
    let hostile = assemble("hostile", |source| source);
    for name in ["spin", "leak", "flood", "busy"] {
        folder.put(&format!("{name}.wasm"), &hostile);
    }
    for number in 0..GOOD {
        folder.put_locator(&format!("good-{number}.wasm"), "the-one");
    }
    folder.put("functions.toml", FUNCTIONS);
    // Small limits, so that bad functions reach them soon.
    let host = TestHost::serve_functions(folder.join("functions.toml"))
        .flag("--cpu-timeout", "0.05")
        .flag("--max-memory", "32MiB")
        .start();

    let bad_clients = || BAD.iter().flat_map(|&(path, count, _)| vec![path; count]);
    let unanswered = AtomicUsize::new(bad_clients().count());
    let is_over = AtomicBool::new(false);
    let (host, unanswered, is_over) = (&host, &unanswered, &is_over);
    let (losses, answers) = thread::scope(|scope| {
        let bad: Vec<_> = bad_clients()
            .map(|path| scope.spawn(move || (path, ask_until(host, path, is_over, unanswered))))
            .collect();
        let good: Vec<_> = (0..CLIENTS)
            .map(|_| scope.spawn(move || ask_all(host, unanswered)))
            .collect();
        let losses = good.into_iter().map(|good| good.join().expect("a client"));
        let losses: Vec<String> = losses.flatten().collect();
        is_over.store(true, Ordering::Release);
        let mut answers = BTreeMap::<_, BTreeSet<String>>::new();
        for bad in bad {
            let (path, seen) = bad.join().expect("a client");
            answers.entry(path).or_default().extend(seen);
        }
        (losses, answers)
    });
    assert!(losses.is_empty(), "{losses:?}");
    for (path, _, expected) in BAD {
        let seen: Vec<&str> = answers[path].iter().map(String::as_str).collect();
        assert_eq!(seen, expected, "{path}");
    }
}

/// Requests all well-behaved functions in turn, [`ROUNDS`] times and until every client of a bad
/// one is done. Returns other answers than good ones.
fn ask_all(host: &TestHost, unanswered: &AtomicUsize) -> Vec<String> {
    let mut connection = None;
    let mut losses = Vec::new();
    let mut rounds = 0;
    while rounds < ROUNDS || unanswered.load(Ordering::Acquire) > 0 {
        for number in 0..GOOD {
            let path = format!("/good-{number}");
            let expected = format!("the-one / {path} the-one");
            match ask(host, &mut connection, &path) {
                Ok(response) if response.status == 200 && response.text() == expected => {}
                Ok(response) => losses.push(format!("{path}: {response:?}")),
                Err(why) => losses.push(format!("{path}: {why}")),
            }
        }
        rounds += 1;
    }
    losses
}

/// Sends up to [`ASKED`] requests to a bad function. Returns the answers.
fn ask_until(
    host: &TestHost,
    path: &str,
    is_over: &AtomicBool,
    unanswered: &AtomicUsize,
) -> BTreeSet<String> {
    let mut connection = None;
    let mut answers = BTreeSet::new();
    for _ in 0..ASKED {
        let answer = ask(host, &mut connection, path);
        let is_first = answers.is_empty();
        answers.insert(answer.map_or_else(|why| why, |answer| answer.status.to_string()));
        if is_first {
            unanswered.fetch_sub(1, Ordering::AcqRel);
        }
        if is_over.load(Ordering::Acquire) {
            break;
        }
    }
    answers
}

/// Sends one request, on the open connection or on a new one.
fn ask(
    host: &TestHost,
    connection: &mut Option<Connection>,
    path: &str,
) -> Result<Response, String> {
    let asked = connection
        .take()
        .map_or_else(|| Connection::try_open(host.address()), Ok)
        .and_then(|mut current| {
            current.try_write(&Request::new("GET", path).bytes())?;
            let response = current.try_receive_for("GET")?;
            Ok((current, response))
        });
    let (current, response) = asked.map_err(|error| error.to_string())?;
    if response.header("connection") != Some("close") {
        *connection = Some(current);
    }
    Ok(response)
}
