//! The execution of a command line, with reporting of its failure.

use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};

use compose::Report;

use crate::args::{Cli, Format};
use crate::commands;
use crate::failure::{Exit, Failure, print_error};

/// Maximum number of bytes of an error message.
const MAX_MESSAGE_BYTES: usize = 16 << 10;

/// Runs the command line, and reports its failure.
pub(crate) fn run(cli: Cli) -> Result<(), Exit> {
    let format = commands::format(&cli);
    let outcome = run_guarded(cli);
    outcome.map_err(|failure| {
        report_failure(&failure, format);
        failure.exit()
    })
}

/// Reports a panic like any other failure, as one message.
fn run_guarded(cli: Cli) -> Result<(), Failure> {
    // The library catches panics of `wac`, which must not be printed.
    set_hook(Box::new(|_| {}));
    // Unwind safety: no value is used after a panic.
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

fn report_failure(failure: &Failure, format: Format) {
    match (failure, format) {
        (Failure::Reported(_), _) => {}
        (Failure::Error(_, error), _) => print_error(&format!("error: {}", one_message(error))),
        (Failure::Report(_, report), Format::Json) => print_json(report),
        (Failure::Report(context, report), Format::Text) => {
            if let Some(context) = context {
                print_error(&format!("{}:", sanitize::lines(context)));
            }
            print_error(&report.to_string());
        }
    }
}

fn print_json(report: &Report) {
    let report = sanitize::json::pretty(&serde_json::json!({ "report": report }));
    let _ = writeln!(std::io::stdout(), "{report}");
}

/// An error and its causes, without a backtrace. Only excerpts of files take more than one
/// line.
fn one_message(error: &anyhow::Error) -> String {
    let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    let message = sanitize::text(causes.join(": "));
    message.at_most(MAX_MESSAGE_BYTES).to_string()
}
