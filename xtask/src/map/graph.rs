//! Floors and circles of a graph of names. It knows no files.

use std::collections::{BTreeMap, BTreeSet};

/// Who imports whom.
type Graph = BTreeMap<String, BTreeSet<String>>;

/// The floor of each: above all that it imports, the lowest is 1. Who stands in a circle
/// has none.
pub fn floors(graph: &Graph) -> BTreeMap<String, usize> {
    let mut floors: BTreeMap<String, usize> = BTreeMap::new();
    let all: BTreeSet<&String> = graph.iter().flat_map(|(from, to)| std::iter::once(from).chain(to)).collect();
    loop {
        let stands = |name: &&String| {
            let below = graph.get(*name).into_iter().flatten().map(|to| floors.get(to).copied());
            below.collect::<Option<Vec<_>>>().map(|below| 1 + below.into_iter().max().unwrap_or(0))
        };
        let new: Vec<_> = all
            .iter()
            .filter(|name| !floors.contains_key(**name))
            .filter_map(|name| Some(((*name).clone(), stands(name)?)))
            .collect();
        if new.is_empty() {
            return floors;
        }
        floors.extend(new);
    }
}

/// The circles, each with all that stand in it, in order.
pub fn circles(graph: &Graph) -> Vec<Vec<String>> {
    let reach: BTreeMap<&String, BTreeSet<&String>> = graph.keys().map(|from| (from, reached(graph, from))).collect();
    let reaches = |from: &String, to: &String| reach.get(from).is_some_and(|reached| reached.contains(to));
    let mut circles: BTreeSet<Vec<String>> = BTreeSet::new();
    for name in graph.keys().filter(|name| reaches(name, name)) {
        let both = graph.keys().filter(|other| reaches(name, other) && reaches(other, name));
        circles.insert(both.cloned().collect());
    }
    circles.into_iter().collect()
}

/// All imports of this one, with theirs.
fn reached<'a>(graph: &'a Graph, from: &'a String) -> BTreeSet<&'a String> {
    let (mut reached, mut left) = (BTreeSet::new(), vec![from]);
    while let Some(next) = left.pop() {
        left.extend(graph.get(next).into_iter().flatten().filter(|to| reached.insert(*to)));
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(arrows: &[(&str, &str)]) -> Graph {
        let mut graph = Graph::new();
        for (from, to) in arrows {
            graph.entry((*from).to_owned()).or_default().insert((*to).to_owned());
        }
        graph
    }

    #[test]
    fn a_floor_is_above_all_that_is_imported() {
        let floors = floors(&graph(&[("a", "b"), ("a", "c"), ("b", "c"), ("x", "y"), ("y", "x")]));
        let wanted = [("a", 3), ("b", 2), ("c", 1)].map(|(name, floor)| (name.to_owned(), floor));
        assert_eq!(floors, BTreeMap::from(wanted));
    }

    #[test]
    fn circles_are_found_once_each() {
        let found = circles(&graph(&[("a", "b"), ("b", "c"), ("c", "a"), ("c", "d"), ("e", "e"), ("f", "a")]));
        assert_eq!(found, [vec!["a", "b", "c"], vec!["e"]]);
    }
}
