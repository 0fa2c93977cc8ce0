//! What the guests of the experiments share, so that each of them holds its own
//! idea and little else.
//!
//! - [`audit`]: the entry that every call of a cipher leaves.
//! - [`http`]: complete answers to HTTP requests.
//! - [`problem`]: the answers that are refusals (RFC 9457).
//! - [`bindings`]: what `http` and a guest have to agree on. A guest names these
//!   modules under `with` when it generates its own bindings, so that the types of
//!   both are the same.
//!
//! A guest imports only what it calls: the linker leaves the rest out.
#![no_std]

extern crate alloc;

pub mod audit;
pub mod http;
pub mod problem;

/// The types of `wasi:http` and `wasi:io`, and the audit log.
pub mod bindings {
    #![allow(
        missing_docs,
        unsafe_code,
        clippy::pedantic,
        reason = "generated from `wit/`, where the documentation is"
    )]
    wit_bindgen::generate!({
        path: "../../../wit",
        inline: "
            package experiments:kit;

            world kit {
                import runner:audit/audit-log@0.1.0;
                import wasi:io/error@0.2.12;
                import wasi:io/poll@0.2.12;
                import wasi:io/streams@0.2.12;
                import wasi:http/types@0.2.12;
            }
        ",
        generate_all,
    });
}
