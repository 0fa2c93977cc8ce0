//! `chain`, `extract`, `swap`, `diff` and `verify`.

mod support;

use compose::{
    Code, Component, Composed, Composition, LinkOptions, Report, chain, decompose, deny_imports,
    diff, extract, inspect, swap, verify,
};
use pretty_assertions::assert_eq;
use support::{component, linked};

const INTERFACES: &str = "
    package t:http@0.2.1 {
      interface types { resource request { path: func() -> string; } }
      interface handler { use types.{request}; handle: func(request: request); }
    }
    package t:parts@0.1.0 {
      interface log { line: func(text: string); }
      interface clock { now: func() -> u64; }
      interface admin { reset: func(); }
    }
";

fn part(name: &str, world: &str) -> Component {
    let wit = format!("package t:test; world test {{ {world} }} {INTERFACES}");
    component(name, &wit)
}

fn app() -> Component {
    part(
        "app",
        "import t:parts/log@0.1.0; export t:http/handler@0.2.1; export t:parts/admin@0.1.0;",
    )
}

fn middleware(name: &str) -> Component {
    let further = if name == "gate" {
        "import t:parts/clock@0.1.0;"
    } else {
        ""
    };
    part(
        name,
        &format!("import t:http/handler@0.2.1; {further} export t:http/handler@0.2.1;"),
    )
}

fn log(name: &str) -> Component {
    part(name, "export t:parts/log@0.1.0;")
}

fn chained(middlewares: &[Component]) -> Composed {
    chained_with(middlewares, &["t:parts/admin".to_owned()]).expect("fits")
}

fn chained_with(middlewares: &[Component], also_export: &[String]) -> Result<Composed, Report> {
    let app = app();
    let parts = [log("log")];
    let options = LinkOptions {
        also_export: also_export.to_vec(),
        ..LinkOptions::default()
    };
    let plan = chain("t:http/handler", middlewares, &app, &parts, &options)?;
    let components = middlewares.iter().chain(&parts).chain([&app]);
    plan.encode(components)
}

/// The app with a logger and a gate in front of it.
fn composition() -> Component {
    let composed = chained(&[middleware("gate"), middleware("logger")]);
    Component::new("app", composed.bytes).expect("valid")
}

fn wires(composition: &Composition) -> Vec<String> {
    composition.wires.iter().map(ToString::to_string).collect()
}

#[test]
fn chain_wires_middlewares_in_the_given_order() {
    let composed = chained(&[middleware("gate"), middleware("logger")]);
    assert_eq!(
        wires(&composed.composition),
        [
            "gate -- t:http/handler@0.2.1 --> logger",
            "logger -- t:http/handler@0.2.1 --> app",
            "app -- t:parts/log@0.1.0 --> log",
        ]
    );
    let exports: Vec<(&str, &str)> = composed
        .composition
        .exports
        .iter()
        .map(|export| (export.name.as_str(), export.provider.as_str()))
        .collect();
    assert_eq!(
        exports,
        [
            ("t:http/handler@0.2.1", "gate"),
            ("t:parts/admin@0.1.0", "app")
        ]
    );
    assert_ne!(
        composed.bytes,
        chained(&[middleware("logger"), middleware("gate")]).bytes
    );
}

#[test]
fn also_export_exports_from_the_app_past_the_middlewares() {
    let exports = |also_export: &[&str]| {
        let also_export: Vec<String> = also_export.iter().map(ToString::to_string).collect();
        let composed = chained_with(&[middleware("gate")], &also_export)?;
        let exports = composed.composition.exports.into_iter();
        Ok(exports.map(|export| export.name).collect())
    };
    let (handler, admin) = ("t:http/handler@0.2.1", "t:parts/admin@0.1.0");
    let only: Result<Vec<String>, Report> = exports(&[]);
    assert_eq!(only, Ok(vec![handler.to_owned()]));
    let both = exports(&[admin]);
    assert_eq!(both, Ok(vec![handler.to_owned(), admin.to_owned()]));
    // The gate exports this interface itself.
    let again = exports(&["t:http/handler"]);
    assert_eq!(again, Ok(vec![handler.to_owned()]));
    let report = exports(&["t:parts/clock"]).expect_err("nothing to export");
    assert_eq!(report.diagnostics[0].code, Code::MissingExport, "{report}");
}

