//! What the parts of one connection tell each other.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::refusal::Refusal;
use super::settings::ConnectionLimits;
use super::socket::Ends;

/// How long a connection may stay that waits for a request when the server ends: one may
/// be on its way.
pub(super) const LAST_CALL: Duration = Duration::from_millis(500);

/// What is known of one connection. Everything on it runs in turn on one thread.
pub(super) struct Conversation {
    pub(super) ends: Ends,
    /// Since when a head has been coming that is not whole.
    head_since: Cell<Option<Instant>>,
    /// Since when a write has been waiting for the client.
    blocked_since: Cell<Option<Instant>>,
    /// When something last happened on it that counts.
    progress: Cell<Instant>,
    /// When its client last took something, where that is not known by request.
    sent: Cell<Instant>,
    /// How many requests have begun.
    begun: Cell<u64>,
    /// How many of them are not over.
    in_flight: Cell<usize>,
    /// How many responses have begun.
    responded: Cell<u64>,
    /// How many responses wait for their client, and not for their guest.
    handed_out: Cell<usize>,
    /// The number of the request that is refused, and how.
    refused: Cell<Option<(u64, Refusal)>>,
    /// The number of the request of which the body is not read any further, and why.
    broken_body: Cell<Option<(u64, Refusal)>>,
    expired: Cell<Option<Expired>>,
    /// Whether each response is the last one.
    is_ending: Cell<bool>,
    /// Whether the client takes the end of the connection for the end of a response.
    ends_response: Cell<bool>,
}

/// What a client did not do in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expired {
    /// It sent no request.
    Idle,
    /// It did not send the whole head of one.
    Head,
    /// It took nothing of a response.
    Write,
}

impl Conversation {
    pub(super) fn new(ends: Ends) -> Rc<Self> {
        Rc::new(Self {
            ends,
            head_since: Cell::default(),
            blocked_since: Cell::default(),
            progress: Cell::new(Instant::now()),
            sent: Cell::new(Instant::now()),
            begun: Cell::default(),
            in_flight: Cell::default(),
            responded: Cell::default(),
            handed_out: Cell::default(),
            refused: Cell::default(),
            broken_body: Cell::default(),
            expired: Cell::default(),
            is_ending: Cell::default(),
            ends_response: Cell::default(),
        })
    }

    /// A request begins. It is over when the guard is dropped.
    pub(super) fn begin(self: &Rc<Self>) -> InFlight {
        self.begun.set(self.begun.get() + 1);
        self.in_flight.set(self.in_flight.get() + 1);
        InFlight {
            conversation: self.clone(),
            is_handed_out: false,
        }
    }

    /// How many requests have begun.
    pub(super) fn begun(&self) -> u64 {
        self.begun.get()
    }

    /// Whether a request has begun that is not over.
    pub(super) fn has_requests(&self) -> bool {
        self.in_flight.get() > 0
    }

    /// Whether the last request that has begun has no response yet. Only for HTTP/1.1, where
    /// they are answered in turn.
    pub(super) fn awaits_response(&self) -> bool {
        self.begun.get() > self.responded.get()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.in_flight.get() == 0 && self.head_since.get().is_none()
    }

    /// From now on each response is the last one.
    pub(super) fn end(&self) {
        self.is_ending.set(true);
        self.note_progress();
    }

    pub(super) fn is_ending(&self) -> bool {
        self.is_ending.get()
    }

    /// A response begins that has no end of its own, as in HTTP/1.0 where its length is not
    /// known.
    pub(super) fn set_ends_response(&self) {
        self.ends_response.set(true);
    }

    /// Whether a response has begun that has no end of its own.
    pub(super) fn ends_response(&self) -> bool {
        self.ends_response.get()
    }

    pub(super) fn note_progress(&self) {
        self.progress.set(Instant::now());
    }

    /// The client has taken something.
    pub(super) fn note_sent(&self) {
        self.sent.set(Instant::now());
    }

    /// How long ago it last took something.
    pub(super) fn since_sent(&self) -> Duration {
        self.sent.get().elapsed()
    }

