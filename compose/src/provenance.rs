//! Provenance: a composition carries a record of what it was made of, and anybody
//! can compare the record with the bytes.
//!
//! The record is JSON in a custom section at the end, which hosts skip. It proves
//! that the bytes are those that were composed; it does not prove who composed them,
//! because whoever changes the bytes can write a new record.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wasm_encoder::{ComponentSection, CustomSection};

use crate::component::{Component, ComponentError};
use crate::decompose::decompose;
use crate::report::{Code, Diagnostic, Report, quoted};
use crate::sections::{Section, custom, id, sections};
use crate::structure::{
    Export, Import, NamedType, Part, Structure, Wire, sha256, undescribed_argument,
};

/// The name of the custom section.
pub const PROVENANCE_SECTION: &str = "component-compose:provenance";

/// The number of this form of the record.
const FORMAT: u32 = 1;

/// What to do about a file that is not what it was.
const GET_AGAIN: &str = "compose it again, or get it again from where it came";

/// What a composition records of its making.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// The form of this record: 1.
    pub format: u32,
    /// The program that composed.
    pub tool: String,
    /// Its version.
    pub version: String,
    /// The SHA-256 digest of the whole file, up to the end of the record, with 64
    /// zeros in place of this digest.
    pub sha256: String,
    /// The inputs.
    pub parts: Vec<Part>,
    /// How they were wired.
    pub wires: Vec<Wire>,
    /// What was left to the host.
    pub imports: Vec<Import>,
    /// What the composition exports.
    pub exports: Vec<Export>,
    /// Everything that the composition imports.
    pub host_imports: Vec<String>,
    /// What has no place in this description.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undescribed: Vec<String>,
}

/// What every form of the record has.
#[derive(Deserialize)]
struct Form {
    format: u32,
}

/// What came of a verification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// The record, if there is one that can be read.
    pub provenance: Option<Provenance>,
    /// What does not agree with it; no diagnostics if all does.
    pub report: Report,
}

/// What stands in place of the digest while it is computed.
const NO_DIGEST: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Appends the record of what `bytes` are composed of.
pub(crate) fn stamp(bytes: &mut Vec<u8>, structure: &Structure) -> Provenance {
    let Structure {
        parts,
        wires,
        imports,
        exports,
        host_imports,
        undescribed,
        // These follow from the bytes of the parts.
        named_types: _,
        name: _,
    } = structure.clone();
    let mut provenance = Provenance {
        format: FORMAT,
        tool: "component-compose".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        sha256: NO_DIGEST.to_owned(),
        parts,
        wires,
        imports,
        exports,
        host_imports,
        undescribed,
    };
    let stamped = [bytes.as_slice(), &section(&provenance)].concat();
    provenance.sha256 = sha256(&stamped);
    bytes.extend(section(&provenance));
    provenance
}

fn section(provenance: &Provenance) -> Vec<u8> {
    // Strings and integers in structs: this cannot fail.
    let data = serde_json::to_vec(provenance).unwrap_or_default();
    let section = CustomSection {
        name: PROVENANCE_SECTION.into(),
        data: data.into(),
    };
    let mut bytes = Vec::new();
    section.append_to_component(&mut bytes);
    bytes
}

/// Has a composition that something else made carry its record, as far as it is one.
/// A record that it has already is replaced.
///
/// # Errors
///
/// Returns a [`ComponentError`] if `bytes` are not a component.
pub fn record(name: &str, mut bytes: Vec<u8>) -> Result<Vec<u8>, ComponentError> {
    let component = Component::new(name, bytes.as_slice())?;
    if let Some(decomposed) = decompose(&component) {
        remove_records(&mut bytes);
        stamp(&mut bytes, &decomposed.structure);
    }
    Ok(bytes)
}

fn remove_records(bytes: &mut Vec<u8>) {
    let sections = sections(bytes).unwrap_or_default();
    // From the last on, so that the places of the others stay.
    for section in sections.iter().rev() {
        if is_record(bytes, section) {
            bytes.drain(section.start..section.content.end);
        }
    }
}

fn is_record(bytes: &[u8], section: &Section) -> bool {
    let name = custom(&bytes[section.content.clone()]).map(|(name, _)| name);
    section.id == id::CUSTOM && name == Some(PROVENANCE_SECTION)
}

