//! Functions that are added, changed and removed while the server runs.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use end_to_end::client::{Request, encrypt};
use end_to_end::functions::{Folder, locator};
use end_to_end::{TestHost, wait};
use tempfile::NamedTempFile;

use crate::audit::sha256;
use crate::functions::routes::get;

/// Sends requests until the answer is the expected one.
#[track_caller]
pub(super) fn wait_for(host: &TestHost, path: &str, expected: Option<&str>) {
    wait::until(format_args!("{expected:?}"), || {
        let response = host.send(&Request::new("GET", path));
        let found = (response.status == 200).then(|| response.text());
        if found.as_deref() == expected {
            return Ok(());
        }
        Err(format!("{response:?}\n{}", host.log().text()))
    });
}

/// The version of `guests/locator.wat` with this text.
fn version(text: &str) -> String {
    let file = NamedTempFile::new().expect("a file");
    fs::write(file.path(), locator(text)).expect("a file that can be written to");
    sha256(file.path())
}

/// The events of one type in the audit log.
pub(super) fn events(host: &TestHost, kind: &str) -> Vec<serde_json::Value> {
    let records = host.audit_records().into_iter().map(|record| record.json);
    records
        .filter(|record| record["event"]["type"] == kind)
        .collect()
}

#[test]
fn a_file_in_the_folder_is_served_until_it_is_removed() {
    let folder = Folder::new();
    let host = TestHost::serve_functions(folder.path()).start();
    assert_eq!(host.send(&Request::new("GET", "/where")).status, 404);
    folder.put_locator("where.wasm", "first-1");
    wait_for(&host, "/where", Some("first-1 / /where first-1"));
    folder.put_locator("where.wasm", "second2");
    wait_for(&host, "/where", Some("second2 / /where second2"));
    fs::remove_file(folder.join("where.wasm")).expect("a file");
    wait_for(&host, "/where", None);

    let (first, second) = (version("first-1"), version("second2"));
    let loads = events(&host, "component-load");
    assert_eq!(loads[0]["host"]["component"]["sha256"], first);
    assert_eq!(loads[0]["event"].get("replaces"), None);
    assert_eq!(loads[1]["host"]["component"]["sha256"], second);
    assert_eq!(loads[1]["event"]["replaces"], first);
    let removed = events(&host, "component-removed");
    assert_eq!(removed[0]["host"]["component"]["sha256"], second);
    assert_eq!((loads.len(), removed.len()), (2, 1));
}

#[test]
fn a_cipher_an_app_and_a_broken_file_in_the_folder_are_told_apart() {
    let folder = Folder::new();
    folder.put_component("http-adapter");
    folder.put(
        "functions.toml",
        "folder = \"functions\"\n[[adapter]]\ncomponent = \"http-adapter.wasm\"\n",
    );
    fs::create_dir(folder.join("functions")).expect("a folder");
    let host = TestHost::serve_functions(folder.join("functions.toml"))
        .env("SHIFT_AMOUNT", "3")
        .start();
    let copy = |name: &str| {
        let bytes = fs::read(end_to_end::artifacts::component(name)).expect("a component");
        folder.put(&format!("functions/{name}.wasm"), bytes);
    };
    copy("cipher");
    copy("app");
    folder.put("functions/broken.wasm", b"\0asm\x0d\0\x01\0\xff");
    let _ = host.log().wait_for_entry(&["deployed", "function=\"app\""]);
    let _ = host
        .log()
        .wait_for_entry(&["deployed", "function=\"cipher\""]);
    let _ = host.log().wait_for_entry(&["function rejected", "broken"]);
    for name in ["app", "cipher"] {
        let response = host.send(&encrypt("hello").path(format!("/{name}/encrypt")));
        assert_eq!(response.result(), "khoor", "{name}");
    }
}

