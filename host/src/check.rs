//! `component-runner serve --check`.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};
use audit_log::{AuditLog, Folder, Location};
use host::access_log::Destination;
use host::cli::Serve;
use host::functions::{self, Declaration, Findings};
use host::guest::App;
use rustix::fs::{Access, access};

use crate::inputs::{Inputs, Served};

/// Says whether what `flags` name can be served. Nothing is bound, written or made, and
/// whether an address or the audit log is in use does not matter: the server that is to be
/// started anew may have them.
///
/// # Errors
///
/// Fails with the error with which serving would fail.
pub(crate) fn check(flags: &Serve) -> Result<()> {
    let inputs = Inputs::read(flags)?;
    AuditLog::check(&inputs.audit, folder(&inputs.audit.location))?;
    if let Some(Destination::File(path)) = &flags.logs.access_log {
        let what = || format!("cannot open the access log `{}`", path.display());
        check_file(path).with_context(what)?;
    }
    let what = match &inputs.served {
        Served::One(one) => {
            let path = one.path.display();
            let checked = App::check(&one.bytes, &flags.limits.guest(), None);
            let sha256 = checked.with_context(|| format!("cannot serve `{path}`"))?;
            format!("`{path}` (sha256:{sha256})")
        }
        Served::Functions(_, declaration) => check_functions(declaration, flags)?,
    };
    let is_tls = inputs.tls.is_some();
    let addresses = flags.listen.addresses();
    let addresses: Vec<_> = addresses
        .iter()
        .map(|address| address.url(is_tls))
        .collect();
    let text = format!("ok: {what} on {}", addresses.join(", "));
    // Whoever does not read this has the exit code.
    let _ = writeln!(io::stdout(), "{text}");
    Ok(())
}

fn check_functions(declaration: &Declaration, flags: &Serve) -> Result<String> {
    let pool = flags.pool.pool(&flags.limits, u64::MAX);
    let Findings { good, problems } =
        functions::check(declaration, &pool, flags.pool.max_component_size);
    if problems.is_empty() {
        return Ok(format!("{good} functions"));
    }
    bail!(
        "not all functions can be served:\n  {}",
        problems.join("\n  ")
    )
}

/// Who makes the folder of the audit log: the server does it at the default place alone.
pub(crate) fn folder(location: &Location) -> Folder {
    if Location::default_place().is_ok_and(|place| place == *location) {
        Folder::IsMade
    } else {
        Folder::MustExist
    }
}

/// Finds out whether something could be appended to a file, without making it.
fn check_file(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() || metadata.is_dir() => {
            OpenOptions::new().append(true).open(path).map(drop)
        }
        // A pipe or a device, which may not be opened for nothing.
        Ok(_) => Ok(access(path, Access::WRITE_OK)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let folder = path
                .parent()
                .filter(|folder| !folder.as_os_str().is_empty());
            let folder = folder.unwrap_or(Path::new("."));
            Ok(access(folder, Access::WRITE_OK | Access::EXEC_OK)?)
        }
        Err(error) => Err(error),
    }
}
