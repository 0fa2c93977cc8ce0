//! Layer assignment: the longest path from the nodes without importers.

use std::collections::BTreeSet;

/// The layer of each node, counted from 0: the smallest number above those of its importers.
///
/// `wires` are pairs of importer and provider. Backward wires of a cycle are ignored.
pub(super) fn layers(nodes: usize, wires: &BTreeSet<(usize, usize)>) -> Vec<usize> {
    let mut providers = vec![Vec::new(); nodes];
    let mut importers_left = vec![0_usize; nodes];
    for &(importer, provider) in wires {
        if importer != provider {
            providers[importer].push(provider);
            importers_left[provider] += 1;
        }
    }

    let mut layers = vec![0; nodes];
    let mut done = vec![false; nodes];
    let mut ready: Vec<usize> = (0..nodes)
        .filter(|&node| importers_left[node] == 0)
        .collect();
    let mut rest = 0..nodes;
    loop {
        // If nodes are left and none is ready, they form a cycle: it is broken at the first.
        let Some(node) = ready.pop().or_else(|| rest.find(|&node| !done[node])) else {
            return layers;
        };
        done[node] = true;
        for &provider in &providers[node] {
            if done[provider] {
                continue;
            }
            layers[provider] = layers[provider].max(layers[node] + 1);
            importers_left[provider] -= 1;
            if importers_left[provider] == 0 {
                ready.push(provider);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_path_determines_the_layer() {
        let wires = BTreeSet::from([(0, 1), (0, 2), (1, 2), (3, 1)]);

        assert_eq!(layers(4, &wires), [0, 1, 2, 0]);
    }

    #[test]
    fn a_cycle_is_broken_at_its_first_node() {
        let wires = BTreeSet::from([(0, 1), (1, 2), (2, 1), (1, 1)]);

        assert_eq!(layers(3, &wires), [0, 1, 2]);
        assert_eq!(layers(2, &BTreeSet::from([(0, 1), (1, 0)])), [0, 1]);
    }

    #[test]
    fn a_long_chain_does_not_exhaust_the_stack() {
        let wires = (0..99_999).map(|node| (node, node + 1)).collect();

        assert_eq!(layers(100_000, &wires)[99_999], 99_999);
    }
}
