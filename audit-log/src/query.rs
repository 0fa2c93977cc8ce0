//! Selection of records.

use std::io::Write;

use crate::TimeBound;
use crate::print::{PrintError, Printer};
use crate::read::Reader;
use crate::record::{Outcome, Record};

/// The conditions that a record must meet, all of those that are set.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Written at this time or later.
    pub since: Option<TimeBound>,
    /// Written before this time.
    pub until: Option<TimeBound>,
    /// The action of the guest's entry.
    pub action: Option<String>,
    /// The outcome of the guest's entry.
    pub outcome: Option<Outcome>,
    /// The component's name, or at least the first eight digits of its SHA-256.
    pub component: Option<String>,
    /// The id of the request.
    pub request: Option<String>,
}

/// The minimum number of digits of a SHA-256 that select a component.
const MIN_DIGITS: usize = 8;

impl Filter {
    /// Whether `record` meets all conditions.
    #[must_use]
    pub fn matches(&self, record: &Record<'_>) -> bool {
        let host = &record.host;
        let guest = record.guest.as_ref();
        let since = self.since.as_ref();
        let until = self.until.as_ref();
        since.is_none_or(|since| !since.is_after(&host.time))
            && until.is_none_or(|until| until.is_after(&host.time))
            && self
                .action
                .as_ref()
                .is_none_or(|action| guest.is_some_and(|guest| guest.action == *action))
            && self
                .outcome
                .is_none_or(|outcome| guest.is_some_and(|guest| guest.outcome == outcome))
            && self.component.as_ref().is_none_or(|wanted| {
                let found = host.component.as_ref();
                found.is_some_and(|found| {
                    found.name == *wanted
                        || wanted.len() >= MIN_DIGITS && found.sha256.starts_with(wanted)
                })
            })
            && self.request.as_ref().is_none_or(|wanted| {
                let found = host.request.as_ref();
                found.is_some_and(|found| found.id == *wanted)
            })
    }
}

/// Prints all records that match `filter`.
///
/// # Errors
///
/// Fails if the log cannot be read or the output cannot be written.
pub fn query(
    reader: &mut Reader,
    filter: &Filter,
    printer: &mut Printer<impl Write>,
) -> Result<(), PrintError> {
    while let Some(line) = reader.next()? {
        printer.print(line.bytes, |record| filter.matches(record))?;
    }
    printer.flush()?;
    Ok(())
}
