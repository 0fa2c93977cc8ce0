//! Which parts stand side by side, and which behind each other.

use std::collections::BTreeSet;

/// The layer of each part, counted from 0: right of everything that imports from
/// it, and no further right than needed.
///
/// `wires` are pairs of an importer and a provider. If they form a circle, those
/// that lead back in it do not count.
pub(super) fn layers(parts: usize, wires: &BTreeSet<(usize, usize)>) -> Vec<usize> {
    let mut providers = vec![Vec::new(); parts];
    let mut importers_left = vec![0_usize; parts];
    for &(importer, provider) in wires {
        if importer != provider {
            providers[importer].push(provider);
            importers_left[provider] += 1;
        }
    }

    let mut layers = vec![0; parts];
    let mut done = vec![false; parts];
    let mut ready: Vec<usize> = (0..parts)
        .filter(|&part| importers_left[part] == 0)
        .collect();
    let mut rest = 0..parts;
    loop {
        // If there are parts and none is ready, they form a circle: the first of
        // them opens it.
        let Some(part) = ready.pop().or_else(|| rest.find(|&part| !done[part])) else {
            return layers;
        };
        done[part] = true;
        for &provider in &providers[part] {
            if done[provider] {
                continue;
            }
            layers[provider] = layers[provider].max(layers[part] + 1);
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
    fn the_longest_way_to_a_part_decides() {
        let wires = BTreeSet::from([(0, 1), (0, 2), (1, 2), (3, 1)]);

        assert_eq!(layers(4, &wires), [0, 1, 2, 0]);
    }

    #[test]
    fn a_circle_is_opened_at_its_first_part() {
        let wires = BTreeSet::from([(0, 1), (1, 2), (2, 1), (1, 1)]);

        assert_eq!(layers(3, &wires), [0, 1, 2]);
        assert_eq!(layers(2, &BTreeSet::from([(0, 1), (1, 0)])), [0, 1]);
    }

    #[test]
    fn a_long_chain_does_not_exhaust_the_stack() {
        let wires = (0..99_999).map(|part| (part, part + 1)).collect();

        assert_eq!(layers(100_000, &wires)[99_999], 99_999);
    }
}
