//! Load tasks: those of different functions run concurrently, so that one component delays no
//! other, and those of one function one after the other.

use std::collections::{BTreeMap, HashMap, VecDeque};

use sanitize::error_chain;
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
}

/// The result of the load of a command.
pub(super) enum CommandOutcome {
    /// The version, or the error of loading it.
    Loaded(
        FunctionConfig,
        Box<Result<Option<LoadedFunction>, FunctionError>>,
    ),
    /// The version is unknown, or the load panicked.
    Failed(DeployError),
    /// The command loads nothing.
    Immediate(DeployCommand),
}

/// A task that runs.
struct Running {
    name: String,
    /// The channel for the result, if it is a command.
    reply: Option<Reply>,
}

/// What a task has loaded.
enum Load {
    Config(Box<LoadOutcome>),
    Command(CommandOutcome),
}

/// The running and queued tasks.
#[derive(Default)]
pub(super) struct Tasks {
    loading: JoinSet<Load>,
    running: HashMap<Id, Running>,
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

    /// Starts an admitted load of a configuration.
    pub(super) fn load(
        &mut self,
        name: String,
        load: impl Future<Output = LoadOutcome> + Send + 'static,
    ) {
        let task = self
            .loading
            .spawn(async { Load::Config(load.await.into()) });
        let running = Running { name, reply: None };
        self.running.insert(task.id(), running);
    }

    /// Starts the load of an admitted command.
    pub(super) fn execute(
        &mut self,
        name: String,
        reply: Reply,
        load: impl Future<Output = CommandOutcome> + Send + 'static,
    ) {
        let task = self.loading.spawn(async { Load::Command(load.await) });
        let reply = Some(reply);
        self.running.insert(task.id(), Running { name, reply });
    }

    /// Waits for a task whose load has finished. One that panicked has failed.
    pub(super) async fn finished(&mut self) -> FinishedTask {
        loop {
            let (id, load) = match self.loading.join_next_with_id().await {
                Some(Ok((id, load))) => (id, Ok(load)),
                Some(Err(error)) => (error.id(), Err(FunctionError::Panicked(error))),
                None => std::future::pending().await,
            };
            let Some(Running { name, reply }) = self.running.remove(&id) else {
                continue;
            };
            let outcome = match (load, reply) {
                (Ok(Load::Command(outcome)), Some(reply)) => Outcome::Executed(outcome, reply),
                (Err(error), Some(reply)) => {
                    let failed = DeployError::Rejected(error_chain(&error));
                    Outcome::Executed(CommandOutcome::Failed(failed), reply)
                }
                (Ok(Load::Config(outcome)), _) => Outcome::Loaded(outcome),
                (Err(error), None) => Outcome::Loaded(LoadOutcome::failed(error).into()),
                (Ok(Load::Command(_)), None) => continue,
            };
            return FinishedTask { name, outcome };
        }
    }

    /// Number of running and queued commands.
    pub(super) fn commands(&self) -> usize {
        let running = self.running.values().filter(|task| task.reply.is_some());
        let queued = self.queues.values().flatten();
        let queued = queued.filter(|task| matches!(task, Task::Execute(..)));
        running.count() + queued.count()
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
    fn a_panicked_load_and_a_panicked_command_fail_and_free_their_queues() {
        let runtime = Builder::new_current_thread().build().unwrap();
        let mut tasks = Tasks::default();
        runtime.block_on(async {
            tasks.queues.insert("f".to_owned(), VecDeque::new());
            tasks.load("f".to_owned(), async { panic!("a fault") });
            let finished = tasks.finished().await;
            assert_eq!(finished.name, "f");
            let Outcome::Loaded(outcome) = finished.outcome else {
                panic!("not a load");
            };
            assert!(outcome.problem.unwrap().to_string().contains("a fault"));
            assert!(tasks.next("f").is_none());

            let (reply, _result) = oneshot::channel();
            tasks.execute("f".to_owned(), reply, async { panic!("a fault") });
            assert_eq!(tasks.commands(), 1);
            let Outcome::Executed(CommandOutcome::Failed(error), _) =
                tasks.finished().await.outcome
            else {
                panic!("not a failed command");
            };
            assert!(error.to_string().contains("a fault"), "{error}");
            assert_eq!(tasks.commands(), 0);
        });
        assert!(tasks.is_empty());
    }
}
