//! Shared state of one connection: timeouts, requests in flight, drain.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use telemetry::Rejection;

use crate::scheduling::pace::Pace;
use crate::settings::ConnectionLimits;
use crate::transport::socket::ConnectInfo;

/// Time that an idle connection has left when the server ends: a request may be on its way.
pub(crate) const DRAIN_GRACE: Duration = Duration::from_millis(500);

/// The state of one connection, whose parts all run on one thread.
pub(crate) struct ConnectionState {
    pub(crate) connect_info: ConnectInfo,
    /// Since when a head has been incomplete.
    head_since: Cell<Option<Instant>>,
    /// Whether a body is incomplete.
    body_is_coming: Cell<bool>,
    /// Since when a write has been blocked.
    blocked_since: Cell<Option<Instant>>,
    /// The last progress of any kind.
    progress: Cell<Instant>,
    /// The last time that the client received something, where that is not known by request.
    sent: Cell<Instant>,
    /// Number of requests that have begun.
    begun: Cell<u64>,
    /// Number of them that are in flight.
    in_flight: Cell<usize>,
    /// Number of responses that have begun.
    responded: Cell<u64>,
    /// Number of responses that wait for the client, and not for their guest.
    handed_out: Cell<usize>,
    /// The number of the rejected request, and the reason.
    rejected: Cell<Option<(u64, Rejection)>>,
    /// The number of the request whose body is not read on, and the reason.
    broken_body: Cell<Option<(u64, Rejection)>>,
    expired: Cell<Option<Timeout>>,
    /// Whether each response is the last one.
    is_ending: Cell<bool>,
    /// Whether the end of the connection marks the end of a response.
    ends_response: Cell<bool>,
    /// The functions of all requests.
    requests: RefCell<PacedBy>,
    /// The number of a request, and the pace by which it may start.
    turn: RefCell<Option<(u64, Rc<Pace>)>>,
}

/// The functions of the requests of a connection, by their paces.
#[derive(Default)]
enum PacedBy {
    #[default]
    None,
    /// One function. The next request is probably for it.
    One(Rc<Pace>),
    Several,
}

impl PacedBy {
    /// Adds a request.
    fn add(&mut self, pace: &Rc<Pace>) {
        match self {
            Self::None => *self = Self::One(pace.clone()),
            Self::One(one) if !Rc::ptr_eq(one, pace) => *self = Self::Several,
            Self::One(_) | Self::Several => {}
        }
    }
}

/// What a client did not do in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timeout {
    /// Send a request.
    Idle,
    /// Send a complete head.
    Head,
    /// Receive a part of a response.
    Write,
}

impl ConnectionState {
    pub(crate) fn new(connect_info: ConnectInfo) -> Rc<Self> {
        Rc::new(Self {
            connect_info,
            head_since: Cell::default(),
            body_is_coming: Cell::default(),
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
            requests: RefCell::default(),
            turn: RefCell::default(),
        })
    }

    /// A request begins. It ends when the guard is dropped.
    pub(crate) fn begin(self: &Rc<Self>) -> InFlight {
        self.begun.set(self.begun.get() + 1);
        self.in_flight.set(self.in_flight.get() + 1);
        InFlight {
            state: self.clone(),
            is_handed_out: false,
        }
    }

    /// Waits until the request that has just begun may start by the `pace` of its function.
    pub(crate) async fn start(&self, pace: &Rc<Pace>) {
        self.requests.borrow_mut().add(pace);
        let turn = self.turn.take();
        let has_turn = turn
            .is_some_and(|(number, turn)| number == self.begun.get() && Rc::ptr_eq(&turn, pace));
        if !has_turn {
            pace.next().await;
        }
    }

    /// The pace for which the next request has to wait, if all requests of this connection were for
    /// one function. Otherwise it may be for a function that others wait for in vain.
    pub(crate) fn full_pace(&self) -> Option<Rc<Pace>> {
        match &*self.requests.borrow() {
            PacedBy::One(pace) if pace.is_full() => Some(pace.clone()),
            _ => None,
        }
    }

    /// The request of this number may start by `pace`.
    pub(crate) fn set_turn(&self, number: u64, pace: Rc<Pace>) {
        self.turn.replace(Some((number, pace)));
    }

    /// The head of the request of this number has not arrived: a turn holds for one read.
    pub(crate) fn return_turn(&self, number: u64) {
        self.turn.borrow_mut().take_if(|turn| turn.0 == number);
    }

