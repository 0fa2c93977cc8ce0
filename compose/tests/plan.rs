//! Plans as data: serialization, changes, checks, and encoding.

mod support;

use compose::{
    Class, Code, Component, Export, LinkOptions, Plan, PlannedComponent, Severity, Wire, link,
};
use pretty_assertions::assert_eq;
use support::component;

const INTERFACES: &str = "
    package t:parts@0.1.0 {
      interface words { next: func() -> string; }
      interface log { line: func(text: string); }
    }
    package t:later@0.1.0 { interface words { next: async func() -> string; } }
    package t:app@0.1.0 { interface run { run: func(); } }
";

fn part(name: &str, world: &str) -> Component {
    let wit = format!("package t:test; world test {{ {world} }} {INTERFACES}");
    component(name, &wit)
}

fn root() -> Component {
    part(
        "root",
        "import t:parts/words@0.1.0; import t:parts/log@0.1.0; export t:app/run@0.1.0;",
    )
}

fn words(name: &str) -> Component {
    part(
        name,
        "import t:parts/log@0.1.0; export t:parts/words@0.1.0;",
    )
}

fn components() -> [Component; 2] {
    [root(), words("words")]
}

fn plan() -> Plan {
    link(&root(), &[words("words")], &LinkOptions::default()).expect("fits")
}

/// The codes of the findings for a plan after `change`.
fn codes(change: impl FnOnce(&mut Plan)) -> Vec<Code> {
    let mut plan = plan();
    change(&mut plan);
    let report = plan.check(&components());
    report.diagnostics.iter().map(|found| found.code).collect()
}

#[test]
fn a_plan_round_trips_through_json() {
    let text = serde_json::to_string(&plan()).expect("JSON");
    let read: Plan = serde_json::from_str(&text).expect("a plan");
    assert_eq!(read, plan());
    let composed = |plan: &Plan| plan.encode(&components()).expect("fits").bytes;
    assert_eq!(composed(&read), composed(&plan()));
}

#[test]
fn plan_composition_equals_the_encoded_composition() {
    let expected = plan().composition(&components()).expect("all are there");
    assert_eq!(
        plan().encode(&components()).expect("fits").composition,
        expected
    );
}

#[test]
fn check_of_a_valid_plan_has_no_findings() {
    assert_eq!(codes(|_| {}), []);
}

#[test]
fn unknown_component_names_the_missing_component() {
    let report = plan().check(&[root()]);
    assert_eq!(report.diagnostics[0].code, Code::UnknownComponent);
    assert_eq!(report.diagnostics[0].candidates, ["root"]);
}

#[test]
fn changed_part_rejects_another_digest() {
    let other = part("words", "export t:parts/words@0.1.0;");
    let report = plan().check(&[root(), other]);
    assert_eq!(report.diagnostics[0].code, Code::ChangedPart);
    let mut careless = plan();
    for component in &mut careless.components {
        component.sha256 = None;
    }
    let other = part("words", "export t:parts/words@0.1.0;");
    assert_eq!(careless.check(&[root(), other]).diagnostics, []);
}

#[test]
fn missing_import_and_missing_export_are_reported_for_wires() {
    let wire = |importer: &str, import: &str, provider: &str, export: &str| Wire {
        importer: importer.to_owned(),
        import: import.to_owned(),
        provider: provider.to_owned(),
        export: export.to_owned(),
    };
    let with = |wire: Wire| codes(|plan| plan.wires.push(wire));
    let words = "t:parts/words@0.1.0";
    assert_eq!(
        with(wire("unknown", words, "words", words)),
        [Code::UnknownComponent]
    );
    assert_eq!(
        with(wire("root", "t:parts/none", "words", words)),
        [Code::MissingImport]
    );
    assert_eq!(
        with(wire(
            "root",
            "t:parts/log@0.1.0",
            "words",
            "t:parts/log@0.1.0"
        )),
        [Code::MissingExport]
    );
    assert_eq!(
        with(wire("root", words, "words", words)),
        [Code::AmbiguousProvider]
    );
}

#[test]
fn unknown_providers_and_duplicate_exports_are_reported() {
    let export = Export {
        name: "t:app/run@0.1.0".to_owned(),
        provider: "words".to_owned(),
        export: "t:app/run@0.1.0".to_owned(),
    };
    assert_eq!(
        codes(|plan| plan.exports.push(export)),
        [Code::MissingExport, Code::DuplicateName]
    );
}

#[test]
fn unused_part_is_a_warning_in_a_plan() {
    let mut plan = plan();
    plan.wires.clear();
    let composed = plan.encode(&components()).expect("it can be made");
    let warning = &composed.report.diagnostics[0];
    assert_eq!(
        (warning.severity, warning.code),
        (Severity::Warning, Code::UnusedPart)
    );
    assert_eq!(composed.composition.nodes.len(), 2);
}

