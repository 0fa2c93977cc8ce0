//! Tortures the audit log: `make torture-audit`.

use std::env;
use std::process::ExitCode;

use end_to_end::audit::Kind;
use end_to_end::random::Random;
use end_to_end::torture::{self, Plan};

const USAGE: &str =
    "usage: audit-torture [--rounds N] [--seed N] [--location-kind sqlite|jsonl|both]";

fn main() -> ExitCode {
    let plan = match plan(env::args().skip(1)) {
        Ok(plan) => plan,
        Err(why) => {
            eprintln!("{why}\n{USAGE}");
            return ExitCode::from(64);
        }
    };
    let seed = plan.seed;
    println!("{} rounds, seed {seed}", plan.rounds);
    let ended = torture::run(&plan, |summary| {
        if summary.rounds % 25 == 0 {
            let torture::Summary {
                rounds, receipts, ..
            } = summary;
            println!("{rounds} rounds, {receipts} receipts");
        }
    });
    match ended {
        Ok(summary) => {
            println!("{summary} (seed {seed})");
            ExitCode::SUCCESS
        }
        Err(violation) => {
            eprintln!("{violation} (seed {seed})");
            ExitCode::FAILURE
        }
    }
}

/// What the flags ask for.
fn plan(mut args: impl Iterator<Item = String>) -> Result<Plan, String> {
    let mut plan = Plan {
        rounds: 500,
        seed: Random::fresh_seed(),
        kinds: Kind::ALL.to_vec(),
    };
    while let Some(flag) = args.next() {
        let value = args
            .next()
            .ok_or_else(|| format!("`{flag}` has no value"))?;
        let number = || {
            let number: Result<u32, _> = value.parse();
            number.map_err(|_| format!("expected a number after `{flag}`, found `{value}`"))
        };
        match flag.as_str() {
            "--rounds" => plan.rounds = number()?,
            "--seed" => plan.seed = number()?.into(),
            "--location-kind" => {
                plan.kinds = match value.as_str() {
                    "sqlite" => vec![Kind::Sqlite],
                    "jsonl" => vec![Kind::JsonLines],
                    "both" => Kind::ALL.to_vec(),
                    _ => return Err(format!("`{value}` is no kind of log")),
                }
            }
            _ => return Err(format!("`{flag}` is no flag")),
        }
    }
    Ok(plan)
}
