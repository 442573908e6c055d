//! Values of CEL from JSON, and back.

use std::collections::HashMap;
use std::sync::Arc;

use kube_cel::cel::Value as Cel;
use kube_cel::cel::objects::{Key, Map};
use serde_json::{Number, Value};

use super::expression::error::ExpressionError;

/// JSON as a value of CEL.
pub fn from_json(value: &Value) -> Cel {
    match value {
        Value::Null => Cel::Null,
        Value::Bool(flag) => Cel::Bool(*flag),
        Value::Number(number) => from_number(number),
        Value::String(text) => Cel::String(Arc::new(text.clone())),
        Value::Array(items) => Cel::List(Arc::new(items.iter().map(from_json).collect())),
        Value::Object(entries) => {
            let map: HashMap<Key, Cel> =
                entries.iter().map(|(key, value)| (Key::from(key.as_str()), from_json(value))).collect();
            Cel::Map(Map { map: Arc::new(map) })
        }
    }
}

/// Whole numbers are ints, as literals in CEL are, so that they can be compared
/// and added to one another.
fn from_number(number: &Number) -> Cel {
    if let Some(int) = number.as_i64() {
        Cel::Int(int)
    } else if let Some(unsigned) = number.as_u64() {
        Cel::UInt(unsigned)
    } else {
        number.as_f64().map_or(Cel::Null, Cel::Float)
    }
}

/// A value of CEL as JSON.
pub fn to_json(value: &Cel) -> Result<Value, ExpressionError> {
    Ok(match value {
        Cel::Null => Value::Null,
        Cel::Bool(flag) => Value::Bool(*flag),
        Cel::Int(int) => Value::from(*int),
        Cel::UInt(unsigned) => Value::from(*unsigned),
        Cel::Float(float) => {
            Number::from_f64(*float).map(Value::Number).ok_or(ExpressionError::NotJson("an infinite number"))?
        }
        Cel::String(text) => Value::String(text.as_str().to_owned()),
        Cel::List(items) => Value::Array(items.iter().map(to_json).collect::<Result<_, _>>()?),
        Cel::Map(map) => {
            let mut entries = serde_json::Map::new();
            for (key, value) in map.map.iter() {
                let Key::String(key) = key else {
                    return Err(ExpressionError::NotJson("a map with keys that are no strings"));
                };
                entries.insert(key.as_str().to_owned(), to_json(value)?);
            }
            Value::Object(entries)
        }
        Cel::Timestamp(time) => Value::String(time.to_rfc3339()),
        Cel::Bytes(_) => return Err(ExpressionError::NotJson("bytes")),
        Cel::Duration(_) => return Err(ExpressionError::NotJson("a duration")),
        Cel::Function(..) => return Err(ExpressionError::NotJson("a function")),
        Cel::Opaque(_) => return Err(ExpressionError::NotJson("an opaque value (is string() missing?)")),
    })
}
