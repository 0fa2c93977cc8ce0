//! The audit log for hosts without one: a component of the world
//! `runner:audit/audit-stderr` that writes each entry as one line of JSON to standard error.
//!
//! - [`line`]: the validation of an entry, and its line
//! - this file: the bindings, and the writes to standard error
#![no_std]

extern crate alloc;
extern crate guest_rt as _;

mod line;

use alloc::format;
use core::sync::atomic::{AtomicU64, Ordering};

use bindings::exports::runner::audit::audit_log::{Entry, Error, Guest, Receipt};
use bindings::wasi::cli0_2_12::stderr::get_stderr;

mod bindings {
    #![allow(
        missing_docs,
        unsafe_code,
        clippy::pedantic,
        reason = "generated from `wit/`, where the documentation is"
    )]
    wit_bindgen::generate!({
        path: "../wit",
        world: "runner:audit/audit-stderr",
        generate_all,
    });
    use super::Component;
    export!(Component with_types_in self);
}

/// Maximum number of bytes of one blocking write in WASI.
const MAX_WRITE_BYTES: usize = 4096;

/// The sequence number of the last entry of this instance.
static LAST_SEQUENCE: AtomicU64 = AtomicU64::new(0);

struct Component;

impl Guest for Component {
    fn append(entry: Entry) -> Result<Receipt, Error> {
        let sequence = LAST_SEQUENCE.load(Ordering::Relaxed) + 1;
        let line = line::render(sequence, &entry)?;
        let stderr = get_stderr();
        for part in line.as_bytes().chunks(MAX_WRITE_BYTES) {
            stderr
                .blocking_write_and_flush(part)
                .map_err(|error| Error::Unavailable(format!("standard error: {error}")))?;
        }
        LAST_SEQUENCE.store(sequence, Ordering::Relaxed);
        Ok(Receipt { sequence })
    }
}
