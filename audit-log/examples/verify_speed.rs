//! Writes a long log of each backend to a temporary folder, and prints the speed of its
//! verification, also in processor time, because other programs may use the processors.
//!
//! `cargo run --release -p audit-log --example verify_speed -- 2000000`

use std::time::{Duration, Instant};

use audit_log::read::{Reader, Start};
use audit_log::record::{Attribute, Component, Entry, Outcome, Request, Subject};
use audit_log::verify::{Options, verify};
use audit_log::{AuditLog, Location, Settings};

/// The number of entries that wait for the writer at a time.
const TASKS: u64 = 1000;

fn main() {
    let argument = std::env::args().nth(1);
    let records = argument.map_or(2_000_000, |text| text.parse().expect("a number of records"));
    let folder = tempfile::tempdir().expect("a folder");
    let locations = [
        Location::JsonLines(folder.path().join("audit.jsonl")),
        Location::Sqlite(folder.path().join("audit.db")),
    ];
    for location in locations {
        write(&location, records);
        let mut reader = Reader::open(&location, Start::First).expect("a log");
        let start = processor_time();
        let check = reader.check_container().expect("a log");
        assert_eq!(check, None);
        let container = processor_time().saturating_sub(start);
        let (start, processor_start) = (Instant::now(), processor_time());
        let report = verify(&mut reader, &Options::default(), &mut |_| {}).expect("a log");
        let (elapsed, processor) = (
            start.elapsed(),
            processor_time().saturating_sub(processor_start),
        );
        assert!(report.is_good(), "{report}");
        #[expect(clippy::cast_precision_loss, reason = "printed for people")]
        let speed = report.records as f64 / processor.as_secs_f64();
        println!(
            "{location}: {} records in {elapsed:.2?}; {processor:.2?} on the processor, \
             {container:.2?} of them for the storage check: {speed:.0} records/s",
            report.records
        );
    }
}

/// The processor time of this thread.
fn processor_time() -> Duration {
    let path = "/proc/thread-self/schedstat";
    let text = std::fs::read_to_string(path).expect("a Linux system");
    let nanoseconds = text.split_whitespace().next().map(str::parse);
    Duration::from_nanos(nanoseconds.expect("a word").expect("a number"))
}

fn write(location: &Location, records: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let log = AuditLog::open(&Settings::new(location.clone())).expect("a log");
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| tokio::spawn(append(log.clone(), records / TASKS)))
            .collect();
        for task in tasks {
            task.await.expect("receipts");
        }
        log.close().await;
    });
}

async fn append(log: AuditLog, records: u64) {
    let component = Component {
        name: "app".into(),
        sha256: "00".repeat(32).into(),
    };
    let request = Request {
        id: "1f0c2f5a-17".into(),
        trace_id: Some("4bf92f3577b34da6a3ce929d0e0e4736".into()),
        peer: Some("127.0.0.1:40000".into()),
        method: "POST".into(),
        path: "/encrypt".into(),
        path_bytes: None,
        principal: Some("alice".into()),
    };
    let entry = Entry {
        action: "encrypt".into(),
        outcome: Outcome::Success,
        resource: Some("message".into()),
        attributes: vec![Attribute {
            name: "bytes".into(),
            value: "11".into(),
        }],
    };
    let subject = Subject {
        component: Some(&component),
        request: Some(&request),
    };
    for _ in 0..records {
        log.append(subject, &entry).await.expect("a receipt");
    }
}
