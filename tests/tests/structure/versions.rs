//! Versions of the programs that tests and benchmarks run.

use std::fs;

use end_to_end::artifacts;

/// The files that state a version of the Makefile again, because they look for its folder.
const STATED: [(&str, &str); 4] = [
    ("WASMTIME_VERSION", "tests/src/artifacts.rs"),
    ("SCHEMATHESIS_VERSION", "tests/src/artifacts.rs"),
    ("WASMTIME_VERSION", "bench/src/programs.rs"),
    ("NATS_VERSION", "bench/src/servers/nats.rs"),
];

#[test]
fn versions_of_peers_are_those_that_the_makefile_installs() {
    let workspace = artifacts::workspace();
    let read = |file| fs::read_to_string(workspace.join(file)).expect("a text");
    let makefile = read("Makefile");
    for (name, file) in STATED {
        let installed = makefile
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(" := "))
            .unwrap_or_else(|| panic!("missing `{name}` in the Makefile"));
        let stated = format!("const {name}: &str = \"{installed}\";");
        assert!(read(file).contains(&stated), "{file}: expected `{stated}`");
    }
}
