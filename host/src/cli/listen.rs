//! The flags that say where the server listens.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use admin::parse_host;
use server::Address;

/// Where the server listens, and what it says there.
#[derive(Debug, Args)]
#[command(next_help_heading = "Listeners")]
pub struct ListenFlags {
    /// Where to listen: IP:PORT, where port 0 lets the system choose a free one, or
    /// unix:PATH, whose socket has mode 0600, or unix:PATH,mode=0660; may be repeated
    /// [default: 127.0.0.1:3000]
    #[arg(long, value_name = "ADDRESS")]
    pub addr: Vec<Address>,

    /// Speak TLS on all of IP:PORT, with the certificates in this file (PEM, that of the
    /// server first)
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// The private key of that certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,

    /// Whether responses name the server
    #[arg(long, value_name = "ON|OFF", default_value = "on")]
    pub server_header: Switch,

    /// Where to listen for those who operate the server: GET /livez, /readyz and
    /// /metrics (Prometheus); IP:PORT on loopback, or unix:PATH as with --addr
    /// [default: nowhere]
    #[arg(long, value_name = "ADDRESS", value_parser = loopback)]
    pub ops_addr: Option<Address>,

    /// A host name under which operators may address --ops-addr, beside those of loopback,
    /// such as that of a proxy; may be repeated
    #[arg(long, value_name = "NAME", value_parser = parse_host, requires = "ops_addr")]
    pub ops_host: Vec<String>,
}

impl ListenFlags {
    /// The addresses, which are at least one.
    #[must_use]
    pub fn addresses(&self) -> Vec<Address> {
        if self.addr.is_empty() {
            return vec![Address::Tcp(SocketAddr::from(([127, 0, 0, 1], 3000)))];
        }
        self.addr.clone()
    }

    /// The first of them.
    #[must_use]
    pub fn first_address(&self) -> Address {
        self.addresses().swap_remove(0)
    }
}

/// Parses an address that cannot be reached from another machine: whoever asks there
/// shows nobody who they are.
fn loopback(text: &str) -> Result<Address, String> {
    match text.parse()? {
        Address::Tcp(addr) if !addr.ip().is_loopback() => Err(
            "everybody who can reach it may ask there; use an address of loopback, such as \
             127.0.0.1:9000, or unix:PATH, and a proxy for other machines"
                .to_owned(),
        ),
        address => Ok(address),
    }
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// It is so
    On,
    /// It is not so
    Off,
}
