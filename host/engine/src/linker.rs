//! The interfaces that guests can import.

use wasmtime::Engine;
use wasmtime::component::Linker;
use wasmtime_wasi_config::WasiConfig;

use crate::engine_kind::EngineKind;
use crate::state::State;
use crate::{audit, error_code, handler_imports, host_functions, host_functions_03};

/// A linker with all interfaces that guests can import.
pub(crate) fn linker(engine: &Engine, kind: EngineKind) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    if kind.is_concurrent {
        wasmtime_wasi::p3::add_to_linker(&mut linker)?;
        wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
    }
    wasmtime_wasi_config::add_to_linker(&mut linker, |state: &mut State| {
        WasiConfig::from(state.config())
    })?;
    audit::add_to_linker(&mut linker)?;
    linker.allow_shadowing(true);
    host_functions::add_to_linker(&mut linker)?;
    if kind.is_concurrent {
        host_functions_03::add_to_linker(&mut linker)?;
    }
    error_code::add_to_linker(&mut linker)?;
    linker.allow_shadowing(false);
    handler_imports::add_to_linker(&mut linker, kind.is_concurrent)?;
    Ok(linker)
}
