//! The default logs, of servers without `--audit`.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use crate::log::{AuditLog, Settings};
use crate::{Location, OpenError};

/// The file name of the first log.
const FIRST: &str = "audit.db";

/// The file name prefix of further logs; the address of the server follows.
const FURTHER: &str = "audit@";

/// The maximum bytes of an address in a file name.
const ADDRESS_BYTES: usize = 100;

/// The maximum number of concurrent servers with equal addresses (such as port 0) and default
/// logs.
const EQUAL_ADDRESSES: usize = 1000;

/// The logs in the data folder of a user: `audit.db`, and `audit@ADDRESS.db` of each server that
/// found the others locked when it created its log.
///
/// A server that has such a log uses it whenever it starts again. Every other server continues
/// `audit.db`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefaultLogs {
    folder: PathBuf,
}

/// The user has no data folder.
#[derive(Debug, thiserror::Error)]
#[error(
    "the audit log has no default location, because neither XDG_DATA_HOME nor HOME is set; name \
     one with `--audit`, such as `--audit sqlite:audit.db`"
)]
pub struct NoDataFolder;

/// An error of selecting a default log to read.
#[derive(Debug, thiserror::Error)]
pub enum NoDefaultLog {
    /// The user has no data folder.
    #[error(transparent)]
    NoDataFolder(#[from] NoDataFolder),
    /// Several servers have run at the same time.
    #[error(
        "{} audit logs are in the default folder, because several servers ran at the same time; \
         name one of them:{}",
        .0.len(),
        as_flags(.0)
    )]
    Several(Vec<Location>),
}

impl DefaultLogs {
    /// The logs in `$XDG_DATA_HOME/component-runner`, with `~/.local/share` where that variable
    /// is not set.
    ///
    /// # Errors
    ///
    /// Fails if neither variable names an absolute path.
    pub fn of_user() -> Result<Self, NoDataFolder> {
        let folder = |name| {
            let path = PathBuf::from(env::var_os(name)?);
            path.is_absolute().then_some(path)
        };
        let data = folder("XDG_DATA_HOME")
            .or_else(|| Some(folder("HOME")?.join(".local/share")))
            .ok_or(NoDataFolder)?;
        Ok(Self {
            folder: data.join("component-runner"),
        })
    }

    /// The folder of the logs, which may not exist yet.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The log of a server that runs alone, `audit.db`.
    #[must_use]
    pub fn first(&self) -> Location {
        Location::Sqlite(self.folder.join(FIRST))
    }

    /// The log that the server at `address` tries first: its own if it exists, and otherwise
    /// [`DefaultLogs::first`].
    #[must_use]
    pub fn preferred(&self, address: &str) -> Location {
        let own = self.own(address, 1);
        if exists(&own) { own } else { self.first() }
    }

    /// The `number`th log named for `address`.
    fn own(&self, address: &str, number: usize) -> Location {
        let plain = |c: char| {
            if c.is_ascii_alphanumeric() || c == '.' {
                c
            } else {
                '-'
            }
        };
        let address = address.trim_matches(['[', '/']).replace("]:", ":");
        let address: String = address.chars().take(ADDRESS_BYTES).map(plain).collect();
        let number = match number {
            1 => String::new(),
            number => format!("@{number}"),
        };
        let name = format!("{FURTHER}{address}{number}.db");
        Location::Sqlite(self.folder.join(name))
    }

    /// Opens the log of the server at `address`, and stores its location in `settings`: the
    /// first that is not locked of its own existing logs, [`DefaultLogs::first`] and a new log.
    ///
    /// # Errors
    ///
    /// Fails like [`AuditLog::open`].
    pub fn open(&self, settings: &mut Settings, address: &str) -> Result<AuditLog, OpenError> {
        let numbers = 1..=EQUAL_ADDRESSES;
        let own = numbers.clone().map(|number| self.own(address, number));
        let found = own.clone().take_while(exists);
        let new = own.skip_while(exists);
        for location in found.chain([self.first()]).chain(new) {
            settings.location = location;
            match AuditLog::open(settings) {
                Err(OpenError::InUse { .. }) => {}
                done => return done,
            }
        }
        // All were in use; the last one may be free by now.
        AuditLog::open(settings)
    }

