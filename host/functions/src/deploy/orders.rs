//! How the orders of an operator are carried out.

use std::sync::Arc;

use audit_log::event::Event;
use tokio::task::spawn_blocking;

use super::super::declaration::{Declared, check_name};
use super::super::function::Function;
use super::super::load::{FunctionError, component_of};
use super::super::record::Record;
use super::super::store::Store;
use super::super::table::Conflict;
use super::change::{Loaded, Means, elsewhere};
use super::control::{Answer, ControlError, MAX_WAITING, Order};
use super::tasks::{Ordered, Reply, Task};
use super::{Deployer, Known};
use engine::Part;
use sanitize::error_chain;

impl Deployer {
    /// Begins to do what was ordered, and answers to `reply` when it is done or refused. Orders
    /// for one function are done one after the other, but for pausing and resuming it.
    pub async fn order(&mut self, order: Order, reply: Reply) {
        let refused = match self.check(&order) {
            Ok(()) if self.is_done_at_once(&order) => {
                let done = self.act(order).await;
                let _ = reply.send(done);
                return;
            }
            Ok(()) if self.orders < MAX_WAITING => {
                self.orders += 1;
                self.begin(Task::Order(order, reply));
                return;
            }
            Ok(()) => ControlError::Busy,
            Err(error) => error,
        };
        // The operator may be gone.
        let _ = reply.send(Err(refused));
    }

    /// Whether an order waits for nothing: not until another version is loaded, but for one that
    /// is the first.
    fn is_done_at_once(&self, order: &Order) -> bool {
        let is_about_requests = matches!(order, Order::Pause { .. } | Order::Resume { .. });
        is_about_requests && !self.is_loading(order.name())
    }

    fn check(&self, order: &Order) -> Result<(), ControlError> {
        if self.store.is_none() {
            return Err(ControlError::NoState);
        }
        // It becomes a part of a path.
        let name = order.name();
        check_name(name).map_err(|why| ControlError::BadName {
            name: name.to_owned(),
            why,
        })
    }

    /// Does the rest of an order, after what had to be loaded for it.
    pub(super) async fn ordered(&mut self, ordered: Ordered) -> Result<Answer, ControlError> {
        self.orders = self.orders.saturating_sub(1);
        match ordered {
            Ordered::Load(declared, loaded) => self.deployed(declared, *loaded).await,
            Ordered::Failed(error) => Err(error),
            Ordered::Act(order) => self.act(order).await,
        }
    }

    /// Does an order for which nothing has to be loaded.
    async fn act(&mut self, order: Order) -> Result<Answer, ControlError> {
        let store = self.store.clone().ok_or(ControlError::NoState)?;
        match order {
            Order::Pause { name } => self.set_paused(name, true, store).await,
            Order::Resume { name } => self.set_paused(name, false, store).await,
            Order::Remove { name } => self.remove(name).await,
            Order::Deploy { .. } | Order::Activate { .. } => Err(ControlError::Busy),
        }
    }

    /// Serves what was loaded.
    async fn deployed(
        &mut self,
        declared: Declared,
        loaded: Result<Option<Loaded>, FunctionError>,
    ) -> Result<Answer, ControlError> {
        let name = declared.name.clone();
        let active = self.known.get(&name).and_then(|known| known.active.clone());
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
            // Other middleware was declared meanwhile.
            Ok(Some(loaded)) if !self.is_wrapped_as_declared(&loaded.function) => {
                Err(ControlError::Busy)
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
                Err(ControlError::Refused(error_chain(&error)))
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
    pub(super) fn declared(&self, name: &str) -> (Declared, Option<Arc<Function>>) {
        match self.known.get(name) {
            Some(known) => (known.declared.clone(), known.active.clone()),
            None => (Declared::of_name(name, self.defaults.clone()), None),
        }
    }
}

impl Means {
    /// Loads the version that `order` is about.
    pub(super) async fn order(
        self,
        order: Order,
        declared: Declared,
        active: Option<Arc<Function>>,
    ) -> Ordered {
        let Some(store) = self.store.clone() else {
            return Ordered::Failed(ControlError::NoState);
        };
        let found = match order {
            Order::Deploy { name, bytes } => {
                let find = move || Ok((component_of(bytes), store.record(&name)?));
                match elsewhere(find).await {
                    Ok(found) => found,
                    Err(error) => return Ordered::Load(declared, Err(error).into()),
                }
            }
            Order::Activate { name, version } => {
                let find = move || find(&store, &name, version.as_deref());
                match spawn_blocking(find)
                    .await
                    .unwrap_or(Err(ControlError::Busy))
                {
                    Ok(found) => found,
                    Err(error) => return Ordered::Failed(error),
                }
            }
            order => return Ordered::Act(order),
        };
        let (component, record) = found;
        let record = record.wanted_as(&declared);
        let loaded = self.load(declared.clone(), component, record, active).await;
        Ordered::Load(declared, loaded.into())
    }
}

/// A version of a function that is kept.
fn find(store: &Store, name: &str, version: Option<&str>) -> Result<(Part, Record), ControlError> {
    let record = store.record(name)?;
    if record.versions.is_empty() {
        return Err(ControlError::Unknown(name.to_owned()));
    }
    let sha256 = chosen(&record, version).ok_or_else(|| ControlError::NoVersion {
        name: name.to_owned(),
        version: version.unwrap_or("before the active one").to_owned(),
    })?;
    Ok((component_of(store.bytes(name, &sha256)?), record))
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
