use std::fs;

use super::*;
use crate::cli::Serve;

/// Reads `serve FLAGS --config server.toml`, where the file holds `text`.
fn read(flags: &[&str], text: &str) -> Result<Serve, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.toml");
    fs::write(&path, text).unwrap();
    let words = ["component-runner", "serve"].map(OsString::from);
    let words = words.into_iter().chain(flags.iter().map(OsString::from));
    let words = words.chain(["--config".into(), path.into()]);
    match Cli::read(words) {
        Ok(Cli {
            command: Command::Serve(serve),
        }) => Ok(*serve),
        Ok(_) => panic!("this is `serve`"),
        Err(error) => {
            let folder = format!("{}/", folder.path().display());
            Err(error.to_string().replace(&folder, ""))
        }
    }
}

#[track_caller]
fn check_error(text: &str, expected: &str) {
    let error = read(&["app.wasm"], text).unwrap_err();
    assert_eq!(error, format!("error: server.toml:{expected}\n"), "{text}");
}

#[test]
fn config_file_and_flags_give_equal_settings() {
    let text = r#"
        component = "app.wasm"
        addr = ["127.0.0.1:0", "unix:/run/x"]
        ops-addr = "[::1]:0"
        request-timeout = 0.5
        idle-timeout = 0x10
        max-memory = "64MiB"
        max-request-body = 1_000
        server-header = false
        audit-policy = "best-effort"
        threads = 3
        env = ["A=b"]
        config-var = "C=d=e"
        [env-secret]
        F = "g"
    "#;
    let flags = [
        "app.wasm",
        "--addr=127.0.0.1:0",
        "--addr=unix:/run/x",
        "--ops-addr=[::1]:0",
        "--request-timeout=0.5",
        "--idle-timeout=16",
        "--max-memory=64MiB",
        "--max-request-body=1000",
        "--server-header=off",
        "--audit-policy=best-effort",
        "--threads=3",
        "--env=A=b",
        "--config-var=C=d=e",
        "--env-secret=F=g",
    ];
    let mut from_file = read(&[], text).unwrap();
    let mut from_flags = read(&flags, "").unwrap();
    // Its path.
    from_file.config = None;
    from_flags.config = None;
    assert_eq!(format!("{from_file:?}"), format!("{from_flags:?}"));
    assert_eq!(from_file.guest.env, from_flags.guest.env);
}

#[test]
fn command_line_takes_precedence_over_config_file() {
    let text = r#"
        component = "other.wasm"
        addr = ["127.0.0.1:1", "127.0.0.1:2"]
        request-timeout = 5
        cpu-timeout = 6
        env = { A = "file" }
    "#;
    let flags = [
        "app.wasm",
        "--addr=127.0.0.1:3",
        "--request-timeout=30",
        "--env=B=flag",
    ];
    let serve = read(&flags, text).unwrap();
    assert_eq!(serve.component, Some(PathBuf::from("app.wasm")));
    assert_eq!(serve.listen.addresses(), ["127.0.0.1:3".parse().unwrap()]);
    // Also where the flag gives the default.
    assert_eq!(serve.limits.request_timeout.as_secs(), 30);
    assert_eq!(serve.limits.cpu_timeout.as_secs(), 6);
    assert_eq!(format!("{:?}", serve.guest.env), "[B=…]");
}

#[test]
fn env_table_may_hold_numbers() {
    let serve = read(&["app.wasm"], "[env]\nSHIFT = 5\n\"a b\" = \"\"\n").unwrap();
    let pairs: Vec<(String, String)> = serve.guest.env.into_iter().map(Into::into).collect();
    let expected = [("SHIFT", "5"), ("a b", "")];
    assert_eq!(
        pairs,
        expected.map(|(key, value)| (key.to_owned(), value.to_owned()))
    );
}

#[test]
fn missing_component_is_an_error() {
    let error = read(&[], "threads = 1").unwrap_err();
    assert!(error.contains("neither the command line nor `server.toml` names a component"));
}

#[test]
fn requirement_between_flags_spans_command_line_and_file() {
    let serve = read(&["app.wasm", "--tls-cert=c.pem"], "tls-key = \"k.pem\"").unwrap();
    assert_eq!(serve.listen.tls_cert, Some("c.pem".into()));
    assert_eq!(serve.listen.tls_key, Some("k.pem".into()));
    check_error(
        "\ntls-cert = \"c.pem\"",
        "2: `tls-cert = \"c.pem\"`: requires `--tls-key <FILE>`",
    );
}

