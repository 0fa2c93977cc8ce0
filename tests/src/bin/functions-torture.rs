//! Kills the server again and again while a function is deployed, and changes functions
//! again and again while clients send: `make torture-functions`.

use std::process::ExitCode;

use clap::Parser;
use end_to_end::churn::{drop_bad_files, swap};
use end_to_end::program::{Seed, end};
use end_to_end::redeploy::{self, Plan};

/// Kills the server while a function is deployed, swaps versions and drops bad files under
/// load, and looks what is served
#[derive(Parser)]
struct Flags {
    /// How often a server is killed
    #[arg(long, default_value_t = 200)]
    rounds: u32,

    /// How often a version takes the place of another one
    #[arg(long, default_value_t = 1000)]
    swaps: u32,

    /// How many files that are no functions are dropped
    #[arg(long, default_value_t = 1000)]
    drops: u32,

    #[command(flatten)]
    seed: Seed,
}

fn main() -> ExitCode {
    let flags = Flags::parse();
    let seed = flags.seed.or_fresh();
    end(run(&flags, seed), seed)
}

fn run(flags: &Flags, seed: u64) -> Result<String, String> {
    let Flags {
        rounds,
        swaps,
        drops,
        ..
    } = *flags;
    println!("{rounds} kills, {swaps} swaps and {drops} bad files, seed {seed}");
    let killed = redeploy::run(&Plan { rounds, seed }, |summary| {
        if summary.rounds % 25 == 0 {
            println!("{summary}");
        }
    })?;
    println!("{killed}");
    let every_100 = |what: &'static str| {
        move |number: u32| {
            if number.is_multiple_of(100) {
                println!("{number} {what}");
            }
        }
    };
    let sent = swap(swaps, every_100("swaps"))?;
    println!("{swaps} swaps: each of {sent} answers was right");
    let sent = drop_bad_files(drops, seed, every_100("bad files"))?;
    Ok(format!(
        "{drops} bad files: each of {sent} answers was right"
    ))
}
