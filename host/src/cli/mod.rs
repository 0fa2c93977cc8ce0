//! The command line of `component-runner`.
//!
//! - this file: the commands, and what `serve` is made of.
//! - `listen.rs`, `clients.rs`, `guests.rs`, `logs.rs`, `audit.rs`: its flags, by what
//!   they concern.
//! - `admin.rs`: the commands that ask a server that runs.
//! - `functions.rs`: the same flags where there are many functions.
//! - `values.rs`: what flags take.
//! - `variables.rs`: the variables of a guest, and `files.rs`, from which some come.
//! - `config/`: the same flags in a file.

mod audit;
mod client_commands;
mod clients;
mod config;
#[cfg(test)]
mod documented;
mod function_flags;
mod guests;
mod listen;
mod logs;
mod text_file;
mod values;
mod variables;

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::thread::available_parallelism;
use std::time::Duration;

use audit_log::Location;
use audit_log_cli::AuditCommand;
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand};
use http::header::HeaderName;

use ::functions::RequestLimits;
pub use audit::{AuditFlags, AuditedRequestFlags};
pub use client_commands::{AdminTarget, Deploy, Logs, Named, Rollback};
pub use clients::ClientFlags;
pub use config::{FunctionsError, read_functions};
pub use function_flags::{Defaults, DeployFlags, PoolFlags};
pub use guests::{GuestFlags, GuestLimitFlags};
pub use listen::{ListenFlags, Switch};
pub use logs::{LogFlags, LogFormat};
use server::Settings;
use telemetry::access_log::Destination;
use values::{number, seconds};
pub use variables::VariableError;

/// Serves WebAssembly components over HTTP.
#[derive(Debug, Parser)]
#[command(name = "component-runner", version, about, long_about = None)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve a component, or many, until SIGINT or SIGTERM arrives
    ///
    /// Every request runs in a new instance of the component (but see --reuse),
    /// which sees the variables given with --env and nothing else of this machine:
    /// no files, no arguments, and no network but for requests to the origins that
    /// --allow-outbound names. It can append to the audit log through the
    /// interface runner:audit/audit-log. What it appended is on the disk before it
    /// hears so.
    #[command(after_help = "Examples:\n  \
        component-runner serve app.wasm --addr 127.0.0.1:8080 --env SHIFT_AMOUNT=5\n  \
        component-runner serve app.wasm --audit sqlite:audit.db --audit-checkpoints /mnt/other")]
    Serve(Box<Serve>),

    /// Serve a component as a function of a server that runs, or as the next version of one
    Deploy(Deploy),

    /// List the functions of a server that runs
    List(AdminTarget),

    /// Turn to another version of a function: the one before, or --to VERSION
    Rollback(Rollback),

    /// Show what a function printed last, and how it failed
    Logs(Logs),

    /// Let a function answer no requests until it is resumed
    Pause(Named),

    /// Let a function answer requests again
    Resume(Named),

    /// Let a server serve a function no more; `rollback` brings it back for a while
    Remove(Named),

    /// Show, verify, export and prune the records of an audit log
    #[command(subcommand)]
    Audit(AuditCommand),
}

impl Command {
    /// The server that a command of an operator asks.
    fn target(&self) -> Option<&AdminTarget> {
        match self {
            Self::Deploy(deploy) => Some(&deploy.target),
            Self::List(target) => Some(target),
            Self::Rollback(rollback) => Some(&rollback.target),
            Self::Logs(logs) => Some(&logs.target),
            Self::Pause(named) | Self::Resume(named) | Self::Remove(named) => Some(&named.target),
            Self::Serve(_) | Self::Audit(_) => None,
        }
    }
}

/// The heading of flags that concern the server as a whole.
const SERVER: &str = "Server";

