//! Records at an OpenTelemetry receiver.

use std::time::Duration;

use audit_log::event::{Event, GuestFailure};
use audit_log::record::{Component, Entry, Outcome, Request, Subject};

use crate::support::collector::{Collector, Reply, attribute};
use crate::support::log::{both, sqlite};
use crate::support::{LONG, block_on, captured_log, until};

#[test]
fn records_arrive_in_order() {
    block_on(async {
        for log in both() {
            let collector = Collector::start([]).await;
            let forwarder = log.forward(&collector.target());
            log.append_many(2000).await;
            let metrics = log.close(forwarder).await;
            let records = log.records();
            assert!(collector.bodies() == records);
            assert_eq!(metrics.forwarded, records.len() as u64);
            let received = collector.received();
            assert!(received.len() < 100, "{} requests", received.len());
            for received in received {
                assert_eq!(received.path, "/v1/logs");
                assert_eq!(received.content_type, "application/x-protobuf");
                assert!(received.logs().len() <= 512);
            }
        }
    });
}

#[test]
fn log_record_has_the_attributes_of_the_audit_record() {
    block_on(async {
        let collector = Collector::start([]).await;
        let log = sqlite();
        let forwarder = log.forward(&collector.target());
        let component = Component {
            name: "app".into(),
            sha256: "00".repeat(32).into(),
        };
        let request = Request {
            id: "7-1".into(),
            trace_id: Some("4bf92f3577b34da6a3ce929d0e0e4736".into()),
            peer: Some("127.0.0.1:9".into()),
            method: "POST".into(),
            path: "/act".into(),
            path_bytes: None,
            principal: Some("alice".into()),
        };
        let subject = Subject {
            component: Some(&component),
            request: Some(&request),
        };
        let entry = Entry {
            action: "act".into(),
            outcome: Outcome::Denied,
            resource: Some("thing".into()),
            attributes: vec![],
        };
        log.handle.append(subject, &entry).await.expect("a receipt");
        let event = Event::GuestFailure {
            kind: GuestFailure::Trap,
            cause: "unreachable".into(),
        };
        log.handle.record(subject, &event).await.expect("a receipt");
        log.close(forwarder).await;

        let received = collector.received();
        let logs: Vec<_> = received
            .iter()
            .flat_map(|received| received.logs())
            .collect();
        let kinds: Vec<_> = logs
            .iter()
            .map(|log| {
                (
                    log.event_name.as_str(),
                    log.severity_text.as_str(),
                    log.severity_number,
                )
            })
            .filter(|(name, ..)| *name != "audit.checkpoint")
            .collect();
        let expected = [
            ("audit.server-start", "INFO", 9),
            ("audit.entry", "WARN", 13),
            ("audit.guest-failure", "WARN", 13),
            ("audit.server-stop", "INFO", 9),
        ];
        assert_eq!(kinds, expected);

        let log_record = logs[2];
        let record: serde_json::Value = serde_json::from_str(&log.records()[2]).expect("JSON");
        let host = &record["host"];
        let text = |value: &serde_json::Value| value.as_str().expect("text").to_owned();
        for (key, value) in [
            ("audit.node", text(&host["node"])),
            ("audit.sequence", "3".to_owned()),
            ("audit.action", "act".to_owned()),
            ("audit.outcome", "denied".to_owned()),
            ("audit.resource", "thing".to_owned()),
            ("audit.component.name", "app".to_owned()),
            ("audit.component.sha256", "00".repeat(32)),
            ("http.request.id", "7-1".to_owned()),
            ("http.request.method", "POST".to_owned()),
            ("url.path", "/act".to_owned()),
            ("network.peer.address", "127.0.0.1:9".to_owned()),
            ("user.id", "alice".to_owned()),
        ] {
            assert_eq!(attribute(&log_record.attributes, key), Some(value), "{key}");
        }
        assert_eq!(log_record.trace_id.len(), 16);
        assert_eq!(log_record.trace_id[..2], [0x4b, 0xf9]);
        // The time, as `jiff` parses it.
        let time: jiff::Timestamp = text(&host["time"]).parse().expect("a time");
        assert_eq!(i128::from(log_record.time_unix_nano), time.as_nanosecond());
        assert!(log_record.observed_time_unix_nano >= log_record.time_unix_nano);
        let resource = received[0].request.resource_logs[0].resource.as_ref();
        let attributes = &resource.expect("a resource").attributes;
        for (key, value) in [
            ("service.name", "component-runner".to_owned()),
            ("service.instance.id", text(&host["boot"])),
        ] {
            assert_eq!(attribute(attributes, key), Some(value), "{key}");
        }
    });
}

#[test]
fn each_boot_is_a_resource() {
    block_on(async {
        let mut log = sqlite();
        log.reopen().await;
        let collector = Collector::start([]).await;
        let forwarder = log.forward(&collector.target());
        log.close(forwarder).await;
        let received = collector.received();
        let resources = received
            .iter()
            .flat_map(|received| &received.request.resource_logs);
        let mut boots: Vec<_> = resources
            .map(|logs| {
                let resource = logs.resource.as_ref().expect("a resource");
                attribute(&resource.attributes, "service.instance.id").expect("a boot")
            })
            .collect();
        boots.dedup();
        assert_eq!(boots.len(), 2, "{boots:?}");
    });
}

