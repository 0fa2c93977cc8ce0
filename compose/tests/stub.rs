//! `stub`: components whose functions trap.

mod support;

use compose::{Component, Composed, StubError, StubSource, stub};
use pretty_assertions::assert_eq;
use support::{component, linked};
use test_components::{error_chain, from_wat, from_wit};
use wasmparser::{KnownCustom, Name, Parser, Payload};

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn texts(text: &str) -> Vec<(String, String)> {
    vec![("api.wit".to_owned(), text.to_owned())]
}

fn standard(interfaces: &[&str]) -> Component {
    let bytes = stub(&names(interfaces), StubSource::Wit(&[])).expect("a stub");
    Component::new("stub", bytes).expect("a valid component")
}

fn of_wit(interfaces: &[&str], wit: &str) -> Component {
    let texts = texts(wit);
    let bytes = stub(&names(interfaces), StubSource::Wit(&texts)).expect("a stub");
    Component::new("stub", bytes).expect("a valid component")
}

fn of_imports(interfaces: &[&str], component: &Component) -> Component {
    let source = StubSource::ImportsOf(component);
    let bytes = stub(&names(interfaces), source).expect("a stub");
    Component::new("stub", bytes).expect("a valid component")
}

fn error(interfaces: &[&str], wit: &str) -> StubError {
    let texts = texts(wit);
    stub(&names(interfaces), StubSource::Wit(&texts)).expect_err("no stub")
}

fn composed(root: &Component, part: Component) -> Composed {
    linked(root, &[part]).expect("a composition")
}

fn exports(component: &Component) -> Vec<&str> {
    component.exports().collect()
}

fn imports(component: &Component) -> Vec<&str> {
    component.imports().collect()
}

/// The names of the functions of all core modules in a component.
fn function_names(bytes: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    for payload in Parser::new(0).parse_all(bytes) {
        let Payload::CustomSection(section) = payload.expect("valid") else {
            continue;
        };
        let KnownCustom::Name(section) = section.as_known() else {
            continue;
        };
        for name in section {
            if let Name::Function(map) = name.expect("valid") {
                let all = map.into_iter().map(|naming| naming.expect("valid").name);
                names.extend(all.map(str::to_owned));
            }
        }
    }
    names
}

const AUDIT: &str = "package runner:audit@0.1.0;
    interface audit-log {
        record entry { text: string, at: u64 }
        append: func(entry: entry) -> result<_, string>;
        count: func() -> u32;
    }
    world client { import audit-log; export run: func(); }";

#[test]
fn stub_functions_have_the_names_of_their_calls() {
    let stub = of_wit(&["runner:audit/audit-log"], AUDIT);
    assert_eq!(exports(&stub), ["runner:audit/audit-log@0.1.0"]);
    assert_eq!(imports(&stub), Vec::<&str>::new());
    assert_eq!(
        function_names(stub.bytes()),
        [
            "runner:audit/audit-log@0.1.0#append",
            "runner:audit/audit-log@0.1.0#count",
            "stub: allocate",
            "stub: runner:audit/audit-log@0.1.0#append is not implemented",
            "stub: runner:audit/audit-log@0.1.0#count is not implemented",
        ]
    );
}

#[test]
fn stub_for_a_component_needs_no_wit() {
    let client = component("client", AUDIT);
    let stub = of_imports(&["runner:audit/audit-log"], &client);
    let linked = composed(&client, stub);
    assert_eq!(linked.composition.imports, []);
    let names = function_names(&linked.bytes);
    assert!(
        names.contains(&"stub: runner:audit/audit-log@0.1.0#append is not implemented".to_owned())
    );
}

#[test]
fn a_stub_of_numeric_functions_has_no_memory() {
    let stub = of_wit(
        &["t:t/numbers@1.2.3"],
        "package t:t@1.2.3; interface numbers { add: func(a: u32, b: f64) -> s64; }",
    );
    assert_eq!(memories(&stub), Vec::<u64>::new());
}

#[test]
fn the_memory_of_a_stub_is_empty_before_the_first_call() {
    let stub = of_wit(&["runner:audit/audit-log"], AUDIT);
    assert_eq!(memories(&stub), [0]);
}

