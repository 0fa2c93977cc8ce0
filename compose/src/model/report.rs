//! Findings about a composition: diagnostics with stable codes for programs, and a reason
//! and a remedy for people.

use std::error::Error;
use std::fmt;

use sanitize::lines;
use serde::Serialize;

/// Maximum number of bytes of one diagnostic that are displayed.
const MAX_TEXT_BYTES: usize = 16 << 10;

/// All findings, the first cause first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The findings; empty if there are none.
    pub diagnostics: Vec<Diagnostic>,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Whether it prevents the composition.
    pub severity: Severity,
    /// The kind of the finding.
    pub code: Code,
    /// The component whose import is affected, if the finding is about an import.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub importer: Option<String>,
    /// The interface, as that component names it, if the finding is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// The alternatives: components, interfaces or names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<String>,
    /// The cause.
    pub reason: String,
    /// The remedy.
    pub fix: String,
}

/// Whether a finding prevents a composition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It prevents the composition.
    Error,
    /// It does not, but is probably a mistake.
    Warning,
}

/// The kind of a finding. Codes are stable: their meaning does not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Code {
    /// More than one part exports what a component imports.
    AmbiguousProvider,
    /// Functions are asynchronous on one side and synchronous on the other.
    AsyncMismatch,
    /// The bytes of a part differ from the record.
    ChangedPart,
    /// Components depend on each other in a cycle.
    Cycle,
    /// The bytes differ from those that the provenance records.
    Damaged,
    /// The composition has a forbidden import.
    DeniedImport,
    /// An export differs from that of the world.
    DifferentExport,
    /// An import differs from that of the world.
    DifferentImport,
    /// Two components or exports share a name.
    DuplicateName,
    /// Two components import the same interface with different types.
    ImportConflict,
    /// A component lacks a required export.
    MissingExport,
    /// A wire satisfies an import that the component does not have.
    MissingImport,
    /// The bytes have no provenance section.
    NoProvenance,
    /// A name is not valid for an export.
    InvalidName,
    /// A component of a chain does not import the interface that it exports.
    NotAMiddleware,
    /// `wac` cannot encode the composition.
    NotEncodable,
    /// A resource passed to an import has another origin than the importer expects.
    ResourceOrigin,
    /// The component has an import that the world lacks.
    SuperfluousImport,
    /// A part exports the interface with other types than it is imported.
    TypeMismatch,
    /// A name does not refer to a component.
    UnknownComponent,
    /// No component imports from a part.
    UnusedPart,
    /// The interface is available only on another version track.
    VersionTrack,
    /// The wires differ from the record.
    WiresChanged,
}

/// Classes of findings; the program `component-compose` has an exit code for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// A required component, interface or export is missing.
    Unsatisfied,
    /// Two sides are incompatible.
    Mismatch,
    /// More than one candidate is possible.
    Ambiguous,
    /// A component cannot be used at all.
    Invalid,
}

impl Code {
    /// The class of the code.
    #[must_use]
    pub fn class(self) -> Class {
        match self {
            Self::DeniedImport
            | Self::MissingExport
            | Self::SuperfluousImport
            | Self::UnknownComponent => Class::Unsatisfied,
            Self::AmbiguousProvider | Self::DuplicateName => Class::Ambiguous,
            Self::InvalidName | Self::NotEncodable => Class::Invalid,
            Self::AsyncMismatch
            | Self::ChangedPart
            | Self::Cycle
            | Self::Damaged
            | Self::DifferentExport
            | Self::DifferentImport
            | Self::ImportConflict
            | Self::MissingImport
            | Self::NoProvenance
            | Self::NotAMiddleware
            | Self::ResourceOrigin
            | Self::TypeMismatch
            | Self::UnusedPart
            | Self::VersionTrack
            | Self::WiresChanged => Class::Mismatch,
        }
    }
}

impl Report {
    /// Whether a finding prevents the composition.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.first_error().is_some()
    }

    /// The first error.
    #[must_use]
    pub fn first_error(&self) -> Option<&Diagnostic> {
        self.diagnostics
            .iter()
            .find(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// `Err` with the report if it has an error, for `?`.
    pub(crate) fn into_result(self) -> Result<Self, Self> {
        if self.has_errors() {
            Err(self)
        } else {
            Ok(self)
        }
    }
}

impl From<Diagnostic> for Report {
    fn from(diagnostic: Diagnostic) -> Self {
        Self {
            diagnostics: vec![diagnostic],
        }
    }
}

impl From<Vec<Diagnostic>> for Report {
    fn from(diagnostics: Vec<Diagnostic>) -> Self {
        Self { diagnostics }
    }
}

impl Error for Report {}

impl Diagnostic {
    /// An error about a composition as a whole.
    pub(crate) fn error(code: Code, reason: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            importer: None,
            interface: None,
            candidates: Vec::new(),
            reason: reason.into(),
            fix: fix.into(),
        }
    }

    /// The same as a warning.
    pub(crate) fn into_warning(self) -> Self {
        Self {
            severity: Severity::Warning,
            ..self
        }
    }

    /// The same, about an import.
    pub(crate) fn of_import(self, importer: &str, interface: &str) -> Self {
        Self {
            importer: Some(importer.to_owned()),
            ..self.about(interface)
        }
    }

    /// The same, about an interface.
    pub(crate) fn about(self, interface: &str) -> Self {
        Self {
            interface: Some(interface.to_owned()),
            ..self
        }
    }

    /// The same, with the alternatives.
    pub(crate) fn among<N: Into<String>>(self, candidates: impl IntoIterator<Item = N>) -> Self {
        Self {
            candidates: candidates.into_iter().map(Into::into).collect(),
            ..self
        }
    }
}

/// One line per diagnostic.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.diagnostics.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{diagnostic}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let Self {
            code, reason, fix, ..
        } = self;
        let text = format_args!("{reason}; {fix}");
        let text = lines(&text).at_most(MAX_TEXT_BYTES);
        write!(f, "{severity}[{code}]: {text}")
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Serde has the name of each variant.
        self.serialize(f)
    }
}

/// Names in backticks, for messages.
pub(crate) fn quoted<N: AsRef<str>>(names: impl IntoIterator<Item = N>) -> String {
    let names: Vec<String> = names
        .into_iter()
        .map(|name| format!("`{}`", name.as_ref()))
        .collect();
    names.join(", ")
}
