//! An audit log that rejects every entry: a component of the world
//! `runner:experiments/mock-audit`, to test the failure handling of other components.
#![no_std]

extern crate alloc;
extern crate guest_rt as _;

use alloc::string::ToString;

use bindings::exports::runner::audit::audit_log::{Entry, Error, Guest, Receipt};

mod bindings {
    #![allow(
        missing_docs,
        unsafe_code,
        clippy::pedantic,
        reason = "generated from `wit/`, where the documentation is"
    )]
    wit_bindgen::generate!({
        path: ["../../../wit", "../../../wit/experiments"],
        world: "runner:experiments/mock-audit",
        generate_all,
    });
    use super::Component;
    export!(Component with_types_in self);
}

struct Component;

impl Guest for Component {
    fn append(_entry: Entry) -> Result<Receipt, Error> {
        Err(Error::Unavailable(
            "this mock rejects every entry".to_string(),
        ))
    }
}
