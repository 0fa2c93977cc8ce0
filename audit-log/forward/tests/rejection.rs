//! Records and connections that a nats-server rejects.

use std::time::Duration;

use async_nats::jetstream::stream::{Config, DiscardPolicy};
use audit_log::record::{Attribute, Entry, Outcome, Subject};
use audit_log::{AuditLog, Location, Settings};
use audit_log_forward::{ForwardError, Forwarder, Target};

use crate::support::log::sqlite;
use crate::support::server::Server;
use crate::support::stream::{self, payloads, short_window};
use crate::support::{LONG, block_on, captured_log, until};

#[test]
fn full_stream_gets_the_rest_when_it_has_room() {
    block_on(async {
        let server = Server::start();
        let config = Config {
            max_messages: 5,
            discard: DiscardPolicy::New,
            ..Config::default()
        };
        let mut stream = short_window(&server, config).await;
        let log = sqlite();
        let forwarder = log.forward(&server.target("AUDIT"));
        log.append_many(20).await;
        until("the stream is full", || forwarder.metrics().failures > 2).await;
        assert!(forwarder.metrics().is_failing);
        let config = Config {
            max_messages: -1,
            ..stream.cached_info().config.clone()
        };
        let client = stream::client(&server).await;
        client.update_stream(config).await.expect("a stream");
        let metrics = log.close(forwarder).await;
        assert!(!metrics.is_failing);
        assert_eq!(payloads(&mut stream).await, log.records());
    });
}

#[test]
fn record_too_large_for_the_stream_does_not_block_others() {
    block_on(async {
        let server = Server::with("max_payload: 4096");
        let config = Config {
            max_message_size: 2048,
            ..Config::default()
        };
        let mut stream = short_window(&server, config).await;
        let log = sqlite();
        let forwarder = log.forward(&server.target("AUDIT"));
        for bytes in [3000, 5000] {
            log.append(["before"]).await;
            let entry = Entry {
                action: "large".into(),
                outcome: Outcome::Success,
                resource: None,
                attributes: vec![Attribute {
                    name: "text".into(),
                    value: "x".repeat(bytes).into(),
                }],
            };
            let receipt = log.handle.append(Subject::default(), &entry).await;
            receipt.expect("a receipt");
            log.append(["after"]).await;
        }
        let metrics = log.close(forwarder).await;
        assert_eq!((metrics.rejected, metrics.failures), (2, 0));
        let mut expected = log.records();
        expected.retain(|record| !record.contains("\"large\""));
        assert_eq!(payloads(&mut stream).await, expected);
    });
}

#[test]
fn unusable_server_is_logged_once_without_credentials() {
    captured_log::start();
    block_on(async {
        let closed = Server::with("authorization: { user: u, password: right }");
        let users = Server::with(
            "authorization: { users: [{ user: u, password: right, \
                                  permissions: { publish: \"$JS.API.>\" } }] }",
        );
        let plain = Server::start();
        let gone = {
            let mut gone = Server::start();
            gone.kill();
            gone
        };
        let address = |server: &Server| format!("127.0.0.1:{}", server.port);
        for (target, server, reason) in [
            (
                format!("nats://u:wrong@{}", address(&closed)),
                &closed,
                "authorization violation",
            ),
            (
                format!("nats://wrong@{}", address(&closed)),
                &closed,
                "authorization violation",
            ),
            (
                format!("nats://u:right@{}", address(&users)),
                &users,
                "Permissions Violation",
            ),
            (format!("tls://u:wrong@{}", address(&plain)), &plain, "TLS"),
            (
                format!("nats://u:wrong@{}", address(&gone)),
                &gone,
                "refused",
            ),
        ] {
            let log = sqlite();
            let before = captured_log::lines_about(&server.port.to_string()).len();
            let target: Target = target.parse().expect("a target");
            let forwarder = log.forward(&target);
            until("it has failed", || forwarder.metrics().failures > 2).await;
            assert_eq!(forwarder.metrics().lag, 2);
            let lines = &captured_log::lines_about(&server.port.to_string())[before..];
            let [lines] = lines else {
                panic!("expected one line, found {lines:?}");
            };
            assert!(lines.contains(&target.to_string()), "{lines}");
            assert!(
                lines.to_lowercase().contains(&reason.to_lowercase()),
                "{lines}"
            );
            assert!(lines.contains("2 records wait"), "{lines}");
            assert!(
                !lines.contains("wrong") && !lines.contains("right"),
                "{lines}"
            );
        }
    });
}

#[test]
fn password_or_token_authenticates() {
    block_on(async {
        for (config, login) in [
            (
                "authorization: { user: u, password: \"p@:/%\" }",
                "u:p%40%3A%2F%25",
            ),
            ("authorization: { token: \"s3cret\" }", "s3cret"),
        ] {
            let server = Server::with(config);
            let target = format!("nats://{login}@127.0.0.1:{}", server.port);
            let log = sqlite();
            let forwarder = log.forward(&target.parse().expect("a target"));
            let metrics = log.close(forwarder).await;
            assert_eq!(metrics.failures, 0);
        }
    });
}

#[test]
fn stop_honours_its_timeout_and_the_rest_is_sent_later() {
    block_on(async {
        let mut server = Server::start();
        server.kill();
        let mut log = sqlite();
        let forwarder = log.forward(&server.target("AUDIT"));
        log.append_many(10).await;
        log.handle.close().await;
        // Without the timeout it would wait for the server, which does not come back.
        let stopped = tokio::time::timeout(LONG, forwarder.stop(Duration::from_millis(200)));
        let metrics = stopped.await.expect("the stop honours its timeout");
        assert_eq!(metrics.lag, log.records().len() as u64);

        server.restart();
        log.reopen().await;
        let forwarder = log.forward(&server.target("AUDIT"));
        log.close(forwarder).await;
        let mut stream = stream::stream(&server, "AUDIT").await;
        assert_eq!(payloads(&mut stream).await, log.records());
    });
}

#[test]
fn log_without_a_file_cannot_be_forwarded() {
    let target: Target = "nats://127.0.0.1:1".parse().expect("a target");
    let log = AuditLog::open(&Settings::new(Location::None)).expect("a log");
    for location in [Location::Stdout, Location::None] {
        let error = Forwarder::start(&log, &location, &target);
        let error = error.expect_err("it cannot be read");
        assert!(matches!(error, ForwardError::NotKept(_)), "{error}");
        assert!(error.to_string().contains("kept in a file"), "{error}");
    }
}
