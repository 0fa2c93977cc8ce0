//! Components of other toolchains for WASI 0.3 (`foreign/`): services that respond, stream and echo,
//! and middleware in front of them, all without a flag of the server.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use end_to_end::artifacts::program;
use end_to_end::client::{Connection, get, post};
use end_to_end::process::Process;
use end_to_end::{Peer, Setup, TestHost};

use crate::experiments::stream::{echo_in_lock_step, without_body_buffer};
use crate::foreign::{COMPILING, built};

const BODY_BYTES: usize = 5_000_000;

fn start(setup: Setup) -> TestHost {
    setup.start_within(COMPILING)
}

fn serve(component: impl AsRef<Path>) -> TestHost {
    start(TestHost::serve(component))
}

/// Bytes without a period that a chunk has.
fn pattern() -> Vec<u8> {
    let byte = |index: usize| u8::try_from(index % 251).expect("a byte");
    (0..BODY_BYTES).map(byte).collect()
}

/// The lines are read while the guest writes more of them, because it stops only when the client
/// disconnects.
#[track_caller]
fn check_ticks(mut connection: Connection) {
    connection.write(&get("/ticks").head());
    for number in 0..3 {
        let _ = connection.receive_until(&format!("tick {number}\n"));
    }
}

#[track_caller]
fn check_echo(host: &TestHost) {
    let body = pattern();
    let writer = TcpStream::connect(host.address()).expect("it listens");
    let mut reader = Connection::over(writer.try_clone().expect("a socket"));
    let request = post("/echo", body.clone());
    let response = thread::scope(|scope| {
        scope.spawn(|| Connection::over(writer).write(&request.bytes()));
        reader.receive()
    });
    assert_eq!(response.status, 200, "{response:?}");
    // Not `assert_eq`, because it has 5 MB.
    assert!(response.is_complete && response.body == body);
}

/// A service that was built for WASI 0.3 responds, streams, and echoes.
#[track_caller]
fn check_service(name: &str, text: &str) {
    let Some(component) = built(name) else {
        return;
    };
    let host = serve(&component);
    let response = host.send(&get("/"));
    assert_eq!((response.status, &*response.text()), (200, text));
    check_ticks(host.connect());
    check_echo(&host);

    // Each part comes back before the next one is sent.
    let host = start(without_body_buffer(&component));
    let mut connection = host.connect();
    connection.write(&post("/echo", "").chunked().head());
    echo_in_lock_step(&mut connection);
}

#[test]
fn a_service_with_the_crate_wasip3_responds_streams_and_echoes() {
    check_service("wasip3", "hello from wasip3");
}

#[test]
fn a_service_with_the_sdk_of_spin_responds_streams_and_echoes() {
    check_service("spin", "hello from spin");
}

#[test]
fn a_service_in_python_responds_streams_and_echoes() {
    check_service("python03", "hello from python");
}

#[test]
fn check_prints_wasi_0_3_for_each_service() {
    for name in ["wasip3", "spin", "python03"] {
        let Some(component) = built(name) else {
            continue;
        };
        let mut command = Command::new(program("component-runner"));
        command.args(["serve", "--check"]).arg(component);
        let checked = Process::start(&mut command).finish_within(COMPILING);
        assert_eq!(checked.code, Some(0), "{name}: {}", checked.stderr);
        assert!(checked.stdout.contains(", WASI 0.3)"), "{}", checked.stdout);
    }
}

/// A middleware and a service as one component, if both are built.
fn chain(folder: &Path, middleware: &str, service: &str) -> Option<PathBuf> {
    Some(chain_of(folder, [&built(middleware)?, &built(service)?]))
}

/// A middleware and a service as one component.
pub(crate) fn chain_of(folder: &Path, [middleware, service]: [&Path; 2]) -> PathBuf {
    let composed = folder.join("chain.wasm");
    let mut command = Command::new(program("component-compose"));
    command.args(["chain", "--on", "wasi:http/handler", "-o"]);
    command.args([&composed, middleware, Path::new("--"), service]);
    let finished = Process::start(&mut command).finish();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    composed
}

/// A middleware rejects a request, adds a header to the response to another one, and streams.
#[track_caller]
fn check_middleware(host: &TestHost, language: &str, text: &str) {
    let response = host.send(&get("/"));
    assert_eq!((response.status, &*response.text()), (200, text));
    assert_eq!(response.header("x-middleware"), Some(language));
    assert_eq!(host.send(&get("/private")).status, 403);
    check_ticks(host.connect());
    check_echo(host);
}

#[track_caller]
fn check_chain(middleware: &str, service: &str, language: &str, text: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    if let Some(composed) = chain(folder.path(), middleware, service) {
        check_middleware(&serve(composed), language, text);
    }
}

#[test]
fn middleware_with_the_crate_wasip3_is_composed_with_a_service() {
    let text = "hello from wasip3";
    check_chain("wasip3_middleware", "wasip3", "rust", text);
}

#[test]
fn middleware_with_the_crate_wasip3_is_composed_with_a_service_in_python() {
    let text = "hello from python";
    check_chain("wasip3_middleware", "python03", "rust", text);
}

#[test]
fn middleware_in_python_is_composed_with_a_service_with_the_crate_wasip3() {
    let text = "hello from wasip3";
    check_chain("python03_middleware", "wasip3", "python", text);
}

#[test]
fn middleware_with_the_crate_wasip3_is_named_in_front_of_a_function_for_wasi_0_2() {
    let (Some(middleware), Some(axum)) = (built("wasip3_middleware"), built("axum")) else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("functions.toml");
    let table = format!(
        "[[function]]\nname = \"f\"\ncomponent = {axum:?}\nmiddleware = [{middleware:?}]\n"
    );
    fs::write(&file, table).expect("a file");
    let host = start(TestHost::serve_functions(file));
    let response = host.send(&get("/f"));
    let text = "hello from axum";
    assert_eq!((response.status, &*response.text()), (200, text));
    assert_eq!(response.header("x-middleware"), Some("rust"));
    assert_eq!(host.send(&get("/f/private")).status, 403);
}

#[test]
fn the_other_host_serves_each_service_too() {
    // Rust's standard library imports the command-line interfaces of WASI 0.2.
    for (name, text) in [("wasip3", "hello from wasip3"), ("spin", "hello from spin")] {
        let Some(component) = built(name) else {
            continue;
        };
        let peer = Peer::serve(component, &["-Scli"]);
        assert_eq!(peer.send(&get("/")).text(), text);
    }
}
