//! Log events and guest lines as text or JSON objects.

use std::ffi::OsString;
use std::fmt::{self, Debug};

use jiff::Timestamp;
use sanitize::lines;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::is_json;
use crate::RequestInfo;

/// Maximum length of one field, in bytes.
const MAX_FIELD_BYTES: usize = 8 << 10;

/// Formats each event as a JSON object on a line.
#[derive(Debug, Clone, Copy)]
pub struct Json;

/// Whether a terminal gets colours. The environment variables disable them: a non-empty
/// `NO_COLOR` (<https://no-color.org>), or `TERM` with the value `dumb`.
pub fn has_color(variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let is_disabled = variable("NO_COLOR").is_some_and(|value| !value.is_empty());
    let is_dumb = variable("TERM").is_some_and(|value| value == "dumb");
    !is_disabled && !is_dumb
}

/// Formats the fields of an event as text. Values are untrusted, so they are
/// [sanitized](sanitize::lines).
#[must_use]
pub fn text_fields() -> impl for<'a> FormatFields<'a> + Send + Sync + 'static {
    debug_fn(|writer, field, value| {
        let value = format_args!("{value:?}");
        let value = lines(&value).at_most(MAX_FIELD_BYTES);
        match field.name() {
            "message" => write!(writer, "{value}"),
            name => write!(writer, "{name}={value}"),
        }
    })
    .delimited(" ")
}

/// Collects fields as JSON.
struct JsonVisitor(Map<String, Value>);

impl JsonVisitor {
    fn set(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for JsonVisitor {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, bounded(format_args!("{value}")));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.set(field, bounded(format_args!("{value:?}")));
    }
}

/// The sanitized value, up to the maximum length. Line feeds stay: JSON escapes them.
fn bounded(value: fmt::Arguments<'_>) -> String {
    sanitize::text(value).at_most(MAX_FIELD_BYTES).to_string()
}

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut visitor = JsonVisitor(Map::new());
        event.record(&mut visitor);
        let mut fields = visitor.0;
        let message = fields.remove("message");
        let metadata = event.metadata();
        let line = Entry {
            level: metadata.level().as_str(),
            message: message.as_ref().and_then(Value::as_str).unwrap_or_default(),
            target: metadata.target(),
            fields,
        }
        .to_line();
        // The line is valid UTF-8.
        writer.write_str(&String::from_utf8_lossy(&line))
    }
}

/// A line of the server log as JSON.
struct Entry<'a> {
    level: &'a str,
    message: &'a str,
    target: &'a str,
    fields: Map<String, Value>,
}

impl Entry<'_> {
    /// The serialized entry with a line feed.
    fn to_line(&self) -> Vec<u8> {
        let mut line = Vec::with_capacity(256);
        sanitize::json::write(&mut line, self);
        line.push(b'\n');
        line
    }
}

impl Serialize for Entry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("timestamp", &now())?;
        map.serialize_entry("level", self.level)?;
        map.serialize_entry("message", self.message)?;
        map.serialize_entry("target", self.target)?;
        for (name, value) in &self.fields {
            if !matches!(&**name, "timestamp" | "level" | "target") {
                map.serialize_entry(name, value)?;
            }
        }
        map.end()
    }
}

/// A line about the log itself, which bypasses `tracing`.
pub(super) fn server_line(message: &str) -> Vec<u8> {
    const TARGET: &str = module_path!();

    if is_json() {
        return Entry {
            level: "WARN",
            message,
            target: TARGET,
            fields: Map::new(),
        }
        .to_line();
    }
    format!("{}  WARN {TARGET}: {message}\n", now()).into_bytes()
}

/// Formats a line that a guest printed to the stream `name`. `text` must be sanitized.
pub fn guest_line(request: &RequestInfo, name: &str, text: &str) -> Vec<u8> {
    let id = request.id();
    let function = request.component();
    if is_json() {
        let mut fields = Map::new();
        fields.insert("request".to_owned(), id.to_string().into());
        fields.insert("stream".to_owned(), name.into());
        if let Some(function) = function {
            fields.insert("function".to_owned(), function.name.as_ref().into());
            fields.insert("version".to_owned(), function.sha256.as_ref().into());
        }
        return Entry {
            level: "INFO",
            message: text,
            target: "guest",
            fields,
        }
        .to_line();
    }
    match function {
        Some(function) => format!("{id} {} {name}: {text}\n", sanitize::line(&function.name)),
        None => format!("{id} {name}: {text}\n"),
    }
    .into_bytes()
}

fn now() -> String {
    format!("{:.6}", Timestamp::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_color_and_term_dumb_disable_colours() {
        for (no_color, term, expected) in [
            (None, None, true),
            (None, Some("xterm-256color"), true),
            (Some(""), Some("xterm"), true),
            (Some("1"), Some("xterm"), false),
            (Some("0"), None, false),
            (None, Some("dumb"), false),
        ] {
            let variable = |name: &str| match name {
                "NO_COLOR" => no_color.map(OsString::from),
                "TERM" => term.map(OsString::from),
                _ => None,
            };
            assert_eq!(has_color(variable), expected, "{no_color:?} {term:?}");
        }
    }
}
