//! How a connection is made.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::jetstream::context::ContextBuilder;
use async_nats::jetstream::stream::{Config, StorageType, Stream};
use async_nats::{ConnectOptions, Event, jetstream};
use tokio::sync::watch;

use crate::remote::{Failure, with_sources};
use crate::target::{Login, NatsTarget};

/// How long the server may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How often a server that is silent is asked whether it is still there.
const PING_INTERVAL: Duration = Duration::from_secs(10);

/// One connection, which ends when it is lost: whoever makes the next one has to
/// find out first what became of the records that were on their way.
pub(super) struct Connection {
    pub(super) jetstream: jetstream::Context,
    pub(super) stream: Stream,
    lost: watch::Receiver<Option<String>>,
}

impl Connection {
    /// Connects, and makes the stream if it is missing.
    pub(super) async fn open(target: &NatsTarget) -> Result<Self, Failure> {
        let (sender, lost) = watch::channel(None);
        let mut options = ConnectOptions::new()
            .name("component-runner audit log")
            .connection_timeout(TIMEOUT)
            .request_timeout(Some(TIMEOUT))
            .ping_interval(PING_INTERVAL)
            .require_tls(target.is_tls)
            .ignore_discovered_servers()
            .reconnect_delay_callback(only_once())
            .event_callback(move |event| {
                if let Some(why) = end(event) {
                    // The first reason is the best.
                    sender.send_if_modified(|lost| {
                        let is_first = lost.is_none();
                        lost.get_or_insert(why);
                        is_first
                    });
                }
                std::future::ready(())
            });
        options = match target.login.clone() {
            Some(Login::Password { user, password }) => options.user_and_password(user, password),
            Some(Login::Token(token)) => options.token(token),
            None => options,
        };
        let url = format!("nats://{}", target.address);
        let client = options.connect(url).await?;
        let jetstream = ContextBuilder::new().timeout(TIMEOUT).build(client);
        let stream = jetstream.get_or_create_stream(Config {
            name: target.stream.clone(),
            subjects: vec!["audit.>".to_owned()],
            storage: StorageType::File,
            description: Some("The audit logs of component-runner".to_owned()),
            ..Config::default()
        });
        let stream = stream.await.map_err(|error| {
            let (name, why) = (&target.stream, with_sources(&error));
            Failure::new(format!("cannot use the stream `{name}`: {why}"))
        })?;
        Ok(Self {
            jetstream,
            stream,
            lost,
        })
    }

    /// Waits until the connection is lost.
    pub(super) async fn lost(&mut self) -> Failure {
        match self.lost.wait_for(Option::is_some).await {
            Ok(why) => Failure::new(why.as_deref().unwrap_or_default()),
            Err(_) => Failure::new("the connection ended"),
        }
    }
}

/// Whether an event ends a connection, and why.
fn end(event: Event) -> Option<String> {
    match event {
        Event::Disconnected | Event::Closed => Some("the connection was lost".to_owned()),
        Event::ServerError(error) => Some(error.to_string()),
        Event::ClientError(error) => Some(error.to_string()),
        Event::Connected | Event::LameDuckMode | Event::Draining | Event::SlowConsumer(_) => None,
    }
}

/// Connects at once, and then never again.
fn only_once() -> impl Fn(usize) -> Duration + Send + Sync {
    let is_first = AtomicBool::new(true);
    move |_| {
        if is_first.swap(false, Ordering::Relaxed) {
            Duration::ZERO
        } else {
            Duration::MAX
        }
    }
}
