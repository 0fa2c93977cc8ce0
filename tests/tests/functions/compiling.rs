//! Components are compiled in child processes, whose failures affect no other function.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use end_to_end::client::{Request, Response};
use end_to_end::compilers::{Compiler, compilers, slow_component};
use end_to_end::functions::{Folder, locator};
use end_to_end::operators::{Operators, TOKEN};
use end_to_end::process::Signal;
use end_to_end::{TestHost, app, wait};

use crate::functions::admin::{Place, ask, deploy};
use crate::functions::routes::get;

/// Longer than any test takes.
const LONG: &str = "3000";

/// Deploys a component whose compilation does not end, on a thread, and waits until it has started.
/// Returns the final answer of the server.
fn deploy_slow(
    host: &TestHost,
    operators: Operators,
    name: &str,
) -> (thread::JoinHandle<Response>, Compiler) {
    let before = compilers(host.process_id());
    let request = Request::new("PUT", &format!("/v1/functions/{name}"))
        .bearer(TOKEN)
        .body(slow_component());
    let answer = thread::spawn(move || operators.send(&request));
    let compiler = Compiler::wait_for(host.process_id(), &before);
    (answer, compiler)
}

#[test]
fn slow_compilation_does_not_delay_a_deploy_of_another_function() {
    let place = Place::new();
    let host = place.setup().flag("--compile-timeout", LONG).start();
    let operators = Operators::of(&host);
    let _ = deploy(&operators, "where", "first-1");
    let (answer, compiler) = deploy_slow(&host, operators, "slow");
    // All of these are answered while the other component compiles.
    let _ = deploy(&operators, "where", "second2");
    assert_eq!(get(&host, "/where"), "second2 / /where second2");
    let _ = deploy(&operators, "other", "other-1");
    for (method, path) in [
        ("POST", "/v1/functions/where/rollback"),
        ("POST", "/v1/functions/where/pause"),
        ("POST", "/v1/functions/where/resume"),
        ("DELETE", "/v1/functions/other"),
    ] {
        let response = ask(&operators, method, path, b"");
        assert_eq!(response.status, 200, "{path}: {response:?}");
    }
    assert_eq!(get(&host, "/where"), "first-1 / /where first-1");
    assert!(compilers(host.process_id()).contains(&compiler));
    assert!(!answer.is_finished());
    drop(host);
    let _ = answer.join();
}

#[test]
fn slow_compilation_does_not_delay_other_functions_at_start() {
    let folder = Folder::new();
    folder.put("a-slow.wasm", slow_component());
    folder.put_locator("where.wasm", "first-1");
    let server = TestHost::serve_functions(folder.path())
        .cache(folder.join("cache"))
        .flag("--compile-timeout", LONG)
        .start_without_waiting();
    let _ = server.log().wait_for_entry(&["deployed", "where"]);
    // The other one compiles without end.
    let _ = Compiler::wait_for(server.process_id(), &[]);
}

#[test]
fn sigterm_while_a_component_is_compiled_ends_the_server_and_the_compiler() {
    let place = Place::new();
    let host = place.setup().flag("--compile-timeout", LONG).start();
    let operators = Operators::of(&host);
    let (answer, compiler) = deploy_slow(&host, operators, "slow");
    let mut host = host;
    // The wait has the deadline of every test.
    assert_eq!(host.terminate().code(), Some(0));
    compiler.wait_until_ended();
    let _ = answer.join();
}

#[test]
fn sigterm_while_the_only_component_is_compiled_ends_the_server_and_the_compiler() {
    let folder = Folder::new();
    folder.put("slow.wasm", slow_component());
    let mut server = TestHost::serve(folder.join("slow.wasm"))
        .flag("--compile-timeout", LONG)
        .start_without_waiting();
    let compiler = Compiler::wait_for(server.process_id(), &[]);
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
    compiler.wait_until_ended();
}

#[test]
fn a_compiler_ends_when_its_server_is_killed() {
    let place = Place::new();
    let host = place.setup().flag("--compile-timeout", LONG).start();
    let (answer, compiler) = deploy_slow(&host, Operators::of(&host), "slow");
    host.signal(Signal::KILL);
    compiler.wait_until_ended();
    let _ = answer.join();
}

#[test]
fn a_compiler_has_an_empty_environment_and_resource_limits() {
    let place = Place::new();
    let host = place
        .setup()
        .flag("--compile-timeout", "500")
        .flag("--max-compile-memory", "3GiB")
        .process_env("SECRET", "hunter2")
        .process_env("LD_LIBRARY_PATH", "/libraries")
        .start();
    let (answer, compiler) = deploy_slow(&host, Operators::of(&host), "slow");
    assert_eq!(
        compiler.proc_file("environ"),
        "LD_LIBRARY_PATH=/libraries\0"
    );
    // The compiler sets them after its start.
    wait::until("the limits of a compiler", || {
        let (score, limits) = (
            compiler.proc_file("oom_score_adj"),
            compiler.proc_file("limits"),
        );
        let soft = |name: &str| {
            let line = limits.lines().find_map(|line| line.strip_prefix(name));
            let word = line.and_then(|line| line.split_ascii_whitespace().next());
            word.and_then(|word| word.parse::<u64>().ok())
        };
        let names = ["Max data size", "Max core file size", "Max cpu time"];
        let expected = [3 << 30, 0, 500].map(Some);
        if score.trim() == "1000" && names.map(soft) == expected {
            return Ok(());
        }
        Err(format!("{score}{limits}"))
    });
    drop(host);
    let _ = answer.join();
}

