//! Many functions in one server.

mod admin;
mod deploys;
mod documented;
mod files;
mod kills;
mod limits;
mod routes;
mod start;
mod swaps;
