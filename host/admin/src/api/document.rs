//! JSON documents of functions.

use std::collections::BTreeSet;

use functions::{Function, Functions, Store, StoreError};
use serde_json::{Value, json};

/// All functions by name: served, loading and rejected ones.
pub(super) fn list(functions: &Functions) -> Vec<Value> {
    let table = functions.table();
    let problems = functions.problems();
    let served = table.functions().iter().map(|function| {
        let problem = problems.get(function.name());
        of(function.name(), Some(function), false, problem)
    });
    let is_served = |name: &str| table.functions().iter().any(|f| f.name() == name);
    let loading: BTreeSet<_> = table.loading().iter().collect();
    let others = problems.keys().filter(|name| !is_served(name));
    let others: BTreeSet<_> = others.chain(loading.iter().copied()).collect();
    let others = others.into_iter().map(|name| {
        let problem = problems.get(name);
        of(name, None, loading.contains(name), problem)
    });
    let mut all: Vec<_> = served.chain(others).collect();
    all.sort_by(|a, b| a["name"].as_str().cmp(&b["name"].as_str()));
    all
}

/// One function with its versions. None for an unknown name.
pub(super) fn show(
    functions: &Functions,
    store: Option<&Store>,
    name: &str,
) -> Result<Option<Value>, StoreError> {
    let served = functions.served(name);
    let problems = functions.problems();
    let problem = problems.get(name);
    let is_loading = functions.is_loading(name);
    if served.is_none() && problem.is_none() && !is_loading {
        return Ok(None);
    }
    let mut shown = of(name, served.as_deref(), is_loading, problem);
    if let Some(store) = store {
        let versions = store.record(name)?.versions;
        let versions = versions.iter().map(|version| {
            let is_active = served
                .as_ref()
                .is_some_and(|served| served.version() == version.sha256);
            json!({
                "version": version.sha256,
                "deployed": version.deployed,
                "active": is_active,
            })
        });
        shown["versions"] = versions.collect();
    }
    Ok(Some(shown))
}

fn of(name: &str, served: Option<&Function>, is_loading: bool, problem: Option<&String>) -> Value {
    json!({
        "name": name,
        "version": served.map(Function::version),
        "component": served.map(Function::component),
        "wasi": served.map(|served| served.wasi().as_str()),
        "route": served.and_then(Function::route).map(ToString::to_string),
        "paused": served.is_some_and(Function::is_paused),
        "loading": is_loading,
        "problem": problem,
    })
}
