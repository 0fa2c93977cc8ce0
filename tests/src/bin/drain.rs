//! Ends the server again and again while clients send: `make drain`.

use std::process::ExitCode;

use clap::Parser;
use end_to_end::drain::{self, Plan};
use end_to_end::random::Random;

/// Ends the server while clients send, and looks whether it answered what it accepted
#[derive(Parser)]
struct Flags {
    /// How often a server is ended
    #[arg(long, default_value_t = 100)]
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
