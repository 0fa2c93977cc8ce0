//! The content of a stream.

use std::time::Duration;

use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::consumer::pull::OrderedConfig;
use async_nats::jetstream::stream::{Config, Stream};
use async_nats::jetstream::{self, Context};
use futures_util::StreamExt;

use super::server::Server;

/// A message.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) subject: String,
    pub(crate) id: String,
    pub(crate) payload: String,
}

/// A new client.
pub(crate) async fn client(server: &Server) -> Context {
    let url = format!("nats://127.0.0.1:{}", server.port);
    jetstream::new(async_nats::connect(url).await.expect("a client"))
}

pub(crate) async fn stream(server: &Server, name: &str) -> Stream {
    let client = client(server).await;
    client.get_stream(name).await.expect("a stream")
}

/// Creates a stream with a short duplicate window.
pub(crate) async fn short_window(server: &Server, config: Config) -> Stream {
    let config = Config {
        name: "AUDIT".to_owned(),
        subjects: vec!["audit.>".to_owned()],
        duplicate_window: Duration::from_millis(100),
        ..config
    };
    let client = client(server).await;
    client.create_stream(config).await.expect("a stream")
}

/// Waits until the duplicate window of such a stream has passed.
pub(crate) async fn pass_window() {
    // The server checks the window in longer intervals.
    tokio::time::sleep(Duration::from_millis(400)).await;
}

/// Reads all messages.
pub(crate) async fn messages(stream: &mut Stream) -> Vec<Message> {
    let count = stream.info().await.expect("a stream").state.messages;
    let consumer = stream.create_consumer(OrderedConfig {
        deliver_policy: DeliverPolicy::All,
        ..OrderedConfig::default()
    });
    let messages = consumer.await.expect("a consumer").messages().await;
    let mut messages = messages.expect("messages");
    let mut found = Vec::new();
    while (found.len() as u64) < count {
        let message = messages
            .next()
            .await
            .expect("a message")
            .expect("a message");
        let headers = message.headers.clone().unwrap_or_default();
        found.push(Message {
            subject: message.subject.to_string(),
            id: headers.get("Nats-Msg-Id").expect("an id").to_string(),
            payload: String::from_utf8(message.payload.to_vec()).expect("text"),
        });
    }
    found
}

/// The payloads of all messages.
pub(crate) async fn payloads(stream: &mut Stream) -> Vec<String> {
    let messages = messages(stream).await;
    messages
        .into_iter()
        .map(|message| message.payload)
        .collect()
}
