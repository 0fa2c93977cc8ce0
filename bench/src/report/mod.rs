//! The report of a series: printed, and written to the files of the release.

mod files;
pub(crate) mod table;

use std::fmt::Write;
use std::path::Path;

use anyhow::Result;
use serde::Serialize;
use serde_json::{Value, json};

use crate::figures::goals::Verdict;
use crate::machine::Machine;
use crate::machine::noise;
use crate::measure::{Bench, Row};
use crate::plot::Plot;
use crate::series::target::{Target, commands};
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
    /// Command line of each server.
    pub(crate) commands: Vec<(String, String)>,
    /// All figures.
    pub(crate) figures: Value,
    /// The picture, for the series that documents show.
    pub(crate) plot: Option<Plot>,
}

impl Report {
    pub(crate) fn new(
        name: &'static str,
        about: impl Into<String>,
        turns: String,
        table: Table,
    ) -> Self {
        Self {
            name,
            about: about.into(),
            turns,
            table,
            verdicts: Vec::new(),
            warnings: Vec::new(),
            failures: Vec::new(),
            commands: Vec::new(),
            figures: Value::Null,
            plot: None,
        }
    }

    /// The report on rows, without what is particular to the series.
    pub(crate) fn on(
        bench: &Bench,
        rows: &[Row],
        name: &'static str,
        about: impl Into<String>,
        table: Table,
    ) -> Result<Self> {
        let failure = |row: &Row| Some(format!("`{}`: {}", row.name, row.failure.as_ref()?));
        let mut commands = Vec::new();
        for row in rows {
            let command = (row.name.clone(), row.command.clone());
            if !commands.contains(&command) {
                commands.push(command);
            }
        }
        let turns = format!("{} rounds of {} s", bench.turns.rounds, bench.turns.seconds);
        Ok(Self {
            warnings: noise::during(rows),
            failures: rows.iter().filter_map(failure).collect(),
            commands,
            figures: serde_json::to_value(rows)?,
            ..Self::new(name, about, turns, table)
        })
    }

    /// Adds figures, failures and command lines of targets.
    pub(crate) fn with<T: Serialize>(self, targets: &[Target<T>]) -> Result<Self> {
        Ok(Self {
            failures: targets.iter().filter_map(Target::failure).collect(),
            commands: commands(targets),
            figures: serde_json::to_value(targets)?,
            ..self
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
        let machine = Machine::look(bench);
        eprintln!("{}", machine.line());
        let warnings = noise::before()?;
        for warning in &warnings {
            eprintln!("warning: {warning}");
        }
        Ok(Self { machine, warnings })
    }

    /// Prints a report and writes it to the files of the release.
    pub(crate) fn publish(&self, report: &Report, folder: &Path) -> Result<()> {
        let text = self.text(report);
        println!("\n{text}");
        files::write(folder, report.name, &text, self.json(report))?;
        if let Some(plot) = &report.plot {
            files::write_picture(folder, report.name, &plot.svg(&self.machine.line()))?;
        }
        Ok(())
    }

    fn text(&self, report: &Report) -> String {
        let mut text = format!(
            "## {}\n\n{}\n\n{}\n",
            report.name, report.about, report.table
        );
        let mut list = |heading: &str, items: &[String]| {
            if !items.is_empty() {
                let _ = writeln!(text, "{heading}:\n");
                for item in items {
                    let _ = writeln!(text, "- {item}");
                }
                text.push('\n');
            }
        };
        let verdicts: Vec<_> = report.verdicts.iter().map(ToString::to_string).collect();
        list(
            "Goals: median, and range of single rounds (a question mark: these disagree)",
            &verdicts,
        );
        list("Failed", &report.failures);
        let warnings = self.all_warnings(report);
        list("**Too noisy: do not rely on these figures**", &warnings);
        let command = |(name, line): &(String, String)| format!("{name}: `{line}`");
        list(
            "Servers",
            &report.commands.iter().map(command).collect::<Vec<_>>(),
        );
        let machine = &self.machine;
        let _ = writeln!(
            text,
            "{}. {}. Commit {}; {}.",
            machine.line(),
            report.turns,
            machine.commit,
            machine.versions.join("; ")
        );
        text
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
