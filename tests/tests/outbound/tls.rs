//! Outbound requests over TLS. The certificates are made here, and the trusted roots are in a file
//! in the place of the system's.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::{fs, io};

use end_to_end::guests::Guest;
use end_to_end::upstream::Upstream;
use end_to_end::{Setup, TestHost};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tempfile::TempDir;

use super::{begin, error_code, with};

/// A server with a certificate for `name`.
struct TlsUpstream {
    upstream: Upstream,
    config: Arc<ServerConfig>,
    certificate: String,
}

impl TlsUpstream {
    fn start(name: &str) -> Self {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed([name.to_owned()]).expect("a certificate");
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a key");
        let config = ServerConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .expect("a key that fits");
        Self {
            upstream: Upstream::start(),
            config: Arc::new(config),
            certificate: cert.pem(),
        }
    }

    fn url(&self) -> String {
        format!("https://localhost:{}", self.upstream.port())
    }

    /// Answers one request; fails where the certificate is not trusted.
    fn answer(self) -> JoinHandle<io::Result<()>> {
        thread::spawn(move || {
            let connection = ServerConnection::new(self.config).expect("TLS");
            let mut stream = StreamOwned::new(connection, self.upstream.accept());
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte)?;
                head.extend(byte);
            }
            assert_eq!(stream.conn.server_name(), Some("localhost"));
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello")?;
            stream.flush()
        })
    }
}

/// Makes the server trust the certificates in `pem` only.
fn trust(setup: Setup, folder: &TempDir, pem: &str) -> Setup {
    let file = folder.path().join("trusted.pem");
    fs::write(&file, pem).expect("a file");
    let text = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    setup
        .process_env("SSL_CERT_FILE", &text(&file))
        .process_env("SSL_CERT_DIR", &text(folder.path()))
}

#[test]
fn a_trusted_server_is_requested_over_tls() {
    let folder = tempfile::tempdir().expect("a folder");
    let upstream = TlsUpstream::start("localhost");
    let url = upstream.url();
    let host = with(&[&url], |setup| {
        trust(setup, &folder, &upstream.certificate)
    });
    let mut client = begin(&host, "1", &url);
    let answered = upstream.answer();
    let response = client.receive();
    assert_eq!(response.status, 200, "{response:?}");
    assert_eq!(response.body, b"hello");
    answered.join().expect("no panic").expect("no error");
}

#[test]
fn a_certificate_without_a_trusted_root_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let upstream = TlsUpstream::start("localhost");
    let other = TlsUpstream::start("localhost");
    let url = upstream.url();
    let host = with(&[&url], |setup| trust(setup, &folder, &other.certificate));
    let mut client = begin(&host, "1", &url);
    let answered = upstream.answer();
    assert_eq!(error_code(&client.receive()), "TLS-certificate-error");
    assert!(answered.join().expect("no panic").is_err());
    let _ = host
        .log()
        .wait_for_entry(&[&url, "invalid peer certificate"]);
}

#[test]
fn a_certificate_of_another_host_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let upstream = TlsUpstream::start("api.example");
    let url = upstream.url();
    let host = with(&[&url], |setup| {
        trust(setup, &folder, &upstream.certificate)
    });
    let mut client = begin(&host, "1", &url);
    let answered = upstream.answer();
    assert_eq!(error_code(&client.receive()), "TLS-certificate-error");
    assert!(answered.join().expect("no panic").is_err());
    let log = host.log();
    let _ = log.wait_for_entry(&[&url, "certificate not valid for name", "api.example"]);
}

#[test]
fn a_plaintext_server_is_a_tls_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let trusted = TlsUpstream::start("localhost").certificate;
    let upstream = Upstream::start();
    let url = format!("https://localhost:{}", upstream.port());
    let host = with(&[&url], |setup| trust(setup, &folder, &trusted));
    let mut client = begin(&host, "1", &url);
    let mut stream = upstream.accept();
    stream
        .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        .expect("the server reads this");
    assert_eq!(error_code(&client.receive()), "TLS-protocol-error");
}

#[test]
fn allow_outbound_https_needs_trusted_roots_at_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let guest = Guest::assemble("sender");
    let allow = |setup: Setup| setup.flag("--allow-outbound", "https://api.example");
    for setup in [
        TestHost::serve(guest.path()),
        TestHost::serve(guest.path()).switch("--check"),
    ] {
        let finished = trust(allow(setup), &folder, "").fail();
        assert_eq!(finished.code, Some(1), "{}", finished.stderr);
        for part in ["https origins", "ca-certificates", "SSL_CERT_FILE"] {
            assert!(finished.stderr.contains(part), "{}", finished.stderr);
        }
    }
}

#[test]
fn allow_outbound_http_needs_no_trusted_roots() {
    let folder = tempfile::tempdir().expect("a folder");
    let host = with(&["http://api.example"], |setup| trust(setup, &folder, ""));
    assert!(host.output().text().contains("listening"));
}
