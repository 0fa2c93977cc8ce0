//! Where guests go that compute for long.

use std::future::poll_fn;
use std::io;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::{self, Builder, Runtime};
use tokio::task::JoinHandle;

use super::ticker::Pace;
use crate::RequestInfo;

/// How long the system may keep a guest from computing. After that, guests get a share of
/// the processors instead of what nobody else wants.
const MAX_STARVATION: Duration = Duration::from_millis(50);

/// For how long they get that.
const RELIEF: Duration = Duration::from_secs(1);

/// What a guest does until its request is over.
pub(super) type Guest<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Two kinds of threads that give way to all others, so that a guest that computes for ever
/// keeps no request of another one waiting.
///
/// Guests are on those that only get what nobody else wants. Where nothing is left for them,
/// because this process or others are busy all the time, they move to those that get about a
/// tenth of what one of the others gets.
pub(super) struct Background {
    spare: Option<Runtime>,
    tenth: Option<Runtime>,
    handle: Handle,
}

/// Sends guests to the background.
#[derive(Clone)]
pub(super) struct Handle {
    spare: runtime::Handle,
    tenth: runtime::Handle,
    starvation: Arc<Starvation>,
    pace: Arc<Pace>,
    /// See [`locks_apart`].
    locks_apart: bool,
}

impl Background {
    /// As many threads of each kind as this. While guests compute on them, the clock of
    /// `pace` hurries.
    pub(super) fn start(threads: NonZeroUsize, pace: Arc<Pace>) -> io::Result<Self> {
        let start = |name: &str, give_way: fn()| {
            Builder::new_multi_thread()
                .worker_threads(threads.get())
                .thread_name(name)
                .enable_all()
                .on_thread_start(give_way)
                .build()
        };
        let spare = start("spare", priority::take_what_is_left)?;
        let tenth = start("background", priority::take_a_tenth)?;
        Ok(Self {
            handle: Handle {
                spare: spare.handle().clone(),
                tenth: tenth.handle().clone(),
                starvation: Arc::default(),
                pace,
                locks_apart: locks_apart(rustix::system::uname().release().to_bytes()),
            },
            spare: Some(spare),
            tenth: Some(tenth),
        })
    }

    pub(super) fn handle(&self) -> Handle {
        self.handle.clone()
    }
}

impl Drop for Background {
    /// Guests that are still here have no client any more.
    fn drop(&mut self) {
        for runtime in [self.spare.take(), self.tenth.take()].into_iter().flatten() {
            runtime.shutdown_background();
        }
    }
}

impl Handle {
    /// Lets a guest that works on `request` go on in the background.
    pub(super) fn run<T: Send + 'static>(
        &self,
        guest: Guest<T>,
        request: Arc<RequestInfo>,
    ) -> Away<T> {
        let there = if self.starvation.is_recent() {
            self.tenth
                .spawn(self.clone().with_a_tenth(guest, request.clone()))
        } else {
            self.spare
                .spawn(self.clone().in_spare_time(guest, request.clone()))
        };
        Away {
            there,
            request,
            handle: self.clone(),
        }
    }

    /// Drops what takes the system long to take apart. It does that in one go, in which only
    /// a thread that takes what is left is interrupted for others at once; but such a thread
    /// may have to wait for long in the middle of it, and must not hold what others need.
    pub(super) fn take_apart(&self, large: impl Send + 'static) {
        let harms_nobody = self.locks_apart && !self.starvation.is_recent();
        let threads = if harms_nobody {
            &self.spare
        } else {
            &self.tenth
        };
        threads.spawn(async { drop(large) });
    }

    async fn in_spare_time<T: Send + 'static>(
        self,
        guest: Guest<T>,
        request: Arc<RequestInfo>,
    ) -> Left<T> {
        let mut kept = Kept {
            guest: Some(guest),
            handle: self,
        };
        poll_fn(move |cx| {
            let Kept { guest, handle } = &mut kept;
            let is_starving = handle.starvation.is_recent();
            if let Some(guest) = guest.take_if(|_| is_starving) {
                return Poll::Ready(Left::Starved(guest));
            }
            let here = guest.as_mut().expect("what is done is not polled");
            let (begin, before) = (Instant::now(), request.meter().counted());
            let left = handle.turn(here, &request, cx);
            let computed = request.meter().counted().saturating_sub(before);
            if begin.elapsed().saturating_sub(computed) > MAX_STARVATION {
                handle.starvation.note();
            }
            if left.is_ready() {
                *guest = None;
            }
            left
        })
        .await
    }

    async fn with_a_tenth<T>(self, mut guest: Guest<T>, request: Arc<RequestInfo>) -> Left<T> {
        poll_fn(move |cx| self.turn(&mut guest, &request, cx)).await
    }

    /// Lets a guest compute until it waits, or the clock ticks.
    fn turn<T>(
        &self,
        guest: &mut Guest<T>,
        request: &RequestInfo,
        cx: &mut Context<'_>,
    ) -> Poll<Left<T>> {
        self.pace.hurry();
        request.meter().begin_turn();
        let done = guest.as_mut().poll(cx);
        request.meter().end_turn();
        if done.is_pending() {
            // The system itself looks rarely whether somebody else should go on.
            thread::yield_now();
        }
        done.map(Left::Done)
    }
}

