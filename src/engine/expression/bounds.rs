//! How large what an expression works on can be: the limits, and the bound of a
//! value that is not known yet.
//!
//! The limits hold when an expression is evaluated; the bounds are what can be
//! said of its values before, from its text and the schema of the parameters.
//! Both are in the same units, so that a bound is never below what is measured.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::engine::Fault;

/// The most entries of a list or map that an expression goes through or makes.
pub const ITEMS: u64 = 256;
/// The longest text that an expression works on or makes, in bytes.
pub const TEXT: u64 = 32 * 1024;
/// The longest key of a map in a loop, in bytes.
pub const KEY: u64 = 512;
/// The largest value that is handed to a function as a whole, in steps: one for
/// each value in it, and one for every 64 bytes of text.
pub const DEEP: u64 = 16 * 1024;
/// The most steps of comparing two values.
pub const EQUAL: u64 = 1024;
/// The largest value that an expression yields, in steps.
pub const YIELD: u64 = 64 * 1024;
/// The largest that all that is yielded together may be, and what is written
/// beside it.
pub const YIELDS: u64 = 256 * 1024;
/// The most steps that one expression may take.
pub const STEPS: u64 = 1_000_000;
/// The most steps of all expressions that are evaluated together: those of an
/// engine's objects, or of its rules.
pub const TOGETHER: u64 = 10_000_000;

/// The depth to which a schema is read; deeper values are unbounded.
const SCHEMA: usize = 16;

/// Steps to read or write this many bytes of text.
#[must_use]
pub const fn text_steps(bytes: u64) -> u64 {
    bytes / 64
}

/// A length in memory as a number of steps.
#[must_use]
pub fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// How large a value is, or can be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Bytes, if it is a text.
    pub text: u64,
    /// Entries, if it is a list or a map.
    pub length: u64,
    /// Steps to go through all of it.
    pub weight: u64,
}

/// The most that a value can be.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    /// Of the value itself.
    pub size: Size,
    /// Bytes of a key, if it is a map.
    pub keys: u64,
    inside: Inside,
}

/// The content of a value.
#[derive(Clone, Debug, PartialEq)]
enum Inside {
    /// Nothing: it is no list and no map.
    Nothing,
    /// Anything.
    Unknown,
    /// Entries of at most this, some of them by name.
    Entries(Arc<Bound>, Arc<BTreeMap<String, Bound>>),
}

impl Bound {
    /// A value of which nothing is known.
    #[must_use]
    pub const fn unknown() -> Self {
        Self { size: Size { text: TEXT, length: ITEMS, weight: YIELD }, keys: KEY, inside: Inside::Unknown }
    }

    /// A number, a boolean or null.
    #[must_use]
    pub const fn scalar() -> Self {
        Self::text(0)
    }

    /// A text of at most this many bytes.
    #[must_use]
    pub const fn text(bytes: u64) -> Self {
        let text = if bytes < TEXT { bytes } else { TEXT };
        Self { size: Size { text, length: 0, weight: 1 + text_steps(text) }, keys: 0, inside: Inside::Nothing }
    }

    /// A list of at most this many entries of at most this size.
    #[must_use]
    pub fn list(length: u64, each: Self) -> Self {
        let length = length.min(ITEMS);
        let weight = length.saturating_mul(each.size.weight).saturating_add(1).min(YIELD);
        Self {
            size: Size { text: 0, length, weight },
            keys: 0,
            inside: Inside::Entries(Arc::new(each), Arc::default()),
        }
    }

    /// A map with these entries, and at most `others` of which each is at most `other`.
    fn map(fields: BTreeMap<String, Self>, others: u64, other: Option<(u64, Self)>) -> Self {
        let mut keys = fields.keys().map(|key| count(key.len())).max().unwrap_or_default();
        let mut weight = 1_u64;
        for (key, bound) in &fields {
            weight = weight.saturating_add(1 + text_steps(count(key.len()))).saturating_add(bound.size.weight);
        }
        let mut each = fields.values().fold(Self::scalar(), |all, bound| all.join(bound));
        if let Some((bytes, other)) = other {
            let one = other.size.weight.saturating_add(1 + text_steps(bytes));
            weight = weight.saturating_add(others.saturating_mul(one));
            keys = keys.max(bytes);
            each = each.join(&other);
        }
        let size =
            Size { text: 0, length: count(fields.len()).saturating_add(others).min(ITEMS), weight: weight.min(YIELD) };
        Self { size, keys, inside: Inside::Entries(Arc::new(each), Arc::new(fields)) }
    }

