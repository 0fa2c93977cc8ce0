//! Ends the server again and again while clients send: `make drain`.

use std::process::ExitCode;

use clap::Parser;
use end_to_end::drain::{self, Plan};
use end_to_end::program::{Seed, end};

/// Ends the server while clients send, and looks whether it answered what it accepted
#[derive(Parser)]
struct Flags {
    /// How often a server is ended
    #[arg(long, default_value_t = 100)]
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
    let ended = drain::run(&plan, |summary| {
        if summary.rounds % 25 == 0 {
            println!("{} rounds, {} answers", summary.rounds, summary.answered);
        }
    });
    end(ended, seed)
}
