//! Connecting to a NATS server and its stream.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::jetstream::context::ContextBuilder;
use async_nats::jetstream::stream::{Config, StorageType, Stream};
use async_nats::{ConnectOptions, Event, jetstream};
use sanitize::error_chain;
use tokio::sync::watch;

use crate::connection::Failure;
use crate::target::{Credentials, NatsTarget};

/// Timeout of connecting, and of a response.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The interval of pings to an idle server.
const PING_INTERVAL: Duration = Duration::from_secs(10);

/// One connection, which is not re-established by the client library: before the next one sends,
/// the worker must find out which records in flight have arrived.
pub(super) struct Connection {
    pub(super) jetstream: jetstream::Context,
    pub(super) stream: Stream,
    lost: watch::Receiver<Option<String>>,
}

impl Connection {
    /// Connects, and creates the stream if it is missing.
    pub(super) async fn open(target: &NatsTarget) -> Result<Self, Failure> {
        let (sender, lost) = watch::channel(None);
        let mut options = ConnectOptions::new()
            .name("component-runner audit log")
            .connection_timeout(TIMEOUT)
            .request_timeout(Some(TIMEOUT))
            .ping_interval(PING_INTERVAL)
            .require_tls(target.is_tls)
            .ignore_discovered_servers()
            .reconnect_delay_callback(single_attempt())
            .event_callback(move |event| {
                if let Some(reason) = end_reason(event) {
                    // Later events are consequences of the first one.
                    sender.send_if_modified(|lost| {
                        let is_first = lost.is_none();
                        lost.get_or_insert(reason);
                        is_first
                    });
                }
                std::future::ready(())
            });
        options = match target.credentials.clone() {
            Some(Credentials::Password { user, password }) => {
                options.user_and_password(user, password)
            }
            Some(Credentials::Token(token)) => options.token(token),
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
            let (name, cause) = (&target.stream, error_chain(&error));
            Failure::new(format!("cannot use the stream `{name}`: {cause}"))
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
            Ok(reason) => Failure::new(reason.as_deref().unwrap_or_default()),
            Err(_) => Failure::new("the connection ended"),
        }
    }
}

/// The reason of an event that ends a connection.
fn end_reason(event: Event) -> Option<String> {
    match event {
        Event::Disconnected | Event::Closed => Some("the connection was lost".to_owned()),
        Event::ServerError(error) => Some(error.to_string()),
        Event::ClientError(error) => Some(error.to_string()),
        Event::Connected | Event::LameDuckMode | Event::Draining | Event::SlowConsumer(_) => None,
    }
}

/// The delays before connection attempts: none before the first one, and no second one.
fn single_attempt() -> impl Fn(usize) -> Duration + Send + Sync {
    let is_first = AtomicBool::new(true);
    move |_| {
        if is_first.swap(false, Ordering::Relaxed) {
            Duration::ZERO
        } else {
            Duration::MAX
        }
    }
}
