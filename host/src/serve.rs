//! The command `serve`, from the flags to the last record of the audit log.

use std::convert::Infallible;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;

use anyhow::{Context, Result};
use audit_log::{AuditLog, Folder, Location, Settings};
use audit_log_forward::Forwarder;
use functions::Functions;
use host::cli::Serve;
use memory_limit::MemoryLimit;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use server::{self, Address, Listener};
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::admin_services::AdminServices;
use crate::announce::Announcer;
use crate::check::folder;
use crate::inputs::Inputs;
use crate::workload::LoadedWorkload;
use crate::{allocator, logging, signals, workload};

/// Serves the workload of the flags until a signal arrives.
///
/// # Errors
///
/// Fails if the workload cannot be served, or the audit log cannot be written.
pub(crate) fn serve(flags: &Serve) -> Result<()> {
    raise_file_limit();
    server::check_open_files(flags.settings().threads)?;
    // Workers serve requests; this thread only accepts connections.
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let entered = runtime.enter();
    let hangup = signals::hangup().context("cannot wait for signals")?;
    drop(entered);
    logging::stop_blocking().context("cannot start the log")?;
    let announcer = Announcer::start(flags).context("cannot start a thread")?;
    let Inputs {
        workload,
        tls,
        audit: mut settings,
        token,
    } = Inputs::read(flags)?;
    let served = runtime.block_on(async {
        signals::survive_file_size_limit().context("cannot wait for signals")?;
        let listeners = bind_all(&flags.listen.addresses(), tls.as_ref())?;
        let ops_listener = match &flags.listen.ops_addr {
            Some(address) => Some(bind(address, None)?),
            None => None,
        };
        let log = open(flags, &mut settings)?;
        let target = flags.audit.audit_forward.as_ref();
        let forwarder = target
            .map(|target| Forwarder::start(&log, &settings.location, target))
            .transpose()?
            .map(Arc::new);
        let admin_services = AdminServices::start(flags, &log, &settings, hangup)?;
        let memory = MemoryLimit::start(flags.pool.max_total_memory, allocator::release_freed);
        let memory = memory.context("cannot measure the memory of this process")?;
        admin_services.watch_memory(&memory);
        if let Some(listener) = ops_listener {
            let url = listener.url();
            announcer.print(&format!("metrics at {url}/metrics"));
            let names = &flags.listen.ops_host;
            admin_services.listen(listener, names, &log, forwarder.clone());
        }
        let serving = async {
            let telemetry = &admin_services.telemetry;
            let mut shutdown = pin!(signals::shutdown().context("cannot wait for signals")?);
            let loaded = tokio::select! {
                loaded = workload::load(workload, flags, &log, telemetry, &memory) => loaded?,
                // Running compile children are killed.
                () = &mut shutdown => return Ok(()),
            };
            let LoadedWorkload {
                functions,
                reconciler,
            } = loaded;
            if let Some((token, reconciler)) = token.zip(reconciler.as_ref()) {
                // Set once.
                let _ = admin_services
                    .admin
                    .set(reconciler.deploy_api(token, flags, &log));
            }
            announce_start(&listeners, &functions, &flags.limits_in_words);
            announce_memory(flags, &memory);
            for listener in &listeners {
                announcer.print(&format!("listening on {}", listener.url()));
            }
            admin_services.readiness.serves(functions.clone());
            let (drain, draining) = oneshot::channel::<Infallible>();
            let shutdown = admin_services.until(async {
                shutdown.await;
                drop(drain);
            });
            let settings = flags.settings();
            let run = server::run(listeners, functions, settings, memory, telemetry, shutdown);
            let following = async {
                if let Some(reconciler) = reconciler {
                    // No function is loaded during the drain.
                    tokio::select! {
                        never = reconciler.run() => match never {},
                        _ = draining => {}
                    }
                }
                std::future::pending::<Infallible>().await
            };
            tokio::select! {
                done = run => Ok(done?),
                never = following => match never {},
            }
        };
        let result = serving.await;
        admin_services.close(flags.grace_period).await;
        // The audit log closes last.
        if timeout(flags.grace_period, log.close()).await.is_err() {
            tracing::error!("the last audit records could not be written within --grace-period");
        }
        if let Some(forwarder) = forwarder {
            let left = forwarder.stop(flags.grace_period).await.lag;
            if left > 0 {
                tracing::warn!("{left} audit records will be forwarded after the next start");
            }
        }
        result
    });
    // Work on other threads, such as the warm-up of a function, is abandoned.
    runtime.shutdown_background();
    served
}

