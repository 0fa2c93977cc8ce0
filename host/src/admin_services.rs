//! Services for operators: telemetry and the admin listener, from startup to shutdown.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use admin::{self, Admin, AdminState, AllowedHosts, Liveness, Readiness};
use anyhow::{Context, Result};
use audit_log::{AuditLog, Policy, Settings};
use audit_log_forward::Forwarder;
use host::cli::Serve;
use memory_limit::MemoryLimit;
use server::Listener;
use telemetry::Telemetry;
use telemetry::access_log::{AccessLog, Destination};
use telemetry::metrics::{Exporter, Metrics, Sources};
use telemetry::traces::Tracer;
use tokio::signal::unix::Signal;
use tokio::task::JoinHandle;

/// Telemetry, readiness and the deploy API of a server.
pub(crate) struct AdminServices {
    pub(crate) telemetry: Telemetry,
    pub(crate) readiness: Arc<Readiness>,
    /// Set once functions are set up, with `--admin-token`.
    pub(crate) admin: Arc<OnceLock<Admin>>,
    /// Reopens the access log on SIGHUP.
    reopening: JoinHandle<()>,
}

impl AdminServices {
    /// Starts the access log and the tracer of the flags, and handles `hangup`.
    ///
    /// # Errors
    ///
    /// Fails if the access log cannot be opened.
    pub(crate) fn start(
        flags: &Serve,
        audit: &AuditLog,
        settings: &Settings,
        hangup: Signal,
    ) -> Result<Self> {
        let mut telemetry = Telemetry::new(Metrics::new());
        if let Some(destination) = &flags.logs.access_log {
            let log = AccessLog::start(destination).with_context(|| match destination {
                Destination::File(path) => {
                    format!("cannot open the access log `{}`", path.display())
                }
                Destination::Stdout => "cannot start the access log".to_owned(),
            })?;
            telemetry.access_log = Some(Arc::new(log));
        }
        if let Some(receiver) = &flags.logs.otlp {
            let tracer = Tracer::start(receiver).context("cannot start sending traces")?;
            telemetry.tracer = Some(Arc::new(tracer));
        }
        let is_file = matches!(flags.logs.access_log, Some(Destination::File(_)));
        let file = telemetry.access_log.clone().filter(|_| is_file);
        let must_be_written = settings.policy == Policy::FailClosed;
        Ok(Self {
            telemetry,
            readiness: Readiness::new(must_be_written.then(|| audit.clone())),
            admin: Arc::default(),
            reopening: tokio::spawn(reopen(file, hangup)),
        })
    }

    /// Adds the memory limit to readiness and metrics.
    pub(crate) fn watch_memory(&self, memory: &Arc<MemoryLimit>) {
        self.readiness.watch_memory(memory.clone());
        self.telemetry.metrics.set_memory(memory.clone());
    }

    /// Starts the admin listener.
    pub(crate) fn listen(
        &self,
        listener: Listener,
        names: &[String],
        audit: &AuditLog,
        forwarder: Option<Arc<Forwarder>>,
    ) {
        let exporter = Exporter::new(Sources {
            metrics: self.telemetry.metrics.clone(),
            audit: audit.clone(),
            forwarder,
            access_log: self.telemetry.access_log.clone(),
            tracer: self.telemetry.tracer.clone(),
        });
        let answers = AdminState {
            liveness: Liveness::new(self.telemetry.workers.clone()),
            readiness: self.readiness.clone(),
            exporter,
            admin: self.admin.clone(),
            hosts: AllowedHosts {
                any: !listener.is_tcp(),
                names: names.to_vec(),
            },
        };
        tokio::spawn(admin::run(listener, answers));
    }

    /// Resolves after `shutdown`, and makes the server not ready then.
    pub(crate) fn until<S: Future<Output = ()>>(
        &self,
        shutdown: S,
    ) -> impl Future<Output = ()> + use<S> {
        let readiness = self.readiness.clone();
        async move {
            shutdown.await;
            readiness.drains();
        }
    }

    /// Flushes denied requests, access log and traces, within `deadline`.
    pub(crate) async fn close(self, deadline: Duration) {
        self.reopening.abort();
        if let Some(admin) = self.admin.get() {
            admin.flush().await;
        }
        let access_log = async {
            if let Some(log) = &self.telemetry.access_log {
                log.close(deadline).await;
            }
        };
        let traces = async {
            if let Some(tracer) = &self.telemetry.tracer {
                tracer.close(deadline).await;
            }
        };
        tokio::join!(access_log, traces);
    }
}

/// Reopens the access log on each SIGHUP, if it is a file. The signal never ends the server.
async fn reopen(file: Option<Arc<AccessLog>>, mut hangup: Signal) {
    while hangup.recv().await.is_some() {
        if let Some(log) = &file {
            log.reopen();
        } else {
            tracing::info!("SIGHUP ignored: no access log file to reopen");
        }
    }
}
