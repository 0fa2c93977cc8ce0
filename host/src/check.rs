//! `component-runner serve --check`.

use std::io::{self, Write};

use anyhow::{Context, Result};
use audit_log::{AuditLog, Folder, Location};
use host::cli::Serve;
use host::guest::App;

use crate::inputs::Inputs;

/// Says whether what `flags` name can be served. Nothing is bound, written or made, and
/// whether an address or the audit log is in use does not matter: the server that is to be
/// started anew may have them.
///
/// # Errors
///
/// Fails with the error with which serving would fail.
pub(crate) fn check(flags: &Serve) -> Result<()> {
    let path = flags.component.display();
    let inputs = Inputs::read(flags)?;
    AuditLog::check(&inputs.audit, folder(&inputs.audit.location))?;
    let limits = flags.limits.guest();
    let component =
        App::check(&inputs.bytes, &limits).with_context(|| format!("cannot serve `{path}`"))?;
    let is_tls = inputs.tls.is_some();
    let addresses = flags.listen.addresses();
    let addresses: Vec<_> = addresses
        .iter()
        .map(|address| address.url(is_tls))
        .collect();
    let text = format!(
        "ok: `{path}` (sha256:{component}) on {}",
        addresses.join(", ")
    );
    // Whoever does not read this has the exit code.
    let _ = writeln!(io::stdout(), "{text}");
    Ok(())
}

/// Who makes the folder of the audit log: the server does it at the default place alone.
pub(crate) fn folder(location: &Location) -> Folder {
    if Location::default_place().is_ok_and(|place| place == *location) {
        Folder::IsMade
    } else {
        Folder::MustExist
    }
}
