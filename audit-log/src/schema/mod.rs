//! The database schema and its versions.

use rusqlite::Connection;

/// The application id in the database header: "audi".
pub(crate) const APPLICATION_ID: i32 = 0x6175_6469;

/// The schema of one version, which the database header names. In all versions, `records` has a
/// `sequence` and a `record`, and `tombstones` a `sequence` and a `tombstone`; all other columns
/// are computed from the record, so that they cannot disagree with it.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) version: i32,
    pub(crate) sql: &'static str,
}

/// The computed values are columns of `records`. SQLite computes them also for each insert, and
/// discards the result.
const FIRST: Schema = Schema {
    version: 1,
    sql: include_str!("schema_1.sql"),
};

/// The computed values are in a view.
pub(crate) const LATEST: Schema = Schema {
    version: 2,
    sql: include_str!("schema_2.sql"),
};

impl Schema {
    /// The schema of the log in a database, or the reason why it is not a log.
    pub(crate) fn of(connection: &Connection) -> rusqlite::Result<Result<Self, String>> {
        let number =
            |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0));
        if number("application_id")? != APPLICATION_ID {
            return Ok(Err("it is the database of another program".to_owned()));
        }
        let version = number("user_version")?;
        let mut known = [FIRST, LATEST].into_iter();
        let found = known.find(|schema| schema.version == version);
        Ok(found.ok_or_else(|| {
            let latest = LATEST.version;
            format!("unsupported schema version {version}; expected 1 to {latest}")
        }))
    }

    /// Whether the database has exactly these tables and views: a view in place of a table, or a
    /// trigger, could change or remove records.
    pub(crate) fn is_that_of(&self, connection: &Connection) -> rusqlite::Result<bool> {
        let mut statement = connection.prepare("SELECT sql FROM sqlite_schema ORDER BY rowid")?;
        let found = statement.query_map((), |row| row.get::<_, Option<String>>(0))?;
        let found = found.collect::<Result<Vec<_>, _>>()?;
        let expected: Vec<_> = self.statements().map(|sql| Some(sql.to_owned())).collect();
        Ok(found == expected)
    }

    /// The statements in the form in which SQLite stores them.
    fn statements(&self) -> impl Iterator<Item = &'static str> {
        let statements = self.sql.split_terminator(';').map(str::trim);
        statements.filter(|sql| !sql.is_empty())
    }
}
