//! Records at a receiver of OpenTelemetry.

use std::time::Duration;

use audit_log::event::{Event, GuestFailure};
use audit_log::record::{Component, Entry, Outcome, Request, Subject};

use crate::support::collector::{Answer, Collector, attribute};
use crate::support::log::{both, sqlite};
use crate::support::{LONG, block_on, said, until};

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
            let got = collector.got();
            assert!(got.len() < 100, "{} requests", got.len());
            for got in got {
                assert_eq!(got.path, "/v1/logs");
                assert_eq!(got.content_type, "application/x-protobuf");
                assert!(got.logs().len() <= 512);
            }
        }
    });
}

#[test]
fn a_log_record_says_what_the_record_says() {
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

        let got = collector.got();
        let logs: Vec<_> = got.iter().flat_map(|got| got.logs()).collect();
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
        // As another reader of the time has it.
        let time: jiff::Timestamp = text(&host["time"]).parse().expect("a time");
        assert_eq!(i128::from(log_record.time_unix_nano), time.as_nanosecond());
        assert!(log_record.observed_time_unix_nano >= log_record.time_unix_nano);
        let resource = got[0].request.resource_logs[0].resource.as_ref();
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
        let got = collector.got();
        let resources = got.iter().flat_map(|got| &got.request.resource_logs);
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
fn a_receiver_that_is_busy_is_left_alone_as_long_as_it_wants() {
    said::listen();
    block_on(async {
        let answers = [
            Answer::Status(503, Some("1"), "later"),
            Answer::Status(429, None, ""),
            Answer::Status(502, None, ""),
            Answer::Status(504, None, ""),
        ];
        let collector = Collector::start(answers).await;
        let log = sqlite();
        let forwarder = log.forward(&collector.target());
        until("all has arrived", || forwarder.metrics().lag == 0).await;
        let metrics = log.close(forwarder).await;
        assert_eq!((metrics.failures, metrics.rejected), (4, 0));
        let got = collector.got();
        assert!(got[1].at - got[0].at >= Duration::from_secs(1));
        assert!(got[2].at - got[1].at < Duration::from_secs(1));
        assert_eq!(collector.bodies_after(4), log.records());
        let said = said::about(&format!("127.0.0.1:{}", collector.port));
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(
            said[0].contains("503 Service Unavailable: later"),
            "{said:?}"
        );
    });
}

#[test]
fn what_is_refused_for_good_is_counted_and_left_out() {
    said::listen();
    block_on(async {
        for status in [400, 404, 500] {
            let answers = [Answer::Status(status, None, "no such log")];
            let collector = Collector::start(answers).await;
            let log = sqlite();
            let forwarder = log.forward(&collector.target());
            until("it is refused", || forwarder.metrics().lag == 0).await;
            log.append(["after"]).await;
            let metrics = log.close(forwarder).await;
            let records = log.records();
            assert_eq!((metrics.rejected, metrics.failures), (2, 0));
            assert_eq!(metrics.forwarded, records.len() as u64 - 2);
            assert_eq!(collector.bodies(), records);
            let said = said::about(&format!("127.0.0.1:{}", collector.port));
            assert_eq!(said.len(), 1, "{said:?}");
            assert!(said[0].contains("no such log"), "{said:?}");
            assert!(said[0].contains("2 of 2 records"), "{said:?}");
        }
    });
}

#[test]
fn records_that_a_receiver_leaves_out_are_counted() {
    said::listen();
    block_on(async {
        let collector = Collector::start([Answer::Partly(2)]).await;
        let log = sqlite();
        log.append_many(4).await;
        let forwarder = log.forward(&collector.target());
        let metrics = log.close(forwarder).await;
        assert_eq!(metrics.rejected, 2);
        assert_eq!(metrics.forwarded, log.records().len() as u64 - 2);
        let said = said::about(&format!("127.0.0.1:{}", collector.port));
        assert!(said[0].contains("too old; 2 of"), "{said:?}");
    });
}

#[test]
fn a_batch_without_an_answer_is_sent_again() {
    block_on(async {
        let collector = Collector::start([Answer::Nothing, Answer::Nothing]).await;
        let log = sqlite();
        let forwarder = log.forward(&collector.target());
        until("all has arrived", || forwarder.metrics().lag == 0).await;
        let metrics = log.close(forwarder).await;
        assert_eq!((metrics.rejected, metrics.failures > 0), (0, true));
        assert_eq!(collector.bodies_after(2), log.records());
    });
}

#[test]
fn a_forwarder_goes_on_where_the_one_before_it_stopped() {
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
fn a_receiver_that_is_away_is_named_once() {
    said::listen();
    block_on(async {
        let collector = Collector::start([]).await;
        // A port where nobody listens, as long as it is bound to another address.
        let taken = std::net::TcpListener::bind("127.0.0.2:0").expect("a port");
        let port = taken.local_addr().expect("an address").port();
        let target = format!("otlp://127.0.0.1:{port}");
        let log = sqlite();
        let forwarder = log.forward(&target.parse().expect("a target"));
        until("it has failed", || forwarder.metrics().failures > 2).await;
        let metrics = forwarder.stop(Duration::ZERO).await;
        assert_eq!(metrics.lag, 2);
        let said = said::about(&target);
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].contains("refused"), "{said:?}");

        let forwarder = log.forward(&collector.target());
        log.handle.close().await;
        forwarder.stop(LONG).await;
        assert_eq!(collector.bodies(), log.records());
    });
}
