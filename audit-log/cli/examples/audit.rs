//! The commands for audit logs without the server, for machines that only verify.
//!
//! `cargo run --release -p audit-log-cli --example audit -- verify --audit jsonl:copy.jsonl`

use std::process::ExitCode;

use audit_log_cli::{AuditCommand, run};
use clap::Parser;

#[derive(Parser)]
#[command(name = "audit", about = "Commands for audit logs")]
struct Cli {
    #[command(subcommand)]
    command: AuditCommand,
}

fn main() -> ExitCode {
    match run(&Cli::parse().command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