/// Deploys a slow component, ends its compilers with this signal, and checks the reported reason.
fn check_reason(signal: Signal, compiler_count: usize, expected: &[&str], unexpected: &[&str]) {
    let place = Place::new();
    let host = place.setup().flag("--compile-timeout", LONG).start();
    let (answer, first) = deploy_slow(&host, Operators::of(&host), "slow");
    first.signal(signal);
    let mut known = vec![first];
    for _ in 1..compiler_count {
        let next = Compiler::wait_for(host.process_id(), &known);
        next.signal(signal);
        known.push(next);
    }
    let response = answer.join().expect("an answer");
    assert_eq!(response.status, 422, "{response:?}");
    let text = response.text();
    for part in expected {
        assert!(text.contains(part), "`{part}` is not in {text}");
    }
    for part in unexpected {
        assert!(!text.contains(part), "`{part}` is in {text}");
    }
}

const FLAGS: [&str; 2] = ["--compile-timeout", "--max-compile-memory"];

#[test]
fn a_compiler_killed_by_the_kernel_is_retried_once_and_no_flag_is_named() {
    check_reason(
        Signal::KILL,
        2,
        &["killed by the system", "control group"],
        &FLAGS,
    );
}

#[test]
fn a_compiler_beyond_its_processor_time_names_compile_timeout() {
    let timeout = "allow more with `--compile-timeout`";
    check_reason(Signal::XCPU, 1, &[timeout], &["--max-compile-memory"]);
}

#[test]
fn compile_timeout_does_not_count_time_while_the_compiler_is_stopped() {
    const SECONDS: u64 = 5;

    let place = Place::new();
    let host = place
        .setup()
        .flag("--compile-timeout", SECONDS.to_string())
        .start();
    let (answer, compiler) = deploy_slow(&host, Operators::of(&host), "slow");
    compiler.signal(Signal::STOP);
    thread::sleep(Duration::from_secs(SECONDS + 2));
    assert!(compilers(host.process_id()).contains(&compiler));
    drop(host);
    let _ = answer.join();
}

#[test]
fn a_compiler_crash_is_reported_and_no_flag_is_named() {
    check_reason(Signal::ABORT, 1, &["the compiler failed"], &FLAGS);
}

#[test]
fn compile_timeout_and_max_compile_memory_hold_for_a_single_component() {
    let folder = Folder::new();
    folder.put("slow.wasm", slow_component());
    let serve = |flag: &str, value: &str| {
        let setup = TestHost::serve(folder.join("slow.wasm")).cache(folder.join("cache"));
        setup.flag(flag, value).fail()
    };
    for (flag, value) in [
        ("--compile-timeout", "0.1"),
        ("--max-compile-memory", "1MiB"),
    ] {
        let failed = serve(flag, value);
        assert_eq!(failed.code, Some(1), "{}", failed.stderr);
        let flag = format!("allow more with `{flag}`");
        assert!(failed.stderr.contains(&flag), "{}", failed.stderr);
    }
}

#[test]
fn without_a_folder_for_compiled_code_there_is_one_compiler_and_one_warning() {
    let folder = Folder::new();
    // No folder can be created below a file.
    folder.put("file", "");
    let host = app()
        .cache(folder.join("file"))
        .env("SHIFT_AMOUNT", "3")
        .start();
    assert_eq!(host.send(&Request::new("GET", "/")).status, 404);
    let text = host.log().text();
    assert_eq!(
        text.matches("compiled code is not kept").count(),
        1,
        "{text}"
    );
}

/// The files with compiled code in a cache folder.
fn code_files(cache: &Path) -> Vec<std::path::PathBuf> {
    let files = fs::read_dir(cache.join("component-runner/code")).expect("a folder");
    let files = files.map(|entry| entry.expect("a file").path());
    files
        .filter(|path| path.extension().is_some_and(|end| end == "cwasm"))
        .collect()
}

#[test]
fn compiled_code_that_was_changed_on_the_disk_is_not_mapped() {
    let folder = Folder::new();
    folder.put_locator("where.wasm", "first-1");
    let cache = folder.join("cache");
    let serve = || {
        TestHost::serve(folder.join("where.wasm"))
            .cache(&cache)
            .start()
    };
    drop(serve());
    let files = code_files(&cache);
    assert_eq!(files.len(), 1, "{files:?}");
    let mut code = fs::read(&files[0]).expect("a file");
    let middle = code.len() / 2;
    code[middle] ^= 1;
    fs::write(&files[0], code).expect("a file");
    let host = serve();
    let _ = host.log().wait_for_entry(&["compiled again", "SHA-256"]);
    assert_eq!(host.send(&Request::new("GET", "/")).status, 200);
}

#[test]
fn one_cache_folder_is_for_many_servers_and_only_complete_code_has_a_final_name() {
    let folder = Folder::new();
    let cache = folder.join("cache");
    let bytes = locator("first-1");
    folder.put("where.wasm", &bytes);
    let hosts: Vec<_> = (0..4)
        .map(|_| {
            TestHost::serve(folder.join("where.wasm"))
                .cache(&cache)
                .start_without_waiting()
        })
        .collect();
    for host in &hosts {
        let _ = host.output().wait_for_entry(&["listening on"]);
    }
    for path in code_files(&cache) {
        let name = path
            .file_stem()
            .and_then(|name| name.to_str())
            .expect("a name");
        assert_eq!(crate::audit::sha256(&path), name);
    }
    drop(hosts);
    // So nothing is compiled.
    let host = TestHost::serve(folder.join("where.wasm")).cache(&cache);
    let host = host.flag("--compile-timeout", "0").start();
    assert_eq!(host.send(&Request::new("GET", "/")).status, 200);
}