/// Whether the system, of this release, locks only a memory that it takes back, and not all
/// of the process: Linux does since 6.17 (`madvise`, with the lock of one mapping).
fn locks_apart(release: &[u8]) -> bool {
    const SINCE: [u32; 2] = [6, 17];

    let release = String::from_utf8_lossy(release);
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    let mut next = || numbers.next()?.parse().ok();
    let (Some(major), Some(minor)) = (next(), next()) else {
        return false;
    };
    cfg!(target_os = "linux") && [major, minor] >= SINCE
}

/// A guest on a thread that may have to wait for long. It is not dropped there.
struct Kept<T: Send + 'static> {
    /// None when it is done, or went on elsewhere.
    guest: Option<Guest<T>>,
    handle: Handle,
}

impl<T: Send + 'static> Drop for Kept<T> {
    fn drop(&mut self) {
        if let Some(guest) = self.guest.take() {
            self.handle.take_apart(guest);
        }
    }
}

/// Why a guest is not on a thread of the background any more.
enum Left<T> {
    Done(T),
    Starved(Guest<T>),
}

/// A guest in the background, which ends when this is dropped.
pub(super) struct Away<T> {
    there: JoinHandle<Left<T>>,
    request: Arc<RequestInfo>,
    handle: Handle,
}

impl<T: Send + 'static> Future for Away<T> {
    /// None if the guest was lost, such as when the process ends.
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        loop {
            match ready!(Pin::new(&mut self.there).poll(cx)) {
                Ok(Left::Done(done)) => return Poll::Ready(Some(done)),
                Ok(Left::Starved(guest)) => {
                    *self = self.handle.run(guest, self.request.clone());
                }
                Err(_) => return Poll::Ready(None),
            }
        }
    }
}

impl<T> Drop for Away<T> {
    fn drop(&mut self) {
        self.there.abort();
    }
}

/// When guests were last kept from computing.
#[derive(Debug)]
struct Starvation {
    began: Instant,
    /// In milliseconds after that; 0 if never.
    noted_ms: AtomicU64,
}

impl Default for Starvation {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            noted_ms: AtomicU64::default(),
        }
    }
}

impl Starvation {
    fn note(&self) {
        self.noted_ms.store(self.now_ms(), Ordering::Relaxed);
    }

    fn is_recent(&self) -> bool {
        let noted = self.noted_ms.load(Ordering::Relaxed);
        let since = Duration::from_millis(self.now_ms().saturating_sub(noted));
        noted > 0 && since < RELIEF
    }

    fn now_ms(&self) -> u64 {
        let now = self.began.elapsed().as_millis();
        u64::try_from(now).unwrap_or(u64::MAX).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a guest returns after `pause` in its first turn: where its turns were.
    fn turns(handle: &Handle, pause: Duration) -> Vec<String> {
        let mut turns = Vec::new();
        let guest = poll_fn(move |cx| {
            turns.push(thread::current().name().unwrap_or_default().to_owned());
            if turns.len() == 2 {
                return Poll::Ready(std::mem::take(&mut turns));
            }
            thread::sleep(pause);
            cx.waker().wake_by_ref();
            Poll::Pending
        });
        let request = RequestInfo::new(&http::Request::new(()), None, None);
        let waiting = Builder::new_current_thread().build().unwrap();
        request.meter().be_exact();
        let away = handle.run(Box::pin(guest), Arc::new(request));
        waiting.block_on(away).unwrap()
    }

    #[test]
    fn a_guest_that_is_kept_from_computing_gets_a_share() {
        let background = Background::start(NonZeroUsize::MIN, Arc::default()).unwrap();
        let handle = background.handle();
        assert_eq!(turns(&handle, MAX_STARVATION * 2), ["spare", "background"]);
        // The next one does not have to find out.
        assert_eq!(turns(&handle, Duration::ZERO), ["background", "background"]);
    }

    #[test]
    fn the_system_locks_apart_since_a_release() {
        let linux = cfg!(target_os = "linux");
        for (release, locks_apart) in [
            ("6.17.0", linux),
            ("6.18.44-fc", linux),
            ("7.0-rc1", linux),
            ("6.9.12", false),
            ("5.19", false),
            ("6", false),
            ("", false),
            ("next", false),
        ] {
            assert_eq!(
                super::locks_apart(release.as_bytes()),
                locks_apart,
                "{release}"
            );
        }
    }
}
