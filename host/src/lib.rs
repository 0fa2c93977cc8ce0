//! The command line of `component-runner`.
//!
//! The program is `main.rs` and the files next to it. Its parts are crates in the folders of this
//! package, each of which depends only on those further down in the table:
//!
//! | crate | folder | |
//! |---|---|---|
//! | `admin` | `admin/` | listener for operators |
//! | `server` | `server/` | connections, HTTP, requests, scheduling |
//! | `functions` | `functions/` | configuration, sources, versions, router, deploys |
//! | `engine` | `engine/` | components, from their bytes to one instance; audit capability; outbound requests |
//! | `telemetry` | `telemetry/` | metrics, access log, traces, server log |
//! | `memory-limit` | `memory/` | memory limit of the process |
//! | `http1-strict` | `http1-strict/` | strict reader of HTTP/1 |
//! | `permissions` | `permissions/` | owners and modes of files |

pub mod cli;
