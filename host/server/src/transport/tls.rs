//! Certificate and private key, from their files to the configuration of a listener.

mod validity;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use engine::SystemClock;
use permissions::read_secret;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{Error, ServerConfig};
use tokio_rustls::TlsAcceptor;

/// The size limit of a private key file, in bytes.
const MAX_KEY_BYTES: u64 = 1 << 20;

/// The protocols that the server offers (ALPN), in the order of preference.
const PROTOCOLS: [&[u8]; 3] = [b"h2", b"http/1.1", b"http/1.0"];

/// An error in a certificate or key file.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read `{}`", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// A file is truncated or damaged.
    #[error("`{}` is damaged: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: &'static str,
    },
    /// A certificate file has no certificate.
    #[error(
        "there is no certificate in `{}`; expected PEM with `-----BEGIN CERTIFICATE-----`",
        .0.display()
    )]
    NoCertificate(PathBuf),
    /// A key file has no private key.
    #[error(
        "there is no private key in `{}`; expected PEM with `-----BEGIN PRIVATE KEY-----`, \
         and without a password",
        .0.display()
    )]
    NoKey(PathBuf),
    /// The private key is encrypted.
    #[error(
        "the private key in `{}` is encrypted; the server asks for no password: \
         `openssl pkey -in FILE -out NEW_FILE` decrypts it",
        .0.display()
    )]
    EncryptedKey(PathBuf),
    /// The certificate is not a certificate of a server.
    #[error("the certificate in `{}` cannot be used", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: Error,
    },
    /// The key is of an unsupported kind.
    #[error(
        "the private key in `{}` cannot be used; expected RSA of 2048 to 4096 bits, ECDSA on P-256 \
         or P-384, or Ed25519",
        .0.display()
    )]
    Key(PathBuf),
    /// The key belongs to another certificate.
    #[error(
        "the private key in `{}` does not fit the first certificate in `{}`, which must be that \
         of the server",
        key.display(),
        certificate.display()
    )]
    OtherKey {
        /// The file of the key.
        key: PathBuf,
        /// The file of the certificate.
        certificate: PathBuf,
    },
}

/// A TLS 1.2 and 1.3 server with the first certificate in the file `certificate`, whose private key
/// is in the file `key` (both PEM). The other certificates in the file are sent along. The log
/// warns of certificates that have expired or expire soon.
///
/// # Errors
///
/// Fails with the file at fault and the reason, also for a key that other users may read or write.
pub fn acceptor(certificate: &Path, key: &Path) -> Result<TlsAcceptor, TlsError> {
    let chain = certificates(certificate)?;
    let secret = private_key(key)?;
    let provider = Arc::new(ring::default_provider());
    // The reason itself says only that the key cannot be parsed as one of these.
    let unusable = |_| TlsError::Key(key.to_owned());
    // Only to tell this error from those of the certificate.
    provider
        .key_provider
        .load_private_key(secret.clone_key())
        .map_err(unusable)?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(chain.clone(), secret)
        .map_err(|source| match source {
            Error::InconsistentKeys(_) => TlsError::OtherKey {
                key: key.to_owned(),
                certificate: certificate.to_owned(),
            },
            source => TlsError::Certificate {
                path: certificate.to_owned(),
                source,
            },
        })?;
    config.time_provider = Arc::new(SystemClock);
    validity::warn(certificate, &chain);
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(without_mark(&text)).collect();
    let found = found.map_err(|error| pem_error(path, &text, &error))?;
    if found.is_empty() {
        return Err(TlsError::NoCertificate(path.to_owned()));
    }
    Ok(found)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = read_secret(path, MAX_KEY_BYTES);
    let text = text.map_err(|source| TlsError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    PrivateKeyDer::from_pem_slice(without_mark(&text))
        .map_err(|error| pem_error(path, &text, &error))
}

/// Whether a file without a usable key has an encrypted one: PKCS #8 (RFC 7468, section 11), or the
/// older form, whose fields are not Base64 (RFC 1421, section 4.6.1.1).
fn is_encrypted(text: &[u8]) -> bool {
    let marks: [&[u8]; 2] = [b"BEGIN ENCRYPTED PRIVATE KEY", b"Proc-Type: 4,ENCRYPTED"];
    marks
        .iter()
        .any(|mark| memchr::memmem::find(text, mark).is_some())
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| TlsError::Unreadable {
        path: path.to_owned(),
        source,
    })
}

/// Text without the byte-order mark that some editors write.
fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

/// The error itself shows parts of the file, as numbers.
fn pem_error(path: &Path, text: &[u8], error: &pem::Error) -> TlsError {
    let path = path.to_owned();
    let why = match error {
        _ if is_encrypted(text) => return TlsError::EncryptedKey(path),
        pem::Error::NoItemsFound => return TlsError::NoKey(path),
        pem::Error::MissingSectionEnd { .. } => "a section of it does not end",
        pem::Error::Base64Decode(_) => "a section of it is not Base64",
        _ => "it is not PEM",
    };
    TlsError::Damaged { path, why }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;

    use super::*;

    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";

    #[test]
    fn a_key_of_mode_0644_is_refused_with_chmod_600() {
        use std::os::unix::fs::PermissionsExt;

        let key = tempfile::NamedTempFile::new().unwrap();
        fs::set_permissions(key.path(), fs::Permissions::from_mode(0o644)).unwrap();
        let error = private_key(key.path()).unwrap_err();
        assert!(matches!(error, TlsError::Unreadable { .. }), "{error}");
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains("`chmod 600 "), "{source}");
    }

    fn pem(label: &str, content: &str) -> String {
        format!("-----BEGIN {label}-----\n{content}\n-----END {label}-----\n")
    }

    #[test]
    fn tls_files_errors_name_the_file_and_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cert.pem");
        let shown = path.display();
        let not_there = acceptor(&path, &path).err().unwrap();
        assert_eq!(not_there.to_string(), format!("cannot read `{shown}`"));
        for (text, expected) in [
            (
                String::new(),
                format!("there is no certificate in `{shown}`"),
            ),
            (
                format!("{BEGIN}\nAAAA"),
                format!("`{shown}` is damaged: a section of it does not end"),
            ),
            (
                format!("{BEGIN}\n*\n{END}\n"),
                format!("`{shown}` is damaged: a section of it is not Base64"),
            ),
            (
                format!("{BEGIN}\nAAAA\n{END}\n"),
                format!("there is no private key in `{shown}`"),
            ),
            (
                format!("\u{feff}{BEGIN}\nAAAA\n{END}\n"),
                format!("there is no private key in `{shown}`"),
            ),
            (
                format!(
                    "{BEGIN}\nAAAA\n{END}\n{}",
                    pem("ENCRYPTED PRIVATE KEY", "AAAA")
                ),
                format!("the private key in `{shown}` is encrypted"),
            ),
            (
                format!(
                    "{BEGIN}\nAAAA\n{END}\n{}",
                    pem(
                        "RSA PRIVATE KEY",
                        "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA"
                    )
                ),
                format!("the private key in `{shown}` is encrypted"),
            ),
        ] {
            let mut file = fs::File::options();
            let file = file.write(true).create(true).truncate(true).mode(0o600);
            file.open(&path)
                .unwrap()
                .write_all(text.as_bytes())
                .unwrap();
            let error = acceptor(&path, &path).err().unwrap().to_string();
            assert!(error.starts_with(&expected), "{text}: {error}");
        }
    }
}
