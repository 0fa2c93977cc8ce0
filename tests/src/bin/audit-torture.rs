//! Tortures the audit log: `make torture-audit`.

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use end_to_end::audit::Kind;
use end_to_end::program::{Seed, end};
use end_to_end::torture::{self, Plan};

/// Kills the server, and looks whether its audit log has all it must
#[derive(Parser)]
struct Flags {
    /// How often it is killed
    #[arg(long, default_value_t = 500)]
    rounds: u32,

    #[command(flatten)]
    seed: Seed,

    /// Where the log is kept
    #[arg(long, value_enum, default_value_t = Kinds::Both)]
    location_kind: Kinds,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kinds {
    Sqlite,
    Jsonl,
    Both,
}

fn main() -> ExitCode {
    let flags = Flags::parse();
    let seed = flags.seed.or_fresh();
    let plan = Plan {
        rounds: flags.rounds,
        seed,
        kinds: match flags.location_kind {
            Kinds::Sqlite => vec![Kind::Sqlite],
            Kinds::Jsonl => vec![Kind::JsonLines],
            Kinds::Both => Kind::ALL.to_vec(),
        },
    };
    println!("{} rounds, seed {seed}", plan.rounds);
    let ended = torture::run(&plan, |summary| {
        if summary.rounds % 25 == 0 {
            let torture::Summary {
                rounds, receipts, ..
            } = summary;
            println!("{rounds} rounds, {receipts} receipts");
        }
    });
    end(ended, seed)
}
