//! The flags that say what a guest sees, and what it may take.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::values::{memory, number, seconds, timeout, timeout_or_off, variable, variable_in_file};
use engine::outbound::{AllowedOrigin, OutboundSettings};
use engine::{GuestLimits, Variable};

/// What a guest sees.
#[derive(Debug, Args)]
#[command(next_help_heading = "What a guest sees")]
pub struct GuestFlags {
    /// Set an environment variable of the component; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = variable)]
    pub env: Vec<Variable>,

    /// Set the environment variables that this file names, one KEY=VALUE a line; may be
    /// repeated; --env and --env-secret go before
    #[arg(long, value_name = "FILE")]
    pub env_file: Vec<PathBuf>,

    /// Set an environment variable to the content of a file, without the line feed at
    /// its end, so that a secret is on no command line; no other user may write the file; may be
    /// repeated; --env goes before
    #[arg(long, value_name = "KEY=FILE", value_parser = variable_in_file)]
    pub env_secret: Vec<(String, PathBuf)>,

    /// Set a variable of wasi:config; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = variable)]
    pub config_var: Vec<Variable>,

    /// Let the component send requests to this origin, such as
    /// https://api.example:443; may be repeated [default: to nobody]
    #[expect(clippy::doc_markdown, reason = "the help has no links")]
    #[arg(long, value_name = "ORIGIN")]
    pub allow_outbound: Vec<AllowedOrigin>,

    /// Time limit for such a request until the head of its response is there, with the time
    /// that it waits for --max-outbound, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = timeout)]
    pub outbound_timeout: Duration,

    /// Number of such requests that one request may have at once; more of them wait, within
    /// --outbound-timeout
    #[arg(long, value_name = "NUMBER", default_value = "8", value_parser = number::<NonZeroU32>)]
    pub max_outbound: NonZeroU32,
}

impl GuestFlags {
    /// The requests that guests may send.
    #[must_use]
    pub fn outbound(&self) -> OutboundSettings {
        OutboundSettings {
            allowed: self.allow_outbound.clone(),
            timeout: self.outbound_timeout,
            max_concurrent: self.max_outbound,
        }
    }
}

/// What a guest may take.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits on guests")]
pub struct GuestLimitFlags {
    /// Time limit of a guest until the head of its response, and again for what it does after
    /// the end of the response, in seconds, or `off`; beyond it the client gets 504
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = timeout_or_off)]
    pub request_timeout: Duration,

    /// Time limit of a guest between two pieces of the body of its response, in seconds, or
    /// `off`; beyond it the response breaks off
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = timeout_or_off)]
    pub response_idle_timeout: Duration,

    /// How long a guest may compute for a request, in seconds of a processor; beyond it
    /// the client gets 504
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = timeout)]
    pub cpu_timeout: Duration,

    /// How large the memories of an instance may become together, in bytes; what would
    /// be more is refused to the guest
    #[arg(long, value_name = "BYTES", default_value = "256MiB", value_parser = memory)]
    pub max_memory: usize,

    /// How many elements the tables of an instance may have together
    #[arg(long, value_name = "NUMBER", default_value = "100000", value_parser = number::<usize>)]
    pub max_table_elements: usize,

    /// How many bytes a guest may hand to the host in one call
    #[arg(long, value_name = "BYTES", default_value = "16MiB", value_parser = memory)]
    pub max_hostcall_memory: usize,

    /// Bytes of strings, header fields and body buffers that the server may keep for one
    /// instance, beside --max-memory; beyond it the guest traps
    #[arg(long, value_name = "BYTES", default_value = "16MiB", value_parser = memory)]
    pub max_host_memory: usize,

    /// How many handles on resources a guest may have
    #[arg(long, value_name = "NUMBER", default_value = "10000", value_parser = number::<usize>)]
    pub max_handles: usize,

    /// How large one set of header fields of a guest may be, in bytes of memory
    #[arg(long, value_name = "BYTES", default_value = "128KiB", value_parser = memory)]
    pub max_field_size: usize,

    /// How many bytes a guest may print for a request; the rest is left out
    #[arg(long, value_name = "BYTES", default_value = "64KiB", value_parser = memory)]
    pub max_output: usize,

    /// How many requests may have an instance at once
    #[arg(long, value_name = "NUMBER", default_value = "1000", value_parser = number::<NonZeroU32>)]
    pub max_concurrency: NonZeroU32,

    /// How many more may wait for one; beyond it 503
    #[arg(long, value_name = "NUMBER", default_value = "1000", value_parser = number::<u32>)]
    pub max_queue: u32,

    /// How long a request may wait for an instance, in seconds; beyond it 503
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub queue_timeout: Duration,
}

impl GuestLimitFlags {
    /// What one instance may take.
    #[must_use]
    pub fn guest(&self) -> GuestLimits {
        GuestLimits {
            memory_bytes: self.max_memory,
            table_elements: self.max_table_elements,
            hostcall_bytes: self.max_hostcall_memory,
            host_bytes: self.max_host_memory,
            handles: self.max_handles,
            field_bytes: self.max_field_size,
            output_bytes: self.max_output,
            cpu_time: self.cpu_timeout,
            instances: self.max_concurrency,
        }
    }
}
