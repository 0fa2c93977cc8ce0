//! The functions of a server: configuration, sources, versions, router, deploys.
//!
//! From configuration to a component:
//!
//! - `config.rs`: [`FunctionsConfig`], the functions that the operator configured.
//! - `component_source.rs`: [`ComponentSource`], a file or an OCI image layout;
//!   `component_file.rs`, `oci_layout.rs`: reading either.
//! - `load.rs`: [`Loader`], from bytes to a [`Function`]; `warm.rs`: its first instance and the
//!   smoke request.
//! - `validate.rs`: validation of all functions without serving them, for `--check`.
//!
//! Serving:
//!
//! - `function.rs`: [`Function`], one version of one function.
//! - `route.rs`: [`Routes`], the router by host and path prefix.
//! - `table.rs`: [`Functions`], the functions that are served now; `serve APP.wasm` is the same
//!   with a single one. `request_limits.rs`: limits of the requests to one function.
//!
//! Deploying:
//!
//! - `store.rs`, `record.rs`: [`Store`], the versions on disk; `version_selection.rs`: the
//!   version of a function to run.
//! - `deploy/`: [`Deployer`], which reconciles the served functions with the configured ones.
//! - `watch.rs`: [`ConfigWatcher`], file events and polling; `resolved_path.rs`: the links on the
//!   path to a file; `file_fingerprint.rs`: detection of changed files.
//!
//! All functions share an engine and a pool, because each instance reserves several GiB of
//! address space. Admission control limits the part of the pool that one function may use.

mod component_file;
mod component_source;
mod config;
mod deploy;
mod file_fingerprint;
mod function;
mod load;
mod oci_layout;
mod record;
mod request_limits;
mod resolved_path;
mod route;
mod store;
mod table;
mod validate;
mod version_selection;
mod warm;
mod watch;

pub use component_file::ReadError;
pub use component_source::ComponentSource;
pub use config::{
    FunctionConfig, FunctionSettings, FunctionsConfig, MiddlewareConfig, ResolvedSettings,
    check_name,
};
pub use deploy::{
    DeployCommand, DeployError, DeployHandle, DeployOutcome, Deployer, FinishedTask, PendingCommand,
};
pub use function::Function;
pub use load::{FunctionError, Loader, RegisterError};
pub use record::{Record, Version};
pub use request_limits::RequestLimits;
pub use route::{Route, Routes, without_prefix};
pub use store::{Retention, Store, StoreError};
pub use table::{Found, Functions, RouteConflict, Table};
pub use validate::{ValidationReport, validate};
pub use watch::{ConfigWatcher, WatchedPaths};
