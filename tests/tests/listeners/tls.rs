//! TLS, with a client of rustls.

use std::fs::{self, Permissions};
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use end_to_end::cases::check_result;
use end_to_end::client::{Connection, encrypt};
use end_to_end::functions::write_secret;
use end_to_end::operators::Operators;
use end_to_end::{DEADLINE, Setup, TestHost};
use rcgen::{CertificateParams, Issuer, KeyPair};
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, ProtocolVersion, RootCertStore, StreamOwned,
    SupportedProtocolVersion,
};
use tempfile::TempDir;

use super::{app, check_service, open_unix};

/// The name of the server.
const NAME: &str = "server.example";

/// A certificate authority, and the certificate of the server.
struct Identity {
    folder: TempDir,
    roots: RootCertStore,
}

impl Identity {
    fn new() -> Self {
        Self::with(|_| {})
    }

    /// An identity whose certificate `change` modifies.
    fn with(change: impl FnOnce(&mut CertificateParams)) -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec![]).expect("no names");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority = params.self_signed(&key).expect("a certificate");
        let issuer = Issuer::new(params, key);

        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec![NAME.to_owned()]).expect("a name");
        change(&mut params);
        let certificate = params.signed_by(&key, &issuer).expect("a certificate");

        let folder = tempfile::tempdir().expect("a folder");
        let chain = certificate.pem() + &authority.pem();
        write_secret(&folder.path().join("cert.pem"), chain);
        write_secret(&folder.path().join("key.pem"), key.serialize_pem());
        let mut roots = RootCertStore::empty();
        roots.add(authority.der().clone()).expect("a certificate");
        Self { folder, roots }
    }

    fn certificate(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    fn key(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }

    /// Configures the server with it.
    fn given_to(&self, setup: Setup) -> Setup {
        setup
            .flag("--tls-cert", self.certificate())
            .flag("--tls-key", self.key())
    }

    /// A client that trusts it, and offers these protocols (ALPN).
    fn client(
        &self,
        version: &'static SupportedProtocolVersion,
        protocols: &[&[u8]],
    ) -> ClientConnection {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .expect("a version")
            .with_root_certificates(self.roots.clone())
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        let name = ServerName::try_from(NAME).expect("a name");
        ClientConnection::new(config.into(), name).expect("a client")
    }

    fn connect(
        &self,
        host: &TestHost,
        version: &'static SupportedProtocolVersion,
    ) -> Connection<StreamOwned<ClientConnection, TcpStream>> {
        let mut client = self.client(version, &[b"http/1.1"]);
        let mut stream = connect(host);
        client.complete_io(&mut stream).expect("a handshake");
        assert_eq!(client.alpn_protocol(), Some(&b"http/1.1"[..]));
        Connection::over(StreamOwned::new(client, stream))
    }
}

fn connect(host: &TestHost) -> TcpStream {
    let stream = TcpStream::connect(host.address()).expect("a server");
    stream.set_read_timeout(Some(DEADLINE)).expect("a time");
    stream.set_write_timeout(Some(DEADLINE)).expect("a time");
    stream
}

#[test]
fn http_1_1_is_served_over_tls_1_2_and_1_3() {
    let identity = Identity::new();
    let host = identity.given_to(app()).start();
    assert!(host.urls()[0].starts_with("https://127.0.0.1:"), "{host:?}");
    for (version, negotiated) in [
        (&TLS12, ProtocolVersion::TLSv1_2),
        (&TLS13, ProtocolVersion::TLSv1_3),
    ] {
        assert_eq!(version.version, negotiated);
        check_service(identity.connect(&host, version));
    }
}

/// With and without the alert that announces it.
#[test]
fn a_request_over_tls_is_answered_after_the_end_of_the_stream() {
    let identity = Identity::new();
    let host = identity.given_to(app()).start();
    for is_announced in [true, false].repeat(10) {
        let mut client = identity.client(&TLS13, &[]);
        let mut stream = connect(&host);
        client.complete_io(&mut stream).expect("a handshake");
        let request = encrypt("hello").bytes();
        client.writer().write_all(&request).expect("memory");
        if is_announced {
            client.send_close_notify();
        }
        while client.wants_write() {
            client.write_tls(&mut stream).expect("the server takes it");
        }
        stream.shutdown(Shutdown::Write).expect("a connection");
        let mut connection = Connection::over(StreamOwned::new(client, stream));
        check_result(&connection.receive(), "khoor");
    }
}

