//! curl: each version of HTTP, without TLS, over TLS and over a Unix socket.

use std::fs;
use std::path::Path;

use end_to_end::installed::Installed;
use end_to_end::process::Finished;
use end_to_end::{Setup, TestHost, app, artifacts};

use super::{Certificate, run_to_end};

/// A little more than the 16 MiB of `--max-request-body`.
const TOO_MANY_BYTES: usize = 18 << 20;

const MESSAGE: &str = r#"{"message":"abc"}"#;
const RESULT: &str = r#"{"result":"def"}"#;

/// A connection of curl to a server.
struct Form<'a> {
    curl: &'a Installed,
    flags: Vec<&'a str>,
    url: String,
    /// The expected version.
    version: &'a str,
}

impl Form<'_> {
    /// The output of curl for these arguments: each body, then a line with the version, the status
    /// and the number of opened connections.
    fn run(&self, arguments: &[&str]) -> Finished {
        let mut command = self.curl.command();
        command
            .args([
                "--silent",
                "--show-error",
                "--max-time",
                "120",
                "--no-progress-meter",
            ])
            .args([
                "--write-out",
                "\n%{http_version} %{http_code} %{num_connects}\n",
            ])
            .args(&self.flags)
            .args(arguments);
        let mut finished = run_to_end(&mut command);
        // Some versions of curl print 1 for 1.0.
        finished.stdout = finished.stdout.replace("\n1 ", "\n1.0 ");
        finished
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// Sends each kind of request of curl.
    fn check(&self, folder: &Path) {
        let Self { version, .. } = *self;
        let encrypt = self.url("/encrypt");
        let json = ["--header", "content-type: application/json"];
        let post = |more: &[&str]| {
            let data = ["--data-binary", MESSAGE, &encrypt];
            self.run(&[&json, more, &data].concat())
        };
        let expected = format!("{RESULT}\n{version} 200 1\n");
        assert_eq!(post(&[]).stdout, expected);
        // A connection of HTTP/1.0 is for one request. curl 7.88 closes one of HTTP/2 without TLS
        // before its second request, to any server.
        if !self.flags.contains(&"--http2-prior-knowledge") {
            let again = u8::from(version == "1.0");
            assert_eq!(
                post(&[&encrypt]).stdout,
                format!("{expected}{RESULT}\n{version} 200 {again}\n")
            );
        }
        if version != "1.0" {
            let chunked = ["--header", "transfer-encoding: chunked"];
            assert_eq!(post(&chunked).stdout, expected);
        }
        // A server must ignore it in HTTP/1.0 (RFC 9110, section 10.1.1).
        if version != "1.0" {
            let expecting = post(&[
                "--verbose",
                "--header",
                "expect: 100-continue",
                "--expect100-timeout",
                "100",
            ]);
            assert_eq!(expecting.stdout, expected);
            let interim = format!("\n< HTTP/{version} 100");
            assert!(expecting.stderr.contains(&interim), "{expecting:?}");
        }
        let head = self.run(&["--head", &encrypt]).stdout;
        let last = head.lines().last().expect("a line");
        assert_eq!(last, format!("{version} 405 1"), "{head}");
        if version != "2" {
            self.check_upload(folder, &encrypt);
        }
    }

    /// A body that is too large gets a 413 whether curl waits for it or sends all of it.
    fn check_upload(&self, folder: &Path, url: &str) {
        let file = folder.join("upload");
        fs::write(&file, vec![b'x'; TOO_MANY_BYTES]).expect("a file");
        let data = format!("@{}", file.display());
        for header in ["expect:", "expect: 100-continue"] {
            let refused = self.run(&["--header", header, "--data-binary", &data, url]);
            let status = format!("\n{} 413 1\n", self.version);
            assert!(refused.stdout.ends_with(&status), "{header}: {refused:?}");
            assert!(
                refused.stdout.contains("the request body is too large"),
                "{refused:?}"
            );
        }
    }
}

/// Servers of the compositions for WASI 0.2 and 0.3.
fn apps() -> [Setup; 2] {
    [app(), TestHost::serve(artifacts::component("app-0.3"))]
}

#[test]
fn curl_speaks_http_1_0_1_1_and_2_in_the_clear_and_over_a_unix_socket() {
    let Some(curl) = Installed::find("curl", "--version") else {
        return;
    };
    for setup in apps() {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("socket");
        let socket = socket.to_str().expect("a path of text");
        let host = setup.and_address(format!("unix:{socket}")).start();
        let unix = ["--unix-socket", socket];
        for (flag, version) in [
            ("--http1.0", "1.0"),
            ("--http1.1", "1.1"),
            // It offers an upgrade to HTTP/2, which a server may ignore.
            ("--http2", "1.1"),
            ("--http2-prior-knowledge", "2"),
        ] {
            for (flags, url) in [(&unix[..], "http://localhost"), (&[], &*host.urls()[0])] {
                let form = Form {
                    curl: &curl,
                    flags: [&[flag], flags].concat(),
                    url: url.to_owned(),
                    version,
                };
                form.check(folder.path());
            }
        }
    }
}

#[test]
fn curl_speaks_http_1_0_1_1_and_2_over_tls_1_2_and_1_3() {
    let Some(curl) = Installed::find("curl", "--version") else {
        return;
    };
    let certificate = Certificate::new();
    let ca = certificate.path();
    let ca = ca.to_str().expect("a path of text");
    for setup in apps() {
        let folder = tempfile::tempdir().expect("a folder");
        let host = certificate.given_to(setup).start();
        for tls in [&["--tlsv1.2", "--tls-max", "1.2"][..], &["--tlsv1.3"]] {
            for (flags, version) in [
                (&["--http1.0"][..], "1.0"),
                (&["--http1.1"], "1.1"),
                (&["--no-alpn"], "1.1"),
                (&["--http2"], "2"),
            ] {
                let form = Form {
                    curl: &curl,
                    flags: [&["--cacert", ca], tls, flags].concat(),
                    url: host.urls()[0].clone(),
                    version,
                };
                form.check(folder.path());
            }
        }
    }
}

#[test]
fn a_guest_of_wasi_0_3_sees_the_scheme_https() {
    let Some(curl) = Installed::find("curl", "--version") else {
        return;
    };
    let certificate = Certificate::new();
    let guest = TestHost::serve(artifacts::test_guest("hostile-03"));
    let host = certificate.given_to(guest).start();
    let (url, ca) = (host.urls()[0].clone(), certificate.path());
    for version in ["--http1.1", "--http2"] {
        let mut command = curl.command();
        command.args(["--silent", version, "--cacert"]).arg(&ca);
        let finished = run_to_end(command.arg(format!("{url}/target")));
        let authority = url.trim_start_matches("https://");
        assert_eq!(finished.stdout, format!("https {authority} /target"));
    }
}
