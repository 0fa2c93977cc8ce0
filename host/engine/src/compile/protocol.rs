//! Protocol between the server and a compile child.
//!
//! Standard input of the child is a socket. The server writes the job: the length of a header in
//! JSON (4 bytes, little endian), the header, and the bytes of all components. The child writes the
//! reply in JSON, and exits. The artefact goes to its standard output, which is a file. The server
//! keeps its end of the socket open as long as it runs.

use std::io::{self, Read};

use bytes::Bytes;
use sanitize::truncate;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::adapter::FUNCTION;
use crate::digest::digest;
use crate::engine_kind::EngineKind;
use crate::requirements::InstanceRequirements;
use crate::wasi_version::WasiVersion;

/// Size limit of the header of a job, in bytes.
const MAX_HEADER_BYTES: u32 = 1 << 20;

/// Size limit of a reply, in bytes.
pub(super) const MAX_REPLY_BYTES: u64 = 1 << 20;

/// Size limit of the reason of a rejection, in bytes.
const MAX_REASON_BYTES: usize = 16 << 10;

/// A component with its name and digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The name in messages.
    pub name: String,
    /// The SHA-256 of its bytes.
    pub sha256: String,
    /// Its bytes, which only the child reads.
    pub bytes: Bytes,
}

impl Part {
    /// The component of a function, under the name that it has in compositions.
    #[must_use]
    pub fn function(bytes: impl Into<Bytes>) -> Self {
        Self::new(FUNCTION, bytes)
    }

    /// The component in `bytes` under this name.
    #[must_use]
    pub fn new(name: impl Into<String>, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self {
            name: name.into(),
            sha256: digest(&bytes),
            bytes,
        }
    }
}

/// A compile job.
#[derive(Debug, Clone)]
pub struct Job {
    /// The component to compile. None: only the adapters are validated.
    pub component: Option<Part>,
    /// Whether a component that does not serve HTTP is composed with an adapter.
    pub adapts: bool,
    /// The adapters, of which the first that fits is used.
    pub adapters: Vec<Part>,
    /// The middleware in front of the component, outermost first.
    pub middleware: Vec<Part>,
    /// Whether the component is a middleware itself, whose next handler the server runs.
    pub has_next: bool,
}

impl Job {
    /// A job without adapters and middleware.
    #[must_use]
    pub fn of(component: Part) -> Self {
        Self {
            component: Some(component),
            adapts: false,
            adapters: Vec::new(),
            middleware: Vec::new(),
            has_next: false,
        }
    }

    /// Digest of all inputs of the result, apart from the program. The result of a component that
    /// serves HTTP does not depend on the `adapters`.
    #[must_use]
    pub fn key(&self, adapters: AdapterUse) -> String {
        let mut hasher = Sha256::new();
        if let Some(component) = &self.component {
            // Its name is the same in all compositions.
            hasher.update(format!("component {}\n", component.sha256));
        }
        let adapted = match adapters {
            AdapterUse::Used => &self.adapters[..],
            AdapterUse::Unused => &[],
        };
        for (kind, parts) in [("adapter", adapted), ("middleware", &self.middleware[..])] {
            for Part { name, sha256, .. } in parts {
                hasher.update(format!("{kind} {sha256} {name:?}\n"));
            }
        }
        if self.has_next {
            hasher.update("has-next\n");
        }
        format!("{:x}", hasher.finalize())
    }

    fn parts(&self) -> impl Iterator<Item = &Part> {
        let parts = self.component.iter().chain(&self.adapters);
        parts.chain(&self.middleware)
    }

    /// The length and the header of the job.
    pub(super) fn head(&self) -> io::Result<Vec<u8>> {
        let entries = |parts: &[Part]| parts.iter().map(Entry::of).collect();
        let header = Header {
            component: self.component.as_ref().map(Entry::of),
            adapts: self.adapts,
            adapters: entries(&self.adapters),
            middleware: entries(&self.middleware),
            has_next: self.has_next,
        };
        let header = serde_json::to_vec(&header)?;
        let length = u32::try_from(header.len()).map_err(io::Error::other)?;
        Ok([&length.to_le_bytes(), &header[..]].concat())
    }

    /// The bytes of all components, which follow the header.
    pub(super) fn bodies(&self) -> impl Iterator<Item = &Bytes> {
        self.parts().map(|part| &part.bytes)
    }

