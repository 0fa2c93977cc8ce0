//! The niceness of a thread.

/// What is added to the niceness of threads whose work can wait, such as sending telemetry:
/// beside a busy thread they get about a tenth of its processor.
pub const BACKGROUND: i32 = 10;

/// Adds to the niceness of the thread that calls this, which on Linux is a thread's own. It
/// needs no privilege, and cannot be undone without. On other systems than Linux it does
/// nothing: a thread works as well without.
pub fn add_niceness(niceness: i32) {
    #[cfg(target_os = "linux")]
    {
        // Never fails: the niceness becomes no lower, and 19 at most.
        let _ = rustix::process::nice(niceness);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = niceness;
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rustix::process::getpriority_process;

    use super::*;

    #[test]
    fn niceness_is_added_to_the_calling_thread_alone() {
        let before = getpriority_process(None).unwrap();
        let niced = std::thread::spawn(|| {
            add_niceness(BACKGROUND);
            add_niceness(1);
            getpriority_process(None).unwrap()
        });
        assert_eq!(niced.join().unwrap(), (before + BACKGROUND + 1).min(19));
        assert_eq!(getpriority_process(None).unwrap(), before);
    }
}
