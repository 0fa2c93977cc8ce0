//! Horizontal coordinates: the widths and distances of the columns.

use super::block::Block;
use super::edge_routing::RoutedEdges;
use super::{INSET, MARGIN};

/// Distance between the frame and the outer columns.
const OUTSIDE: i64 = 44;
/// Minimum distance between two columns in the frame.
const GAP: i64 = 72;
/// Minimum width of the frame, so that the legend fits below it.
const MIN_WIDTH: i64 = 300;

/// The horizontal layout.
pub(super) struct HorizontalCoordinates {
    /// Left and right border of each column.
    pub(super) spans: Vec<(i64, i64)>,
    /// Left and right border of the frame.
    pub(super) frame: (i64, i64),
    /// Width of the picture.
    pub(super) width: i64,
}

impl HorizontalCoordinates {
    /// Places the columns from left to right, in a frame that fits a title of this width.
    ///
    /// The first column is left of the frame, the last is right of it.
    pub(super) fn new(blocks: &[Block], routed: &RoutedEdges, title: i64) -> Self {
        let mut widths = Vec::with_capacity(routed.columns.len());
        for column in &routed.columns {
            let blocks = column.iter().filter_map(|&vertex| blocks.get(vertex));
            widths.push(blocks.map(Block::width).max().unwrap_or_default());
        }
        let wires = wires(routed);
        let last = widths.len() - 1;

        let mut spans = Vec::with_capacity(widths.len());
        let mut x = MARGIN;
        let mut frame = (MARGIN, MARGIN);
        let mut outside = OUTSIDE;
        for (column, width) in widths.into_iter().enumerate() {
            if column == last {
                let for_title = frame.0 + (title + 2 * INSET).max(MIN_WIDTH);
                frame.1 = x.max(for_title);
                x = frame.1 + outside;
            }
            let right = x + width;
            spans.push((x, right));
            // Many wires need a wider gap, or they become too steep to distinguish.
            let room = (3 * wires[column]).min(96);
            x = right;
            if column == 0 {
                frame.0 = if width == 0 {
                    MARGIN
                } else {
                    x + OUTSIDE + room
                };
                x = frame.0 + INSET;
            } else if column + 1 < last {
                x += GAP + room;
            } else if column + 1 == last {
                x += INSET;
                outside += room;
            }
        }
        let host_is_needed = spans.last().is_some_and(|(left, right)| left < right);
        let right = if host_is_needed { x } else { frame.1 };
        Self {
            spans,
            frame,
            width: right + MARGIN,
        }
    }
}

/// The number of segments right of each column.
fn wires(routed: &RoutedEdges) -> Vec<i64> {
    let mut column_of = vec![0; routed.vertex_count];
    for (index, column) in routed.columns.iter().enumerate() {
        for &vertex in column {
            column_of[vertex] = index;
        }
    }
    let mut wires = vec![0; routed.columns.len()];
    for segment in routed.segments() {
        wires[column_of[segment.left.vertex]] += 1;
    }
    wires
}
