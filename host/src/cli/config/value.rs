//! TOML values, as command-line arguments and in errors.

use toml::de::DeValue;

use super::entry::without_login;

/// Limit on the characters of a value in an error.
const MAX_SHOWN_CHARS: usize = 80;

/// A scalar as a command-line argument.
pub(super) fn scalar(value: &DeValue<'_>, is_switch: bool) -> Option<String> {
    let text = match value {
        DeValue::String(text) => text.as_ref(),
        DeValue::Float(number) => number.as_str(),
        DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
        DeValue::Integer(number) => {
            let number = u64::from_str_radix(number.as_str(), number.radix()).ok()?;
            return Some(number.to_string());
        }
        DeValue::Boolean(true) if is_switch => "on",
        DeValue::Boolean(false) if is_switch => "off",
        DeValue::Boolean(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
            return None;
        }
    };
    Some(text.to_owned())
}

/// The type of a value, for an error about an unexpected type.
pub(super) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) if scalar(value, true).is_none() => "a number that is too large",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

/// A key and its value for an error: without a password, and truncated.
pub(super) fn shown(key: &str, value: &DeValue<'_>, text: &str) -> String {
    let mut text = without_login(text);
    if let Some((end, _)) = text.char_indices().nth(MAX_SHOWN_CHARS) {
        text.truncate(end);
        text.push('…');
    }
    match value {
        DeValue::String(_) => format!("{key} = {text:?}"),
        DeValue::Boolean(is) => format!("{key} = {is}"),
        _ => format!("{key} = {text}"),
    }
}

/// An unknown key for an error. Its value may be a secret, and is shown only where it is not.
pub(super) fn shown_unknown(key: &str, value: &DeValue<'_>) -> String {
    match scalar(value, true) {
        Some(text) if !text.contains(['=', '@']) => shown(key, value, &text),
        _ => key.to_owned(),
    }
}
