//! Load tasks: those of different functions run concurrently, so that one component delays no
//! other, and those of one function one after the other.

use std::collections::{BTreeMap, VecDeque};

use tokio::sync::oneshot;
use tokio::task::JoinSet;

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
    pub(super) fn spawn(&mut self, load: impl Future<Output = FinishedTask> + Send + 'static) {
        self.loading.spawn(load);
    }

    /// Waits for a task whose load has finished.
    pub(super) async fn finished(&mut self) -> FinishedTask {
        loop {
            match self.loading.join_next().await {
                Some(Ok(finished)) => return finished,
                // Code that may panic runs on other threads.
                Some(Err(error)) => tracing::error!("loading a function failed: {error}"),
                None => std::future::pending().await,
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