    /// Reads a job.
    pub(super) fn read(input: &mut impl Read) -> io::Result<Self> {
        let mut length = [0; 4];
        input.read_exact(&mut length)?;
        let length = u32::from_le_bytes(length);
        if length > MAX_HEADER_BYTES {
            return Err(io::Error::other("compile job header too long"));
        }
        let mut header = vec![0; length as usize];
        input.read_exact(&mut header)?;
        let header: Header = serde_json::from_slice(&header)?;
        let mut read = |entry: Entry| {
            let mut bytes = vec![0; entry.length];
            input.read_exact(&mut bytes)?;
            Ok(Part {
                name: entry.name,
                sha256: entry.sha256,
                bytes: bytes.into(),
            })
        };
        Ok(Self {
            component: header.component.map(&mut read).transpose()?,
            adapts: header.adapts,
            adapters: header
                .adapters
                .into_iter()
                .map(&mut read)
                .collect::<io::Result<_>>()?,
            middleware: header
                .middleware
                .into_iter()
                .map(&mut read)
                .collect::<io::Result<_>>()?,
            has_next: header.has_next,
        })
    }
}

/// Whether the result of a job depends on its adapters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdapterUse {
    /// The composition contains an adapter, or may contain one.
    Used,
    /// The component serves HTTP without one.
    Unused,
}

impl Compiled {
    /// Whether it was composed with an adapter.
    #[must_use]
    pub fn adapter_use(&self) -> AdapterUse {
        match self.adapter {
            Some(_) => AdapterUse::Used,
            None => AdapterUse::Unused,
        }
    }
}

/// The header of a job.
#[derive(Serialize, Deserialize)]
struct Header {
    component: Option<Entry>,
    adapts: bool,
    adapters: Vec<Entry>,
    middleware: Vec<Entry>,
    has_next: bool,
}

/// The header entry of one component.
#[derive(Serialize, Deserialize)]
struct Entry {
    name: String,
    sha256: String,
    length: usize,
}

impl Entry {
    fn of(part: &Part) -> Self {
        Self {
            name: part.name.clone(),
            sha256: part.sha256.clone(),
            length: part.bytes.len(),
        }
    }
}

/// Metadata of a component that the child has compiled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compiled {
    /// SHA-256 of the bytes that were compiled: of the component, or its composition.
    pub sha256: String,
    /// The adapter in the composition.
    pub adapter: Option<String>,
    /// The version of WASI that it is for.
    pub wasi: WasiVersion,
    /// The engine that it is compiled for.
    pub engine: EngineKind,
    /// Requirements of one instance.
    pub needs: InstanceRequirements,
    /// Size of the WebAssembly code, in bytes.
    pub code_bytes: u64,
}

/// The reply of a child.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Reply {
    /// Success. With a component, the artefact is written completely.
    Done(Option<Compiled>),
    /// The middleware and the component, in this order, have handlers of several versions of WASI,
    /// which cannot be composed.
    Mixed(Vec<WasiVersion>),
    /// The component, an adapter or a middleware is rejected, with the reason.
    Rejected(String),
}

impl Reply {
    /// A rejection, whose reason is truncated to [`MAX_REASON_BYTES`].
    pub(super) fn rejected(reason: &str) -> Self {
        Self::Rejected(truncate(reason, MAX_REASON_BYTES).to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> Job {
        Job {
            component: Some(Part::new("function", &b"abc"[..])),
            adapts: true,
            adapters: vec![Part::new("adapter", &b"de"[..])],
            middleware: vec![Part::new("gate", &b""[..]), Part::new("log", &b"f"[..])],
            has_next: true,
        }
    }

    #[test]
    fn a_job_is_read_back_unchanged_and_a_truncated_one_is_an_error() {
        let job = job();
        let mut request = job.head().unwrap();
        job.bodies().for_each(|bytes| request.extend(bytes));
        let read = Job::read(&mut &request[..]).unwrap();
        assert_eq!(read.component, job.component);
        assert!(read.adapts && read.has_next);
        assert_eq!(read.adapters, job.adapters);
        assert_eq!(read.middleware, job.middleware);
        // One byte less is not a job.
        let cut = Job::read(&mut &request[..request.len() - 1]).unwrap_err();
        assert_eq!(cut.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_key_depends_on_all_parts_and_their_order_and_on_adapters_only_where_they_are_used() {
        let key = job().key(AdapterUse::Used);
        let mut others = [job(), job(), job(), job()];
        others[0].component = Some(Part::new("function", &b"x"[..]));
        others[1].adapters.clear();
        others[2].middleware.reverse();
        others[3].adapters = others[3].middleware.split_off(1);
        for other in &others {
            assert_ne!(other.key(AdapterUse::Used), key, "{other:?}");
        }
        let unused = job().key(AdapterUse::Unused);
        assert_eq!(others[1].key(AdapterUse::Unused), unused);
        assert_eq!(others[1].key(AdapterUse::Used), unused);
        assert_ne!(others[0].key(AdapterUse::Unused), unused);
    }
}
