//! Finds threads by their names.

use std::ffi::OsString;
use std::fs;

/// The threads of the process `pid` (a number, or `self`) that have this name.
pub(crate) fn named(pid: &str, name: &str) -> Vec<i32> {
    let is_named = |thread: &OsString| {
        let path = format!("/proc/{pid}/task/{}/comm", thread.display());
        // A thread that has ended meanwhile has no name.
        fs::read_to_string(path).is_ok_and(|comm| comm.trim_end() == name)
    };
    fs::read_dir(format!("/proc/{pid}/task"))
        .expect("a running process has threads")
        .map(|entry| entry.expect("a thread").file_name())
        .filter(is_named)
        .map(|thread| thread.to_str().and_then(|id| id.parse().ok()))
        .map(|id| id.expect("the name of a thread is its number"))
        .collect()
}
