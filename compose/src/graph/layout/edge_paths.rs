//! Edge paths: the curves and lines of the wires, after all coordinates are assigned.

use super::DUMMY_HEIGHT;
use super::block::{BlockKind, Side};
use super::edge_routing::{EdgeBundle, Endpoint, Port, RoutedEdges};

/// A point of the picture: x from the left, y from the top.
pub(in crate::graph) type Point = (i64, i64);

/// All wires to one port.
#[derive(Debug)]
pub(in crate::graph) struct EdgePath {
    /// The kind of the target.
    pub(in crate::graph) target: BlockKind,
    /// The wires in words.
    pub(in crate::graph) texts: Vec<String>,
    /// Curves from left to right.
    pub(in crate::graph) curves: Vec<(Point, Point)>,
    /// Straight lines through columns.
    pub(in crate::graph) lines: Vec<(Point, Point)>,
    /// Curves of backward edges, behind the blocks.
    pub(in crate::graph) loops: Vec<(Point, Point)>,
}

/// The coordinates of blocks and dummy vertices.
pub(super) struct Geometry {
    /// Left and right border of the column of each vertex.
    spans: Vec<(i64, i64)>,
    tops: Vec<i64>,
    ports: Vec<Vec<i64>>,
}

impl Geometry {
    /// Combines the `spans` of the columns, the `tops` of the vertices, and the distances of
    /// the `ports` of blocks below these.
    pub(super) fn new(
        routed: &RoutedEdges,
        spans: Vec<(i64, i64)>,
        tops: Vec<i64>,
        ports: Vec<Vec<i64>>,
    ) -> Self {
        let mut spans_of_items = vec![(0, 0); routed.vertex_count];
        for (span, column) in spans.into_iter().zip(&routed.columns) {
            for &vertex in column {
                spans_of_items[vertex] = span;
            }
        }
        Self {
            spans: spans_of_items,
            tops,
            ports,
        }
    }

    /// The path of `bundle`, whose target is the port `to`.
    pub(super) fn path(&self, target: BlockKind, to: Port, bundle: &EdgeBundle) -> EdgePath {
        let curve = |left, right| (self.point(left, Side::Right), self.point(right, Side::Left));
        EdgePath {
            target,
            texts: bundle.texts.clone(),
            curves: bundle
                .segments
                .iter()
                .map(|segment| curve(segment.left, segment.right))
                .collect(),
            lines: bundle
                .dummies
                .iter()
                .map(|&dummy| self.line(dummy))
                .collect(),
            loops: bundle
                .backward
                .iter()
                .map(|&from| curve(from.into(), to.into()))
                .collect(),
        }
    }

    fn line(&self, dummy: usize) -> (Point, Point) {
        let end = Endpoint {
            vertex: dummy,
            row: 0,
        };
        (self.point(end, Side::Left), self.point(end, Side::Right))
    }

    fn point(&self, end: Endpoint, side: Side) -> Point {
        let (left, right) = self.spans[end.vertex];
        let offset = self
            .ports
            .get(end.vertex)
            .map_or(DUMMY_HEIGHT / 2, |ports| ports[end.row]);
        let x = match side {
            Side::Left => left,
            Side::Right => right,
        };
        (x, self.tops[end.vertex] + offset)
    }
}
