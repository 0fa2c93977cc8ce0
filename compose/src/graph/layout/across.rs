//! The columns: how wide they are, and how far from each other.

use super::{Block, INSET, MARGIN, Routes};

/// The distance between the frame and what is outside of it.
const OUTSIDE: i64 = 44;
/// The least distance between two columns in the frame.
const GAP: i64 = 72;
/// The narrowest frame: the legend fits below it.
const NARROWEST: i64 = 300;

/// What is where, from left to right.
pub(super) struct Across {
    /// Where each column begins and ends.
    pub(super) spans: Vec<(i64, i64)>,
    /// Where the frame begins and ends.
    pub(super) frame: (i64, i64),
    /// The width of the whole picture.
    pub(super) width: i64,
}

impl Across {
    /// Sets the columns next to each other, in a frame that has room for a title.
    ///
    /// The first column is left of the frame, the last is right of it.
    pub(super) fn new(blocks: &[Block], routes: &Routes, title: i64) -> Self {
        let mut widths = Vec::with_capacity(routes.columns.len());
        for column in &routes.columns {
            let blocks = column.iter().filter_map(|&item| blocks.get(item));
            widths.push(blocks.map(Block::width).max().unwrap_or_default());
        }
        let wires = wires(routes);
        let last = widths.len() - 1;

        let mut spans = Vec::with_capacity(widths.len());
        let mut x = MARGIN;
        let mut frame = (MARGIN, MARGIN);
        let mut outside = OUTSIDE;
        for (column, width) in widths.into_iter().enumerate() {
            if column == last {
                let for_title = frame.0 + (title + 2 * INSET).max(NARROWEST);
                frame.1 = x.max(for_title);
                x = frame.1 + outside;
            }
            let right = x + width;
            spans.push((x, right));
            // Many wires need room, or they are too steep to be told apart.
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

/// The number of pieces behind each column.
fn wires(routes: &Routes) -> Vec<i64> {
    let mut column_of = vec![0; routes.items];
    for (index, column) in routes.columns.iter().enumerate() {
        for &item in column {
            column_of[item] = index;
        }
    }
    let mut wires = vec![0; routes.columns.len()];
    for piece in routes.pieces() {
        wires[column_of[piece.left.item]] += 1;
    }
    wires
}
