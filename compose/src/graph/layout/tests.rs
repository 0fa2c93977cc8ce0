//! Invariants of every layout.

use proptest::prelude::*;

use super::block::Side;
use super::*;
use crate::graph::samples::{any_composition, app, chain};
use crate::inspect::asynchronous::AsyncInterfaces;
use crate::model::composition::Composition;

fn layout(composition: &Composition) -> Layout {
    let async_interfaces = AsyncInterfaces::default();
    let model = Model::new(composition, &async_interfaces);
    Layout::new(&model, model.name, &model.summary)
}

fn overlap(one: Area, other: Area) -> bool {
    one.x < other.x + other.width
        && other.x < one.x + one.width
        && one.y < other.y + other.height
        && other.y < one.y + one.height
}

fn named<'a>(layout: &'a Layout, name: &str) -> &'a Area {
    let index = layout.blocks.iter().position(|block| block.title == name);
    &layout.areas[index.unwrap()]
}

#[test]
fn a_provider_is_right_of_its_importers() {
    let layout = layout(&app());

    for (importer, provider) in [
        ("http-adapter", "cipher"),
        ("cipher", "audit-stderr"),
        ("cipher", "environment"),
    ] {
        let importer = named(&layout, importer);
        assert!(importer.x + importer.width < named(&layout, provider).x);
    }
}

#[test]
fn a_chain_is_drawn_on_one_line() {
    let mut chain = chain(5);
    chain.imports.clear();
    let layout = layout(&chain);
    let path = |path: &EdgePath| path.curves.iter().all(|(left, right)| left.1 == right.1);

    assert!(layout.paths.iter().all(path), "{:?}", layout.paths);
}

proptest! {
    #[test]
    fn nothing_overlaps(composition in any_composition()) {
        let layout = layout(&composition);
        for (index, &one) in layout.areas.iter().enumerate() {
            for &other in &layout.areas[index + 1..] {
                prop_assert!(!overlap(one, other), "{one:?} and {other:?}");
            }
        }
        // Lines pass through columns, and there between boxes.
        for path in &layout.paths {
            for &((left, y), (right, _)) in &path.lines {
                let line = Area { x: left, y, width: right - left, height: 1 };
                for &area in &layout.areas {
                    prop_assert!(!overlap(line, area), "{line:?} and {area:?}");
                }
            }
        }
    }

    #[test]
    fn parts_are_inside_of_the_frame_and_everything_else_is_outside(
        composition in any_composition()
    ) {
        let layout = layout(&composition);
        for (block, area) in layout.blocks.iter().zip(&layout.areas) {
            prop_assert_eq!(overlap(layout.frame, *area), block.kind == BlockKind::Node);
            prop_assert!(area.x >= 0 && area.x + area.width <= layout.width);
            prop_assert!(area.y >= layout.frame.y);
            prop_assert!(area.y + area.height <= layout.frame.y + layout.frame.height);
        }
    }

    #[test]
    fn wires_lead_from_left_to_right_between_the_columns(composition in any_composition()) {
        let layout = layout(&composition);
        for path in &layout.paths {
            for &((from, _), (to, _)) in &path.curves {
                prop_assert!(from < to);
                for area in &layout.areas {
                    prop_assert!(area.x + area.width <= from || to <= area.x);
                }
            }
        }
    }
}

#[test]
fn rows_have_their_ports_on_the_side_they_lead_to() {
    let layout = layout(&app());
    let cipher = layout.blocks.iter().find(|block| block.title == "cipher");
    let rows = &cipher.unwrap().rows;

    let sides: Vec<_> = rows
        .iter()
        .map(|row| (row.text.as_str(), row.side))
        .collect();

    assert_eq!(sides[0], ("runner:cipher/cipher@0.1.0", Side::Left));
    assert_eq!(sides[1], ("runner:audit/audit-log@0.1.0", Side::Right));
}
