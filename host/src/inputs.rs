//! Inputs that are read and validated before the server starts.

use std::fs;
use std::path::{Path, PathBuf};

use admin::Token;
use anyhow::{Context, Result, bail};
use audit_log::Settings;
use audit_log_forward::ForwardError;
use engine::Variable;
use engine::outbound::Outbound;
use functions::FunctionsConfig;
use host::cli::{Serve, read_functions};
use server::tls;
use tokio_rustls::TlsAcceptor;

/// The files that the flags refer to, read.
pub(crate) struct Inputs {
    /// The workload.
    pub(crate) workload: Workload,
    /// The TLS acceptor, if any.
    pub(crate) tls: Option<TlsAcceptor>,
    /// Settings of the audit log.
    pub(crate) audit: Settings,
    /// The token of the deploy API, if any.
    pub(crate) token: Option<Token>,
}

/// The workload of a server.
pub(crate) enum Workload {
    /// A single component.
    Component(Box<SingleComponent>),
    /// Functions of this file or folder, whose components are not read yet.
    Functions(PathBuf, FunctionsConfig),
}

/// A single component.
pub(crate) struct SingleComponent {
    /// Its file.
    pub(crate) path: PathBuf,
    /// The content of the file.
    pub(crate) bytes: Vec<u8>,
    /// Variables of its environment.
    pub(crate) environment: Vec<Variable>,
    /// The client for outbound requests, with the certificates that the system trusts.
    pub(crate) outbound: Outbound,
}

impl SingleComponent {
    fn read(path: &Path, flags: &Serve) -> Result<Self> {
        let what = || format!("cannot read `{}`", path.display());
        Ok(Self {
            path: path.to_owned(),
            bytes: fs::read(path).with_context(what)?,
            environment: flags.guest.environment()?,
            outbound: Outbound::new(flags.guest.outbound())?,
        })
    }
}

impl Inputs {
    /// Reads all files that `flags` refer to, except the audit log.
    ///
    /// # Errors
    ///
    /// Fails if a file cannot be read or is invalid.
    pub(crate) fn read(flags: &Serve) -> Result<Self> {
        let workload = match (&flags.component, &flags.functions) {
            (Some(component), _) => {
                Workload::Component(SingleComponent::read(component, flags)?.into())
            }
            (None, Some(functions)) => {
                let config = read_functions(functions, &flags.function_defaults)?;
                Workload::Functions(functions.clone(), config)
            }
            // The command line requires one of them.
            (None, None) => bail!("missing component: give APP.wasm or --functions"),
        };
        let audit = flags.audit.settings(&flags.listen.first_address())?;
        if flags.audit.audit_forward.is_some() && audit.location.path().is_none() {
            return Err(ForwardError::NotKept(audit.location).into());
        }
        let files = flags
            .listen
            .tls_cert
            .as_ref()
            .zip(flags.listen.tls_key.as_ref());
        Ok(Self {
            workload,
            tls: files
                .map(|(cert, key)| tls::acceptor(cert, key))
                .transpose()?,
            audit,
            token: flags
                .deploys
                .admin_token
                .as_deref()
                .map(Token::read)
                .transpose()?,
        })
    }
}
