//! Where everything is: in columns from left to right, without overlaps.
//!
//! Wires are drawn in the gaps between columns, and pass a column in a lane of its
//! own. Text is inside of boxes. So no text, box or wire ever covers another; only
//! wires may cross.

mod across;
#[cfg(test)]
mod tests;
mod ways;

use super::blocks::{Area, Block, Kind};
use super::model::Model;
use super::order::{arrange, places};
use super::place::{Link, place};
use super::routes::{End, Routes};
use super::scene::Scene;
use super::text::columns;
use across::Across;
use ways::Sheet;
pub(super) use ways::{Point, Way};

/// The room around everything.
pub(super) const MARGIN: i64 = 24;
/// The room in the frame above the boxes, for its title.
const HEADROOM: i64 = 72;
/// The room in the frame below and beside the boxes.
pub(super) const INSET: i64 = 28;
/// The height of a lane.
const LANE: i64 = 12;

/// A picture, ready to be drawn.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) width: i64,
    pub(super) height: i64,
    /// The border of the whole.
    pub(super) frame: Area,
    pub(super) blocks: Vec<Block>,
    /// Where each block is.
    pub(super) areas: Vec<Area>,
    pub(super) ways: Vec<Way>,
}

impl Layout {
    /// Finds a place for everything in `model`. `title` and `summary` are what is
    /// written at the top of the frame.
    pub(super) fn new(model: &Model<'_>, title: &str, summary: &str) -> Self {
        let Scene {
            mut blocks,
            columns: columns_of_blocks,
            layers,
            edges,
        } = Scene::new(model);
        let mut routes = Routes::new(&columns_of_blocks, layers + 2, edges);
        order(&mut blocks, &mut routes);

        let ports: Vec<_> = blocks.iter().map(Block::ports).collect();
        let mut heights: Vec<_> = blocks.iter().map(Block::height).collect();
        heights.resize(routes.items, LANE);
        let mut tops = tops(&routes, &heights, &ports);
        let first = tops.iter().min().copied().unwrap_or_default();
        for top in &mut tops {
            *top += MARGIN + HEADROOM - first;
        }
        let bottom = bottom(&routes, &tops, &heights);

        let widest_title = (columns(title) * 11).max(columns(summary) * 8);
        let Across {
            spans,
            frame,
            width,
        } = Across::new(&blocks, &routes, widest_title);
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
        let sheet = Sheet::new(&routes, spans, tops, ports);
        let ways = routes.nets.iter();
        let ways = ways.map(|(&to, net)| sheet.way(blocks[to.block].kind, to, net));
        Self {
            width,
            height: bottom + MARGIN,
            frame: Area {
                x: frame.0,
                y: MARGIN,
                width: frame.1 - frame.0,
                height: bottom - MARGIN,
            },
            ways: ways.collect(),
            areas,
            blocks,
        }
    }

    /// Whether the picture shows an import that needs more than WASI.
    pub(super) fn has_missing(&self) -> bool {
        self.blocks.iter().any(|block| block.kind == Kind::Missing)
    }
}

/// The lower border of the frame: below everything in it, and not above the end of
/// anything outside.
fn bottom(routes: &Routes, tops: &[i64], heights: &[i64]) -> i64 {
    let last = routes.columns.len() - 1;
    let columns = routes.columns.iter().enumerate();
    let bottoms = columns.flat_map(|(column, items)| {
        let inside = 0 < column && column < last;
        let room = if inside { INSET } else { 0 };
        items
            .iter()
            .map(move |&item| tops[item] + heights[item] + room)
    });
    bottoms.max().unwrap_or(MARGIN + HEADROOM)
}

/// Orders the items of each column and the rows of each box.
fn order(blocks: &mut [Block], routes: &mut Routes) {
    let pieces = routes.pieces();
    let mut connected: Vec<_> = blocks
        .iter()
        .map(|b| vec![Vec::new(); b.rows.len()])
        .collect();
    for piece in &pieces {
        for (end, other) in [(piece.left, piece.right), (piece.right, piece.left)] {
            if let Some(rows) = connected.get_mut(end.item) {
                rows[end.row].push(other);
            }
        }
    }
    // What the rows lead to depends on the columns, and the other way round.
    for _ in 0..2 {
        let ranks: Vec<Vec<usize>> = blocks.iter().map(ranks).collect();
        let rank = |end: End| ranks.get(end.item).map_or(0, |ranks| ranks[end.row]);
        arrange(&mut routes.columns, routes.items, &pieces, rank);
        let places = places(&routes.columns, routes.items);
        for (block, connected) in blocks.iter_mut().zip(&connected) {
            let Block { rows, sequence, .. } = block;
            sequence.sort_by_key(|&row| {
                let heights = connected[row].iter().map(|end| places[end.item]);
                let count = i64::try_from(connected[row].len()).unwrap_or_default();
                let mean = heights.sum::<i64>().checked_div(count);
                // Wires between parts come first: they are the story.
                (rows[row].side, rows[row].other != Kind::Part, mean, row)
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

fn tops(routes: &Routes, heights: &[i64], ports: &[Vec<i64>]) -> Vec<i64> {
    let is_lane = |item: usize| item >= ports.len();
    let offset = |end: End| ports.get(end.item).map_or(LANE / 2, |ports| ports[end.row]);
    let links: Vec<_> = routes
        .pieces()
        .into_iter()
        .map(|piece| Link {
            left: piece.left.item,
            right: piece.right.item,
            offsets: (offset(piece.left), offset(piece.right)),
            // A bend is worst in the middle of a long wire.
            weight: match (is_lane(piece.left.item), is_lane(piece.right.item)) {
                (true, true) => 8,
                (false, false) => 1,
                _ => 2,
            },
        })
        .collect();
    let gap = |above, below| match (is_lane(above), is_lane(below)) {
        (true, true) => 0,
        (false, false) => 24,
        _ => 10,
    };
    place(&routes.columns, heights, gap, &links)
}
