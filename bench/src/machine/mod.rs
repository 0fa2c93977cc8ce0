//! The machine: names, accounting, noise.
//!
//! - this file: names of the processor, the kernel and the programs.
//! - [`kernel`]: the kernel's accounting.
//! - [`rest`]: the memory of an idle server.
//! - [`noise`]: disturbances by other programs.

pub(crate) mod kernel;
pub(crate) mod noise;
pub(crate) mod rest;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::available_parallelism;

use serde::Serialize;

use crate::measure::Bench;
use crate::servers::programs::workspace;

/// The machine, the programs and the date of a measurement.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) date: String,
    pub(crate) processor: String,
    pub(crate) processors: usize,
    pub(crate) virtualized: bool,
    pub(crate) kernel: String,
    pub(crate) commit: String,
    pub(crate) versions: Vec<String>,
}

impl Machine {
    /// Queries the machine and the programs.
    pub(crate) fn look(bench: &Bench) -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let cpuinfo = read("/proc/cpuinfo");
        let version = |program: &Path| first_line(Command::new(program).arg("--version"));
        Self {
            date: jiff::Timestamp::now()
                .strftime("%Y-%m-%d %H:%M UTC")
                .to_string(),
            processor: processor(&cpuinfo),
            processors: available_parallelism().map_or(1, usize::from),
            virtualized: cpuinfo.contains(" hypervisor"),
            kernel: format!("Linux {}", read("/proc/sys/kernel/osrelease").trim()),
            commit: first_line(Command::new("git").arg("-C").arg(workspace()).args([
                "describe",
                "--always",
                "--dirty",
                "--abbrev=10",
            ])),
            versions: vec![
                version(&bench.programs.ours),
                version(&bench.programs.wasmtime),
                version(Path::new("rustc")),
                bench.wrk.version.clone(),
            ],
        }
    }

    /// One line for the head of a table or a plot.
    pub(crate) fn line(&self) -> String {
        let Self {
            processor,
            processors,
            kernel,
            date,
            ..
        } = self;
        let kind = if self.virtualized {
            "virtual machine, "
        } else {
            ""
        };
        format!("{processor}, {processors} processors, {kind}{kernel}, {date}")
    }
}

fn processor(cpuinfo: &str) -> String {
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let model = model.and_then(|rest| rest.split_once(':'));
    model.map_or_else(
        || format!("unknown {}", std::env::consts::ARCH),
        |(_, model)| model.trim().to_owned(),
    )
}

/// The first line that a program prints, or `unknown`.
fn first_line(command: &mut Command) -> String {
    let output = command
        .output()
        .map(|output| output.stdout)
        .unwrap_or_default();
    String::from_utf8_lossy(&output)
        .lines()
        .next()
        .unwrap_or("unknown")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_has_the_model_name_of_cpuinfo() {
        assert_eq!(
            processor("processor\t: 0\nmodel name\t: AMD EPYC\n"),
            "AMD EPYC"
        );
    }

    #[test]
    fn a_processor_without_a_model_name_is_unknown() {
        assert!(processor("processor\t: 0\n").starts_with("unknown "));
    }
}
