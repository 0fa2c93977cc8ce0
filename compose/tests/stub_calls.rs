//! Calls to the functions of a stub, in an interpreter.

use compose::{Component, StubSource, stub};
use pretty_assertions::assert_eq;
use wasmi::{Engine, Instance, Linker, Module, Store, TrapCode};
use wasmparser::{Parser, Payload};

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn texts(text: &str) -> Vec<(String, String)> {
    vec![("api.wit".to_owned(), text.to_owned())]
}

fn of_wit(interfaces: &[&str], wit: &str) -> Component {
    let texts = texts(wit);
    let bytes = stub(&names(interfaces), StubSource::Wit(&texts)).expect("a stub");
    Component::new("stub", bytes).expect("a valid component")
}

const AUDIT: &str = "package runner:audit@0.1.0;
    interface audit-log {
        record entry { text: string, at: u64 }
        append: func(entry: entry) -> result<_, string>;
        count: func() -> u32;
    }
    world client { import audit-log; export run: func(); }";

fn size(number: impl TryInto<usize>) -> usize {
    number.try_into().unwrap_or_else(|_| panic!("in bounds"))
}

/// An instance of the only core module of a component.
fn run_module(component: &Component) -> (Store<()>, Instance) {
    let bytes = component.bytes();
    let mut payloads = Parser::new(0).parse_all(bytes);
    let range = payloads.find_map(|payload| match payload.expect("valid") {
        Payload::ModuleSection {
            unchecked_range, ..
        } => Some(size(unchecked_range.start)..size(unchecked_range.end)),
        _ => None,
    });
    let engine = Engine::default();
    let module = Module::new(&engine, &bytes[range.expect("a module")]).expect("a module");
    let mut store = Store::new(&engine, ());
    let instance = Linker::new(&engine).instantiate_and_start(&mut store, &module);
    (store, instance.expect("it imports nothing"))
}

#[test]
fn a_call_with_a_string_traps_in_the_stubbed_function() {
    let stub = of_wit(&["runner:audit/audit-log"], AUDIT);
    let (mut store, instance) = run_module(&stub);
    let memory = instance.get_memory(&store, "memory").expect("a memory");
    let allocate = instance
        .get_typed_func::<(i32, i32, i32, i32), i32>(&store, "cabi_realloc")
        .expect("an allocator");
    let text = allocate.call(&mut store, (0, 0, 1, 5)).expect("an address");
    memory
        .write(&mut store, size(text), b"hello")
        .expect("in bounds");

    let moved = allocate
        .call(&mut store, (text, 5, 8, 200_000))
        .expect("an address");
    assert!(moved >= text + 5 && moved % 8 == 0, "{moved}");
    let bytes = &memory.data(&store)[size(moved)..];
    assert_eq!(&bytes[..5], b"hello");
    assert!(bytes.len() >= 200_000);

    let append = instance
        .get_typed_func::<(i32, i32, i64), i32>(&store, "runner:audit/audit-log@0.1.0#append")
        .expect("a function");
    let trap = append.call(&mut store, (text, 5, 0)).expect_err("a trap");
    assert_eq!(trap.as_trap_code(), Some(TrapCode::UnreachableCodeReached));
    let too_large = allocate.call(&mut store, (0, 0, 1, -1));
    too_large.expect_err("more than there can be");
}
