//! Values that many objects share: each is stored once, for as long as an object uses it.
//! It does not interpret the values.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

/// A name that many objects have, or that of their namespace.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Name(Arc<Box<str>>);

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Name {
    fn from(name: &str) -> Self {
        Self(Arc::new(name.into()))
    }
}

/// A value with its number of uses.
pub trait Counted {
    /// How many there are, this one among them.
    fn uses(&self) -> usize;
}

impl Counted for Name {
    fn uses(&self) -> usize {
        Arc::strong_count(&self.0)
    }
}

impl<T> Counted for Arc<T> {
    fn uses(&self) -> usize {
        Self::strong_count(self)
    }
}

/// Values of which each is here once, however many use it.
pub struct Shared<P> {
    values: HashSet<P>,
    /// How many uses ended since those were looked for that nobody uses.
    left: usize,
}

impl<P> Default for Shared<P> {
    fn default() -> Self {
        Self { values: HashSet::new(), left: 0 }
    }
}

impl<P: Counted + Clone + Hash + Eq> Shared<P> {
    /// The one that equals this value.
    pub fn of<T, V>(&mut self, value: V) -> P
    where
        T: Hash + Eq + ?Sized,
        P: Borrow<T>,
        V: Borrow<T> + Into<P>,
    {
        if let Some(known) = self.values.get(value.borrow()) {
            return known.clone();
        }
        let value: P = value.into();
        self.values.insert(value.clone());
        value
    }

    /// Counts ended uses. When they are as many as half of the values, unused values are
    /// removed.
    pub fn left(&mut self, count: usize) {
        self.left += count;
        if self.left > self.values.len() / 2 + 64 {
            self.left = 0;
            self.values.retain(|value| value.uses() > 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_are_kept_once_and_unused_ones_go() {
        let mut names: Shared<Name> = Shared::default();
        let (one, again) = (names.of::<str, _>("one"), names.of::<str, _>("one"));
        assert!(Arc::ptr_eq(&one.0, &again.0));
        (0..100).for_each(|number| drop(names.of::<str, _>(number.to_string().as_str())));
        names.left(1000);
        assert_eq!(names.values.len(), 1, "unused names stay");
        assert!(Arc::ptr_eq(&one.0, &names.of::<str, _>("one").0));
    }
}
