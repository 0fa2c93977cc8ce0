//! Vertical coordinates of blocks and dummy vertices: wires are as straight as possible.

/// Number of sweeps over the columns, alternately from the left and from the right.
const SWEEPS: usize = 16;

/// Two vertices whose ports should have the same vertical coordinate.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    pub(super) left: usize,
    pub(super) right: usize,
    /// The distances of the ports from the upper borders of their vertices.
    pub(super) offsets: (i64, i64),
    /// The weight of the link.
    pub(super) weight: i64,
}

/// The upper border of each vertex; may be negative.
///
/// The vertices of a column keep their order, with at least `gap` between them.
pub(super) fn assign(
    columns: &[Vec<usize>],
    heights: &[i64],
    gap: impl Fn(usize, usize) -> i64,
    links: &[Link],
) -> Vec<i64> {
    let mut tops = vec![0; heights.len()];
    let mut to_left = vec![Vec::new(); heights.len()];
    let mut to_right = vec![Vec::new(); heights.len()];
    for link in links {
        let (left, right) = link.offsets;
        to_left[link.right].push((link.left, left - right, link.weight));
        to_right[link.left].push((link.right, right - left, link.weight));
    }
    // The position of each vertex if the column starts at 0 without extra gaps.
    let mut tight = tops.clone();
    for column in columns {
        let mut next = 0;
        for (index, &vertex) in column.iter().enumerate() {
            if let Some(above) = index.checked_sub(1) {
                next += gap(column[above], vertex);
            }
            tight[vertex] = next;
            tops[vertex] = next;
            next += heights[vertex];
        }
    }

    for sweep in 0..SWEEPS {
        let forward = sweep % 2 == 0;
        // The second half of the sweeps uses both sides.
        let (use_left, use_right) = if sweep < SWEEPS / 2 {
            (forward, !forward)
        } else {
            (true, true)
        };
        for step in 0..columns.len() {
            let last = columns.len() - 1;
            let column = &columns[if forward { step } else { last - step }];
            let targets: Vec<_> = column
                .iter()
                .map(|&vertex| {
                    let left = to_left[vertex].iter().filter(|_| use_left);
                    let right = to_right[vertex].iter().filter(|_| use_right);
                    let (sum, weight) = left.chain(right).fold((0, 0), |(sum, all), link| {
                        let &(other, offset, weight) = link;
                        (sum + (tops[other] + offset) * weight, all + weight)
                    });
                    match weight {
                        0 => (tops[vertex] - tight[vertex], 1),
                        weight => (sum / weight - tight[vertex], weight),
                    }
                })
                .collect();
            for (&vertex, moved) in column.iter().zip(isotonic_regression(&targets)) {
                tops[vertex] = tight[vertex] + moved;
            }
        }
    }
    tops
}

/// Weighted isotonic regression: the non-decreasing numbers with the least squared distance
/// from the weighted targets, by the pool-adjacent-violators algorithm.
fn isotonic_regression(targets: &[(i64, i64)]) -> Vec<i64> {
    // Adjacent violators share their weighted mean.
    let mut groups: Vec<(i64, i64, usize)> = Vec::new();
    for &(target, weight) in targets {
        let mut group = (target * weight, weight, 1);
        while let Some(&(sum, weight, count)) = groups.last() {
            if sum.div_euclid(weight) <= group.0.div_euclid(group.1) {
                break;
            }
            group = (sum + group.0, weight + group.1, count + group.2);
            groups.pop();
        }
        groups.push(group);
    }
    groups
        .into_iter()
        .flat_map(|(sum, weight, count)| std::iter::repeat_n(sum.div_euclid(weight), count))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn isotonic_regression_keeps_ordered_targets() {
        assert_eq!(isotonic_regression(&[(-4, 1), (0, 3), (9, 1)]), [-4, 0, 9]);
    }

    #[test]
    fn isotonic_regression_pools_violators_at_their_weighted_mean() {
        assert_eq!(
            isotonic_regression(&[(0, 1), (8, 3), (4, 1), (20, 1)]),
            [0, 7, 7, 20]
        );
    }

    #[test]
    fn linked_ports_get_the_same_coordinate() {
        let link = Link {
            left: 0,
            right: 2,
            offsets: (10, 30),
            weight: 1,
        };

        let tops = assign(&[vec![0], vec![1, 2]], &[50; 3], |_, _| 20, &[link]);

        assert_eq!(tops[0] + 10, tops[2] + 30);
        assert!(tops[1] + 50 + 20 <= tops[2]);
    }
}
