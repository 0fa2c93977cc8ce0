//! Threads that let others go first.
//!
//! Both functions are for the thread that calls them, need no privilege, and cannot be
//! taken back. On other systems than Linux they do nothing: a thread works as well without.

#[cfg(target_os = "linux")]
use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};

/// Takes only what no other thread of the machine wants: `SCHED_IDLE`, on Linux. Any other
/// thread that wakes up goes on at once, and where all processors are busy, next to nothing
/// is left.
pub fn take_what_is_left() {
    #[cfg(target_os = "linux")]
    {
        let policy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
        let thread = thread_native_id();
        if set_thread_priority_and_policy(thread, ThreadPriority::Min, policy).is_err() {
            take_a_tenth();
        }
    }
}

/// Takes about a tenth of what another thread gets where all processors are busy: a
/// niceness of 10, which on Linux is a thread's own.
pub fn take_a_tenth() {
    #[cfg(target_os = "linux")]
    {
        const NICENESS: i32 = 10;

        let thread = rustix::thread::gettid();
        let _ = rustix::process::setpriority_process(Some(thread), NICENESS);
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::thread;

    use thread_priority::thread_schedule_policy;

    use super::*;

    const IDLE: ThreadSchedulePolicy =
        ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);

    /// The policy and the niceness of a thread that begins with `give_way`.
    fn after(give_way: fn()) -> (ThreadSchedulePolicy, i32) {
        let thread = thread::spawn(move || {
            give_way();
            let niceness = rustix::process::getpriority_process(Some(rustix::thread::gettid()));
            (thread_schedule_policy().unwrap(), niceness.unwrap())
        });
        thread.join().unwrap()
    }

    #[test]
    fn what_is_left_is_of_the_idle_class() {
        assert_eq!(after(take_what_is_left).0, IDLE);
    }

    #[test]
    fn a_tenth_is_of_the_usual_class_and_less_urgent() {
        let (policy, niceness) = after(take_a_tenth);
        assert_ne!(policy, IDLE);
        assert_eq!(niceness, 10);
    }
}
