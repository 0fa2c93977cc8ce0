//! The heights of boxes and lanes: so that wires are straight where they can be.

/// How often the columns are adapted to each other, from the left and from the right.
const SWEEPS: usize = 16;

/// Two items with ports that should be at the same height.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    pub(super) left: usize,
    pub(super) right: usize,
    /// How far the ports are below the upper borders of their items.
    pub(super) offsets: (i64, i64),
    /// How important it is.
    pub(super) weight: i64,
}

/// Finds the upper border of each item. It may be negative.
///
/// The items of a column keep their order, and have `gap` between them.
pub(super) fn place(
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
    // Where each item is if the column starts at 0 and has no room to spare.
    let mut tight = tops.clone();
    for column in columns {
        let mut next = 0;
        for (index, &item) in column.iter().enumerate() {
            if let Some(above) = index.checked_sub(1) {
                next += gap(column[above], item);
            }
            tight[item] = next;
            tops[item] = next;
            next += heights[item];
        }
    }

    for sweep in 0..SWEEPS {
        let forward = sweep % 2 == 0;
        // In the end, both sides count.
        let (use_left, use_right) = if sweep < SWEEPS / 2 {
            (forward, !forward)
        } else {
            (true, true)
        };
        for step in 0..columns.len() {
            let last = columns.len() - 1;
            let column = &columns[if forward { step } else { last - step }];
            let wishes: Vec<_> = column
                .iter()
                .map(|&item| {
                    let left = to_left[item].iter().filter(|_| use_left);
                    let right = to_right[item].iter().filter(|_| use_right);
                    let (sum, weight) = left.chain(right).fold((0, 0), |(sum, all), wish| {
                        let &(other, offset, weight) = wish;
                        (sum + (tops[other] + offset) * weight, all + weight)
                    });
                    match weight {
                        0 => (tops[item] - tight[item], 1),
                        weight => (sum / weight - tight[item], weight),
                    }
                })
                .collect();
            for (&item, moved) in column.iter().zip(settle(&wishes)) {
                tops[item] = tight[item] + moved;
            }
        }
    }
    tops
}

/// The numbers that are nearest to the wished ones, of which each has a weight,
/// while none is less than the one before it.
fn settle(wishes: &[(i64, i64)]) -> Vec<i64> {
    // Neighbours that would have to pass each other share their mean.
    let mut groups: Vec<(i64, i64, usize)> = Vec::new();
    for &(wish, weight) in wishes {
        let mut group = (wish * weight, weight, 1);
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
    fn wishes_that_are_in_order_come_true() {
        assert_eq!(settle(&[(-4, 1), (0, 3), (9, 1)]), [-4, 0, 9]);
    }

    #[test]
    fn wishes_that_contradict_each_other_meet_at_their_weighted_mean() {
        assert_eq!(settle(&[(0, 1), (8, 3), (4, 1), (20, 1)]), [0, 7, 7, 20]);
    }

    #[test]
    fn linked_ports_come_to_the_same_height() {
        let link = Link {
            left: 0,
            right: 2,
            offsets: (10, 30),
            weight: 1,
        };

        let tops = place(&[vec![0], vec![1, 2]], &[50; 3], |_, _| 20, &[link]);

        assert_eq!(tops[0] + 10, tops[2] + 30);
        assert!(tops[1] + 50 + 20 <= tops[2]);
    }
}
