//! The machine: its description, and the kernel's accounting ([`kernel`]).

pub(crate) mod kernel;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::available_parallelism;

use serde::Serialize;

use crate::programs::{Programs, workspace};

/// The machine, the programs and the date of a measurement.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    /// Processor, kernel and date.
    pub(crate) description: String,
    pub(crate) commit: String,
    pub(crate) versions: Vec<String>,
}

impl Machine {
    /// Queries the machine and the programs.
    pub(crate) fn look(programs: &Programs, wrk_version: &str) -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let cpuinfo = read("/proc/cpuinfo");
        let is_virtual = cpuinfo.contains(" hypervisor");
        let description = format!(
            "{}, {} processors, {}Linux {}, {}",
            processor(&cpuinfo),
            available_parallelism().map_or(1, usize::from),
            if is_virtual { "virtual machine, " } else { "" },
            read("/proc/sys/kernel/osrelease").trim(),
            jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC")
        );
        let version = |program: &Path| first_line(Command::new(program).arg("--version"));
        let mut git = Command::new("git");
        git.args(["describe", "--always", "--dirty", "--abbrev=10"]);
        Self {
            description,
            commit: first_line(git.current_dir(workspace())),
            versions: vec![
                version(&programs.ours),
                version(&programs.wasmtime),
                version(Path::new("rustc")),
                wrk_version.to_owned(),
            ],
        }
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
    let output = command.output().map(|output| output.stdout);
    let output = String::from_utf8(output.unwrap_or_default()).unwrap_or_default();
    output.lines().next().unwrap_or("unknown").to_owned()
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
