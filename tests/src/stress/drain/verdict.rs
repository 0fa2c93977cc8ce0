//! The outcome of a request, and which requests must be answered.

use std::time::Instant;

/// A request, and what its client observed.
#[derive(Debug, Clone)]
pub struct Request {
    /// The value that it appends to the audit log, which is unique.
    pub value: String,
    /// When the connection was made.
    pub connected: Instant,
    /// Whether it is the first on its connection.
    pub is_first: bool,
    /// When its first part was written, unless that failed.
    pub begun: Option<Instant>,
    /// When all of it was written, unless that failed.
    pub written: Option<Instant>,
    /// Whether its second part was sent after the signal.
    pub is_split: bool,
    /// Whether the connection was already closed right after the write.
    pub saw_close: bool,
    /// The response.
    pub outcome: Outcome,
    /// When the outcome was known.
    pub ended: Instant,
}

/// The response to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Sequence number of the entry in the audit log.
    Receipt(u64),
    /// 503, so that the client knows that nothing was done.
    Refused,
    /// Any other response.
    Other(String),
    /// An incomplete response.
    Partial,
    /// The connection ended without a response.
    Nothing,
}

/// How a request is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It was accepted and answered.
    Answered,
    /// Not accepted: the server closed a used connection at the same moment.
    Raced,
    /// The same on a connection that had not been used before.
    RacedUnused,
    /// Not accepted: the server had closed the connection.
    AlreadyClosed,
    /// Not accepted: its connection was made after the signal.
    NotAccepted,
    /// It was accepted, and not answered correctly, for this reason.
    Lost(String),
}

impl Request {
    /// Counts the request, where the signal was sent at this time and the audit log has its entry
    /// or not.
    ///
    /// Accepted, and so to be answered, is
    ///
    /// - what was written on an established connection before the signal, or at least in part, if
    ///   the connection then takes the rest;
    /// - what was processed, according to the audit log;
    /// - what was answered in part.
    #[must_use]
    pub fn judge(&self, signal: Instant, is_recorded: bool) -> Verdict {
        let is_new = self.connected > signal;
        let lost = |reason: &str| Verdict::Lost(reason.to_owned());
        match &self.outcome {
            Outcome::Receipt(_) if is_recorded => return Verdict::Answered,
            Outcome::Receipt(_) => return lost("has a receipt and no entry in the audit log"),
            Outcome::Partial => return lost("got an incomplete response"),
            _ if is_recorded => return lost("has an entry in the audit log and no receipt"),
            Outcome::Refused if is_new => return Verdict::NotAccepted,
            Outcome::Refused => return lost("was refused with 503 on an older connection"),
            Outcome::Other(response) => {
                return Verdict::Lost(format!("was answered with {response}"));
            }
            Outcome::Nothing => {}
        }
        if self.begun.is_some_and(|begun| begun < signal) {
            return lost("was sent before the signal and got no response");
        }
        if is_new {
            return Verdict::NotAccepted;
        }
        if self.written.is_none() || self.saw_close {
            return Verdict::AlreadyClosed;
        }
        if self.is_first {
            Verdict::RacedUnused
        } else {
            Verdict::Raced
        }
    }
}
