//! What a power failure leaves and a killed process hardly ever does: the beginning
//! of a write.

use std::fs::{self, OpenOptions};
use std::io::Write;

use audit_log::Location;

use crate::random::Random;

/// Adds a part of something to the end of the file that was written last. There is
/// no receipt for it, so it must not be taken for a record.
pub(super) fn tear(location: &Location, random: &mut Random) {
    let path = match location {
        Location::Sqlite(path) => path.with_extension("db-wal"),
        Location::JsonLines(path) => path.clone(),
        Location::Stdout | Location::None => return,
    };
    let Ok(bytes) = fs::read(&path) else { return };
    let whole = match location {
        // Behind a header of 32 bytes there are frames: a page and 24 bytes each.
        Location::Sqlite(_) => bytes.get(32..32 + 24 + 4096),
        _ => bytes.split_inclusive(|&byte| byte == b'\n').next(),
    };
    let Some(whole) = whole else { return };
    let part = &whole[..random.below(whole.len())];
    let mut file = OpenOptions::new()
        .append(true)
        .open(&path)
        .expect("a file that can be written");
    file.write_all(part).expect("a disk");
}
