//! The flags of one function, and the pool that all functions share.

use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command, CommandFactory, FromArgMatches, Parser};
use http::uri::PathAndQuery;

use super::audit::AuditedRequestFlags;
use super::guests::{GuestFlags, GuestLimitFlags};
use super::values::{bytes, memory, number, seconds};
use ::functions::{ComponentSource, FunctionSettings, ResolvedSettings, Route, check_name};
use engine::PoolLimits;

/// Settings of one function, or of a middleware with settings of its own: the keys of a table
/// `[[function]]` or `[[function.middleware]]`, which no command line has.
#[derive(Debug, Parser)]
#[command(name = "function", disable_help_flag = true)]
pub(super) struct FunctionFlags {
    /// Name of the function
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub(super) name: Option<String>,

    /// Source of its component
    #[arg(long, value_name = "PLACE", value_parser = place)]
    pub(super) component: Option<ComponentSource>,

    /// Path of the smoke request to a new version
    #[arg(long, value_name = "PATH", value_parser = path)]
    smoke: Option<PathAndQuery>,

    /// Route of its requests
    #[arg(long, value_name = "ROUTE")]
    pub(super) route: Option<Route>,

    #[command(flatten)]
    guest: GuestFlags,

    #[command(flatten)]
    limits: GuestLimitFlags,

    #[command(flatten)]
    audited: AuditedRequestFlags,
}

/// The keys that identify one function, which have no default on the command line.
const OWN: [&str; 4] = ["name", "component", "smoke", "route"];

/// The key of the middleware of a function, whose value is not a flag.
pub(super) const MIDDLEWARE: &str = "middleware";

/// Keys that middleware does not have: those that identify a function, and those of its queue, in which a
/// request waits for the instances of all segments.
const NOT_OF_MIDDLEWARE: [&str; 7] = [
    "name",
    MIDDLEWARE,
    "smoke",
    "route",
    "max-concurrency",
    "max-queue",
    "queue-timeout",
];

/// A flag that limits all functions together on the command line.
const CONCURRENCY: &str = "max_concurrency";

/// Divisor of the pool: the default share of one function.
const DEFAULT_PART: u32 = 2;

/// Flags of the command line that apply to each function without a value of its own.
#[derive(Clone, Default)]
pub struct Defaults {
    /// Key without dashes, and value.
    pub(super) flags: Vec<(String, String)>,
    /// Number of concurrent requests of all functions together.
    pub(super) max_concurrency: u32,
    /// Whether a function may have no file.
    pub(super) has_state: bool,
}

impl fmt::Debug for Defaults {
    /// Without the values, which may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.flags.iter().map(|(key, _)| key);
        f.debug_list().entries(keys).finish()
    }
}

impl Defaults {
    /// The defaults in the flags of `serve`.
    pub(super) fn of(serve: &ArgMatches) -> Self {
        let definition = FunctionFlags::command();
        let mut flags = Vec::new();
        for flag in definition.get_arguments() {
            let id = flag.get_id().as_str();
            let is_own = OWN.contains(&id) || id == CONCURRENCY;
            if is_own || serve.value_source(id) != Some(ValueSource::CommandLine) {
                continue;
            }
            let key = flag.get_long().unwrap_or(id);
            for value in serve.get_raw(id).into_iter().flatten() {
                flags.push((key.to_owned(), value.to_string_lossy().into_owned()));
            }
        }
        let max_concurrency = serve.get_one::<NonZeroU32>(CONCURRENCY);
        Self {
            flags,
            max_concurrency: max_concurrency.map_or(u32::MAX, |number| number.get()),
            has_state: serve.contains_id("state"),
        }
    }
}

impl FunctionFlags {
    /// Definition of the keys of a function.
    pub(super) fn definition() -> Command {
        // For the suggestions of errors.
        Self::command().arg(Arg::new(MIDDLEWARE).long(MIDDLEWARE))
    }

    /// Definition of the keys of a middleware.
    pub(super) fn middleware_definition() -> Command {
        let all = Self::command();
        let is_of_middleware = |arg: &&Arg| !arg.get_long().is_some_and(Self::is_of_function_only);
        let args: Vec<_> = all
            .get_arguments()
            .filter(is_of_middleware)
            .cloned()
            .collect();
        Command::new("middleware")
            .disable_help_flag(true)
            .args(args)
    }

    /// Whether a key is one of a function, but not one of its middleware.
    pub(super) fn is_of_function_only(key: &str) -> bool {
        NOT_OF_MIDDLEWARE.contains(&key)
    }

    /// The settings of a middleware of `function`, whose requests wait in the queue of the function.
    /// `keys` are the given keys. Timeouts that include the time of the application are those of the
    /// function, unless they are given.
    pub(super) fn resolve_for_middleware(
        mut self,
        keys: &[&str],
        function: &Self,
    ) -> Arc<ResolvedSettings> {
        if !keys.contains(&"request-timeout") {
            self.limits.request_timeout = function.limits.request_timeout;
        }
        if !keys.contains(&"response-idle-timeout") {
            self.limits.response_idle_timeout = function.limits.response_idle_timeout;
        }
        self.limits.max_concurrency = function.limits.max_concurrency;
        self.limits.max_queue = function.limits.max_queue;
        self.limits.queue_timeout = function.limits.queue_timeout;
        self.resolve()
    }

