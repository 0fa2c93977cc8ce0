//! Edges as SVG.

use std::fmt::Write as _;

use crate::graph::escape::xml;
use crate::graph::layout::block::BlockKind;
use crate::graph::layout::{EdgePath, Point};

/// Minimum distance that the curve of a backward edge extends beyond its blocks.
const REACH: i64 = 80;

/// Draws all wires to one port.
pub(super) fn write(svg: &mut String, path: &EdgePath) -> std::fmt::Result {
    let class = match path.target {
        BlockKind::Wasi => "way wasi",
        BlockKind::Missing => "way missing",
        BlockKind::Node | BlockKind::Exports => "way",
    };
    writeln!(svg, r#"<g class="{class}">"#)?;
    writeln!(svg, "<title>{}</title>", xml(&path.texts.join("; ")))?;
    svg.push_str(r#"<path class="wire" d=""#);
    for &((x1, y1), (x2, y2)) in &path.curves {
        let middle = i64::midpoint(x1, x2);
        write_curve(svg, (x1, y1), middle, middle, (x2, y2))?;
    }
    for ((x, y), (end, _)) in &path.lines {
        write!(svg, "M{x} {y}H{end}")?;
    }
    for &(from, to) in &path.loops {
        let reach = REACH + (from.0 - to.0) / 3;
        write_curve(svg, from, from.0 + reach, to.0 - reach, to)?;
    }
    svg.push_str("\"/>\n</g>\n");
    Ok(())
}

/// Writes a curve that leaves and arrives horizontally.
fn write_curve(
    svg: &mut String,
    (x1, y1): Point,
    leave: i64,
    arrive: i64,
    (x2, y2): Point,
) -> std::fmt::Result {
    write!(svg, "M{x1} {y1}C{leave} {y1} {arrive} {y2} {x2} {y2}")
}
