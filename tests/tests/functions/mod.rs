//! Many functions in one server.

mod admin;
mod commands;
#[cfg(target_os = "linux")]
mod compiling;
mod composed;
mod deploys;
mod documented;
mod files;
mod hostile_names;
mod kills;
mod limits;
#[cfg(target_os = "linux")]
mod loading;
mod middleware;
mod middleware_limits;
mod middleware_settings;
mod mixed_middleware;
mod neighbours;
mod paused;
mod removal;
mod routes;
mod schema;
mod smoke;
mod start;
mod swaps;
mod unaudited;
