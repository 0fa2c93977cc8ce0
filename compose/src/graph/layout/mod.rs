//! A layered layout by Sugiyama's method: columns from left to right, without overlaps.
//!
//! The steps, in order:
//!
//! - `layering`: the layer of each node; `layered_graph`: blocks and edges with columns
//! - `edge_routing`: dummy vertices where wires pass a column
//! - `crossing_reduction`: the order within the columns
//! - `vertical_coordinates`, `horizontal_coordinates`: positions of blocks and dummies
//! - `edge_paths`: curves and lines
//!
//! Wires are drawn in the gaps between columns, and pass a column at a dummy vertex of their
//! own. Text is inside of blocks. Texts, blocks and wires therefore never overlap; only wires
//! may cross.

pub(in crate::graph) mod block;
mod crossing_reduction;
mod edge_paths;
mod edge_routing;
mod horizontal_coordinates;
mod layered_graph;
mod layering;
#[cfg(test)]
mod tests;
mod vertical_coordinates;

use super::model::Model;
use super::text_width::columns;
use block::{Area, Block, BlockKind};
use crossing_reduction::{positions, reduce_crossings};
use edge_paths::Geometry;
pub(super) use edge_paths::{EdgePath, Point};
use edge_routing::{Endpoint, RoutedEdges};
use horizontal_coordinates::HorizontalCoordinates;
use layered_graph::LayeredGraph;
use vertical_coordinates::Link;

/// Margin around the picture.
pub(super) const MARGIN: i64 = 24;
/// Space in the frame above the blocks, for its title.
const HEADROOM: i64 = 72;
/// Space in the frame below, left and right of the blocks.
pub(super) const INSET: i64 = 28;
/// Height of a dummy vertex.
const DUMMY_HEIGHT: i64 = 12;

/// A picture with coordinates.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) width: i64,
    pub(super) height: i64,
    /// The frame around the nodes.
    pub(super) frame: Area,
    pub(super) blocks: Vec<Block>,
    /// The rectangle of each block.
    pub(super) areas: Vec<Area>,
    pub(super) paths: Vec<EdgePath>,
}

impl Layout {
    /// Computes the layout of `model`. `title` and `summary` are the texts at the top of the
    /// frame.
    pub(super) fn new(model: &Model<'_>, title: &str, summary: &str) -> Self {
        let LayeredGraph {
            mut blocks,
            columns: columns_of_blocks,
            layers,
            edges,
        } = LayeredGraph::new(model);
        let mut routed = RoutedEdges::new(&columns_of_blocks, layers + 2, edges);
        order(&mut blocks, &mut routed);

        let ports: Vec<_> = blocks.iter().map(Block::ports).collect();
        let mut heights: Vec<_> = blocks.iter().map(Block::height).collect();
        heights.resize(routed.vertex_count, DUMMY_HEIGHT);
        let mut tops = tops(&routed, &heights, &ports);
        let first = tops.iter().min().copied().unwrap_or_default();
        for top in &mut tops {
            *top += MARGIN + HEADROOM - first;
        }
        let bottom = bottom(&routed, &tops, &heights);

        let widest_title = (columns(title) * 11).max(columns(summary) * 8);
        let HorizontalCoordinates {
            spans,
            frame,
            width,
        } = HorizontalCoordinates::new(&blocks, &routed, widest_title);
        let areas = (0..blocks.len()).map(|block| {
            let (x, right) = spans[columns_of_blocks[block]];
            Area {
                x,
                y: tops[block],
                width: right - x,
                height: heights[block],
            }
        });
        let areas = areas.collect();
        let geometry = Geometry::new(&routed, spans, tops, ports);
        let paths = routed.bundles.iter();
        let paths = paths.map(|(&to, bundle)| geometry.path(blocks[to.block].kind, to, bundle));
        Self {
            width,
            height: bottom + MARGIN,
            frame: Area {
                x: frame.0,
                y: MARGIN,
                width: frame.1 - frame.0,
                height: bottom - MARGIN,
            },
            paths: paths.collect(),
            areas,
            blocks,
        }
    }

