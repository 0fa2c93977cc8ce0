//! Mutated files of `--config`: the program rejects them with a message.

use std::fs;

use end_to_end::TestHost;
use end_to_end::random::Random;

/// A file with all kinds of values. Its component is missing, so that no mutation is served.
const SEED: &str = r#"component = "no-such.wasm"
addr = ["127.0.0.1:0", "[::1]:0", "unix:socket"]
request-timeout = 5
max-memory = "64MiB"
max-concurrency = 200
server-header = "off"
audit = "none"
audit-policy = "fail-closed"
allow-outbound = ["https://api.example:443"]

[env]
SHIFT_AMOUNT = 5

[config-var]
greeting = "hello"
"#;

/// Characters with a meaning in TOML.
const MARKS: [&str; 20] = [
    "\n",
    "\"",
    "'''",
    "[",
    "]",
    "[[",
    "{",
    "}",
    "=",
    ".",
    "#",
    ",",
    "\0",
    "\u{feff}",
    "é",
    "-1",
    "1e999",
    "999999999999999999999",
    "true",
    "\\u0000",
];

/// Number of mutated files.
const FILES: usize = 200;

fn changed(random: &mut Random) -> Vec<u8> {
    let mut text = SEED.as_bytes().to_owned();
    for _ in 0..=random.below(4) {
        let at = random.below(text.len() + 1);
        let end = (at + random.below(30)).min(text.len());
        match random.below(5) {
            0 => drop(text.drain(at..end)),
            1 => {
                let part = text[at..end].to_owned();
                text.splice(at..at, part);
            }
            2 => text.truncate(at),
            3 => {
                let byte = u8::try_from(random.below(256)).expect("a byte");
                text.insert(at, byte);
            }
            _ => {
                let mark = random.pick(&MARKS).bytes();
                text.splice(at..at, mark);
            }
        }
        if text.is_empty() {
            break;
        }
    }
    text
}

#[test]
fn a_mutated_config_file_is_refused_with_a_message() {
    let seed = Random::fresh_seed();
    let mut random = Random::new(seed);
    let folder = tempfile::tempdir().expect("a folder");
    for _ in 0..FILES {
        let text = changed(&mut random);
        fs::write(folder.path().join("server.toml"), &text).expect("a file");
        let ended = TestHost::serve_with_file()
            .in_folder(folder.path())
            .flag("--config", "server.toml")
            .switch("--check")
            .addresses_in_file(0)
            .fail();
        let is_refusal = matches!(ended.code, Some(1 | 64));
        let has_message = ended.stderr.lines().any(|line| line.starts_with("error: "));
        assert!(
            is_refusal && has_message,
            "seed {seed}: {ended:?}\n{}",
            String::from_utf8_lossy(&text)
        );
    }
}
