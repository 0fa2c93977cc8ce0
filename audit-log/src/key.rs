//! The key that signs checkpoints.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey};
use ed25519_dalek::{Signer, VerifyingKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::checkpoint::Signature;
use crate::hash::deserialize_hex;
use crate::regular_file;

/// An Ed25519 key that can sign.
#[derive(Clone)]
pub struct SigningKey(ed25519_dalek::SigningKey);

/// The other half of a [`SigningKey`]. Shown as 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or made.
    #[error("cannot {action} the key `{}`", path.display())]
    Io {
        /// `read` or `make`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The file holds something else.
    #[error("`{}` is no {expected}; expected what `{example}` makes", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What it should be.
        expected: &'static str,
        /// A command that makes such a file.
        example: &'static str,
    },
    /// Others can read a key that signs.
    #[error(
        "the key `{}` can be read by others (its mode is {mode:03o}); \
         change that with `chmod 600`, or make a new one if they may have done so",
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
    /// Fails if the file cannot be read, is no key, or can be read by others.
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

    /// Makes a new key in the file at `path`, which the user alone can read.
    pub(crate) fn create(path: &Path) -> Result<Self, KeyError> {
        let make = || {
            let mut seed = [0; 32];
            getrandom::fill(&mut seed).map_err(io::Error::other)?;
            let key = ed25519_dalek::SigningKey::from_bytes(&seed);
            let text = key.to_pkcs8_pem(LineEnding::LF).map_err(io::Error::other)?;
            // Under another name first: a crash leaves no half of a key.
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
            Ok(Self(key))
        };
        make().map_err(|source| KeyError::Io {
            action: "make",
            path: path.to_owned(),
            source,
        })
    }

    /// A key that is kept nowhere.
    ///
    /// # Errors
    ///
    /// Fails if the system gives no random numbers.
    pub fn random() -> io::Result<Self> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(io::Error::other)?;
        Ok(Self(ed25519_dalek::SigningKey::from_bytes(&seed)))
    }

    /// The half that everybody may know.
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
    /// Fails if the file cannot be read or is no key.
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

    /// The key as PEM, as OpenSSL reads it.
    ///
    /// # Panics
    ///
    /// Never: every key can be written.
    #[must_use]
    #[allow(clippy::missing_panics_doc, reason = "every key can be written")]
    pub fn to_pem(&self) -> String {
        self.0
            .to_public_key_pem(LineEnding::LF)
            .expect("every key can be written")
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
            .map_err(|_| serde::de::Error::custom("these bytes are no public key of Ed25519"))
    }
}

/// Makes a new name in a folder outlive a crash of the machine.
pub(crate) fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
