//! Behind nginx, `HAProxy` and Apache, with the configurations of `docs/guide/proxies.md`. Tests of
//! a missing program print `skipped`; `make debian` unpacks them.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use end_to_end::artifacts::workspace;
use end_to_end::cases::{check_problem, check_result};
use end_to_end::client::{Connection, Request, chunk, encrypt, json, post};
use end_to_end::installed::Installed;
use end_to_end::process::Process;
use end_to_end::{TestHost, app, wait};
use tempfile::TempDir;

/// A little more than the 16 MiB of `--max-request-body`.
const TOO_MANY_BYTES: usize = 18 << 20;

/// The configuration of a section of `docs/guide/proxies.md`, in front of `host`.
fn documented(title: &str, host: &TestHost) -> String {
    let path = workspace().join("docs/guide/proxies.md");
    let document = fs::read_to_string(path).expect("a document");
    let section = document.split(&format!("\n## {title}\n")).nth(1);
    let block = section.and_then(|section| section.split("```").nth(1));
    let (_language, text) = block.and_then(|block| block.split_once('\n')).expect(title);
    text.replace("127.0.0.1:8080", &host.address().to_string())
}

/// An unused address.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("an address")
}

/// A running proxy.
struct Proxy {
    address: SocketAddr,
    process: Process,
    _folder: TempDir,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.process.terminate();
    }
}

impl Proxy {
    /// Starts a proxy whose configuration is in `folder`, and waits until it accepts connections
    /// at `address`.
    fn start(command: &mut Command, address: SocketAddr, folder: TempDir) -> Self {
        let process = Process::start(command);
        wait::until("the proxy", || {
            let opened = Connection::try_open(address);
            opened.map_err(|error| format!("{error}: {}", process.stderr.text()))
        });
        Self {
            address,
            process,
            _folder: folder,
        }
    }

    /// nginx with its documented configuration after `change`; `None` where it is missing.
    fn nginx(host: &TestHost, change: impl FnOnce(String) -> String) -> Option<Self> {
        let nginx = Installed::find("nginx", "-v")?;
        let folder = tempfile::tempdir().expect("a folder");
        let address = free_address();
        let server = change(documented("nginx", host));
        let server = server.replace("listen 80;", &format!("listen {address};"));
        let own = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let own =
            own.map(|name| format!("{name}_temp_path {};\n", show(&folder.path().join(name))));
        let text = format!(
            "daemon off;\nworker_processes 1;\npid {};\nerror_log stderr;\n\
             events {{}}\nhttp {{\naccess_log off;\n{}{server}}}\n",
            show(&folder.path().join("pid")),
            own.concat()
        );
        let file = folder.path().join("nginx.conf");
        fs::write(&file, text).expect("a file");
        let mut command = nginx.command();
        command.arg("-c").arg(&file);
        Some(Self::start(&mut command, address, folder))
    }

    /// The same for `HAProxy`.
    fn haproxy(host: &TestHost, change: impl FnOnce(String) -> String) -> Option<Self> {
        let haproxy = Installed::find("haproxy", "-v")?;
        let folder = tempfile::tempdir().expect("a folder");
        let address = free_address();
        let text = change(documented("HAProxy", host));
        let text = text.replace("bind :80", &format!("bind {address}"));
        let file = folder.path().join("haproxy.cfg");
        fs::write(&file, text).expect("a file");
        let mut command = haproxy.command();
        command.arg("-f").arg(&file);
        Some(Self::start(&mut command, address, folder))
    }

    /// The same for Apache.
    fn apache(host: &TestHost, change: impl FnOnce(String) -> String) -> Option<Self> {
        const MODULES: [&str; 6] = [
            "mpm_event",
            "authz_core",
            "headers",
            "proxy",
            "proxy_http",
            "proxy_http2",
        ];

        let apache = Installed::find("apache2", "-v")?;
        let folder = tempfile::tempdir().expect("a folder");
        let address = free_address();
        let modules = MODULES.map(|name| {
            let file = apache.file(&format!("usr/lib/apache2/modules/mod_{name}.so"));
            format!("LoadModule {name}_module {}\n", show(&file))
        });
        let root = show(folder.path());
        let text = format!(
            "ServerName localhost\nServerRoot {root}\nDefaultRuntimeDir {root}\n\
             PidFile {root}/pid\nErrorLog /dev/stderr\nListen {address}\n{}{}",
            modules.concat(),
            change(documented("Apache", host))
        );
        let file = folder.path().join("apache.conf");
        fs::write(&file, text).expect("a file");
        let mut command = apache.command();
        command.args(["-D", "FOREGROUND", "-f"]).arg(&file);
        Some(Self::start(&mut command, address, folder))
    }
}

/// Checks requests through the proxy at `address`.
fn check_clients(address: SocketAddr) {
    let open = || Connection::open(address);
    // Several on a connection, which the proxy keeps open to the server, too.
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
        // It may fail after the response.
        let _ = client.try_write(&post("/encrypt", vec![b'x'; TOO_MANY_BYTES]).bytes());
        check_problem(&client.receive(), 413, &["the request body is too large"]);
    }
}

/// Sends requests at intervals of about a second through a proxy that closes idle connections after
/// a second: none is lost, because the server does not close them first.
fn check_idle_connections(address: SocketAddr) {
    thread::scope(|scope| {
        for index in 0..60 {
            scope.spawn(move || {
                for _ in 0..3 {
                    check_result(&Connection::open(address).exchange(&encrypt("abc")), "def");
                    thread::sleep(Duration::from_millis(970 + index));
                }
            });
        }
    });
}

#[test]
fn nginx_in_front_passes_on_requests_and_the_413_of_an_upload_of_18_mib() {
    let host = app().start();
    // Otherwise the proxy refuses the upload.
    let change =
        |text: String| text.replace("client_max_body_size 16m;", "client_max_body_size 100m;");
    if let Some(proxy) = Proxy::nginx(&host, change) {
        check_clients(proxy.address);
    }
}

#[test]
fn nginx_in_front_loses_no_request_on_an_idle_connection() {
    let host = app().start();
    let change =
        |text: String| text.replace("keepalive 64;", "keepalive 64; keepalive_timeout 1s;");
    if let Some(proxy) = Proxy::nginx(&host, change) {
        check_idle_connections(proxy.address);
    }
}

#[test]
fn haproxy_in_front_passes_on_requests_half_closes_and_the_413_of_an_upload_of_18_mib() {
    let host = app().start();
    let http2 = |text: String| text.replace(" check ", " check proto h2 ");
    for change in [|text: String| text, http2] {
        let Some(proxy) = Proxy::haproxy(&host, change) else {
            return;
        };
        check_clients(proxy.address);
        for _ in 0..20 {
            let mut client = Connection::open(proxy.address);
            client.write(&encrypt("abc").bytes());
            client.end().expect("an open connection");
            check_result(&client.receive(), "def");
        }
    }
}

#[test]
fn haproxy_in_front_loses_no_request_on_an_idle_connection() {
    let host = app().start();
    let change = |text: String| text.replace(" check ", " check pool-purge-delay 1s ");
    if let Some(proxy) = Proxy::haproxy(&host, change) {
        check_idle_connections(proxy.address);
    }
}

#[test]
fn apache_in_front_passes_on_requests_and_the_413_of_an_upload_of_18_mib() {
    let host = app().start();
    if let Some(proxy) = Proxy::apache(&host, |text| text) {
        check_clients(proxy.address);
    }
}

fn show(path: &Path) -> &str {
    path.to_str().expect("a path of text")
}