/// Raises the limit on open files to its maximum: each connection is one.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    // The server adapts to the limit.
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::debug!("cannot raise the limit on open files: {error}");
    }
}

fn bind_all(addresses: &[Address], tls: Option<&TlsAcceptor>) -> Result<Vec<Listener>> {
    let mut listeners = Vec::new();
    for address in addresses {
        let bound = &addresses[..listeners.len()];
        let listener = bind(address, tls.cloned());
        listeners.push(listener.map_err(|error| explain(error, address, bound))?);
    }
    Ok(listeners)
}

fn bind(address: &Address, tls: Option<TlsAcceptor>) -> Result<Listener> {
    Listener::bind(address, tls).with_context(|| format!("cannot listen on `{address}`"))
}

/// Explains an address in use that an address bound before covers.
fn explain(error: anyhow::Error, address: &Address, bound: &[Address]) -> anyhow::Error {
    let cause = error.downcast_ref::<io::Error>().map(io::Error::kind);
    match address.conflict(bound) {
        Some(other) if cause == Some(io::ErrorKind::AddrInUse) => {
            let (any, ipv4) = if other.is_ipv6() {
                (other, address)
            } else {
                (address, other)
            };
            error.context(format!(
                "`{any}` takes the connections of IPv4 as well; remove `{ipv4}`"
            ))
        }
        _ => error,
    }
}

/// Opens the audit log, and sets its location in `settings` for a default log. Only the default
/// folder is created: another missing folder may be a mistake.
fn open(flags: &Serve, settings: &mut Settings) -> Result<AuditLog> {
    if folder(&settings.location) == Folder::MayBeCreated
        && let Some(folder) = settings.location.path().and_then(Path::parent)
    {
        let what = || format!("cannot create the folder `{}`", folder.display());
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .with_context(what)?;
    }
    let preferred = settings.location.clone();
    let log = match flags.audit.default_logs()? {
        Some(logs) => logs.open(settings, &flags.listen.first_address().to_string())?,
        None => AuditLog::open(settings)?,
    };
    let location = &settings.location;
    if *location == Location::None {
        tracing::warn!("NO AUDIT LOG: all records are dropped (--audit none)");
    } else if *location == preferred {
        tracing::info!("the audit log is {location}");
    } else {
        tracing::warn!(
            "the audit log is {location}, because another server writes {preferred}; this server \
             continues it at its next start at the same address, and `component-runner audit` \
             reads it with `--audit {location}`"
        );
    }
    Ok(log)
}

/// Logs workload, addresses and limits in one line. Functions are loaded after that.
fn announce_start(listeners: &[Listener], functions: &Functions, limits: &str) {
    let urls: Vec<_> = listeners.iter().map(Listener::url).collect();
    let addresses = urls.join(",");
    let table = functions.table();
    match table.functions() {
        [only] if only.route().is_none() => tracing::info!(
            component = only.name(),
            sha256 = only.version(),
            wasi = %only.wasi(),
            addresses,
            limits,
            "serving"
        ),
        _ => tracing::info!(addresses, limits, "listening; functions are loading"),
    }
}

/// Logs what guests may have of the memory of the server, and whether that is less than all
/// of them together may want.
fn announce_memory(flags: &Serve, memory: &MemoryLimit) {
    let guests = u64::from(flags.limits.max_concurrency.get());
    let wanted = guests.saturating_mul(flags.limits.max_memory as u64);
    let (limit, for_guests) = (memory.limit_bytes(), memory.guest_limit_bytes());
    if wanted > for_guests {
        tracing::info!(
            limit,
            for_guests,
            wanted,
            "guests may want more memory together (`--max-concurrency` times `--max-memory`) \
             than the server has for them (`--max-total-memory`): beyond that their memories do \
             not grow, and requests wait"
        );
    } else {
        tracing::info!(limit, for_guests, wanted, "memory for guests");
    }
}
