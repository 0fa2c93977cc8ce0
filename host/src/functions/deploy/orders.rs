//! How the orders of an operator are carried out.

use std::sync::Arc;

use audit_log::event::Event;
use tokio::task::spawn_blocking;

use super::super::cause::chain;
use super::super::declaration::{Declared, check_name};
use super::super::function::Function;
use super::super::load::{FunctionError, OwnComponent};
use super::super::record::Record;
use super::super::store::Store;
use super::super::table::Conflict;
use super::change::{Loaded, Means, load_elsewhere};
use super::control::{Answer, ControlError, Order};
use super::{Deployer, Known};

impl Deployer {
    /// Does what was ordered, or nothing.
    ///
    /// # Errors
    ///
    /// Says why it was not done. What was served is served still.
    pub async fn carry_out(&mut self, order: Order) -> Result<Answer, ControlError> {
        let store = self.store.clone().ok_or(ControlError::NoState)?;
        // It becomes a part of a path.
        let name = order.name();
        check_name(name).map_err(|why| ControlError::BadName {
            name: name.to_owned(),
            why,
        })?;
        match order {
            Order::Deploy { name, bytes } => self.deploy(name, bytes, store).await,
            Order::Activate { name, version } => self.turn_to(name, version, store).await,
            Order::Pause { name } => self.set_paused(name, true, store).await,
            Order::Resume { name } => self.set_paused(name, false, store).await,
            Order::Remove { name } => self.remove(name).await,
        }
    }

    async fn deploy(
        &mut self,
        name: String,
        bytes: Vec<u8>,
        store: Arc<Store>,
    ) -> Result<Answer, ControlError> {
        let (declared, active) = self.declared(&name);
        let (means, wanted) = (self.means(), declared.clone());
        let running = active.clone();
        let load = move || {
            let record = store.record(&wanted.name)?.wanted_as(&wanted);
            let own = OwnComponent::new(bytes);
            means.load(&wanted, own, record, running.as_deref())
        };
        let loaded = load_elsewhere(load).await;
        self.finish(declared, active, loaded).await
    }

    async fn turn_to(
        &mut self,
        name: String,
        version: Option<String>,
        store: Arc<Store>,
    ) -> Result<Answer, ControlError> {
        let (declared, active) = self.declared(&name);
        let found = name.clone();
        let find = move || {
            let record = store.record(&found)?;
            if record.versions.is_empty() {
                return Err(ControlError::Unknown(found));
            }
            let sha256 = chosen(&record, version.as_deref());
            let sha256 = sha256.ok_or_else(|| ControlError::NoVersion {
                name: found.clone(),
                version: version.unwrap_or_else(|| "before the active one".to_owned()),
            })?;
            let bytes = store.bytes(&found, &sha256)?;
            Ok((record, sha256, bytes))
        };
        let (record, sha256, bytes) = spawn_blocking(find)
            .await
            .unwrap_or(Err(ControlError::Busy))?;
        let (means, wanted): (Means, _) = (self.means(), declared.clone());
        let running = active.clone();
        let load = move || {
            let own = OwnComponent { bytes, sha256 };
            let record = record.wanted_as(&wanted);
            means.load(&wanted, own, record, running.as_deref())
        };
        let loaded = load_elsewhere(load).await;
        self.finish(declared, active, loaded).await
    }

    /// Serves what was loaded.
    async fn finish(
        &mut self,
        declared: Declared,
        active: Option<Arc<Function>>,
        loaded: Result<Option<Loaded>, FunctionError>,
    ) -> Result<Answer, ControlError> {
        let name = declared.name.clone();
        let replaces = active.map(|active| active.version().to_owned());
        let is_new = !self.known.contains_key(&name);
        self.known
            .entry(name.clone())
            .or_insert_with(|| Known::new(declared));
        let checked = match loaded {
            Ok(None) => {
                return Ok(Answer {
                    name,
                    version: replaces.clone(),
                    replaces,
                });
            }
            Ok(Some(loaded)) => match self.conflict_of(&loaded.function) {
                None => Ok(loaded),
                Some(conflict) => {
                    self.refuse(&name, &conflict).await?;
                    Err(ControlError::Conflict(conflict.to_string()))
                }
            },
            Err(error) => {
                self.refuse(&name, &error).await?;
                Err(ControlError::Refused(chain(&error)))
            }
        };
        let done = match checked {
            Ok(loaded) => self.activate_for_order(&name, loaded).await,
            Err(refused) => Err(refused),
        };
        match done {
            Ok(version) => {
                self.functions.set_problem(&name, None);
                Ok(Answer {
                    name,
                    version: Some(version),
                    replaces,
                })
            }
            Err(error) => {
                if is_new {
                    // It never was one.
                    self.known.remove(&name);
                    self.functions.set_problem(&name, None);
                }
                Err(error)
            }
        }
    }

