//! A cipher that forwards each call to another one: a link of the chains whose length the benchmark
//! varies.
//!
//! Each call copies its message into this guest's memory and on into that of the next, which is the
//! cost of a part that does nothing else.
#![no_std]

extern crate alloc;
extern crate guest_rt as _;

use alloc::string::String;

use bindings::exports::runner::cipher::cipher::{Error, Guest};
use bindings::runner::cipher::cipher as next;

mod bindings {
    #![allow(
        missing_docs,
        unsafe_code,
        clippy::pedantic,
        reason = "generated from `wit/`, where the documentation is"
    )]
    wit_bindgen::generate!({
        path: "../../../wit",
        inline: "
            package bench:relay;

            world relay {
                import runner:cipher/cipher@0.1.0;
                export runner:cipher/cipher@0.1.0;
            }
        ",
        generate_all,
    });
    use super::Component;
    export!(Component with_types_in self);
}

struct Component;

impl Guest for Component {
    fn encrypt(message: String) -> Result<String, Error> {
        next::encrypt(&message).map_err(same)
    }

    fn decrypt(message: String) -> Result<String, Error> {
        next::decrypt(&message).map_err(same)
    }
}

/// The same error as an export.
fn same(error: next::Error) -> Error {
    match error {
        next::Error::Misconfigured(why) => Error::Misconfigured(why),
        next::Error::Unaudited(why) => Error::Unaudited(why),
    }
}
