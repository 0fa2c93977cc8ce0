//! An incomplete write, as a power failure leaves it and a killed process hardly ever does.

use std::fs::{self, OpenOptions};
use std::io::Write;

use audit_log::Location;

use crate::random::Random;

/// Appends a prefix of a record, or of a frame of the write-ahead log, to the file that is
/// written last. It has no receipt, so the server must not read it as a record.
pub(super) fn append_partial_write(location: &Location, random: &mut Random) {
    let path = match location {
        Location::Sqlite(path) => path.with_extension("db-wal"),
        Location::JsonLines(path) => path.clone(),
        Location::Stdout | Location::None => return,
    };
    let Ok(bytes) = fs::read(&path) else { return };
    let whole = match location {
        // Frames of 24 bytes and a page each follow a header of 32 bytes.
        Location::Sqlite(_) => bytes.get(32..32 + 24 + 4096),
        _ => bytes.split_inclusive(|&byte| byte == b'\n').next(),
    };
    let Some(whole) = whole else { return };
    let prefix = &whole[..random.below(whole.len())];
    let mut file = OpenOptions::new()
        .append(true)
        .open(&path)
        .expect("a writable file");
    file.write_all(prefix).expect("a disk");
}
