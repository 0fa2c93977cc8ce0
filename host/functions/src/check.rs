//! Whether functions could be served, without serving them.

use std::collections::BTreeMap;

use super::declaration::{Declaration, Declared};
use super::load::{
    FunctionError, RegisterError, check_adapters, job, read_adapters, read_component,
};
use super::table::Conflict;
use engine::{App, Compiler, Part, PoolLimits};
use sanitize::error_chain;

/// What was found.
#[derive(Debug)]
pub struct Findings {
    /// How many functions could be served.
    pub good: usize,
    /// What is wrong with the others, or with an adapter.
    pub problems: Vec<String>,
}

/// Looks whether everything that `declaration` wants could be served from a pool of this
/// size. Nothing is set up, and no compiled code is kept.
pub async fn check(
    declaration: &Declaration,
    compiler: &Compiler,
    pool: &PoolLimits,
    max_bytes: u64,
) -> Findings {
    let mut findings = Findings {
        good: 0,
        problems: Vec::new(),
    };
    let adapters = adapters(declaration, compiler, max_bytes).await;
    let adapters = adapters.unwrap_or_else(|error| {
        findings.problems.push(error_chain(&error));
        Vec::new()
    });
    let wanted = declaration.look(&mut findings.problems).unwrap_or_default();
    let mut routes = BTreeMap::new();
    for declared in &wanted {
        let checked = check_one(declared, &adapters, compiler, pool, max_bytes);
        let checked = checked.await.map_err(|e| error_chain(&e));
        let other = routes.insert(&declared.route, &declared.name);
        let conflict = other.map(|other| Conflict::new(&declared.route, other).to_string());
        match (checked, conflict) {
            (Err(why), _) | (Ok(()), Some(why)) => {
                let name = &declared.name;
                findings.problems.push(format!("function `{name}`: {why}"));
            }
            (Ok(()), None) => findings.good += 1,
        }
    }
    findings
}

async fn adapters(
    declaration: &Declaration,
    compiler: &Compiler,
    max_bytes: u64,
) -> Result<Vec<Part>, RegisterError> {
    let adapters = read_adapters(declaration, max_bytes)?;
    check_adapters(compiler, &adapters).await?;
    Ok(adapters)
}

async fn check_one(
    declared: &Declared,
    adapters: &[Part],
    compiler: &Compiler,
    pool: &PoolLimits,
    max_bytes: u64,
) -> Result<(), FunctionError> {
    let settings = match &*declared.wish {
        Ok(settings) => settings,
        Err(why) => return Err(FunctionError::Settings(why.clone())),
    };
    let component = read_component(declared, max_bytes)?;
    let job = job(component, declared, adapters, max_bytes)?;
    if let Some(compiled) = compiler.check(&job).await? {
        App::check(&compiled, &settings.limits, Some(pool))?;
    }
    Ok(())
}
