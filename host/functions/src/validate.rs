//! Validation of all functions without serving them, for `--check`.

use std::collections::BTreeMap;

use engine::{Compiled, CompiledComponent, Compiler, Part, PoolLimits, Segment};
use sanitize::error_chain;

use super::config::{FunctionConfig, FunctionsConfig};
use super::load::{
    FunctionError, RegisterError, chain, check_adapters, read_adapters, read_component, settings_of,
};
use super::table::RouteConflict;

/// The result of a validation.
#[derive(Debug)]
pub struct ValidationReport {
    /// Number of functions that can be served.
    pub good: usize,
    /// Errors of the other functions and of adapters.
    pub problems: Vec<String>,
}

/// Compiles all functions of `functions_config` and checks them against a pool of this size.
/// Nothing is served, and no compiled code is kept.
pub async fn validate(
    functions_config: &FunctionsConfig,
    compiler: &Compiler,
    pool: &PoolLimits,
    max_bytes: u64,
) -> ValidationReport {
    let mut report = ValidationReport {
        good: 0,
        problems: Vec::new(),
    };
    let adapters = adapters(functions_config, compiler, max_bytes).await;
    let adapters = adapters.unwrap_or_else(|error| {
        report.problems.push(error_chain(&error));
        Vec::new()
    });
    let desired = functions_config
        .look(&mut report.problems)
        .unwrap_or_default();
    let mut routes = BTreeMap::new();
    for config in &desired {
        let checked = check_one(config, &adapters, compiler, pool, max_bytes);
        let checked = checked.await.map_err(|e| error_chain(&e));
        let other = routes.insert(&config.route, &config.name);
        let conflict = other.map(|other| RouteConflict::new(&config.route, other).to_string());
        match (checked, conflict) {
            (Err(why), _) | (Ok(()), Some(why)) => {
                let name = &config.name;
                report.problems.push(format!("function `{name}`: {why}"));
            }
            (Ok(()), None) => report.good += 1,
        }
    }
    report
}

async fn adapters(
    functions_config: &FunctionsConfig,
    compiler: &Compiler,
    max_bytes: u64,
) -> Result<Vec<Part>, RegisterError> {
    let adapters = read_adapters(functions_config, max_bytes)?;
    check_adapters(compiler, &adapters).await?;
    Ok(adapters)
}

async fn check_one(
    config: &FunctionConfig,
    adapters: &[Part],
    compiler: &Compiler,
    pool: &PoolLimits,
    max_bytes: u64,
) -> Result<(), FunctionError> {
    settings_of(config, None)?;
    let component = read_component(config, max_bytes)?;
    let chain = chain(component, config, adapters, max_bytes)?;
    for segment in compiler.check_chain(&chain).await? {
        let checked = check_segment(config, &segment, pool);
        checked.map_err(|error| error.of_segment(segment.name.as_ref()))?;
    }
    Ok(())
}

fn check_segment(
    config: &FunctionConfig,
    segment: &Segment<Option<Compiled>>,
    pool: &PoolLimits,
) -> Result<(), FunctionError> {
    let settings = settings_of(config, segment.settings)?;
    if let Some(compiled) = &segment.content {
        CompiledComponent::check(compiled, &settings.limits, Some(pool))?;
    }
    Ok(())
}
