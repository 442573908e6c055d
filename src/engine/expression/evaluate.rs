//! An expression evaluated, step by step, against a budget.
//!
//! The interpreter of the `cel` crate has no place where its steps could be
//! counted, copies whole values at every loop, and cannot be stopped. So the
//! tree is walked here; values, arithmetic, comparisons of numbers and times,
//! and the functions are the crate's. Each step is paid before it is done, by
//! the figures that [`estimate`](super::estimate) uses; what is beyond a limit
//! is an error that no `||` and no `&&` takes back.
//!
//! Two things differ from that interpreter on purpose. A field of what is not a
//! map is an error (there it is `false`, so `credentials.secret` would silently
//! become `false` without credentials). And a loop over a map visits its keys
//! in order (there, in the order of a randomly seeded hash).

use std::collections::HashMap;
use std::sync::Arc;

use kube_cel::cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, operators};
use kube_cel::cel::objects::{Key, Map};
use kube_cel::cel::{ExecutionError, Value as Cel};

use super::Scope;
use super::bounds::{KEY, count, text_steps};
use super::error::{ExpressionError, Stop};
use super::shape::{Loop, literal_text};
use super::values::{add, compare, few_enough, index, key_text, length_in, negate, short_enough, text_in};

/// One evaluation.
pub struct Evaluation<'a> {
    pub(super) scope: &'a Scope<'a>,
    locals: Vec<(&'a str, Cel)>,
}

impl<'a> Evaluation<'a> {
    /// An evaluation with these variables.
    pub fn new(scope: &'a Scope<'a>) -> Self {
        Self { scope, locals: Vec::new() }
    }

    /// Counts the steps of an operation.
    pub(super) fn pay(&self, steps: u64) -> Result<(), Stop> {
        self.scope.pay(steps).map_err(Stop::Limit)
    }

    /// The value of this part.
    pub fn node(&mut self, node: &'a IdedExpr) -> Result<Cel, Stop> {
        self.pay(1)?;
        match &node.expr {
            Expr::Unspecified | Expr::Struct(_) => Err(Stop::Failed("a message literal cannot be used".to_owned())),
            Expr::Literal(literal) => {
                self.pay(text_steps(literal_text(literal)))?;
                Ok(constant(literal))
            }
            Expr::Ident(name) => self.variable(name),
            Expr::List(list) => {
                few_enough(count(list.elements.len()))?;
                let elements = list.elements.iter().map(|element| self.node(element));
                Ok(Cel::List(Arc::new(elements.collect::<Result<_, _>>()?)))
            }
            Expr::Map(map) => {
                few_enough(count(map.entries.len()))?;
                let mut made = HashMap::with_capacity(map.entries.len());
                for entry in &map.entries {
                    let EntryExpr::MapEntry(entry) = &entry.expr else { continue };
                    let key = self.node(&entry.key)?;
                    text_in(&key)?;
                    let key: Key = key.try_into().map_err(|_| Stop::Failed("a key is text or a number".to_owned()))?;
                    made.insert(key, self.node(&entry.value)?);
                }
                Ok(Cel::Map(Map { map: Arc::new(made) }))
            }
            Expr::Select(select) => match self.node(&select.operand)? {
                Cel::Map(map) if select.test => Ok(Cel::Bool(map.map.contains_key(&Key::from(select.field.as_str())))),
                _ if select.test => Ok(Cel::Bool(false)),
                operand => index(&operand, &Cel::from(select.field.as_str())),
            },
            Expr::Call(call) => self.call(call),
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
        }
    }

    fn variable(&self, name: &str) -> Result<Cel, Stop> {
        let local = self.locals.iter().rev().find(|(known, _)| *known == name).map(|(_, value)| value);
        let value = local.or_else(|| self.scope.get(name)).cloned();
        value.ok_or_else(|| Stop::Failed(format!("there is no variable or function `{name}`")))
    }

    fn truth(&mut self, node: &'a IdedExpr) -> Result<bool, Stop> {
        match self.node(node)? {
            Cel::Bool(truth) => Ok(truth),
            _ => Err(ExecutionError::NoSuchOverload.into()),
        }
    }

