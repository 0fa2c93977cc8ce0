//! The kernel's accounting, from `/proc`.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::param::clock_ticks_per_second;

/// Processor time of all threads of a process.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ProcessorTime {
    pub(crate) user: Duration,
    pub(crate) system: Duration,
    /// Processor time of its children that were waited for.
    pub(crate) children: Duration,
}

impl ProcessorTime {
    /// The difference to an earlier time.
    pub(crate) fn since(&self, then: &Self) -> Self {
        Self {
            user: self.user.saturating_sub(then.user),
            system: self.system.saturating_sub(then.system),
            children: self.children.saturating_sub(then.children),
        }
    }

    /// The sum, with the children.
    pub(crate) fn total(&self) -> Duration {
        self.user + self.system + self.children
    }
}

/// Memory of a process, in KiB.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Memory {
    pub(crate) resident_kib: u64,
    pub(crate) peak_kib: u64,
}

/// Time of all processors since the start of the machine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct MachineTime {
    pub(crate) busy: Duration,
    pub(crate) idle: Duration,
    /// Time that a hypervisor took away.
    pub(crate) stolen: Duration,
}

impl MachineTime {
    /// The difference to an earlier time. The kernel sometimes decreases `idle`.
    pub(crate) fn since(&self, then: &Self) -> Self {
        Self {
            busy: self.busy.saturating_sub(then.busy),
            idle: self.idle.saturating_sub(then.idle),
            stolen: self.stolen.saturating_sub(then.stolen),
        }
    }

    /// The share of the stolen time.
    pub(crate) fn stolen_share(&self) -> f64 {
        let all = (self.busy + self.idle + self.stolen).as_secs_f64();
        if all > 0.0 {
            self.stolen.as_secs_f64() / all
        } else {
            0.0
        }
    }
}

/// Processor time of a process so far.
pub(crate) fn processor_time(pid: u32) -> Result<ProcessorTime> {
    let stat = read(&format!("/proc/{pid}/stat"))?;
    parse_stat(&stat, clock_ticks_per_second())
        .with_context(|| format!("cannot parse `/proc/{pid}/stat`"))
}

/// Memory of a process, now and at its peak.
pub(crate) fn memory(pid: u32) -> Result<Memory> {
    let status = read(&format!("/proc/{pid}/status"))?;
    parse_status(&status).with_context(|| format!("cannot parse `/proc/{pid}/status`"))
}

/// Memory of a process in KiB, with shared pages in proportion (PSS).
pub(crate) fn proportional_kib(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/smaps_rollup");
    kib(&read(&path)?, "Pss:").with_context(|| format!("cannot parse `{path}`"))
}

/// Private memory of a process, in KiB.
pub(crate) fn private_kib(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = read(&path)?;
    let private = kib(&text, "Private_Clean:").zip(kib(&text, "Private_Dirty:"));
    let (clean, dirty) = private.with_context(|| format!("cannot parse `{path}`"))?;
    Ok(clean + dirty)
}

/// Written private memory of a process, in KiB.
pub(crate) fn private_dirty_kib(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/smaps_rollup");
    kib(&read(&path)?, "Private_Dirty:").with_context(|| format!("cannot parse `{path}`"))
}

/// Time of the machine so far.
pub(crate) fn machine_time() -> Result<MachineTime> {
    parse_machine(&read("/proc/stat")?, clock_ticks_per_second())
        .context("cannot parse `/proc/stat`")
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(path)
        .with_context(|| format!("cannot read `{path}`; the benchmark needs Linux"))
}

/// Fields 14 to 17 of `proc_pid_stat(5)`. The second is the name of the program in parentheses,
/// with any character in it.
fn parse_stat(text: &str, ticks_per_second: u64) -> Option<ProcessorTime> {
    let (_, fields) = text.rsplit_once(')')?;
    let mut ticks = fields.split_whitespace().skip(11).map(str::parse::<u64>);
    let mut next = || Some(duration(ticks.next()?.ok()?, ticks_per_second));
    let (user, system) = (next()?, next()?);
    let children = next()? + next()?;
    Some(ProcessorTime {
        user,
        system,
        children,
    })
}

fn parse_status(text: &str) -> Option<Memory> {
    Some(Memory {
        resident_kib: kib(text, "VmRSS:")?,
        peak_kib: kib(text, "VmHWM:")?,
    })
}

/// The figure on the line that starts with `key`.
fn kib(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// The first line of `proc_stat(5)`: user, nice, system, idle, iowait, irq,
/// softirq, steal. The time of virtual machines is part of `user`.
fn parse_machine(text: &str, ticks_per_second: u64) -> Option<MachineTime> {
    let fields = text.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<u64> = fields
        .split_whitespace()
        .map_while(|tick| tick.parse().ok())
        .collect();
    let [user, nice, system, idle, iowait, irq, softirq, stolen] = *ticks.first_chunk()?;
    let duration = |ticks| duration(ticks, ticks_per_second);
    Some(MachineTime {
        busy: duration(user + nice + system + irq + softirq),
        idle: duration(idle + iowait),
        stolen: duration(stolen),
    })
}

fn duration(ticks: u64, ticks_per_second: u64) -> Duration {
    Duration::from_nanos(ticks * (1_000_000_000 / ticks_per_second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_system_time_are_found_behind_a_name_with_parentheses_and_spaces() {
        let text = "7 (a) b) S 1 7 7 0 -1 4194560 361 606 0 76 250 109 4 5 20 0 13 0 25";
        let time = parse_stat(text, 100).unwrap();
        assert_eq!(time.user, Duration::from_millis(2_500));
        assert_eq!(time.system, Duration::from_millis(1_090));
        assert_eq!(time.children, Duration::from_millis(90));
    }

    #[test]
    fn a_short_stat_is_invalid() {
        assert_eq!(parse_stat("7 (a) S 1 7 7", 100), None);
    }

    #[test]
    fn memory_is_read_in_kib() {
        let text = "Name:\tnative\nVmHWM:\t    5120 kB\nVmRSS:\t    4096 kB\nThreads:\t3\n";
        let expected = Memory {
            resident_kib: 4096,
            peak_kib: 5120,
        };
        assert_eq!(parse_status(text), Some(expected));
    }

    #[test]
    fn a_process_without_memory_figures_is_invalid() {
        assert_eq!(parse_status("Name:\tzombie\n"), None);
    }

    #[test]
    fn pss_is_not_confused_with_its_parts() {
        let text = "Rss:   5000 kB\nPss_Anon:   3000 kB\nPss:   4000 kB\n";
        assert_eq!(kib(text, "Pss:"), Some(4000));
    }

    #[test]
    fn iowait_counts_as_idle_and_steal_does_not() {
        let time = parse_machine("cpu  100 20 30 400 50 6 7 8 90 0\ncpu0 1 2 3\n", 100).unwrap();
        assert_eq!(time.busy, Duration::from_millis(1_630));
        assert_eq!(time.idle, Duration::from_millis(4_500));
        assert_eq!(time.stolen, Duration::from_millis(80));
    }

    #[test]
    fn the_accounting_of_this_process_is_readable() {
        let pid = std::process::id();
        processor_time(pid).unwrap();
        let memory = memory(pid).unwrap();
        assert!(memory.peak_kib >= memory.resident_kib && memory.resident_kib > 0);
        assert!(proportional_kib(pid).unwrap() > 0);
        assert!(private_kib(pid).unwrap() > 0);
        assert!(private_dirty_kib(pid).unwrap() > 0);
        assert!(machine_time().unwrap().busy > Duration::ZERO);
    }
}
