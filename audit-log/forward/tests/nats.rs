//! Records in a stream of a nats-server.

use std::time::Duration;

use async_nats::jetstream::stream::{Config, StorageType};

use crate::support::log::{Log, both, json_lines, sequence, sqlite};
use crate::support::server::Server;
use crate::support::stream::{self, messages, pass_window, payloads, short_window};
use crate::support::{block_on, until};

/// The name of the log.
fn node(log: &Log) -> String {
    let record: serde_json::Value = serde_json::from_str(&log.records()[0]).expect("JSON");
    record["host"]["node"].as_str().expect("a node").to_owned()
}

#[test]
fn records_arrive_once_and_in_order() {
    block_on(async {
        for log in both() {
            let server = Server::start();
            log.append(["before"]).await;
            let forwarder = log.forward(&server.target("AUDIT"));
            log.append(["one", "two"]).await;
            log.append_many(1000).await;
            let metrics = log.close(forwarder).await;

            let mut stream = stream::stream(&server, "AUDIT").await;
            let config = &stream.cached_info().config;
            assert_eq!(config.subjects, ["audit.>"]);
            assert_eq!(config.storage, StorageType::File);
            let records = log.records();
            let found = messages(&mut stream).await;
            assert!(found.iter().map(|message| &message.payload).eq(&records));
            let node = node(&log);
            for (message, record) in found.iter().zip(&records) {
                assert_eq!(message.subject, format!("audit.{node}"));
                assert_eq!(message.id, format!("{node}-{}", sequence(record)));
            }
            assert_eq!(metrics.forwarded, records.len() as u64);
            assert_eq!(
                (metrics.rejected, metrics.missing, metrics.failures),
                (0, 0, 0)
            );
        }
    });
}

#[test]
fn records_arrive_while_the_log_is_open() {
    block_on(async {
        let server = Server::start();
        let log = sqlite();
        let forwarder = log.forward(&server.target("AUDIT"));
        until("the start and its checkpoint have arrived", || {
            forwarder.metrics().forwarded == 2
        })
        .await;
        log.append(["one"]).await;
        until("the entry has arrived", || {
            forwarder.metrics().forwarded >= 3
        })
        .await;
    });
}

#[test]
fn existing_stream_is_used_unchanged() {
    block_on(async {
        let server = Server::start();
        let client = stream::client(&server).await;
        let config = Config {
            name: "KEEP-1".to_owned(),
            subjects: vec!["audit.>".to_owned(), "other".to_owned()],
            max_age: Duration::from_hours(1),
            ..Config::default()
        };
        client.create_stream(config).await.expect("a stream");
        let log = sqlite();
        let forwarder = log.forward(&server.target("KEEP-1"));
        log.close(forwarder).await;
        let mut stream = stream::stream(&server, "KEEP-1").await;
        assert_eq!(stream.cached_info().config.max_age, Duration::from_hours(1));
        assert_eq!(payloads(&mut stream).await, log.records());
    });
}

#[test]
fn logs_of_several_servers_share_a_stream() {
    block_on(async {
        let server = Server::start();
        let target = server.target("AUDIT");
        let logs = [sqlite(), sqlite(), json_lines()];
        let forwarders = logs.each_ref().map(|log| log.forward(&target));
        for log in &logs {
            log.append_many(100).await;
        }
        for (log, forwarder) in logs.iter().zip(forwarders) {
            log.close(forwarder).await;
        }
        let found = payloads(&mut stream::stream(&server, "AUDIT").await).await;
        for log in &logs {
            let mine = format!("\"node\":\"{}\"", node(log));
            let found = found.iter().filter(|record| record.contains(&mine));
            assert!(found.eq(&log.records()));
        }
    });
}

#[test]
fn forwarder_resumes_at_the_cursor() {
    block_on(async {
        for mut log in both() {
            let server = Server::start();
            let target = server.target("AUDIT");
            for _ in 0..3 {
                let forwarder = log.forward(&target);
                log.append_many(20).await;
                let before = log.handle.metrics().appended;
                let metrics = log.close(forwarder).await;
                // The records of this run only.
                let appended = log.handle.metrics().appended;
                assert!(before < appended);
                assert_eq!(metrics.forwarded, appended);
                log.reopen().await;
            }
            let forwarder = log.forward(&target);
            log.close(forwarder).await;
            let mut stream = stream::stream(&server, "AUDIT").await;
            assert_eq!(payloads(&mut stream).await, log.records());
        }
    });
}