    fn call(&mut self, call: &'a CallExpr) -> Result<Cel, Stop> {
        match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::CONDITIONAL, [condition, yes, no]) => {
                if self.truth(condition)? {
                    self.node(yes)
                } else {
                    self.node(no)
                }
            }
            (operators::LOGICAL_OR, [left, right]) => self.either(left, right, true),
            (operators::LOGICAL_AND, [left, right]) => self.either(left, right, false),
            (operators::NOT_STRICTLY_FALSE, [one]) => match self.truth(one) {
                Err(Stop::Failed(_)) => Ok(Cel::Bool(true)),
                other => other.map(Cel::Bool),
            },
            (operators::LOGICAL_NOT, [one]) => Ok(Cel::Bool(!self.truth(one)?)),
            (operators::NEGATE, [one]) => negate(&self.node(one)?),
            (operator, [left, right]) if operator.starts_with('_') || operator == operators::IN => {
                let (left, right) = (self.node(left)?, self.node(right)?);
                self.binary(operator, left, right)
            }
            _ => self.function(call),
        }
    }

    /// `left || right` where `decides` is true, `left && right` where it is
    /// false: a side that decides outweighs the other's failure.
    fn either(&mut self, left: &'a IdedExpr, right: &'a IdedExpr, decides: bool) -> Result<Cel, Stop> {
        let left = match self.truth(left) {
            Err(limit @ Stop::Limit(_)) => return Err(limit),
            Ok(truth) if truth == decides => return Ok(Cel::Bool(decides)),
            other => other,
        };
        let right = match self.node(right)? {
            Cel::Bool(truth) => Some(truth),
            _ => None,
        };
        match (left, right) {
            (Ok(_), Some(truth)) => Ok(Cel::Bool(truth)),
            (Err(_), Some(truth)) if truth == decides => Ok(Cel::Bool(decides)),
            (Err(stop), _) => Err(stop),
            (Ok(_), None) => Err(ExecutionError::NoSuchOverload.into()),
        }
    }

    fn binary(&mut self, operator: &str, left: Cel, right: Cel) -> Result<Cel, Stop> {
        match operator {
            operators::EQUALS => Ok(Cel::Bool(self.equal(&left, &right)?)),
            operators::NOT_EQUALS => Ok(Cel::Bool(!self.equal(&left, &right)?)),
            operators::IN => self.contains(&right, &left).map(Cel::Bool),
            operators::INDEX => {
                self.pay(text_steps(text_in(&right)?))?;
                index(&left, &right)
            }
            operators::ADD => {
                let length = length_in(&left)? + length_in(&right)?;
                let text = text_in(&left)? + text_in(&right)?;
                few_enough(length)?;
                short_enough(text)?;
                self.pay(text_steps(text) + length)?;
                add(left, right)
            }
            _ => {
                self.pay(text_steps(text_in(&left)?.min(text_in(&right)?)))?;
                match operator {
                    operators::SUBSTRACT => Ok((left - right)?),
                    operators::MULTIPLY => Ok((left * right)?),
                    operators::DIVIDE => Ok((left / right)?),
                    operators::MODULO => Ok((left % right)?),
                    _ => compare(operator, &left, &right),
                }
            }
        }
    }

    fn comprehension(&mut self, part: &'a ComprehensionExpr) -> Result<Cel, Stop> {
        let range = self.node(&part.iter_range)?;
        let items = self.items(range)?;
        let depth = self.locals.len();
        let result = match Loop::of(part) {
            Loop::Collect { filter, element } => self.collect(&part.iter_var, &items, filter, element),
            Loop::Fold => self.fold(part, &items),
        };
        self.locals.truncate(depth);
        result
    }

    /// The items of a loop: of a map, its keys in order.
    fn items(&self, range: Cel) -> Result<Arc<Vec<Cel>>, Stop> {
        few_enough(length_in(&range)?)?;
        match range {
            Cel::List(items) => Ok(items),
            Cel::Map(map) => {
                let longest = map.map.keys().map(key_text).max().unwrap_or_default();
                if longest > KEY {
                    return Err(Stop::Limit(ExpressionError::TooLarge(format!("a key has {longest} bytes"))));
                }
                self.pay(2 * count(map.map.len()))?;
                let mut keys: Vec<&Key> = map.map.keys().collect();
                keys.sort_unstable();
                Ok(Arc::new(keys.into_iter().map(Cel::from).collect()))
            }
            _ => Err(ExecutionError::NoSuchOverload.into()),
        }
    }

    fn collect(
        &mut self,
        variable: &'a str,
        items: &[Cel],
        filter: Option<&'a IdedExpr>,
        element: &'a IdedExpr,
    ) -> Result<Cel, Stop> {
        let mut made = Vec::new();
        for item in items {
            self.pay(1)?;
            self.locals.push((variable, item.clone()));
            if filter.map_or(Ok(true), |filter| self.truth(filter))? {
                made.push(self.node(element)?);
            }
            self.locals.pop();
        }
        Ok(Cel::List(Arc::new(made)))
    }

    fn fold(&mut self, part: &'a ComprehensionExpr, items: &[Cel]) -> Result<Cel, Stop> {
        let start = self.node(&part.accu_init)?;
        self.locals.push((&part.accu_var, start));
        let accumulator = self.locals.len() - 1;
        for item in items {
            self.pay(1)?;
            if !self.truth(&part.loop_cond)? {
                break;
            }
            self.locals.push((&part.iter_var, item.clone()));
            let next = self.node(&part.loop_step)?;
            self.locals.truncate(accumulator + 1);
            self.locals[accumulator].1 = next;
        }
        self.node(&part.result)
    }
}

fn constant(literal: &LiteralValue) -> Cel {
    match literal {
        LiteralValue::Boolean(value) => Cel::Bool(*value.inner()),
        LiteralValue::Bytes(value) => Cel::from(value.inner().to_vec()),
        LiteralValue::Double(value) => Cel::Float(*value.inner()),
        LiteralValue::Int(value) => Cel::Int(*value.inner()),
        LiteralValue::Null => Cel::Null,
        LiteralValue::String(value) => Cel::from(value.inner()),
        LiteralValue::UInt(value) => Cel::UInt(*value.inner()),
    }
}
