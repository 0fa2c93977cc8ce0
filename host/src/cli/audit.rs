//! The flags of the audit log.

use std::path::PathBuf;

use audit_log::{DefaultLogs, Location, NoDataFolder, Policy, Settings, is_node_name};
use audit_log_forward::Target;
use clap::{Args, ValueEnum};

use super::values::{bytes, number};
use engine::audit::Quota;
use server::Address;

/// How the audit log is kept.
#[expect(
    clippy::doc_markdown,
    reason = "the help shows these texts as they are"
)]
#[derive(Debug, Args)]
#[command(next_help_heading = "Audit log")]
pub struct AuditFlags {
    /// Where to keep the audit log: sqlite:PATH, jsonl:PATH, jsonl:- (standard
    /// output), or none, which forgets it; while another server writes the default log,
    /// a server has audit@ADDRESS.db beside it, with the address where it listens
    /// [default: sqlite:$XDG_DATA_HOME/component-runner/audit.db, where $XDG_DATA_HOME is
    /// ~/.local/share unless it is set]
    #[arg(long, value_name = "LOCATION")]
    pub audit: Option<Location>,

    /// Copy the signed checkpoints of the log, one a second, to this folder, which
    /// should be out of reach of whoever can change the log
    #[arg(long, value_name = "FOLDER")]
    pub audit_checkpoints: Option<PathBuf>,

    /// Send the records on, once they are in the log, to where those of many servers
    /// are collected: nats://[USER:PASSWORD@]HOST:PORT[/STREAM] (JetStream), tls:// for
    /// the same over TLS, or otlp://HOST:PORT (OpenTelemetry logs over HTTP)
    #[arg(long, value_name = "URL")]
    pub audit_forward: Option<Target>,

    /// The key that signs checkpoints (Ed25519, PEM), made with a new log
    /// [default: the path of the log and .key]
    #[arg(long, value_name = "FILE")]
    pub audit_key: Option<PathBuf>,

    /// The name of a new log among all that are collected in one place [default:
    /// the name of the machine, and a random part]
    #[arg(long, value_name = "NAME", value_parser = node)]
    pub audit_node: Option<String>,

    /// How requests are audited.
    #[command(flatten)]
    pub requests: AuditedRequestFlags,
}

/// How the requests to a component are audited.
#[derive(Debug, Args)]
#[command(next_help_heading = "Audit log")]
pub struct AuditedRequestFlags {
    /// What happens to a request whose record cannot be written
    #[arg(long, value_name = "POLICY", default_value = "fail-closed")]
    pub audit_policy: PolicyFlag,

    /// How many entries one request may append
    #[arg(long, value_name = "NUMBER", default_value_t = Quota::default().entries, value_parser = number::<u32>)]
    pub audit_max_entries: u32,

    /// How many bytes the entries of one request may have together
    #[arg(long, value_name = "BYTES", default_value_t = Quota::default().bytes, value_parser = bytes)]
    pub audit_max_bytes: u64,
}

/// The names of the policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PolicyFlag {
    /// Its client gets 503, whatever the component answers
    FailClosed,
    /// It goes on; the record is dropped and counted
    BestEffort,
}

impl AuditFlags {
    /// How the log that these flags name is kept, or the default log that a server at
    /// `address` tries first.
    ///
    /// # Errors
    ///
    /// Fails if no place is named and there is no home folder for the default one.
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
    /// What happens to a request whose record cannot be written.
    #[must_use]
    pub fn policy(&self) -> Policy {
        match self.audit_policy {
            PolicyFlag::FailClosed => Policy::FailClosed,
            PolicyFlag::BestEffort => Policy::BestEffort,
        }
    }

    /// How much one request may append.
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
