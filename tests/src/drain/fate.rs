//! What became of a request, and which requests must be answered.

use std::time::Instant;

/// A request, and what its client saw.
#[derive(Debug, Clone)]
pub struct Request {
    /// What it appends to the audit log; no other request appends the same.
    pub value: String,
    /// When the connection was made.
    pub connected: Instant,
    /// Whether it is the first on its connection.
    pub is_first: bool,
    /// When the first part of it had been written, unless that failed.
    pub begun: Option<Instant>,
    /// When all of it had been written, unless that failed.
    pub written: Option<Instant>,
    /// Whether it was sent in two parts, the second one after the signal.
    pub halved: bool,
    /// Whether the end of the connection could be seen as soon as it was written.
    pub end_was_seen: bool,
    /// What came back.
    pub outcome: Outcome,
    /// When the outcome was known.
    pub ended: Instant,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The place of the entry in the audit log.
    Receipt(u64),
    /// 503, so that the client knows that nothing was done.
    Refused,
    /// Something else, in words.
    Other(String),
    /// The beginning of an answer.
    Part,
    /// The connection ended.
    Nothing,
}

/// How a request is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It was accepted and answered.
    Answered,
    /// It was not accepted: the server closed a used connection at the same moment.
    Raced,
    /// The same on a connection that had not been used before.
    RacedUnused,
    /// It was not accepted: the server had closed the connection.
    TooLate,
    /// It was not accepted: its connection was made after the signal.
    TurnedAway,
    /// It was accepted, and not answered as it must be; this is why.
    Lost(String),
}

impl Request {
    /// How this counts, if the signal was sent at this time, and the audit log has
    /// its entry or not.
    ///
    /// Accepted, and so to be answered, is
    ///
    /// - what was written on an established connection before the signal was sent,
    ///   or at least in part, if the connection then takes the rest;
    /// - whatever was processed, as the audit log tells;
    /// - whatever was answered in part.
    #[must_use]
    pub fn fate(&self, signal: Instant, is_recorded: bool) -> Fate {
        let is_new = self.connected > signal;
        let lost = |why: &str| Fate::Lost(why.to_owned());
        match &self.outcome {
            Outcome::Receipt(_) if is_recorded => return Fate::Answered,
            Outcome::Receipt(_) => return lost("has a receipt and is not in the audit log"),
            Outcome::Part => return lost("got the beginning of an answer"),
            _ if is_recorded => return lost("is in the audit log, and got no receipt"),
            Outcome::Refused if is_new => return Fate::TurnedAway,
            Outcome::Refused => return lost("was refused with 503 on an older connection"),
            Outcome::Other(answer) => return Fate::Lost(format!("was answered with {answer}")),
            Outcome::Nothing => {}
        }
        if self.begun.is_some_and(|begun| begun < signal) {
            return lost("was sent before the signal, and was not answered");
        }
        if is_new {
            return Fate::TurnedAway;
        }
        if self.written.is_none() || self.end_was_seen {
            return Fate::TooLate;
        }
        if self.is_first {
            Fate::RacedUnused
        } else {
            Fate::Raced
        }
    }
}
