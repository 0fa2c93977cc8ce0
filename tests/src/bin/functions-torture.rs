//! Kills the server again and again while a function is deployed: `make torture-functions`.

use std::process::ExitCode;

use clap::Parser;
use end_to_end::random::Random;
use end_to_end::redeploy::{self, Plan};

/// Kills the server while a function is deployed, and looks what is served after that
#[derive(Parser)]
struct Flags {
    /// How often a server is killed
    #[arg(long, default_value_t = 200)]
    rounds: u32,

    /// What all choices come from [default: another one each time]
    #[arg(long)]
    seed: Option<u64>,
}

fn main() -> ExitCode {
    let flags = Flags::parse();
    let seed = flags.seed.unwrap_or_else(Random::fresh_seed);
    let plan = Plan {
        rounds: flags.rounds,
        seed,
    };
    println!("{} rounds, seed {seed}", plan.rounds);
    let ended = redeploy::run(&plan, |summary| {
        if summary.rounds % 25 == 0 {
            println!("{summary}");
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
