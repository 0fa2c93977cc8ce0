//! Where an existing log ends, and whether it can go on.

use rustix::system::uname;

use crate::chain::Chain;
use crate::checkpoint::Tombstone;
use crate::event::{Event, PreviousStop};
use crate::read::{Line, ReadError, Reader, Start};
use crate::store::{self, Head, OpenError, Store};
use crate::{Hash, Location};

/// How many of the last records are checked before a log goes on. More is the
/// business of `audit verify`.
const CHECKED_RECORDS: u64 = 10_000;

/// What a writer needs to know to go on.
pub(super) struct Resumed {
    pub(super) location: Location,
    pub(super) head: Head,
    pub(super) node: String,
    pub(super) previous_stop: PreviousStop,
    pub(super) torn_bytes: u64,
}

/// Opens the log at `location` for writing.
pub(super) fn resume(
    location: &Location,
    node: Option<&str>,
) -> Result<(Box<dyn Store>, Resumed), OpenError> {
    let (store, torn_bytes) = store::open(location)?;
    if torn_bytes > 0 {
        tracing::warn!("took {torn_bytes} bytes of an unfinished record off the audit log");
    }
    let end = end(location, Reader::open)?;
    let node = match check_node(location, end.node, node)? {
        Some(node) => node,
        None => new_node().map_err(OpenError::Start)?,
    };
    let resumed = Resumed {
        location: location.clone(),
        head: end.head,
        node,
        previous_stop: end.previous_stop,
        torn_bytes,
    };
    Ok((store, resumed))
}

/// Finds what would keep the log at `location` from going on, without changing anything.
pub(super) fn check(location: &Location, node: Option<&str>) -> Result<(), OpenError> {
    // Below, what is no log is one without an end.
    Reader::open_untouched(location, Start::First)?;
    let end = end(location, Reader::open_untouched)?;
    check_node(location, end.node, node).map(drop)
}

/// The name that a log has, or else the one that it should have.
fn check_node(
    location: &Location,
    found: Option<String>,
    wanted: Option<&str>,
) -> Result<Option<String>, OpenError> {
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
    let found = end(location, Reader::open)?.head;
    if found == head {
        return Ok(());
    }
    Err(OpenError::Damaged {
        location: location.clone(),
        why: format!(
            "it ended with record {} (hash {}), and now it ends with record {} (hash {})",
            head.sequence, head.hash, found.sequence, found.hash
        ),
    })
}

struct End {
    head: Head,
    node: Option<String>,
    previous_stop: PreviousStop,
}

/// Reads the end of a log, with a reader that `open` opens.
fn end(
    location: &Location,
    open: fn(&Location, Start) -> Result<Reader, ReadError>,
) -> Result<End, OpenError> {
    let damaged = |why| OpenError::Damaged {
        location: location.clone(),
        why,
    };
    let mut end = End {
        head: Head::EMPTY,
        node: None,
        previous_stop: PreviousStop::None,
    };
    let mut reader = match open(location, Start::Last(CHECKED_RECORDS)) {
        Ok(reader) => reader,
        // What cannot be read has no end.
        Err(ReadError::NotKept(_) | ReadError::NotALog { .. }) => return Ok(end),
        Err(error) => return Err(error.into()),
    };
    if let Some(tombstone) = reader.tombstones()?.last() {
        let tombstone = Tombstone::from_line(tombstone)
            .ok_or_else(|| damaged("its last tombstone cannot be read".to_owned()))?;
        end.head = tombstone.head();
        end.node = Some(tombstone.node.into_owned());
        end.previous_stop = PreviousStop::Crash;
    }
    let mut chain = Chain::anywhere();
    while let Some(line) = reader.next()? {
        let name = name(&line, chain.head());
        let record = chain
            .check(&line)
            .map_err(|defect| damaged(format!("{name}: {defect}")))?;
        match record.event {
            Some(Event::ServerStop) => end.previous_stop = PreviousStop::Clean,
            _ if record.checkpoint.is_some() => {}
            _ => end.previous_stop = PreviousStop::Crash,
        }
    }
    if let Some(head) = chain.head() {
        end.head = head;
        end.node = chain.node().map(ToOwned::to_owned);
    }
    Ok(end)
}

fn name(line: &Line<'_>, before: Option<Head>) -> String {
    match (line.key, before) {
        (Some(key), _) => format!("record {key}"),
        (None, Some(head)) => format!("the record after {}", head.sequence),
        (None, None) => "one of the last records".to_owned(),
    }
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