/// The flags of `serve`.
#[derive(Debug, Args)]
pub struct Serve {
    /// The component; it must export wasi:http/incoming-handler
    #[arg(
        value_name = "APP.wasm",
        required_unless_present_any = ["config", "functions"],
        conflicts_with = "functions"
    )]
    pub component: Option<PathBuf>,

    /// Serve all functions that this file (TOML) names, or, if it is a folder, each
    /// NAME.wasm in it at /NAME; flags about guests are for those that say nothing else
    #[arg(long, value_name = "PATH", conflicts_with = "reuse")]
    pub functions: Option<PathBuf>,

    /// Read further flags from this file (TOML): the same names without the dashes, such
    /// as request-timeout = 5, and component for APP.wasm; what is on the command line
    /// goes before
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Check the flags, the files that they name, the component and the place of the audit
    /// log, and end; nothing is written, and nobody is listened to
    #[arg(long)]
    pub check: bool,

    /// The limits that are in force, for the log.
    #[arg(skip)]
    pub limits_in_words: String,

    /// The flags that are for each of the functions.
    #[arg(skip)]
    pub function_defaults: Defaults,

    /// Where the server listens.
    #[command(flatten)]
    pub listen: ListenFlags,

    /// What a guest sees.
    #[command(flatten)]
    pub guest: GuestFlags,

    /// What a client may do.
    #[command(flatten)]
    pub clients: ClientFlags,

    /// What a guest may take.
    #[command(flatten)]
    pub limits: GuestLimitFlags,

    /// What all guests may take together.
    #[command(flatten)]
    pub pool: PoolFlags,

    /// How functions are deployed.
    #[command(flatten)]
    pub deploys: DeployFlags,

    /// What is logged.
    #[command(flatten)]
    pub logs: LogFlags,

    /// The flags of the audit log.
    #[command(flatten)]
    pub audit: AuditFlags,

    /// The request header in which an authenticating proxy in front of the server
    /// names the principal, for the audit log; the proxy must replace the client's,
    /// and a request with several of them is answered with 400
    #[arg(long, value_name = "NAME", help_heading = SERVER)]
    pub principal_header: Option<HeaderName>,

    /// How long running requests may take to finish at shutdown, in seconds
    #[arg(long, value_name = "SECONDS", help_heading = SERVER, default_value = "10", value_parser = seconds)]
    pub grace_period: Duration,

    /// How many threads serve requests [default: one for each processor]
    #[arg(long, value_name = "NUMBER", help_heading = SERVER, value_parser = number::<NonZeroUsize>)]
    pub threads: Option<NonZeroUsize>,

    /// How many requests one instance serves, one after the other; beyond 1
    /// they are no longer isolated from each other
    ///
    /// By default every request runs in an instance of its own, and can neither
    /// see nor change anything of another. Beyond 1 this promise is given up:
    /// whatever the component keeps of a request, such as data in its memory, the
    /// next ones find, also those of other clients. In return, most need not wait
    /// for a new instance. It is for components that are known to keep nothing.
    /// Two requests at once never share an instance, and one that failed is not
    /// used again.
    #[arg(long, value_name = "NUMBER", help_heading = SERVER, default_value = "1", value_parser = number::<NonZeroU32>)]
    pub reuse: NonZeroU32,
}

impl Cli {
    /// Checks what no parser of a single flag does.
    fn checked(self) -> Result<Self, clap::Error> {
        if let Command::Serve(flags) = &self.command
            && flags.audit.audit == Some(Location::Stdout)
            && flags.logs.access_log == Some(Destination::Stdout)
        {
            let text = "--access-log - and --audit jsonl:- would both write to standard output; \
                        name a file for one of them\n";
            return Err(Self::command().error(ErrorKind::ArgumentConflict, text));
        }
        if let Some(Err(text)) = self.command.target().map(AdminTarget::check) {
            return Err(Self::command().error(ErrorKind::ArgumentConflict, text));
        }
        Ok(self)
    }
}

impl Serve {
    /// The settings of the server that these flags name.
    #[must_use]
    pub fn settings(&self) -> Settings {
        Settings {
            threads: self
                .threads
                .or_else(|| available_parallelism().ok())
                .unwrap_or(NonZeroUsize::MIN),
            grace_period: self.grace_period,
            principal_header: self.principal_header.clone(),
            send_server_header: self.listen.server_header == Switch::On,
            connections: self.clients.connection(),
            bodies: self.clients.bodies(),
        }
    }

    /// How requests to the only function are served.
    #[must_use]
    pub fn serving(&self) -> RequestLimits {
        self.limits.serving(self.reuse)
    }
}

