//! The command line of `component-runner`.
//!
//! - this file: the commands, and the flags of `serve`.
//! - `listen.rs`, `clients.rs`, `guests.rs`, `logs.rs`, `audit.rs`: groups of these flags.
//! - `client_commands.rs`: commands that query or change a running server.
//! - `function_flags.rs`: settings of one function, and of the pool of all functions.
//! - `values.rs`: parsers of values.
//! - `variables.rs`: the variables of a guest; `text_file.rs`: the files that some come from.
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
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands of the program.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve one component or many functions until SIGINT or SIGTERM
    ///
    /// Every request runs in a new instance of the component (but see --reuse). The
    /// guest sees the variables of --env and nothing else of this machine: no files, no
    /// arguments, and no network except requests to the origins of --allow-outbound. It
    /// can append to the audit log through the interface runner:audit/audit-log; the call
    /// returns once the entry is durable.
    #[command(after_help = "Examples:\n  \
        component-runner serve app.wasm --addr 127.0.0.1:8080 --env SHIFT_AMOUNT=5\n  \
        component-runner serve app.wasm --audit sqlite:audit.db --audit-checkpoints /mnt/other")]
    Serve(Box<Serve>),

    /// Deploy a component to a running server, as a new function or as its next version
    Deploy(Deploy),

    /// List the functions of a running server
    List(AdminTarget),

    /// Activate another version of a function: the previous one, or --to VERSION
    Rollback(Rollback),

    /// Show the latest output and failures of a function
    Logs(Logs),

    /// Pause a function: its requests get 503 until it is resumed
    Pause(Named),

    /// Resume a paused function
    Resume(Named),

    /// Remove a function; `rollback` restores it within --keep-removed
    Remove(Named),

    /// Show, verify, export and prune the records of an audit log
    #[command(subcommand)]
    Audit(AuditCommand),
}

impl Command {
    /// The server that a command of an operator addresses.
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

/// Help heading of flags for the server as a whole.
const SERVER: &str = "Server";

/// The flags of `serve`.
#[derive(Debug, Args)]
pub struct Serve {
    /// Component to serve; it must export wasi:http/incoming-handler or wasi:http/handler
    #[arg(
        value_name = "APP.wasm",
        required_unless_present_any = ["config", "functions"],
        conflicts_with = "functions"
    )]
    pub component: Option<PathBuf>,

    /// Serve all functions in this file (TOML), or, if it is a folder, each NAME.wasm in it
    /// at /NAME; flags for guests are the defaults of functions
    #[arg(long, value_name = "PATH", conflicts_with = "reuse")]
    pub functions: Option<PathBuf>,

    /// Read further flags from this file (TOML): the same names without the dashes, such
    /// as request-timeout = 5, and component for APP.wasm; the command line takes
    /// precedence
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Validate configuration, files, component and the location of the audit log, then exit
    /// without binding or writing
    #[arg(long)]
    pub check: bool,

    /// The effective limits, for the log.
    #[arg(skip)]
    pub limits_in_words: String,

    /// Defaults of the functions.
    #[arg(skip)]
    pub function_defaults: Defaults,

    /// Listeners.
    #[command(flatten)]
    pub listen: ListenFlags,

    /// Environment and outbound requests of guests.
    #[command(flatten)]
    pub guest: GuestFlags,

    /// Limits on clients.
    #[command(flatten)]
    pub clients: ClientFlags,

    /// Limits on one guest.
    #[command(flatten)]
    pub limits: GuestLimitFlags,

    /// Limits on all guests together.
    #[command(flatten)]
    pub pool: PoolFlags,

    /// Deployment of functions.
    #[command(flatten)]
    pub deploys: DeployFlags,

    /// Logs and traces.
    #[command(flatten)]
    pub logs: LogFlags,

    /// The flags of the audit log.
    #[command(flatten)]
    pub audit: AuditFlags,

    /// Request header in which an authenticating proxy in front of the server sends the
    /// principal, for the audit log; the proxy must replace the client's value, and a
    /// request with several such fields gets 400
    #[arg(long, value_name = "NAME", help_heading = SERVER)]
    pub principal_header: Option<HeaderName>,

    /// Timeout for requests in flight at shutdown, in seconds
    #[arg(long, value_name = "SECONDS", help_heading = SERVER, default_value = "10", value_parser = seconds)]
    pub grace_period: Duration,

    /// Number of worker threads [default: one for each processor]
    #[arg(long, value_name = "NUMBER", help_heading = SERVER, value_parser = number::<NonZeroUsize>)]
    pub threads: Option<NonZeroUsize>,

    /// Number of requests that one instance serves, one after the other; above 1 they
    /// are not isolated from each other
    ///
    /// By default every request runs in an instance of its own, and can neither
    /// see nor change data of another. Above 1 this isolation ends: data that the
    /// component keeps of a request, such as in its memory, is visible to the next
    /// ones, also to those of other clients. In return, most requests need no new
    /// instance. Use it for components that are known to keep no data. Concurrent
    /// requests never share an instance, and an instance that failed is not reused.
    #[arg(long, value_name = "NUMBER", help_heading = SERVER, default_value = "1", value_parser = number::<NonZeroU32>)]
    pub reuse: NonZeroU32,
}

impl Cli {
    /// Checks constraints between flags.
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
    /// Settings of the server.
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

    /// Limits of the requests to the single component.
    #[must_use]
    pub fn serving(&self) -> RequestLimits {
        self.limits.serving(self.reuse)
    }
}

/// Parses `serve app.wasm` with these flags.
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
    fn errors_suggest_no_hidden_command() {
        let words = ["component-runner", "compile-componen"];
        let error = Cli::read(words).unwrap_err().to_string();
        assert!(error.contains("compile-componen'"), "{error}");
        assert!(!error.contains("compile-component"), "{error}");
    }

    #[test]
    fn default_addr_is_on_loopback() {
        let addresses = serve(&[]).unwrap().listen.addresses();
        assert_eq!(addresses, ["127.0.0.1:3000".parse().unwrap()]);
    }

    #[test]
    fn env_value_may_contain_an_equals_sign() {
        let serve = serve(&["--env", "A=b=c", "--env", "D="]).unwrap();
        let expected = [("A", "b=c"), ("D", "")].map(|(key, value)| Variable {
            key: key.to_owned(),
            value: value.to_owned(),
        });
        assert_eq!(serve.guest.env, expected);
    }

    #[test]
    fn invalid_values_are_reported_with_their_flag() {
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
    fn errors_hide_the_password_of_a_url() {
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
    fn access_log_and_audit_log_do_not_share_standard_output() {
        let error = serve(&["--access-log", "-", "--audit", "jsonl:-"]).unwrap_err();
        assert!(error.to_string().contains("--access-log"), "{error}");
        assert!(serve(&["--access-log", "-"]).is_ok());
    }

    #[test]
    fn ops_addr_is_unreachable_for_other_machines() {
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
    fn reuse_defaults_to_one_request_per_instance() {
        let settings = serve(&[]).unwrap().serving();
        assert_eq!(settings.requests_per_instance, NonZeroU32::MIN);
    }
}
