//! Why a command did not run to its end, and the exit code that says so.

use anyhow::Error;
use compose::{
    BuildError, BuildErrorKind, Class, ComponentError, EnvironmentError, FuseError, ManifestError,
    Report, StubError, WacError, WorldError,
};

/// What a failure is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// A file cannot be read or written.
    Io = 1,
    /// Something is wanted that nobody provides.
    Unsatisfied = 2,
    /// Two sides do not fit each other.
    Mismatch = 3,
    /// There is more than one way to do it.
    Ambiguous = 4,
    /// A component cannot be used.
    Invalid = 5,
    /// The command line, a manifest or a .wac file cannot be used (`EX_USAGE`).
    Usage = 64,
}

/// Why a command did not run to its end.
#[derive(Debug)]
pub(crate) enum Failure {
    /// One reason.
    Error(Exit, Error),
    /// What was printed already.
    Told(Exit),
    /// What was found, after a remark that says where.
    Report(Option<String>, Report),
}

impl Failure {
    pub(crate) fn usage(error: impl Into<Error>) -> Self {
        Self::Error(Exit::Usage, error.into())
    }

    pub(crate) fn io(error: impl Into<Error>) -> Self {
        Self::Error(Exit::Io, error.into())
    }

    /// Puts before the reason where it was met.
    pub(crate) fn context(self, context: String) -> Self {
        match self {
            Self::Error(exit, error) => Self::Error(exit, error.context(context)),
            Self::Told(exit) => Self::Told(exit),
            Self::Report(None, report) => Self::Report(Some(context), report),
            Self::Report(Some(remark), report) => {
                Self::Report(Some(format!("{context}: {remark}")), report)
            }
        }
    }

    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Error(exit, _) | Self::Told(exit) => *exit,
            Self::Report(_, report) => exit_of(report),
        }
    }
}

/// The family of the first error decides.
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
            // The variables themselves: they come from the user.
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
            BuildErrorKind::Fuse(error) => error.into(),
            BuildErrorKind::World(error) => error.into(),
            other => Self::usage(other),
        };
        failure.context(context)
    }
}
