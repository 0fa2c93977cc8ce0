//! Stress tests of the server, one subcommand each. The targets `torture-audit`,
//! `torture-functions`, `hostile`, `drain`, `soak` and `pressure` of the Makefile run them.

use std::fmt::Display;
use std::num::{NonZeroU32, NonZeroUsize};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use end_to_end::audit::Kind;
use end_to_end::random::Random;
use end_to_end::stress::harness::{Rounds, judge};
use end_to_end::stress::hostile::suite;
use end_to_end::stress::{drain, kill, pressure, soak, swap};

/// Stress tests of component-runner
#[derive(Parser)]
#[command(long_about = None)]
struct Cli {
    #[command(subcommand)]
    test: Test,
}

#[derive(Subcommand)]
enum Test {
    /// Kill the server while clients append to its audit log; verify the log after each kill
    Kill {
        /// Number of kills
        #[arg(long, default_value_t = 500)]
        rounds: u32,

        /// Kind of audit log
        #[arg(long, value_enum, default_value_t = LocationKind::Both)]
        location_kind: LocationKind,

        #[command(flatten)]
        seed: Seed,
    },
    /// Send SIGTERM while clients send; verify that every accepted request is answered
    Drain {
        /// Number of servers that are ended
        #[arg(long, default_value_t = 100)]
        rounds: u32,

        #[command(flatten)]
        seed: Seed,
    },
    /// Run every hostile guest next to a well-behaved one; verify that it loses no request
    Hostile {
        /// Runs of each guest
        #[arg(long, default_value = "1000")]
        runs: NonZeroUsize,

        /// Guests that run at the same time
        #[arg(long, default_value = "16")]
        at_once: NonZeroUsize,

        /// Guests that start per second; the benchmark's series `overload` covers more than the
        /// server can answer
        #[arg(long, default_value = "100")]
        per_second: NonZeroU32,

        /// Run only the guest of this name
        #[arg(long, value_name = "NAME")]
        only: Option<String>,
    },
    /// Kill the server during deploys, swap versions and drop broken files under load; verify
    /// which version answers
    Swap {
        /// Number of kills during a deploy
        #[arg(long, default_value_t = 200)]
        rounds: u32,

        /// Number of new versions under load
        #[arg(long, default_value_t = 1000)]
        swaps: u32,

        /// Number of broken files under load
        #[arg(long, default_value_t = 1000)]
        drops: u32,

        #[command(flatten)]
        seed: Seed,
    },
    /// Keep the server at a share of its capacity; verify that memory and descriptors stay flat
    Soak {
        /// Duration of the load, in minutes
        #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..))]
        minutes: u64,

        /// Load, in percent of the measured capacity
        #[arg(long, value_name = "PERCENT", default_value_t = 80, value_parser = clap::value_parser!(u32).range(1..))]
        share: u32,

        #[command(flatten)]
        seed: Seed,
    },
    /// Run the server in little memory with hostile and large guests; verify that it survives
    Pressure {
        /// Duration with each limit, in seconds
        #[arg(long, default_value_t = 600)]
        seconds: u64,

        /// Memory limit, in MiB; may be repeated
        #[arg(long, default_values_t = [128, 512, 2048])]
        mib: Vec<u64>,

        #[command(flatten)]
        seed: Seed,
    },
}

#[derive(Args)]
struct Seed {
    /// Seed of all random choices [default: a fresh one]
    #[arg(long, default_value_t = Random::fresh_seed(), hide_default_value = true)]
    seed: u64,
}

#[derive(Clone, Copy, ValueEnum)]
enum LocationKind {
    Sqlite,
    Jsonl,
    Both,
}

