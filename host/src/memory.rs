//! How much memory this process has, and how much it may have.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use rustix::param::page_size;

/// How old the answer of [`TotalMemory::is_over`] may be, in milliseconds.
const MAX_AGE_MILLIS: u64 = 50;

/// The limit on the memory of this process. Whoever is about to begin something that
/// takes memory asks whether it is over.
///
/// It counts what the system calls resident: all pages that are in memory, also those
/// that the process only reads from files. On other systems than Linux, it is never over.
#[derive(Debug)]
pub struct TotalMemory {
    limit_bytes: u64,
    /// Kept open, because file descriptors may have run out when it is read.
    usage: Option<File>,
    start: Instant,
    /// When the answer is too old, in milliseconds after the start.
    expires: AtomicU64,
    is_over: AtomicBool,
}

impl TotalMemory {
    /// A limit of so many bytes, or of four fifths of what the system, or a control group
    /// that this process is in, has.
    #[must_use]
    pub fn new(limit_bytes: Option<usize>) -> Self {
        let limit = limit_bytes.map(|bytes| bytes as u64);
        Self {
            limit_bytes: limit
                .or_else(|| Some(available(Path::new("/"))? / 5 * 4))
                .unwrap_or(u64::MAX),
            usage: File::open(USAGE).ok(),
            start: Instant::now(),
            expires: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
        }
    }

    /// The limit in bytes.
    #[must_use]
    pub fn limit_bytes(&self) -> u64 {
        self.limit_bytes
    }

    /// Whether the process had more memory than it may have, 50 ms ago or later. It asks
    /// the system when somebody has not done so for that long, and costs next to nothing
    /// otherwise.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let Some(usage) = &self.usage else {
            return false;
        };
        let now = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        let expires = self.expires.load(Ordering::Relaxed);
        if now < expires {
            return self.is_over.load(Ordering::Relaxed);
        }
        let next = now.saturating_add(MAX_AGE_MILLIS);
        let claimed =
            self.expires
                .compare_exchange(expires, next, Ordering::Relaxed, Ordering::Relaxed);
        if claimed.is_ok() {
            // If it cannot be read, nobody is refused for it.
            let is_over = resident(usage).is_some_and(|bytes| bytes > self.limit_bytes);
            self.is_over.store(is_over, Ordering::Relaxed);
        }
        self.is_over.load(Ordering::Relaxed)
    }
}

/// Where Linux tells how much memory this process has, in pages (proc(5)).
const USAGE: &str = "/proc/self/statm";

/// How much memory this process has, if the system tells.
pub(crate) fn resident_bytes() -> Option<u64> {
    resident(&File::open(USAGE).ok()?)
}

fn resident(usage: &File) -> Option<u64> {
    let mut buffer = [0; 128];
    let length = usage.read_at(&mut buffer, 0).ok()?;
    let text = std::str::from_utf8(&buffer[..length]).ok()?;
    let pages: u64 = text.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages * page_size() as u64)
}

/// The memory that there is for this process: that of the machine, or what the control
/// groups that it is in may have, whichever is less. `root` is the root of the file
/// system.
fn available(root: &Path) -> Option<u64> {
    let machine = machine(root);
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let limits = groups.lines().filter_map(|line| group_limit(root, line));
    limits.chain(machine).min()
}

/// The memory of the machine (proc(5), `meminfo`).
fn machine(root: &Path) -> Option<u64> {
    let text = fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kibibytes: u64 = line?.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// The least limit of a control group and those that it is in. `line` is one of
/// `/proc/self/cgroup` (cgroups(7)): `0::PATH` in version 2, `NUMBER:memory:PATH` in
/// version 1.
fn group_limit(root: &Path, line: &str) -> Option<u64> {
    let mut fields = line.splitn(3, ':').skip(1);
    let (controllers, path) = (fields.next()?, fields.next()?);
    let (mount, file) = match controllers {
        "" => ("sys/fs/cgroup", "memory.max"),
        _ if controllers.split(',').any(|name| name == "memory") => {
            ("sys/fs/cgroup/memory", "memory.limit_in_bytes")
        }
        _ => return None,
    };
    let mount = root.join(mount);
    let mut folder = PathBuf::from(path.trim_start_matches('/'));
    let mut limit = None;
    // In a container, the path may be that outside of it. Then only its end is there: the
    // mount itself.
    loop {
        let found = fs::read_to_string(mount.join(&folder).join(file));
        // A group without a limit says `max`, or a very large number.
        let found: Option<u64> = found.ok().and_then(|text| text.trim().parse().ok());
        limit = limit.into_iter().chain(found).min();
        if !folder.pop() {
            return limit;
        }
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    /// A file system with these files.
    fn root(files: &[(&str, &str)]) -> TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    const MEMINFO: (&str, &str) = (
        "proc/meminfo",
        "MemTotal:        4000 kB\nMemFree:         100 kB\n",
    );

    #[test]
    fn without_control_groups_there_is_the_memory_of_the_machine() {
        assert_eq!(available(root(&[MEMINFO]).path()), Some(4_096_000));
        assert_eq!(available(root(&[]).path()), None);
    }

    #[test]
    fn the_least_limit_of_all_groups_counts() {
        let files = [
            MEMINFO,
            ("proc/self/cgroup", "0::/system.slice/app.service\n"),
            (
                "sys/fs/cgroup/system.slice/app.service/memory.max",
                "2000000\n",
            ),
            ("sys/fs/cgroup/system.slice/memory.max", "1000000\n"),
        ];
        assert_eq!(available(root(&files).path()), Some(1_000_000));
    }

    #[test]
    fn a_group_without_a_limit_may_have_the_whole_machine() {
        let files = [
            MEMINFO,
            ("proc/self/cgroup", "0::/\n"),
            ("sys/fs/cgroup/memory.max", "max\n"),
        ];
        assert_eq!(available(root(&files).path()), Some(4_096_000));
    }

    #[test]
    fn groups_of_version_1_count_too_and_seen_from_a_container() {
        let files = [
            MEMINFO,
            (
                "proc/self/cgroup",
                "5:cpu,cpuacct:/docker/1234\n4:memory:/docker/1234\n",
            ),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "3000000\n"),
            ("sys/fs/cgroup/memory.max", "1\n"),
        ];
        assert_eq!(available(root(&files).path()), Some(3_000_000));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_is_over_a_limit_that_it_cannot_keep() {
        assert!(TotalMemory::new(Some(1)).is_over());
        assert!(!TotalMemory::new(Some(usize::MAX)).is_over());
        let bytes = resident_bytes().unwrap();
        assert!(bytes > 100 << 10, "{bytes}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_answer_is_kept_for_a_while() {
        let memory = TotalMemory::new(Some(1));
        memory.expires.store(u64::MAX, Ordering::Relaxed);
        assert!(!memory.is_over());
        memory.expires.store(0, Ordering::Relaxed);
        assert!(memory.is_over());
    }
}
