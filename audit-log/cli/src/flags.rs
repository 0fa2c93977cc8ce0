//! The command line of the commands.

use std::path::PathBuf;

use anyhow::{Context, Result};
use audit_log::print::Format;
use audit_log::query::Filter;
use audit_log::record::Outcome;
use audit_log::{DefaultLogs, Location, NoDefaultLog, TimeBound};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};

/// A command for audit logs.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Show the last records, and with --follow new ones as they are added
    ///
    /// With --follow it runs until SIGINT or SIGTERM, or until its output is closed.
    #[command(after_help = "Examples:\n  \
        component-runner audit tail -n 20\n  \
        component-runner audit tail --follow --format json | jq .guest.action")]
    Tail(Tail),
    /// Show matching records, oldest first
    ///
    /// A record is shown if it matches all given flags. TIME is a time
    /// (2026-08-01T12:00:00Z), a day (2026-08-01, its start in UTC), or an age (90s, 30m,
    /// 1h, 2d, 4w).
    #[command(after_help = "Examples:\n  \
        component-runner audit query --since 1h --outcome denied\n  \
        component-runner audit query --request-id 1f0c2f5a-17 --format json\n  \
        component-runner audit query --since 2026-08-01 --until 2026-09-01 --format csv > august.csv\n\n\
        Formats:\n  \
        text  one line a record; the fields after `guest:` are those of the guest\n  \
        json  the record as it is stored\n  \
        csv   a table with a header; a text that begins like a formula is prefixed with\n        \
        an apostrophe, and deceptive characters are escaped as in JSON")]
    Query(Query),
    /// Verify that no record was changed, removed, added or moved
    ///
    /// Reads the whole log: every record must contain the hash of the previous one, and
    /// every checkpoint and tombstone must be signed. Reports the first bad record, and
    /// exits with 1.
    ///
    /// An attacker with the key of the log can rewrite all of it, but not a checkpoint
    /// that was copied elsewhere: name it with --checkpoint.
    #[command(after_help = "Examples:\n  \
        component-runner audit verify\n  \
        component-runner audit verify --audit jsonl:august.jsonl \\\n    \
        --public-key audit.pem --checkpoint elsewhere/node.jsonl")]
    Verify(Verify),
    /// Export the log: tombstones and records, one a line, as they are stored
    ///
    /// The export is itself a log: `verify --audit jsonl:FILE` checks it. It is a
    /// consistent snapshot, also while a server writes the log or it is pruned.
    #[command(after_help = "Examples:\n  \
        component-runner audit export -o august.jsonl\n  \
        component-runner audit export | gzip > audit.jsonl.gz")]
    Export(Export),
    /// Remove old records, and sign a tombstone for them
    ///
    /// Verifies and removes records from the beginning of the log, up to the first one
    /// that is not older than TIME, but never the last one. A signed tombstone records
    /// their number and the hash of the last one, so the rest of the log can still be
    /// verified.
    ///
    /// A database can be pruned while a server writes it. Its file does not shrink, but
    /// has room for new records. A file of JSON lines can be pruned only while no server
    /// writes it.
    ///
    /// TIME is a time (2026-08-01T12:00:00Z), a day (2026-08-01), or an age (30m, 1h, 2d,
    /// 4w).
    #[command(after_help = "Example:\n  \
        component-runner audit export -o until-today.jsonl &&\n  \
        component-runner audit prune --before 90d")]
    Prune(Prune),
    /// Print the public key that verifies the log, as PEM
    ///
    /// Give it to the auditor, separately from the log.
    #[command(after_help = "Examples:\n  \
        component-runner audit key > audit.pem\n  \
        component-runner audit key --hex")]
    Key(Key),
}

/// The log of a command.
#[derive(Debug, Args)]
pub struct Log {
    /// The log: sqlite:PATH or jsonl:PATH [default:
    /// sqlite:$XDG_DATA_HOME/component-runner/audit.db, with ~/.local/share where
    /// that variable is not set; if several servers ran at the same time, the others have
    /// audit@ADDRESS.db in that folder: one must be named, except for `verify`, which
    /// checks all]
    #[arg(long, value_name = "LOCATION")]
    audit: Option<Location>,
}

impl Log {
    /// The named log, or the only one in the default folder.
    ///
    /// # Errors
    ///
    /// Fails if no log is named, and the default folder is missing or has several logs.
    pub fn location(&self) -> Result<Location> {
        let mut logs = self.locations()?;
        match logs.pop() {
            Some(log) if logs.is_empty() => Ok(log),
            last => {
                logs.extend(last);
                Err(NoDefaultLog::Several(logs).into())
            }
        }
    }

