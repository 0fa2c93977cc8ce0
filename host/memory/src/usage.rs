//! Memory in use, of the process and its control groups.
//!
//! The crate `procfs` is not used: it opens a file for each reading and parses all fields, and has
//! no memory figures of control groups.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

use rustix::param::page_size;

use super::system::{Group, Version};

/// A measured figure and its limit.
#[derive(Debug)]
pub(super) struct Gauge {
    source: Source,
    limit_bytes: u64,
    /// The part that is not guest memory, as far as it is known.
    other_bytes: Option<u64>,
}

#[derive(Debug)]
enum Source {
    Process(Process),
    Group(GroupFiles),
    #[cfg(test)]
    Readings(std::vec::IntoIter<Option<u64>>),
}

impl Gauge {
    /// The memory that this process alone holds. None where the system does not report it.
    pub(super) fn of_process(limit_bytes: u64) -> Option<Self> {
        let process = Process {
            status: File::open("/proc/self/status").ok()?,
            image_bytes: 0,
            image_age: 0,
        };
        Some(Self::new(Source::Process(process), limit_bytes))
    }

    /// The memory of the processes of a control group.
    pub(super) fn of_group(group: &Group, limit_bytes: u64) -> Option<Self> {
        let files = GroupFiles::open(group).ok()?;
        Some(Self::new(Source::Group(files), limit_bytes))
    }

    #[cfg(test)]
    pub(super) fn of_readings(limit_bytes: u64, readings: Vec<Option<u64>>) -> Self {
        Self::new(Source::Readings(readings.into_iter()), limit_bytes)
    }

    fn new(source: Source, limit_bytes: u64) -> Self {
        Self {
            source,
            limit_bytes,
            other_bytes: None,
        }
    }

    /// The figure, in bytes. None if it cannot be read.
    pub(super) fn read(&mut self) -> Option<u64> {
        match &mut self.source {
            Source::Process(process) => process.read(),
            Source::Group(files) => files.read(),
            #[cfg(test)]
            Source::Readings(readings) => readings.next().flatten(),
        }
    }

    /// The guest limit that this figure leaves, where `used` is the figure, of which guests may
    /// have written to `held` bytes.
    ///
    /// Guests may have written to a part of `held` only, so the rest of the process uses between
    /// `used - held` and `used` bytes. The last known value stays as long as it is in this range;
    /// without guests it is exact.
    pub(super) fn guest_limit(&mut self, used: Option<u64>, held: u64) -> u64 {
        if let Some(used) = used {
            let other = self.other_bytes.unwrap_or(used);
            self.other_bytes = Some(other.clamp(used.saturating_sub(held), used));
        }
        let other = self.other_bytes.unwrap_or_default();
        self.limit_bytes.saturating_sub(other)
    }
}

/// Number of readings between two searches for memory images.
const IMAGE_REFRESH_READINGS: u32 = 50;

#[derive(Debug)]
struct Process {
    /// Kept open, because file descriptors may run out later.
    status: File,
    image_bytes: u64,
    /// Number of readings until the next search.
    image_age: u32,
}

impl Process {
    /// Anonymous memory of the process, and memory images that are in no file.
    ///
    /// An image counts as shared memory once for each memory of the pool that maps it, but exists
    /// once: so the size of its file counts instead. An image in a file of compiled code does not
    /// count, because the system can reclaim its pages.
    fn read(&mut self) -> Option<u64> {
        let text = read(&self.status)?;
        let anonymous = status_bytes(&text, "RssAnon:")?;
        if status_bytes(&text, "RssShmem:") == Some(0) {
            self.image_bytes = 0;
            self.image_age = 0;
        } else if self.image_age == 0 {
            self.image_bytes = image_bytes().unwrap_or(self.image_bytes);
            self.image_age = IMAGE_REFRESH_READINGS;
        } else {
            self.image_age -= 1;
        }
        Some(anonymous + self.image_bytes)
    }
}

/// A figure of `/proc/PID/status` (proc(5)).
fn status_bytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// The size of all memory images in anonymous files (`memfd_create(2)`).
fn image_bytes() -> io::Result<u64> {
    /// Their name, which wasmtime sets.
    const IMAGE: &str = "/memfd:wasm-memory-image";
    /// The unit of `st_blocks`.
    const BLOCK_BYTES: u64 = 512;

    let mut bytes = 0;
    for entry in fs::read_dir("/proc/self/fd")? {
        let path = entry?.path();
        // The descriptor may have been closed meanwhile.
        let Ok(target) = fs::read_link(&path) else {
            continue;
        };
        if target.to_string_lossy().starts_with(IMAGE)
            && let Ok(metadata) = fs::metadata(&path)
        {
            bytes += metadata.blocks() * BLOCK_BYTES;
        }
    }
    Ok(bytes)
}

