//! Ends the server again and again while clients send: `make drain`.

use std::env;
use std::process::ExitCode;

use end_to_end::drain::{self, Plan};
use end_to_end::random::Random;

const USAGE: &str = "usage: drain [--rounds N] [--seed N]";

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
    let ended = drain::run(&plan, |summary| {
        if summary.rounds % 25 == 0 {
            println!("{} rounds, {} answers", summary.rounds, summary.answered);
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
        rounds: 100,
        seed: Random::fresh_seed(),
    };
    while let Some(flag) = args.next() {
        let value = args
            .next()
            .ok_or_else(|| format!("`{flag}` has no value"))?;
        let number: u32 = value
            .parse()
            .map_err(|_| format!("expected a number after `{flag}`, found `{value}`"))?;
        match flag.as_str() {
            "--rounds" => plan.rounds = number,
            "--seed" => plan.seed = number.into(),
            _ => return Err(format!("`{flag}` is no flag")),
        }
    }
    Ok(plan)
}