    /// Serves what was loaded. Returns its version.
    async fn activate_for_order(
        &mut self,
        name: &str,
        loaded: Loaded,
    ) -> Result<String, ControlError> {
        let version = loaded.function.version().to_owned();
        self.activate(loaded).await?;
        self.serve();
        let served = self.known.get(name);
        let served = served.and_then(|known| known.active.as_ref());
        if served.is_some_and(|served| served.version() == version) {
            return Ok(version);
        }
        // The cause was logged when it was not activated.
        let cause = self.functions.problems().remove(name);
        Err(ControlError::Refused(cause.unwrap_or_default()))
    }

    fn conflict_of(&self, function: &Function) -> Option<Conflict> {
        let holder = self.holder(function)?;
        Some(Conflict::new(function.route()?, holder.name()))
    }

    /// Lets a function answer no requests, or all of them again.
    async fn set_paused(
        &mut self,
        name: String,
        is_paused: bool,
        store: Arc<Store>,
    ) -> Result<Answer, ControlError> {
        let active = self.known.get(&name).and_then(|known| known.active.clone());
        let Some(active) = active else {
            return Err(ControlError::Unknown(name));
        };
        if active.is_paused() != is_paused {
            let event = if is_paused {
                Event::FunctionPaused
            } else {
                Event::FunctionResumed
            };
            self.record(Some(active.app().component()), &event).await?;
            let noted = name.clone();
            let note = move || {
                let mut record = store.record(&noted)?;
                record.paused = is_paused;
                store.set(&noted, record)
            };
            let noted = spawn_blocking(note).await;
            if let Err(error) = noted.map_err(|_| ControlError::Busy)? {
                // The record says otherwise.
                self.refuse(&name, &error).await?;
                return Err(error.into());
            }
            active.set_paused(is_paused);
            tracing::info!(function = name, is_paused, "paused or resumed");
        }
        let version = Some(active.version().to_owned());
        Ok(Answer {
            name,
            replaces: version.clone(),
            version,
        })
    }

    async fn remove(&mut self, name: String) -> Result<Answer, ControlError> {
        let Some(known) = self.known.get(&name) else {
            return Err(ControlError::Unknown(name));
        };
        if known.declared.component.is_some() {
            return Err(ControlError::IsDeclared(name));
        }
        let replaces = known
            .active
            .as_ref()
            .map(|active| active.version().to_owned());
        self.undeploy(&name).await?;
        Ok(Answer {
            name,
            version: None,
            replaces,
        })
    }

    /// What is known of a function, or what it gets if it is new; and what is served of it.
    fn declared(&self, name: &str) -> (Declared, Option<Arc<Function>>) {
        match self.known.get(name) {
            Some(known) => (known.declared.clone(), known.active.clone()),
            None => (Declared::of_name(name, self.defaults.clone()), None),
        }
    }
}

/// How many digits of a version are enough to name it.
const MIN_DIGITS: usize = 8;

/// The version that is meant.
fn chosen(record: &Record, version: Option<&str>) -> Option<String> {
    let Some(version) = version else {
        if record.removed.is_some() {
            return record.active.clone();
        }
        return record.previous().map(ToOwned::to_owned);
    };
    let is_meant = |sha256: &str| sha256.starts_with(version) && version.len() >= MIN_DIGITS;
    let mut meant = record.versions.iter().map(|version| &version.sha256);
    let found = meant.find(|sha256| is_meant(sha256))?;
    // Not one of several.
    let is_only = !meant.any(|sha256| is_meant(sha256));
    is_only.then(|| found.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_named_by_its_beginning_if_there_is_one_only() {
        let mut record = Record::default();
        let versions = ["aaaaaaaa1", "aaaaaaaa2", "bbbbbbbb1"];
        for version in versions {
            record.activate(version);
        }
        let found = |version| chosen(&record, version);
        assert_eq!(found(Some("bbbbbbbb")).as_deref(), Some("bbbbbbbb1"));
        assert_eq!(found(Some("aaaaaaaa")), None);
        assert_eq!(found(Some("aaaaaaaa2")).as_deref(), Some("aaaaaaaa2"));
        assert_eq!(found(Some("b")), None);
        assert_eq!(found(None).as_deref(), Some("aaaaaaaa2"));
    }

    #[test]
    fn rollback_of_a_removed_function_chooses_the_version_that_was_active() {
        let mut record = Record::default();
        for version in ["aaaaaaaa1", "bbbbbbbb1"] {
            record.activate(version);
        }
        record.removed = Some("2026-01-01T00:00:00Z".to_owned());
        assert_eq!(chosen(&record, None).as_deref(), Some("bbbbbbbb1"));
    }
}
