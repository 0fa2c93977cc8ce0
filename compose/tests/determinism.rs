//! Equal inputs give byte-identical output.

mod support;

use compose::{Component, Composed, environment};
use pretty_assertions::assert_eq;
use support::{component, linked};

const INTERFACES: &str = "
    package t:parts@0.1.0 {
      interface a { a: func(); }
      interface b { b: func(text: string) -> list<string>; }
      interface c { resource c { constructor(); get: func() -> u32; } }
      interface open { record entry { key: string } find: func(key: string) -> entry; }
    }
    package t:app@0.1.0 { interface run { run: func(); } }
";

fn component_with(name: &str, world: &str) -> Component {
    component(
        name,
        &format!("package t:test; world test {{ {world} }} {INTERFACES}"),
    )
}

fn root() -> Component {
    component_with(
        "root",
        "import t:parts/a@0.1.0; import t:parts/b@0.1.0; import t:parts/c@0.1.0; \
         import t:parts/open@0.1.0; export t:app/run@0.1.0;",
    )
}

fn parts() -> Vec<Component> {
    vec![
        component_with("a", "import t:parts/c@0.1.0; export t:parts/a@0.1.0;"),
        component_with(
            "b",
            "import t:parts/c@0.1.0; import t:parts/open@0.1.0; export t:parts/b@0.1.0;",
        ),
        component_with("c", "import t:parts/open@0.1.0; export t:parts/c@0.1.0;"),
    ]
}

fn composed(parts: &[Component]) -> Composed {
    linked(&root(), parts).expect("fits")
}

#[test]
fn link_ignores_the_order_of_parts() {
    let expected = composed(&parts());
    for order in [[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut shuffled: Vec<Option<Component>> = parts().into_iter().map(Some).collect();
        let shuffled: Vec<Component> = order
            .iter()
            .filter_map(|index| shuffled[*index].take())
            .collect();
        let found = composed(&shuffled);
        assert_eq!(expected.bytes, found.bytes);
        assert_eq!(expected.composition, found.composition);
    }
}

#[test]
fn link_is_deterministic() {
    // Hash maps have random seeds, so one repetition is not sufficient.
    let expected = composed(&parts()).bytes;
    for _ in 0..32 {
        assert_eq!(expected, composed(&parts()).bytes);
    }
}

#[test]
fn a_composition_can_be_composed_again() {
    let middle = linked(
        &component_with("middle", "import t:parts/c@0.1.0; export t:parts/a@0.1.0;"),
        &[component_with("c", "export t:parts/c@0.1.0;")],
    );
    let middle = Component::new("middle", middle.expect("fits").bytes).expect("a component");
    let root = component_with("root", "import t:parts/a@0.1.0; export t:app/run@0.1.0;");
    let linked = linked(&root, &[middle]).expect("fits");
    assert_eq!(linked.composition.imports, []);
}

#[test]
fn environment_is_deterministic() {
    let make = || environment([("A", "1"), ("B", "2")]).expect("fits");
    assert_eq!(make(), make());
}
