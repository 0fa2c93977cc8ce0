//! The keys that sign and verify checkpoints.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey};
use ed25519_dalek::{Signer, VerifyingKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::folder::sync_folder_of;
use crate::hash::deserialize_hex;
use crate::regular_file;

/// An Ed25519 private key.
#[derive(Clone)]
pub struct SigningKey(ed25519_dalek::SigningKey);

/// The public key of a [`SigningKey`], displayed as 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

/// An error of reading or creating a key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or created.
    #[error("cannot {action} the key `{}`", path.display())]
    Io {
        /// `read` or `create`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The file is not a key.
    #[error("`{}` is not an {expected}; create one with `{example}`", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The expected content.
        expected: &'static str,
        /// A command that creates such a file.
        example: &'static str,
    },
    /// Other users can read the private key.
    #[error(
        "other users can read the key `{}` (mode {mode:03o}); run `chmod 600`, or create a new key \
         if another user may have read it",
        path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
}

impl SigningKey {
    /// Reads the key in the file at `path` (PKCS#8, PEM).
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read, is not a key, or other users can read it.
    pub fn open(path: &Path) -> Result<Self, KeyError> {
        let text = regular_file::read_to_string(path).map_err(|source| KeyError::Io {
            action: "read",
            path: path.to_owned(),
            source,
        })?;
        Self::read(path, &text)
    }

    fn read(path: &Path, text: &str) -> Result<Self, KeyError> {
        #[cfg(unix)]
        if let Ok(metadata) = fs::metadata(path) {
            use std::os::unix::fs::PermissionsExt;

            let mode = metadata.permissions().mode() & 0o777;
            if mode & 0o077 != 0 {
                let path = path.to_owned();
                return Err(KeyError::Exposed { path, mode });
            }
        }
        ed25519_dalek::SigningKey::from_pkcs8_pem(text)
            .map(Self)
            .map_err(|_| KeyError::Unreadable {
                path: path.to_owned(),
                expected: "Ed25519 private key in PEM",
                example: "openssl genpkey -algorithm ed25519",
            })
    }

    /// Creates a key in a file at `path` with mode 0600.
    pub(crate) fn create(path: &Path) -> Result<Self, KeyError> {
        let create = || {
            let key = Self::random()?;
            let text = key.0.to_pkcs8_pem(LineEnding::LF);
            let text = text.map_err(io::Error::other)?;
            // Under another name first, so that a crash leaves no partial key.
            let temporary = path.with_added_extension("new");
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let mut file = regular_file::open(&temporary, &mut options)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&temporary, path)?;
            sync_folder_of(path)?;
            Ok(key)
        };
        create().map_err(|source| KeyError::Io {
            action: "create",
            path: path.to_owned(),
            source,
        })
    }

    /// A random key that is not stored.
    ///
    /// # Errors
    ///
    /// Fails if the system has no random numbers.
    pub fn random() -> io::Result<Self> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(io::Error::other)?;
        Ok(Self(ed25519_dalek::SigningKey::from_bytes(&seed)))
    }

    /// The public key.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    pub(crate) fn sign(&self, message: &str) -> Signature {
        Signature(self.0.sign(message.as_bytes()).to_bytes())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKey")
            .field(&self.public_key())
            .finish()
    }
}

impl PublicKey {
    /// Reads the key in the file at `path` (SPKI, PEM).
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read or is not a key.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let text = fs::read_to_string(path).map_err(|source| KeyError::Io {
            action: "read",
            path: path.to_owned(),
            source,
        })?;
        VerifyingKey::from_public_key_pem(text.trim_end())
            .map(Self)
            .map_err(|_| KeyError::Unreadable {
                path: path.to_owned(),
                expected: "Ed25519 public key in PEM",
                example: "component-runner audit key",
            })
    }

    /// The key as PEM, the form that OpenSSL reads.
    ///
    /// # Panics
    ///
    /// Never: every key can be encoded.
    #[must_use]
    pub fn to_pem(&self) -> String {
        self.0
            .to_public_key_pem(LineEnding::LF)
            .expect("every key can be encoded")
    }

    pub(crate) fn has_signed(&self, message: &str, signature: &Signature) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        self.0.verify_strict(message.as_bytes(), &signature).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(const_hex::Buffer::<32>::new().format(self.0.as_bytes()))
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = deserialize_hex(deserializer)?;
        VerifyingKey::from_bytes(&bytes)
            .map(Self)
            .map_err(|_| serde::de::Error::custom("not an Ed25519 public key"))
    }
}

/// An Ed25519 signature (RFC 8032), serialized as 128 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature(pub(crate) [u8; 64]);

impl Serialize for Signature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(const_hex::Buffer::<64>::new().format(&self.0))
    }
}

impl<'de> Deserialize<'de> for Signature {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize_hex(deserializer).map(Self)
    }
}