    /// The existing logs.
    ///
    /// # Errors
    ///
    /// Fails if the folder exists and cannot be read.
    pub fn existing(&self) -> io::Result<Vec<Location>> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut paths = Vec::new();
        for entry in entries {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            let is_log = |name: &str| {
                let further = name.strip_prefix(FURTHER);
                name == FIRST
                    || further.is_some_and(|_| path.extension().is_some_and(|end| end == "db"))
            };
            if name.is_some_and(is_log) {
                paths.push(path);
            }
        }
        paths.sort();
        Ok(paths.into_iter().map(Location::Sqlite).collect())
    }
}

/// The `--audit` flag of each log, one a line.
fn as_flags(logs: &[Location]) -> String {
    let flags: Vec<_> = logs
        .iter()
        .map(|log| format!("\n  --audit {log}"))
        .collect();
    flags.concat()
}

fn exists(log: &Location) -> bool {
    log.path().is_some_and(Path::exists)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logs(folder: &Path) -> DefaultLogs {
        DefaultLogs {
            folder: folder.to_owned(),
        }
    }

    /// Opens the default log of the server at `address`.
    fn open(logs: &DefaultLogs, address: &str) -> (AuditLog, Location) {
        let mut settings = Settings::new(Location::None);
        let log = logs.open(&mut settings, address).unwrap();
        (log, settings.location)
    }

    fn close(log: &AuditLog) {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(log.close());
    }

    #[test]
    fn locked_default_log_leads_to_an_own_log_that_a_restart_continues() {
        let folder = tempfile::tempdir().unwrap();
        let logs = logs(folder.path());
        let (first, at) = open(&logs, "127.0.0.1:3000");
        assert_eq!(at, logs.first());
        let (second, own) = open(&logs, "127.0.0.1:3001");
        assert_eq!(own, logs.own("127.0.0.1:3001", 1));
        let (third, other) = open(&logs, "127.0.0.1:3001");
        assert_eq!(other, logs.own("127.0.0.1:3001", 2));
        assert_eq!(logs.existing().unwrap().len(), 3);

        [first, second, third].iter().for_each(close);
        let (_second, at) = open(&logs, "127.0.0.1:3001");
        assert_eq!(at, own);
        let (_third, at) = open(&logs, "127.0.0.1:3001");
        assert_eq!(at, other);
        let (_first, at) = open(&logs, "127.0.0.1:3000");
        assert_eq!(at, logs.first());
        assert_eq!(logs.existing().unwrap().len(), 3);
    }

    #[test]
    fn servers_that_run_one_after_another_share_the_first_log() {
        let folder = tempfile::tempdir().unwrap();
        let logs = logs(folder.path());
        for address in ["127.0.0.1:3000", "[::1]:80", "unix:/run/app.sock"] {
            let (log, at) = open(&logs, address);
            assert_eq!(at, logs.first(), "{address}");
            close(&log);
        }
    }

    #[test]
    fn default_log_is_named_for_the_address_of_its_server() {
        let logs = logs(Path::new("/data"));
        for (address, name) in [
            ("127.0.0.1:3001", "audit@127.0.0.1-3001.db"),
            ("[::1]:3001", "audit@--1-3001.db"),
            ("unix:/run/app.sock", "audit@unix--run-app.sock.db"),
            (
                &*"é/".repeat(200),
                &*format!("audit@{}.db", "-".repeat(100)),
            ),
        ] {
            let path = Path::new("/data").join(name);
            assert_eq!(logs.own(address, 1), Location::Sqlite(path));
        }
    }

    #[test]
    fn copies_in_the_data_folder_are_not_default_logs() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "audit.db",
            "audit.db-wal",
            "audit-copy.db",
            "audit@a-1.db.key",
        ] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let logs = logs(folder.path());
        assert_eq!(logs.existing().unwrap(), [logs.first()]);
    }
}
