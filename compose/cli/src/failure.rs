//! Failures of commands, and their exit codes.

use std::io::Write as _;

use anyhow::Error;
use compose::{
    BuildError, BuildErrorKind, Class, ComponentError, EnvironmentError, ManifestError, Report,
    StubError, WacError, WorldError,
};
use compose_fuse::FuseError;

/// The exit codes of failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// A file cannot be read or written.
    Io = 1,
    /// A required component, interface or export is missing.
    Unsatisfied = 2,
    /// Two sides are incompatible, or a file differs from its record.
    Mismatch = 3,
    /// More than one candidate is possible.
    Ambiguous = 4,
    /// A component is invalid or unsupported.
    Invalid = 5,
    /// The command line, a manifest or a .wac file is invalid (`EX_USAGE`).
    Usage = 64,
}

/// Prints to standard error. If that fails, the exit code still reports the outcome.
pub(crate) fn print_error(message: &str) {
    let _ = writeln!(std::io::stderr(), "{message}");
}

/// The failure of a command.
#[derive(Debug)]
pub(crate) enum Failure {
    /// An error that is not printed yet.
    Error(Exit, Error),
    /// A failure that is printed already.
    Reported(Exit),
    /// Findings, after a context.
    Report(Option<String>, Report),
}

impl Failure {
    pub(crate) fn usage(error: impl Into<Error>) -> Self {
        Self::Error(Exit::Usage, error.into())
    }

    pub(crate) fn io(error: impl Into<Error>) -> Self {
        Self::Error(Exit::Io, error.into())
    }

    /// Adds a context before the reason.
    pub(crate) fn context(self, context: String) -> Self {
        match self {
            Self::Error(exit, error) => Self::Error(exit, error.context(context)),
            Self::Reported(exit) => Self::Reported(exit),
            Self::Report(None, report) => Self::Report(Some(context), report),
            Self::Report(Some(inner), report) => {
                Self::Report(Some(format!("{context}: {inner}")), report)
            }
        }
    }

    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Error(exit, _) | Self::Reported(exit) => *exit,
            Self::Report(_, report) => exit_of(report),
        }
    }
}

/// The exit code of the class of the first error.
pub(crate) fn exit_of(report: &Report) -> Exit {
    match report.first_error().map(|error| error.code.class()) {
        Some(Class::Unsatisfied) => Exit::Unsatisfied,
        Some(Class::Ambiguous) => Exit::Ambiguous,
        Some(Class::Invalid) => Exit::Invalid,
        Some(Class::Mismatch) | None => Exit::Mismatch,
    }
}

impl From<Report> for Failure {
    fn from(report: Report) -> Self {
        Self::Report(None, report)
    }
}

impl From<ComponentError> for Failure {
    fn from(error: ComponentError) -> Self {
        Self::Error(Exit::Invalid, error.into())
    }
}

impl From<FuseError> for Failure {
    fn from(error: FuseError) -> Self {
        Self::Error(Exit::Invalid, error.into())
    }
}

impl From<EnvironmentError> for Failure {
    fn from(error: EnvironmentError) -> Self {
        let exit = match &error {
            EnvironmentError::Wit(_) | EnvironmentError::Encode(_) => Exit::Invalid,
            // Invalid variables are usage errors.
            _ => Exit::Usage,
        };
        Self::Error(exit, error.into())
    }
}

impl From<StubError> for Failure {
    fn from(error: StubError) -> Self {
        let exit = match &error {
            StubError::Unknown { .. } | StubError::Between { .. } => Exit::Unsatisfied,
            StubError::Ambiguous { .. } => Exit::Ambiguous,
            StubError::Encode(_) => Exit::Invalid,
            _ => Exit::Usage,
        };
        Self::Error(exit, error.into())
    }
}

impl From<WorldError> for Failure {
    fn from(error: WorldError) -> Self {
        Self::usage(error)
    }
}

impl From<ManifestError> for Failure {
    fn from(error: ManifestError) -> Self {
        Self::usage(error)
    }
}

impl From<WacError> for Failure {
    fn from(error: WacError) -> Self {
        let exit = match &error {
            WacError::MissingPackages { .. } => Exit::Unsatisfied,
            WacError::EqualNames { .. } => Exit::Ambiguous,
            WacError::Invalid { .. } | WacError::Wac { .. } => Exit::Invalid,
            _ => Exit::Usage,
        };
        Self::Error(exit, error.into())
    }
}

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        let context = error.to_string();
        let failure = match error.kind {
            BuildErrorKind::Component(error) => error.into(),
            BuildErrorKind::Report(report) => report.into(),
            BuildErrorKind::Environment(error) => error.into(),
            BuildErrorKind::Stub(error) => error.into(),
            BuildErrorKind::Wac(error) => error.into(),
            BuildErrorKind::Fuse(error) => Self::Error(Exit::Invalid, Error::from_boxed(error)),
            BuildErrorKind::World(error) => error.into(),
            other => Self::usage(other),
        };
        failure.context(context)
    }
}
