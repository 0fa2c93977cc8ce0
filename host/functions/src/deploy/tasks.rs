//! Functions that are being loaded: those of different names at the same time, so that one
//! component delays no other, and those of one name one after the other.

use std::collections::{BTreeMap, VecDeque};

use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::super::config::FunctionConfig;
use super::super::load::FunctionError;
use super::command::{DeployCommand, DeployError, DeployOutcome};
use super::load_context::{LoadOutcome, LoadedFunction};

/// Where the answer to an order goes.
pub(super) type Reply = oneshot::Sender<Result<DeployOutcome, DeployError>>;

/// What is to be done with one function.
pub(super) enum Task {
    /// Serve what is wanted of it, which has changed.
    Load(FunctionConfig),
    /// Do what an operator ordered.
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

/// A task whose loading has ended.
pub struct FinishedTask {
    pub(super) name: String,
    pub(super) outcome: Outcome,
}

/// What came of a task, up to what changes the state of the server.
pub(super) enum Outcome {
    Loaded(Box<LoadOutcome>),
    Executed(CommandOutcome, Reply),
}

/// What came of an order.
pub(super) enum CommandOutcome {
    /// A version was loaded, or could not be.
    Loaded(
        FunctionConfig,
        Box<Result<Option<LoadedFunction>, FunctionError>>,
    ),
    /// There is no such version.
    Failed(DeployError),
    /// There is nothing to load for this order.
    Immediate(DeployCommand),
}

/// The tasks that are not finished.
#[derive(Default)]
pub(super) struct Tasks {
    loading: JoinSet<FinishedTask>,
    /// By the name of a function that is being loaded: what comes after that.
    queues: BTreeMap<String, VecDeque<Task>>,
}

impl Tasks {
    /// Whether `task` can be started at once. Otherwise it is returned again by
    /// [`next`](Self::next), when the one before it for the same function is finished.
    pub(super) fn admit(&mut self, task: Task) -> Option<Task> {
        match self.queues.get_mut(task.name()) {
            None => {
                self.queues.insert(task.name().to_owned(), VecDeque::new());
                Some(task)
            }
            Some(queue) => {
                // Of several looks, the last one sees what is wanted.
                if matches!(task, Task::Load(_)) {
                    queue.retain(|queued| !matches!(queued, Task::Load(_)));
                }
                queue.push_back(task);
                None
            }
        }
    }

    /// Loads, for a task that was admitted.
    pub(super) fn spawn(&mut self, load: impl Future<Output = FinishedTask> + Send + 'static) {
        self.loading.spawn(load);
    }

    /// A task whose loading has ended; waits for one if there is none.
    pub(super) async fn finished(&mut self) -> FinishedTask {
        loop {
            match self.loading.join_next().await {
                Some(Ok(finished)) => return finished,
                // What may panic does so on another thread.
                Some(Err(error)) => tracing::error!("loading a function failed: {error}"),
                None => std::future::pending().await,
            }
        }
    }

    /// The task that comes after one for the function of this name.
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
