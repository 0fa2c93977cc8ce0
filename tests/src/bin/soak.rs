//! Keeps a server busy for minutes, and looks whether it stays as it is: `make soak`.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use end_to_end::program::Seed;
use end_to_end::soak::{self, Plan};

/// Keeps a server busy, and looks whether it stays as it is
#[derive(Parser)]
struct Flags {
    /// For how long
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..))]
    minutes: u64,

    /// How much it has to do, in percent of what it can do
    #[arg(long, value_name = "PERCENT", default_value_t = 80, value_parser = clap::value_parser!(u32).range(1..))]
    share: u32,

    #[command(flatten)]
    seed: Seed,
}

fn main() -> ExitCode {
    let flags = Flags::parse();
    let seed = flags.seed.or_fresh();
    let plan = Plan {
        duration: Duration::from_mins(flags.minutes),
        share: f64::from(flags.share) / 100.0,
        seed,
    };
    println!("{} s, seed {seed}", plan.duration.as_secs());
    let ended = soak::run(&plan, |sample| {
        let since = sample.since.as_secs();
        if since.is_multiple_of(15) {
            let (mib, open) = (sample.resident_mib, sample.descriptors);
            println!("{since} s: {mib:.1} MiB, {open} file descriptors");
        }
    });
    let report = match ended {
        Ok(report) => report,
        Err(why) => {
            eprintln!("{why} (seed {seed})");
            return ExitCode::FAILURE;
        }
    };
    println!("{report} (seed {seed})");
    for violation in &report.violations {
        eprintln!("must not be: {violation}");
    }
    ExitCode::from(u8::from(!report.violations.is_empty()))
}
