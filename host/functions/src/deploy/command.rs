//! Commands of operators to the deployer at run time.

use audit_log::AppendError;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinError;

use super::super::store::StoreError;

/// Maximum number of queued and running commands.
pub(super) const MAX_PENDING: usize = 16;

/// A command of an operator.
pub enum DeployCommand {
    /// Deploy this component as the next version of a function, or as a new function.
    Deploy {
        /// The function.
        name: String,
        /// The function's own component.
        bytes: Vec<u8>,
    },
    /// Activate a version that was deployed before.
    Activate {
        /// The function.
        name: String,
        /// Its SHA-256, or at least the first 8 digits of it. None: the version before the active
        /// one; of a removed function, the last active one.
        version: Option<String>,
    },
    /// Pause a function until it is resumed, also across restarts.
    Pause {
        /// The function.
        name: String,
    },
    /// Resume a function.
    Resume {
        /// The function.
        name: String,
    },
    /// Remove a function. Its versions are kept for the retention time.
    Remove {
        /// The function.
        name: String,
    },
}

impl DeployCommand {
    /// The function.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Deploy { name, .. }
            | Self::Activate { name, .. }
            | Self::Pause { name }
            | Self::Resume { name }
            | Self::Remove { name } => name,
        }
    }
}

/// The result of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeployOutcome {
    /// The function.
    pub name: String,
    /// The active version. None: the function was removed.
    pub version: Option<String>,
    /// The version that was active before.
    pub replaces: Option<String>,
}

/// Errors of commands. A failed command changes nothing.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// The server has no store.
    #[error("this server keeps no versions: start it with `--state FOLDER`")]
    NoState,
    /// The name is invalid.
    #[error("invalid function name `{name}`: {why}")]
    BadName {
        /// The name.
        name: String,
        /// The rule for names.
        why: &'static str,
    },
    /// The function is unknown.
    #[error("unknown function `{0}`")]
    Unknown(String),
    /// The function has no served version yet.
    #[error("`{0}` is loading; retry when it is served")]
    Loading(String),
    /// The version is unknown.
    #[error("`{name}` has no stored version {version}")]
    NoVersion {
        /// The function.
        name: String,
        /// The requested version.
        version: String,
    },
    /// The function is configured by a file, which commands cannot remove.
    #[error(
        "`{0}` is configured in a file, or its component is in the folder of functions: remove it \
         there"
    )]
    IsConfigured(String),
    /// Another function has the route.
    #[error("{0}")]
    RouteConflict(String),
    /// The version cannot be served.
    #[error("{0}")]
    Rejected(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The audit log cannot record the command.
    #[error("the audit log cannot be written; nothing was changed")]
    Unaudited(#[from] AppendError),
    /// Too many commands are queued, or the server is shutting down.
    #[error("the server is busy with other commands, or shutting down; retry later")]
    Busy,
}

impl From<JoinError> for DeployError {
    fn from(error: JoinError) -> Self {
        StoreError::from(error).into()
    }
}

/// Sends commands to the [`Deployer`](super::Deployer).
#[derive(Debug, Clone)]
pub struct DeployHandle(mpsc::Sender<PendingCommand>);

/// A command, and the channel for its result.
pub type PendingCommand = (
    DeployCommand,
    oneshot::Sender<Result<DeployOutcome, DeployError>>,
);

impl DeployHandle {
    /// A handle, and the receiver of its commands.
    #[must_use]
    pub fn new() -> (Self, mpsc::Receiver<PendingCommand>) {
        let (sender, commands) = mpsc::channel(MAX_PENDING);
        (Self(sender), commands)
    }

    /// Sends a command and waits for its result.
    ///
    /// # Errors
    ///
    /// Fails if the command fails, or cannot be queued.
    pub async fn execute(&self, command: DeployCommand) -> Result<DeployOutcome, DeployError> {
        let (sender, outcome) = oneshot::channel();
        let queued = self.0.try_send((command, sender));
        queued.map_err(|_| DeployError::Busy)?;
        outcome.await.unwrap_or(Err(DeployError::Busy))
    }
}
