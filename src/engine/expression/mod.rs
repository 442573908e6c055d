//! One CEL expression: compiled once, checked, evaluated any number of times.
//!
//! Only this module and those below it run the `cel` crates, and they guard against
//! them. An expression is bounded in length, depth and cost. The cost is estimated at
//! compile time from the largest possible inputs ([`bounds`], `estimate`), and counted
//! during evaluation (`evaluate`), by the same figures. So no text occupies a thread for
//! long, takes much memory, or overflows a stack. The crates can panic too: evaluation
//! runs under `catch_unwind`, so no profile may set `panic = "abort"`.

pub mod bounds;
mod call;
mod equality;
pub mod error;
mod estimate;
mod evaluate;
mod functions;
#[cfg(test)]
mod limits_tests;
mod parse;
mod shape;
mod values;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use kube_cel::cel::Value as Cel;
use kube_cel::cel::common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue, operators};
use serde_json::Value;

pub use bounds::{Bound, Variables};
pub use error::ExpressionError;
pub use parse::with_stack;

use super::value::{from_json, to_json};
use crate::api::engine::EXPRESSION;
use bounds::{TOGETHER, YIELD, YIELDS};
use estimate::Estimate;
use evaluate::Evaluation;

/// A compiled expression.
#[derive(Clone, Debug)]
pub struct Expression {
    tree: IdedExpr,
    estimate: Estimate,
}

impl Expression {
    /// Parses the text, and refuses what it must not speak of and what it must
    /// not cost.
    pub fn compile(source: &str, variables: &Variables) -> Result<Self, ExpressionError> {
        if source.len() > EXPRESSION {
            return Err(ExpressionError::TooLong);
        }
        with_stack(|| {
            let tree = parse::parse(source, variables)?;
            let estimate = estimate::estimate(&tree, variables)?;
            Ok(Self { tree, estimate })
        })?
    }

    /// The most steps that it takes.
    #[must_use]
    pub const fn cost(&self) -> u64 {
        self.estimate.cost
    }

    /// The most that it yields.
    #[must_use]
    pub const fn bound(&self) -> &Bound {
        &self.estimate.bound
    }

    /// The value of the expression.
    pub fn evaluate(&self, scope: &Scope<'_>) -> Result<Value, ExpressionError> {
        let result = catch_unwind(AssertUnwindSafe(|| {
            let mut evaluation = Evaluation::new(scope);
            let value = evaluation.node(&self.tree)?;
            scope.take(values::whole(&value, YIELD)?.weight)?;
            to_json(&value)
        }));
        result.unwrap_or(Err(ExpressionError::Panicked))
    }

    /// The fields of this variable that the expression names literally.
    #[must_use]
    pub fn fields_of(&self, variable: &str) -> BTreeSet<&str> {
        let mut fields = BTreeSet::new();
        collect_fields(&self.tree, variable, &mut fields);
        fields
    }
}

/// Variables with their values, and the steps that are left to expressions that
/// are evaluated with them.
pub struct Scope<'a> {
    variables: BTreeMap<String, Cel>,
    outer: Option<&'a Scope<'a>>,
    left: Rc<Cell<u64>>,
    room: Rc<Cell<u64>>,
}

impl Scope<'static> {
    /// One variable per key of the map.
    #[must_use]
    pub fn new(inputs: &Value) -> Self {
        let entries = inputs.as_object().into_iter().flatten();
        let variables = entries.map(|(name, value)| (name.clone(), from_json(value))).collect();
        Self { variables, outer: None, left: Rc::new(Cell::new(TOGETHER)), room: Rc::new(Cell::new(YIELDS)) }
    }
}

impl Scope<'_> {
    /// The same with more variables, and the same steps.
    #[must_use]
    pub fn with(&self, variables: &[(&str, &Value)]) -> Scope<'_> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), from_json(value))).collect();
        Scope { variables, outer: Some(self), left: Rc::clone(&self.left), room: Rc::clone(&self.room) }
    }

    fn get(&self, name: &str) -> Option<&Cel> {
        self.variables.get(name).or_else(|| self.outer?.get(name))
    }

    /// Pays for steps that are to be done; refused when none are left.
    pub fn pay(&self, steps: u64) -> Result<(), ExpressionError> {
        let left = self.left.get().checked_sub(steps);
        self.left.set(left.unwrap_or(0));
        left.map(|_| ()).ok_or(ExpressionError::OverBudget)
    }

    /// Takes room for a part of the result; refused when there is none left.
    pub fn take(&self, weight: u64) -> Result<(), ExpressionError> {
        let room = self.room.get().checked_sub(weight);
        self.room.set(room.unwrap_or(0));
        room.map(|_| ()).ok_or(ExpressionError::TooMuch)
    }

    /// The steps that were taken.
    #[cfg(test)]
    #[must_use]
    pub fn taken(&self) -> u64 {
        TOGETHER - self.left.get()
    }
}

fn collect_fields<'a>(node: &'a IdedExpr, variable: &str, fields: &mut BTreeSet<&'a str>) {
    let is_variable = |node: &IdedExpr| matches!(&node.expr, Expr::Ident(name) if name == variable);
    match &node.expr {
        Expr::Unspecified | Expr::Struct(_) | Expr::Literal(_) | Expr::Ident(_) => {}
        Expr::List(list) => list.elements.iter().for_each(|element| collect_fields(element, variable, fields)),
        Expr::Map(map) => {
            for entry in &map.entries {
                if let EntryExpr::MapEntry(entry) = &entry.expr {
                    collect_fields(&entry.key, variable, fields);
                    collect_fields(&entry.value, variable, fields);
                }
            }
        }
        Expr::Select(select) => {
            if is_variable(&select.operand) {
                fields.insert(&select.field);
            }
            collect_fields(&select.operand, variable, fields);
        }
        Expr::Call(call) => {
            if let [operand, IdedExpr { expr: Expr::Literal(LiteralValue::String(field)), .. }] = call.args.as_slice()
                && call.func_name == operators::INDEX
                && is_variable(operand)
            {
                fields.insert(field.inner());
            }
            call.target.iter().for_each(|target| collect_fields(target, variable, fields));
            call.args.iter().for_each(|argument| collect_fields(argument, variable, fields));
        }
        Expr::Comprehension(comprehension) => {
            for part in [
                &comprehension.iter_range,
                &comprehension.accu_init,
                &comprehension.loop_cond,
                &comprehension.loop_step,
                &comprehension.result,
            ] {
                collect_fields(part, variable, fields);
            }
        }
    }
}

#[cfg(test)]
mod tests;
