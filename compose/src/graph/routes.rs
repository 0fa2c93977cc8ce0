//! The way of each wire through the columns of the picture.
//!
//! All wires to one port are a net. Where a net passes a column on its way, it has
//! one lane there, whatever the number of its wires. So wires with the same target
//! join on their way, and a picture stays readable if every part imports from the
//! same package.

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
    /// The wire in words.
    pub(super) text: String,
}

/// An end of a piece: a port or a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct End {
    /// The index of a box; of a lane, if there are not that many boxes.
    pub(super) item: usize,
    /// The row of a box, 0 in a lane.
    pub(super) row: usize,
}

/// The part of a net between two neighbouring columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Piece {
    pub(super) left: End,
    pub(super) right: End,
}

/// All wires to one port.
#[derive(Debug, Default)]
pub(super) struct Net {
    /// The wires in words.
    pub(super) texts: Vec<String>,
    /// The pieces that it is drawn from.
    pub(super) pieces: BTreeSet<Piece>,
    /// The lanes that it uses, as items.
    pub(super) lanes: Vec<usize>,
    /// The importers that are not left of the target: part of a circle.
    pub(super) backward: Vec<Port>,
}

/// The ways of all wires.
#[derive(Debug)]
pub(super) struct Routes {
    /// The nets, by their target.
    pub(super) nets: BTreeMap<Port, Net>,
    /// The items of each column: boxes, and behind them lanes.
    pub(super) columns: Vec<Vec<usize>>,
    /// The number of boxes and lanes.
    pub(super) items: usize,
}

impl Routes {
    /// Finds a way for each of `edges` between boxes that stand in the given of
    /// `count` columns.
    pub(super) fn new(columns_of_blocks: &[usize], count: usize, edges: Vec<Edge>) -> Self {
        let mut columns = vec![Vec::new(); count];
        for (block, &column) in columns_of_blocks.iter().enumerate() {
            columns[column].push(block);
        }
        let mut routes = Self {
            nets: BTreeMap::new(),
            columns,
            items: columns_of_blocks.len(),
        };
        let mut lanes = BTreeMap::new();
        for edge in edges {
            let span = columns_of_blocks[edge.from.block]..columns_of_blocks[edge.to.block];
            routes.add(edge, span, &mut lanes);
        }
        routes
    }

    /// Every piece of every net.
    pub(super) fn pieces(&self) -> Vec<Piece> {
        let nets = self.nets.values();
        nets.flat_map(|net| &net.pieces).copied().collect()
    }

    fn add(
        &mut self,
        Edge { from, to, text }: Edge,
        span: std::ops::Range<usize>,
        lanes: &mut BTreeMap<(Port, usize), usize>,
    ) {
        let net = self.nets.entry(to).or_default();
        net.texts.push(text);
        if span.is_empty() {
            net.backward.push(from);
            return;
        }
        let mut left = End::from(from);
        for column in span.skip(1) {
            let known = lanes.get(&(to, column)).copied();
            let lane = known.unwrap_or(self.items);
            let right = End { item: lane, row: 0 };
            net.pieces.insert(Piece { left, right });
            if known.is_some() {
                // From here on, an earlier wire has found the way.
                return;
            }
            lanes.insert((to, column), lane);
            net.lanes.push(lane);
            self.columns[column].push(lane);
            self.items += 1;
            left = right;
        }
        let right = End::from(to);
        net.pieces.insert(Piece { left, right });
    }
}

impl From<Port> for End {
    fn from(port: Port) -> Self {
        Self {
            item: port.block,
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
        let routes = Routes::new(&[0, 0, 1, 2], 3, vec![edge(0, 3), edge(1, 3), edge(2, 3)]);

        assert_eq!(routes.columns, [vec![0, 1], vec![2, 4], vec![3]]);
        assert_eq!(routes.nets.len(), 1);
        assert_eq!(routes.pieces().len(), 4);
    }

    #[test]
    fn a_wire_that_leads_back_takes_no_lane() {
        let routes = Routes::new(&[0, 1], 2, vec![edge(1, 0), edge(1, 1)]);

        assert_eq!(routes.items, 2);
        assert!(routes.pieces().is_empty());
        assert!(routes.nets.values().all(|net| net.backward.len() == 1));
    }
}
