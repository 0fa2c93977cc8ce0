//! Kills the server again and again while a function is deployed: `make torture-functions`.

use std::process::ExitCode;

use clap::Parser;
use end_to_end::program::{Seed, end};
use end_to_end::redeploy::{self, Plan};

/// Kills the server while a function is deployed, and looks what is served after that
#[derive(Parser)]
struct Flags {
    /// How often a server is killed
    #[arg(long, default_value_t = 200)]
    rounds: u32,

    #[command(flatten)]
    seed: Seed,
}

fn main() -> ExitCode {
    let flags = Flags::parse();
    let seed = flags.seed.or_fresh();
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
    end(ended, seed)
}
