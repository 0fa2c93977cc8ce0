//! The commands that ask a server that runs.

use std::path::PathBuf;

use clap::Args;

use server::Address;

/// Which server is asked.
#[derive(Debug, Args)]
pub struct AdminTarget {
    /// The --ops-addr of the server: IP:PORT or unix:PATH
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9000")]
    pub admin: Address,

    /// The file with its --admin-token, which other users cannot read
    #[arg(long, value_name = "FILE")]
    pub token: PathBuf,

    /// Send the token and the component without encryption to an address that is not on
    /// loopback
    #[arg(long)]
    pub plaintext: bool,
}

impl AdminTarget {
    /// Checks that the token does not cross the network in plain text.
    ///
    /// # Errors
    ///
    /// Names the address and the alternatives.
    pub(super) fn check(&self) -> Result<(), String> {
        match &self.admin {
            Address::Tcp(addr) if !addr.ip().is_loopback() && !self.plaintext => Err(format!(
                "--admin {addr} is not on loopback, and the token would be sent without \
                 encryption; use an address of loopback (such as a tunnel of `ssh -L`), \
                 unix:PATH, or --plaintext\n"
            )),
            _ => Ok(()),
        }
    }
}

/// `deploy`.
#[derive(Debug, Args)]
pub struct Deploy {
    /// The function
    pub name: String,

    /// The component: one that exports wasi:http/incoming-handler, or what an adapter of
    /// the server imports
    #[arg(value_name = "FILE.wasm")]
    pub component: PathBuf,

    /// The server.
    #[command(flatten)]
    pub target: AdminTarget,
}

/// `rollback`.
#[derive(Debug, Args)]
pub struct Rollback {
    /// The function
    pub name: String,

    /// The version: its SHA-256, or the first 8 digits of it or more [default: the one that
    /// was deployed before the active one]
    #[arg(long, value_name = "VERSION")]
    pub to: Option<String>,

    /// The server.
    #[command(flatten)]
    pub target: AdminTarget,
}

/// `logs`.
#[derive(Debug, Args)]
pub struct Logs {
    /// The function
    pub name: String,

    /// Go on with what it prints from now on, until somebody ends this
    #[arg(long)]
    pub follow: bool,

    /// The server.
    #[command(flatten)]
    pub target: AdminTarget,
}

/// `pause`, `resume` and `remove`.
#[derive(Debug, Args)]
pub struct Named {
    /// The function
    pub name: String,

    /// The server.
    #[command(flatten)]
    pub target: AdminTarget,
}
