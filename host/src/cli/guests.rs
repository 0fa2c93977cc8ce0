//! Flags: environment, outbound requests and limits of a guest.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use ::functions::RequestLimits;
use clap::Args;
use engine::outbound::{AllowedOrigin, OutboundSettings};
use engine::{GuestLimits, Variable};

use super::values::{memory, number, seconds, timeout, timeout_or_off, variable, variable_in_file};

/// Environment and outbound requests of a guest.
#[derive(Debug, Args)]
#[command(next_help_heading = "Guest environment")]
pub struct GuestFlags {
    /// Set an environment variable of the component; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = variable)]
    pub env: Vec<Variable>,

    /// Set the environment variables in this file, one KEY=VALUE a line; may be repeated;
    /// --env and --env-secret take precedence
    #[arg(long, value_name = "FILE")]
    pub env_file: Vec<PathBuf>,

    /// Set an environment variable to the content of a file, without the line feed at
    /// its end, to keep a secret off the command line; no other user may write the file; may
    /// be repeated; --env takes precedence
    #[arg(long, value_name = "KEY=FILE", value_parser = variable_in_file)]
    pub env_secret: Vec<(String, PathBuf)>,

    /// Set a variable of wasi:config; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = variable)]
    pub config_var: Vec<Variable>,

    /// Allow the component to send requests to this origin, such as
    /// https://api.example:443; may be repeated [default: none]
    #[expect(clippy::doc_markdown, reason = "the help has no links")]
    #[arg(long, value_name = "ORIGIN")]
    pub allow_outbound: Vec<AllowedOrigin>,

    /// Timeout for the head of the response to an outbound request, including the wait for
    /// --max-outbound, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = timeout)]
    pub outbound_timeout: Duration,

    /// Maximum number of concurrent outbound requests of one request; further ones wait, within
    /// --outbound-timeout
    #[arg(long, value_name = "NUMBER", default_value = "8", value_parser = number::<NonZeroU32>)]
    pub max_outbound: NonZeroU32,
}

impl GuestFlags {
    /// Limits of outbound requests.
    #[must_use]
    pub fn outbound(&self) -> OutboundSettings {
        OutboundSettings {
            allowed: self.allow_outbound.clone(),
            timeout: self.outbound_timeout,
            max_concurrent: self.max_outbound,
        }
    }
}

/// Limits of one guest, and of the requests to it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits on guests")]
pub struct GuestLimitFlags {
    /// Timeout of a guest for the head of its response, in seconds, or `off`; beyond it the
    /// client gets 504
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = timeout_or_off)]
    pub request_timeout: Duration,

    /// Timeout of a guest between two pieces of the body of its response, in seconds, or
    /// `off`; beyond it the response is aborted
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = timeout_or_off)]
    pub response_idle_timeout: Duration,

    /// Timeout of the work of a guest after the end of its response, in seconds, or `off`;
    /// beyond it the guest is ended
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = timeout_or_off)]
    pub post_return_timeout: Duration,

    /// Limit on the CPU time of a guest for one request, in seconds; beyond it the client
    /// gets 504
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = timeout)]
    pub cpu_timeout: Duration,

    /// Maximum size of all memories of an instance together, in bytes; growth beyond it
    /// fails in the guest
    #[arg(long, value_name = "BYTES", default_value = "256MiB", value_parser = memory)]
    pub max_memory: usize,

    /// Maximum number of elements of all tables of an instance together
    #[arg(long, value_name = "NUMBER", default_value = "100000", value_parser = number::<usize>)]
    pub max_table_elements: usize,

    /// Maximum number of bytes that a guest may pass to the host in one call
    #[arg(long, value_name = "BYTES", default_value = "16MiB", value_parser = memory)]
    pub max_hostcall_memory: usize,

    /// Maximum size of strings, header fields and body buffers that the server keeps for one
    /// instance, in addition to --max-memory, in bytes; beyond it the guest traps
    #[arg(long, value_name = "BYTES", default_value = "16MiB", value_parser = memory)]
    pub max_host_memory: usize,

    /// Maximum number of resource handles of a guest
    #[arg(long, value_name = "NUMBER", default_value = "10000", value_parser = number::<usize>)]
    pub max_handles: usize,

    /// Maximum size of one set of header fields of a guest, in bytes of memory
    #[arg(long, value_name = "BYTES", default_value = "128KiB", value_parser = memory)]
    pub max_field_size: usize,

    /// Maximum number of bytes that a guest may print for one request; the rest is dropped
    #[arg(long, value_name = "BYTES", default_value = "64KiB", value_parser = memory)]
    pub max_output: usize,

    /// Maximum number of concurrent requests, each with an instance
    #[arg(long, value_name = "NUMBER", default_value = "1000", value_parser = number::<NonZeroU32>)]
    pub max_concurrency: NonZeroU32,

    /// Maximum number of requests in the queue for an instance; beyond it 503
    #[arg(long, value_name = "NUMBER", default_value = "1000", value_parser = number::<u32>)]
    pub max_queue: u32,

    /// Timeout of a request in the queue, in seconds; beyond it 503
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub queue_timeout: Duration,
}

impl GuestLimitFlags {
    /// Limits of one instance.
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

    /// Limits of the requests to one function.
    #[must_use]
    pub fn serving(&self, requests_per_instance: NonZeroU32) -> RequestLimits {
        RequestLimits {
            request_timeout: self.request_timeout,
            response_idle_timeout: self.response_idle_timeout,
            post_return_timeout: self.post_return_timeout,
            requests_per_instance,
            max_queued: self.max_queue,
            queue_timeout: self.queue_timeout,
        }
    }
}
