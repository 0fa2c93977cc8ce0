//! The order within the columns, so that few wires cross.

use super::routes::{End, Piece};

/// How often the columns are ordered from the left and from the right.
const SWEEPS: usize = 12;
/// The weight of a place in its column, compared with a row in its box.
const PLACE: i64 = 256;

/// Orders the items of `columns`: each comes to the mean height of what it is
/// connected with. Of all orders on the way there, the one with the fewest
/// crossings is kept.
///
/// `rank` is the number of a row in its box, from the top.
pub(super) fn arrange(
    columns: &mut Vec<Vec<usize>>,
    items: usize,
    pieces: &[Piece],
    rank: impl Fn(End) -> usize,
) {
    let mut to_left = vec![Vec::new(); items];
    let mut to_right = vec![Vec::new(); items];
    for piece in pieces {
        to_left[piece.right.item].push(piece.left);
        to_right[piece.left.item].push(piece.right);
    }
    let rank = |end| i64::try_from(rank(end)).map_or(PLACE - 1, |rank| rank.min(PLACE - 1));

    let mut best = columns.clone();
    let mut fewest = crossings(columns, items, pieces, rank);
    for sweep in 0..SWEEPS {
        if fewest == 0 {
            break;
        }
        let mut places = places(columns, items);
        let forward = sweep % 2 == 0;
        let neighbours = if forward { &to_left } else { &to_right };
        let count = columns.len();
        for step in 0..count {
            let column = if forward { step } else { count - 1 - step };
            let column = &mut columns[column];
            column.sort_by_key(|&item| mean(&neighbours[item], places[item], &places, rank));
            for (place, &item) in (0..).zip(column.iter()) {
                places[item] = place * PLACE;
            }
        }
        let now = crossings(columns, items, pieces, rank);
        if now < fewest {
            fewest = now;
            best.clone_from(columns);
        }
    }
    *columns = best;
}

/// The place of each item in its column.
pub(super) fn places(columns: &[Vec<usize>], items: usize) -> Vec<i64> {
    let mut places = vec![0; items];
    for column in columns {
        for (place, &item) in (0..).zip(column) {
            places[item] = place * PLACE;
        }
    }
    places
}

fn mean(neighbours: &[End], otherwise: i64, places: &[i64], rank: impl Fn(End) -> i64) -> i64 {
    let Some(count) = i64::try_from(neighbours.len()).ok().filter(|&n| n > 0) else {
        return otherwise;
    };
    let heights = neighbours.iter().map(|&end| places[end.item] + rank(end));
    heights.sum::<i64>() / count
}

fn crossings(
    columns: &[Vec<usize>],
    items: usize,
    pieces: &[Piece],
    rank: impl Fn(End) -> i64,
) -> usize {
    let places = places(columns, items);
    let mut column_of = vec![0; items];
    for (index, column) in columns.iter().enumerate() {
        for &item in column {
            column_of[item] = index;
        }
    }
    let height = |end: End| places[end.item] + rank(end);
    let mut sorted: Vec<_> = pieces
        .iter()
        .map(|piece| {
            let gap = column_of[piece.left.item];
            (gap, height(piece.left), height(piece.right))
        })
        .collect();
    sorted.sort_unstable();

    let mut crossings = 0;
    for gap in sorted.chunk_by(|one, other| one.0 == other.0) {
        let mut above: Vec<i64> = Vec::new();
        for &(_, _, right) in gap {
            let place = above.partition_point(|&other| other <= right);
            crossings += above.len() - place;
            above.insert(place, right);
        }
    }
    crossings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(left: usize, right: usize) -> Piece {
        let end = |item| End { item, row: 0 };
        Piece {
            left: end(left),
            right: end(right),
        }
    }

    #[test]
    fn wires_that_need_not_cross_do_not() {
        let mut columns = vec![vec![0, 1, 2], vec![3, 4, 5]];
        let pieces = [piece(0, 5), piece(1, 4), piece(2, 3)];
        assert_eq!(crossings(&columns, 6, &pieces, |_| 0), 3);

        arrange(&mut columns, 6, &pieces, |_| 0);

        assert_eq!(crossings(&columns, 6, &pieces, |_| 0), 0);
        columns[1].sort_unstable();
        assert_eq!(columns[1], [3, 4, 5]);
    }
}
