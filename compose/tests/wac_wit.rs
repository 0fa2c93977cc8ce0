//! WAC texts that refer to interfaces: of the text, of WIT, of WASI.

mod support;

use compose::{Component, WacError, run_wac, run_wac_with_wit};
use pretty_assertions::assert_eq;
use support::component;

fn app() -> Component {
    component("app", "package t:app; world app { export run: func(); }")
}

fn composed(bytes: Result<Vec<u8>, WacError>) -> Component {
    let bytes = bytes.unwrap_or_else(|error| panic!("{error}"));
    Component::new("whole", bytes).expect("a valid component")
}

#[test]
fn an_import_with_a_plain_name_has_the_type_of_its_interface() {
    let text = "package t:whole;
interface i { f: func() -> u32; }
import z: i;
let app = new parts:app {};
export app.run;
export z.f as \"f\";
";
    let whole = composed(run_wac("a.wac", text, &[app()]));
    assert_eq!(whole.imports().collect::<Vec<_>>(), ["z"]);
    // The rest is equal.
    let whole = composed(run_wac(
        "a.wac",
        &text.replace("import z: i;", "import z: interface { f: func() -> u32; };"),
        &[app()],
    ));
    assert_eq!(whole.imports().collect::<Vec<_>>(), ["z"]);
}

#[test]
fn a_text_may_target_a_world_of_wasi() {
    let text = "package t:whole targets wasi:http/proxy@0.2.12;
let app = new parts:app {};
export app.run;
";
    let error = run_wac("a.wac", text, &[app()]).expect_err("it has no handler");
    let message = error.to_string();
    assert!(message.starts_with("a.wac:1:25: "), "{message}");
    assert!(
        message.contains("wasi:http/incoming-handler@0.2.12"),
        "{message}"
    );
    let earlier = text.replace("0.2.12", "0.2.4");
    let message = run_wac("a.wac", &earlier, &[app()])
        .expect_err("nor that")
        .to_string();
    assert!(
        message.contains("wasi:http/incoming-handler@0.2.4"),
        "{message}"
    );
}

#[test]
fn a_text_may_target_a_world_of_given_wit() {
    let text = "package t:whole targets t:host/host;
let app = new parts:app {};
export app.run;
";
    let wit = |world: &str| {
        let text = format!("package t:host; world host {{ {world} }}");
        [("host.wit".to_owned(), text)]
    };
    let fits = wit("export run: func();");
    let whole = composed(run_wac_with_wit("a.wac", text, &[app()], &fits));
    assert_eq!(whole.exports().collect::<Vec<_>>(), ["run"]);

    let other = wit("export walk: func();");
    let error = run_wac_with_wit("a.wac", text, &[app()], &other).expect_err("it has no `walk`");
    assert!(error.to_string().contains("walk"), "{error}");

    let error = run_wac("a.wac", text, &[app()]).expect_err("an unknown world");
    assert!(matches!(error, WacError::MissingPackages { .. }), "{error}");

    let broken = [("host.wit".to_owned(), "package t:host; wurld".to_owned())];
    let error = run_wac_with_wit("a.wac", text, &[app()], &broken).expect_err("it is not WIT");
    assert!(error.to_string().contains("host.wit:1:17"), "{error}");
}

#[test]
fn a_byte_order_mark_before_wac_is_ignored() {
    let text = "\u{feff}package t:whole;\nlet app = new parts:app {};\nexport app.run;\n";
    let whole = composed(run_wac("a.wac", text, &[app()]));
    assert_eq!(whole.exports().collect::<Vec<_>>(), ["run"]);
}
