//! Commands that query or change a running server over its admin API.

use std::path::PathBuf;

use clap::Args;
use server::Address;

/// Address and token of the running server.
#[derive(Debug, Args)]
pub struct AdminTarget {
    /// Admin listener of the server, its --ops-addr: IP:PORT or unix:PATH
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9000")]
    pub admin: Address,

    /// File with its --admin-token, which other users must not be able to read
    #[arg(long, value_name = "FILE")]
    pub token: PathBuf,

    /// Allow an address outside loopback, to which the token and the component are sent
    /// without encryption
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
    /// Name of the function
    pub name: String,

    /// Component that exports wasi:http/incoming-handler or wasi:http/handler, or an interface
    /// that an adapter of the server imports
    #[arg(value_name = "FILE.wasm")]
    pub component: PathBuf,

    /// The server.
    #[command(flatten)]
    pub target: AdminTarget,
}

/// `rollback`.
#[derive(Debug, Args)]
pub struct Rollback {
    /// Name of the function
    pub name: String,

    /// Version to activate: its SHA-256, or at least the first 8 digits of it [default: the
    /// one that was deployed before the active one]
    #[arg(long, value_name = "VERSION")]
    pub to: Option<String>,

    /// The server.
    #[command(flatten)]
    pub target: AdminTarget,
}

/// `logs`.
#[derive(Debug, Args)]
pub struct Logs {
    /// Name of the function
    pub name: String,

    /// Print further lines as they appear, until interrupted
    #[arg(long)]
    pub follow: bool,

    /// The server.
    #[command(flatten)]
    pub target: AdminTarget,
}

/// `pause`, `resume` and `remove`.
#[derive(Debug, Args)]
pub struct Named {
    /// Name of the function
    pub name: String,

    /// The server.
    #[command(flatten)]
    pub target: AdminTarget,
}
