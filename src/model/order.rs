//! Putting things in order with one sort in the whole program.
//!
//! std's stable sort is compiled anew for every type and every comparison, and so is
//! `BTreeMap::from_iter`, which sorts first: some 4 KB each, a quarter of a megabyte in all.
//! These lists have a few entries, or a few thousand; what counts is that the program is small.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// Sorts by their own order; equal ones stay as they were.
pub fn sort<T: Ord>(items: &mut [T]) {
    sort_by(items, T::cmp);
}

/// Sorts by a key; equal ones stay as they were.
pub fn sort_by_key<T, K: Ord>(items: &mut [T], key: impl Fn(&T) -> K) {
    sort_by(items, |one, other| key(one).cmp(&key(other)));
}

/// Sorts by a comparison; equal ones stay as they were.
pub fn sort_by<T>(items: &mut [T], compare: impl Fn(&T, &T) -> Ordering) {
    let order = order(
        items.len(),
        &|one, other| match (items.get(one), items.get(other)) {
            (Some(one), Some(other)) => compare(one, other),
            _ => Ordering::Equal,
        },
    );
    carry(&order, &mut |one, other| items.swap(one, other));
}

/// A map. Of two equal keys the later one counts, as with `collect`.
pub fn map<K: Ord, V>(entries: impl IntoIterator<Item = (K, V)>) -> BTreeMap<K, V> {
    let mut map = BTreeMap::new();
    for (key, value) in entries {
        map.insert(key, value);
    }
    map
}

/// A set.
pub fn set<T: Ord>(items: impl IntoIterator<Item = T>) -> BTreeSet<T> {
    let mut set = BTreeSet::new();
    for item in items {
        set.insert(item);
    }
    set
}

/// For each place, which item is to be there.
fn order(len: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut order: Vec<usize> = (0..len).collect();
    order.sort_by(|one, other| compare(*one, *other));
    order
}

/// Brings them there: each swap puts one item where it belongs.
fn carry(order: &[usize], swap: &mut dyn FnMut(usize, usize)) {
    let mut goal = vec![0; order.len()];
    for (to, from) in order.iter().enumerate() {
        if let Some(goal) = goal.get_mut(*from) {
            *goal = to;
        }
    }
    for at in 0..goal.len() {
        while let Some(to) = goal.get(at).copied().filter(|to| *to != at) {
            swap(at, to);
            goal.swap(at, to);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_the_order_of_std(items in proptest::collection::vec((0_u8..6, 0_u16..1000), 0..60)) {
            let (mut ours, mut theirs) = (items.clone(), items.clone());
            sort_by_key(&mut ours, |(key, _)| *key);
            theirs.sort_by_key(|(key, _)| *key);
            prop_assert_eq!(&ours, &theirs);
            sort(&mut ours);
            theirs.sort();
            prop_assert_eq!(&ours, &theirs);
            prop_assert_eq!(map(items.clone()), items.iter().copied().collect::<BTreeMap<_, _>>());
            prop_assert_eq!(set(items.clone()), items.into_iter().collect::<BTreeSet<_>>());
        }
    }
}
