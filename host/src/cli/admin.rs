//! The commands that ask a server that runs.

use std::path::PathBuf;

use clap::Args;

use crate::server::Address;

/// Which server is asked.
#[derive(Debug, Args)]
pub struct Asked {
    /// The --ops-addr of the server: IP:PORT or unix:PATH
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9000")]
    pub admin: Address,

    /// The file with its --admin-token
    #[arg(long, value_name = "FILE")]
    pub token: PathBuf,
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
    pub asked: Asked,
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
    pub asked: Asked,
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
    pub asked: Asked,
}

/// `pause`, `resume` and `remove`.
#[derive(Debug, Args)]
pub struct Named {
    /// The function
    pub name: String,

    /// The server.
    #[command(flatten)]
    pub asked: Asked,
}