#[test]
fn chain_reports_not_a_middleware_and_missing_export() {
    let broken = |middlewares: &[Component]| {
        let report = chain(
            "t:http/handler",
            middlewares,
            &app(),
            &[],
            &LinkOptions::default(),
        );
        let report = report.expect_err("does not fit");
        let codes = report.diagnostics.iter().map(|found| found.code);
        codes.collect::<Vec<Code>>()
    };
    assert_eq!(
        broken(&[middleware("gate"), log("log")]),
        [Code::MissingExport, Code::NotAMiddleware]
    );
    assert_eq!(
        broken(&[middleware("gate"), middleware("gate")]),
        [Code::DuplicateName]
    );
    assert_eq!(
        broken(&[log("log")]),
        [Code::NotAMiddleware, Code::MissingExport]
    );
}

#[test]
fn extract_returns_every_part_byte_for_byte() {
    let composition = composition();
    for part in [app(), middleware("gate"), middleware("logger"), log("log")] {
        assert_eq!(
            extract(&composition, part.name()),
            Ok(part.bytes().to_vec())
        );
    }
    let unknown = extract(&composition, "moon").expect_err("no such part");
    assert_eq!(
        unknown.diagnostics[0].candidates,
        ["app", "gate", "log", "logger"]
    );
}

#[test]
fn extract_accepts_the_slash_name_of_a_nested_part() {
    let root = part(
        "root",
        "import t:http/handler@0.2.1; export t:parts/admin@0.1.0;",
    );
    let outer = linked(&root, &[composition()]).expect("fits");
    let outer = Component::new("outer", outer.bytes).expect("valid");
    assert_eq!(extract(&outer, "app/log"), Ok(log("log").bytes().to_vec()));
    assert!(extract(&outer, "app/moon").is_err());
    assert!(extract(&outer, "root/log").is_err());
}

#[test]
fn decompose_rejects_a_component_with_core_modules() {
    assert!(decompose(&app()).is_none());
    assert!(extract(&app(), "log").is_err());
    assert_eq!(Composition::of(&app()).nodes.len(), 1);
}

fn swapped(name: &str, replacement: &Component) -> Composed {
    let replacement = Component::new(name, replacement.bytes()).expect("valid");
    let (plan, components) = swap(&composition(), vec![replacement]).expect("fits");
    plan.encode(&components).expect("fits")
}

#[test]
fn swap_of_a_part_for_itself_gives_the_same_bytes() {
    let composed = swapped("log", &log("log"));
    assert_eq!(composed.bytes, composition().bytes());
}

#[test]
fn swap_replaces_one_part_and_keeps_the_rest() {
    let other = part(
        "other",
        "import t:parts/clock@0.1.0; export t:parts/log@0.1.0;",
    );
    let composed = swapped("log", &other);
    let after = Component::new("app", composed.bytes).expect("valid");
    assert_eq!(extract(&after, "log"), Ok(other.bytes().to_vec()));
    let diff = diff(&Composition::of(&composition()), &Composition::of(&after));
    assert_eq!(diff.parts_changed.len(), 1);
    assert_eq!(diff.parts_changed[0].before.name, "log");
    assert!(diff.wires_added.is_empty() && diff.wires_removed.is_empty());
    assert!(diff.parts_added.is_empty() && diff.parts_removed.is_empty());
}

#[test]
fn swap_wires_additional_imports_to_parts_outside_of_the_dependents() {
    let logger = part(
        "logger",
        "import t:http/handler@0.2.1; import t:parts/log@0.1.0; export t:http/handler@0.2.1;",
    );
    let composed = swapped("logger", &logger);
    assert!(
        wires(&composed.composition).contains(&"logger -- t:parts/log@0.1.0 --> log".to_owned())
    );
    // `gate` depends on the replacement, so that it cannot provide its imports.
    let log = part(
        "log",
        "import t:http/handler@0.2.1; export t:parts/log@0.1.0;",
    );
    let composed = swapped("log", &log);
    let open = &composed.composition.imports;
    assert!(open.iter().any(|import| import.importer == "log"));
}

