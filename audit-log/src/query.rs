//! Finding records.

use std::io::Write;

use crate::Moment;
use crate::read::Reader;
use crate::record::{Outcome, Record};
use crate::show::{Printer, ShowError};

/// Which records are wanted: those that everything fits that is asked for.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Written at this moment or later.
    pub since: Option<Moment>,
    /// Written before this moment.
    pub until: Option<Moment>,
    /// The guest calls it this.
    pub action: Option<String>,
    /// The guest says that it ended so.
    pub outcome: Option<Outcome>,
    /// The component has this name, or its SHA-256 begins with these digits.
    pub component: Option<String>,
    /// It is about the request with this id.
    pub request: Option<String>,
}

/// How many digits of a SHA-256 are enough to name a component.
const MIN_DIGITS: usize = 8;

impl Filter {
    /// Whether `record` is wanted.
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

/// Prints all records that `filter` wants.
///
/// # Errors
///
/// Fails if the log cannot be read or nobody takes what is printed.
pub fn query(
    reader: &mut Reader,
    filter: &Filter,
    printer: &mut Printer<impl Write>,
) -> Result<(), ShowError> {
    while let Some(line) = reader.next()? {
        printer.print(line.bytes, |record| filter.matches(record))?;
    }
    printer.flush()?;
    Ok(())
}