#[test]
fn a_stub_satisfies_resources() {
    let stub = of_wit(
        &["t:t/files"],
        "package t:t; interface files {
            resource file {
                constructor(path: string);
                open: static func(path: string) -> result<file, string>;
                read: func(length: u64) -> list<u8>;
                join: func(other: borrow<file>, rest: list<file>);
            } }",
    );
    assert_eq!(
        function_names(stub.bytes()),
        [
            "t:t/files#[constructor]file",
            "t:t/files#[static]file.open",
            "t:t/files#[method]file.read",
            "t:t/files#[method]file.join",
            "t:t/files#[dtor]file",
            "stub: allocate",
            "stub: t:t/files#[constructor]file is not implemented",
            "stub: t:t/files#[static]file.open is not implemented",
            "stub: t:t/files#[method]file.read is not implemented",
            "stub: t:t/files#[method]file.join is not implemented",
            "stub: t:t/files#[dtor]file is not implemented",
        ]
    );
}

#[test]
fn used_interfaces_are_imported_unless_stubbed() {
    let types = standard(&["wasi:http/types"]);
    assert_eq!(exports(&types), ["wasi:http/types@0.2.12"]);
    assert_eq!(
        imports(&types),
        [
            "wasi:io/poll@0.2.12",
            "wasi:clocks/monotonic-clock@0.2.12",
            "wasi:io/error@0.2.12",
            "wasi:io/streams@0.2.12",
        ]
    );
}

#[test]
fn stubbed_interfaces_are_not_imported() {
    let all = [
        "wasi:http/types",
        "wasi:io/streams@0.2.12",
        "wasi:io/poll",
        "wasi:io/error",
        "wasi:io/error",
        "wasi:clocks/monotonic-clock",
    ];
    let stub = standard(&all);
    assert_eq!(imports(&stub), Vec::<&str>::new());
    assert_eq!(stub.exports().count(), 5);
}

#[test]
fn every_standard_interface_can_be_stubbed() {
    let all = [
        "wasi:cli/environment",
        "wasi:cli/exit",
        "wasi:cli/run",
        "wasi:cli/stdin",
        "wasi:cli/stdout",
        "wasi:cli/terminal-stdin",
        "wasi:clocks/wall-clock",
        "wasi:filesystem/types",
        "wasi:filesystem/preopens",
        "wasi:http/incoming-handler",
        "wasi:http/outgoing-handler",
        "wasi:io/poll",
        "wasi:io/streams",
        "wasi:random/random",
        "wasi:sockets/network",
        "wasi:sockets/tcp",
        "wasi:sockets/udp",
    ];
    for interface in all {
        let stub = standard(&[interface]);
        assert_eq!(exports(&stub), [format!("{interface}@0.2.12")]);
    }
}

#[test]
fn a_stub_satisfies_async_functions() {
    let wit = "package t:t@0.3.0; interface files {
        resource file { read: async func(at: u64) -> stream<u8>; }
        flush: async func(text: string) -> result<_, string>;
        done: func() -> future<result<u32>>; }
        world app { import files; }";
    let stub = of_wit(&["t:t/files"], wit);
    assert_eq!(
        function_names(stub.bytes()),
        [
            "t:t/files@0.3.0#[method]file.read",
            "t:t/files@0.3.0#flush",
            "t:t/files@0.3.0#done",
            "t:t/files@0.3.0#[dtor]file",
            "stub: allocate",
            "stub: t:t/files@0.3.0#[method]file.read is not implemented",
            "stub: t:t/files@0.3.0#flush is not implemented",
            "stub: t:t/files@0.3.0#done is not implemented",
            "stub: t:t/files@0.3.0#[dtor]file is not implemented",
        ]
    );
    let app = component("app", wit);
    assert_eq!(composed(&app, stub).composition.imports, []);
}

#[test]
fn an_interface_of_types_only_can_be_stubbed() {
    let stub = of_wit(
        &["t:t/types"],
        "package t:t; interface types { record r { a: u8 } }",
    );
    assert_eq!(exports(&stub), ["t:t/types"]);
}

#[test]
fn interface_names_may_be_wit_keywords() {
    let wit = "package %use:%interface; interface %type { %func: func(); }";
    assert_eq!(
        exports(&of_wit(&["use:interface/type"], wit)),
        ["use:interface/type"]
    );
}

#[test]
fn unknown_interface_lists_similar_ones() {
    assert_eq!(
        error(&["wasi:random/random@0.4.0"], AUDIT).to_string(),
        "unknown interface `wasi:random/random@0.4.0`; defined interfaces: \
         `wasi:random/random@0.2.12`"
    );
    assert_eq!(
        error(&["wasi:io/random"], AUDIT).to_string(),
        "unknown interface `wasi:io/random`; defined interfaces: `wasi:random/random@0.2.12`"
    );
    assert_eq!(
        error(&["wasi:io/stream"], AUDIT).to_string(),
        "unknown interface `wasi:io/stream`; defined interfaces: `wasi:io/error@0.2.12`, \
         `wasi:io/poll@0.2.12`, `wasi:io/streams@0.2.12`"
    );
}

