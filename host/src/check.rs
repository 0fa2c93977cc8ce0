//! `serve --check`: validation without binding or writing.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};
use audit_log::{AuditLog, DefaultLogs, Folder, Location};
use engine::{CompiledComponent, Job, Part};
use functions::{self, FunctionsConfig, ValidationReport};
use host::cli::Serve;
use rustix::fs::{Access, access};
use telemetry::access_log::Destination;
use tokio::runtime::Builder;

use crate::inputs::{Inputs, SingleComponent, Workload};
use crate::workload;

/// Validates `flags`, all files that they refer to, and the components. It binds no address and
/// writes nothing, and ignores whether an address or the audit log is in use: a running server that
/// is about to be restarted may use them.
///
/// # Errors
///
/// Fails with the error of `serve`.
pub(crate) fn check(flags: &Serve) -> Result<()> {
    let inputs = Inputs::read(flags)?;
    AuditLog::check(&inputs.audit, folder(&inputs.audit.location))?;
    if let Some(Destination::File(path)) = &flags.logs.access_log {
        let what = || format!("cannot open the access log `{}`", path.display());
        check_file(path).with_context(what)?;
    }
    let is_tls = inputs.tls.is_some();
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let what = runtime.block_on(async {
        match inputs.workload {
            Workload::Component(one) => {
                let path = one.path.clone();
                let checked = check_one(*one, flags).await;
                checked.with_context(|| format!("cannot serve `{}`", path.display()))
            }
            Workload::Functions(_, config) => check_functions(&config, flags).await,
        }
    })?;
    let addresses = flags.listen.addresses();
    let addresses: Vec<_> = addresses
        .iter()
        .map(|address| address.url(is_tls))
        .collect();
    let text = format!("ok: {what} on {}", addresses.join(", "));
    // Fails without a reader, which still gets the exit code.
    let _ = writeln!(io::stdout(), "{text}");
    Ok(())
}

async fn check_one(one: SingleComponent, flags: &Serve) -> Result<String> {
    let compiler = workload::compiler(flags, 0, None)?;
    let job = Job::of(Part::new(workload::name(&one.path), one.bytes));
    let checked = compiler.check(&job).await?;
    let checked = checked.context("missing component")?;
    CompiledComponent::check(&checked, &flags.limits.guest(), None)?;
    let (path, sha256, wasi) = (one.path.display(), checked.sha256, checked.wasi);
    Ok(format!("`{path}` (sha256:{sha256}, WASI {wasi})"))
}

async fn check_functions(config: &FunctionsConfig, flags: &Serve) -> Result<String> {
    let pool = flags.pool.pool(&flags.limits, u64::MAX);
    let compiler = workload::compiler(flags, 0, None)?;
    let max_bytes = flags.pool.max_component_size;
    let ValidationReport { good, problems } =
        functions::validate(config, &compiler, &pool, max_bytes).await;
    if problems.is_empty() {
        return Ok(format!("{good} functions"));
    }
    bail!(
        "not all functions can be served:\n  {}",
        problems.join("\n  ")
    )
}

/// The component that makes the folder of the audit log: the server does so for default logs
/// only.
pub(crate) fn folder(location: &Location) -> Folder {
    let logs = DefaultLogs::of_user().ok();
    match (logs, location.path().and_then(Path::parent)) {
        (Some(logs), Some(folder)) if logs.folder() == folder => Folder::MayBeCreated,
        _ => Folder::MustExist,
    }
}

/// Checks that a file can be opened for appending, without creating it.
fn check_file(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() || metadata.is_dir() => {
            OpenOptions::new().append(true).open(path).map(drop)
        }
        // A pipe or a device, for which opening has side effects.
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