#[test]
fn a_broken_file_leaves_the_previous_version_active() {
    let folder = Folder::new();
    folder.put_locator("where.wasm", "first-1");
    let host = TestHost::serve_functions(folder.path()).start();
    folder.put("where.wasm", "nothing");
    let goes_on = version("first-1");
    let _ = host.log().wait_for_entry(&["function rejected", &goes_on]);
    assert_eq!(get(&host, "/where"), "first-1 / /where first-1");
    let refused = events(&host, "component-refused");
    assert_eq!(refused[0]["event"]["function"], "where");
    folder.put_locator("where.wasm", "second2");
    wait_for(&host, "/where", Some("second2 / /where second2"));
}

#[test]
fn a_slowly_written_file_is_served_once_complete() {
    let folder = Folder::new();
    folder.put_locator("where.wasm", "first-1");
    let host = TestHost::serve_functions(folder.path()).start();
    let bytes = locator("second2");
    let mut file = File::create(folder.join("where.wasm")).expect("a file");
    file.write_all(&bytes[..bytes.len() / 2]).expect("a disk");
    let _ = host.log().wait_for_entry(&["function rejected"]);
    assert_eq!(get(&host, "/where"), "first-1 / /where first-1");
    file.write_all(&bytes[bytes.len() / 2..]).expect("a disk");
    drop(file);
    wait_for(&host, "/where", Some("second2 / /where second2"));
}

/// Writes a file in pieces, with pauses in which the server reads it. Returns the longest pause.
fn copy_slowly(path: &Path, bytes: &[u8]) -> Duration {
    const PIECES: usize = 6;
    /// Longer than the debounce interval of the server.
    const PAUSE: Duration = Duration::from_millis(400);

    fs::write(path, b"").expect("a file");
    let (mut longest, mut last) = (Duration::ZERO, Instant::now());
    for piece in bytes.chunks(bytes.len().div_ceil(PIECES)) {
        thread::sleep(PAUSE);
        let file = File::options().append(true).open(path);
        let written = file.and_then(|mut file| file.write_all(piece));
        written.expect("a file that can be written to");
        longest = longest.max(last.elapsed());
        last = Instant::now();
    }
    longest
}

#[test]
fn a_slow_copy_of_a_component_or_functions_file_is_not_refused_in_parts() {
    /// Shorter than the time after which a file counts as complete.
    const MAX_PAUSE: Duration = Duration::from_secs(2);

    let declared = "[[function]]\nname = \"where\"\ncomponent = \"code.wasm\"\n\
                    route = \"/there\"\n";
    // A busy machine may pause longer, which repeats the test.
    for _ in 0..10 {
        let folder = Folder::new();
        folder.put_locator("code.wasm", "first-1");
        folder.put(
            "functions.toml",
            "[[function]]\ncomponent = \"code.wasm\"\n",
        );
        let host = TestHost::serve_functions(folder.join("functions.toml")).start();
        let pauses = [
            copy_slowly(&folder.join("code.wasm"), &locator("second2")),
            copy_slowly(&folder.join("functions.toml"), declared.as_bytes()),
        ];
        wait_for(&host, "/there", Some("second2 / /there second2"));
        if pauses.iter().all(|pause| *pause < MAX_PAUSE) {
            let log = host.log().text();
            for text in ["function rejected", "previous functions stay active"] {
                assert!(!log.contains(text), "{log}");
            }
            for kind in ["component-refused", "functions-refused"] {
                assert!(events(&host, kind).is_empty(), "{log}");
            }
            return;
        }
    }
    panic!("the machine is too busy");
}

