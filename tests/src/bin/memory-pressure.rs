//! Runs a server in little memory, with hostile and large guests: `make pressure`.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use end_to_end::pressure::{self, Plan};
use end_to_end::program::Seed;

/// Runs a server in little memory, with hostile and large guests
#[derive(Parser)]
struct Flags {
    /// How long with each limit, in seconds
    #[arg(long, default_value_t = 600)]
    seconds: u64,

    /// A limit, in MiB; may be repeated
    #[arg(long, default_values_t = [128, 512, 2048])]
    mib: Vec<u64>,

    #[command(flatten)]
    seed: Seed,
}

fn main() -> ExitCode {
    let flags = Flags::parse();
    let seed = flags.seed.or_fresh();
    let mut is_right = true;
    for mib in flags.mib {
        let plan = Plan {
            limit_bytes: mib << 20,
            duration: Duration::from_secs(flags.seconds),
            seed,
        };
        println!("{mib} MiB for {} s, seed {seed}", flags.seconds);
        match pressure::run(&plan) {
            Ok(report) => {
                println!("{report}");
                is_right &= report.violations.is_empty();
                for violation in &report.violations {
                    eprintln!("must not be: {violation}");
                }
            }
            Err(why) => {
                is_right = false;
                eprintln!("{why}");
            }
        }
    }
    ExitCode::from(u8::from(!is_right))
}
