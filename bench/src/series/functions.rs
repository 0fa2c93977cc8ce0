//! A thousand functions in one server.

use anyhow::{Context, Result};

use super::message;
use crate::figures::goals::{Limit, Verdict};
use crate::figures::stats::{Summary, figure, percentile};
use crate::load::http::Client;
use crate::load::job::Job;
use crate::machine::kernel::{CLEAN, DIRTY, memory_mib, wait_until_idle};
use crate::measure::{self, Bench, CONNECTIONS, Target, Turn};
use crate::programs::{bytes, part};
use crate::report::Report;
use crate::report::table::Table;
use crate::servers::Server;
use crate::servers::folder::Folder;
use crate::servers::running::Running;

/// Numbers of functions.
const STEPS: [u16; 4] = [1, 10, 100, 1000];

/// Flags that the component needs.
const FLAGS: &[&str] = &["--env", "SHIFT_AMOUNT=3"];

/// Maximum number of functions that are timed.
const MAX_TIMED: usize = 200;

/// Goals for the memory of an unused function, for the first request to a function, and for the
/// processor time of routing.
const KIB_EACH: f64 = 300.0;
const FIRST_MS: f64 = 10.0;
const ROUTING_US: f64 = 1.0;

pub(super) fn run(bench: &Bench) -> Result<Report> {
    let folder = Folder::new("functions")?;
    let component = bytes(&part("app")?)?;
    let target = |step: u16| {
        let names: Vec<String> = (0..step).map(|number| format!("f{number:04}")).collect();
        let path = format!("functions-{step}");
        folder.put_functions(&path, &names, &component)?;
        let job = message().below(names.iter().map(|name| format!("/{name}")));
        let server = Server::functions(&bench.programs, &folder, &path, FLAGS);
        Ok(Target::new(format!("{step} functions"), server, &job))
    };
    let mut targets: Vec<_> = STEPS.into_iter().map(target).collect::<Result<_>>()?;
    eprintln!("the first start, which compiles all functions");
    let most = targets.last().context("no step")?;
    let cold_s = Running::start(&most.server)?.age().as_secs_f64();
    eprintln!("    took {cold_s:.1} s");
    for target in &targets {
        // Fills the caches. A failure is reported by the first turn.
        let _ = Running::start(&target.server);
    }
    measure::take(bench.turns, &mut targets, "cpu_us", |_, target| {
        let mut turn = take(target)?;
        let load = |job: &Job| bench.turn(&target.server, job, CONNECTIONS);
        let mut jobs = target.job.split();
        let to_one = load(&jobs.next().context("no function")?)?;
        for key in ["cpu_us", "foreign_processors", "stolen"] {
            turn.set(key, to_one.get(key));
        }
        turn.set("all_cpu_us", load(&target.job)?.get("cpu_us"));
        Ok(turn)
    });

    let table = Table::new(
        "served",
        &targets,
        &[
            ("first answer, ms: min / median / max", &|t| {
                t.range("first_answer_ms")
            }),
            ("private memory, MiB", &|t| t.median("private_mib")),
            ("of it written, MiB", &|t| t.median("dirty_mib")),
            ("first request, ms: p50", &|t| t.median("first_p50_ms")),
            ("p99", &|t| t.median("first_p99_ms")),
            ("CPU per request to one, µs", &|t| t.range("cpu_us")),
            ("to all in turn, µs", &|t| t.range("all_cpu_us")),
        ],
    );
    let about = format!(
        "Functions of one component, `app.wasm`, each with its own bytes and compiled code. The \
         first start of all of them, which compiles, took {} s. After that the code is cached: \
         times are from the start of the process to the first answer, when all are served. Memory \
         is private memory of the idle server, before all functions but one had a request. Its \
         unwritten part is compiled code in files, which the system can reclaim. Then up to \
         {MAX_TIMED} functions get their first request, one after the other on one connection. \
         Finally, processor time is measured under the load of the main series, on one function or \
         on all in turn.",
        figure(cold_s)
    );
    Ok(Report {
        verdicts: verdicts(&targets),
        ..Report::new("functions", about, bench.turns, table, &targets)?
    })
}

