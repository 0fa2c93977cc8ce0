//! Crossing reduction: the order of vertices within columns, by the barycenter heuristic.

use super::edge_routing::{Endpoint, Segment};

/// Number of sweeps over the columns, alternately from the left and from the right.
const SWEEPS: usize = 12;
/// Weight of a position in the column relative to a row of a block.
const POSITION_WEIGHT: i64 = 256;

/// Orders the vertices of `columns` by the barycenters of their neighbours, and keeps the
/// order with the fewest crossings of all sweeps.
///
/// `rank` is the position of a row in its block, from the top.
pub(super) fn reduce_crossings(
    columns: &mut Vec<Vec<usize>>,
    vertex_count: usize,
    segments: &[Segment],
    rank: impl Fn(Endpoint) -> usize,
) {
    let mut to_left = vec![Vec::new(); vertex_count];
    let mut to_right = vec![Vec::new(); vertex_count];
    for segment in segments {
        to_left[segment.right.vertex].push(segment.left);
        to_right[segment.left.vertex].push(segment.right);
    }
    let rank = |end| {
        i64::try_from(rank(end)).map_or(POSITION_WEIGHT - 1, |rank| rank.min(POSITION_WEIGHT - 1))
    };

    let mut best = columns.clone();
    let mut fewest = crossings(columns, vertex_count, segments, rank);
    for sweep in 0..SWEEPS {
        if fewest == 0 {
            break;
        }
        let mut positions = positions(columns, vertex_count);
        let forward = sweep % 2 == 0;
        let neighbours = if forward { &to_left } else { &to_right };
        let count = columns.len();
        for step in 0..count {
            let column = if forward { step } else { count - 1 - step };
            let column = &mut columns[column];
            column.sort_by_key(|&vertex| {
                barycenter(&neighbours[vertex], positions[vertex], &positions, rank)
            });
            for (position, &vertex) in (0..).zip(column.iter()) {
                positions[vertex] = position * POSITION_WEIGHT;
            }
        }
        let now = crossings(columns, vertex_count, segments, rank);
        if now < fewest {
            fewest = now;
            best.clone_from(columns);
        }
    }
    *columns = best;
}

/// The position of each vertex in its column.
pub(super) fn positions(columns: &[Vec<usize>], vertex_count: usize) -> Vec<i64> {
    let mut positions = vec![0; vertex_count];
    for column in columns {
        for (position, &vertex) in (0..).zip(column) {
            positions[vertex] = position * POSITION_WEIGHT;
        }
    }
    positions
}

fn barycenter(
    neighbours: &[Endpoint],
    otherwise: i64,
    positions: &[i64],
    rank: impl Fn(Endpoint) -> i64,
) -> i64 {
    let Some(count) = i64::try_from(neighbours.len()).ok().filter(|&n| n > 0) else {
        return otherwise;
    };
    let heights = neighbours
        .iter()
        .map(|&end| positions[end.vertex] + rank(end));
    heights.sum::<i64>() / count
}

fn crossings(
    columns: &[Vec<usize>],
    vertex_count: usize,
    segments: &[Segment],
    rank: impl Fn(Endpoint) -> i64,
) -> usize {
    let positions = positions(columns, vertex_count);
    let mut column_of = vec![0; vertex_count];
    for (index, column) in columns.iter().enumerate() {
        for &vertex in column {
            column_of[vertex] = index;
        }
    }
    let height = |end: Endpoint| positions[end.vertex] + rank(end);
    let mut sorted: Vec<_> = segments
        .iter()
        .map(|segment| {
            let gap = column_of[segment.left.vertex];
            (gap, height(segment.left), height(segment.right))
        })
        .collect();
    sorted.sort_unstable();

    let mut crossings = 0;
    for gap in sorted.chunk_by(|one, other| one.0 == other.0) {
        let mut above: Vec<i64> = Vec::new();
        for &(_, _, right) in gap {
            let index = above.partition_point(|&other| other <= right);
            crossings += above.len() - index;
            above.insert(index, right);
        }
    }
    crossings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(left: usize, right: usize) -> Segment {
        let end = |vertex| Endpoint { vertex, row: 0 };
        Segment {
            left: end(left),
            right: end(right),
        }
    }

    #[test]
    fn avoidable_crossings_are_removed() {
        let mut columns = vec![vec![0, 1, 2], vec![3, 4, 5]];
        let segments = [segment(0, 5), segment(1, 4), segment(2, 3)];
        assert_eq!(crossings(&columns, 6, &segments, |_| 0), 3);

        reduce_crossings(&mut columns, 6, &segments, |_| 0);

        assert_eq!(crossings(&columns, 6, &segments, |_| 0), 0);
        columns[1].sort_unstable();
        assert_eq!(columns[1], [3, 4, 5]);
    }
}
