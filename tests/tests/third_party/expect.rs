//! Clients that send a body only after a 100 (RFC 9110, section 10.1.1): Node and Java.

use end_to_end::artifacts::workspace;
use end_to_end::installed::Installed;
use end_to_end::{TestHost, app};
use serde_json::json;

use super::{Certificate, run_to_end};

/// More than `--max-request-body`, which is 16 MiB.
const TOO_MANY_BYTES: &str = "17000000";

/// Sends a body with Node to these URLs, over the version of HTTP of each.
fn check_node(node: &Installed, url: &str, certificate: Option<&Certificate>, version: &str) {
    let client = workspace().join("tests/clients/expect.mjs");
    let run = |bytes: &str| {
        let mut command = node.command();
        command.arg(&client).arg(url).arg(bytes);
        if let Some(certificate) = certificate {
            command.arg(certificate.path());
        }
        let finished = run_to_end(&mut command);
        serde_json::from_str::<serde_json::Value>(&finished.stdout).expect("JSON")
    };
    for message in [3, 100_000] {
        let body = json!({ "result": "d".repeat(message) }).to_string();
        let expected = json!({
            "version": version,
            "continued": true,
            "status": 200,
            "body": body,
        });
        assert!(run(&message.to_string()) == expected, "{url} {message}");
    }
    let refused = run(TOO_MANY_BYTES);
    assert_eq!(refused["status"], 413, "{url}: {refused}");
    assert_eq!(refused["continued"], false, "{url}: {refused}");
}

#[test]
fn node_gets_a_100_and_no_413_after_it_in_the_clear_and_over_tls() {
    let Some(node) = Installed::find("node", "--version") else {
        return;
    };
    let host = app().start();
    let url = |host: &TestHost, scheme: &str| format!("{scheme}://{}/encrypt", host.address());
    check_node(&node, &url(&host, "http"), None, "1.1");
    check_node(&node, &url(&host, "h2c"), None, "2");
    let certificate = Certificate::new();
    let host = certificate.given_to(app()).start();
    check_node(&node, &url(&host, "https"), Some(&certificate), "1.1");
    check_node(&node, &url(&host, "h2"), Some(&certificate), "2");
}

/// The output of Java for two requests to this URL.
fn java(java: &Installed, version: &str, url: &str, ca: &[&str]) -> Vec<String> {
    let client = workspace().join("tests/clients/Expect.java");
    let mut command = java.command();
    command.arg(client).args([version, url, "3"]).args(ca);
    run_to_end(&mut command)
        .stdout
        .lines()
        .map(str::to_owned)
        .collect()
}

#[test]
fn java_gets_a_100_in_the_clear_and_over_tls() {
    // The compiler of Java runs the client from its source.
    let (Some(_), Some(program)) = (
        Installed::find("javac", "-version"),
        Installed::find("java", "-version"),
    ) else {
        return;
    };
    let result = |version: &str| vec![format!("{version} 200 {}", r#"{"result":"ddd"}"#); 2];
    let host = app().start();
    let url = format!("{}/encrypt", host.urls()[0]);
    assert_eq!(java(&program, "HTTP_1_1", &url, &[]), result("HTTP_1_1"));
    // It offers an upgrade to HTTP/2, which a server may ignore.
    assert_eq!(java(&program, "HTTP_2", &url, &[]), result("HTTP_1_1"));
    let certificate = Certificate::new();
    let host = certificate.given_to(app()).start();
    let url = format!("{}/encrypt", host.urls()[0]);
    let ca = certificate.path();
    let ca = [ca.to_str().expect("a path of text")];
    for version in ["HTTP_1_1", "HTTP_2"] {
        assert_eq!(java(&program, version, &url, &ca), result(version));
    }
}