    /// The named log, or all logs in the default folder.
    ///
    /// # Errors
    ///
    /// Fails if no log is named, and the default folder is missing.
    pub fn locations(&self) -> Result<Vec<Location>> {
        if let Some(location) = &self.audit {
            return Ok(vec![location.clone()]);
        }
        let logs = DefaultLogs::of_user().map_err(NoDefaultLog::from)?;
        let context = || format!("cannot read the folder `{}`", logs.folder().display());
        let mut found = logs.existing().with_context(context)?;
        if found.is_empty() {
            found.push(logs.first());
        }
        Ok(found)
    }
}

/// The flags of `tail`.
#[derive(Debug, Args)]
pub struct Tail {
    #[command(flatten)]
    pub(crate) log: Log,

    /// Number of existing records to show
    #[arg(short = 'n', value_name = "NUMBER", default_value_t = 10)]
    pub(crate) number: u64,

    /// Continue with new records as they are added
    #[arg(long, short)]
    pub(crate) follow: bool,

    /// Output format
    #[arg(long, default_value = "text", value_parser = format())]
    pub(crate) format: Format,
}

/// The flags of `query`.
#[derive(Debug, Args)]
pub struct Query {
    #[command(flatten)]
    pub(crate) log: Log,

    /// Only records written at this time or later
    #[arg(long, value_name = "TIME")]
    since: Option<TimeBound>,

    /// Only records written before this time
    #[arg(long, value_name = "TIME")]
    until: Option<TimeBound>,

    /// Only guest entries with exactly this action
    #[arg(long)]
    action: Option<String>,

    /// Only guest entries with this outcome
    #[arg(long, value_parser = outcome())]
    outcome: Option<Outcome>,

    /// Only records of a component: its name, or at least the first 8 digits of its
    /// SHA-256
    #[arg(long, value_name = "NAME|SHA256")]
    component: Option<String>,

    /// Only records of the request with this id
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,

    /// Output format
    #[arg(long, default_value = "text", value_parser = format())]
    pub(crate) format: Format,
}

impl Query {
    /// The filter of these flags.
    #[must_use]
    pub fn filter(&self) -> Filter {
        Filter {
            since: self.since.clone(),
            until: self.until.clone(),
            action: self.action.clone(),
            outcome: self.outcome,
            component: self.component.clone(),
            request: self.request_id.clone(),
        }
    }
}

/// The flags of `verify`.
#[derive(Debug, Args)]
pub struct Verify {
    #[command(flatten)]
    pub(crate) log: Log,

    /// File of external checkpoints, which were copied elsewhere; may be repeated
    #[arg(long = "checkpoint", value_name = "FILE")]
    pub(crate) checkpoints: Vec<PathBuf>,

    /// Public key (PEM) that must have signed the log; may be repeated if the key was
    /// changed [default: the keys of the given checkpoints; without those, any key is
    /// accepted and shown]
    #[arg(long = "public-key", value_name = "FILE")]
    pub(crate) public_keys: Vec<PathBuf>,
}

/// The flags of `export`.
#[derive(Debug, Args)]
pub struct Export {
    #[command(flatten)]
    pub(crate) log: Log,

    /// New file to create, with mode 0600, instead of standard output
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// The flags of `prune`.
#[derive(Debug, Args)]
pub struct Prune {
    #[command(flatten)]
    pub(crate) log: Log,

    /// Remove records written before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) before: TimeBound,

    #[command(flatten)]
    pub(crate) file: KeyFile,
}

/// The flags of `key`.
#[derive(Debug, Args)]
pub struct Key {
    #[command(flatten)]
    pub(crate) log: Log,

    #[command(flatten)]
    pub(crate) file: KeyFile,

    /// Print hexadecimal digits, the form in records, instead of PEM
    #[arg(long)]
    pub(crate) hex: bool,
}

/// The key of a command.
#[derive(Debug, Args)]
pub struct KeyFile {
    /// Key of the log [default: PATH.key]
    #[arg(long = "key", value_name = "FILE")]
    pub(crate) path: Option<PathBuf>,
}

fn format() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(["text", "json", "csv"]).map(|name| match name.as_str() {
        "json" => Format::Json,
        "csv" => Format::Csv,
        _ => Format::Text,
    })
}

fn outcome() -> impl TypedValueParser<Value = Outcome> {
    let names = Outcome::ALL.map(Outcome::name);
    PossibleValuesParser::new(names).try_map(|name| {
        let mut outcomes = Outcome::ALL.into_iter();
        outcomes
            .find(|outcome| outcome.name() == name)
            .ok_or("unknown outcome")
    })
}
