//! Verification: the record of a composition, compared with its bytes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::provenance::{FORMAT, NO_DIGEST, PROVENANCE_SECTION, Provenance};
use crate::binary::sections::{Section, custom, id, sections};
use crate::model::component::Component;
use crate::model::composition::{
    Composition, Import, NamedType, Node, sha256, undescribed_argument,
};
use crate::model::report::{Code, Diagnostic, Report, quoted};

/// The remedy for a file that differs from its record.
const RESTORE: &str = "compose it again, or copy it again from its source";

/// The part of the record that every format has.
#[derive(Deserialize)]
struct Versioned {
    format: u32,
}

/// The result of a verification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// The record; `None` if it is missing or cannot be parsed.
    pub provenance: Option<Provenance>,
    /// The differences; no diagnostics if the bytes match the record.
    pub report: Report,
}

/// Compares a composition with its record.
///
/// Every flipped byte is detected, and one inside a part is attributed to the part.
/// `bytes` need not be a valid component: only its section sizes have to be consistent.
#[must_use]
pub fn verify(name: &str, bytes: &[u8]) -> Verification {
    let unreadable = |code, reason: String, fix: &str| Verification {
        provenance: None,
        report: Diagnostic::error(code, reason, fix).into(),
    };
    let Some(sections) = sections(bytes) else {
        return unreadable(
            Code::Damaged,
            format!("`{name}` is not a component, or is damaged: its section sizes do not add up"),
            RESTORE,
        );
    };
    let is_composed = sections.iter().any(|section| section.id == id::COMPONENT);
    let Some((record, data)) = find_record(bytes, &sections) else {
        return unreadable(
            Code::NoProvenance,
            format!("`{name}` has no provenance record"),
            if is_composed {
                "compose it with this program, which appends one"
            } else {
                "only compositions have one, and fusing removes it"
            },
        );
    };
    if let Ok(Versioned { format }) = serde_json::from_slice(data)
        && format != FORMAT
    {
        return unreadable(
            Code::Damaged,
            format!(
                "the record in `{name}` has format {format}; this program supports format {FORMAT}"
            ),
            "verify it with the version of this program that composed it",
        );
    }
    let provenance: Provenance = match serde_json::from_slice(data) {
        Ok(provenance) => provenance,
        Err(error) => {
            return unreadable(
                Code::Damaged,
                format!("the record in `{name}` is damaged: {error}"),
                RESTORE,
            );
        }
    };

    let mut diagnostics = changed_parts(bytes, &sections, &provenance.parts);
    let is_last = sections.last() == Some(record);
    if diagnostics.is_empty() && !(is_last && is_digest_of(bytes, data, &provenance.sha256)) {
        diagnostics.push(Diagnostic::error(
            Code::Damaged,
            format!("all parts of `{name}` match the record, but the bytes around them do not"),
            RESTORE,
        ));
    }
    if diagnostics.is_empty() {
        diagnostics = changed_wires(name, bytes, &provenance);
    }
    Verification {
        provenance: Some(provenance),
        report: diagnostics.into(),
    }
}

/// Whether `digest` is that of `bytes` with the digest itself replaced by zeros. It is in
/// `data`, the end of `bytes`.
fn is_digest_of(bytes: &[u8], data: &[u8], digest: &str) -> bool {
    let position = data
        .windows(NO_DIGEST.len())
        .position(|window| window == digest.as_bytes());
    let Some(position) = position else {
        return false;
    };
    let start = bytes.len() - data.len() + position;
    let mut bytes = bytes.to_vec();
    bytes[start..start + NO_DIGEST.len()].copy_from_slice(NO_DIGEST.as_bytes());
    sha256(&bytes) == digest
}

fn find_record<'b, 's>(
    bytes: &'b [u8],
    sections: &'s [Section],
) -> Option<(&'s Section, &'b [u8])> {
    sections
        .iter()
        .filter(|section| section.id == id::CUSTOM)
        .find_map(|section| match custom(&bytes[section.content.clone()]) {
            Some((PROVENANCE_SECTION, data)) => Some((section, data)),
            _ => None,
        })
}

