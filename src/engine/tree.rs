//! `${CEL}` in a parsed JSON tree, substituted with its type.
//!
//! - A string that is exactly one `${...}` becomes the value of the expression,
//!   whatever its type. Null drops the key, or the item of a list; so does a
//!   null inside a list or map that an expression yields.
//! - In any other string, expressions are put in as text. Only strings, numbers
//!   and bools can be; anything else is an error, null too.
//! - `$${` stands for a literal `${`.
//! - Keys are literal: `${` in one is refused.
//!
//! This is never a text template: what an expression yields cannot become
//! another key, object or expression.

use serde_json::{Map, Value};

use super::Fault;
use super::expression::bounds::weight_of_json;
use super::expression::{Expression, ExpressionError, Scope, Variables};
use super::text::{Part, split};

/// A compiled tree.
#[derive(Clone, Debug)]
pub enum Tree {
    /// A part without expressions.
    Literal(Value),
    /// A string that is exactly one expression.
    Expression(Box<Expression>),
    /// A string with expressions in it.
    Text(Vec<Piece>),
    /// A list with expressions somewhere below.
    List(Vec<Tree>),
    /// A map with expressions somewhere below.
    Map(Vec<(String, Tree)>),
}

/// A part of a string.
#[derive(Clone, Debug)]
pub enum Piece {
    /// Literal text.
    Literal(String),
    /// An expression.
    Expression(Box<Expression>),
}

impl Piece {
    fn cost(&self) -> u64 {
        match self {
            Self::Literal(_) => 0,
            Self::Expression(expression) => expression.cost(),
        }
    }
}

impl Tree {
    /// Compiles every expression in the tree.
    pub fn compile(value: &Value, variables: &Variables) -> Result<Self, Fault> {
        match value {
            Value::String(text) => Self::compile_text(text, variables),
            Value::Array(items) => {
                let items = items
                    .iter()
                    .enumerate()
                    .map(|(index, item)| Self::compile(item, variables).map_err(|fault| fault.item(index)))
                    .collect::<Result<Vec<_>, _>>()?;
                Ok(match items.iter().map(Self::literal).collect::<Option<Vec<_>>>() {
                    Some(values) => Self::Literal(Value::Array(values.into_iter().cloned().collect())),
                    None => Self::List(items),
                })
            }
            Value::Object(entries) => {
                let mut compiled = Vec::with_capacity(entries.len());
                for (key, value) in entries {
                    if key.contains("${") {
                        return Err(Fault::here("a key is literal: it cannot contain an expression").under(key));
                    }
                    let tree = Self::compile(value, variables).map_err(|fault| fault.under(key))?;
                    compiled.push((key.clone(), tree));
                }
                let literals = compiled.iter().map(|(key, tree)| Some((key.clone(), tree.literal()?.clone())));
                Ok(match literals.collect::<Option<Map<_, _>>>() {
                    Some(values) => Self::Literal(Value::Object(values)),
                    None => Self::Map(compiled),
                })
            }
            other => Ok(Self::Literal(other.clone())),
        }
    }

    /// Compiles one string.
    pub fn compile_text(text: &str, variables: &Variables) -> Result<Self, Fault> {
        let mut pieces = Vec::new();
        for part in split(text)? {
            pieces.push(match part {
                Part::Literal(text) => Piece::Literal(text),
                Part::Expression(source) => Piece::Expression(Box::new(
                    Expression::compile(source, variables).map_err(|error| Fault::here(error.to_string()))?,
                )),
            });
        }
        Ok(match <[Piece; 1]>::try_from(pieces) {
            Ok([Piece::Expression(expression)]) => Self::Expression(expression),
            Ok([Piece::Literal(text)]) => Self::Literal(Value::String(text)),
            Err(pieces) if pieces.is_empty() => Self::Literal(Value::String(String::new())),
            Err(pieces) => Self::Text(pieces),
        })
    }

    /// The most steps that rendering it takes.
    #[must_use]
    pub fn cost(&self) -> u64 {
        match self {
            Self::Literal(_) => 0,
            Self::Expression(expression) => expression.cost(),
            Self::Text(pieces) => pieces.iter().fold(0, |cost: u64, piece| cost.saturating_add(piece.cost())),
            Self::List(items) => items.iter().fold(0, |cost: u64, item| cost.saturating_add(item.cost())),
            Self::Map(entries) => entries.iter().fold(0, |cost: u64, (_, tree)| cost.saturating_add(tree.cost())),
        }
    }

    fn literal(&self) -> Option<&Value> {
        match self {
            Self::Literal(value) => Some(value),
            _ => None,
        }
    }

    /// The tree with every expression's value in its place; none where the
    /// whole tree is an expression that yields null.
    pub fn render(&self, scope: &Scope<'_>) -> Result<Option<Value>, Fault> {
        match self {
            Self::Literal(value) => {
                scope.take(weight_of_json(value)).map_err(|error| Fault::here(error.to_string()))?;
                Ok(Some(value.clone()))
            }
            Self::Expression(expression) => Ok(without_nulls(evaluate(expression, scope)?)),
            Self::Text(pieces) => render_text(pieces, scope).map(|text| Some(Value::String(text))),
            Self::List(items) => {
                let mut rendered = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    rendered.extend(item.render(scope).map_err(|fault| fault.item(index))?);
                }
                Ok(Some(Value::Array(rendered)))
            }
            Self::Map(entries) => {
                let mut rendered = Map::new();
                for (key, tree) in entries {
                    if let Some(value) = tree.render(scope).map_err(|fault| fault.under(key))? {
                        rendered.insert(key.clone(), value);
                    }
                }
                Ok(Some(Value::Object(rendered)))
            }
        }
    }

    /// The tree as text; none where it is null.
    pub fn render_string(&self, scope: &Scope<'_>) -> Result<Option<String>, Fault> {
        match self.render(scope)? {
            None => Ok(None),
            Some(value) => scalar(&value).map(Some),
        }
    }
}