/// What `serve app.wasm` and these flags mean.
#[cfg(test)]
fn serve(flags: &[&str]) -> Result<Serve, clap::Error> {
    let words = ["component-runner", "serve", "app.wasm"];
    match Cli::read(words.iter().chain(flags))?.command {
        Command::Serve(serve) => Ok(*serve),
        _ => panic!("this is `serve`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::Variable;

    #[test]
    fn no_error_suggests_a_command_that_the_help_does_not_name() {
        let words = ["component-runner", "compile-componen"];
        let error = Cli::read(words).unwrap_err().to_string();
        assert!(error.contains("compile-componen'"), "{error}");
        assert!(!error.contains("compile-component"), "{error}");
    }

    #[test]
    fn the_default_address_is_on_loopback() {
        let addresses = serve(&[]).unwrap().listen.addresses();
        assert_eq!(addresses, ["127.0.0.1:3000".parse().unwrap()]);
    }

    #[test]
    fn the_value_of_a_variable_may_contain_an_equals_sign() {
        let serve = serve(&["--env", "A=b=c", "--env", "D="]).unwrap();
        let expected = [("A", "b=c"), ("D", "")].map(|(key, value)| Variable {
            key: key.to_owned(),
            value: value.to_owned(),
        });
        assert_eq!(serve.guest.env, expected);
    }

    #[test]
    fn bad_values_are_named_together_with_their_flag() {
        for flags in [
            ["--env", "novalue"],
            ["--env", "=x"],
            ["--addr", "localhost"],
            ["--addr", "127.0.0.1:99999"],
            ["--grace-period", "soon"],
            ["--request-timeout", "1e999"],
            ["--request-timeout", "0"],
            ["--cpu-timeout", "0"],
            ["--outbound-timeout", "0"],
            ["--header-read-timeout", "0"],
            ["--write-timeout", "0"],
            ["--threads", "0"],
            ["--reuse", "0"],
            ["--reuse", "many"],
            ["--audit", "audit.db"],
            ["--audit-policy", "open"],
            ["--audit-node", "a.b"],
            ["--audit-max-entries", "many"],
            ["--audit-forward", "http://"],
            ["--ops-addr", "0.0.0.0:9000"],
            ["--ops-addr", "[::]:9000"],
            ["--otlp", "http://localhost:4318"],
            ["--principal-header", "a b"],
        ] {
            let error = serve(&flags).unwrap_err().to_string();
            assert!(
                error.contains(flags[0]) && error.contains(flags[1]),
                "{error}"
            );
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        for flags in [
            ["--audit-forward", "nats://me:secret@"],
            ["--otlp", "otlp://me:secret@h:1"],
        ] {
            let error = serve(&flags).unwrap_err().to_string();
            assert!(error.contains(flags[0]), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn two_logs_do_not_share_standard_output() {
        let error = serve(&["--access-log", "-", "--audit", "jsonl:-"]).unwrap_err();
        assert!(error.to_string().contains("--access-log"), "{error}");
        assert!(serve(&["--access-log", "-"]).is_ok());
    }

    #[test]
    fn operators_listen_where_no_other_machine_can_ask() {
        for address in ["127.0.0.1:0", "[::1]:9000", "unix:/run/ops.sock"] {
            assert!(serve(&["--ops-addr", address]).is_ok(), "{address}");
        }
    }

    #[test]
    fn the_token_is_sent_to_an_address_beyond_loopback_only_with_plaintext() {
        let read = |flags: &[&str]| {
            let words = ["component-runner", "list", "--token", "token"];
            Cli::read(words.iter().chain(flags)).map(drop)
        };
        for address in [
            "127.0.0.1:9000",
            "127.1.2.3:1",
            "[::1]:9000",
            "unix:/run/ops.sock",
        ] {
            assert!(read(&["--admin", address]).is_ok(), "{address}");
        }
        for address in ["192.0.2.1:9000", "0.0.0.0:9000", "[2001:db8::1]:9000"] {
            let error = read(&["--admin", address]).unwrap_err().to_string();
            assert!(
                error.contains(address) && error.contains("--plaintext"),
                "{error}"
            );
            assert!(
                read(&["--admin", address, "--plaintext"]).is_ok(),
                "{address}"
            );
        }
    }

    #[test]
    fn an_instance_serves_one_request_unless_told_otherwise() {
        let settings = serve(&[]).unwrap().serving();
        assert_eq!(settings.requests_per_instance, NonZeroU32::MIN);
    }
}