    /// Whether the picture has an import outside of WASI.
    pub(super) fn has_missing(&self) -> bool {
        self.blocks
            .iter()
            .any(|block| block.kind == BlockKind::Missing)
    }
}

/// The lower border of the frame: below its contents, and not above the end of the outer
/// columns.
fn bottom(routed: &RoutedEdges, tops: &[i64], heights: &[i64]) -> i64 {
    let last = routed.columns.len() - 1;
    let columns = routed.columns.iter().enumerate();
    let bottoms = columns.flat_map(|(column, vertices)| {
        let inside = 0 < column && column < last;
        let room = if inside { INSET } else { 0 };
        vertices
            .iter()
            .map(move |&vertex| tops[vertex] + heights[vertex] + room)
    });
    bottoms.max().unwrap_or(MARGIN + HEADROOM)
}

/// Orders the vertices of each column and the rows of each block.
fn order(blocks: &mut [Block], routed: &mut RoutedEdges) {
    let segments = routed.segments();
    let mut connected: Vec<_> = blocks
        .iter()
        .map(|b| vec![Vec::new(); b.rows.len()])
        .collect();
    for segment in &segments {
        for (end, other) in [(segment.left, segment.right), (segment.right, segment.left)] {
            if let Some(rows) = connected.get_mut(end.vertex) {
                rows[end.row].push(other);
            }
        }
    }
    // What the rows lead to depends on the columns, and the other path round.
    for _ in 0..2 {
        let ranks: Vec<Vec<usize>> = blocks.iter().map(ranks).collect();
        let rank = |end: Endpoint| ranks.get(end.vertex).map_or(0, |ranks| ranks[end.row]);
        reduce_crossings(&mut routed.columns, routed.vertex_count, &segments, rank);
        let positions = positions(&routed.columns, routed.vertex_count);
        for (block, connected) in blocks.iter_mut().zip(&connected) {
            let Block { rows, sequence, .. } = block;
            sequence.sort_by_key(|&row| {
                let heights = connected[row].iter().map(|end| positions[end.vertex]);
                let count = i64::try_from(connected[row].len()).unwrap_or_default();
                let mean = heights.sum::<i64>().checked_div(count);
                // Wires between nodes are the most important.
                (
                    rows[row].side,
                    rows[row].other != BlockKind::Node,
                    mean,
                    row,
                )
            });
        }
    }
}

fn ranks(block: &Block) -> Vec<usize> {
    let mut ranks = vec![0; block.rows.len()];
    for (rank, &row) in block.sequence.iter().enumerate() {
        ranks[row] = rank;
    }
    ranks
}

fn tops(routed: &RoutedEdges, heights: &[i64], ports: &[Vec<i64>]) -> Vec<i64> {
    let is_dummy = |vertex: usize| vertex >= ports.len();
    let offset = |end: Endpoint| {
        ports
            .get(end.vertex)
            .map_or(DUMMY_HEIGHT / 2, |ports| ports[end.row])
    };
    let links: Vec<_> = routed
        .segments()
        .into_iter()
        .map(|segment| Link {
            left: segment.left.vertex,
            right: segment.right.vertex,
            offsets: (offset(segment.left), offset(segment.right)),
            // Bends in the middle of a long wire are the worst.
            weight: match (
                is_dummy(segment.left.vertex),
                is_dummy(segment.right.vertex),
            ) {
                (true, true) => 8,
                (false, false) => 1,
                _ => 2,
            },
        })
        .collect();
    let gap = |above, below| match (is_dummy(above), is_dummy(below)) {
        (true, true) => 0,
        (false, false) => 24,
        _ => 10,
    };
    vertical_coordinates::assign(&routed.columns, heights, gap, &links)
}