    /// A map of at most this many entries.
    #[must_use]
    pub fn entries(length: u64, keys: u64, each: Self) -> Self {
        Self::map(BTreeMap::new(), length.min(ITEMS), Some((keys, each)))
    }

    /// Any entry of it.
    #[must_use]
    pub fn each(&self) -> Self {
        match &self.inside {
            Inside::Nothing | Inside::Unknown => self.clone(),
            Inside::Entries(each, _) => (**each).clone(),
        }
    }

    /// The entry of this name.
    #[must_use]
    pub fn field(&self, name: &str) -> Self {
        match &self.inside {
            Inside::Entries(each, fields) => fields.get(name).unwrap_or(each).clone(),
            Inside::Nothing | Inside::Unknown => self.clone(),
        }
    }

    /// A value of one of two shapes.
    #[must_use]
    pub fn join(&self, other: &Self) -> Self {
        let (a, b) = (self.size, other.size);
        let size = Size { text: a.text.max(b.text), length: a.length.max(b.length), weight: a.weight.max(b.weight) };
        let inside = match (&self.inside, &other.inside) {
            (Inside::Unknown, _) | (_, Inside::Unknown) => return Self::unknown(),
            (Inside::Nothing, inside) | (inside, Inside::Nothing) => inside.clone(),
            (Inside::Entries(a, known), Inside::Entries(b, others)) if Arc::ptr_eq(known, others) => {
                Inside::Entries(Arc::new(a.join(b)), Arc::clone(known))
            }
            (Inside::Entries(a, _), Inside::Entries(b, _)) => Inside::Entries(Arc::new(a.join(b)), Arc::default()),
        };
        Self { size, keys: self.keys.max(other.keys), inside }
    }

    /// The bound of values that match this JSON schema.
    #[must_use]
    pub fn of_schema(schema: &Value) -> Self {
        Schema { closed: false }.bound(schema, 0)
    }

    /// The same of a schema that was made of types: an object has the fields
    /// that are named, and no others.
    #[must_use]
    pub fn of_types(schema: &Value) -> Self {
        Schema { closed: true }.bound(schema, 0)
    }

    /// The part of the value that is above this bound, with its path.
    #[must_use]
    pub fn exceeded(&self, value: &Value) -> Option<Fault> {
        let over = |what: &str, is: usize, most: u64| {
            (count(is) > most).then(|| Fault::here(format!("{is} {what}, and expressions work with at most {most}")))
        };
        match value {
            Value::String(text) => over("bytes of text", text.len(), self.size.text),
            Value::Array(items) => over("items", items.len(), self.size.length).or_else(|| {
                let each = self.each();
                let found = |(index, item): (usize, &Value)| Some(each.exceeded(item)?.item(index));
                items.iter().enumerate().find_map(found)
            }),
            Value::Object(entries) => over("entries", entries.len(), self.size.length).or_else(|| {
                entries.iter().find_map(|(key, value)| {
                    let key_too_long = || over("bytes in a key", key.len(), self.keys);
                    key_too_long().or_else(|| Some(self.field(key).exceeded(value)?.under(key)))
                })
            }),
            _ => None,
        }
    }
}

/// How a schema is read.
struct Schema {
    /// Whether an object without `additionalProperties` has no other fields.
    closed: bool,
}

impl Schema {
    fn bound(&self, schema: &Value, depth: usize) -> Bound {
        if depth > SCHEMA {
            return Bound::unknown();
        }
        let any = |all: &[Value], of: &dyn Fn(&Value) -> Bound| {
            all.iter().map(of).reduce(|all, bound| all.join(&bound)).unwrap_or_else(Bound::unknown)
        };
        match &schema["type"] {
            Value::String(kind) => self.of_kind(kind, schema, depth),
            Value::Array(kinds) => any(kinds, &|kind| self.of_kind(kind.as_str().unwrap_or_default(), schema, depth)),
            _ => match (&schema["anyOf"], &schema["oneOf"]) {
                (Value::Array(all), _) | (_, Value::Array(all)) => any(all, &|one| self.bound(one, depth + 1)),
                _ => Bound::unknown(),
            },
        }
    }

