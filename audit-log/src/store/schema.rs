//! The tables of a database.

use rusqlite::Connection;

/// Says in the header of the file what it is: "audi".
pub(crate) const APPLICATION_ID: i32 = 0x6175_6469;

/// The tables of one version, which the header of the file names. In all of them,
/// `records` has a `sequence` and a `record`, and `tombstones` a `sequence` and a
/// `tombstone`; what can be asked for beside these is computed from the record, so that
/// nothing can disagree.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) version: i32,
    pub(crate) sql: &'static str,
}

/// What is computed is in columns of `records`. SQLite computes them also where a record
/// is added, and drops what it has computed.
const FIRST: Schema = Schema {
    version: 1,
    sql: include_str!("schema_1.sql"),
};

/// What is computed is in a view.
pub(crate) const LATEST: Schema = Schema {
    version: 2,
    sql: include_str!("schema_2.sql"),
};

impl Schema {
    /// That of the log in a database, or why there is none.
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
            format!("its schema has the version {version}, and this program knows 1 to {latest}")
        }))
    }

    /// Whether the database has exactly these tables and views, and nothing beside them: a
    /// view in place of a table, or a trigger, could change or remove records.
    pub(crate) fn is_that_of(&self, connection: &Connection) -> rusqlite::Result<bool> {
        let mut statement = connection.prepare("SELECT sql FROM sqlite_schema ORDER BY rowid")?;
        let found = statement.query_map((), |row| row.get::<_, Option<String>>(0))?;
        let found = found.collect::<Result<Vec<_>, _>>()?;
        let expected: Vec<_> = self.statements().map(|sql| Some(sql.to_owned())).collect();
        Ok(found == expected)
    }

    /// The statements, as SQLite keeps them.
    fn statements(&self) -> impl Iterator<Item = &'static str> {
        let statements = self.sql.split_terminator(';').map(str::trim);
        statements.filter(|sql| !sql.is_empty())
    }
}
