//! Shared helpers of the tests.

use audit_log::Location;
use audit_log::read::{Reader, Start};
use audit_log::verify::{Options, Report, verify};

pub(crate) use test_logs::{
    append, attest, block_on, boot, folder, json_lines, key, lines, locations, open, record, sqlite,
};

pub(crate) fn verified(location: &Location, options: &Options) -> Report {
    let mut reader = Reader::open(location, Start::First).expect("a log");
    verify(&mut reader, options, &mut |_| {}).expect("a log")
}

/// Waits until the writer of a dropped log has ended.
pub(crate) fn wait_until_released(location: &Location) {
    let path = location.path().expect("a path");
    let file = std::fs::File::open(path).expect("a log");
    file.lock().expect("a lock");
}
