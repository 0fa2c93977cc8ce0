//! Load tasks: those of different functions run concurrently, so that one component delays no
//! other, and those of one function one after the other.

use std::collections::{BTreeMap, VecDeque};

use tokio::sync::oneshot;
use tokio::task::{Id, JoinSet};

use super::super::config::FunctionConfig;
use super::super::load::FunctionError;
use super::command::{DeployCommand, DeployError, DeployOutcome};
use super::load_context::{LoadOutcome, LoadedFunction};

/// The channel for the result of a command.
pub(super) type Reply = oneshot::Sender<Result<DeployOutcome, DeployError>>;

/// A task for one function.
pub(super) enum Task {
    /// Load its configuration, which has changed.
    Load(FunctionConfig),
    /// Execute a command.
    Execute(DeployCommand, Reply),
}

impl Task {
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Load(config) => &config.name,
            Self::Execute(command, _) => command.name(),
        }
    }
}

/// A task whose load has finished.
pub struct FinishedTask {
    pub(super) name: String,
    pub(super) outcome: Outcome,
}

/// The result of a task, before the state of the server changes.
pub(super) enum Outcome {
    Loaded(Box<LoadOutcome>),
    Executed(CommandOutcome, Reply),
    /// The task panicked. A client whose command it was gets an error, as the reply is dropped.
    Panicked {
        why: String,
        is_command: bool,
    },
}

/// The result of the load of a command.
pub(super) enum CommandOutcome {
    /// The version, or the error of loading it.
    Loaded(
        FunctionConfig,
        Box<Result<Option<LoadedFunction>, FunctionError>>,
    ),
    /// The version is unknown.
    Failed(DeployError),
    /// The command loads nothing.
    Immediate(DeployCommand),
}

/// The running and queued tasks.
#[derive(Default)]
pub(super) struct Tasks {
    loading: JoinSet<FinishedTask>,
    /// The name of the function of each task, and whether it is a command.
    names: BTreeMap<Id, (String, bool)>,
    /// Queues of further tasks, by the name of a function that is being loaded.
    queues: BTreeMap<String, VecDeque<Task>>,
}

impl Tasks {
    /// Returns `task` if it can start at once. Otherwise [`next`](Self::next) returns it when the
    /// previous task of the same function is finished.
    pub(super) fn admit(&mut self, task: Task) -> Option<Task> {
        match self.queues.get_mut(task.name()) {
            None => {
                self.queues.insert(task.name().to_owned(), VecDeque::new());
                Some(task)
            }
            Some(queue) => {
                // Only the last load of a configuration is relevant.
                if matches!(task, Task::Load(_)) {
                    queue.retain(|queued| !matches!(queued, Task::Load(_)));
                }
                queue.push_back(task);
                None
            }
        }
    }

    /// Spawns the load of an admitted task.
    pub(super) fn spawn(
        &mut self,
        name: &str,
        is_command: bool,
        load: impl Future<Output = FinishedTask> + Send + 'static,
    ) {
        let id = self.loading.spawn(load).id();
        self.names.insert(id, (name.to_owned(), is_command));
    }

    /// Waits for a task whose load has finished.
    pub(super) async fn finished(&mut self) -> FinishedTask {
        loop {
            let error = match self.loading.join_next_with_id().await {
                Some(Ok((id, finished))) => {
                    self.names.remove(&id);
                    return finished;
                }
                Some(Err(error)) => error,
                None => std::future::pending().await,
            };
            if let Some((name, is_command)) = self.names.remove(&error.id()) {
                let why = error.to_string();
                let outcome = Outcome::Panicked { why, is_command };
                return FinishedTask { name, outcome };
            }
        }
    }

    /// The next task for the function of this name.
    pub(super) fn next(&mut self, name: &str) -> Option<Task> {
        let next = self.queues.get_mut(name)?.pop_front();
        if next.is_none() {
            self.queues.remove(name);
        }
        next
    }

    /// Whether the function of this name is being loaded.
    pub(super) fn has(&self, name: &str) -> bool {
        self.queues.contains_key(name)
    }

    /// Whether nothing is being loaded.
    pub(super) fn is_empty(&self) -> bool {
        self.loading.is_empty() && self.queues.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Builder;

    use super::*;

    #[test]
    fn a_panicked_task_ends_and_frees_the_queue_of_its_function() {
        let runtime = Builder::new_current_thread().build().unwrap();
        let mut tasks = Tasks::default();
        let finished = runtime.block_on(async {
            tasks.queues.insert("f".to_owned(), VecDeque::new());
            tasks.spawn("f", true, async { panic!("a fault") });
            tasks.finished().await
        });
        assert_eq!(finished.name, "f");
        let Outcome::Panicked { why, is_command } = finished.outcome else {
            panic!("not reported as a panic");
        };
        assert!(is_command && why.contains("a fault"), "{why}");
        assert!(tasks.next("f").is_none());
        assert!(tasks.is_empty());
    }
}
