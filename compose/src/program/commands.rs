//! One function for each command.

use std::io::{self, Write};

use anyhow::{Context, Error};
use compose::{
    Component, Cost, EnvironmentError, Linked, Report, World, check, environment, fuse, link,
};

use super::cli::{Check, Cli, Command, Env, Fuse, Link, WorldName};
use super::files::{read_component, write_output};

/// What a command that ran came to.
pub(crate) enum Outcome {
    /// It did what it was asked for.
    Done,
    /// The component does not fit, and the reasons were printed.
    CheckFailed,
}

/// Why a command did not run to its end.
pub(crate) enum Failure {
    /// The command line cannot be used.
    Usage(Error),
    /// Anything else.
    Run(Error),
}

impl Failure {
    pub(crate) fn cause(&self) -> &Error {
        match self {
            Self::Usage(error) | Self::Run(error) => error,
        }
    }

    pub(crate) fn is_usage(&self) -> bool {
        matches!(self, Self::Usage(_))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Run(error)
    }
}

/// Runs the command of the command line.
pub(crate) fn run(cli: Cli) -> Result<Outcome, Failure> {
    match cli.command {
        Command::Link(arguments) => run_link(&arguments)?,
        Command::Env(arguments) => run_env(arguments)?,
        Command::Fuse(arguments) => run_fuse(&arguments)?,
        Command::Check(arguments) => return Ok(run_check(&arguments)?),
    }
    Ok(Outcome::Done)
}

fn run_link(arguments: &Link) -> Result<(), Error> {
    let root = read_component(&arguments.root)?;
    let parts = arguments
        .parts
        .iter()
        .map(|path| read_component(path))
        .collect::<Result<Vec<Component>, Error>>()?;
    let linked = link(&root, &parts)?;
    write_output(&arguments.output, &linked.bytes)?;
    describe(&linked, &mut io::stderr().lock()).context("cannot write to standard error")
}

fn describe(linked: &Linked, out: &mut impl Write) -> io::Result<()> {
    for wire in &linked.wires {
        writeln!(out, "{wire}")?;
    }
    for import in &linked.imports {
        writeln!(out, "import {import}")?;
    }
    for export in &linked.exports {
        writeln!(out, "export {export}")?;
    }
    writeln!(out, "{} bytes", linked.bytes.len())
}

fn run_env(arguments: Env) -> Result<(), Failure> {
    let bytes = environment(arguments.variables).map_err(|error| match error {
        EnvironmentError::Wit(_) | EnvironmentError::Encode(_) => Failure::Run(error.into()),
        // The variables themselves: they come from the command line.
        _ => Failure::Usage(Error::new(error).context("cannot use `--set`")),
    })?;
    Ok(write_output(&arguments.output, &bytes)?)
}

fn run_fuse(arguments: &Fuse) -> Result<(), Error> {
    let component = read_component(&arguments.file)?;
    let fused = fuse(&component).with_context(|| format!("`{}`", arguments.file.display()))?;
    write_output(&arguments.output, &fused.bytes)?;
    let mut stderr = io::stderr().lock();
    print_cost(component.name(), fused.before, &mut stderr)
        .and_then(|()| print_cost("fused", fused.after, &mut stderr))
        .and_then(|()| writeln!(stderr, "{} bytes", fused.bytes.len()))
        .context("cannot write to standard error")
}

fn print_cost(name: &str, cost: Cost, out: &mut impl Write) -> io::Result<()> {
    let Cost {
        core_instances,
        memories,
        tables,
    } = cost;
    writeln!(
        out,
        "{name}: {core_instances} core instances, {memories} memories, {tables} tables"
    )
}

fn run_check(arguments: &Check) -> Result<Outcome, Error> {
    let component = read_component(&arguments.file)?;
    let world = match arguments.world {
        WorldName::Proxy => World::wasi_http_proxy()?,
    };
    let report = check(&component, &world);
    print_report(&report, &mut io::stdout().lock()).context("cannot write to standard output")?;
    Ok(if report.passes() {
        Outcome::Done
    } else {
        Outcome::CheckFailed
    })
}

fn print_report(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let Report {
        component, world, ..
    } = report;
    if report.passes() {
        writeln!(out, "`{component}` runs on any host of `{world}`")?;
        for import in &report.imports {
            writeln!(out, "import {import}")?;
        }
    } else {
        writeln!(
            out,
            "`{component}` does not run on a plain host of `{world}`"
        )?;
        for finding in &report.findings {
            writeln!(out, "{finding}")?;
        }
    }
    Ok(())
}
