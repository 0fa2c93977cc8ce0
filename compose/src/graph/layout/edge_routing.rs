//! Edge routing: the columns that each wire passes.
//!
//! All wires to one port form a bundle. In each column that it passes, a bundle has one dummy
//! vertex, whatever the number of its wires. Wires with the same target therefore join, and
//! the picture stays readable if every node imports from the same package.

use std::collections::{BTreeMap, BTreeSet};

/// A row of a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Port {
    pub(super) block: usize,
    pub(super) row: usize,
}

/// One wire.
#[derive(Debug)]
pub(super) struct Edge {
    pub(super) from: Port,
    pub(super) to: Port,
    /// The wire in words, for the tooltip.
    pub(super) text: String,
}

/// An endpoint of a segment: a port or a dummy vertex.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Endpoint {
    /// The index of a block, or of a dummy vertex: these follow the blocks.
    pub(super) vertex: usize,
    /// The row of a block; 0 for a dummy vertex.
    pub(super) row: usize,
}

/// The part of a bundle between two adjacent columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Segment {
    pub(super) left: Endpoint,
    pub(super) right: Endpoint,
}

/// All wires to one port.
#[derive(Debug, Default)]
pub(super) struct EdgeBundle {
    /// The wires in words.
    pub(super) texts: Vec<String>,
    /// Its segments.
    pub(super) segments: BTreeSet<Segment>,
    /// Its dummy vertices.
    pub(super) dummies: Vec<usize>,
    /// The importers that are not left of the target, because of a cycle.
    pub(super) backward: Vec<Port>,
}

/// The routes of all wires.
#[derive(Debug)]
pub(super) struct RoutedEdges {
    /// The bundles by their target.
    pub(super) bundles: BTreeMap<Port, EdgeBundle>,
    /// The vertices of each column: blocks, followed by dummy vertices.
    pub(super) columns: Vec<Vec<usize>>,
    /// The number of blocks and dummy vertices.
    pub(super) vertex_count: usize,
}

impl RoutedEdges {
    /// Routes each of `edges` between blocks whose columns, of `count`, are given.
    pub(super) fn new(columns_of_blocks: &[usize], count: usize, edges: Vec<Edge>) -> Self {
        let mut columns = vec![Vec::new(); count];
        for (block, &column) in columns_of_blocks.iter().enumerate() {
            columns[column].push(block);
        }
        let mut routed = Self {
            bundles: BTreeMap::new(),
            columns,
            vertex_count: columns_of_blocks.len(),
        };
        let mut dummies = BTreeMap::new();
        for edge in edges {
            let span = columns_of_blocks[edge.from.block]..columns_of_blocks[edge.to.block];
            routed.add(edge, span, &mut dummies);
        }
        routed
    }

    /// The segments of all bundles.
    pub(super) fn segments(&self) -> Vec<Segment> {
        let bundles = self.bundles.values();
        bundles
            .flat_map(|bundle| &bundle.segments)
            .copied()
            .collect()
    }

    fn add(
        &mut self,
        Edge { from, to, text }: Edge,
        span: std::ops::Range<usize>,
        dummies: &mut BTreeMap<(Port, usize), usize>,
    ) {
        let bundle = self.bundles.entry(to).or_default();
        bundle.texts.push(text);
        if span.is_empty() {
            bundle.backward.push(from);
            return;
        }
        let mut left = Endpoint::from(from);
        for column in span.skip(1) {
            let known = dummies.get(&(to, column)).copied();
            let dummy = known.unwrap_or(self.vertex_count);
            let right = Endpoint {
                vertex: dummy,
                row: 0,
            };
            bundle.segments.insert(Segment { left, right });
            if known.is_some() {
                // The rest of the route is that of an earlier wire.
                return;
            }
            dummies.insert((to, column), dummy);
            bundle.dummies.push(dummy);
            self.columns[column].push(dummy);
            self.vertex_count += 1;
            left = right;
        }
        let right = Endpoint::from(to);
        bundle.segments.insert(Segment { left, right });
    }
}

impl From<Port> for Endpoint {
    fn from(port: Port) -> Self {
        Self {
            vertex: port.block,
            row: port.row,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(from: usize, to: usize) -> Edge {
        Edge {
            from: Port {
                block: from,
                row: 0,
            },
            to: Port { block: to, row: 0 },
            text: format!("{from} to {to}"),
        }
    }

    #[test]
    fn wires_to_one_port_share_a_lane() {
        let routed = RoutedEdges::new(&[0, 0, 1, 2], 3, vec![edge(0, 3), edge(1, 3), edge(2, 3)]);

        assert_eq!(routed.columns, [vec![0, 1], vec![2, 4], vec![3]]);
        assert_eq!(routed.bundles.len(), 1);
        assert_eq!(routed.segments().len(), 4);
    }

    #[test]
    fn a_wire_that_leads_back_takes_no_lane() {
        let routed = RoutedEdges::new(&[0, 1], 2, vec![edge(1, 0), edge(1, 1)]);

        assert_eq!(routed.vertex_count, 2);
        assert!(routed.segments().is_empty());
        assert!(
            routed
                .bundles
                .values()
                .all(|bundle| bundle.backward.len() == 1)
        );
    }
}
