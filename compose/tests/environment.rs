//! The component that exports `wasi:cli/environment`.

mod support;

use compose::{Component, EnvironmentError, environment, environment_for};
use pretty_assertions::assert_eq;
use support::{component, linked};
use test_components::{nested_wasi, nested_wasi_0_3};
use wasmparser::{DataKind, Operator, Parser, Payload};

/// The memory of the only core module, and the results of its functions.
struct Core {
    memory: Vec<u8>,
    memory_size_pages: u64,
    results: Vec<usize>,
}

/// Reads the core module like a host that has called its functions: each returns a constant.
fn core(component: &[u8]) -> Core {
    let mut core = Core {
        memory: Vec::new(),
        memory_size_pages: 0,
        results: Vec::new(),
    };
    for payload in Parser::new(0).parse_all(component) {
        match payload.expect("valid") {
            Payload::MemorySection(section) => {
                let memory = section.into_iter().next().expect("a memory");
                core.memory_size_pages = memory.expect("valid").initial;
            }
            Payload::DataSection(section) => {
                let data = section.into_iter().next().expect("data").expect("valid");
                assert!(matches!(data.kind, DataKind::Active { .. }));
                core.memory = data.data.to_vec();
            }
            Payload::CodeSectionEntry(body) => {
                let mut operators = body.get_operators_reader().expect("valid");
                let Ok(Operator::I32Const { value }) = operators.read() else {
                    panic!("expected a constant");
                };
                core.results
                    .push(usize::try_from(value).expect("an address"));
            }
            _ => {}
        }
    }
    core
}

impl Core {
    fn u32_at(&self, address: usize) -> usize {
        let bytes = self.memory[address..address + 4]
            .try_into()
            .expect("4 bytes");
        usize::try_from(u32::from_le_bytes(bytes)).expect("fits")
    }

    fn string_at(&self, address: usize) -> String {
        let start = self.u32_at(address);
        let bytes = &self.memory[start..start + self.u32_at(address + 4)];
        String::from_utf8(bytes.to_vec()).expect("UTF-8")
    }

    /// The result of `get-environment`.
    fn variables(&self) -> Vec<(String, String)> {
        let list = self.results[0];
        let (first, length) = (self.u32_at(list), self.u32_at(list + 4));
        (0..length)
            .map(|index| first + index * 16)
            .map(|pair| (self.string_at(pair), self.string_at(pair + 8)))
            .collect()
    }
}

fn variables(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn get_environment_returns_the_variables_in_order() {
    let expected = variables(&[("SHIFT_AMOUNT", "5"), ("EMPTY", ""), ("Ä", "日本 = 語")]);
    let bytes = environment(expected.clone()).expect("fits");
    assert_eq!(core(&bytes).variables(), expected);
}

#[test]
fn get_arguments_and_initial_cwd_are_empty() {
    let bytes = environment([("A", "1")]).expect("fits");
    let core = core(&bytes);
    let (arguments, working_directory) = (core.results[1], core.results[2]);
    assert_eq!(core.u32_at(arguments + 4), 0);
    assert_eq!(core.memory[working_directory], 0);
}

#[test]
fn environment_exports_one_interface_and_has_no_imports() {
    let bytes = environment(Vec::<(String, String)>::new()).expect("fits");
    assert_eq!(core(&bytes).variables(), []);
    let component = Component::new("env", bytes).expect("a component");
    assert_eq!(component.imports().count(), 0);
    let exports: Vec<&str> = component.exports().collect();
    assert_eq!(exports, ["wasi:cli/environment@0.2.12"]);
}

/// A component that imports the environments of these versions.
fn importer(versions: &[&str]) -> Component {
    let imports = versions
        .iter()
        .map(|version| format!("import wasi:cli/environment@{version};"));
    let imports: String = imports.collect();
    let wasi = nested_wasi() + &nested_wasi_0_3();
    component(
        "app",
        &format!("package t:app; world app {{ {imports} export run: func(); }} {wasi}"),
    )
}

#[test]
fn environment_for_exports_the_releases_that_are_imported() {
    let (of_0_2, of_0_3) = ("wasi:cli/environment@0.2.12", "wasi:cli/environment@0.3.0");
    for (imported, expected) in [
        (&[][..], &[of_0_2][..]),
        (&["0.2.12"], &[of_0_2]),
        (&["0.3.0"], &[of_0_3]),
        (&["0.2.12", "0.3.0"], &[of_0_2, of_0_3]),
    ] {
        let app = importer(imported);
        let bytes = environment_for([("A", "1")], [&app]).expect("fits");
        let core = core(&bytes);
        assert_eq!(core.variables(), variables(&[("A", "1")]));
        // The functions of each interface return the same addresses.
        for results in core.results.chunks(3) {
            assert_eq!(results, &core.results[..3]);
        }
        let environment = Component::new("env", bytes).expect("a component");
        let exports: Vec<&str> = environment.exports().collect();
        assert_eq!(exports, expected);
        if !imported.is_empty() {
            let composed = linked(&app, &[environment]).expect("fits");
            assert_eq!(composed.composition.host_imports, [""; 0]);
        }
    }
}

#[test]
fn environment_without_importers_is_that_of_0_2() {
    let none: [&Component; 0] = [];
    assert_eq!(
        environment_for([("A", "1")], none).expect("fits"),
        environment([("A", "1")]).expect("fits")
    );
}

#[test]
fn link_of_an_environment_of_the_other_release_names_env_for() {
    let bytes = environment([("A", "1")]).expect("fits");
    let environment = Component::new("env", bytes).expect("a component");
    let report = linked(&importer(&["0.3.0"]), &[environment]).expect_err("does not fit");
    assert_eq!(
        report.to_string(),
        "error[version-track]: `app` imports `wasi:cli/environment@0.3.0`, and `env` exports \
         `wasi:cli/environment@0.2.12`, which is on another version track and not compatible; \
         generate the environment with `component-compose env --for` and the importer"
    );
}

#[test]
fn the_memory_of_environment_fits_the_variables() {
    let small = environment([("A", "1")]).expect("fits");
    assert_eq!(core(&small).memory_size_pages, 1);
    let large = environment([("A", "x".repeat(200_000))]).expect("fits");
    assert_eq!(core(&large).memory_size_pages, 4);
    assert_eq!(core(&large).variables()[0].1.len(), 200_000);
}

#[test]
fn invalid_variables_are_rejected() {
    let message = |list: &[(&str, &str)]| -> String {
        let error: EnvironmentError = environment(variables(list)).expect_err("bad");
        error.to_string()
    };
    assert_eq!(
        message(&[("", "x")]),
        "the variable with the value `x` has an empty name"
    );
    assert_eq!(
        message(&[("A=B", "x")]),
        "the name of the variable `A=B` contains `=`"
    );
    assert_eq!(
        message(&[("A", "x\0y")]),
        "the variable `A` contains a NUL byte"
    );
    assert_eq!(
        message(&[("A\0", "x")]),
        "the variable `A\\u{0}` contains a NUL byte"
    );
    assert_eq!(
        message(&[("A", "x"), ("B", "y"), ("A", "z")]),
        "duplicate variable `A`"
    );
}
