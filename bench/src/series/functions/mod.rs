//! A thousand functions in one server.
//!
//! - [`turn`]: one server of some of them.
//! - [`report`]: the report on all turns.
//! - this file: the servers.

mod report;
mod turn;

use std::fs;

use anyhow::{Context, Result};
use serde::Serialize;

use super::target::Target;
use super::{CONNECTIONS, MESSAGE};
use crate::functions::{Folder, cold};
use crate::load::job::Job;
use crate::measure::{Bench, Case, Row};
use crate::report::Report;
use crate::servers::programs::part;
use turn::Turn;

/// Numbers of functions.
const STEPS: [u16; 4] = [1, 10, 100, 1000];

/// Flags that the component needs.
const FLAGS: &[&str] = &["--env", "SHIFT_AMOUNT=3"];

/// A server of functions, or of the component itself.
#[derive(Serialize)]
struct Functions {
    /// Number of functions; `None` for the component itself.
    #[serde(rename = "functions")]
    count: Option<u16>,
    /// One job for each function.
    #[serde(skip)]
    jobs: Vec<Job>,
    #[serde(flatten)]
    target: Target<Turn>,
}

pub(super) fn run(bench: &Bench) -> Result<Report> {
    let folder = Folder::new("functions")?;
    let mut servers = servers(bench, &folder)?;
    let most = servers.last().context("no step")?;
    let cold = cold::start(&most.target.server, most.jobs.len(), &most.jobs[0], &folder)?;

    let rounds = bench.turns.rounds;
    for round in 0..=rounds {
        for Functions { jobs, target, .. } in &mut servers {
            let name = target.name.clone();
            if let Some(turn) = target.take(|target| Turn::take(&target.server, jobs)) {
                let (ms, mib) = (turn.first_answer_ms, turn.fresh.all_mib);
                eprintln!("{round}/{rounds} {name}: {ms:.0} ms, {mib:.1} MiB");
            }
            // The first round fills the caches and does not count.
            if round == 0 {
                target.turns.clear();
            }
        }
    }
    let rows = bench.rounds(&cases(&servers));
    report::report(bench, cold, &servers, &rows)
}

/// The component itself, and functions of it, in the numbers of all steps.
fn servers(bench: &Bench, folder: &Folder) -> Result<Vec<Functions>> {
    let programs = &bench.programs;
    let app = part("app")?;
    let component = fs::read(&app).with_context(|| format!("cannot read `{}`", app.display()))?;
    let job = Job::Encrypt(MESSAGE.to_owned());
    let mut servers = vec![Functions {
        count: None,
        jobs: vec![job.clone()],
        target: Target::new("the component itself", programs.ours(FLAGS).serving(&app)),
    }];
    for step in STEPS {
        let names: Vec<String> = (0..step).map(|number| format!("f{number:04}")).collect();
        let path = format!("functions-{step}");
        folder.put_functions(&path, &names, &component)?;
        let below = |name: &String| job.clone().below([format!("/{name}")]);
        let name = match step {
            1 => "1 function".to_owned(),
            count => format!("{count} functions"),
        };
        servers.push(Functions {
            count: Some(step),
            jobs: names.iter().map(below).collect(),
            target: Target::new(name, programs.functions(folder, &path, FLAGS)),
        });
    }
    Ok(servers)
}

/// Each server with the load of the main series on one function, and on all in turn.
fn cases(servers: &[Functions]) -> Vec<Case> {
    let case = |server: &Functions, which: Requested, job: Job| Case {
        name: server.case_name(which),
        server: server.target.server.clone(),
        connections: CONNECTIONS,
        job,
    };
    let mut cases = Vec::new();
    for server in servers {
        cases.push(case(server, Requested::One, server.jobs[0].clone()));
        if server.jobs.len() > 1 {
            let paths = server.jobs.iter().map(|job| job.path().to_owned());
            let all = Job::At {
                paths: paths.collect(),
                job: server.jobs[0].clone().into(),
            };
            cases.push(case(server, Requested::All, all));
        }
    }
    cases
}

/// Which functions get requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Requested {
    One,
    All,
}

impl Functions {
    fn case_name(&self, which: Requested) -> String {
        let name = &self.target.name;
        match (which, self.jobs.len()) {
            (Requested::One, 1) => name.clone(),
            (Requested::One, _) => format!("{name}, requests to one"),
            (Requested::All, _) => format!("{name}, requests to all in turn"),
        }
    }

    /// Its row among those of a load.
    fn row<'a>(&self, rows: &'a [Row], which: Requested) -> Option<&'a Row> {
        let name = self.case_name(which);
        rows.iter().find(|row| row.name == name)
    }
}
