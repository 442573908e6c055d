//! Equality of values, with its cost counted.

use kube_cel::cel::objects::Key;
use kube_cel::cel::{ExecutionError, Value as Cel};

use super::bounds::{EQUAL, text_steps};
use super::error::Stop;
use super::evaluate::Evaluation;
use super::values::{key_text, length_in, optional, text_in, text_of, too_large};

impl Evaluation<'_> {
    /// Whether the list has this item, or the map this key.
    pub(super) fn contains(&self, container: &Cel, wanted: &Cel) -> Result<bool, Stop> {
        let length = length_in(container)?;
        let text = text_in(wanted)?;
        match container {
            Cel::List(items) => {
                self.pay(1 + length)?;
                let mut left = EQUAL;
                for item in items.iter() {
                    if self.same(item, wanted, &mut left)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Cel::Map(map) => {
                self.pay(1 + text_steps(text))?;
                let key: Result<Key, _> = wanted.clone().try_into();
                Ok(key.is_ok_and(|key| map.map.contains_key(&key)))
            }
            _ => Err(ExecutionError::NoSuchOverload.into()),
        }
    }

    /// Whether the two are equal.
    pub(super) fn equal(&self, left: &Cel, right: &Cel) -> Result<bool, Stop> {
        self.same(left, right, &mut EQUAL.clone())
    }

    fn same(&self, left: &Cel, right: &Cel, most: &mut u64) -> Result<bool, Stop> {
        let (a, b) = (text_of(left), text_of(right));
        self.compared(if a == b { a } else { 0 }, most)?;
        match (left, right) {
            (Cel::List(a), Cel::List(b)) => {
                if a.len() != b.len() {
                    return Ok(false);
                }
                for (a, b) in a.iter().zip(b.iter()) {
                    if !self.same(a, b, most)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (Cel::Map(a), Cel::Map(b)) => {
                if a.map.len() != b.map.len() {
                    return Ok(false);
                }
                for (key, a) in a.map.iter() {
                    self.compared(key_text(key), most)?;
                    match b.map.get(key) {
                        Some(b) if self.same(a, b, most)? => {}
                        _ => return Ok(false),
                    }
                }
                Ok(true)
            }
            _ => match (optional(left), optional(right)) {
                (Some(a), Some(b)) => match (a.value(), b.value()) {
                    (Some(a), Some(b)) => self.same(a, b, most),
                    (a, b) => Ok(a.is_none() && b.is_none()),
                },
                _ => Ok(left == right),
            },
        }
    }

    /// Pays for the comparison of one pair.
    fn compared(&self, text: u64, most: &mut u64) -> Result<(), Stop> {
        let steps = 1 + text_steps(text);
        *most =
            most.checked_sub(steps).ok_or_else(|| too_large("two values are too large to be compared".to_owned()))?;
        self.pay(steps)
    }
}
