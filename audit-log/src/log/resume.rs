//! Continuation of an existing log.

use rustix::system::uname;

use super::checkpoint_copies;
use super::end::{LogEnd, Open, damaged};
use super::settings::Settings;
use crate::event::PreviousStop;
use crate::head::Head;
use crate::node::is_node_name;
use crate::read::{Reader, Start};
use crate::store::{self, OpenError, Store};
use crate::{Hash, Location, PublicKey};

/// The state from which the writer continues.
pub(super) struct Resumed {
    pub(super) location: Location,
    pub(super) head: Head,
    pub(super) node: String,
    pub(super) previous_stop: PreviousStop,
    pub(super) torn_bytes: u64,
    /// The key of the last signature.
    pub(super) signer: Option<PublicKey>,
    /// The number of records after the last checkpoint.
    pub(super) uncovered: u64,
    /// The first and the last of them, if a server would have signed them.
    pub(super) unattested: Option<(u64, u64)>,
}

/// Opens the log of `settings` for writing.
pub(super) fn resume(settings: &Settings) -> Result<(Box<dyn Store>, Resumed), OpenError> {
    let location = &settings.location;
    let (store, torn_bytes) = store::open(location)?;
    if torn_bytes > 0 {
        tracing::warn!("removed {torn_bytes} bytes of an unfinished record from the audit log");
    }
    let (end, node) = read(settings, Reader::open)?;
    let node = match node {
        Some(node) => node,
        None => new_node().map_err(OpenError::Start)?,
    };
    let tail = end.coverage.tail();
    let resumed = Resumed {
        location: location.clone(),
        head: end.head,
        node,
        previous_stop: end.previous_stop,
        torn_bytes,
        signer: end.coverage.signer(),
        uncovered: tail.map_or(0, |(first, last)| last + 1 - first),
        unattested: end.unattested,
    };
    Ok((store, resumed))
}

/// Checks that the log of `settings` can be continued, without changing it. Returns the key of
/// its last signature.
pub(super) fn check(settings: &Settings) -> Result<Option<PublicKey>, OpenError> {
    // `read` below treats a file that is not a log as an empty log.
    Reader::open_without_side_files(&settings.location, Start::First)?;
    let (end, _) = read(settings, Reader::open_without_side_files)?;
    Ok(end.coverage.signer())
}

/// Checks that the log of `settings` can be created.
pub(super) fn check_new(settings: &Settings) -> Result<(), OpenError> {
    let location = &settings.location;
    let node = check_node(location, None, settings.node.as_deref())?;
    match (&settings.checkpoints, node) {
        (Some(folder), Some(node)) => checkpoint_copies::expect_none(location, folder, &node),
        _ => Ok(()),
    }
}

/// The end of the log of `settings`, and its existing or requested name, compared with the copied
/// checkpoints.
fn read(settings: &Settings, open: Open) -> Result<(LogEnd, Option<String>), OpenError> {
    let location = &settings.location;
    let end = LogEnd::read(location, open)?;
    let node = check_node(location, end.node.clone(), settings.node.as_deref())?;
    if let (true, Some(folder), Some(node)) = (end.is_kept, &settings.checkpoints, &node) {
        checkpoint_copies::compare(location, folder, node, open)?;
    }
    Ok((end, node))
}

/// The existing name of a log, or else the requested one.
fn check_node(
    location: &Location,
    found: Option<String>,
    wanted: Option<&str>,
) -> Result<Option<String>, OpenError> {
    if let Some(wanted) = wanted.filter(|wanted| !is_node_name(wanted)) {
        return Err(OpenError::Node(wanted.to_owned()));
    }
    match (found, wanted) {
        (Some(found), Some(wanted)) if found != wanted => Err(OpenError::OtherNode {
            location: location.clone(),
            found,
            wanted: wanted.to_owned(),
        }),
        (found, wanted) => Ok(found.or_else(|| wanted.map(ToOwned::to_owned))),
    }
}

/// Checks that the log at `location` ends with `head`, and that its last records form a chain.
pub(super) fn check_head(location: &Location, head: Head) -> Result<(), OpenError> {
    let found = LogEnd::read(location, Reader::open)?.head;
    if found == head {
        return Ok(());
    }
    let reason = format!(
        "expected record {} (hash {}) at its end, found record {} (hash {})",
        head.sequence, head.hash, found.sequence, found.hash
    );
    Err(damaged(location, reason))
}

/// A unique name for a new log.
fn new_node() -> std::io::Result<String> {
    let random = getrandom::u32().map_err(std::io::Error::other)?;
    let uname = uname();
    let machine: String = uname
        .nodename()
        .to_string_lossy()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(40)
        .collect();
    Ok(format!("{machine}-{random:08x}"))
}

impl Head {
    /// The sequence and the previous hash of the next record.
    pub(super) fn next(self) -> (u64, Hash) {
        (self.sequence + 1, self.hash)
    }
}