#[test]
fn a_changed_functions_file_is_applied_unless_it_is_invalid() {
    let folder = Folder::new();
    folder.put_locator("one.wasm", "the-one");
    folder.put_locator("two.wasm", "the-two");
    let file = |one: &str, two: &str| {
        format!(
            "[[function]]\ncomponent = \"one.wasm\"\nroute = \"{one}\"\n\
             [[function]]\ncomponent = \"two.wasm\"\nroute = \"{two}\"\n"
        )
    };
    folder.put("functions.toml", file("/a", "/b"));
    let host = TestHost::serve_functions(folder.join("functions.toml")).start();
    assert_eq!(get(&host, "/a"), "the-one / /a the-one");

    folder.put("functions.toml", "route = 7");
    let _ = host
        .log()
        .wait_for_entry(&["previous functions stay active", "functions.toml:1"]);
    assert_eq!(get(&host, "/a"), "the-one / /a the-one");
    assert_eq!(events(&host, "functions-refused").len(), 1);

    // Both swap their routes.
    folder.put("functions.toml", file("/b", "/a"));
    wait_for(&host, "/a", Some("the-two / /a the-two"));
    assert_eq!(get(&host, "/b"), "the-one / /b the-one");
}

#[test]
fn a_changed_adapter_makes_new_versions() {
    let folder = Folder::new();
    folder.put_component("cipher");
    folder.put("adapter.wasm", "nothing yet");
    folder.put(
        "functions.toml",
        "folder = \".\"\n[[adapter]]\ncomponent = \"adapter.wasm\"\n",
    );
    let host = TestHost::serve_functions(folder.join("functions.toml"))
        .env("SHIFT_AMOUNT", "3")
        .start();
    let _ = host
        .log()
        .wait_for_entry(&["adapters rejected, previous adapters stay active"]);
    let _ = host
        .log()
        .wait_for_entry(&["function rejected", "no adapter is registered"]);
    let adapter = fs::read(end_to_end::artifacts::component("http-adapter")).expect("a component");
    folder.put("adapter.wasm", adapter);
    let _ = host.log().wait_for_entry(&["deployed", "cipher"]);
    let response = host.send(&encrypt("hello").path("/cipher/encrypt"));
    assert_eq!(response.result(), "khoor");
}

#[test]
fn compile_timeout_refuses_a_slow_component() {
    let folder = Folder::new();
    folder.put_component("app");
    let host = TestHost::serve_functions(folder.path())
        .cache(folder.join("cache"))
        .flag("--compile-timeout", "0")
        .start();
    let _ = host.log().wait_for_entry(&[
        "function rejected",
        "more than 0 s by the clock",
        "`--compile-timeout`",
    ]);
    assert_eq!(host.send(&Request::new("GET", "/app")).status, 404);
}

#[test]
#[cfg(target_os = "linux")]
fn max_compile_memory_refuses_a_large_component() {
    let folder = Folder::new();
    folder.put_component("app");
    let host = TestHost::serve_functions(folder.path())
        .cache(folder.join("cache"))
        .flag("--max-compile-memory", "1MiB")
        .start();
    let _ = host
        .log()
        .wait_for_entry(&["function rejected", "`--max-compile-memory`"]);
    assert_eq!(host.send(&Request::new("GET", "/app")).status, 404);
}

#[test]
fn compiled_code_is_cached_for_the_next_start() {
    let folder = Folder::new();
    folder.put_locator("where.wasm", "first-1");
    let serve = || TestHost::serve_functions(folder.path()).cache(folder.join("cache"));
    drop(serve().start());
    // So nothing is compiled.
    let host = serve().flag("--compile-timeout", "0").start();
    assert_eq!(get(&host, "/where"), "first-1 / /where first-1");
}

#[test]
fn compiled_code_is_not_read_from_a_world_writable_folder() {
    use std::os::unix::fs::PermissionsExt;

    let folder = Folder::new();
    folder.put_locator("where.wasm", "first-1");
    let serve = || TestHost::serve_functions(folder.path()).cache(folder.join("cache"));
    drop(serve().start());
    let code = folder.join("cache").join("component-runner/code");
    let open = fs::Permissions::from_mode(0o777);
    fs::set_permissions(code, open).expect("a folder");
    let host = serve().start();
    let _ = host.log().wait_for_entry(&["not kept", "`chmod go-w`"]);
    assert_eq!(get(&host, "/where"), "first-1 / /where first-1");
}
