//! `query` and `tail`, the output formats, and invalid command lines.

use std::io::{self, Write};

use audit_log_cli::{AuditCommand, run_on};
use clap::Subcommand;

use crate::support::{
    block_on, boot, command, folder, json_lines, lines, locations, open, parse, record, sqlite,
};

#[test]
fn query_shows_records_that_match_all_flags() {
    let folder = folder();
    for location in locations(&folder) {
        boot(&location, 7);
        let all = lines(&location);
        let audit = location.to_string();
        let fourth = record(&all[4]).host.time.into_owned();
        let cases: [(&[&str], &[usize]); 12] = [
            (&[], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
            (&["--action", "act"], &[2, 3, 4, 5, 6, 7, 8]),
            (&["--action", "ac"], &[]),
            (&["--outcome", "denied"], &[4, 7]),
            (&["--outcome", "denied", "--request-id", "r-6"], &[7]),
            (&["--component", "app"], &[2, 3, 4, 5, 6, 7, 8]),
            (&["--component", "01234567"], &[2, 3, 4, 5, 6, 7, 8]),
            (&["--component", "0123456"], &[]),
            (&["--since", "1h", "--request-id", "r-1"], &[2]),
            (&["--until", "1h"], &[]),
            (&["--since", &fourth], &[4, 5, 6, 7, 8, 9, 10]),
            (&["--until", &fourth], &[0, 1, 2, 3]),
        ];
        for (flags, expected) in cases {
            let query = ["query", "--audit", &audit, "--format", "json"];
            let (text, good) = command(&[&query, flags].concat());
            let expected: String = expected.iter().map(|&at| all[at].clone() + "\n").collect();
            assert!(good);
            assert_eq!(text, expected, "{location} {flags:?}");
        }
    }
}

/// Creates a log with an entry of deceptive text.
fn deceptive(location: &audit_log::Location) {
    use audit_log::record::{Attribute, Entry, Outcome, Subject};

    let entry = Entry {
        action: "=cmd|' /C calc'!A0".into(),
        outcome: Outcome::Failure,
        resource: Some("a,\"b\"\nsequence 7 \\ \u{202e}".into()),
        attributes: vec![Attribute {
            name: "request".into(),
            value: "x guest: act success".into(),
        }],
    };
    block_on(async {
        let log = open(location);
        let appended = log.append(Subject::default(), &entry).await;
        appended.expect("a receipt");
        log.close().await;
    });
}

#[test]
fn text_format_escapes_deceptive_characters() {
    let folder = folder();
    let location = json_lines(&folder);
    deceptive(&location);
    let audit = location.to_string();
    let (text, _) = command(&["query", "--audit", &audit, "--outcome", "failure"]);
    let time = record(&lines(&location)[2]).host.time.into_owned();
    assert_eq!(
        text,
        format!(
            "{time} 3 guest: \"=cmd|' /C calc'!A0\" failure \
             resource=\"a,\\\"b\\\"\\nsequence 7 \\\\ \\u202e\" \
             request=\"x guest: act success\"\n"
        )
    );
}

#[test]
fn text_format_shows_guest_entries_events_and_checkpoints() {
    let folder = folder();
    let location = json_lines(&folder);
    boot(&location, 1);
    let (text, _) = command(&["query", "--audit", &location.to_string()]);
    let shown: Vec<_> = text
        .lines()
        .map(|line| line.split_once(' ').expect("a time").1)
        .collect();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        [shown[0], shown[2], shown[3]],
        [
            &format!("1 event: server-start previous_stop=none version={version}"),
            "3 component=app request=r-1 method=POST path=/act peer=127.0.0.1:9 guest: act success \
             resource=thing number=1",
            "4 event: server-stop",
        ]
    );
    for (at, expected) in [
        (1, "2 checkpoint: sequence=1 hash="),
        (4, "5 checkpoint: sequence=4 hash="),
    ] {
        assert!(shown[at].starts_with(expected), "{text}");
    }
}

