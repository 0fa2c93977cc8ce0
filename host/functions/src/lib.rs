//! Any number of functions in one server.
//!
//! - `route.rs`: which requests belong to which.
//! - `function.rs`: [`Function`], one version of one.
//! - `table.rs`: [`Functions`], what is served at the moment; `serve APP.wasm` is the same
//!   with one.
//! - `declaration.rs`: [`Declaration`], what the operator wants to be served.
//! - `place.rs`: [`Place`], where a component is; `read.rs`, `layout.rs`: from there to bytes.
//! - `adapter.rs`: how a component serves HTTP that exports something else; `middleware.rs`:
//!   what its requests go through before.
//! - `load.rs`: [`Loader`], from bytes to a [`Function`]; `warm.rs`: its first instance.
//! - `store.rs`, `record.rs`: [`Store`], the versions of functions on the disk; `pick.rs`: which of them
//!   should run.
//! - `deploy/`: [`Deployer`], from what is wanted to what is served; `stamp.rs`: whether a
//!   file is to be read again.
//! - `watch.rs`: [`Watch`], when to look again; `way.rs`: the links on the way to a file.
//! - `check.rs`: whether all that could be served, for `--check`.
//!
//! All functions share an engine and a pool: each instance reserves several GiB of address
//! space, so there is not enough of it for a pool of each. What one function may have of
//! the pool is limited where its requests are admitted.

mod check;
mod declaration;
mod deploy;
mod function;
mod layout;
mod load;
mod pick;
mod place;
mod read;
mod record;
mod request_limits;
mod route;
mod stamp;
mod store;
mod table;
mod warm;
mod watch;
mod way;

pub use check::{Findings, check};
pub use declaration::{Declaration, Declared, Settings, Wish, check_name};
pub use deploy::{Answer, Control, ControlError, Deployer, Finished, Order, Waiting};
pub use function::Function;
pub use load::{FunctionError, Loader, RegisterError};
pub use place::Place;
pub use read::ReadError;
pub use record::{Record, Version};
pub use request_limits::RequestLimits;
pub use route::without_prefix;
pub use route::{Route, Routes};
pub use store::{Retention, Store, StoreError};
pub use table::{Conflict, Found, Functions, Table};
pub use watch::{Watch, Watched};