#[test]
fn stub_for_rejects_an_interface_that_is_not_imported() {
    let client = component("client", AUDIT);
    let error = stub(&names(&["log"]), StubSource::ImportsOf(&client)).expect_err("no stub");
    assert_eq!(
        error.to_string(),
        "unknown interface `log`; defined interfaces: `runner:audit/audit-log@0.1.0`"
    );
    let alone = Component::new("alone", from_wat("(component)")).expect("a component");
    let error = stub(&names(&["log"]), StubSource::ImportsOf(&alone)).expect_err("no stub");
    assert_eq!(
        error.to_string(),
        "unknown interface `log`; no interfaces are defined"
    );
}

#[test]
fn a_name_without_version_must_be_unambiguous() {
    let two = "package t:t;
        package t:log@0.1.0 { interface log { a: func(); } }
        package t:log@0.2.0 { interface log { a: func(); } }";
    assert_eq!(
        error(&["t:log/log"], two).to_string(),
        "ambiguous interface `t:log/log`: `t:log/log@0.1.0`, `t:log/log@0.2.0`; name \
         one with its version"
    );
    assert_eq!(
        exports(&of_wit(&["t:log/log@0.2.0"], two)),
        ["t:log/log@0.2.0"]
    );
    let both = of_wit(&["t:log/log@0.2.0", "t:log/log@0.1.0"], two);
    assert_eq!(exports(&both), ["t:log/log@0.1.0", "t:log/log@0.2.0"]);
}

#[test]
fn stub_requires_an_interface() {
    assert_eq!(
        error(&[], AUDIT).to_string(),
        "no interface is named; name one such as `wasi:random/random`"
    );
}

#[test]
fn an_interface_between_two_stubbed_ones_is_required() {
    let error = error(&["wasi:io/poll", "wasi:http/types"], AUDIT);
    assert_eq!(
        error.to_string(),
        "a stubbed interface uses `wasi:clocks/monotonic-clock@0.2.12`, `wasi:io/streams@0.2.12`, which uses a stubbed interface itself; name it as well"
    );
}

#[test]
fn stub_is_deterministic() {
    let some = [
        "wasi:http/types",
        "wasi:clocks/monotonic-clock",
        "wasi:io/poll",
        "wasi:io/streams",
        "wasi:io/error",
    ];
    let mut reversed = some;
    reversed.reverse();
    assert_eq!(standard(&some).bytes(), standard(&reversed).bytes());
}

/// The initial pages of each memory.
fn memories(component: &Component) -> Vec<u64> {
    let mut pages = Vec::new();
    for payload in Parser::new(0).parse_all(component.bytes()) {
        if let Payload::MemorySection(section) = payload.expect("valid") {
            pages.extend(
                section
                    .into_iter()
                    .map(|memory| memory.expect("valid").initial),
            );
        }
    }
    pages
}

#[test]
fn stub_for_supports_older_wasi_versions() {
    let wit = "package t:t; world app { import wasi:io/streams@0.2.6; }
        package wasi:io@0.2.6 {
            interface poll { resource pollable; }
            interface streams { use poll.{pollable};
                resource input-stream { subscribe: func() -> pollable; } } }";
    let app = Component::new("app", from_wit(wit)).expect("a component");
    let stub = of_imports(&["wasi:io/streams", "wasi:io/poll"], &app);
    assert_eq!(
        exports(&stub),
        ["wasi:io/poll@0.2.6", "wasi:io/streams@0.2.6"]
    );
    assert_eq!(composed(&app, stub).composition.imports, []);
}

/// The error for a function of the last type of a chain of `count` types.
fn error_of_types(count: usize, next: impl Fn(usize) -> String) -> String {
    let types: Vec<String> = (1..count)
        .map(|i| format!("type a{i} = {};\n", next(i - 1)))
        .collect();
    let types = types.concat();
    let last = count - 1;
    let function = format!("f: func(a: a{last}) -> a{last};");
    let wit = format!("package t:w; interface i {{ type a0 = u8; {types} {function} }}");
    error_chain(&error(&["t:w/i"], &wit))
}

#[test]
fn types_nested_more_than_100_levels_are_rejected() {
    for begin in ["list<", "tuple<", "tuple<u8, "] {
        assert_eq!(
            error_of_types(20_000, |i| format!("{begin}a{i}>")),
            "invalid WIT: the type `a99` is nested more than 100 levels deep"
        );
    }
}

#[test]
fn types_of_more_than_1000000_types_are_rejected() {
    assert_eq!(
        error_of_types(64, |i| format!("tuple<a{i}, a{i}>")),
        "invalid WIT: the type `a19` consists of more than 1000000 types"
    );
}
