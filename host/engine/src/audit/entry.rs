//! Validation of entries by the contract of `audit-log`.

use ::audit_log::record::{Attribute, Entry, Outcome};

use super::audit_log::{self, Error};

/// Limit of the strings of an entry together, in bytes.
const MAX_ENTRY_BYTES: usize = 4096;

/// Limit of the attributes of an entry.
const MAX_ATTRIBUTES: usize = 16;

/// Size of the strings of an entry together, in bytes.
pub(super) fn bytes(entry: &audit_log::Entry) -> usize {
    let attribute = |each: &audit_log::Attribute| each.name.len() + each.value.len();
    let resource = entry.resource.as_ref().map_or(0, String::len);
    entry.action.len() + resource + entry.attributes.iter().map(attribute).sum::<usize>()
}

/// Validates an entry of a guest.
///
/// # Errors
///
/// Returns the error for the guest if the entry breaks a rule.
pub(super) fn check(entry: &audit_log::Entry) -> Result<(), Error> {
    if entry.action.is_empty() {
        return Err(Error::Invalid("empty action".to_owned()));
    }
    let count = entry.attributes.len();
    if count > MAX_ATTRIBUTES {
        return Err(Error::Invalid(format!(
            "too many attributes: {count}, at most {MAX_ATTRIBUTES} are allowed"
        )));
    }
    if entry.attributes.iter().any(|each| each.name.is_empty()) {
        return Err(Error::Invalid("empty attribute name".to_owned()));
    }
    let bytes = bytes(entry);
    if bytes > MAX_ENTRY_BYTES {
        return Err(Error::TooLarge(format!(
            "entry of {bytes} bytes, at most {MAX_ENTRY_BYTES} are allowed"
        )));
    }
    Ok(())
}

/// The entry in the form of the record.
pub(super) fn for_record(entry: &audit_log::Entry) -> Entry<'_> {
    Entry {
        action: entry.action.as_str().into(),
        outcome: match entry.outcome {
            audit_log::Outcome::Success => Outcome::Success,
            audit_log::Outcome::Denied => Outcome::Denied,
            audit_log::Outcome::Failure => Outcome::Failure,
        },
        resource: entry.resource.as_deref().map(Into::into),
        attributes: entry
            .attributes
            .iter()
            .map(|each| Attribute {
                name: each.name.as_str().into(),
                value: each.value.as_str().into(),
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(action: &str, attributes: &[(&str, &str)]) -> audit_log::Entry {
        let attribute = |&(name, value): &(&str, &str)| audit_log::Attribute {
            name: name.to_owned(),
            value: value.to_owned(),
        };
        audit_log::Entry {
            action: action.to_owned(),
            outcome: audit_log::Outcome::Success,
            resource: None,
            attributes: attributes.iter().map(attribute).collect(),
        }
    }

    #[test]
    fn a_guest_cannot_append_more_than_4_kib() {
        let rest = "x".repeat(MAX_ENTRY_BYTES - "act".len() - "n".len());
        assert!(check(&entry("act", &[("n", &rest)])).is_ok());
        let result = check(&entry("act!", &[("n", &rest)]));
        assert!(matches!(result, Err(Error::TooLarge(_))));
    }

    #[test]
    fn a_guest_cannot_append_more_than_16_attributes() {
        assert!(check(&entry("act", &[("n", ""); 16])).is_ok());
        let result = check(&entry("act", &[("n", ""); 17]));
        assert!(matches!(result, Err(Error::Invalid(_))));
    }

    #[test]
    fn a_guest_cannot_append_an_empty_action_or_attribute_name() {
        assert!(matches!(check(&entry("", &[])), Err(Error::Invalid(_))));
        let result = check(&entry("act", &[("", "v")]));
        assert!(matches!(result, Err(Error::Invalid(_))));
    }
}
