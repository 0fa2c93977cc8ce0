//! A thousand functions in one server.
//!
//! - [`turn`]: one server of some of them.
//! - [`report`]: what all turns showed.
//! - this file: how many functions there are, and who takes turns.

mod report;
mod turn;

use std::fs;

use anyhow::{Context, Result};
use serde::Serialize;

use super::{CONNECTIONS, MESSAGE};
use crate::figures::stats::Summary;
use crate::functions::{Folder, cold};
use crate::load::job::Job;
use crate::measure::{Bench, Case, Row};
use crate::report::Report;
use crate::servers::Server;
use crate::servers::programs::part;
use turn::Turn;

/// How many functions there are.
const STEPS: [u16; 4] = [1, 10, 100, 1000];

/// What the component wants to be told.
const FLAGS: &[&str] = &["--env", "SHIFT_AMOUNT=3"];

/// A server, and what all of its turns showed.
#[derive(Serialize)]
struct Subject {
    /// How many functions it has. None if it serves the component itself.
    functions: Option<u16>,
    #[serde(skip)]
    server: Server,
    /// What it does, one for each function.
    #[serde(skip)]
    jobs: Vec<Job>,
    turns: Vec<Turn>,
    failure: Option<String>,
}

pub(super) fn run(bench: &Bench) -> Result<Report> {
    let folder = Folder::new("functions")?;
    let mut subjects = subjects(bench, &folder)?;
    let most = subjects.last().context("there is no step")?;
    let cold = cold::start(&most.server, most.jobs.len(), &most.jobs[0], &folder)?;

    let rounds = bench.turns.rounds;
    // The first round fills the caches and does not count.
    for round in 0..=rounds {
        for subject in subjects.iter_mut().filter(|one| one.failure.is_none()) {
            match Turn::take(&subject.server, &subject.jobs) {
                Ok(_) if round == 0 => {}
                Ok(turn) => {
                    let (ms, mib) = (turn.first_answer_ms, turn.fresh.all_mib);
                    eprintln!(
                        "{round}/{rounds} {}: {ms:.0} ms, {mib:.1} MiB",
                        subject.name()
                    );
                    subject.turns.push(turn);
                }
                Err(error) => {
                    eprintln!("{round}/{rounds} {} failed: {error:#}", subject.name());
                    subject.failure = Some(format!("{error:#}"));
                }
            }
        }
    }
    let rows = bench.rounds(&cases(&subjects));
    report::report(bench, cold, &subjects, &rows)
}

/// The component itself, and as many functions of it as each step says.
fn subjects(bench: &Bench, folder: &Folder) -> Result<Vec<Subject>> {
    let programs = &bench.programs;
    let app = part("app")?;
    let component = fs::read(&app).with_context(|| format!("cannot read `{}`", app.display()))?;
    let job = Job::Encrypt(MESSAGE.to_owned());
    let subject = |functions, server, jobs| Subject {
        functions,
        server,
        jobs,
        turns: Vec::new(),
        failure: None,
    };
    let alone = programs.ours(FLAGS).serving(&app);
    let mut subjects = vec![subject(None, alone, vec![job.clone()])];
    for step in STEPS {
        let names: Vec<String> = (0..step).map(|number| format!("f{number:04}")).collect();
        let path = format!("functions-{step}");
        folder.put_functions(&path, &names, &component)?;
        let below = |name: &String| job.clone().below([format!("/{name}")]);
        subjects.push(subject(
            Some(step),
            programs.functions(folder, &path, FLAGS),
            names.iter().map(below).collect(),
        ));
    }
    Ok(subjects)
}

/// Each server with the load of the main series on one function; and those of several also
/// on all in turn.
fn cases(subjects: &[Subject]) -> Vec<Case> {
    let case = |subject: &Subject, which: Asked, job: Job| Case {
        name: subject.case_name(which),
        server: subject.server.clone(),
        connections: CONNECTIONS,
        job,
    };
    let mut cases = Vec::new();
    for subject in subjects {
        cases.push(case(subject, Asked::One, subject.jobs[0].clone()));
        if subject.jobs.len() > 1 {
            let paths = subject.jobs.iter().map(|job| job.path().to_owned());
            let all = Job::At {
                paths: paths.collect(),
                job: subject.jobs[0].clone().into(),
            };
            cases.push(case(subject, Asked::All, all));
        }
    }
    cases
}

/// Which functions are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    One,
    All,
}

impl Subject {
    fn name(&self) -> String {
        match self.functions {
            None => "the component itself".to_owned(),
            Some(1) => "1 function".to_owned(),
            Some(count) => format!("{count} functions"),
        }
    }

    fn case_name(&self, asked: Asked) -> String {
        match (asked, self.jobs.len()) {
            (Asked::One, 1) => self.name(),
            (Asked::One, _) => format!("{}, one asked", self.name()),
            (Asked::All, _) => format!("{}, all asked in turn", self.name()),
        }
    }

    /// Its row among those of a load.
    fn row<'a>(&self, rows: &'a [Row], asked: Asked) -> Option<&'a Row> {
        let name = self.case_name(asked);
        rows.iter().find(|row| row.name == name)
    }

    /// A figure over all turns; none if one of them does not have it.
    fn summary(&self, figure: impl Fn(&Turn) -> Option<f64>) -> Option<Summary> {
        let figures: Option<Vec<f64>> = self.turns.iter().map(figure).collect();
        Summary::of(figures.filter(|_| self.failure.is_none())?)
    }
}
