//! The picture as SVG.
//!
//! The SVG suits light and dark pages, and has no scripts and no external references. Each
//! wire has a tooltip, and the picture a textual description of all its contents.

mod blocks;
mod edges;

use std::fmt::Write as _;

use super::MISSING;
use super::escape::xml;
use super::layout::block::BlockKind;
use super::layout::{INSET, Layout, MARGIN};
use super::model::Model;
use super::text_width::shorten;

/// Maximum width of the title, in columns of text.
const TITLE: i64 = 60;
/// Space for the legend below the frame.
const LEGEND: i64 = 28;

/// Draws `model`.
pub(super) fn draw(model: &Model<'_>) -> String {
    let title = shorten(model.name, TITLE);
    let layout = Layout::new(model, &title, &model.summary);
    let mut svg = String::new();
    // Writing to a string does not fail.
    let _ = write(&mut svg, model, &layout, &title);
    svg
}

fn write(svg: &mut String, model: &Model<'_>, layout: &Layout, title: &str) -> std::fmt::Result {
    let legend = if layout.has_missing() { LEGEND } else { 0 };
    let (width, height) = (layout.width, layout.height + legend);
    writeln!(
        svg,
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" aria-labelledby="title desc">"#
    )?;
    writeln!(svg, r#"<title id="title">{}</title>"#, xml(model.name))?;
    writeln!(
        svg,
        r#"<desc id="desc">{}</desc>"#,
        xml(&description(model))
    )?;
    writeln!(svg, "<style>\n{}</style>", include_str!("style.css"))?;
    writeln!(
        svg,
        r#"<rect class="paper" width="{width}" height="{height}" rx="12"/>"#
    )?;

    let frame = layout.frame;
    writeln!(
        svg,
        r#"<rect class="frame" x="{}" y="{}" width="{}" height="{}" rx="14"/>"#,
        frame.x, frame.y, frame.width, frame.height
    )?;
    let x = frame.x + INSET;
    text(svg, "title", x, frame.y + 30, title)?;
    text(svg, "summary", x, frame.y + 48, &model.summary)?;
    caption(svg, layout, "exports", |kind| kind == BlockKind::Exports)?;
    let of_the_host = |kind| matches!(kind, BlockKind::Wasi | BlockKind::Missing);
    caption(svg, layout, "imports from the host", of_the_host)?;

    // Blocks are drawn over backward edges.
    for path in &layout.paths {
        edges::write(svg, path)?;
    }
    for (block, &area) in layout.blocks.iter().zip(&layout.areas) {
        blocks::write(svg, block, area)?;
    }
    if layout.has_missing() {
        let y = layout.height + 2;
        writeln!(
            svg,
            r#"<g class="missing"><path class="wire" d="M{MARGIN} {y}h36"/></g>"#
        )?;
        text(svg, "legend", MARGIN + 46, y + 4, MISSING)?;
    }
    svg.push_str("</svg>\n");
    Ok(())
}

/// A caption above the topmost of some blocks outside of the frame.
fn caption(
    svg: &mut String,
    layout: &Layout,
    words: &str,
    which: impl Fn(BlockKind) -> bool,
) -> std::fmt::Result {
    let blocks = layout.blocks.iter().zip(&layout.areas);
    let areas = blocks
        .filter(|(block, _)| which(block.kind))
        .map(|(_, area)| area);
    match areas.min_by_key(|area| area.y) {
        Some(area) => text(svg, "caption", area.x, area.y - 10, words),
        None => Ok(()),
    }
}

fn text(svg: &mut String, class: &str, x: i64, y: i64, words: &str) -> std::fmt::Result {
    let words = xml(words);
    writeln!(
        svg,
        r#"<text class="{class}" x="{x}" y="{y}">{words}</text>"#
    )
}

fn description(model: &Model<'_>) -> String {
    let mut lines = vec![format!("A composition of {}.", model.summary)];
    let nodes = model.nodes.iter();
    lines.extend(nodes.map(|node| format!("Part: {}, {}.", node.name, node.size)));
    let sentence = |text: String| format!("{text}.");
    lines.extend(
        model
            .exports
            .iter()
            .map(|export| sentence(model.export_text(export))),
    );
    lines.extend(
        model
            .wires
            .iter()
            .map(|wire| sentence(model.wire_text(wire))),
    );
    lines.extend(
        model
            .imports
            .iter()
            .map(|imports| sentence(model.imports_text(imports))),
    );
    lines.extend(model.async_text().map(sentence));
    if model.packages.iter().any(|package| !package.is_wasi) {
        let packages = model.packages.iter().filter(|package| !package.is_wasi);
        let names: Vec<_> = packages.map(|package| package.name.as_str()).collect();
        lines.push(format!("No plain WASI host offers {}.", names.join(", ")));
    }
    lines.join(" ")
}
