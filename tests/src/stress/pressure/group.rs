//! A control group with a limit on memory.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Instant;

use crate::DEADLINE;
use crate::test_host::Setup;

/// A control group, removed when dropped, after the processes in it.
#[derive(Debug)]
pub struct Group {
    folder: PathBuf,
    /// The file with the number of OOM kills.
    events: &'static str,
}

/// Mount point, limit file and events file of each version of control groups.
const VERSIONS: [(&str, &str, &str); 2] = [
    (
        "/sys/fs/cgroup/memory",
        "memory.limit_in_bytes",
        "memory.oom_control",
    ),
    ("/sys/fs/cgroup", "memory.max", "memory.events"),
];

impl Group {
    /// Makes a group with this memory limit. Returns `None`, and prints a line, where this process
    /// may not do that.
    #[must_use]
    pub fn new(limit_bytes: u64) -> Option<Self> {
        let made = VERSIONS.into_iter().find_map(|(mount, limit, events)| {
            let group = Self::make(Path::new(mount), events).ok()?;
            let set = fs::write(group.folder.join(limit), limit_bytes.to_string());
            set.is_ok().then_some(group)
        });
        if made.is_none() {
            eprintln!("cannot create a control group: sampling the memory of the server instead");
        }
        made
    }

    fn make(mount: &Path, events: &'static str) -> io::Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);

        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = mount.join(format!("end-to-end-{}-{number}", process::id()));
        fs::create_dir(&folder)?;
        Ok(Self { folder, events })
    }

    /// Starts the server in this group.
    #[must_use]
    pub fn contain(&self, setup: Setup) -> Setup {
        let enter = r#"echo $$ > "$0/cgroup.procs" && exec "$@""#;
        let folder = self.folder.to_str().expect("a path of text");
        setup.within("sh", &["-c", enter, folder])
    }

    /// Number of processes that the kernel killed because the group reached its limit.
    #[must_use]
    pub fn kills(&self) -> u64 {
        let events = fs::read_to_string(self.folder.join(self.events)).expect("a group");
        let mut figures = events.lines().filter_map(|line| line.split_once(' '));
        let kills = figures.find(|(name, _)| *name == "oom_kill");
        kills
            .and_then(|(_, kills)| kills.trim().parse().ok())
            .expect("a count")
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Its processes may be ending.
        let begin = Instant::now();
        while let Err(error) = fs::remove_dir(&self.folder) {
            let is_busy = error.kind() == io::ErrorKind::ResourceBusy;
            if !is_busy || begin.elapsed() > DEADLINE {
                eprintln!("cannot remove `{}`: {error}", self.folder.display());
                return;
            }
            thread::yield_now();
        }
    }
}