/// One server of functions: time to the first answer, memory, and latency of the first request to
/// each.
fn take(target: &Target) -> Result<Turn> {
    let running = Running::start(&target.server)?;
    let jobs: Vec<_> = target.job.split().collect();
    let (first, others) = jobs.split_first().context("no function")?;
    first.check(running.addr)?;
    let first_answer = running.age();
    wait_until_idle(running.id())?;
    let [clean, dirty] = [CLEAN, DIRTY].map(|key| memory_mib(running.id(), key));
    let (clean, dirty) = (clean?, dirty?);

    let mut client = Client::new(running.addr);
    // The first request on a connection is slower for every function.
    first.send(running.addr, &mut client)?;
    let every = others.len().div_ceil(MAX_TIMED).max(1);
    let mut first_ms = Vec::new();
    for job in others.iter().step_by(every) {
        let begin = std::time::Instant::now();
        job.send(running.addr, &mut client)?;
        first_ms.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    let mut turn = Turn::of([
        ("first_answer_ms", first_answer.as_secs_f64() * 1e3),
        ("private_mib", clean + dirty),
        ("dirty_mib", dirty),
    ]);
    turn.set("first_p50_ms", percentile(&mut first_ms, 50));
    turn.set("first_p99_ms", percentile(&mut first_ms, 99));
    Ok(turn)
}

fn verdicts(targets: &[Target]) -> Vec<Verdict> {
    let [one, .., most] = targets else {
        return Vec::new();
    };
    let verdict = |(what, unit, limit, figure): (&str, _, _, _)| {
        Verdict::new(what, unit, Limit::AtMost(limit), figure)
    };
    let kib = |key| kib_each(one, most, key);
    let first = most.summary("first_p99_ms");
    let routing = more(one, most, "cpu_us");
    let with_code = "with compiled code in files, an unused function";
    let beyond = "CPU per request with 1,000 functions beyond that with one";
    let all = [
        (
            "written by an unused function",
            "KiB",
            KIB_EACH,
            kib("dirty_mib"),
        ),
        (with_code, "KiB", KIB_EACH, kib("private_mib")),
        (
            "p99 of the first request to a function",
            "ms",
            FIRST_MS,
            first,
        ),
        (beyond, "µs", ROUTING_US, routing),
    ];
    all.map(verdict).into()
}

/// The difference of a figure to that of `one` in the same round.
fn more(one: &Target, most: &Target, key: &str) -> Option<Summary> {
    most.paired(one, |most, one| Some(most.get(key)? - one.get(key)?))
}

/// Memory per function beyond those of `one`, in KiB.
fn kib_each(one: &Target, most: &Target, key: &str) -> Option<Summary> {
    let functions = |target: &Target| u32::try_from(target.job.paths.len()).ok();
    let others = f64::from(functions(most)? - functions(one)?);
    let kib = |mib| mib * 1024.0 / others;
    let Summary { min, median, max } = more(one, most, key)?;
    Some(Summary {
        min: kib(min),
        median: kib(median),
        max: kib(max),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::tests::{cpu, failed, target};

    fn functions(count: u16, private_mib: &[f64]) -> Target {
        let job = Job::good().below(0..count);
        Target {
            job,
            ..target("functions", &[("private_mib", private_mib)])
        }
    }

    #[test]
    fn memory_per_function_is_the_growth_over_all_but_the_first() {
        let one = functions(1, &[10.0, 11.0]);
        let most = functions(1000, &[109.9, 110.9]);
        let each = kib_each(&one, &most, "private_mib").unwrap();
        assert!((each.median - 102.4).abs() < 1e-9, "{each:?}");
    }

    #[test]
    fn a_server_that_failed_has_no_memory_per_function() {
        let failed = failed(functions(1000, &[109.9]));
        let one = functions(1, &[10.0]);
        assert_eq!(kib_each(&one, &failed, "private_mib"), None);
    }

    #[test]
    fn more_processor_time_is_the_difference_of_each_round() {
        let one = cpu("one", &[10.0, 12.0, 11.0]);
        let most = cpu("most", &[11.0, 12.5, 13.0]);
        let more = more(&one, &most, "cpu_us").unwrap();
        assert_eq!((more.min, more.median, more.max), (0.5, 1.0, 2.0));
    }
}
