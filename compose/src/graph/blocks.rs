//! The boxes of the picture: what is written in them, and how large that makes them.

use super::text::{columns, shorten};

/// The widest name of a part or an interface, in columns of text.
const WIDEST: i64 = 48;
/// The room left and right of text in a box.
const PADDING: i64 = 12;
/// The room below the last row.
const FOOT: i64 = 6;
/// The height of one row.
const ROW: i64 = 20;
/// The height of one line of details below a row.
const DETAIL: i64 = 14;

/// What a box stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Exports of the whole.
    Exports,
    /// A part.
    Part,
    /// A package that the host offers.
    Wasi,
    /// A package that a host of WASI alone does not offer.
    Missing,
}

/// A border of a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    Left,
    Right,
}

/// A box.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) kind: Kind,
    /// The name, ready to be drawn; nothing if the rows say all.
    pub(super) title: String,
    /// What follows the name in small letters.
    pub(super) note: String,
    /// The interfaces. The index of a row never changes.
    pub(super) rows: Vec<Row>,
    /// The indices of the rows, from top to bottom.
    pub(super) sequence: Vec<usize>,
}

/// A line of a box with a port at one of its borders.
#[derive(Debug)]
pub(super) struct Row {
    /// What is written next to the port, ready to be drawn.
    pub(super) text: String,
    /// Smaller lines below it.
    pub(super) details: Vec<String>,
    /// Where the port is.
    pub(super) side: Side,
    /// What the port is connected with.
    pub(super) other: Kind,
}

/// The rectangle that a box or the frame covers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Area {
    pub(super) x: i64,
    pub(super) y: i64,
    pub(super) width: i64,
    pub(super) height: i64,
}

impl Block {
    /// An empty box.
    pub(super) fn new(kind: Kind, title: &str, note: &str) -> Self {
        Self {
            kind,
            title: shorten(title, WIDEST),
            note: note.to_owned(),
            rows: Vec::new(),
            sequence: Vec::new(),
        }
    }

    /// Adds a row below the others, and gives its index.
    pub(super) fn add(
        &mut self,
        text: &str,
        details: Vec<String>,
        side: Side,
        other: Kind,
    ) -> usize {
        let row = self.rows.len();
        self.rows.push(Row {
            text: shorten(text, WIDEST),
            details,
            side,
            other,
        });
        self.sequence.push(row);
        row
    }

    /// The width that the text needs.
    pub(super) fn width(&self) -> i64 {
        let gap = if self.note.is_empty() { 0 } else { 2 * PADDING };
        let title = match self.kind {
            Kind::Part => large(&self.title),
            _ => small(&self.title),
        };
        let title = title + gap + small(&self.note);
        let rows = self.rows.iter().flat_map(|row| {
            let details = row.details.iter().map(|line| small(line));
            details.chain([medium(&row.text)])
        });
        rows.chain([title]).max().unwrap_or_default() + 2 * PADDING
    }

    /// The height that all rows need.
    pub(super) fn height(&self) -> i64 {
        let rows = self.rows.iter().map(row_height);
        self.head() + rows.sum::<i64>() + FOOT
    }

    /// The room above the first row.
    pub(super) fn head(&self) -> i64 {
        match self.kind {
            Kind::Part if self.rows.is_empty() => 26,
            Kind::Part => 36,
            Kind::Exports if !self.title.is_empty() => 22,
            _ => FOOT,
        }
    }

    /// How far below the upper border the port of each row is, by index of the row.
    pub(super) fn ports(&self) -> Vec<i64> {
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
pub(super) fn detail(line: usize) -> i64 {
    ROW / 2 + DETAIL / 2 + DETAIL * i64::try_from(line).unwrap_or_default() - 2
}

fn row_height(row: &Row) -> i64 {
    let details = i64::try_from(row.details.len()).unwrap_or_default();
    ROW + DETAIL * details
}

/// The width of text of 13 pixels in bold letters.
fn large(text: &str) -> i64 {
    (columns(text) * 80 + 9) / 10
}

/// The width of text of 11 pixels.
fn medium(text: &str) -> i64 {
    (columns(text) * 68 + 9) / 10
}

/// The width of text of 10 pixels.
fn small(text: &str) -> i64 {
    (columns(text) * 62 + 9) / 10
}
