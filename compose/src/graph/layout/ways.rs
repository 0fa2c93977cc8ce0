//! Where the wires are, once everything else has its place.

use super::super::blocks::{Kind, Side};
use super::super::routes::{End, Net, Port, Routes};
use super::LANE;

/// A place in the picture: x from the left, y from the top.
pub(in super::super) type Point = (i64, i64);

/// All wires to one port.
#[derive(Debug)]
pub(in super::super) struct Way {
    /// What the wires lead to.
    pub(in super::super) target: Kind,
    /// The wires in words.
    pub(in super::super) texts: Vec<String>,
    /// Curves from left to right.
    pub(in super::super) curves: Vec<(Point, Point)>,
    /// Straight lines through columns.
    pub(in super::super) lines: Vec<(Point, Point)>,
    /// Curves that lead back, behind the boxes.
    pub(in super::super) loops: Vec<(Point, Point)>,
}

/// Where boxes and lanes are.
pub(super) struct Sheet {
    /// Where the column of each item begins and ends.
    spans: Vec<(i64, i64)>,
    tops: Vec<i64>,
    ports: Vec<Vec<i64>>,
}

impl Sheet {
    /// Notes the `spans` of the columns, the `tops` of the items, and how far below
    /// these the `ports` of boxes are.
    pub(super) fn new(
        routes: &Routes,
        spans: Vec<(i64, i64)>,
        tops: Vec<i64>,
        ports: Vec<Vec<i64>>,
    ) -> Self {
        let mut spans_of_items = vec![(0, 0); routes.items];
        for (span, column) in spans.into_iter().zip(&routes.columns) {
            for &item in column {
                spans_of_items[item] = span;
            }
        }
        Self {
            spans: spans_of_items,
            tops,
            ports,
        }
    }

    /// The way of `net`, which leads to the port `to` of a box.
    pub(super) fn way(&self, target: Kind, to: Port, net: &Net) -> Way {
        let curve = |left, right| (self.point(left, Side::Right), self.point(right, Side::Left));
        Way {
            target,
            texts: net.texts.clone(),
            curves: net
                .pieces
                .iter()
                .map(|piece| curve(piece.left, piece.right))
                .collect(),
            lines: net.lanes.iter().map(|&lane| self.line(lane)).collect(),
            loops: net
                .backward
                .iter()
                .map(|&from| curve(from.into(), to.into()))
                .collect(),
        }
    }

    fn line(&self, lane: usize) -> (Point, Point) {
        let end = End { item: lane, row: 0 };
        (self.point(end, Side::Left), self.point(end, Side::Right))
    }

    fn point(&self, end: End, side: Side) -> Point {
        let (left, right) = self.spans[end.item];
        let offset = self
            .ports
            .get(end.item)
            .map_or(LANE / 2, |ports| ports[end.row]);
        let x = match side {
            Side::Left => left,
            Side::Right => right,
        };
        (x, self.tops[end.item] + offset)
    }
}
