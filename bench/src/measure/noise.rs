//! Disturbances of a measurement by other programs.

use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;

use super::Target;
use crate::figures::stats::Summary;
use crate::machine::kernel::machine_time;

/// Time for which the machine is watched before the start.
const WATCHED: Duration = Duration::from_secs(1);

/// Limit for other programs, in processors.
const FOREIGN_PROCESSORS: f64 = 0.1;

/// Limit for the share of stolen time.
const STOLEN: f64 = 0.01;

/// Limit for the range of the rounds of one server, as a share of the median.
const SPREAD: f64 = 0.15;

/// Warnings about the machine before the start.
pub(crate) fn before() -> Result<Vec<String>> {
    let start = machine_time()?;
    sleep(WATCHED);
    let passed = machine_time()?.since(&start);
    let busy_processors = passed.busy.as_secs_f64() / WATCHED.as_secs_f64();
    Ok(judge(
        "before the start",
        busy_processors,
        passed.stolen_share(),
    ))
}

fn judge(when: &str, busy_processors: f64, stolen: f64) -> Vec<String> {
    let mut warnings = Vec::new();
    if busy_processors > FOREIGN_PROCESSORS {
        warnings.push(format!(
            "{when}, {busy_processors:.2} processors were busy with other programs (limit \
             {FOREIGN_PROCESSORS}); end them and measure again"
        ));
    }
    if stolen > STOLEN {
        warnings.push(format!(
            "{when}, the hypervisor took {:.1} % of the machine's time (limit {} %)",
            stolen * 100.0,
            STOLEN * 100.0
        ));
    }
    warnings
}

/// Warnings about disturbances of the measurements.
pub(crate) fn during(targets: &[Target]) -> Vec<String> {
    let median = |key| {
        let turns = targets.iter().flat_map(|target| &target.turns);
        let summary = Summary::of(turns.filter_map(|turn| turn.get(key)));
        summary.map_or(0.0, |summary| summary.median)
    };
    let when = "during the measurement";
    let mut warnings = judge(when, median("foreign_processors"), median("stolen"));
    for target in targets {
        let cpu = target.summary("cpu_us");
        let spread = cpu.map_or(0.0, |cpu| cpu.spread());
        if spread > SPREAD {
            warnings.push(format!(
                "the rounds of `{}` are {:.0} % apart (limit {:.0} %)",
                target.name,
                spread * 100.0,
                SPREAD * 100.0
            ));
        }
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::tests::{cpu, target};

    #[test]
    fn a_quiet_machine_gives_no_warning() {
        assert!(judge("", 0.02, 0.0).is_empty());
        assert!(during(&[cpu("ours", &[40.0, 41.0, 42.0])]).is_empty());
    }

    #[test]
    fn load_before_the_start_is_a_warning() {
        let warnings = judge("", 1.5, 0.0);
        assert!(warnings[0].contains("1.50 processors"), "{warnings:?}");
    }

    #[test]
    fn stolen_time_is_a_warning() {
        assert!(judge("", 0.0, 0.05)[0].contains("5.0 %"));
        let target = target("ours", &[("stolen", &[0.05])]);
        assert!(during(&[target])[0].contains("5.0 %"));
    }

    #[test]
    fn rounds_that_are_far_apart_are_a_warning() {
        let warnings = during(&[cpu("ours", &[40.0, 41.0]), cpu("peer", &[40.0, 60.0])]);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains("`peer`"), "{warnings:?}");
    }

    #[test]
    fn other_programs_during_the_measurement_are_a_warning() {
        let target = target("ours", &[("foreign_processors", &[0.5])]);
        assert!(during(&[target])[0].contains("0.50 processors"));
    }
}