#[test]
fn status_429_502_503_and_504_are_retried_after_retry_after() {
    captured_log::start();
    block_on(async {
        let replies = [
            Reply::Status(503, Some("1"), "later"),
            Reply::Status(429, None, ""),
            Reply::Status(502, None, ""),
            Reply::Status(504, None, ""),
        ];
        let collector = Collector::start(replies).await;
        let log = sqlite();
        let forwarder = log.forward(&collector.target());
        until("all has arrived", || forwarder.metrics().lag == 0).await;
        let metrics = log.close(forwarder).await;
        assert_eq!((metrics.failures, metrics.rejected), (4, 0));
        let received = collector.received();
        assert!(received[1].at - received[0].at >= Duration::from_secs(1));
        assert!(received[2].at - received[1].at < Duration::from_secs(1));
        assert_eq!(collector.bodies_after(4), log.records());
        let lines = captured_log::lines_about(&format!("127.0.0.1:{}", collector.port));
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(
            lines[0].contains("503 Service Unavailable: later"),
            "{lines:?}"
        );
    });
}

#[test]
fn status_400_404_and_500_reject_the_batch_for_good() {
    captured_log::start();
    block_on(async {
        for status in [400, 404, 500] {
            let replies = [Reply::Status(status, None, "no such log")];
            let collector = Collector::start(replies).await;
            let log = sqlite();
            let forwarder = log.forward(&collector.target());
            until("the batch is rejected", || forwarder.metrics().lag == 0).await;
            log.append(["after"]).await;
            let metrics = log.close(forwarder).await;
            let records = log.records();
            assert_eq!((metrics.rejected, metrics.failures), (2, 0));
            assert_eq!(metrics.forwarded, records.len() as u64 - 2);
            assert_eq!(collector.bodies(), records);
            let lines = captured_log::lines_about(&format!("127.0.0.1:{}", collector.port));
            assert_eq!(lines.len(), 1, "{lines:?}");
            assert!(lines[0].contains("no such log"), "{lines:?}");
            assert!(lines[0].contains("2 of 2 records"), "{lines:?}");
        }
    });
}

#[test]
fn rejected_records_of_a_partial_success_are_counted() {
    captured_log::start();
    block_on(async {
        let collector = Collector::start([Reply::PartialSuccess(2)]).await;
        let log = sqlite();
        log.append_many(4).await;
        let forwarder = log.forward(&collector.target());
        let metrics = log.close(forwarder).await;
        assert_eq!(metrics.rejected, 2);
        assert_eq!(metrics.forwarded, log.records().len() as u64 - 2);
        let lines = captured_log::lines_about(&format!("127.0.0.1:{}", collector.port));
        assert!(lines[0].contains("too old; 2 of"), "{lines:?}");
    });
}

#[test]
fn batch_without_a_response_is_sent_again() {
    block_on(async {
        let collector = Collector::start([Reply::Close, Reply::Close]).await;
        let log = sqlite();
        let forwarder = log.forward(&collector.target());
        until("all has arrived", || forwarder.metrics().lag == 0).await;
        let metrics = log.close(forwarder).await;
        assert_eq!((metrics.rejected, metrics.failures > 0), (0, true));
        assert_eq!(collector.bodies_after(2), log.records());
    });
}

#[test]
fn forwarder_resumes_at_the_cursor() {
    block_on(async {
        let mut log = sqlite();
        let collector = Collector::start([]).await;
        for _ in 0..3 {
            let forwarder = log.forward(&collector.target());
            log.append_many(20).await;
            log.close(forwarder).await;
            log.reopen().await;
        }
        let forwarder = log.forward(&collector.target());
        log.close(forwarder).await;
        assert_eq!(collector.bodies(), log.records());
    });
}

#[test]
fn unreachable_receiver_is_logged_once() {
    captured_log::start();
    block_on(async {
        let collector = Collector::start([]).await;
        // A port without a listener, which stays free while it is bound to another address.
        let taken = std::net::TcpListener::bind("127.0.0.2:0").expect("a port");
        let port = taken.local_addr().expect("an address").port();
        let target = format!("otlp://127.0.0.1:{port}");
        let log = sqlite();
        let forwarder = log.forward(&target.parse().expect("a target"));
        until("it has failed", || forwarder.metrics().failures > 2).await;
        let metrics = forwarder.stop(Duration::ZERO).await;
        assert_eq!(metrics.lag, 2);
        let lines = captured_log::lines_about(&target);
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains("refused"), "{lines:?}");

        let forwarder = log.forward(&collector.target());
        log.handle.close().await;
        forwarder.stop(LONG).await;
        assert_eq!(collector.bodies(), log.records());
    });
}
