//! Blocks: the boxes of the picture, their text, and their size.

use crate::graph::text_width::{columns, shorten};

/// Maximum width of a node or interface name, in columns of text.
const MAX_NAME_WIDTH: i64 = 48;
/// Padding left and right of text in a block, in pixels.
const PADDING: i64 = 12;
/// Padding below the last row.
const FOOT: i64 = 6;
/// Height of one row.
const ROW: i64 = 20;
/// Height of one line of details below a row.
const DETAIL: i64 = 14;

/// The kind of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::graph) enum BlockKind {
    /// Exports of the composition.
    Exports,
    /// A node.
    Node,
    /// A WASI package of the host.
    Wasi,
    /// A package that a host with WASI only does not provide.
    Missing,
}

/// A border of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::graph) enum Side {
    Left,
    Right,
}

/// A box of the picture.
#[derive(Debug)]
pub(in crate::graph) struct Block {
    pub(in crate::graph) kind: BlockKind,
    /// The name, shortened for display; empty if the rows contain it.
    pub(in crate::graph) title: String,
    /// Small text after the name.
    pub(in crate::graph) note: String,
    /// The interfaces. Row indices are stable.
    pub(in crate::graph) rows: Vec<Row>,
    /// The row indices from top to bottom.
    pub(in crate::graph) sequence: Vec<usize>,
}

/// A row of a block, with a port at one of its borders.
#[derive(Debug)]
pub(in crate::graph) struct Row {
    /// The label of the port, shortened for display.
    pub(in crate::graph) text: String,
    /// Smaller lines below the label.
    pub(in crate::graph) details: Vec<String>,
    /// The border with the port.
    pub(in crate::graph) side: Side,
    /// The kind of block that the port is connected to.
    pub(in crate::graph) other: BlockKind,
}

/// The rectangle of a block or of the frame.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::graph) struct Area {
    pub(in crate::graph) x: i64,
    pub(in crate::graph) y: i64,
    pub(in crate::graph) width: i64,
    pub(in crate::graph) height: i64,
}

impl Block {
    /// An empty block.
    pub(in crate::graph) fn new(kind: BlockKind, title: &str, note: &str) -> Self {
        Self {
            kind,
            title: shorten(title, MAX_NAME_WIDTH),
            note: note.to_owned(),
            rows: Vec::new(),
            sequence: Vec::new(),
        }
    }

    /// Adds a row below the others, and returns its index.
    pub(in crate::graph) fn add(
        &mut self,
        text: &str,
        details: Vec<String>,
        side: Side,
        other: BlockKind,
    ) -> usize {
        let row = self.rows.len();
        self.rows.push(Row {
            text: shorten(text, MAX_NAME_WIDTH),
            details,
            side,
            other,
        });
        self.sequence.push(row);
        row
    }

    /// The required width.
    pub(in crate::graph) fn width(&self) -> i64 {
        let gap = if self.note.is_empty() { 0 } else { 2 * PADDING };
        let title = match self.kind {
            BlockKind::Node => large(&self.title),
            _ => small(&self.title),
        };
        let title = title + gap + small(&self.note);
        let rows = self.rows.iter().flat_map(|row| {
            let details = row.details.iter().map(|line| small(line));
            details.chain([medium(&row.text)])
        });
        rows.chain([title]).max().unwrap_or_default() + 2 * PADDING
    }

    /// The required height.
    pub(in crate::graph) fn height(&self) -> i64 {
        let rows = self.rows.iter().map(row_height);
        self.head() + rows.sum::<i64>() + FOOT
    }

    /// The space above the first row.
    pub(in crate::graph) fn head(&self) -> i64 {
        match self.kind {
            BlockKind::Node if self.rows.is_empty() => 26,
            BlockKind::Node => 36,
            BlockKind::Exports if !self.title.is_empty() => 22,
            _ => FOOT,
        }
    }

    /// The distance of the port of each row from the upper border, by row index.
    pub(in crate::graph) fn ports(&self) -> Vec<i64> {
        let mut ports = vec![0; self.rows.len()];
        let mut top = self.head();
        for &row in &self.sequence {
            ports[row] = top + ROW / 2;
            top += row_height(&self.rows[row]);
        }
        ports
    }
}

/// The distance of a line of details from the port of its row.
pub(in crate::graph) fn detail(line: usize) -> i64 {
    ROW / 2 + DETAIL / 2 + DETAIL * i64::try_from(line).unwrap_or_default() - 2
}

fn row_height(row: &Row) -> i64 {
    let details = i64::try_from(row.details.len()).unwrap_or_default();
    ROW + DETAIL * details
}

/// Width of bold text of 13 pixels.
fn large(text: &str) -> i64 {
    (columns(text) * 80 + 9) / 10
}

/// Width of text of 11 pixels.
fn medium(text: &str) -> i64 {
    (columns(text) * 68 + 9) / 10
}

/// Width of text of 10 pixels.
fn small(text: &str) -> i64 {
    (columns(text) * 62 + 9) / 10
}
