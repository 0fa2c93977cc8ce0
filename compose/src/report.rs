//! What is wrong with a composition: diagnostics that a program can tell apart and
//! a person can act on.

use std::error::Error;
use std::fmt;

use sanitize::lines;
use serde::Serialize;

/// The most bytes that are displayed of one diagnostic.
const MAX_TEXT_BYTES: usize = 16 << 10;

/// Everything that was found, in the order in which it should be read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The findings; nothing if all is well.
    pub diagnostics: Vec<Diagnostic>,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Whether it keeps the composition from being made.
    pub severity: Severity,
    /// What kind of finding it is.
    pub code: Code,
    /// The component whose import is concerned, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub importer: Option<String>,
    /// The interface, as that component names it, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// What could have been meant, or is chosen between: components, interfaces
    /// or names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<String>,
    /// What is the matter.
    pub reason: String,
    /// What to do about it.
    pub fix: String,
}

/// Whether a finding keeps a composition from being made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It does.
    Error,
    /// It does not, but is more likely a mistake than a wish.
    Warning,
}

/// What kind of finding a diagnostic is. Codes do not change their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Code {
    /// More than one part exports what a component imports.
    AmbiguousProvider,
    /// Functions are asynchronous on one side and synchronous on the other.
    AsyncMismatch,
    /// A part is not, byte for byte, what was recorded.
    ChangedPart,
    /// Components need each other in a circle.
    Cycle,
    /// The bytes are not those of which the provenance was written.
    Damaged,
    /// The composition imports what it must not.
    DeniedImport,
    /// An export differs from that of the world.
    DifferentExport,
    /// An import differs from what the world offers.
    DifferentImport,
    /// Two components, wires or exports share one name.
    DuplicateName,
    /// Two components import the same interface with different types.
    ImportConflict,
    /// A component lacks the export that is asked of it.
    MissingExport,
    /// A wire satisfies an import that the component does not have.
    MissingImport,
    /// The bytes carry no provenance.
    NoProvenance,
    /// A name that no component can have.
    InvalidName,
    /// A component of a chain does not import what it exports.
    NotAMiddleware,
    /// `wac` cannot encode the composition.
    NotEncodable,
    /// An import gets a resource of another origin than it expects.
    ResourceOrigin,
    /// The component imports what the world does not offer.
    SuperfluousImport,
    /// A part exports the interface, but not as it is imported.
    TypeMismatch,
    /// A name stands for no component.
    UnknownComponent,
    /// Nothing uses a part.
    UnusedPart,
    /// The interface is there, but on another version track.
    VersionTrack,
    /// The wires are not those that were recorded.
    WiresChanged,
}

/// The families of findings, which programs tell apart by their exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Something is wanted that nobody provides.
    Unsatisfied,
    /// Two sides do not fit each other.
    Mismatch,
    /// There is more than one way to do it.
    Ambiguous,
    /// A component cannot be used at all.
    Invalid,
}

impl Code {
    /// The family.
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
    /// Whether something keeps the composition from being made.
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

    /// The report itself if there is an error in it, for `?`.
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

    /// The same, with what there is to choose from.
    pub(crate) fn among<N: Into<String>>(self, candidates: impl IntoIterator<Item = N>) -> Self {
        Self {
            candidates: candidates.into_iter().map(Into::into).collect(),
            ..self
        }
    }
}

/// One line for each diagnostic.
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
        // Serde knows the name of each variant.
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
