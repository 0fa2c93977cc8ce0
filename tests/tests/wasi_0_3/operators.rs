//! The version of WASI in everything that operators read.

use std::collections::BTreeSet;
use std::fs;

use end_to_end::artifacts;
use end_to_end::cases::check_result;
use end_to_end::client::{Request, encrypt, get};
use end_to_end::functions::{Folder, write_secret};
use end_to_end::operators::{Operators, TOKEN};
use end_to_end::{TestHost, app};

use super::guest;
use crate::audit::sha256;

/// The compositions, with their versions of WASI.
const APPS: [(&str, &str); 2] = [("app", "0.2"), ("app-0.3", "0.3")];

#[test]
fn check_and_the_log_name_the_version_of_wasi() {
    for (name, version) in APPS {
        let component = artifacts::component(name);
        let finished = TestHost::serve(&component).switch("--check").fail();
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
        let expected = format!(", WASI {version}) on http://");
        assert!(finished.stdout.contains(&expected), "{}", finished.stdout);

        let host = TestHost::serve(component).start();
        let expected = format!("wasi={version}");
        let _ = host.log().wait_for_entry(&["serving", &expected]);
    }
}

#[test]
fn the_audit_record_component_load_and_the_metric_component_info_have_the_version_of_wasi() {
    for (name, version) in APPS {
        let component = artifacts::component(name);
        let (host, operators) = TestHost::serve(&component).start_with_operators();
        let records = host.audit_records();
        let load = records
            .iter()
            .find(|record| record.event() == Some("component-load"));
        let load = &load.expect("a record").json["event"];
        assert_eq!(load["wasi"], version, "{load}");
        let hash = sha256(&component);
        let labels = format!("name=\"{name}\",sha256=\"{hash}\",wasi=\"{version}\"");
        let info = format!("component_info{{function=\"{name}\",{labels}}}");
        assert_eq!(operators.metrics().get(&info), Some(1.0), "{info}");
    }
}

#[test]
fn the_list_of_functions_has_the_version_of_wasi() {
    let folder = Folder::new();
    for (name, _) in APPS {
        let bytes = fs::read(artifacts::component(name)).expect("a component");
        folder.put(&format!("functions/{}.wasm", name.replace('.', "")), bytes);
    }
    write_secret(&folder.join("token"), format!("{TOKEN}\n"));
    let host = TestHost::serve_functions(folder.join("functions"))
        .flag("--ops-addr", "127.0.0.1:0")
        .flag("--admin-token", folder.join("token"))
        .start();
    let operators = Operators::of(&host);
    let authorization = format!("Bearer {TOKEN}");
    for (name, version) in APPS {
        let path = format!("/v1/functions/{}", name.replace('.', ""));
        let request = Request::new("GET", &path).header("authorization", &authorization);
        let document = operators.send(&request).json();
        assert_eq!(document["wasi"], version, "{document}");
        let route = format!("/{}/encrypt", name.replace('.', ""));
        check_result(&host.send(&encrypt("abc").path(route)), "def");
    }
}

/// The parts of a composition for WASI 0.3 that are for 0.2 have the interfaces of 0.2.
#[test]
fn an_audit_entry_of_wasi_0_3_has_its_request_and_key() {
    for setup in [app(), TestHost::serve(artifacts::component("app-0.3"))] {
        let host = setup.env("SHIFT_AMOUNT", "5").start();
        let mut ids = BTreeSet::new();
        for _ in 0..5 {
            let response = host.send(&encrypt("hello"));
            check_result(&response, "mjqqt");
            let id = response.header("x-request-id").expect("an id");
            ids.insert(id.to_owned());
        }
        assert_eq!(ids.len(), 5);
        let entries = host.audit_entries();
        let found = entries.iter().map(|entry| {
            assert_eq!(entry.json["guest"]["action"], "encrypt");
            assert_eq!(entry.json["host"]["request"]["path"], "/encrypt");
            let id = entry.json["host"]["request"]["id"].as_str();
            id.expect("an id").to_owned()
        });
        assert_eq!(found.collect::<BTreeSet<_>>(), ids);
        assert_eq!(entries.len(), 5);
    }
}

#[test]
fn standard_outputs_of_wasi_0_3_are_logged_by_line_up_to_max_output() {
    let mut host = guest()
        .flag("--max-output", "1KiB")
        .flag("--cpu-timeout", "0.2")
        .start();
    let pieces = host.send(&get("/print-in-pieces"));
    assert_eq!(pieces.body, b"good");
    let endless = host.send(&get("/print-to-stderr-for-ever"));
    assert_eq!(endless.status, 504, "{endless:?}");
    host.terminate();
    let log = host.log().wait_for_end();
    let id = pieces.header("x-request-id").expect("an id");
    let lines = log.lines().filter(|line| line.starts_with(id));
    let expected = [
        format!("{id} stdout: first second"),
        format!("{id} stdout: third"),
    ];
    assert!(lines.eq(expected.iter()), "{log}");
    let id = endless.header("x-request-id").expect("an id");
    let line = format!("{id} stderr: a line\n");
    // 7 bytes each.
    assert_eq!(log.matches(&line).count(), 1024 / 7, "{log}");
    let end = format!("{id} stderr: (output truncated after 1024 bytes)\n");
    assert_eq!(log.matches(&end).count(), 1, "{log}");
}