/// The files with the figures of a control group.
#[derive(Debug)]
struct GroupFiles {
    usage: File,
    stat: File,
    version: Version,
}

impl GroupFiles {
    fn open(group: &Group) -> io::Result<Self> {
        let usage = match group.version {
            Version::One => "memory.usage_in_bytes",
            Version::Two => "memory.current",
        };
        Ok(Self {
            usage: File::open(group.folder.join(usage))?,
            stat: File::open(group.folder.join("memory.stat"))?,
            version: group.version,
        })
    }

    /// Memory of the group without what the system can reclaim: file pages and, in version 2,
    /// slabs.
    fn read(&self) -> Option<u64> {
        let usage: u64 = read(&self.usage)?.trim().parse().ok()?;
        let names: &[&str] = match self.version {
            Version::One => &["total_inactive_file", "total_active_file"],
            Version::Two => &["inactive_file", "active_file", "slab_reclaimable"],
        };
        let stat = read(&self.stat)?;
        let figures = stat.lines().filter_map(|line| line.split_once(' '));
        let back: u64 = figures
            .filter(|(name, _)| names.contains(name))
            .filter_map(|(_, value)| value.parse::<u64>().ok())
            .sum();
        Some(usage.saturating_sub(back))
    }
}

/// The content of a file that the system generates at each read from the start.
fn read(file: &File) -> Option<String> {
    let mut buffer = vec![0; 8 << 10];
    let length = file.read_at(&mut buffer, 0).ok()?;
    buffer.truncate(length);
    String::from_utf8(buffer).ok()
}

/// Resident set size: includes file pages, and shared pages once for each mapping (proc(5),
/// `statm`).
#[must_use]
pub fn resident_bytes() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages * page_size() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guest_limit_does_not_shrink_with_the_first_writes_of_guests() {
        let mut gauge = Gauge::of_readings(100, Vec::new());
        // Without guests.
        assert_eq!(gauge.guest_limit(Some(30), 0), 70);
        // Guests have written to none, a part, and all of the memory that they hold.
        assert_eq!(gauge.guest_limit(Some(30), 50), 70);
        assert_eq!(gauge.guest_limit(Some(60), 50), 70);
        assert_eq!(gauge.guest_limit(Some(80), 50), 70);
        // Anything above is not guest memory.
        assert_eq!(gauge.guest_limit(Some(90), 50), 60);
        // Without guests, the figure is exact again.
        assert_eq!(gauge.guest_limit(Some(20), 0), 80);
        assert_eq!(gauge.guest_limit(Some(200), 0), 0);
    }

    #[test]
    fn a_figure_that_cannot_be_read_keeps_its_last_value() {
        let mut gauge = Gauge::of_readings(100, Vec::new());
        assert_eq!(gauge.guest_limit(None, 0), 100);
        assert_eq!(gauge.guest_limit(Some(30), 0), 70);
        assert_eq!(gauge.guest_limit(None, 0), 70);
    }

    #[test]
    fn file_pages_of_a_control_group_do_not_count_in_v1_and_v2() {
        let stat_1 = "cache 500\nrss 400\nmapped_file 40\ninactive_file 1\nactive_file 2\n\
                      hierarchical_memory_limit 1000\ntotal_cache 500\ntotal_inactive_file 100\n\
                      total_active_file 200\n";
        let stat_2 = "anon 400\nfile 500\nshmem 200\ninactive_file 100\nactive_file 200\n\
                      slab_reclaimable 50\nslab 80\n";
        for (version, usage, stat, expected) in [
            (Version::One, "memory.usage_in_bytes", stat_1, 600),
            (Version::Two, "memory.current", stat_2, 550),
        ] {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join(usage), "900\n").unwrap();
            fs::write(folder.path().join("memory.stat"), stat).unwrap();
            let group = Group {
                folder: folder.path().to_owned(),
                version,
                limit_bytes: 1000,
            };
            let mut gauge = Gauge::of_group(&group, 800).unwrap();
            assert_eq!(gauge.read(), Some(expected), "{version:?}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn anonymous_memory_of_the_process_counts_and_file_pages_do_not() {
        let mut gauge = Gauge::of_process(u64::MAX).unwrap();
        let before = gauge.read().unwrap();
        let resident = resident_bytes().unwrap();
        // The program itself consists of file pages.
        assert!(before < resident, "{before} of {resident}");
        let taken = vec![1_u8; 64 << 20];
        let after = gauge.read().unwrap();
        assert!(after >= before + (48 << 20), "{before}, then {after}");
        drop(taken);
    }
}
