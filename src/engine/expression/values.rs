//! Values: measured, compared, indexed and added within the limits.

use std::cmp::Ordering;
use std::sync::Arc;

use kube_cel::cel::common::ast::operators;
use kube_cel::cel::objects::{Key, OptionalValue};
use kube_cel::cel::{ExecutionError, Value as Cel};

use super::bounds::{ITEMS, Size, TEXT, count, text_steps};
use super::error::{ExpressionError, Stop};

/// Opaque values of a fixed size; what others hold cannot be looked into.
const SMALL: &[&str] = &["kubernetes.Quantity", "net.IP", "net.CIDR", "kubernetes.Format"];

/// The limit on sizes was reached.
pub fn too_large(message: String) -> Stop {
    Stop::Limit(ExpressionError::TooLarge(message))
}

/// Refuses more entries than a list or map may have.
pub fn few_enough(length: u64) -> Result<(), Stop> {
    if length > ITEMS {
        return Err(too_large(format!("a list or map has {length} entries")));
    }
    Ok(())
}

/// Refuses a longer text than there may be.
pub fn short_enough(length: u64) -> Result<(), Stop> {
    if length > TEXT {
        return Err(too_large(format!("a text has {length} bytes")));
    }
    Ok(())
}

/// Bytes of the value, if it is a text, and not too long a one.
pub fn text_in(value: &Cel) -> Result<u64, Stop> {
    let length = text_of(value);
    short_enough(length)?;
    Ok(length)
}

/// Entries of the value, if it is a list or a map.
pub fn length_in(value: &Cel) -> Result<u64, Stop> {
    let length = length_of(value);
    few_enough(length)?;
    Ok(length)
}

/// How large the value is, all of it; refused if that is too large.
pub fn whole(value: &Cel, most: u64) -> Result<Size, Stop> {
    let mut left = most;
    if !weigh(value, &mut left) {
        return Err(too_large(format!("a value is larger than {most} values and 64-byte pieces of text")));
    }
    Ok(Size { text: text_in(value)?, length: length_in(value)?, weight: most - left })
}

/// Takes from `left` what it takes to go through the value; false once that is
/// more than there is. A value that stands in it many times counts as often.
fn weigh(value: &Cel, left: &mut u64) -> bool {
    let take = |steps: u64, left: &mut u64| match left.checked_sub(steps) {
        Some(rest) => {
            *left = rest;
            true
        }
        None => false,
    };
    if !take(1 + text_steps(text_of(value)), left) {
        return false;
    }
    match value {
        Cel::List(items) => items.iter().all(|item| weigh(item, left)),
        Cel::Map(map) => {
            map.map.iter().all(|(key, value)| take(1 + text_steps(key_text(key)), left) && weigh(value, left))
        }
        _ => optional(value).and_then(OptionalValue::value).is_none_or(|value| weigh(value, left)),
    }
}

/// The optional value that this is, if it is one.
pub fn optional(value: &Cel) -> Option<&OptionalValue> {
    match value {
        Cel::Opaque(opaque) => opaque.downcast_ref(),
        _ => None,
    }
}

/// Bytes of a text; of what cannot be looked into, the most that it may hold.
pub fn text_of(value: &Cel) -> u64 {
    match value {
        Cel::String(text) => count(text.len()),
        Cel::Bytes(bytes) => count(bytes.len()),
        Cel::Opaque(opaque) if optional(value).is_none() && !SMALL.contains(&opaque.runtime_type_name()) => TEXT,
        _ => 0,
    }
}

fn length_of(value: &Cel) -> u64 {
    match value {
        Cel::List(items) => count(items.len()),
        Cel::Map(map) => count(map.map.len()),
        _ => 0,
    }
}

/// The sum of two values, which are not too large for it.
pub fn add(left: Cel, right: Cel) -> Result<Cel, Stop> {
    match (left, right) {
        (Cel::Bytes(left), Cel::Bytes(right)) => Ok(Cel::from([left.as_slice(), right.as_slice()].concat())),
        (left, right) => Ok((left + right)?),
    }
}

/// The entry of a map by its key, or of a list by its position.
pub fn index(container: &Cel, at: &Cel) -> Result<Cel, Stop> {
    match (container, at) {
        (Cel::Map(map), at) => {
            let key: Key = at.clone().try_into().map_err(|_| Stop::from(ExecutionError::NoSuchOverload))?;
            let found = map.map.get(&key).cloned();
            found.ok_or_else(|| ExecutionError::NoSuchKey(Arc::new(shown(&key))).into())
        }
        (Cel::List(items), Cel::Int(_) | Cel::UInt(_)) => {
            let position = match at {
                Cel::Int(at) => usize::try_from(*at).ok(),
                Cel::UInt(at) => usize::try_from(*at).ok(),
                _ => None,
            };
            let found = position.and_then(|position| items.get(position)).cloned();
            found.ok_or_else(|| ExecutionError::IndexOutOfBounds(at.clone()).into())
        }
        _ => Err(ExecutionError::NoSuchOverload.into()),
    }
}

fn shown(key: &Key) -> String {
    match key {
        Key::String(text) => text.chars().take(64).collect(),
        Key::Int(number) => number.to_string(),
        Key::Uint(number) => number.to_string(),
        Key::Bool(flag) => flag.to_string(),
    }
}

/// Whether the two are in the order of the operator.
pub fn compare(operator: &str, left: &Cel, right: &Cel) -> Result<Cel, Stop> {
    let order = left.partial_cmp(right).ok_or_else(|| Stop::from(ExecutionError::NoSuchOverload))?;
    let holds = match operator {
        operators::LESS => order == Ordering::Less,
        operators::LESS_EQUALS => order != Ordering::Greater,
        operators::GREATER => order == Ordering::Greater,
        operators::GREATER_EQUALS => order != Ordering::Less,
        _ => return Err(Stop::Failed(format!("there is no variable or function `{operator}`"))),
    };
    Ok(Cel::Bool(holds))
}

/// The number with the other sign.
pub fn negate(value: &Cel) -> Result<Cel, Stop> {
    match value {
        Cel::Int(number) => match number.checked_neg() {
            Some(negative) => Ok(Cel::Int(negative)),
            None => Err(Stop::Failed("`minus` overflows".to_owned())),
        },
        Cel::Float(number) => Ok(Cel::Float(-number)),
        _ => Err(ExecutionError::NoSuchOverload.into()),
    }
}

/// Bytes of a key.
pub fn key_text(key: &Key) -> u64 {
    match key {
        Key::String(text) => count(text.len()),
        _ => 0,
    }
}
