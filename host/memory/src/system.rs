//! The memory that there is for this process: of the machine, and of its control groups.

use std::fs;
use std::path::{Path, PathBuf};

/// The memory that there is for this process: that of the machine, or the least limit of
/// the control groups that it is in. `root` is the root of the file system.
pub(super) fn available(root: &Path) -> Option<u64> {
    let limits = groups(root).into_iter().map(|group| group.limit_bytes);
    limits.chain(machine(root)).min()
}

/// A control group with a limit on memory.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) folder: PathBuf,
    pub(super) version: Version,
    pub(super) limit_bytes: u64,
}

/// The version of control groups (cgroups(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    One,
    Two,
}

/// The control groups with a limit that this process is in.
pub(super) fn groups(root: &Path) -> Vec<Group> {
    let own = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    own.lines()
        .flat_map(|line| limited_groups(root, line))
        .collect()
}

/// The memory of the machine.
fn machine(root: &Path) -> Option<u64> {
    machine_bytes(root, "MemTotal:")
}

/// The memory of the machine that programs can get without swapping.
pub(super) fn machine_unused(root: &Path) -> Option<u64> {
    machine_bytes(root, "MemAvailable:")
}

/// A figure of `meminfo` (proc(5)).
fn machine_bytes(root: &Path, name: &str) -> Option<u64> {
    let text = fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let kibibytes: u64 = line?.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// A control group and those that it is in, as far as they have a limit. `line` is one of
/// `/proc/self/cgroup` (cgroups(7)): `0::PATH` in version 2, `NUMBER:memory:PATH` in
/// version 1.
fn limited_groups(root: &Path, line: &str) -> Vec<Group> {
    let mut fields = line.splitn(3, ':').skip(1);
    let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else {
        return Vec::new();
    };
    let (version, mount, file) = match controllers {
        "" => (Version::Two, "sys/fs/cgroup", "memory.max"),
        _ if controllers.split(',').any(|name| name == "memory") => (
            Version::One,
            "sys/fs/cgroup/memory",
            "memory.limit_in_bytes",
        ),
        _ => return Vec::new(),
    };
    let mount = root.join(mount);
    // In a container, the path may be that outside of it. Then only its end is there: the
    // mount itself.
    Path::new(path.trim_start_matches('/'))
        .ancestors()
        .filter_map(|group| {
            let folder = mount.join(group);
            // A group without a limit says `max`, or a very large number.
            let limit = fs::read_to_string(folder.join(file)).ok()?;
            let limit_bytes = limit
                .trim()
                .parse()
                .ok()
                .filter(|&limit| limit < NO_LIMIT)?;
            Some(Group {
                folder,
                version,
                limit_bytes,
            })
        })
        .collect()
}

/// What version 1 says of a group without a limit is about this much (`PAGE_COUNTER_MAX`).
const NO_LIMIT: u64 = 1 << 62;

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
}
