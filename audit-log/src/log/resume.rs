//! Whether an existing log can go on, and as what.

use rustix::system::uname;

use super::copies;
use super::end::{End, Open, damaged};
use super::settings::Settings;
use crate::event::PreviousStop;
use crate::node::is_node_name;
use crate::read::{Reader, Start};
use crate::store::{self, Head, OpenError, Store};
use crate::{Hash, Location, PublicKey};

/// What a writer needs to know to go on.
pub(super) struct Resumed {
    pub(super) location: Location,
    pub(super) head: Head,
    pub(super) node: String,
    pub(super) previous_stop: PreviousStop,
    pub(super) torn_bytes: u64,
    /// The key that signed last.
    pub(super) signer: Option<PublicKey>,
    /// How many records follow the last checkpoint.
    pub(super) uncovered: u64,
    /// The first and the last of them, if no server leaves so many.
    pub(super) unattested: Option<(u64, u64)>,
}

/// Opens the log of `settings` for writing.
pub(super) fn resume(settings: &Settings) -> Result<(Box<dyn Store>, Resumed), OpenError> {
    let location = &settings.location;
    let (store, torn_bytes) = store::open(location)?;
    if torn_bytes > 0 {
        tracing::warn!("took {torn_bytes} bytes of an unfinished record off the audit log");
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

/// Finds what would keep the log of `settings` from going on, without changing anything.
/// Returns the key that signed it last.
pub(super) fn check(settings: &Settings) -> Result<Option<PublicKey>, OpenError> {
    // Below, what is no log is one without an end.
    Reader::open_untouched(&settings.location, Start::First)?;
    let (end, _) = read(settings, Reader::open_untouched)?;
    Ok(end.coverage.signer())
}

/// The same for a log that is not there yet.
pub(super) fn check_new(settings: &Settings) -> Result<(), OpenError> {
    let location = &settings.location;
    let node = check_node(location, None, settings.node.as_deref())?;
    match (&settings.checkpoints, node) {
        (Some(folder), Some(node)) => copies::expect_none(location, folder, &node),
        _ => Ok(()),
    }
}

/// The end of the log of `settings`, and the name that it has or is to have. Both are
/// compared with what is known from elsewhere.
fn read(settings: &Settings, open: Open) -> Result<(End, Option<String>), OpenError> {
    let location = &settings.location;
    let end = End::read(location, open)?;
    let node = check_node(location, end.node.clone(), settings.node.as_deref())?;
    if let (true, Some(folder), Some(node)) = (end.is_kept, &settings.checkpoints, &node) {
        copies::compare(location, folder, node, open)?;
    }
    Ok((end, node))
}

/// The name that a log has, or else the one that it should have.
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

/// Checks that the log at `location` ends with `head`, and that its last records
/// are a chain.
pub(super) fn check_end(location: &Location, head: Head) -> Result<(), OpenError> {
    let found = End::read(location, Reader::open)?.head;
    if found == head {
        return Ok(());
    }
    let why = format!(
        "it ended with record {} (hash {}), and now it ends with record {} (hash {})",
        head.sequence, head.hash, found.sequence, found.hash
    );
    Err(damaged(location, why))
}

/// A name that no other log has.
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
    /// The next place, and the hash to name there.
    pub(super) fn next(self) -> (u64, Hash) {
        (self.sequence + 1, self.hash)
    }
}
