//! Verification of tombstones.

use super::Finding;
use crate::checkpoint::Tombstone;
use crate::node::is_node_name;

/// Checks that the tombstones in `lines` are signed by the keys that they name, and account for
/// all records up to the last one.
pub(crate) fn check(lines: &[Vec<u8>]) -> Result<Vec<Tombstone<'static>>, Finding> {
    let mut tombstones: Vec<Tombstone<'_>> = Vec::new();
    for line in lines {
        let Some(tombstone) = Tombstone::from_line(line) else {
            return Err(Finding::Container("unreadable tombstone".to_owned()));
        };
        let before = tombstones.last();
        let removed_before = before.map_or(0, |before| before.sequence);
        let sequence = tombstone.sequence;
        let reason = if !tombstone.is_signed() {
            Some("invalid signature")
        } else if !is_node_name(&tombstone.node) {
            Some("invalid node; expected 1 to 64 letters, digits, `-` and `_`")
        } else if before.is_some_and(|before| before.node != tombstone.node) {
            Some("its node is not that of the previous tombstone")
        } else if sequence.checked_sub(removed_before) != Some(tombstone.removed) {
            Some("it does not continue the previous tombstone")
        } else {
            None
        };
        if let Some(reason) = reason {
            return Err(Finding::Tombstone { sequence, reason });
        }
        tombstones.push(tombstone.into_owned());
    }
    Ok(tombstones)
}
