//! Cycles among things that depend on each other.

use petgraph::algo::{astar, toposort};
use petgraph::graphmap::DiGraphMap;

/// A shortest cycle through one of the nodes that lie on cycles, from its first node in
/// alphabetical order; the last element is the first. `None` if the dependencies are acyclic.
///
/// `edges` are pairs of a node and a node that it depends on. Equal edges in equal order
/// give the same cycle.
pub(crate) fn find_cycle<'n>(
    edges: impl IntoIterator<Item = (&'n str, &'n str)>,
) -> Option<Vec<&'n str>> {
    let graph: DiGraphMap<&str, ()> = DiGraphMap::from_edges(edges);
    // Both algorithms are iterative: a long chain must not exhaust the stack.
    let on_cycle = toposort(&graph, None).err()?.node_id();
    graph.neighbors(on_cycle).find_map(|next| {
        let (_, mut cycle) = astar(&graph, next, |node| node == on_cycle, |_| 1, |_| 0)?;
        let first = (0..cycle.len()).min_by_key(|&index| cycle[index])?;
        cycle.rotate_left(first);
        cycle.push(cycle[0]);
        Some(cycle)
    })
}

/// The message for a cycle.
pub(crate) fn cycle_message<N: AsRef<str>>(cycle: &[N]) -> String {
    let names: Vec<&str> = cycle.iter().map(AsRef::as_ref).collect();
    format!("dependency cycle: {}", names.join(" → "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn find_cycle_returns_the_path_of_a_cycle() {
        let cycle = find_cycle([("a", "b"), ("b", "c"), ("c", "d"), ("d", "b"), ("a", "d")]);
        let cycle = cycle.expect("a cycle");
        assert_eq!(cycle.len(), 4);
        assert_eq!(cycle.first(), cycle.last());
        assert!(!cycle.contains(&"a"));
        assert_eq!(find_cycle([("a", "a")]), Some(vec!["a", "a"]));
    }

    #[test]
    fn find_cycle_returns_none_for_acyclic_dependencies() {
        assert_eq!(find_cycle([("a", "b"), ("a", "c"), ("b", "c")]), None);
        assert_eq!(find_cycle([]), None);
    }

    #[test]
    fn find_cycle_does_not_exhaust_the_stack_on_a_long_chain() {
        let names: Vec<String> = (0..100_000).map(|number| number.to_string()).collect();
        let chain = names.windows(2).map(|pair| (&*pair[0], &*pair[1]));
        let back = (&*names[99_999], &*names[0]);
        assert_eq!(find_cycle(chain.clone()), None);
        let cycle = find_cycle(chain.chain([back])).expect("a cycle");
        assert_eq!(cycle.len(), 100_001);
    }
}
