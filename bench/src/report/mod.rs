//! What a series found: printed, and written as Markdown, JSON and SVG.

pub(crate) mod table;

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::figures::goals::Verdict;
use crate::machine::Machine;
use crate::machine::noise;
use crate::measure::{Bench, Row};
use crate::plot::Plot;
use crate::servers::programs::workspace;
use table::Table;

/// What a series found.
pub(crate) struct Report {
    /// The name of the series and of its files.
    pub(crate) name: &'static str,
    /// What was measured, in a sentence or two.
    pub(crate) about: String,
    /// How often and how long.
    pub(crate) turns: String,
    pub(crate) table: Table,
    pub(crate) verdicts: Vec<Verdict>,
    /// What disturbed the measurement.
    pub(crate) warnings: Vec<String>,
    /// The servers that did not answer as they should, and why.
    pub(crate) failures: Vec<String>,
    /// Each server that was measured, and its command line.
    pub(crate) commands: Vec<(String, String)>,
    /// Every single figure.
    pub(crate) figures: Value,
    pub(crate) plot: Plot,
}

impl Report {
    /// The report on rows; what they show in particular is for the series to say.
    pub(crate) fn on(
        bench: &Bench,
        rows: &[Row],
        name: &'static str,
        about: impl Into<String>,
        table: Table,
        plot: Plot,
    ) -> Result<Self> {
        let failure = |row: &Row| Some(format!("`{}`: {}", row.name, row.failure.as_ref()?));
        let mut commands = Vec::new();
        for row in rows {
            let command = (row.name.clone(), row.command.clone());
            if !commands.contains(&command) {
                commands.push(command);
            }
        }
        Ok(Self {
            name,
            about: about.into(),
            turns: format!("{} rounds of {} s", bench.turns.rounds, bench.turns.seconds),
            table,
            verdicts: Vec::new(),
            warnings: noise::during(rows),
            failures: rows.iter().filter_map(failure).collect(),
            commands,
            figures: serde_json::to_value(rows)?,
            plot,
        })
    }
}

/// One run of the program: what all series of it have in common.
pub(crate) struct Run {
    machine: Machine,
    warnings: Vec<String>,
}

impl Run {
    /// Looks at the machine before anything is measured.
    pub(crate) fn begin(bench: &Bench) -> Result<Self> {
        let machine = Machine::look(bench);
        eprintln!("{}", machine.line());
        let warnings = noise::before()?;
        for warning in &warnings {
            eprintln!("warning: {warning}");
        }
        Ok(Self { machine, warnings })
    }

    /// Prints a report and writes `name.md`, `name.json` and `name.svg`.
    pub(crate) fn publish(&self, report: &Report, folder: &Path) -> Result<()> {
        let text = self.text(report);
        println!("\n{text}");
        let json = serde_json::to_string_pretty(&self.json(report))? + "\n";
        let svg = report.plot.svg(&self.machine.line());
        let folder_shown = folder.strip_prefix(workspace()).unwrap_or(folder).display();
        fs::create_dir_all(folder).with_context(|| format!("cannot make `{folder_shown}`"))?;
        for (extension, content) in [("md", text), ("json", json), ("svg", svg)] {
            let path = folder.join(format!("{}.{extension}", report.name));
            fs::write(&path, content)
                .with_context(|| format!("cannot write `{}`", path.display()))?;
        }
        println!(
            "written to {folder_shown}/{}.md, .json and .svg",
            report.name
        );
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
            "Goals: median, and range of single rounds (a question mark: some of these say otherwise)",
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
