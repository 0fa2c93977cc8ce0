//! Behind nginx and `HAProxy`, with the configurations that `docs/proxies.md` shows. Where one of
//! them is not installed, its test says so and is skipped.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;

use end_to_end::artifacts::{component, workspace};
use end_to_end::cases::{check_problem, check_result};
use end_to_end::client::{Connection, Request, chunk, encrypt, json, post};
use end_to_end::process::Process;
use end_to_end::{TestHost, wait};

/// A little more than the 16 MiB of `--max-request-body`.
const TOO_MANY_BYTES: usize = 18 << 20;

/// The configuration below a title of `docs/proxies.md`, in front of `host`.
fn documented(title: &str, host: &TestHost) -> String {
    let path = workspace().join("docs/proxies.md");
    let document = fs::read_to_string(path).expect("a document");
    let section = document.split(&format!("\n## {title}\n")).nth(1);
    let block = section.and_then(|section| section.split("```").nth(1));
    let (_language, text) = block.and_then(|block| block.split_once('\n')).expect(title);
    text.replace("127.0.0.1:8080", &host.address().to_string())
}

fn is_installed(program: &str) -> bool {
    let is_there = Command::new(program).arg("-v").output().is_ok();
    if !is_there {
        eprintln!("skipped: {program} is not installed");
    }
    is_there
}

/// An unused address.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("an address")
}

/// Starts a proxy, and waits until it accepts connections at `address`.
fn start(command: &mut Command, address: SocketAddr) -> Process {
    let proxy = Process::start(command);
    wait::until("the proxy", || {
        Connection::try_open(address).map_err(|error| format!("{error}: {}", proxy.stderr.text()))
    });
    proxy
}

/// Checks what clients get through the proxy at `address`.
fn check_clients(address: SocketAddr) {
    let open = || Connection::open(address);
    // More than one on a connection, which the proxy keeps to the server as well.
    let mut client = open();
    for _ in 0..50 {
        check_result(&client.exchange(&encrypt("abc")), "def");
    }
    check_result(&open().exchange(&encrypt("abc").http_1_0()), "def");
    let mut client = open();
    client.write(&encrypt("").chunked().head());
    for part in [json("abc").as_bytes(), b""] {
        client.write(&chunk(part));
    }
    check_result(&client.receive(), "def");
    let expecting = encrypt("abc").header("expect", "100-continue");
    let mut client = open();
    client.write(&expecting.bytes());
    let first = client.receive();
    let last = if first.status == 100 {
        client.receive()
    } else {
        first
    };
    check_result(&last, "def");
    let head = open().exchange(&Request::new("HEAD", "/encrypt"));
    assert_eq!((head.status, head.body.len()), (405, 0));
    for _ in 0..5 {
        let mut client = open();
        // It may break when the response has come.
        let _ = client.try_write(&post("/encrypt", vec![b'x'; TOO_MANY_BYTES]).bytes());
        check_problem(&client.receive(), 413, &["the body is too large"]);
    }
}

#[test]
fn nginx_in_front_passes_on_requests_and_the_413_of_an_upload_of_18_mib() {
    if !is_installed("nginx") {
        return;
    }
    let host = TestHost::serve(component("app")).start();
    let folder = tempfile::tempdir().expect("a folder");
    let address = free_address();
    let server = documented("nginx", &host)
        .replace("listen 80;", &format!("listen {address};"))
        // Otherwise it refuses the upload itself.
        .replace("client_max_body_size 16m;", "client_max_body_size 100m;");
    let own = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let own = own.map(|name| format!("{name}_temp_path {};\n", show(&folder.path().join(name))));
    let text = format!(
        "daemon off;\nworker_processes 1;\npid {};\nerror_log stderr;\n\
         events {{}}\nhttp {{\naccess_log off;\n{}{server}}}\n",
        show(&folder.path().join("pid")),
        own.concat()
    );
    let file = folder.path().join("nginx.conf");
    fs::write(&file, text).expect("a file");
    let _proxy = start(Command::new("nginx").arg("-c").arg(&file), address);
    check_clients(address);
}

#[test]
fn haproxy_in_front_passes_on_requests_half_closes_and_the_413_of_an_upload_of_18_mib() {
    if !is_installed("haproxy") {
        return;
    }
    let host = TestHost::serve(component("app")).start();
    let folder = tempfile::tempdir().expect("a folder");
    let address = free_address();
    let text = documented("HAProxy", &host).replace("bind :80", &format!("bind {address}"));
    let file = folder.path().join("haproxy.cfg");
    fs::write(&file, text).expect("a file");
    let _proxy = start(Command::new("haproxy").arg("-f").arg(&file), address);
    check_clients(address);
    for _ in 0..20 {
        let mut client = Connection::open(address);
        client.write(&encrypt("abc").bytes());
        client.end().expect("an open connection");
        check_result(&client.receive(), "def");
    }
}

fn show(path: &Path) -> &str {
    path.to_str().expect("a path of text")
}
