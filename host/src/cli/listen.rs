//! Flags: listeners.

use std::net::SocketAddr;
use std::path::PathBuf;

use admin::parse_host;
use clap::{Args, ValueEnum};
use server::Address;

/// Listeners of clients and operators.
#[derive(Debug, Args)]
#[command(next_help_heading = "Listeners")]
pub struct ListenFlags {
    /// Address to listen on: IP:PORT, where port 0 lets the system choose a free one, or
    /// unix:PATH, whose socket has mode 0600, or unix:PATH,mode=0660; may be repeated
    /// [default: 127.0.0.1:3000]
    #[arg(long, value_name = "ADDRESS")]
    pub addr: Vec<Address>,

    /// Certificate chain for TLS on each IP:PORT (PEM, the server's certificate first)
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// Private key of that certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,

    /// Send the `server` header in responses
    #[arg(long, value_name = "ON|OFF", default_value = "on")]
    pub server_header: Switch,

    /// Address of the admin listener: GET /livez, /readyz and /metrics (Prometheus);
    /// IP:PORT on loopback, or unix:PATH as with --addr [default: nowhere]
    #[arg(long, value_name = "ADDRESS", value_parser = loopback)]
    pub ops_addr: Option<Address>,

    /// Further host name of --ops-addr, in addition to those of loopback, such as that of a
    /// proxy; may be repeated
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

/// Parses an address that other machines cannot reach: the admin listener authenticates no
/// client.
fn loopback(text: &str) -> Result<Address, String> {
    match text.parse()? {
        Address::Tcp(addr) if !addr.ip().is_loopback() => Err(
            "this listener needs no login; use an address of loopback, such as 127.0.0.1:9000, or \
             unix:PATH, and a proxy for other machines"
                .to_owned(),
        ),
        address => Ok(address),
    }
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// Enabled
    On,
    /// Disabled
    Off,
}
