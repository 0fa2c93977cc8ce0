//! Blocks and ports as SVG.

use std::fmt::Write as _;

use crate::graph::escape::xml;
use crate::graph::layout::block::{Area, Block, BlockKind, Row, Side, detail};

/// Distance of text from the border of its block.
const PADDING: i64 = 12;

/// Draws `block` in its rectangle.
pub(super) fn write(svg: &mut String, block: &Block, area: Area) -> std::fmt::Result {
    let Area {
        x,
        y,
        width,
        height,
    } = area;
    let class = match block.kind {
        BlockKind::Node => "part",
        BlockKind::Exports | BlockKind::Wasi => "side",
        BlockKind::Missing => "side missing",
    };
    writeln!(
        svg,
        r#"<g class="{class}"><rect class="box" x="{x}" y="{y}" width="{width}" height="{height}" rx="8"/>"#
    )?;
    write_title(svg, block, area)?;
    let ports = block.ports();
    for (row, port) in block.rows.iter().zip(ports) {
        write_row(svg, row, area, y + port)?;
    }
    svg.push_str("</g>\n");
    Ok(())
}

fn write_title(svg: &mut String, block: &Block, area: Area) -> std::fmt::Result {
    let left = area.x + PADDING;
    let right = area.x + area.width - PADDING;
    let title = xml(&block.title);
    if block.kind != BlockKind::Node {
        let y = area.y + 16;
        return writeln!(
            svg,
            r#"<text class="package" x="{right}" y="{y}" text-anchor="end">{title}</text>"#
        );
    }
    let y = area.y + 18;
    writeln!(
        svg,
        r#"<text class="name" x="{left}" y="{y}">{title}</text>"#
    )?;
    let note = xml(&block.note);
    writeln!(
        svg,
        r#"<text class="note" x="{right}" y="{y}" text-anchor="end">{note}</text>"#
    )?;
    if block.rows.is_empty() {
        return Ok(());
    }
    let (x, y, width) = (area.x, area.y + 28, area.width);
    writeln!(svg, r#"<path class="rule" d="M{x} {y}h{width}"/>"#)
}

fn write_row(svg: &mut String, row: &Row, area: Area, y: i64) -> std::fmt::Result {
    let right = area.x + area.width;
    let (border, x, anchor) = match row.side {
        Side::Left => (area.x, area.x + PADDING, ""),
        Side::Right => (right, right - PADDING, r#" text-anchor="end""#),
    };
    let class = match row.other {
        BlockKind::Exports | BlockKind::Node => "row",
        BlockKind::Wasi => "row wasi",
        BlockKind::Missing => "row missing",
    };
    writeln!(svg, r#"<g class="{class}">"#)?;
    let baseline = y + 4;
    let text = xml(&row.text);
    writeln!(
        svg,
        r#"<text class="label" x="{x}" y="{baseline}"{anchor}>{text}</text>"#
    )?;
    for (line, text) in row.details.iter().enumerate() {
        let baseline = baseline + detail(line);
        let text = xml(text);
        writeln!(
            svg,
            r#"<text class="detail" x="{x}" y="{baseline}"{anchor}>{text}</text>"#
        )?;
    }
    match row.side {
        // Edges end with an arrowhead.
        Side::Left => {
            let (back, up, down) = (border - 8, y - 4, y + 4);
            writeln!(
                svg,
                r#"<path class="port" d="M{back} {up}L{border} {y}L{back} {down}z"/>"#
            )?;
        }
        Side::Right => writeln!(
            svg,
            r#"<circle class="port" cx="{border}" cy="{y}" r="3.5"/>"#
        )?,
    }
    svg.push_str("</g>\n");
    Ok(())
}