#[test]
fn csv_format_quotes_cells_and_prefixes_formulas() {
    let folder = folder();
    let location = json_lines(&folder);
    deceptive(&location);
    let audit = location.to_string();
    let (text, _) = command(&["query", "--audit", &audit, "--format", "csv"]);
    assert_eq!(
        text.lines().count(),
        6,
        "a header and five records:\n{text}"
    );
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().expect("a header").clone();
    let rows: Vec<_> = reader.records().map(|row| row.expect("a row")).collect();
    let field = |row: usize, name: &str| {
        let column = header.iter().position(|column| column == name);
        rows[row][column.expect("a column")].to_owned()
    };
    assert_eq!(field(2, "sequence"), "3");
    assert_eq!(field(2, "action"), "'=cmd|' /C calc'!A0");
    assert_eq!(field(2, "outcome"), "failure");
    assert_eq!(field(2, "resource"), r#"a,"b"\u000asequence 7 \\ \u202e"#);
    let attributes = r#"[{"name":"request","value":"x guest: act success"}]"#;
    assert_eq!(field(2, "attributes"), attributes);
    assert_eq!(field(3, "event"), r#"{"type":"server-stop"}"#);
    assert!(field(4, "checkpoint").starts_with(r#"{"node":"test","sequence":4,"#));
}

#[test]
fn tail_shows_the_last_records() {
    let folder = folder();
    for location in locations(&folder) {
        boot(&location, 20);
        let audit = location.to_string();
        let tail = ["tail", "--audit", &audit, "--format", "json"];
        let expected = |count: usize| {
            let lines = lines(&location);
            lines[lines.len() - count..].join("\n") + "\n"
        };
        assert_eq!(command(&tail).0, expected(10));
        assert_eq!(command(&[&tail[..], &["-n", "3"]].concat()).0, expected(3));
        assert_eq!(command(&[&tail[..], &["-n", "0"]].concat()).0, "");
        assert_eq!(
            command(&[&tail[..], &["-n", "99"]].concat()).0,
            expected(lines(&location).len())
        );
    }
}

#[test]
fn tail_follow_continues_after_prune() {
    let folder = folder();
    for location in locations(&folder) {
        boot(&location, 3);
        let audit = location.to_string();
        let tail = parse(&[
            "tail", "--audit", &audit, "--format", "json", "--follow", "-n", "2",
        ]);
        let mut expected = lines(&location)[5..].to_vec();
        let mut output = Vec::new();
        let mut step = 0;
        let good = run_on(&tail, &mut output, &mut || {
            step += 1;
            match step {
                1 | 3 => {
                    let known = lines(&location).last().expect("a record").clone();
                    boot(&location, 2);
                    let lines = lines(&location);
                    let at = lines.iter().position(|line| *line == known);
                    expected.extend_from_slice(&lines[at.expect("it") + 1..]);
                }
                2 => {
                    command(&["prune", "--audit", &audit, "--before", "2999-01-01"]);
                }
                _ => {}
            }
            step < 4
        });
        assert!(good.expect("a log"));
        let output = String::from_utf8(output).expect("text");
        assert_eq!(output, expected.join("\n") + "\n", "{location}");
    }
}

/// A closed output.
struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::BrokenPipe.into())
    }
}

#[test]
fn closed_output_ends_a_command_without_error() {
    let folder = folder();
    let location = sqlite(&folder);
    boot(&location, 3);
    let audit = location.to_string();
    for arguments in [
        &["tail", "--follow"][..],
        &["tail", "--format", "csv"],
        &["query"],
        &["query", "--format", "csv"],
        &["query", "--format", "json"],
        &["export"],
        &["verify"],
        &["key"],
    ] {
        let arguments = [arguments, &["--audit", &audit]].concat();
        let good = run_on(&parse(&arguments), &mut Closed, &mut || true);
        assert!(good.expect("no error"), "{arguments:?}");
    }
}

#[test]
fn invalid_flags_are_rejected() {
    let program = clap::Command::new("audit");
    let program = AuditCommand::augment_subcommands(program);
    program.clone().debug_assert();
    for arguments in [
        &["prune"][..],
        &["prune", "--before", "tomorrow"],
        &["query", "--outcome", "good"],
        &["query", "--format", "xml"],
        &["query", "--since", "1y"],
        &["tail", "--audit", "audit.db"],
    ] {
        let arguments = [&["audit"], arguments].concat();
        let matches = program.clone().try_get_matches_from(&arguments);
        assert!(matches.is_err(), "{arguments:?}");
    }
}
