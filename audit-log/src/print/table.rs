//! CSV output (RFC 4180; lines end with a line feed alone).
//!
//! A record is always one line: deceptive characters, such as a line feed, are escaped as in
//! JSON, and backslashes are doubled. Spreadsheet programs execute a cell that begins like a
//! formula, so an apostrophe is prefixed to such a text.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::json;
use crate::record::Record;
use sanitize::is_deceptive;

/// The columns. Later versions only append columns.
const COLUMNS: [&str; 19] = [
    "sequence",
    "time",
    "node",
    "boot",
    "component",
    "component_sha256",
    "request_id",
    "trace_id",
    "peer",
    "method",
    "path",
    "principal",
    "action",
    "outcome",
    "resource",
    "attributes",
    "event",
    "checkpoint",
    "previous",
];

#[derive(Debug)]
pub(super) struct Table<W: Write>(csv::Writer<W>);

impl<W: Write> Table<W> {
    pub(super) fn new(output: W) -> io::Result<Self> {
        let mut writer = csv::Writer::from_writer(output);
        writer.write_record(COLUMNS)?;
        Ok(Self(writer))
    }

    pub(super) fn write(&mut self, record: &Record<'_>) -> io::Result<()> {
        let host = &record.host;
        let component = host.component.as_ref();
        let request = host.request.as_ref();
        let guest = record.guest.as_ref();
        let fields: [Option<String>; COLUMNS.len()] = [
            Some(host.sequence.to_string()),
            Some(cell(&host.time)),
            Some(cell(&host.node)),
            Some(cell(&host.boot)),
            component.map(|one| cell(&one.name)),
            component.map(|one| cell(&one.sha256)),
            request.map(|one| cell(&one.id)),
            request.and_then(|one| one.trace_id.as_deref().map(cell)),
            request.and_then(|one| one.peer.as_deref().map(cell)),
            request.map(|one| cell(&one.method)),
            request.map(|one| cell(&one.path)),
            request.and_then(|one| one.principal.as_deref().map(cell)),
            guest.map(|one| cell(&one.action)),
            guest.map(|one| json(&one.outcome).trim_matches('"').to_owned()),
            guest.and_then(|one| one.resource.as_deref().map(cell)),
            // JSON is escaped already and does not begin like a formula.
            guest.map(|one| json(&one.attributes)),
            record.event.as_ref().map(json),
            record.checkpoint.as_ref().map(json),
            Some(host.previous.to_string()),
        ];
        let fields = fields.iter().map(|field| field.as_deref().unwrap_or(""));
        self.0.write_record(fields)?;
        Ok(())
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn cell(text: &str) -> String {
    let mut cell = String::with_capacity(text.len());
    // Some programs treat the full-width forms like the ASCII ones.
    if text.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']) {
        cell.push('\'');
    }
    for character in text.chars() {
        if character == '\\' {
            cell.push_str("\\\\");
        } else if is_deceptive(character) {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                write!(cell, "\\u{unit:04x}").expect("memory can be written");
            }
        } else {
            cell.push(character);
        }
    }
    cell
}
