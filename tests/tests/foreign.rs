//! Components of other toolchains (`foreign/`): the answers of each, or the reason of its refusal.
//! Those for WASI 0.3 are in `foreign_wasi_0_3`.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use end_to_end::TestHost;
use end_to_end::artifacts::{self, program};
use end_to_end::client::{Request, Response};
use end_to_end::guests::{Guest, assemble};
use end_to_end::process::Process;

/// The expectation on a component.
enum Expected {
    /// It is served, and answers these requests (method, path, body) with these texts.
    Served(&'static [(&'static str, &'static str, &'static str, &'static str)]),
    /// It is refused in a line with all these parts.
    Refused(&'static [&'static str]),
}

/// Timeout of compiling a language engine next to other tests.
pub(crate) const COMPILING: Duration = Duration::from_mins(5);

use Expected::{Refused, Served};

const PYTHON: Expected = Served(&[("POST", "/orders", "tea", "POST /orders: tea")]);

/// The component of this name, if it was built.
pub(crate) fn built(name: &str) -> Option<PathBuf> {
    let path = artifacts::foreign(name);
    if path.is_none() {
        eprintln!("skipped: the component `{name}` is not built; run `make foreign`");
    }
    path
}

/// A component with these fields of a module in WAT, of which `$value` computes the answer.
fn by_hand(fields: &str) -> Guest {
    Guest::of(assemble("proposal", |source| {
        source.replace(";; FIELDS", fields)
    }))
}

#[track_caller]
fn check(component: PathBuf, expected: &Expected) {
    match expected {
        Served(requests) => {
            let host = TestHost::serve(component).start_within(COMPILING);
            for &(method, path, body, text) in *requests {
                let mut request = Request::new(method, path);
                if !body.is_empty() {
                    request = request
                        .header("content-type", "application/json")
                        .body(body);
                }
                let response: Response = host.send(&request);
                assert_eq!((response.status, &*response.text()), (200, text), "{path}");
            }
        }
        Refused(parts) => {
            let finished = TestHost::serve(component).fail();
            let stderr = finished.stderr;
            assert_eq!(finished.code, Some(1), "{stderr}");
            let errors: Vec<_> = stderr
                .lines()
                .filter(|line| line.starts_with("error: "))
                .collect();
            assert_eq!(errors.len(), 1, "{stderr}");
            for part in *parts {
                assert!(errors[0].contains(part), "`{part}` is not in: {stderr}");
            }
        }
    }
}

/// A test for each component that `make foreign` builds.
macro_rules! foreign {
    ($($name:ident: $expected:expr,)*) => {
        $(
            #[test]
            fn $name() {
                if let Some(component) = built(stringify!($name)) {
                    check(component, &$expected);
                }
            }
        )*
    };
}

/// A test for each component in WAT.
macro_rules! by_hand {
    ($($name:ident: $fields:literal => $expected:expr,)*) => {
        $(
            #[test]
            fn $name() {
                check(by_hand($fields).path(), &$expected);
            }
        )*
    };
}

foreign! {
    axum: Served(&[
        ("GET", "/", "", "hello from axum"),
        ("GET", "/items/a%20b", "", "a b"),
        ("POST", "/orders", r#"{"item":"tea","count":2}"#, r#"{"item":"tea","count":2}"#),
    ]),
    waki: Served(&[("POST", "/", "tea", "waki: tea")]),
    wstd: Served(&[("GET", "/a/b", "", "wstd: /a/b")]),
    fetch: Served(&[
        ("POST", "/orders", "tea", r#"{"method":"POST","path":"/orders","body":"tea"}"#),
    ]),
    hono: Served(&[
        ("GET", "/", "", "hello from hono"),
        ("GET", "/items/a%20b", "", "a b"),
        ("POST", "/orders", r#"{"item":"tea"}"#, r#"{"item":"tea"}"#),
    ]),
    python: PYTHON,
    middleware: Refused(&[
        "this is a middleware",
        "`wasi:http/incoming-handler@0.2.12`",
        "component-compose chain --on wasi:http/incoming-handler",
    ]),
    command: Refused(&["this is a command", "`wasi:cli/run@0.2.", "`wasmtime run`"]),
    module: Refused(&["core module, not a component", "wasm32-wasip2"]),
}

by_hand! {
    exceptions: "
        (tag $e (param i32))
        (func $raise (param $n i32) (throw $e (local.get $n)))
        (func $value (param $n i32) (result i32)
          (block $caught (result i32)
            (try_table (catch $e $caught) (call $raise (local.get $n)))
            (i32.const 0)))" => Served(&[("GET", "/1234567", "", "00000008")]),
    externref_tables: "
        (table $references 8 externref)
        (func $value (param $n i32) (result i32)
          (table.set $references (i32.const 3) (table.get $references (i32.const 1)))
          (i32.add (local.get $n) (table.size $references)))" =>
        Served(&[("GET", "/1234567", "", "00000010")]),
    async_functions: "
        (func $value (param $n i32) (result i32) (local.get $n))
        (export \"value\" (func $value)))
        (core func (canon waitable-set.new))
        (core module $unused (func $value)" => Served(&[("GET", "/1234567", "", "00000008")]),
    several_memories: "
        (memory $other 1)
        (func $value (param $n i32) (result i32)
          (i32.store $other (i32.const 0) (local.get $n))
          (i32.load $other (i32.const 0)))" => Served(&[("GET", "/1234567", "", "00000008")]),
}

#[test]
fn fused_python_is_served_as_python_is() {
    let Some(component) = built("python") else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let fused = folder.path().join("fused.wasm");
    let mut command = Command::new(program("component-compose"));
    command.arg("fuse").arg(component).arg("-o").arg(&fused);
    let finished = Process::start(&mut command).finish();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    check(fused, &PYTHON);
}