#[test]
fn lost_cursor_does_not_send_records_twice() {
    block_on(async {
        for mut log in both() {
            let server = Server::start();
            short_window(&server, Config::default()).await;
            let forwarder = log.forward(&server.target("AUDIT"));
            log.append_many(1000).await;
            log.close(forwarder).await;

            let cursor = log.location.sibling("forward-nats").expect("a path");
            std::fs::remove_file(&cursor).expect("a cursor");
            pass_window().await;
            log.reopen().await;
            let forwarder = log.forward(&server.target("AUDIT"));
            log.append(["after"]).await;
            log.close(forwarder).await;
            let mut stream = stream::stream(&server, "AUDIT").await;
            assert_eq!(payloads(&mut stream).await, log.records());
        }
    });
}

#[test]
fn records_stored_without_an_ack_are_not_sent_again() {
    block_on(async {
        let log = sqlite();
        log.append_many(19).await;
        let (node, records) = (node(&log), log.records());
        let server = Server::start();
        let mut stream = short_window(&server, Config::default()).await;
        let client = stream::client(&server).await;
        // As if another forwarder had sent these when it was killed, and the server had rejected
        // one of them. Other nodes sent messages at the same time.
        for record in &records[..10] {
            let sequence = sequence(record);
            for _ in 0..50 {
                let sent = client.publish("audit.other", "{}".into()).await;
                sent.expect("a message").await.expect("a receipt");
            }
            if sequence == 7 {
                continue;
            }
            let mut headers = async_nats::HeaderMap::new();
            headers.insert("Nats-Msg-Id", format!("{node}-{sequence}"));
            let subject = format!("audit.{node}");
            let payload = record.clone().into();
            let sent = client.publish_with_headers(subject, headers, payload).await;
            sent.expect("a message").await.expect("a receipt");
        }
        pass_window().await;
        let forwarder = log.forward(&server.target("AUDIT"));
        log.close(forwarder).await;

        stream.purge().filter("audit.other").await.expect("a purge");
        let found = payloads(&mut stream).await;
        let found: Vec<_> = found.iter().map(|record| sequence(record)).collect();
        let expected = [1, 2, 3, 4, 5, 6, 8, 9, 10, 7].into_iter();
        let expected = expected.chain(11..=log.records().len() as u64);
        assert!(expected.eq(found.iter().copied()), "{found:?}");
    });
}

#[test]
fn records_missing_from_a_stream_are_sent_again() {
    block_on(async {
        let mut log = sqlite();
        let server = Server::start();
        let mut stream = short_window(&server, Config::default()).await;
        let forwarder = log.forward(&server.target("AUDIT"));
        log.append_many(20).await;
        log.close(forwarder).await;
        for stream_sequence in 15..=stream.info().await.expect("a stream").state.last_sequence {
            stream
                .delete_message(stream_sequence)
                .await
                .expect("a message");
        }
        pass_window().await;
        log.reopen().await;
        let forwarder = log.forward(&server.target("AUDIT"));
        log.close(forwarder).await;
        assert_eq!(payloads(&mut stream).await, log.records());
    });
}

#[test]
fn new_stream_gets_the_whole_log() {
    block_on(async {
        let mut log = json_lines();
        let first = Server::start();
        let forwarder = log.forward(&first.target("AUDIT"));
        log.close(forwarder).await;
        let second = Server::start();
        log.reopen().await;
        let forwarder = log.forward(&second.target("AUDIT"));
        log.close(forwarder).await;
        let mut stream = stream::stream(&second, "AUDIT").await;
        assert_eq!(payloads(&mut stream).await, log.records());
    });
}

#[test]
fn records_pruned_before_sending_are_counted() {
    block_on(async {
        let prune = |log: &Log, until: u64| {
            let path = log.location.path().expect("a path");
            let database = rusqlite::Connection::open(path).expect("a database");
            let delete = format!("DELETE FROM records WHERE sequence <= {until}");
            database.execute(&delete, ()).expect("a database");
        };
        let server = Server::start();
        let log = sqlite();
        log.append_many(9).await;
        prune(&log, 4);
        let forwarder = log.forward(&server.target("AUDIT"));
        let metrics = log.close(forwarder).await;
        assert_eq!(metrics.missing, 4);
        let mut stream = stream::stream(&server, "AUDIT").await;
        assert_eq!(payloads(&mut stream).await, log.records());

        // Prunes all records during an outage.
        let mut server = Server::start();
        server.kill();
        let log = sqlite();
        let forwarder = log.forward(&server.target("AUDIT"));
        log.append_many(9).await;
        until("it has failed", || forwarder.metrics().failures > 0).await;
        prune(&log, 11);
        server.restart();
        until("nothing is left", || forwarder.metrics().lag == 0).await;
        log.append(["after"]).await;
        let metrics = log.close(forwarder).await;
        assert_eq!(metrics.missing, 11);
        let mut stream = stream::stream(&server, "AUDIT").await;
        assert_eq!(payloads(&mut stream).await, log.records());
    });
}
