//! What is read before anything begins, because it may be wrong.

use std::fs;

use anyhow::{Context, Result};
use audit_log::Settings;
use audit_log::forward::ForwardError;
use host::cli::Serve;
use host::guest::Variable;
use host::outbound::Outbound;
use host::tls;
use tokio_rustls::TlsAcceptor;

/// What the flags name, read from where it is.
pub(crate) struct Inputs {
    /// The component.
    pub(crate) bytes: Vec<u8>,
    /// The variables of its environment.
    pub(crate) environment: Vec<Variable>,
    /// How TLS is spoken, if it is.
    pub(crate) tls: Option<TlsAcceptor>,
    /// What sends the requests of guests, with the certificates that the system trusts.
    pub(crate) outbound: Outbound,
    /// How the audit log is kept.
    pub(crate) audit: Settings,
}

impl Inputs {
    /// Reads all files that `flags` name, but for the audit log.
    ///
    /// # Errors
    ///
    /// Fails if one cannot be read, or holds something else than it should.
    pub(crate) fn read(flags: &Serve) -> Result<Self> {
        let path = flags.component.display();
        let bytes = fs::read(&flags.component).with_context(|| format!("cannot read `{path}`"))?;
        let audit = flags.audit.settings()?;
        if flags.audit.audit_forward.is_some() && audit.location.path().is_none() {
            return Err(ForwardError::NotKept(audit.location).into());
        }
        let files = flags
            .listen
            .tls_cert
            .as_ref()
            .zip(flags.listen.tls_key.as_ref());
        Ok(Self {
            bytes,
            environment: flags.guest.environment()?,
            tls: files
                .map(|(cert, key)| tls::acceptor(cert, key))
                .transpose()?,
            outbound: Outbound::new(flags.guest.outbound())?,
            audit,
        })
    }
}