fn main() -> ExitCode {
    match Cli::parse().test.run() {
        Ok(summary) => {
            println!("{summary}");
            ExitCode::SUCCESS
        }
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}

impl Test {
    /// Runs the test, and returns its summary, or its violations.
    fn run(self) -> Result<String, String> {
        match self {
            Self::Kill {
                rounds,
                location_kind,
                seed: Seed { seed },
            } => {
                println!("{rounds} rounds, seed {seed}");
                let kinds: &[Kind] = match location_kind {
                    LocationKind::Sqlite => &[Kind::Sqlite],
                    LocationKind::Jsonl => &[Kind::JsonLines],
                    LocationKind::Both => &Kind::ALL,
                };
                let rounds = Rounds {
                    count: rounds,
                    seed,
                };
                with_seed(kill::run(rounds, kinds, every(25, "rounds")), seed)
            }
            Self::Drain {
                rounds: count,
                seed: Seed { seed },
            } => {
                println!("{count} rounds, seed {seed}");
                let run = drain::run(Rounds { count, seed }, every(25, "rounds"));
                with_seed(run, seed)
            }
            Self::Hostile {
                runs,
                at_once,
                per_second,
                only,
            } => suite::run(&suite::Options {
                runs: runs.get(),
                at_once: at_once.get(),
                per_second: per_second.get(),
                only,
            }),
            Self::Swap {
                rounds: count,
                swaps,
                drops,
                seed: Seed { seed },
            } => {
                println!("{count} kills, {swaps} swaps and {drops} broken files, seed {seed}");
                with_seed(run_swap(Rounds { count, seed }, swaps, drops), seed)
            }
            Self::Soak {
                minutes,
                share,
                seed: Seed { seed },
            } => {
                let plan = soak::Plan {
                    duration: Duration::from_mins(minutes),
                    share: f64::from(share) / 100.0,
                    seed,
                };
                println!("{} s, seed {seed}", plan.duration.as_secs());
                with_seed(run_soak(&plan), seed)
            }
            Self::Pressure {
                seconds,
                mib,
                seed: Seed { seed },
            } => with_seed(run_pressure(&mib, Duration::from_secs(seconds), seed), seed),
        }
    }
}

fn run_swap(rounds: Rounds, swaps: u32, drops: u32) -> Result<String, String> {
    println!("{}", kill::deploy::run(rounds, every(25, "rounds"))?);
    let answers = swap::swap_versions(swaps, every(100, "swaps"))?;
    println!("{swaps} swaps: each of {answers} answers is right");
    let answers = swap::drop_broken_files(drops, rounds.seed, every(100, "broken files"))?;
    Ok(format!(
        "{drops} broken files: each of {answers} answers is right"
    ))
}

fn run_soak(plan: &soak::Plan) -> Result<String, String> {
    let report = soak::run(plan, |sample| {
        let seconds = sample.since.as_secs();
        if seconds.is_multiple_of(15) {
            let (mib, open) = (sample.resident_mib, sample.descriptors);
            println!("{seconds} s: {mib:.1} MiB, {open} file descriptors");
        }
    })?;
    judge(&report, &report.violations)
}

fn run_pressure(limits_mib: &[u64], duration: Duration, seed: u64) -> Result<String, String> {
    let mut failed = Vec::new();
    for mib in limits_mib {
        println!("{mib} MiB for {} s, seed {seed}", duration.as_secs());
        let report = pressure::run(&pressure::Plan {
            limit_bytes: mib << 20,
            duration,
            seed,
        });
        match report.and_then(|report| judge(&report, &report.violations)) {
            Ok(report) => println!("{report}"),
            Err(reason) => failed.push(format!("{mib} MiB: {reason}")),
        }
    }
    if failed.is_empty() {
        Ok("no violation".to_owned())
    } else {
        Err(failed.join("\n"))
    }
}

/// A callback that prints every `step`-th count.
fn every(step: u32, unit: &'static str) -> impl FnMut(u32) {
    move |count| {
        if count.is_multiple_of(step) {
            println!("{count} {unit}");
        }
    }
}

/// Adds the seed with which the run can be repeated.
fn with_seed(result: Result<impl Display, impl Display>, seed: u64) -> Result<String, String> {
    match result {
        Ok(summary) => Ok(format!("{summary} (seed {seed})")),
        Err(reason) => Err(format!("{reason} (seed {seed})")),
    }
}