#[test]
fn invalid_value_is_reported_with_line_and_expected_value() {
    for (text, expected) in [
        (
            "\n\nrequest-timeout = \"soon\"",
            "3: `request-timeout = \"soon\"`: expected a number of seconds, such as 30 or 0.5, or \
             `off`",
        ),
        (
            "max-memory = 1.5",
            "1: `max-memory = 1.5`: expected a number of bytes, such as 4096, 64KiB, 10MiB or 1GiB",
        ),
        (
            "addr = [\n  \"[::1]:0\",\n  \"localhost\",\n]",
            "3: `addr = \"localhost\"`: expected IP:PORT, such as 127.0.0.1:8080 or [::1]:8080, or \
             unix:PATH",
        ),
        (
            "audit-policy = \"open\"",
            "1: `audit-policy = \"open\"`: expected `fail-closed` or `best-effort`",
        ),
        (
            "max-concurrency = 0",
            "1: `max-concurrency = 0`: expected a whole number, 1 or more",
        ),
        (
            "threads = true",
            "1: `threads`: expected one value, found a boolean",
        ),
        (
            "audit = 1979-05-27",
            "1: `audit`: expected one value, found a date",
        ),
        (
            "threads = 0xffffffffffffffffff",
            "1: `threads`: expected one value, found a number that is too large",
        ),
        (
            "[addr]\na = \"127.0.0.1:0\"",
            "1: `addr`: expected a value, or an array of values, found a table",
        ),
        (
            "tls-cert = \"\"\ntls-key = \"k\"",
            "1: `tls-cert = \"\"`: expected a value that is not empty",
        ),
        (
            "config = \"other.toml\"",
            "1: `config`: a file cannot name another file of flags",
        ),
        (
            "check = true",
            "1: `check`: only allowed on the command line, as `--check`",
        ),
    ] {
        check_error(text, expected);
    }
}

#[test]
fn unknown_key_is_reported_with_a_suggestion() {
    for (text, expected) in [
        (
            "request-timout = 5",
            "1: `request-timout = 5`: unknown key; did you mean `request-timeout`?",
        ),
        (
            "request_timeout = 5",
            "1: `request_timeout = 5`: unknown key; did you mean `request-timeout`?",
        ),
        (
            "componet = \"app.wasm\"",
            "1: `componet = \"app.wasm\"`: unknown key; did you mean `component`?",
        ),
        (
            "zzz = 5",
            "1: `zzz = 5`: unknown key; the keys are the flags of `serve` without the \
             dashes",
        ),
        (
            "[zzz]\nrequest-timeout = 5",
            "1: `zzz`: unknown table; expected `env`, `env-secret` or `config-var`",
        ),
        (
            "[env]\nrequest-timeout = 5",
            "2: `env.request-timeout`: a key of the server in the table `env`: move it above all \
             tables, or write `env = [\"request-timeout=…\"]` for a variable of this name",
        ),
    ] {
        check_error(text, expected);
    }
}

#[test]
fn invalid_toml_is_reported_with_its_line() {
    for (text, expected) in [
        (
            "\naddr = 127.0.0.1:0",
            "2: `addr`: invalid float; a string needs quotes",
        ),
        (
            "request-timeout = 5s",
            "1: `request-timeout`: string values must be quoted",
        ),
        ("threads = 1\nthreads = 2", "2: `threads`: duplicate key\n"),
        ("[env\nA = 1", "1: invalid TOML: unclosed table"),
        ("= 5", "1: invalid TOML: "),
    ] {
        let error = read(&["app.wasm"], text).unwrap_err();
        assert!(
            error.starts_with(&format!("error: server.toml:{expected}")),
            "{error}"
        );
    }
}

#[test]
fn errors_hide_secrets() {
    for text in [
        "audit-forward = \"nats://me:hunter2@\"",
        "audit-forward = \"hunter2@host\"",
        "audit-forwad = \"nats://me:hunter2@host:1\"",
        "env = \"hunter2\"",
        "env = [\"=hunter2\"]",
        "env = [\"A=b\", [\"hunter2\"]]",
        "evn = [\"A=hunter2\"]",
        "evn = \"A=hunter2\"",
        "[env]\n\"A=\" = \"hunter2\"",
        "[env]\nA = [\"hunter2\"]",
        "[env]\nA = hunter2",
        "[env]\nA = \"hunter2\\q\"",
        "[env]\nA = \"hunter2",
        "config-var = \"hunter2\"",
        "[env]\naudit-forward = \"hunter2\"",
    ] {
        let error = read(&["app.wasm"], text).unwrap_err();
        assert!(error.starts_with("error: server.toml:"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn command_line_errors_are_reported_before_file_errors() {
    let words = [
        "component-runner",
        "serve",
        "--config=no/such/file",
        "--threads=0",
    ];
    let error = Cli::read(words).unwrap_err().to_string();
    assert!(error.contains("--threads"), "{error}");
    let words = ["component-runner", "serve", "--config=no/such/file"];
    let error = Cli::read(words).unwrap_err().to_string();
    assert!(
        error.contains("`no/such/file`") && error.contains("No such file"),
        "{error}"
    );
}

#[test]
fn overridden_value_in_the_file_must_be_valid() {
    let error = read(&["app.wasm", "--threads=1"], "threads = 0").unwrap_err();
    assert!(error.contains("server.toml:1"), "{error}");
}

#[test]
fn startup_log_line_has_all_limits() {
    let serve = read(&["app.wasm", "--env=TOKEN=hunter2"], "request-timeout = 5").unwrap();
    let limits = serve.limits_in_words;
    for part in ["request-timeout=5", "max-memory=256MiB", "max-headers=100"] {
        assert!(limits.split(' ').any(|limit| limit == part), "{limits}");
    }
    assert!(!limits.contains("TOKEN"), "{limits}");
}