/// With HTTP/2 negotiated, only its preface can come first.
#[test]
fn a_wrong_preface_of_http2_over_tls_is_answered_at_once() {
    let identity = Identity::new();
    let setup = app().flag("--header-read-timeout", "600");
    let host = identity.given_to(setup).start();
    let client = identity.client(&TLS13, &[b"h2"]);
    let mut stream = StreamOwned::new(client, connect(&host));
    stream.write_all(b"GET / HTTP/1.1\r\n").expect("it reads");
    let mut answer = [0; 26];
    stream
        .read_exact(&mut answer)
        .expect("settings and the end");
    // GOAWAY with a protocol error.
    assert_eq!(
        (answer[12], answer[25]),
        (7, 1),
        "{}",
        answer.escape_ascii()
    );
}

/// `curl --http1.0 https://…` offers nothing else.
#[test]
fn http_1_0_is_negotiated_over_tls() {
    let identity = Identity::new();
    let host = identity.given_to(app()).start();
    let mut client = identity.client(&TLS13, &[b"http/1.0"]);
    let mut stream = connect(&host);
    client.complete_io(&mut stream).expect("a handshake");
    assert_eq!(client.alpn_protocol(), Some(&b"http/1.0"[..]));
    let mut connection = Connection::over(StreamOwned::new(client, stream));
    check_result(&connection.exchange(&encrypt("hello").http_1_0()), "khoor");
}

#[test]
fn a_unix_socket_has_no_tls() {
    let identity = Identity::new();
    let path = identity.folder.path().join("socket");
    let unix = format!("unix:{}", path.display());
    let host = identity.given_to(app()).and_address(unix).start();
    check_service(identity.connect(&host, &TLS13));
    check_service(open_unix(&host.urls()[1]));
}

#[test]
fn a_plaintext_client_of_a_tls_listener_gets_no_http() {
    let identity = Identity::new();
    let host = identity.given_to(app()).start();
    let mut stream = connect(&host);
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n")
        .expect("the server takes it");
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
    }
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    check_service(identity.connect(&host, &TLS13));
}

#[test]
fn each_invalid_tls_file_is_named() {
    let identity = Identity::new();
    let other = Identity::new();
    let empty = identity.folder.path().join("empty.pem");
    fs::write(&empty, "").expect("a file");
    let (certificate, key) = (identity.certificate(), identity.key());
    // Each is used as a private key, too, which only its owner may read.
    for file in [&*empty, &*certificate] {
        fs::set_permissions(file, Permissions::from_mode(0o600)).expect("a file");
    }
    let missing = Path::new("no/such/file.pem");
    for (certificate, key, parts) in [
        (
            missing,
            &*key,
            ["cannot read `no/such/file.pem`", "No such file"],
        ),
        (
            &*certificate,
            missing,
            ["cannot read `no/such/file.pem`", "No such file"],
        ),
        (&empty, &key, ["no certificate in", "empty.pem`"]),
        (&certificate, &empty, ["no private key in", "empty.pem`"]),
        (&key, &key, ["no certificate in", "key.pem`"]),
        (
            &certificate,
            &certificate,
            ["no private key in", "cert.pem`"],
        ),
        (&certificate, &other.key(), ["does not fit", "cert.pem`"]),
    ] {
        let finished = app()
            .flag("--tls-cert", certificate)
            .flag("--tls-key", key)
            .fail();
        assert_eq!(finished.code, Some(1), "{}", finished.stderr);
        for part in parts {
            assert!(
                finished.stderr.contains(part),
                "{part}: {}",
                finished.stderr
            );
        }
    }
}

#[test]
fn a_tls_key_that_others_may_read_or_write_is_refused_with_chmod_600() {
    let identity = Identity::new();
    for mode in [0o644, 0o660] {
        let mode = fs::Permissions::from_mode(mode);
        fs::set_permissions(identity.key(), mode).expect("a file");
        let finished = identity.given_to(app()).fail();
        assert_eq!(finished.code, Some(1), "{}", finished.stderr);
        assert!(
            finished.stderr.contains("`chmod 600 "),
            "{}",
            finished.stderr
        );
    }
}

#[test]
fn a_certificate_that_is_expired_is_named_at_start() {
    let identity = Identity::with(|params| params.not_after = rcgen::date_time_ymd(2020, 1, 2));
    let host = identity.given_to(app()).start();
    let file = identity.certificate().display().to_string();
    let log = host.log();
    let _ = log.wait_for_entry(&["certificate 1", &file, "expired at 2020-01-02"]);
    let valid = Identity::new();
    let host = valid.given_to(app()).start();
    let _ = host.log().wait_for_entry(&["serving"]);
    let text = host.log().text();
    assert!(!text.contains("certificate"), "{text}");
}

