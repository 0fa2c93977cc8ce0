//! The kernel's accounting, from `/proc`.
//!
//! The crate `procfs` is not used: it builds for Linux only, as a member of a workspace that also
//! builds on macOS.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::param::clock_ticks_per_second;

/// Resident memory of a process now, and at its peak.
pub(crate) const RESIDENT: &str = "VmRSS:";
pub(crate) const PEAK: &str = "VmHWM:";
/// Its memory with shared pages in proportion, and its private memory: unwritten, and written.
pub(crate) const PROPORTIONAL: &str = "Pss:";
pub(crate) const CLEAN: &str = "Private_Clean:";
pub(crate) const DIRTY: &str = "Private_Dirty:";

/// A process is idle when it used less than this share of a processor for this time.
const IDLE: f64 = 0.06;
const WATCHED: Duration = Duration::from_millis(200);

/// Timeout until then.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

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

/// Processor time so far of all threads of a process and of its children that were waited for, user
/// and system.
pub(crate) fn processor_time(pid: u32) -> Result<Duration> {
    let stat = read(&format!("/proc/{pid}/stat"))?;
    parse_stat(&stat, clock_ticks_per_second())
        .with_context(|| format!("cannot parse `/proc/{pid}/stat`"))
}

/// A memory figure of a process in MiB, by its key.
pub(crate) fn memory_mib(pid: u32, key: &str) -> Result<f64> {
    let file = if key.starts_with("Vm") {
        "status"
    } else {
        "smaps_rollup"
    };
    let path = format!("/proc/{pid}/{file}");
    kib(&read(&path)?, key)
        .map(|kib| f64::from(kib) / 1024.0)
        .with_context(|| format!("cannot parse `{path}`"))
}

/// Waits until a process uses next to no processor time.
pub(crate) fn wait_until_idle(pid: u32) -> Result<()> {
    let started = Instant::now();
    loop {
        let before = processor_time(pid)?;
        sleep(WATCHED);
        let used = processor_time(pid)?.saturating_sub(before);
        if used < WATCHED.mul_f64(IDLE) {
            return Ok(());
        }
        ensure!(started.elapsed() < IDLE_TIMEOUT, "it does not become idle");
    }
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
fn parse_stat(text: &str, ticks_per_second: u64) -> Option<Duration> {
    let (_, fields) = text.rsplit_once(')')?;
    let ticks = fields.split_whitespace().skip(11).take(4).map(str::parse);
    let ticks = ticks.collect::<Result<Vec<u64>, _>>().ok()?;
    (ticks.len() == 4).then(|| duration(ticks.iter().sum(), ticks_per_second))
}

/// The figure on the line that starts with `key`.
fn kib(text: &str, key: &str) -> Option<u32> {
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
        assert_eq!(parse_stat(text, 100), Some(Duration::from_millis(3_680)));
    }

    #[test]
    fn a_short_stat_is_invalid() {
        assert_eq!(parse_stat("7 (a) S 1 7 7", 100), None);
    }

    #[test]
    fn memory_is_read_in_kib() {
        let text = "Name:\tnative\nVmHWM:\t    5120 kB\nVmRSS:\t    4096 kB\nThreads:\t3\n";
        assert_eq!(kib(text, RESIDENT), Some(4096));
        assert_eq!(kib(text, PEAK), Some(5120));
    }

    #[test]
    fn a_process_without_memory_figures_is_invalid() {
        assert_eq!(kib("Name:\tzombie\n", RESIDENT), None);
    }

    #[test]
    fn pss_is_not_confused_with_its_parts() {
        let text = "Rss:   5000 kB\nPss_Anon:   3000 kB\nPss:   4000 kB\n";
        assert_eq!(kib(text, PROPORTIONAL), Some(4000));
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
        for key in [RESIDENT, PEAK, PROPORTIONAL, DIRTY] {
            assert!(memory_mib(pid, key).unwrap() > 0.0, "{key}");
        }
        assert!(memory_mib(pid, CLEAN).unwrap() >= 0.0);
        assert!(machine_time().unwrap().busy > Duration::ZERO);
    }
}