/// Pairs recorded parts and embedded components by digest, and reports the rest. Parts with
/// equal bytes are embedded once.
fn changed_parts(bytes: &[u8], sections: &[Section], recorded: &[Node]) -> Vec<Diagnostic> {
    let mut embedded: BTreeMap<String, u64> = sections
        .iter()
        .filter(|section| section.id == id::COMPONENT)
        .map(|section| {
            let content = &bytes[section.content.clone()];
            (sha256(content), content.len() as u64)
        })
        .collect();
    let missing: Vec<&Node> = recorded
        .iter()
        .filter(|part| embedded.get(&part.sha256) != Some(&part.size_bytes))
        .collect();
    for part in recorded {
        embedded.remove(&part.sha256);
    }
    let reason = |part: &Node| {
        let Node {
            name,
            size_bytes,
            sha256,
            ..
        } = part;
        let recorded =
            format!("`{name}` is recorded with {size_bytes} bytes and the SHA-256 digest {sha256}");
        match embedded.iter().find(|(_, size)| *size == size_bytes) {
            Some((found, _)) => format!("{recorded}, but embedded with the digest {found}"),
            None => format!("{recorded}, but no such component is embedded"),
        }
    };
    let mut diagnostics: Vec<Diagnostic> = missing
        .into_iter()
        .map(|part| Diagnostic::error(Code::ChangedPart, reason(part), RESTORE).among([&part.name]))
        .collect();
    if diagnostics.is_empty() && !embedded.is_empty() {
        diagnostics.push(Diagnostic::error(
            Code::ChangedPart,
            format!(
                "an embedded component is not in the record; its digest is {}",
                quoted(embedded.keys())
            ),
            RESTORE,
        ));
    }
    diagnostics
}

/// Compares the wires with those of a record whose digest matches: the record may have been
/// rewritten after the composition.
fn changed_wires(name: &str, bytes: &[u8], provenance: &Provenance) -> Vec<Diagnostic> {
    let component = match Component::new(name, bytes) {
        Ok(component) => component,
        Err(error) => {
            return vec![Diagnostic::error(
                Code::Damaged,
                error.to_string(),
                "compose it again",
            )];
        }
    };
    let found = Composition::of(&component);
    let mut recorded = Composition {
        name: name.to_owned(),
        nodes: provenance.parts.clone(),
        wires: provenance.wires.clone(),
        imports: provenance.imports.clone(),
        exports: provenance.exports.clone(),
        host_imports: provenance.host_imports.clone(),
        undescribed: provenance.undescribed.clone(),
        named_types: found.named_types.clone(),
    };
    // Records of earlier versions list these as imports.
    for NamedType { importer, import } in &found.named_types {
        let is_other = |other: &Import| other.importer != *importer || other.import != *import;
        recorded.imports.retain(is_other);
        let undescribed = undescribed_argument(importer, import);
        recorded.undescribed.retain(|other| *other != undescribed);
    }
    let types = component.type_imports();
    recorded
        .host_imports
        .retain(|name| !types.contains_key(name));
    if found == recorded {
        return Vec::new();
    }
    vec![Diagnostic::error(
        Code::WiresChanged,
        format!("the wires of `{name}` differ from the record"),
        "do not trust the record: it was not written by the composition",
    )]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::provenance::append_record;

    #[test]
    fn verify_reports_wires_changed_for_a_rewritten_record() {
        let text = r#"(component
            (component $c (import "f" (func $f)) (export "a" (func $f)))
            (import "f" (func $f))
            (instance $i (instantiate $c (with "f" (func $f))))
            (export "a" (func $i "a")))"#;
        let bytes = wat::parse_str(text).expect("valid WAT");
        let component = Component::new("whole", bytes.as_slice()).expect("valid");
        let mut composition = Composition::of(&component);
        let codes = |composition: &Composition| {
            let mut bytes = bytes.clone();
            append_record(&mut bytes, composition);
            let diagnostics = verify("whole", &bytes).report.diagnostics;
            let codes = diagnostics.iter().map(|diagnostic| diagnostic.code);
            codes.collect::<Vec<Code>>()
        };
        assert_eq!(codes(&composition), []);
        composition.exports[0].name = "b".to_owned();
        assert_eq!(codes(&composition), [Code::WiresChanged]);
    }
}
