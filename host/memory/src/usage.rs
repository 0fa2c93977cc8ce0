//! What the system says of the memory of this process and its control groups.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

use rustix::param::page_size;

use super::system::{Group, Version};

/// The figure that one limit is for, and that limit.
#[derive(Debug)]
pub(super) struct Gauge {
    source: Source,
    limit_bytes: u64,
    /// What of it is not the memory of guests, as far as that is known.
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
    /// What this process alone holds. None where the system does not say it.
    pub(super) fn of_process(limit_bytes: u64) -> Option<Self> {
        let process = Process {
            status: File::open("/proc/self/status").ok()?,
            image_bytes: 0,
            image_age: 0,
        };
        Some(Self::new(Source::Process(process), limit_bytes))
    }

    /// What the processes of a control group have.
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

    /// How much of the limit there is for guests if the figure is `used`, of which guests
    /// may have written to `held` bytes.
    ///
    /// Not all of that may have been written to, so what else there is lies between the
    /// difference and all of it. What was known of it before holds as long as it can be
    /// true; without guests it is known exactly.
    pub(super) fn guest_limit(&mut self, used: Option<u64>, held: u64) -> u64 {
        if let Some(used) = used {
            let own = self.other_bytes.unwrap_or(used);
            self.other_bytes = Some(own.clamp(used.saturating_sub(held), used));
        }
        let own = self.other_bytes.unwrap_or_default();
        self.limit_bytes.saturating_sub(own)
    }
}

/// How many readings pass until the images are looked for again.
const IMAGE_REFRESH_READINGS: u32 = 50;

#[derive(Debug)]
struct Process {
    /// Kept open, because file descriptors may have run out when it is read.
    status: File,
    image_bytes: u64,
    /// How many readings ago that was found.
    image_age: u32,
}

impl Process {
    /// The anonymous memory of the process, and the images of memories that are in no file.
    ///
    /// Such an image counts as shared memory once for each memory of the pool that maps it,
    /// and is there once: so its file counts instead. One that is in a file of compiled code
    /// counts for nothing: the system can take its pages back.
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

/// The size of all images of memories that are in no file (`memfd_create(2)`).
fn image_bytes() -> io::Result<u64> {
    /// What wasmtime calls them.
    const IMAGE: &str = "/memfd:wasm-memory-image";
    /// The unit of `st_blocks`.
    const BLOCK_BYTES: u64 = 512;

    let mut bytes = 0;
    for entry in fs::read_dir("/proc/self/fd")? {
        let path = entry?.path();
        // What is closed meanwhile is gone.
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

/// Where a control group says what it has.
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

    /// What the group has, less what the system can take back: pages of files, and in
    /// version 2 also what it keeps of file systems.
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

/// The content of such a file, which the system generates for each reading from its beginning.
fn read(file: &File) -> Option<String> {
    let mut buffer = vec![0; 8 << 10];
    let length = file.read_at(&mut buffer, 0).ok()?;
    buffer.truncate(length);
    String::from_utf8(buffer).ok()
}

/// How much memory the system calls resident: also what the process only reads from files,
/// and shared pages as often as they are mapped (proc(5), `statm`).
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
    fn memory_of_guests_that_they_have_not_written_to_is_not_for_others() {
        let mut gauge = Gauge::of_readings(100, Vec::new());
        // Without guests.
        assert_eq!(gauge.guest_limit(Some(30), 0), 70);
        // They have written to nothing, to a part, and to all of what they instance.
        assert_eq!(gauge.guest_limit(Some(30), 50), 70);
        assert_eq!(gauge.guest_limit(Some(60), 50), 70);
        assert_eq!(gauge.guest_limit(Some(80), 50), 70);
        // What is more than that is not theirs.
        assert_eq!(gauge.guest_limit(Some(90), 50), 60);
        // Without guests it is known again.
        assert_eq!(gauge.guest_limit(Some(20), 0), 80);
        assert_eq!(gauge.guest_limit(Some(200), 0), 0);
    }

    #[test]
    fn a_figure_that_cannot_be_read_stays_as_it_was() {
        let mut gauge = Gauge::of_readings(100, Vec::new());
        assert_eq!(gauge.guest_limit(None, 0), 100);
        assert_eq!(gauge.guest_limit(Some(30), 0), 70);
        assert_eq!(gauge.guest_limit(None, 0), 70);
    }

    #[test]
    fn pages_of_files_do_not_count_for_a_group_of_either_version() {
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
    fn anonymous_memory_counts_and_pages_of_files_do_not() {
        let mut gauge = Gauge::of_process(u64::MAX).unwrap();
        let before = gauge.read().unwrap();
        let resident = resident_bytes().unwrap();
        // The program itself is a file.
        assert!(before < resident, "{before} of {resident}");
        let taken = vec![1_u8; 64 << 20];
        let after = gauge.read().unwrap();
        assert!(after >= before + (48 << 20), "{before}, then {after}");
        drop(taken);
    }
}