    /// Number of requests that have begun.
    pub(crate) fn begun(&self) -> u64 {
        self.begun.get()
    }

    /// Whether a request is in flight.
    pub(crate) fn has_requests(&self) -> bool {
        self.in_flight.get() > 0
    }

    /// Whether the last request has no response yet. For HTTP/1.1 only, where responses are in
    /// order.
    pub(crate) fn awaits_response(&self) -> bool {
        self.begun.get() > self.responded.get()
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.in_flight.get() == 0 && self.head_since.get().is_none()
    }

    /// Makes each further response the last one.
    pub(crate) fn end(&self) {
        self.is_ending.set(true);
        self.note_progress();
    }

    pub(crate) fn is_ending(&self) -> bool {
        self.is_ending.get()
    }

    /// A response begins whose end is the end of the connection, as in HTTP/1.0 without a length.
    pub(crate) fn set_ends_response(&self) {
        self.ends_response.set(true);
    }

    /// Whether such a response has begun.
    pub(crate) fn ends_response(&self) -> bool {
        self.ends_response.get()
    }

    /// Bytes of the client were read, and more of a body are missing, or not. A guest may read on
    /// after its response, so that no request is in flight.
    pub(crate) fn set_body_is_coming(&self, is_coming: bool) {
        if is_coming && self.in_flight.get() == 0 {
            self.note_progress();
        }
        self.body_is_coming.set(is_coming);
    }

    pub(crate) fn note_progress(&self) {
        self.progress.set(Instant::now());
    }

    /// The client has received something.
    pub(crate) fn note_sent(&self) {
        self.sent.set(Instant::now());
    }

    /// Time since the client last received something.
    pub(crate) fn since_sent(&self) -> Duration {
        self.sent.get().elapsed()
    }

    /// Sets whether a head is incomplete.
    pub(crate) fn set_head_is_coming(&self, is_coming: bool) {
        if is_coming != self.head_since.get().is_some() {
            self.head_since.set(is_coming.then(Instant::now));
        }
    }

    /// Sets whether a write is blocked.
    pub(crate) fn set_blocked(&self, is_blocked: bool) {
        if is_blocked != self.blocked_since.get().is_some() {
            self.blocked_since.set(is_blocked.then(Instant::now));
        }
    }

    /// Rejects the request with this number, counted from 1.
    pub(crate) fn reject(&self, number: u64, rejection: Rejection) {
        self.rejected.set(Some((number, rejection)));
    }

    /// Why the request that has just begun is rejected, if it is.
    pub(crate) fn rejection(&self) -> Option<Rejection> {
        self.of_last(&self.rejected)
    }

    /// Ends the body of the request with this number.
    pub(crate) fn break_body(&self, number: u64, rejection: Rejection) {
        self.broken_body.set(Some((number, rejection)));
    }

    /// Why the body of the last request is not read on, if it is not.
    pub(crate) fn broken_body(&self) -> Option<Rejection> {
        self.of_last(&self.broken_body)
    }

    /// The reason, if it is that of the last request: further ones may have arrived already.
    fn of_last(&self, known: &Cell<Option<(u64, Rejection)>>) -> Option<Rejection> {
        let (number, rejection) = known.get()?;
        (number == self.begun.get()).then_some(rejection)
    }

    /// Takes the timeout that was found and not acted on.
    pub(crate) fn take_timeout(&self) -> Option<Timeout> {
        self.expired.take()
    }

    /// Checks whether the client is late, and keeps the result for the part that acts on it.
    pub(crate) fn check_timeouts(&self, limits: &ConnectionLimits) -> Option<Timeout> {
        let is_over = |since: Instant, limit: Duration| since.elapsed() >= limit;
        let idle_timeout = if self.is_ending() && !self.body_is_coming.get() {
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

    /// Time until the next check.
    pub(crate) fn next_check(&self, limits: &ConnectionLimits) -> Duration {
        const ENDING: Duration = Duration::from_millis(100);

        if self.is_ending() && self.in_flight.get() == 0 {
            return ENDING;
        }
        let limits = [
            limits.header_read_timeout,
            limits.idle_timeout,
            limits.write_timeout,
        ];
        // Frequent enough that no timeout acts much too late.
        let shortest = limits.into_iter().min().unwrap_or_default();
        (shortest / 2).max(Duration::from_millis(10))
    }
}

/// A request in flight.
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

    /// Sets whether the response waits for the client.
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
