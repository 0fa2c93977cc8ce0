//! All tests, one module for each theme. They are one program, because linking
//! ten of them would take longer than running them.

mod access_log;
mod audit;
mod audit_faults;
mod audit_hostile;
mod audit_torture;
mod bodies;
mod check;
mod client_limits;
mod configuration;
mod configuration_file;
mod configuration_fuzz;
mod contracts;
mod corpus;
mod documented;
mod drain;
mod experiments;
mod fused;
mod guest_failures;
mod hostile;
mod http;
mod isolation;
mod limits;
mod listeners;
mod logs;
mod ops;
mod outbound;
mod outputs;
mod peers;
mod reuse;
mod shutdown;
mod slow_readers;
mod soak;
mod start_up_errors;
mod transcripts;
mod variables;
