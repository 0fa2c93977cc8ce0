//! The flags of the commands.

use std::path::PathBuf;

use anyhow::{Context, Result};
use audit_log::query::Filter;
use audit_log::record::Outcome;
use audit_log::show::Format;
use audit_log::{DefaultLogs, Location, Moment, NoDefaultLog};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};

/// What can be done with an audit log.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Show the last records, and with --follow those that are added
    ///
    /// With --follow it goes on until SIGINT or SIGTERM arrives, or nobody reads its
    /// output any more.
    #[command(after_help = "Examples:\n  \
        component-runner audit tail -n 20\n  \
        component-runner audit tail --follow --format json | jq .guest.action")]
    Tail(Tail),
    /// Show the records that fit, oldest first
    ///
    /// A record is shown if it fits all flags that are given. TIME is a time
    /// (2026-08-01T12:00:00Z), a day (2026-08-01, from its beginning in UTC), or how
    /// long ago (90s, 30m, 1h, 2d, 4w).
    #[command(after_help = "Examples:\n  \
        component-runner audit query --since 1h --outcome denied\n  \
        component-runner audit query --request-id 1f0c2f5a-17 --format json\n  \
        component-runner audit query --since 2026-08-01 --until 2026-09-01 --format csv > august.csv\n\n\
        Formats:\n  \
        text  a line to be read; after the word `guest:` it is the guest that speaks\n  \
        json  the record as it is stored\n  \
        csv   a table with a header; a text that begins like a formula gets an\n        \
        apostrophe, and what deceives is escaped as in JSON")]
    Query(Query),
    /// Check that no record was changed, removed, added or moved
    ///
    /// Reads the whole log: every record must name the hash of the one before it, and
    /// every checkpoint and tombstone must be signed. Says what is wrong with the
    /// first bad record, and exits with 1.
    ///
    /// Who holds the key of the log can write all of it anew. What they cannot change
    /// is a checkpoint that was kept somewhere else: name it with --checkpoint.
    #[command(after_help = "Examples:\n  \
        component-runner audit verify\n  \
        component-runner audit verify --audit jsonl:august.jsonl \\\n    \
        --public-key audit.pem --checkpoint elsewhere/node.jsonl")]
    Verify(Verify),
    /// Copy the log: tombstones and records, one a line, as they are stored
    ///
    /// The copy is a log itself: `verify --audit jsonl:FILE` checks it. It is of one
    /// moment, also while a server writes the log or somebody prunes it.
    #[command(after_help = "Examples:\n  \
        component-runner audit export -o august.jsonl\n  \
        component-runner audit export | gzip > audit.jsonl.gz")]
    Export(Export),
    /// Remove old records, and sign that this was done
    ///
    /// Removes records from the beginning of the log, up to the first one that is not
    /// older than TIME, but never the last one. Before that it verifies them. A signed
    /// tombstone says how many they were and which hash the last one had, so what
    /// stays can still be verified.
    ///
    /// A database can be pruned while a server writes it. Its file does not become
    /// smaller, but has room for new records. A file of JSON lines can be pruned only
    /// while no server writes it.
    ///
    /// TIME is a time (2026-08-01T12:00:00Z), a day (2026-08-01), or how long ago
    /// (30m, 1h, 2d, 4w).
    #[command(after_help = "Example:\n  \
        component-runner audit export -o until-today.jsonl &&\n  \
        component-runner audit prune --before 90d")]
    Prune(Prune),
    /// Print the public key that verifies the log, as PEM
    ///
    /// Give it to whoever verifies, on another way than the log.
    #[command(after_help = "Examples:\n  \
        component-runner audit key > audit.pem\n  \
        component-runner audit key --hex")]
    Key(Key),
}

/// Which log.
#[derive(Debug, Args)]
pub struct Log {
    /// The log: sqlite:PATH or jsonl:PATH [default:
    /// sqlite:$XDG_DATA_HOME/component-runner/audit.db, with ~/.local/share where
    /// that variable is not set; where servers ran side by side, the others have
    /// audit@ADDRESS.db beside it: one must be named, but for `verify`, which checks all]
    #[arg(long, value_name = "LOCATION")]
    audit: Option<Location>,
}

impl Log {
    /// The log that is named, or the only one at the default place.
    ///
    /// # Errors
    ///
    /// Fails if none is named, and there is no default place or there are several logs.
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

    /// The log that is named, or all at the default place.
    ///
    /// # Errors
    ///
    /// Fails if none is named and there is no default place.
    pub fn locations(&self) -> Result<Vec<Location>> {
        if let Some(location) = &self.audit {
            return Ok(vec![location.clone()]);
        }
        let logs = DefaultLogs::of_user().map_err(NoDefaultLog::from)?;
        let what = || format!("cannot read the folder `{}`", logs.folder().display());
        let mut found = logs.existing().with_context(what)?;
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

    /// How many records to begin with
    #[arg(short = 'n', value_name = "NUMBER", default_value_t = 10)]
    pub(crate) number: u64,

    /// Go on with the records that are added
    #[arg(long, short)]
    pub(crate) follow: bool,

    /// What records look like
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
    since: Option<Moment>,

    /// Only records written before this time
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,

    /// Only entries of guests with exactly this action
    #[arg(long)]
    action: Option<String>,

    /// Only entries of guests with this outcome
    #[arg(long, value_parser = outcome())]
    outcome: Option<Outcome>,

    /// Only records about a component: its name, or at least the first 8 digits
    /// of its SHA-256
    #[arg(long, value_name = "NAME|SHA256")]
    component: Option<String>,

    /// Only records about the request with this id
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,

    /// What records look like
    #[arg(long, default_value = "text", value_parser = format())]
    pub(crate) format: Format,
}

impl Query {
    /// The records that these flags ask for.
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

    /// A file with checkpoints that was kept somewhere else; may be repeated
    #[arg(long = "checkpoint", value_name = "FILE")]
    pub(crate) checkpoints: Vec<PathBuf>,

    /// The public key (PEM) that must have signed the log; may be repeated if it
    /// was changed. Without it, the key of the checkpoints that are given must have,
    /// and without those it is only shown who did
    #[arg(long = "public-key", value_name = "FILE")]
    pub(crate) public_keys: Vec<PathBuf>,
}

/// The flags of `export`.
#[derive(Debug, Args)]
pub struct Export {
    #[command(flatten)]
    pub(crate) log: Log,

    /// Make this new file, for the user alone, instead of writing to standard
    /// output
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
    pub(crate) before: Moment,

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

    /// Print it as hexadecimal digits, as records name it
    #[arg(long)]
    pub(crate) hex: bool,
}

/// Which key.
#[derive(Debug, Args)]
pub struct KeyFile {
    /// The key of the log [default: PATH.key, beside the log]
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
    PossibleValuesParser::new(["success", "denied", "failure"]).map(|name| match name.as_str() {
        "success" => Outcome::Success,
        "denied" => Outcome::Denied,
        _ => Outcome::Failure,
    })
}
