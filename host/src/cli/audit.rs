//! Flags: audit log.

use std::path::PathBuf;

use audit_log::{DefaultLogs, Location, NoDataFolder, Policy, Settings, is_node_name};
use audit_log_forward::Target;
use clap::{Args, ValueEnum};
use engine::audit::Quota;
use server::Address;

use super::values::{bytes, number};

/// Location, key, checkpoints and forwarding of the audit log.
#[expect(
    clippy::doc_markdown,
    reason = "the help shows these texts as they are"
)]
#[derive(Debug, Args)]
#[command(next_help_heading = "Audit log")]
pub struct AuditFlags {
    /// Location of the audit log: sqlite:PATH, jsonl:PATH, jsonl:- (standard
    /// output), or none, which drops all records; while another server writes the default
    /// log, a server writes audit@ADDRESS.db in the same folder, named for its own address
    /// [default: sqlite:$XDG_DATA_HOME/component-runner/audit.db, where $XDG_DATA_HOME is
    /// ~/.local/share unless it is set]
    #[arg(long, value_name = "LOCATION")]
    pub audit: Option<Location>,

    /// Copy the signed checkpoints of the log, one per second, to this folder, which
    /// should not be writable with the credentials that can write the log
    #[arg(long, value_name = "FOLDER")]
    pub audit_checkpoints: Option<PathBuf>,

    /// Forward the records, once they are durable, to a collector:
    /// nats://[USER:PASSWORD@]HOST:PORT[/STREAM] (JetStream), tls:// for the same over TLS,
    /// or otlp://HOST:PORT (OpenTelemetry logs over HTTP)
    #[arg(long, value_name = "URL")]
    pub audit_forward: Option<Target>,

    /// Key that signs checkpoints (Ed25519, PEM), created with a new log
    /// [default: the path of the log and .key]
    #[arg(long, value_name = "FILE")]
    pub audit_key: Option<PathBuf>,

    /// Node name of a new log, unique among all logs of one collector [default:
    /// the name of the machine, and a random part]
    #[arg(long, value_name = "NAME", value_parser = node)]
    pub audit_node: Option<String>,

    /// Policy and quota of requests.
    #[command(flatten)]
    pub requests: AuditedRequestFlags,
}

/// Audit policy and quota of the requests to a component.
#[derive(Debug, Args)]
#[command(next_help_heading = "Audit log")]
pub struct AuditedRequestFlags {
    /// Handling of a request whose record cannot be written
    #[arg(long, value_name = "POLICY", default_value = "fail-closed")]
    pub audit_policy: PolicyFlag,

    /// Maximum number of entries that one request may append
    #[arg(long, value_name = "NUMBER", default_value_t = Quota::default().entries, value_parser = number::<u32>)]
    pub audit_max_entries: u32,

    /// Maximum size of all entries of one request together, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = Quota::default().bytes, value_parser = bytes)]
    pub audit_max_bytes: u64,
}

/// The names of the policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PolicyFlag {
    /// The client gets 503 instead of the response of the component
    FailClosed,
    /// The request continues; the record is dropped and counted
    BestEffort,
}

impl AuditFlags {
    /// Settings of the log in these flags, or of the default log that a server at `address`
    /// tries first.
    ///
    /// # Errors
    ///
    /// Fails if no flag names a location and there is no home folder for the default one.
    pub fn settings(&self, address: &Address) -> Result<Settings, NoDataFolder> {
        let location = match (&self.audit, self.default_logs()?) {
            (Some(location), _) => location.clone(),
            (None, Some(logs)) => logs.preferred(&address.to_string()),
            (None, None) => DefaultLogs::of_user()?.first(),
        };
        Ok(Settings {
            policy: self.requests.policy(),
            key: self.audit_key.clone(),
            checkpoints: self.audit_checkpoints.clone(),
            node: self.audit_node.clone(),
            version: env!("CARGO_PKG_VERSION"),
            ..Settings::new(location)
        })
    }

    /// The default logs, if the server may take any of them: no flag names a log, nor the name
    /// or the key of one.
    ///
    /// # Errors
    ///
    /// Fails if there is no home folder for them.
    pub fn default_logs(&self) -> Result<Option<DefaultLogs>, NoDataFolder> {
        if self.audit.is_some() || self.audit_node.is_some() || self.audit_key.is_some() {
            return Ok(None);
        }
        DefaultLogs::of_user().map(Some)
    }
}

impl AuditedRequestFlags {
    /// Handling of a request whose record cannot be written.
    #[must_use]
    pub fn policy(&self) -> Policy {
        match self.audit_policy {
            PolicyFlag::FailClosed => Policy::FailClosed,
            PolicyFlag::BestEffort => Policy::BestEffort,
        }
    }

    /// Limits on the entries of one request.
    #[must_use]
    pub fn quota(&self) -> Quota {
        Quota {
            entries: self.audit_max_entries,
            bytes: self.audit_max_bytes,
        }
    }
}

fn node(text: &str) -> Result<String, String> {
    if is_node_name(text) {
        Ok(text.to_owned())
    } else {
        Err("expected 1 to 64 letters, digits, `-` or `_`".to_owned())
    }
}