    /// Reads the flags of a function from the `given` values and the `defaults`. `keys` are the given
    /// keys, also those of empty lists.
    ///
    /// # Errors
    ///
    /// Fails on an invalid value.
    pub(super) fn read(
        given: &[(String, String)],
        keys: &[&str],
        defaults: &Defaults,
    ) -> Result<Self, clap::Error> {
        let definition = Self::command();
        // Variables of a function are added to the defaults. A list of allowed origins replaces
        // them.
        let adds = |key: &str| matches!(key, "env" | "env-file" | "env-secret" | "config-var");
        let is_given = |key: &str| keys.contains(&key);
        let defaults_left = defaults
            .flags
            .iter()
            .filter(|(key, _)| adds(key) || !is_given(key));
        let words = defaults_left.chain(given);
        let words = words.map(|(key, value)| format!("--{key}={value}"));
        let words = [definition.get_name().to_owned()].into_iter().chain(words);
        let matches = definition.try_get_matches_from(words)?;
        let mut flags = Self::from_arg_matches(&matches)?;
        if matches.value_source(CONCURRENCY) != Some(ValueSource::CommandLine) {
            let part = defaults.max_concurrency / DEFAULT_PART;
            flags.limits.max_concurrency = NonZeroU32::new(part).unwrap_or(NonZeroU32::MIN);
        }
        Ok(flags)
    }

    /// Resolves the settings of the function, which reads the files of variables.
    pub(super) fn resolve(&self) -> Arc<ResolvedSettings> {
        let environment = self.guest.environment();
        let settings = environment.map(|environment| FunctionSettings {
            environment,
            config: self.guest.config(),
            quota: self.audited.quota(),
            policy: self.audited.policy(),
            limits: self.limits.guest(),
            outbound: self.guest.outbound(),
            serving: self.limits.serving(NonZeroU32::MIN),
            smoke: self.smoke.clone(),
        });
        let failed = |error: super::VariableError| match std::error::Error::source(&error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        };
        Arc::new(settings.map_err(failed))
    }
}

/// Limits of the pool that all functions share, and of compilation.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits on guests")]
pub struct PoolFlags {
    /// Maximum number of memories of an instance, with --functions
    #[arg(long, value_name = "NUMBER", default_value = "4", value_parser = number::<NonZeroU32>)]
    pub max_memories: NonZeroU32,

    /// Maximum number of tables of an instance, with --functions
    #[arg(long, value_name = "NUMBER", default_value = "32", value_parser = number::<NonZeroU32>)]
    pub max_tables: NonZeroU32,

    /// Maximum size of a component file, in bytes, with --functions
    #[arg(long, value_name = "BYTES", default_value = "64MiB", value_parser = bytes)]
    pub max_component_size: u64,

    /// Limit on the CPU time for compiling one component, of all threads together, in
    /// seconds; beyond it, or beyond 20 times as much wall time, the component is rejected
    #[arg(long, value_name = "SECONDS", default_value = "120", value_parser = seconds)]
    pub compile_timeout: Duration,

    /// Memory limit of the process that compiles one component, in bytes; beyond it the
    /// component is rejected
    #[arg(long, value_name = "BYTES", default_value = "4GiB", value_parser = bytes)]
    pub max_compile_memory: u64,

    /// Memory limit of this process, in bytes, without pages of files: guest memories do not
    /// grow beyond it, and a request without memory within --queue-timeout is rejected with 503
    /// [default: four fifths of what the system or its control group has]
    #[arg(long, value_name = "BYTES", value_parser = memory)]
    pub max_total_memory: Option<usize>,
}

/// Deployment of functions at run time.
#[derive(Debug, Args)]
#[command(next_help_heading = "Functions")]
pub struct DeployFlags {
    /// Keep the versions of functions in this folder, for rollback and for the active version
    /// after a restart
    #[arg(long, value_name = "FOLDER", requires = "functions")]
    pub state: Option<PathBuf>,

    /// Number of versions of each function to keep
    #[arg(long, value_name = "NUMBER", default_value = "5", value_parser = number::<NonZeroU32>)]
    pub keep_versions: NonZeroU32,

    /// Retention time of the versions of a removed function, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "604800", value_parser = seconds)]
    pub keep_removed: Duration,

    /// Allow clients with the token in this file to deploy functions over --ops-addr
    #[arg(
        long,
        value_name = "FILE",
        requires = "functions",
        requires = "ops_addr"
    )]
    pub admin_token: Option<PathBuf>,
}

impl PoolFlags {
    /// Limits of the pool that functions share, where the server may hold `total_bytes` of
    /// memory.
    #[must_use]
    pub fn pool(&self, limits: &GuestLimitFlags, total_bytes: u64) -> PoolLimits {
        PoolLimits {
            instances: limits.max_concurrency,
            memories: self.max_memories,
            tables: self.max_tables,
            table_elements: limits.max_table_elements,
            total_bytes,
        }
    }
}

fn place(text: &str) -> Result<ComponentSource, &'static str> {
    if text.is_empty() {
        return Err("the path is empty");
    }
    Ok(text.into())
}

fn path(text: &str) -> Result<PathAndQuery, &'static str> {
    let expected = "expected a path that begins with `/`";
    if !text.starts_with('/') {
        return Err(expected);
    }
    text.parse().map_err(|_| expected)
}

fn name(text: &str) -> Result<String, &'static str> {
    check_name(text).map(|()| text.to_owned())
}

#[cfg(test)]
mod tests;
