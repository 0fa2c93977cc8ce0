//! Many functions in one server.

mod files;
mod limits;
mod routes;
mod start;
