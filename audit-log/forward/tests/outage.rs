//! Outages of the nats-server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use audit_log_forward::Forwarder;

use crate::support::log::{Log, append, both, sqlite};
use crate::support::server::Server;
use crate::support::stream::{self, payloads};
use crate::support::{block_on, captured_log, until};

/// Tasks that append continuously.
struct Load {
    is_over: Arc<AtomicBool>,
    tasks: Vec<tokio::task::JoinHandle<u64>>,
}

impl Load {
    /// Starts tasks that wait for `pause` after each entry.
    fn start(log: &Log, pause: Duration) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let task = || {
            let (log, is_over) = (log.handle.clone(), is_over.clone());
            tokio::spawn(async move {
                let mut receipts = 0;
                while !is_over.load(Ordering::Relaxed) {
                    append(&log, "load").await;
                    receipts += 1;
                    tokio::time::sleep(pause).await;
                }
                receipts
            })
        };
        let tasks = (0..8).map(|_| task()).collect();
        Self { is_over, tasks }
    }

    /// Stops the tasks. Returns the number of receipts.
    async fn stop(self) -> u64 {
        self.is_over.store(true, Ordering::Relaxed);
        let mut receipts = 0;
        for task in self.tasks {
            receipts += task.await.expect("receipts");
        }
        receipts
    }
}

/// Checks that the stream equals the log.
async fn check(server: &Server, log: &Log, forwarder: Forwarder) {
    let metrics = log.close(forwarder).await;
    let (found, expected) = {
        let mut stream = stream::stream(server, "AUDIT").await;
        (payloads(&mut stream).await, log.records())
    };
    assert_eq!(found.len(), expected.len(), "{metrics:?}");
    assert!(found == expected, "the order is another one");
    assert_eq!((metrics.rejected, metrics.missing), (0, 0));
}

#[test]
fn no_record_is_lost_or_duplicated_when_the_server_is_killed() {
    block_on(async {
        let log = sqlite();
        let mut server = Server::start();
        let forwarder = log.forward(&server.target("AUDIT"));
        let load = Load::start(&log, Duration::from_millis(1));
        for kill in 0..20_u64 {
            let before = forwarder.metrics().forwarded;
            until("records arrive", || {
                forwarder.metrics().forwarded > before + 20
            })
            .await;
            // At an arbitrary moment.
            tokio::time::sleep(Duration::from_millis(kill * 7 % 40)).await;
            let failures = forwarder.metrics().failures;
            server.kill();
            until("it is noticed", || forwarder.metrics().failures > failures).await;
            server.restart();
        }
        load.stop().await;
        check(&server, &log, forwarder).await;
    });
}

#[test]
fn no_record_is_lost_or_duplicated_when_the_forwarder_is_dropped() {
    block_on(async {
        for log in both() {
            let server = Server::start();
            let target = server.target("AUDIT");
            let load = Load::start(&log, Duration::from_millis(1));
            for _ in 0..20 {
                let forwarder = log.forward(&target);
                until("records arrive", || forwarder.metrics().forwarded > 5).await;
                drop(forwarder);
            }
            load.stop().await;
            check(&server, &log, log.forward(&target)).await;
        }
    });
}

/// Stops the server for the duration of `outage`.
async fn survive(outage: Duration) {
    // A server that syncs each message accepts a few hundred a second.
    let pause = outage / 1000;
    captured_log::start();
    let mut server = Server::start();
    let log = sqlite();
    let forwarder = log.forward(&server.target("AUDIT"));
    let load = Load::start(&log, pause);
    until("records arrive", || forwarder.metrics().forwarded > 100).await;
    load.stop().await;

    server.kill();
    let load = Load::start(&log, pause);
    until("it is noticed", || forwarder.metrics().is_failing).await;
    tokio::time::sleep(outage).await;
    // Every append gets its receipt before the server is back.
    let receipts = load.stop().await;
    let metrics = forwarder.metrics();
    assert!(
        metrics.is_failing && metrics.lag >= receipts,
        "{metrics:?}, {receipts} receipts"
    );
    assert!(receipts > 0);

    let load = Load::start(&log, pause);
    server.restart();
    until("all is well", || !forwarder.metrics().is_failing).await;
    load.stop().await;
    check(&server, &log, forwarder).await;
    let lines = captured_log::lines_about(&format!("127.0.0.1:{}", server.port));
    assert_eq!(lines.len(), 1, "{lines:?}");
}

#[test]
fn records_are_appended_during_an_outage_and_sent_later() {
    block_on(survive(Duration::from_secs(2)));
}

#[test]
#[ignore = "takes half a minute"]
fn records_are_appended_during_an_outage_of_half_a_minute() {
    block_on(survive(Duration::from_secs(30)));
}