#[test]
fn swap_rejects_a_replacement_without_the_export() {
    let replacement = Component::new("log", middleware("gate").bytes()).expect("valid");
    let report = swap(&composition(), vec![replacement]).expect_err("no log");
    assert_eq!(report.diagnostics[0].code, Code::MissingExport);
    let twice = vec![log("log"), log("log")];
    let report = swap(&composition(), twice).expect_err("which of them");
    assert_eq!(report.diagnostics[0].code, Code::DuplicateName);
    let stranger = log("stranger");
    let report = swap(&composition(), vec![stranger]).expect_err("no such part");
    assert_eq!(report.diagnostics[0].code, Code::UnknownComponent);
}

#[test]
fn deny_imports_matches_patterns() {
    let composition = Composition::of(&composition());
    let denied = |patterns: &[&str]| deny_imports(&composition, patterns).diagnostics.len();
    assert_eq!(denied(&["t:parts/*"]), 1);
    assert_eq!(
        denied(&["*"]),
        composition
            .imports
            .iter()
            .map(|import| &import.name)
            .collect::<std::collections::BTreeSet<_>>()
            .len()
    );
    assert_eq!(denied(&["t:parts/log*", "wasi:*"]), 0);
}

#[test]
fn inspect_lists_parts_and_producers() {
    let inspection = inspect(&composition());
    let names: Vec<&str> = inspection
        .parts
        .iter()
        .map(|part| part.node.name.as_str())
        .collect();
    assert_eq!(names, ["app", "gate", "log", "logger"]);
    assert!(
        inspection.parts[0]
            .producers
            .iter()
            .any(|producer| producer.name == "wit-component")
    );
}

#[test]
fn verify_accepts_an_unchanged_composition() {
    let composition = composition();
    let verification = verify("app", composition.bytes());
    assert_eq!(verification.report.diagnostics, []);
    let recorded = verification.provenance.expect("a record");
    assert_eq!(recorded.parts, Composition::of(&composition).nodes);
}

#[test]
fn verify_attributes_a_thousand_flipped_bytes_to_their_parts() {
    let composition = composition();
    let parts = decompose(&composition).expect("a composition").parts;
    let start = composition.bytes().as_ptr() as usize;
    // A deterministic pseudo-random sequence.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).expect("31 bits") % below
    };
    let names: Vec<&String> = parts.keys().collect();
    for _ in 0..1_000 {
        let name = names[next(names.len())];
        let part = parts[name];
        let at = part.as_ptr() as usize - start + next(part.len());
        let mut bytes = composition.bytes().to_vec();
        bytes[at] ^= 1 << next(8);
        let report = verify("app", &bytes).report;
        let found = report.first_error().expect("a flipped byte is found");
        assert_eq!(
            (found.code, &found.candidates),
            (Code::ChangedPart, &vec![name.clone()])
        );
    }
}

#[test]
fn verify_detects_every_flipped_byte() {
    let composed = linked(
        &part(
            "root",
            "import t:parts/log@0.1.0; export t:parts/admin@0.1.0;",
        ),
        &[log("log")],
    );
    let bytes = composed.expect("fits").bytes;
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x10;
        let verification = verify("app", &flipped);
        assert!(verification.report.has_errors(), "the byte at {at}");
    }
}

#[test]
fn verify_detects_added_and_truncated_bytes() {
    let bytes = composition().bytes().to_vec();
    let longer = [bytes.as_slice(), &[0, 2, 1, b'x']].concat();
    assert!(verify("app", &longer).report.has_errors());
    for end in [0, 7, 8, 100, bytes.len() / 2, bytes.len() - 1] {
        assert!(verify("app", &bytes[..end]).report.has_errors());
    }
}