/// A key that ring does not support: ECDSA on P-521, made by `openssl ecparam`.
const P_521: &str = "\
-----BEGIN PRIVATE KEY-----
MIHuAgEAMBAGByqGSM49AgEGBSuBBAAjBIHWMIHTAgEBBEIBWpfhMP8yNVlCfpqs
3Q06uSyr0/e8LM7lRBsC+1DWJKKhcD/NXNHKfWuh0DznpGsaGgXvKVhSovxCOrQl
3CwWJwuhgYkDgYYABAFTgFqkdFUt9QcUMiKHwi80Be375xq5O44JrXXB2bJ3UqG6
YwlZMUWF6pSTBrksKTVZHafXysyYOQOleH+nhSjs8QCmZnwjkM0sPY3EkeVRRlwl
YvEwh94rVlT1DYGmXulaKCLiFgHWXL3Qa/ORx6NUWyC6UkP7UjI74shyZKCSe9b/
tw==
-----END PRIVATE KEY-----
";

/// A key that is too short: RSA of 1024 bits, made by `openssl genrsa`.
const RSA_1024: &str = "\
-----BEGIN PRIVATE KEY-----
MIICdgIBADANBgkqhkiG9w0BAQEFAASCAmAwggJcAgEAAoGBANIJEZs88+N358mg
2EbsqqyZ4bosu05VTvJzLZpRxM43tfE15+K+E0HrTuBl1WHLMHovkE35z5NLX8+6
divz+nNUQi1DE6DUT/i/Ll1O5VFPPawMMUX4CGLmajsxHoyiyn2XxtRcmKvDZ66m
skTK2WlLlNZCuUrz8eCtz4aCrgLJAgMBAAECgYEApnp9tBhKECB4Xn7ZLs5kMc7+
9jyCcoJ3wwC8QrdRUUsjMX/Svwx94yAKMx9EVPFjCVYuAUBi4ZM67EIVbJ1EAzo1
eLQ3IGfz08lTlsSX4qy/WQ9mEHCK80QwhwXwg4qyYi7LSoiYZYsv7w2cDj1KOKBF
ieEpSUvpzp9oDF0fVCECQQDtAR0gXOXFbgyeJ2NFpTeHCj38GhltJiH+tn241jaA
//jBU2dKMLQYImq5f15fFnHcBU5Rug45GstGI6jkZRo1AkEA4t6aYgMp9339Xzvn
sUdl5ln6ribiyL7ZrvCvoRIR2c9sTKGvdxCZiF8lo98mrY+BunVkITLpehQIawn3
PTh4xQJAeTSUnLRlna5GLaufDUMNPrZyNLd0QWm7APR7H0gN37MImHX64Oo/cAhJ
5EvLC34DBK6B+zHXjESzqE8cVJGP8QJAdABqZA9GGBw9v8I7t/PP8La1bPLJJugf
GkpLI0rAAeUDdTN/Kpw8RPSRpHbnqfsk1BhOOIN1ykwP+dtApfcIGQJAa7Qd5biQ
5bSOvdS9WfaOHofa8Mk82oPHzABavO/KA3kA5g+Nto0mU0eIaTGSRb59ddKxPZOO
mzpJOq++ZwvEXg==
-----END PRIVATE KEY-----
";

#[test]
fn a_tls_key_of_an_unsupported_kind_is_refused_with_the_supported_ones() {
    for key in [P_521, RSA_1024] {
        let identity = Identity::new();
        write_secret(&identity.key(), key);
        let finished = identity.given_to(app()).fail();
        assert_eq!(finished.code, Some(1), "{}", finished.stderr);
        for part in ["key.pem`", "RSA of 2048", "P-256", "Ed25519"] {
            assert!(finished.stderr.contains(part), "{}", finished.stderr);
        }
        assert!(
            !finished.stderr.contains("unexpected"),
            "{}",
            finished.stderr
        );
    }
}

#[test]
fn a_certificate_needs_its_key() {
    let identity = Identity::new();
    let finished = app().flag("--tls-cert", identity.certificate()).fail();
    assert_eq!(finished.code, Some(64), "{}", finished.stderr);
    assert!(finished.stderr.contains("--tls-key"), "{}", finished.stderr);
}

/// TLS buffers more of a response than its client reads.
#[test]
fn write_timeout_disconnects_a_stalled_tls_reader() {
    let identity = Identity::new();
    let host = identity
        .given_to(app())
        .flag("--write-timeout", "0.5")
        .flag("--ops-addr", "127.0.0.1:0")
        .start();
    let mut client = identity.connect(&host, &TLS13);
    let many = b"GET / HTTP/1.1\r\nhost: test\r\n\r\n".repeat(1000);
    // Their answers are larger than the kernel's buffers.
    while client.try_write(&many).is_ok() {}
    let lost = r#"connection_errors_total{kind="write_timeout"}"#;
    Operators::of(&host).wait_for(&[(lost, 1.0)]);
}
