//! The order of a pipeline's steps.
//!
//! Pure and without a word of what a step is: steps are positions, and each has
//! the positions that it comes after.

/// The steps in the order in which they run: each after those that it comes
/// after, and else as they are written. Without any such edge at all, they follow
/// each other as they are written. An error is a circle, each of its steps coming
/// after the next, and the last after the first.
pub fn order(before: &[Vec<usize>]) -> Result<Vec<usize>, Vec<usize>> {
    let mut order: Vec<usize> = Vec::with_capacity(before.len());
    while order.len() < before.len() {
        let free = |step: &usize| !order.contains(step) && before[*step].iter().all(|other| order.contains(other));
        match (0..before.len()).find(free) {
            Some(step) => order.push(step),
            None => return Err(circle(before, &order)),
        }
    }
    Ok(order)
}

/// A circle among the steps that are not in order yet: each of them comes after
/// another of them, so whoever follows that comes by a step twice.
fn circle(before: &[Vec<usize>], done: &[usize]) -> Vec<usize> {
    let mut path: Vec<usize> = Vec::new();
    let mut next = (0..before.len()).find(|step| !done.contains(step));
    while let Some(step) = next {
        if let Some(start) = path.iter().position(|known| *known == step) {
            return path.split_off(start);
        }
        path.push(step);
        next = before[step].iter().copied().find(|other| !done.contains(other));
    }
    path
}

/// Two steps that could run side by side: neighbours in the order, the later one
/// not after the earlier. Without any edge the order is meant.
#[must_use]
pub fn side_by_side(order: &[usize], before: &[Vec<usize>]) -> Option<(usize, usize)> {
    if before.iter().all(Vec::is_empty) {
        return None;
    }
    let pairs = order.iter().zip(order.iter().skip(1));
    pairs.map(|(first, second)| (*first, *second)).find(|(first, second)| !before[*second].contains(first))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn steps_follow_their_edges_and_else_their_position() {
        for (before, expected, pair) in [
            (vec![], vec![], None),
            (vec![vec![], vec![], vec![]], vec![0, 1, 2], None),
            (vec![vec![1], vec![2], vec![]], vec![2, 1, 0], None),
            (vec![vec![], vec![0], vec![1]], vec![0, 1, 2], None),
            // A diamond: the two in the middle have no order between them.
            (vec![vec![], vec![0], vec![0], vec![1, 2]], vec![0, 1, 2, 3], Some((1, 2))),
            (vec![vec![2], vec![], vec![]], vec![1, 2, 0], Some((1, 2))),
        ] {
            let found = order(&before).unwrap();
            assert_eq!(found, expected);
            assert_eq!(side_by_side(&found, &before), pair, "{before:?}");
        }
    }

    #[test]
    fn a_circle_is_named_without_what_merely_leads_to_it() {
        assert_eq!(order(&[vec![0]]), Err(vec![0]));
        assert_eq!(order(&[vec![], vec![0, 2], vec![3], vec![1]]), Err(vec![1, 2, 3]));
        assert_eq!(order(&[vec![1], vec![2], vec![1]]), Err(vec![1, 2]));
    }

    proptest! {
        #[test]
        fn every_order_is_one_and_every_circle_is_one(
            edges in prop::collection::vec((0..8_usize, 0..8_usize), 0..12)
        ) {
            let mut before = vec![Vec::new(); 8];
            for (step, other) in edges {
                before[step].push(other);
            }
            match order(&before) {
                Ok(found) => {
                    prop_assert_eq!(found.len(), 8);
                    for (position, step) in found.iter().enumerate() {
                        prop_assert!(before[*step].iter().all(|other| found[..position].contains(other)));
                    }
                }
                Err(found) => {
                    prop_assert!(!found.is_empty());
                    for (position, step) in found.iter().enumerate() {
                        prop_assert!(before[*step].contains(&found[(position + 1) % found.len()]));
                    }
                }
            }
        }
    }
}
