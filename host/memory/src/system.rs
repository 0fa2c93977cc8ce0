//! Total and available memory, of the machine and of the control groups of this process.

use std::fs;
use std::path::{Path, PathBuf};

/// Total memory for this process: that of the machine, or the lowest limit of its control groups.
/// `root` is the root of the file system.
pub(super) fn total_bytes(root: &Path) -> Option<u64> {
    let limits = groups(root).into_iter().map(|group| group.limit_bytes);
    limits.chain(machine_total(root)).min()
}

/// A control group with a memory limit.
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

/// The control groups of this process that have a memory limit.
pub(super) fn groups(root: &Path) -> Vec<Group> {
    let own = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    own.lines()
        .flat_map(|line| limited_groups(root, line))
        .collect()
}

/// Total memory of the machine.
fn machine_total(root: &Path) -> Option<u64> {
    machine_bytes(root, "MemTotal:")
}

/// Memory of the machine that is available to programs without swapping.
pub(super) fn machine_available(root: &Path) -> Option<u64> {
    machine_bytes(root, "MemAvailable:")
}

/// A figure of `meminfo` (proc(5)).
fn machine_bytes(root: &Path, name: &str) -> Option<u64> {
    let text = fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let kibibytes: u64 = line?.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// A control group and its ancestors, as far as they have a limit. `line` is one of
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
    // In a container, the path may be the one outside of it, of which only the mount point exists.
    Path::new(path.trim_start_matches('/'))
        .ancestors()
        .filter_map(|group| {
            let folder = mount.join(group);
            // Without a limit, the value is `max` or a very large number.
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

/// The value of version 1 without a limit is larger than this (`PAGE_COUNTER_MAX`).
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
    fn without_control_groups_the_total_is_that_of_the_machine() {
        assert_eq!(total_bytes(root(&[MEMINFO]).path()), Some(4_096_000));
        assert_eq!(total_bytes(root(&[]).path()), None);
    }

    #[test]
    fn the_lowest_limit_of_all_ancestor_groups_counts() {
        let files = [
            MEMINFO,
            ("proc/self/cgroup", "0::/system.slice/app.service\n"),
            (
                "sys/fs/cgroup/system.slice/app.service/memory.max",
                "2000000\n",
            ),
            ("sys/fs/cgroup/system.slice/memory.max", "1000000\n"),
        ];
        assert_eq!(total_bytes(root(&files).path()), Some(1_000_000));
    }

    #[test]
    fn a_group_with_memory_max_max_has_no_limit() {
        let files = [
            MEMINFO,
            ("proc/self/cgroup", "0::/\n"),
            ("sys/fs/cgroup/memory.max", "max\n"),
        ];
        assert_eq!(total_bytes(root(&files).path()), Some(4_096_000));
    }

    #[test]
    fn cgroup_v1_limits_count_also_inside_a_container() {
        let files = [
            MEMINFO,
            (
                "proc/self/cgroup",
                "5:cpu,cpuacct:/docker/1234\n4:memory:/docker/1234\n",
            ),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "3000000\n"),
            ("sys/fs/cgroup/memory.max", "1\n"),
        ];
        assert_eq!(total_bytes(root(&files).path()), Some(3_000_000));
    }
}
