//! What an operator orders while the server runs.

use audit_log::AppendError;
use tokio::sync::{mpsc, oneshot};

use super::super::store::StoreError;

/// How many orders may wait, or be worked on.
pub(super) const MAX_PENDING: usize = 16;

/// What an operator orders.
pub enum DeployCommand {
    /// Serve this component as the next version of a function, or as a new one.
    Deploy {
        /// The function.
        name: String,
        /// The component, composed with nothing yet.
        bytes: Vec<u8>,
    },
    /// Serve a version that was deployed before.
    Activate {
        /// The function.
        name: String,
        /// Its SHA-256, or the beginning of it, of 8 digits or more. None: the one that was
        /// deployed before the active one; of a removed function, the last active one.
        version: Option<String>,
    },
    /// Answer no requests to a function until it is resumed, also after a restart.
    Pause {
        /// The function.
        name: String,
    },
    /// Answer the requests to a function again.
    Resume {
        /// The function.
        name: String,
    },
    /// Serve a function no more. Its versions are kept for a while.
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

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeployOutcome {
    /// The function.
    pub name: String,
    /// The version that is served now. None: it is served no more.
    pub version: Option<String>,
    /// The one that was served before.
    pub replaces: Option<String>,
}

/// Why it was not done. What was served is served still.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// There is nowhere to keep what is deployed.
    #[error("this server keeps no versions: start it with `--state FOLDER`")]
    NoState,
    /// It cannot be the name of a function.
    #[error("`{name}` is no name for a function: {why}")]
    BadName {
        /// The name.
        name: String,
        /// What names are like.
        why: &'static str,
    },
    /// There is no such function.
    #[error("there is no function `{0}`")]
    Unknown(String),
    /// It has nothing to show yet.
    #[error("`{0}` is loading; try it again when it is served")]
    Loading(String),
    /// There is no such version of it.
    #[error("`{name}` has no version {version} that was kept")]
    NoVersion {
        /// The function.
        name: String,
        /// What was asked for.
        version: String,
    },
    /// It is not for an operator to say.
    #[error(
        "`{0}` is declared in a file, or its component is in the folder of functions: take it away \
         there"
    )]
    IsDeclared(String),
    /// Another function has its route.
    #[error("{0}")]
    RouteConflict(String),
    /// It cannot be served.
    #[error("{0}")]
    Refused(String),
    /// The disk does not have it as it should.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no record of it.
    #[error("the audit log takes no record of it")]
    Unaudited(#[from] AppendError),
    /// Too many orders wait, or the server ends.
    #[error("the server is busy with other orders, or ends; try it again")]
    Busy,
}

/// Takes orders for the [`Deployer`](super::Deployer).
#[derive(Debug, Clone)]
pub struct DeployHandle(mpsc::Sender<PendingCommand>);

/// An order, and who waits for the answer.
pub type PendingCommand = (
    DeployCommand,
    oneshot::Sender<Result<DeployOutcome, DeployError>>,
);

impl DeployHandle {
    /// A way to give orders, and the end where they arrive.
    #[must_use]
    pub fn new() -> (Self, mpsc::Receiver<PendingCommand>) {
        let (sender, pending_commands) = mpsc::channel(MAX_PENDING);
        (Self(sender), pending_commands)
    }

    /// Gives an order and waits until it was carried out.
    ///
    /// # Errors
    ///
    /// Says why it was not.
    pub async fn execute(&self, command: DeployCommand) -> Result<DeployOutcome, DeployError> {
        let (sender, answer) = oneshot::channel();
        let taken = self.0.try_send((command, sender));
        taken.map_err(|_| DeployError::Busy)?;
        answer.await.unwrap_or(Err(DeployError::Busy))
    }
}
