//! The report of a series: printed, and written to the files of the release.

mod files;
pub(crate) mod table;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};

use crate::figures::goals::Verdict;
use crate::machine::Machine;
use crate::measure::{Bench, Target, noise};
use crate::plot::Plot;
use table::Table;

/// The report of a series.
pub(crate) struct Report {
    /// Name of the series.
    pub(crate) name: &'static str,
    /// What was measured, in a sentence or two.
    pub(crate) about: String,
    /// Number and length of the turns.
    pub(crate) turns: String,
    pub(crate) table: Table,
    pub(crate) verdicts: Vec<Verdict>,
    /// Disturbances of the measurement.
    pub(crate) warnings: Vec<String>,
    /// Servers that did not answer correctly, and why.
    pub(crate) failures: Vec<String>,
    /// Command lines of the servers.
    pub(crate) commands: Vec<String>,
    /// All figures.
    pub(crate) figures: Value,
    /// The picture, for the series that documents show.
    pub(crate) plot: Option<Plot>,
}

impl Report {
    /// The report on targets, without its verdicts.
    pub(crate) fn new(
        name: &'static str,
        about: impl Into<String>,
        turns: impl Into<String>,
        table: Table,
        targets: &[Target],
    ) -> Result<Self> {
        let failure = |one: &Target| Some(format!("`{}`: {}", one.name, one.failure.as_ref()?));
        let mut commands: Vec<_> = targets.iter().map(|one| one.server.shown()).collect();
        let mut seen = BTreeSet::new();
        commands.retain(|command| seen.insert(command.clone()));
        Ok(Self {
            name,
            about: about.into(),
            turns: turns.into(),
            table,
            verdicts: Vec::new(),
            warnings: noise::during(targets),
            failures: targets.iter().filter_map(failure).collect(),
            commands,
            figures: serde_json::to_value(targets)?,
            plot: None,
        })
    }
}

/// One run of the program, with what all its reports have in common.
pub(crate) struct Run {
    machine: Machine,
    warnings: Vec<String>,
}

impl Run {
    /// Checks the machine before anything is measured.
    pub(crate) fn begin(bench: &Bench) -> Result<Self> {
        let machine = Machine::look(&bench.programs, &bench.wrk_version);
        eprintln!("{}", machine.description);
        let warnings = noise::before()?;
        for warning in &warnings {
            eprintln!("warning: {warning}");
        }
        Ok(Self { machine, warnings })
    }

    /// Prints a report and writes it to the files of the release. `order` has the names of all
    /// series.
    pub(crate) fn publish(&self, report: &Report, order: &[&str], folder: &Path) -> Result<()> {
        let text = self.text(report);
        println!("\n{text}");
        files::write(folder, order, report.name, &text, self.json(report))?;
        if let Some(plot) = &report.plot {
            files::write_picture(folder, report.name, &plot.svg(&self.machine.description))?;
        }
        Ok(())
    }

    fn text(&self, report: &Report) -> String {
        let Report {
            name, about, table, ..
        } = report;
        let mut text = format!("## {name}\n\n{about}\n\n{table}\n");
        let mut list = |heading: &str, items: Vec<String>| {
            if !items.is_empty() {
                let _ = writeln!(text, "{heading}:\n\n- {}\n", items.join("\n- "));
            }
        };
        let goals = "Goals: median, and range of single rounds (a question mark: these disagree)";
        list(
            goals,
            report.verdicts.iter().map(ToString::to_string).collect(),
        );
        list("Failed", report.failures.clone());
        let noisy = "**Too noisy: do not rely on these figures**";
        list(noisy, self.all_warnings(report));
        let command = |line: &String| format!("`{line}`");
        list("Servers", report.commands.iter().map(command).collect());
        let (machine, turns) = (&self.machine, &report.turns);
        let (description, commit) = (&machine.description, &machine.commit);
        let versions = machine.versions.join("; ");
        text + &format!("{description}. {turns}. Commit {commit}; {versions}.\n")
    }

    fn json(&self, report: &Report) -> Value {
        json!({
            "series": report.name,
            "about": report.about,
            "turns": report.turns,
            "machine": self.machine,
            "warnings": self.all_warnings(report),
            "failures": report.failures,
            "goals": report.verdicts,
            "figures": report.figures,
        })
    }

    fn all_warnings(&self, report: &Report) -> Vec<String> {
        [self.warnings.as_slice(), &report.warnings].concat()
    }
}
