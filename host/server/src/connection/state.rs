//! What the parts of one connection tell each other.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::accept::socket::ConnectInfo;
use crate::settings::ConnectionLimits;
use telemetry::Rejection;

/// How long a connection may stay that waits for a request when the server ends: one may
/// be on its way.
pub(crate) const DRAIN_GRACE: Duration = Duration::from_millis(500);

/// What is known of one connection. Everything on it runs in turn on one thread.
pub(crate) struct ConnectionState {
    pub(crate) connect_info: ConnectInfo,
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
    rejected: Cell<Option<(u64, Rejection)>>,
    /// The number of the request of which the body is not read any further, and why.
    broken_body: Cell<Option<(u64, Rejection)>>,
    expired: Cell<Option<Timeout>>,
    /// Whether each response is the last one.
    is_ending: Cell<bool>,
    /// Whether the client takes the end of the connection for the end of a response.
    ends_response: Cell<bool>,
}

/// What a client did not do in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timeout {
    /// It sent no request.
    Idle,
    /// It did not send the whole head of one.
    Head,
    /// It took nothing of a response.
    Write,
}

impl ConnectionState {
    pub(crate) fn new(connect_info: ConnectInfo) -> Rc<Self> {
        Rc::new(Self {
            connect_info,
            head_since: Cell::default(),
            blocked_since: Cell::default(),
            progress: Cell::new(Instant::now()),
            sent: Cell::new(Instant::now()),
            begun: Cell::default(),
            in_flight: Cell::default(),
            responded: Cell::default(),
            handed_out: Cell::default(),
            rejected: Cell::default(),
            broken_body: Cell::default(),
            expired: Cell::default(),
            is_ending: Cell::default(),
            ends_response: Cell::default(),
        })
    }

    /// A request begins. It is over when the guard is dropped.
    pub(crate) fn begin(self: &Rc<Self>) -> InFlight {
        self.begun.set(self.begun.get() + 1);
        self.in_flight.set(self.in_flight.get() + 1);
        InFlight {
            state: self.clone(),
            is_handed_out: false,
        }
    }

    /// How many requests have begun.
    pub(crate) fn begun(&self) -> u64 {
        self.begun.get()
    }

    /// Whether a request has begun that is not over.
    pub(crate) fn has_requests(&self) -> bool {
        self.in_flight.get() > 0
    }

    /// Whether the last request that has begun has no response yet. Only for HTTP/1.1, where
    /// they are answered in turn.
    pub(crate) fn awaits_response(&self) -> bool {
        self.begun.get() > self.responded.get()
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.in_flight.get() == 0 && self.head_since.get().is_none()
    }

    /// From now on each response is the last one.
    pub(crate) fn end(&self) {
        self.is_ending.set(true);
        self.note_progress();
    }

    pub(crate) fn is_ending(&self) -> bool {
        self.is_ending.get()
    }

    /// A response begins that has no end of its own, as in HTTP/1.0 where its length is not
    /// known.
    pub(crate) fn set_ends_response(&self) {
        self.ends_response.set(true);
    }

    /// Whether a response has begun that has no end of its own.
    pub(crate) fn ends_response(&self) -> bool {
        self.ends_response.get()
    }

    pub(crate) fn note_progress(&self) {
        self.progress.set(Instant::now());
    }

    /// The client has taken something.
    pub(crate) fn note_sent(&self) {
        self.sent.set(Instant::now());
    }

    /// How long ago it last took something.
    pub(crate) fn since_sent(&self) -> Duration {
        self.sent.get().elapsed()
    }

    /// A head is coming, or is there as a whole.
    pub(crate) fn set_head_is_coming(&self, is_coming: bool) {
        if is_coming != self.head_since.get().is_some() {
            self.head_since.set(is_coming.then(Instant::now));
        }
    }

    /// A write waits for the client, or not.
    pub(crate) fn set_blocked(&self, is_blocked: bool) {
        if is_blocked != self.blocked_since.get().is_some() {
            self.blocked_since.set(is_blocked.then(Instant::now));
        }
    }

    /// The request with this number, counted from 1, is refused.
    pub(crate) fn reject(&self, number: u64, rejection: Rejection) {
        self.rejected.set(Some((number, rejection)));
    }

    /// Why the request that has just begun is refused, if it is.
    pub(crate) fn rejection(&self) -> Option<Rejection> {
        self.of_last(&self.rejected)
    }

    /// Of the body of the request with this number, nothing more is read.
    pub(crate) fn break_body(&self, number: u64, rejection: Rejection) {
        self.broken_body.set(Some((number, rejection)));
    }

    /// Why the body of the request that began last is not read any further, if it is not.
    pub(crate) fn broken_body(&self) -> Option<Rejection> {
        self.of_last(&self.broken_body)
    }

    /// What is known of a request, if that is the one that began last: those after it may
    /// have come already.
    fn of_last(&self, known: &Cell<Option<(u64, Rejection)>>) -> Option<Rejection> {
        let (number, rejection) = known.get()?;
        (number == self.begun.get()).then_some(rejection)
    }

    /// What has expired and was not looked at yet.
    pub(crate) fn take_expired(&self) -> Option<Timeout> {
        self.expired.take()
    }

    /// Looks whether the client is late, and keeps it for whoever has to act.
    pub(crate) fn look(&self, limits: &ConnectionLimits) -> Option<Timeout> {
        let is_over = |since: Instant, limit: Duration| since.elapsed() >= limit;
        let idle_timeout = if self.is_ending() {
            limits.idle_timeout.min(DRAIN_GRACE)
        } else {
            limits.idle_timeout
        };
        let progress = self.progress.get();
        let blocked = self.blocked_since.get();
        let expired = if blocked.is_some_and(|since| is_over(since, limits.write_timeout))
            || (self.handed_out.get() > 0 && is_over(progress, limits.write_timeout))
        {
            Some(Timeout::Write)
        } else if self.in_flight.get() > 0 || blocked.is_some() {
            None
        } else if let Some(since) = self.head_since.get() {
            is_over(since, limits.header_read_timeout).then_some(Timeout::Head)
        } else {
            is_over(progress, idle_timeout).then_some(Timeout::Idle)
        };
        self.expired.set(expired);
        expired
    }

    /// When to look the next time.
    pub(crate) fn next_look(&self, limits: &ConnectionLimits) -> Duration {
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
pub(crate) struct InFlight {
    state: Rc<ConnectionState>,
    is_handed_out: bool,
}

impl InFlight {
    /// The response begins.
    pub(crate) fn respond(&mut self) {
        let responded = &self.state.responded;
        responded.set(responded.get() + 1);
        self.set_handed_out(true);
    }

    /// The client has to take something before this can go on, or not.
    pub(crate) fn set_handed_out(&mut self, is_handed_out: bool) {
        let count = &self.state.handed_out;
        match (self.is_handed_out, is_handed_out) {
            (false, true) => count.set(count.get() + 1),
            (true, false) => count.set(count.get() - 1),
            _ => {}
        }
        self.is_handed_out = is_handed_out;
        self.state.note_progress();
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.set_handed_out(false);
        let count = &self.state.in_flight;
        count.set(count.get() - 1);
    }
}
