//! Keeps a server busy for minutes, and looks whether it stays as it is: `make soak`.

use std::env;
use std::process::ExitCode;
use std::time::Duration;

use end_to_end::random::Random;
use end_to_end::soak::{self, Plan};

const USAGE: &str = "usage: soak [--minutes N] [--share PERCENT] [--seed N]";

fn main() -> ExitCode {
    let plan = match plan(env::args().skip(1)) {
        Ok(plan) => plan,
        Err(why) => {
            eprintln!("{why}\n{USAGE}");
            return ExitCode::from(64);
        }
    };
    let seed = plan.seed;
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

/// What the flags ask for.
fn plan(mut args: impl Iterator<Item = String>) -> Result<Plan, String> {
    let mut plan = Plan {
        duration: Duration::from_mins(8),
        share: 0.8,
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
            "--minutes" if number > 0 => plan.duration = Duration::from_mins(number.into()),
            "--share" if number > 0 => plan.share = f64::from(number) / 100.0,
            "--seed" => plan.seed = number.into(),
            "--minutes" | "--share" => return Err(format!("`{flag}` takes more than nothing")),
            _ => return Err(format!("`{flag}` is no flag")),
        }
    }
    Ok(plan)
}
