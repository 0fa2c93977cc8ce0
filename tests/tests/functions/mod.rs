//! Many functions in one server.

mod deploys;
mod documented;
mod files;
mod limits;
mod routes;
mod start;
mod swaps;
