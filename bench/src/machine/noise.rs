//! Disturbances of a measurement by other programs.

use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;

use crate::figures::stats::Summary;
use crate::machine::kernel::machine_time;
use crate::measure::{Row, Sample};

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
    Ok(judge_before(busy_processors, passed.stolen_share()))
}

fn judge_before(busy_processors: f64, stolen: f64) -> Vec<String> {
    let mut warnings = Vec::new();
    if busy_processors > FOREIGN_PROCESSORS {
        warnings.push(format!(
            "before the start, {busy_processors:.2} processors were busy with other programs \
             (limit {FOREIGN_PROCESSORS}); end them and measure again"
        ));
    }
    if stolen > STOLEN {
        warnings.push(format!(
            "before the start, the hypervisor took {:.1} % of the machine's time (limit {} %)",
            stolen * 100.0,
            STOLEN * 100.0
        ));
    }
    warnings
}

/// Warnings about disturbances of the measurements.
pub(crate) fn during(rows: &[Row]) -> Vec<String> {
    let mut warnings = Vec::new();
    let median = |figure: fn(&Sample) -> f64| {
        Summary::of(rows.iter().flat_map(|row| &row.samples).map(figure))
            .map_or(0.0, |summary| summary.median)
    };
    let foreign = median(|sample| sample.foreign_processors);
    if foreign > FOREIGN_PROCESSORS {
        warnings.push(format!(
            "during the measurement, {foreign:.2} processors were busy with other programs \
             (limit {FOREIGN_PROCESSORS})"
        ));
    }
    let stolen = median(|sample| sample.stolen);
    if stolen > STOLEN {
        warnings.push(format!(
            "during the measurement, the hypervisor took {:.1} % of the machine's time (limit {} %)",
            stolen * 100.0,
            STOLEN * 100.0
        ));
    }
    for row in rows {
        let spread = row
            .summary(|sample| sample.cpu_us)
            .map_or(0.0, |cpu| cpu.spread());
        if spread > SPREAD {
            warnings.push(format!(
                "the rounds of `{}` ({} connections, {} bytes) are {:.0} % apart (limit {:.0} %)",
                row.name,
                row.connections,
                row.message_bytes,
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
    use crate::measure::tests::row;

    #[test]
    fn a_quiet_machine_gives_no_warning() {
        assert!(judge_before(0.02, 0.0).is_empty());
        assert!(during(&[row("ours", &[40.0, 41.0, 42.0])]).is_empty());
    }

    #[test]
    fn load_before_the_start_is_a_warning() {
        let warnings = judge_before(1.5, 0.0);
        assert!(warnings[0].contains("1.50 processors"), "{warnings:?}");
    }

    #[test]
    fn stolen_time_is_a_warning() {
        assert!(judge_before(0.0, 0.05)[0].contains("5.0 %"));
        let mut row = row("ours", &[40.0]);
        row.samples[0].stolen = 0.05;
        assert!(during(&[row])[0].contains("5.0 %"));
    }

    #[test]
    fn rounds_that_are_far_apart_are_a_warning() {
        let warnings = during(&[row("ours", &[40.0, 41.0]), row("peer", &[40.0, 60.0])]);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains("`peer`"), "{warnings:?}");
    }

    #[test]
    fn other_programs_during_the_measurement_are_a_warning() {
        let mut row = row("ours", &[40.0]);
        row.samples[0].foreign_processors = 0.7;
        assert!(during(&[row])[0].contains("0.70 processors"));
    }
}
