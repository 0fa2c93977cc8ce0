//! Whether functions could be served, without serving them.

use std::collections::BTreeMap;

use super::adapter::Adapters;
use super::cause::chain;
use super::declaration::{Declaration, Declared};
use super::load::{FunctionError, adapters, source};
use super::table::Conflict;
use crate::guest::{App, PoolLimits};

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
#[must_use]
pub fn check(declaration: &Declaration, pool: &PoolLimits, max_bytes: u64) -> Findings {
    let mut findings = Findings {
        good: 0,
        problems: Vec::new(),
    };
    let adapters = adapters(declaration, max_bytes).unwrap_or_else(|error| {
        findings.problems.push(chain(&error));
        Adapters::default()
    });
    let wanted = declaration.look(&mut findings.problems).unwrap_or_default();
    let mut routes = BTreeMap::new();
    for declared in &wanted {
        let checked = check_one(declared, &adapters, pool, max_bytes).map_err(|e| chain(&e));
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

fn check_one(
    declared: &Declared,
    adapters: &Adapters,
    pool: &PoolLimits,
    max_bytes: u64,
) -> Result<(), FunctionError> {
    let settings = match &*declared.wish {
        Ok(settings) => settings,
        Err(why) => return Err(FunctionError::Settings(why.clone())),
    };
    let source = source(declared, adapters, None, max_bytes)?;
    App::check(&source.bytes, &settings.limits, Some(pool))?;
    Ok(())
}