/// Compares a composition with the record in it.
///
/// Every flipped byte is found, wherever it is, and one inside a part is attributed
/// to the part. `bytes` need not be a valid component: nothing but the sizes of its
/// sections is relied on.
#[must_use]
pub fn verify(name: &str, bytes: &[u8]) -> Verification {
    let unreadable = |code, reason: String, fix: &str| Verification {
        provenance: None,
        report: Diagnostic::error(code, reason, fix).into(),
    };
    let Some(sections) = sections(bytes) else {
        return unreadable(
            Code::Damaged,
            format!(
                "`{name}` is no component, or is damaged: the sizes of its sections do not add up"
            ),
            GET_AGAIN,
        );
    };
    let is_composed = sections.iter().any(|section| section.id == id::COMPONENT);
    let Some((record, data)) = find_record(bytes, &sections) else {
        return unreadable(
            Code::NoProvenance,
            format!("`{name}` carries no record of what it is composed of"),
            if is_composed {
                "compose it with this program, which writes one"
            } else {
                "only compositions carry one, and fusing removes it"
            },
        );
    };
    if let Ok(Form { format }) = serde_json::from_slice(data)
        && format != FORMAT
    {
        return unreadable(
            Code::Damaged,
            format!(
                "the record in `{name}` has the form {format}, and this program knows {FORMAT}"
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
                GET_AGAIN,
            );
        }
    };

    let mut diagnostics = changed_parts(bytes, &sections, &provenance.parts);
    let is_last = sections.last() == Some(record);
    if diagnostics.is_empty() && !(is_last && digest_without(bytes, data, &provenance.sha256)) {
        diagnostics.push(Diagnostic::error(
            Code::Damaged,
            format!(
                "all parts of `{name}` are what was recorded, but what holds them together is not"
            ),
            GET_AGAIN,
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

/// Whether `digest` is that of `bytes`, with zeros where it stands itself in `data`,
/// which is the end of them.
fn digest_without(bytes: &[u8], data: &[u8], digest: &str) -> bool {
    let place = data
        .windows(NO_DIGEST.len())
        .position(|window| window == digest.as_bytes());
    let Some(place) = place else {
        return false;
    };
    let place = bytes.len() - data.len() + place;
    let mut bytes = bytes.to_vec();
    bytes[place..place + NO_DIGEST.len()].copy_from_slice(NO_DIGEST.as_bytes());
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

/// Pairs what was recorded with what is embedded, by digest; what is left over on
/// both sides has changed. Equal parts are embedded once.
fn changed_parts(bytes: &[u8], sections: &[Section], recorded: &[Part]) -> Vec<Diagnostic> {
    let mut embedded: BTreeMap<String, u64> = sections
        .iter()
        .filter(|section| section.id == id::COMPONENT)
        .map(|section| {
            let content = &bytes[section.content.clone()];
            (sha256(content), content.len() as u64)
        })
        .collect();
    let missing: Vec<&Part> = recorded
        .iter()
        .filter(|part| embedded.get(&part.sha256) != Some(&part.size_bytes))
        .collect();
    for part in recorded {
        embedded.remove(&part.sha256);
    }
    let reason = |part: &Part| {
        let Part {
            name,
            size_bytes,
            sha256,
            ..
        } = part;
        let recorded = format!("`{name}` was {size_bytes} bytes with the SHA-256 digest {sha256}");
        match embedded.iter().find(|(_, size)| *size == size_bytes) {
            Some((found, _)) => format!("{recorded}, and is embedded with the digest {found}"),
            None => format!("{recorded}, and no such component is embedded"),
        }
    };
    let mut diagnostics: Vec<Diagnostic> = missing
        .into_iter()
        .map(|part| {
            Diagnostic::error(Code::ChangedPart, reason(part), GET_AGAIN).among([&part.name])
        })
        .collect();
    if diagnostics.is_empty() && !embedded.is_empty() {
        diagnostics.push(Diagnostic::error(
            Code::ChangedPart,
            format!(
                "a component is embedded that was not recorded, with the digest {}",
                quoted(embedded.keys())
            ),
            GET_AGAIN,
        ));
    }
    diagnostics
}

/// Compares the wires with those of a record that was written for these bytes, but
/// perhaps not by whoever composed them.
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
    let found = Structure::of(&component);
    let mut recorded = Structure {
        name: name.to_owned(),
        parts: provenance.parts.clone(),
        wires: provenance.wires.clone(),
        imports: provenance.imports.clone(),
        exports: provenance.exports.clone(),
        host_imports: provenance.host_imports.clone(),
        undescribed: provenance.undescribed.clone(),
        named_types: found.named_types.clone(),
    };
    // Records of before have these among the imports.
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
        format!("the parts of `{name}` are not wired as the record says"),
        "do not trust the record: it was not written when this was composed",
    )]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_does_not_say_what_is_wired_is_not_believed() {
        let text = r#"(component
            (component $c (import "f" (func $f)) (export "a" (func $f)))
            (import "f" (func $f))
            (instance $i (instantiate $c (with "f" (func $f))))
            (export "a" (func $i "a")))"#;
        let bytes = wat::parse_str(text).expect("valid WAT");
        let component = Component::new("whole", bytes.as_slice()).expect("valid");
        let mut structure = Structure::of(&component);
        let codes = |structure: &Structure| {
            let mut bytes = bytes.clone();
            stamp(&mut bytes, structure);
            let diagnostics = verify("whole", &bytes).report.diagnostics;
            let codes = diagnostics.iter().map(|diagnostic| diagnostic.code);
            codes.collect::<Vec<Code>>()
        };
        assert_eq!(codes(&structure), []);
        structure.exports[0].name = "b".to_owned();
        assert_eq!(codes(&structure), [Code::WiresChanged]);
    }
}