    /// A head is coming, or is there as a whole.
    pub(super) fn set_head_is_coming(&self, is_coming: bool) {
        if is_coming != self.head_since.get().is_some() {
            self.head_since.set(is_coming.then(Instant::now));
        }
    }

    /// A write waits for the client, or not.
    pub(super) fn set_blocked(&self, is_blocked: bool) {
        if is_blocked != self.blocked_since.get().is_some() {
            self.blocked_since.set(is_blocked.then(Instant::now));
        }
    }

    /// The request with this number, counted from 1, is refused.
    pub(super) fn refuse(&self, number: u64, refusal: Refusal) {
        self.refused.set(Some((number, refusal)));
    }

    /// Why the request that has just begun is refused, if it is.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        self.of_last(&self.refused)
    }

    /// Of the body of the request with this number, nothing more is read.
    pub(super) fn break_body(&self, number: u64, refusal: Refusal) {
        self.broken_body.set(Some((number, refusal)));
    }

    /// Why the body of the request that began last is not read any further, if it is not.
    pub(super) fn broken_body(&self) -> Option<Refusal> {
        self.of_last(&self.broken_body)
    }

    /// What is known of a request, if that is the one that began last: those after it may
    /// have come already.
    fn of_last(&self, known: &Cell<Option<(u64, Refusal)>>) -> Option<Refusal> {
        let (number, refusal) = known.get()?;
        (number == self.begun.get()).then_some(refusal)
    }

    /// What has expired and was not looked at yet.
    pub(super) fn take_expired(&self) -> Option<Expired> {
        self.expired.take()
    }

    /// Looks whether the client is late, and keeps it for whoever has to act.
    pub(super) fn look(&self, limits: &ConnectionLimits) -> Option<Expired> {
        let is_over = |since: Instant, limit: Duration| since.elapsed() >= limit;
        let idle_timeout = if self.is_ending() {
            limits.idle_timeout.min(LAST_CALL)
        } else {
            limits.idle_timeout
        };
        let progress = self.progress.get();
        let blocked = self.blocked_since.get();
        let expired = if blocked.is_some_and(|since| is_over(since, limits.write_timeout))
            || (self.handed_out.get() > 0 && is_over(progress, limits.write_timeout))
        {
            Some(Expired::Write)
        } else if self.in_flight.get() > 0 || blocked.is_some() {
            None
        } else if let Some(since) = self.head_since.get() {
            is_over(since, limits.header_read_timeout).then_some(Expired::Head)
        } else {
            is_over(progress, idle_timeout).then_some(Expired::Idle)
        };
        self.expired.set(expired);
        expired
    }

    /// When to look the next time.
    pub(super) fn next_look(&self, limits: &ConnectionLimits) -> Duration {
        const ENDING: Duration = Duration::from_millis(100);

        if self.is_ending() && self.in_flight.get() == 0 {
            return ENDING;
        }
        let limits = [
            limits.header_read_timeout,
            limits.idle_timeout,
            limits.write_timeout,
        ];
        // Often enough that nothing is much too late.
        let shortest = limits.into_iter().min().unwrap_or_default();
        (shortest / 2).max(Duration::from_millis(10))
    }
}

/// A request that is not over.
pub(super) struct InFlight {
    conversation: Rc<Conversation>,
    is_handed_out: bool,
}

impl InFlight {
    /// The response begins.
    pub(super) fn respond(&mut self) {
        let responded = &self.conversation.responded;
        responded.set(responded.get() + 1);
        self.set_handed_out(true);
    }

    /// The client has to take something before this can go on, or not.
    pub(super) fn set_handed_out(&mut self, is_handed_out: bool) {
        let count = &self.conversation.handed_out;
        match (self.is_handed_out, is_handed_out) {
            (false, true) => count.set(count.get() + 1),
            (true, false) => count.set(count.get() - 1),
            _ => {}
        }
        self.is_handed_out = is_handed_out;
        self.conversation.note_progress();
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.set_handed_out(false);
        let count = &self.conversation.in_flight;
        count.set(count.get() - 1);
    }
}
