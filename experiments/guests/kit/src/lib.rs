//! Common code of the guests of the experiments.
//!
//! - [`audit`]: the audit entry of a cipher call
//! - [`complete`]: complete responses, and [`problem`]: error responses (RFC 9457)
//! - [`http`], [`service`]: responses of WASI 0.2 and of WASI 0.3
//! - [`token`]: authorization by bearer token
//! - [`line`](mod@line): the line of a request in a log
//! - [`bindings`]: the types that `http` and a guest share. A guest names these modules under
//!   `with` when it generates its own bindings.
//!
//! A guest imports only the interfaces that it calls: the linker removes the rest.
#![no_std]

extern crate alloc;

pub mod audit;
pub mod complete;
pub mod http;
pub mod line;
pub mod problem;
pub mod service;
pub mod token;

/// The types of `wasi:http`, of `wasi:io` and of bodies, and the audit log.
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
                import wasi:http/types@0.3.0;
            }
        ",
        generate_all,
    });
}
