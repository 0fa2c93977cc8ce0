//! What is read before anything begins, because it may be wrong.

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

/// What the flags name, read from where it is.
pub(crate) struct Inputs {
    /// What is served.
    pub(crate) workload: Workload,
    /// How TLS is spoken, if it is.
    pub(crate) tls: Option<TlsAcceptor>,
    /// How the audit log is kept.
    pub(crate) audit: Settings,
    /// Who may deploy functions.
    pub(crate) token: Option<Token>,
}

/// What is served.
pub(crate) enum Workload {
    /// SingleComponent component.
    Component(Box<SingleComponent>),
    /// Functions, which this file or folder names, and of which none was read yet.
    Functions(PathBuf, FunctionsConfig),
}

/// The only component.
pub(crate) struct SingleComponent {
    /// Its file.
    pub(crate) path: PathBuf,
    /// What is in it.
    pub(crate) bytes: Vec<u8>,
    /// The variables of its environment.
    pub(crate) environment: Vec<Variable>,
    /// What sends the requests of guests, with the certificates that the system trusts.
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
    /// Reads all files that `flags` name, but for the audit log.
    ///
    /// # Errors
    ///
    /// Fails if one cannot be read, or holds something else than it should.
    pub(crate) fn read(flags: &Serve) -> Result<Self> {
        let workload = match (&flags.component, &flags.functions) {
            (Some(component), _) => {
                Workload::Component(SingleComponent::read(component, flags)?.into())
            }
            (None, Some(functions)) => {
                let config = read_functions(functions, &flags.function_defaults)?;
                Workload::Functions(functions.clone(), config)
            }
            // The command line has one of them, or is refused.
            (None, None) => bail!("there is nothing to serve: give APP.wasm or --functions"),
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