#[test]
fn components_with_equal_bytes_are_embedded_once() {
    let front = part(
        "front",
        "import t:parts/words@0.1.0; export t:app/run@0.1.0;",
    );
    let twice = |second: &Component| {
        let root = part(
            "root",
            "import t:parts/words@0.1.0; export t:app/run@0.1.0;",
        );
        let components = [
            root,
            words("a"),
            words("b"),
            Component::new("front", front.bytes()).expect("valid"),
        ];
        let wire = |importer: &str, provider: &str| Wire {
            importer: importer.to_owned(),
            import: "t:parts/words@0.1.0".to_owned(),
            provider: provider.to_owned(),
            export: "t:parts/words@0.1.0".to_owned(),
        };
        let plan = Plan {
            name: "twice".to_owned(),
            components: components.iter().map(PlannedComponent::new).collect(),
            wires: vec![wire("root", "a"), wire("front", second.name())],
            exports: vec![Export {
                name: "t:app/run@0.1.0".to_owned(),
                provider: "root".to_owned(),
                export: "t:app/run@0.1.0".to_owned(),
            }],
        };
        plan.encode(&components).expect("fits")
    };
    let composed = twice(&words("b"));
    assert_eq!(composed.composition.nodes.len(), 4);
    let parts: usize = [
        root().bytes().len(),
        front.bytes().len(),
        2 * words("a").bytes().len(),
    ]
    .iter()
    .sum();
    assert!(composed.bytes.len() < parts + words("a").bytes().len() * 2);
    let embedded = composed
        .bytes
        .windows(words("a").bytes().len())
        .filter(|window| *window == words("a").bytes());
    assert_eq!(embedded.count(), 1);
}

#[test]
fn prefer_selects_the_provider() {
    let parts = [words("a"), words("b")];
    let undecided = link(&root(), &parts, &LinkOptions::default()).expect_err("undecided");
    let error = undecided.first_error().expect("an error");
    assert_eq!(error.code.class(), Class::Ambiguous);
    assert_eq!(error.importer.as_deref(), Some("root"));
    assert_eq!(error.interface.as_deref(), Some("t:parts/words@0.1.0"));
    assert_eq!(error.candidates, ["a", "b"]);

    let prefer = |interface: &str| LinkOptions {
        prefer: [(interface.to_owned(), "b".to_owned())].into(),
        ..LinkOptions::default()
    };
    for interface in ["t:parts/words", "t:parts/words@0.1.0"] {
        let plan = link(&root(), &parts, &prefer(interface)).expect("decided");
        assert_eq!(plan.wires[0].provider, "b");
    }
    let unknown = link(&root(), &parts, &prefer("t:parts/log")).expect_err("b has no log");
    assert_eq!(unknown.diagnostics[0].code, Code::MissingExport);
}

#[test]
fn every_ambiguous_provider_is_reported() {
    let log = |name| part(name, "export t:parts/log@0.1.0;");
    let parts = [words("a"), words("b"), log("c"), log("d")];
    let report = link(&root(), &parts, &LinkOptions::default()).expect_err("undecided");
    let interfaces: Vec<&str> = report
        .diagnostics
        .iter()
        .filter_map(|found| found.interface.as_deref())
        .collect();
    assert_eq!(interfaces, ["t:parts/words@0.1.0", "t:parts/log@0.1.0"]);
}

#[test]
fn async_mismatch_is_reported() {
    let root = part(
        "root",
        "import t:parts/words@0.1.0; export t:app/run@0.1.0;",
    );
    let late = part("late", "export t:later/words@0.1.0;");
    let mut plan = link(&root, &[], &LinkOptions::default()).expect("fits");
    plan.components.push(PlannedComponent::new(&late));
    plan.wires.push(Wire {
        importer: "root".to_owned(),
        import: "t:parts/words@0.1.0".to_owned(),
        provider: "late".to_owned(),
        export: "t:later/words@0.1.0".to_owned(),
    });
    let report = plan.check([&root, &late]);
    assert_eq!(report.diagnostics[0].code, Code::AsyncMismatch);
    assert!(
        report.diagnostics[0]
            .reason
            .contains("expected `next: func() -> string`, found `next: async func() -> string`"),
        "{report}"
    );
}

#[test]
fn codes_are_in_kebab_case() {
    assert_eq!(Code::AmbiguousProvider.to_string(), "ambiguous-provider");
    let report = plan().check(&[root()]);
    let json = serde_json::to_value(&report).expect("JSON");
    assert_eq!(json["diagnostics"][0]["code"], "unknown-component");
    assert_eq!(json["diagnostics"][0]["severity"], "error");
}