fn evaluate(expression: &Expression, scope: &Scope<'_>) -> Result<Value, Fault> {
    expression.evaluate(scope).map_err(|error: ExpressionError| Fault::here(error.to_string()))
}

fn render_text(pieces: &[Piece], scope: &Scope<'_>) -> Result<String, Fault> {
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Literal(literal) => text.push_str(literal),
            Piece::Expression(expression) => text.push_str(&scalar(&evaluate(expression, scope)?)?),
        }
    }
    Ok(text)
}

fn scalar(value: &Value) -> Result<String, Fault> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Null => Err(Fault::here("null cannot be part of text")),
        Value::Array(_) => Err(Fault::here("a list cannot be part of text. Join it")),
        Value::Object(_) => Err(Fault::here("a map cannot be part of text")),
    }
}

fn without_nulls(value: Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::Array(items) => Some(Value::Array(items.into_iter().filter_map(without_nulls).collect())),
        Value::Object(entries) => Some(Value::Object(
            entries.into_iter().filter_map(|(key, value)| without_nulls(value).map(|value| (key, value))).collect(),
        )),
        other => Some(other),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const NAMES: &[&str] = &["team", "count", "nothing"];

    #[allow(clippy::needless_pass_by_value, reason = "the values are written where they are passed")]
    fn render(value: Value) -> Result<Option<Value>, Fault> {
        let inputs = json!({"team": {"name": "fraud"}, "count": 2, "nothing": null});
        Tree::compile(&value, &Variables::named(NAMES))?.render(&Scope::new(&inputs))
    }

    #[test]
    fn substitution_keeps_types_and_interpolates_scalars() {
        let tree = json!({
            "typed": "${count}", "list": ["a", "${[1, 2]}"], "text": "x-${team.name}-${count}-${count > 1}",
            "map": "${{'a': {'b': 1}}}", "plain": {"a": [1, null, "b"]}
        });
        let expected = json!({
            "typed": 2, "list": ["a", [1, 2]], "text": "x-fraud-2-true", "map": {"a": {"b": 1}},
            "plain": {"a": [1, null, "b"]}
        });
        assert_eq!(render(tree).unwrap().unwrap(), expected);
    }

    #[test]
    fn null_drops_the_key() {
        let tree = json!({"a": "${nothing}", "b": ["${nothing}", 1], "c": {"d": "${nothing}"}, "e": "${{'f': nothing, 'g': [nothing, 1]}}", "literal": null});
        assert_eq!(render(tree).unwrap().unwrap(), json!({"b": [1], "c": {}, "e": {"g": [1]}, "literal": null}));
        assert_eq!(render(json!("${nothing}")).unwrap(), None);
        assert!(render(json!("a${nothing}")).is_err());
    }

    #[test]
    fn the_end_of_an_expression_is_found() {
        for (text, value) in [
            ("${{'a': '}'}['a']}", json!("}")),
            ("${'\\'}'}x", json!("'}x")),
            ("${\"}\" + '}'}", json!("}}")),
            ("${count // }\n + 1}", json!(3)),
            ("$${count}", json!("${count}")),
            ("$$${count}", json!("$${count}")),
            ("a$b $ ${count}$", json!("a$b $ 2$")),
            ("", json!("")),
        ] {
            assert_eq!(render(json!(text)).unwrap().unwrap(), value, "{text}");
        }
        for text in ["${", "${count", "${'a}", "a ${\"} b", "${}", "${ }", "${count // }"] {
            assert!(render(json!(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn faults_carry_their_path() {
        for (tree, path) in [
            (json!({"spec": {"containers": [{}, {"image": "${image}"}]}}), "spec.containers[1].image"),
            (json!({"spec": {"a.b/c": "x${[1]}"}}), "spec[\"a.b/c\"]"),
            (json!({"spec": {"${count}": 1}}), "spec[\"${count}\"]"),
            (json!([{"a": "${team.contact}"}]), "[0].a"),
        ] {
            assert_eq!(render(tree).unwrap_err().path, path);
        }
    }

    #[test]
    fn what_an_expression_yields_is_not_read_again() {
        assert_eq!(render(json!("${'$' + '{count}'}")).unwrap().unwrap(), json!("${count}"));
    }

    fn trees() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            any::<String>(),
            "[a-z${}'\"\\\\/. \n]{0,24}",
            Just("${count}".to_owned()),
            Just("x${team.name}".to_owned())
        ];
        let leaf =
            prop_oneof![text.clone().prop_map(Value::from), any::<i64>().prop_map(Value::from), Just(Value::Null)];
        leaf.prop_recursive(3, 16, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-z$/.{}]{0,6}", inner, 0..4)
                    .prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_tree_panics_and_rendering_is_repeatable(tree in trees()) {
            prop_assert_eq!(render(tree.clone()), render(tree));
        }

        #[test]
        fn a_tree_without_dollars_stays_as_it_is(text in "[^$]*") {
            prop_assert_eq!(render(json!({"a": [text.clone()]})), Ok(Some(json!({"a": [text]}))));
        }
    }
}
