//! The parts of the program.
//!
//! - `cli`: the flags
//! - `commands`: one function for each command
//! - `failure`: what goes wrong, and the exit code that says so
//! - `files`: reading components and writing results

mod cli;
mod commands;
mod failure;
mod files;

use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};

use compose::Report;

pub(crate) use cli::Cli;
use cli::Format;
pub(crate) use failure::Exit;
use failure::Failure;

/// The most bytes of an error that are printed.
const MAX_MESSAGE_BYTES: usize = 16 << 10;

/// Runs the command line and says what went wrong, if something did.
pub(crate) fn run(cli: Cli) -> Result<(), Exit> {
    let format = commands::format(&cli);
    let outcome = run_guarded(cli);
    outcome.map_err(|failure| {
        tell(&failure, format);
        failure.exit()
    })
}

/// A panic is reported like any other failure, as one message.
fn run_guarded(cli: Cli) -> Result<(), Failure> {
    // The library catches panics of `wac`; nothing may be printed for those.
    set_hook(Box::new(|_| {}));
    // Unwind safety: nothing is used again after a panic.
    catch_unwind(AssertUnwindSafe(|| commands::run(cli))).unwrap_or_else(|payload| {
        let reason = payload
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| payload.downcast_ref::<&str>().copied())
            .unwrap_or("no reason given");
        Err(Failure::Error(
            Exit::Invalid,
            anyhow::anyhow!("this is a bug in component-compose: {reason}"),
        ))
    })
}

fn tell(failure: &Failure, format: Format) {
    match (failure, format) {
        (Failure::Told(_), _) => {}
        (Failure::Error(_, error), _) => say(&format!("error: {}", one_message(error))),
        (Failure::Report(_, report), Format::Json) => tell_json(report),
        (Failure::Report(remark, report), Format::Text) => {
            if let Some(remark) = remark {
                say(&format!("{}:", sanitize::lines(remark)));
            }
            say(&report.to_string());
        }
    }
}

/// Prints to standard error. If that cannot be written, the exit code still says what
/// happened.
pub(crate) fn say(message: &str) {
    let _ = writeln!(std::io::stderr(), "{message}");
}

fn tell_json(report: &Report) {
    let report = sanitize::json::pretty(&serde_json::json!({ "report": report }));
    let _ = writeln!(std::io::stdout(), "{report}");
}

/// An error and its causes, without a backtrace. Only an excerpt of a file takes more
/// than one line.
fn one_message(error: &anyhow::Error) -> String {
    let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    let message = sanitize::text(causes.join(": "));
    message.at_most(MAX_MESSAGE_BYTES).to_string()
}