    fn of_kind(&self, kind: &str, schema: &Value, depth: usize) -> Bound {
        let limit = |word: &str| schema[word].as_u64();
        match kind {
            "boolean" | "integer" | "number" | "null" => Bound::scalar(),
            // A character has at most four bytes.
            "string" => Bound::text(limit("maxLength").map_or(TEXT, |length| length.saturating_mul(4))),
            "array" => {
                let each = match &schema["items"] {
                    items @ Value::Object(_) if schema["prefixItems"].is_null() => self.bound(items, depth + 1),
                    _ => Bound::unknown(),
                };
                Bound::list(limit("maxItems").unwrap_or(ITEMS), each)
            }
            "object" => self.of_object(schema, depth),
            _ => Bound::unknown(),
        }
    }

    fn of_object(&self, schema: &Value, depth: usize) -> Bound {
        let properties = schema["properties"].as_object().into_iter().flatten();
        let fields: BTreeMap<String, Bound> =
            properties.map(|(name, property)| (name.clone(), self.bound(property, depth + 1))).collect();
        let others = schema["maxProperties"].as_u64().unwrap_or(ITEMS).min(ITEMS);
        let other = match &schema["additionalProperties"] {
            _ if !schema["patternProperties"].is_null() => Bound::unknown(),
            Value::Bool(false) => return Bound::map(fields, 0, None),
            Value::Null if self.closed && !fields.is_empty() => return Bound::map(fields, 0, None),
            other @ Value::Object(_) => self.bound(other, depth + 1),
            _ => Bound::unknown(),
        };
        Bound::map(fields, others, Some((KEY, other)))
    }
}

/// The variables of an expression, with the bound of each.
#[derive(Clone, Debug, Default)]
pub struct Variables(BTreeMap<String, Bound>);

impl Variables {
    /// These names, and nothing known of their values.
    #[cfg(test)]
    #[must_use]
    pub fn named(names: &[&str]) -> Self {
        Self(names.iter().map(|name| ((*name).to_owned(), Bound::unknown())).collect())
    }

    /// The fields of a type, by its schema.
    #[must_use]
    pub fn of_types(schema: &Value) -> Self {
        match Bound::of_types(schema).inside {
            Inside::Entries(_, fields) => Self(BTreeMap::clone(&fields)),
            Inside::Nothing | Inside::Unknown => Self::default(),
        }
    }

    /// The same, with one more or with more known of one.
    #[must_use]
    pub fn with(&self, name: &str, bound: Bound) -> Self {
        let mut all = self.clone();
        all.0.insert(name.to_owned(), bound);
        all
    }

    /// The bound of the variable, if one has this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Bound> {
        self.0.get(name)
    }

    /// What of these values is larger than expressions were counted with; of
    /// the variables of which nothing is known too.
    #[must_use]
    pub fn exceeded(&self, inputs: &Value, but: &str) -> Option<Fault> {
        let entries = inputs.as_object().into_iter().flatten().filter(|(name, _)| name.as_str() != but);
        entries.into_iter().find_map(|(name, value)| {
            let fault =
                self.0.get(name).map_or_else(|| Bound::unknown().exceeded(value), |bound| bound.exceeded(value));
            Some(fault?.under(name))
        })
    }
}

/// Steps to go through a JSON value.
#[must_use]
pub fn weight_of_json(value: &Value) -> u64 {
    match value {
        Value::String(text) => 1 + text_steps(count(text.len())),
        Value::Array(items) => items.iter().map(weight_of_json).sum::<u64>() + 1,
        Value::Object(entries) => {
            let entry = |(key, value): (&String, &Value)| 1 + text_steps(count(key.len())) + weight_of_json(value);
            entries.iter().map(entry).sum::<u64>() + 1
        }
        _ => 1,
    }
}
