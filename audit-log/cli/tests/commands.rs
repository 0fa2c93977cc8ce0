//! The commands, as a user sees them.

mod support;

use std::io::{self, Write};

use audit_log::{AuditLog, Settings};
use audit_log_cli::run_on;
use support::{
    attest, block_on, boot, command, folder, json_lines, key, lines, locations, open, parse,
    record, sqlite, try_command,
};

#[test]
fn query_finds_what_fits_all_flags() {
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

/// A log with a record of an entry that tries to look like something else.
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
fn a_line_of_text_cannot_be_made_to_look_like_another() {
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
fn text_shows_guests_events_and_checkpoints() {
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
fn csv_is_quoted_and_is_no_formula() {
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
fn tail_follows_a_log_also_when_it_is_pruned() {
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

/// An output that nobody reads.
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
fn a_command_that_nobody_reads_ends_quietly() {
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
fn an_export_is_a_log() {
    let folder = folder();
    for location in locations(&folder) {
        boot(&location, 3);
        let audit = location.to_string();
        command(&["prune", "--audit", &audit, "--before", "2999-01-01"]);
        boot(&location, 3);
        let copy = folder
            .path()
            .join("copy")
            .with_extension(location.path().expect("a path").extension().expect("one"));
        let name = copy.to_str().expect("text");
        let (text, good) = command(&["export", "--audit", &audit, "-o", name]);
        assert!(good);
        assert_eq!(text, format!("wrote 8 records to `{name}`\n"));
        assert_eq!(command(&["export", "--audit", &audit]).0, read(&copy));
        let (text, good) = command(&["verify", "--audit", &format!("jsonl:{name}")]);
        assert!(good, "{text}");
        assert!(text.contains("records 1 to 6 were pruned"), "{text}");

        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;

            let mode = copy.metadata().expect("a file").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        std::fs::write(&copy, "mine").expect("a disk");
        let error = try_command(&["export", "--audit", &audit, "-o", name]);
        let error = error.expect_err("it is there");
        assert!(error.to_string().contains("is there already"), "{error}");
        assert_eq!(read(&copy), "mine");
    }
    let left = std::fs::read_dir(folder.path()).expect("a folder");
    let left = left.map(|file| file.expect("a file").file_name());
    let left: Vec<_> = left
        .filter(|name| name.to_string_lossy().contains("export"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

fn read(path: &std::path::Path) -> String {
    std::fs::read_to_string(path).expect("a file")
}

#[test]
fn verify_says_what_it_knows() {
    let folder = folder();
    let location = json_lines(&folder);
    boot(&location, 3);
    let audit = location.to_string();
    let key = key(&location).public_key();
    let (text, good) = command(&["verify", "--audit", &audit]);
    assert!(good);
    assert_eq!(
        text,
        format!(
            "the log of the node `test`\n\
             records 1 to 7 are a chain, with 2 checkpoints\n\
             signed by the key {key}, as the log itself says; name the key that you expect with \
             `--public-key`\n\
             verified: 7 records\n"
        )
    );
    let checkpoints = folder.path().join("checkpoints.jsonl");
    let line = serde_json::to_string(&attest(&location)).expect("JSON");
    std::fs::write(&checkpoints, format!("{line}\n{{\"node\":\n")).expect("a disk");
    // A server that crashed after its first entry, before the next checkpoint.
    boot(&location, 1);
    let path = location.path().expect("a path");
    let crashed: String = read(path).split_inclusive('\n').take(10).collect();
    std::fs::write(path, crashed).expect("a disk");
    let pem = folder.path().join("audit.pem");
    std::fs::write(&pem, command(&["key", "--audit", &audit]).0).expect("a disk");
    let checkpoints = checkpoints.to_str().expect("text");
    let pem = pem.to_str().expect("text");
    let verify = [
        "verify",
        "--audit",
        &audit,
        "--checkpoint",
        checkpoints,
        "--public-key",
        pem,
    ];
    let (text, good) = command(&verify);
    assert!(good, "{text}");
    assert_eq!(
        text,
        format!(
            "the log of the node `test`\n\
             records 1 to 10 are a chain, with 3 checkpoints\n\
             signed by the key {key}, which was expected\n\
             1 checkpoint from outside fit, up to record 7\n\
             records 9 to 10 are not covered by a checkpoint yet\n\
             verified: 10 records\n"
        )
    );

    let whole = read(path);
    std::fs::write(path, format!("{whole}{{\"host\"")).expect("a disk");
    let (text, good) = command(&verify);
    assert!(!good);
    let expected = "WRONG: after record 10 there are 7 bytes of a record that was not finished";
    assert!(text.contains(expected), "{text}");

    let cut: String = whole.split_inclusive('\n').take(4).collect();
    std::fs::write(path, cut).expect("a disk");
    let (text, good) = command(&verify);
    assert!(!good);
    let expected = "WRONG: record 4 is the last one, and a checkpoint from outside";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn verify_expects_the_key_that_is_named() {
    let folder = folder();
    let [one, other] = locations(&folder);
    boot(&one, 1);
    boot(&other, 1);
    let pem = folder.path().join("audit.pem");
    let (text, _) = command(&["key", "--audit", &other.to_string()]);
    std::fs::write(&pem, text).expect("a disk");
    let pem = pem.to_str().expect("text");
    let verify = |audit: &str| command(&["verify", "--audit", audit, "--public-key", pem]);
    assert!(verify(&other.to_string()).1);
    let (text, good) = verify(&one.to_string());
    assert!(!good);
    let expected = "WRONG: the checkpoint in the record after record 1 is signed by another key";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn an_unfinished_record_of_a_running_server_is_no_finding() {
    let folder = folder();
    let location = json_lines(&folder);
    block_on(async {
        let log = AuditLog::open(&Settings::new(location.clone())).expect("a log");
        let path = location.path().expect("a path");
        let mut file = std::fs::OpenOptions::new().append(true).open(path);
        let file = file.as_mut().expect("a file");
        file.write_all(b"{\"host\":{").expect("a disk");
        let (text, good) = command(&["verify", "--audit", &location.to_string()]);
        assert!(good, "{text}");
        drop(log);
    });
}

#[test]
fn key_prints_the_public_key() {
    let folder = folder();
    let location = sqlite(&folder);
    boot(&location, 1);
    let audit = location.to_string();
    let public = key(&location).public_key();
    assert_eq!(command(&["key", "--audit", &audit]).0, public.to_pem());
    let (hex, _) = command(&["key", "--audit", &audit, "--hex"]);
    assert_eq!(hex, format!("{public}\n"));
    assert!(lines(&location)[1].contains(hex.trim()));
}

#[test]
fn wrong_flags_are_refused() {
    use clap::Subcommand;

    let program = clap::Command::new("audit");
    let program = audit_log_cli::AuditCommand::augment_subcommands(program);
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

#[test]
fn prune_says_what_it_did() {
    let folder = folder();
    let location = sqlite(&folder);
    boot(&location, 5);
    let audit = location.to_string();
    let (text, good) = command(&["prune", "--audit", &audit, "--before", "2000-01-01"]);
    assert!(good && text.starts_with("removed nothing"), "{text}");
    let (text, good) = command(&["prune", "--audit", &audit, "--before", "2999-01-01"]);
    assert!(good);
    assert_eq!(
        text,
        "removed 8 records, 1 to 8; the log begins with record 9\n"
    );
    let missing = folder.path().join("none.key");
    let missing = missing.to_str().expect("text");
    let error = try_command(&[
        "prune", "--audit", &audit, "--before", "1h", "--key", missing,
    ])
    .expect_err("there is no key");
    assert!(error.to_string().contains("none.key"), "{error}");
    assert!(!std::path::Path::new(missing).exists());
}

/// Forges a line, clears a screen, and turns the direction of what follows.
const EVIL: &str = "x\nverified: 9 records\r\u{1b}[2J\u{202e}\u{200b}";

/// Checks that nothing in `text` passes for a line of its own or controls a terminal.
#[track_caller]
fn check_harmless(text: &str) {
    let harmful = |c: char| (c.is_control() && c != '\n') || "\u{202e}\u{200b}".contains(c);
    assert!(!text.contains(harmful), "{text:?}");
    assert!(
        !text.lines().any(|line| line.starts_with("verified")),
        "{text}"
    );
    assert!(text.len() < 10_000, "{} bytes", text.len());
}

#[test]
fn verify_and_prune_print_no_control_character_or_forged_line_of_a_log() {
    for name in [EVIL.to_owned(), "y".repeat(1 << 20)] {
        let folder = folder();
        let location = json_lines(&folder);
        boot(&location, 3);
        let written = lines(&location);
        let name = serde_json::to_string(&name).expect("a text");
        let unknown_field = written[1].replacen('{', &format!("{{{name}:1,"), 1);
        let other_node = written[1].replacen("\"test\"", &name, 1);
        for changed in [unknown_field, other_node, format!("{{\"host\":{name}}}")] {
            assert_ne!(changed, written[1]);
            let mut log = written.clone();
            log[1] = changed;
            let path = location.path().expect("a file");
            std::fs::write(path, log.join("\n") + "\n").expect("it can be written");
            let audit = location.to_string();
            let (text, good) = command(&["verify", "--audit", &audit]);
            assert!(!good && text.contains("WRONG"), "{text}");
            check_harmless(&text);
            let error = try_command(&["prune", "--audit", &audit, "--before", "2100-01-01"]);
            let error = error.expect_err("a damaged log");
            check_harmless(&format!("{error:#}"));
        }
    }
}
