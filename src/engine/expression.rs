//! One CEL expression: compiled once, checked, evaluated any number of times.
//!
//! This is the only module that runs the `cel` crates, and the one place that
//! guards against them: their parser and interpreter can panic (struct literals
//! are a `todo!`), and their recursion is bounded by the stack alone. So an
//! expression is bounded in length, parsed on a thread with a stack of its own,
//! and refused if its tree is deep; evaluation runs under `catch_unwind`. Both
//! need panics to unwind: no profile may say `panic = "abort"`.
//!
//! Two things differ from that interpreter on purpose. A field of what is not a
//! map is an error (there it is `false`, so `credentials.secret` would silently
//! become `false` without credentials). And a comprehension over a map visits
//! its keys in order (there, in the order of a randomly seeded hash).

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use kube_cel::KubeCelExt;
use kube_cel::cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, LiteralValue, operators};
use kube_cel::cel::objects::Key;
use kube_cel::cel::parser::Parser;
use kube_cel::cel::{Context, ExecutionError, Value as Cel};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::value::{from_json, to_json};
use crate::api::engine::EXPRESSION;

/// The deepest tree that is evaluated. A level takes about 37 KiB of stack in a
/// build without optimisation, and a thread has 2 MiB.
const DEPTH: usize = 32;
/// Stack to parse the longest expression on, however it is nested. It is
/// reserved, not used, until it is needed.
const STACK: usize = 256 * 1024 * 1024;
/// Gives what a comprehension iterates over an order.
const ORDERED: &str = "@ordered";
/// Strata's own functions: a short hash of any value, to restart pods by; and
/// any value as JSON, with sorted keys.
const FINGERPRINT: &str = "fingerprint";
/// See [`FINGERPRINT`].
const JSON: &str = "json";

/// Why an expression was refused, or failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionError {
    /// It is too long to be one.
    #[error("an expression has at most {EXPRESSION} bytes")]
    TooLong,
    /// It is nested too deeply.
    #[error("the expression is nested too deeply")]
    TooDeep,
    /// It is not CEL.
    #[error("not a CEL expression: {0}")]
    Syntax(String),
    /// It speaks of something that there is not.
    #[error("unknown variable `{0}`")]
    UnknownVariable(String),
    /// It calls something that there is not.
    #[error("unknown function `{0}`")]
    UnknownFunction(String),
    /// It is CEL that has no meaning here.
    #[error("{0} cannot be used here")]
    Unsupported(&'static str),
    /// Evaluating it failed.
    #[error("{0}")]
    Failed(String),
    /// It yields what JSON cannot say.
    #[error("the result is {0}, which is no JSON")]
    NotJson(&'static str),
    /// The interpreter gave up on it.
    #[error("the expression made the interpreter fail")]
    Panicked,
}

/// A compiled expression.
#[derive(Clone, Debug)]
pub struct Expression {
    tree: IdedExpr,
}

impl Expression {
    /// Parses the text, and refuses what it must not speak of.
    pub fn compile(source: &str, variables: &[&str]) -> Result<Self, ExpressionError> {
        if source.len() > EXPRESSION {
            return Err(ExpressionError::TooLong);
        }
        // A panic on this thread ends up in the result of `join`.
        let parsed = thread::scope(|scope| {
            let parser = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, || parse(source, variables));
            match parser {
                Ok(handle) => handle.join().unwrap_or(Err(ExpressionError::Panicked)),
                Err(error) => Err(ExpressionError::Failed(format!("no thread to parse on: {error}"))),
            }
        });
        parsed.map(|tree| Self { tree })
    }

    /// The value of the expression.
    pub fn evaluate(&self, scope: &Scope<'_>) -> Result<Value, ExpressionError> {
        let result = catch_unwind(AssertUnwindSafe(|| {
            let value = Cel::resolve(&self.tree, &scope.0).map_err(|error| ExpressionError::Failed(explain(&error)))?;
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

/// Variables with their values, and the functions.
pub struct Scope<'a>(Context<'a>);

impl Scope<'static> {
    /// One variable per key of the map.
    #[must_use]
    pub fn new(inputs: &Value) -> Self {
        let mut context = functions();
        for (name, value) in inputs.as_object().into_iter().flatten() {
            context.add_variable_from_value(name.as_str(), from_json(value));
        }
        Self(context)
    }
}

impl Scope<'_> {
    /// The same with more variables.
    #[must_use]
    pub fn with(&self, variables: &[(&str, &Value)]) -> Scope<'_> {
        let mut context = self.0.new_inner_scope();
        for (name, value) in variables {
            context.add_variable_from_value(*name, from_json(value));
        }
        Scope(context)
    }
}

fn functions() -> Context<'static> {
    let mut context = Context::default().with_all();
    context.add_function(ORDERED, ordered);
    context.add_function(FINGERPRINT, fingerprint);
    context.add_function(JSON, json_text);
    context
}

/// A map becomes the sorted list of its keys, which is what CEL iterates over.
#[allow(clippy::unnecessary_wraps, reason = "the form that the interpreter wants functions in")]
fn ordered(value: Cel) -> Result<Cel, ExecutionError> {
    let Cel::Map(map) = value else { return Ok(value) };
    let mut keys: Vec<&Key> = map.map.keys().collect();
    keys.sort_unstable();
    Ok(Cel::List(Arc::new(keys.into_iter().map(Cel::from).collect())))
}

#[allow(clippy::needless_pass_by_value, reason = "the form that the interpreter wants functions in")]
fn json_text(value: Cel) -> Result<Cel, ExecutionError> {
    let json = to_json(&value).map_err(|error| ExecutionError::function_error(JSON, error))?;
    Ok(Cel::from(json.to_string()))
}

/// The first 16 hexadecimal digits of the SHA-256 of the value as sorted JSON.
#[allow(clippy::needless_pass_by_value, reason = "the form that the interpreter wants functions in")]
fn fingerprint(value: Cel) -> Result<Cel, ExecutionError> {
    let json = to_json(&value).map_err(|error| ExecutionError::function_error(FINGERPRINT, error))?;
    let digest = Sha256::digest(json.to_string().as_bytes());
    let first: u64 = digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte));
    Ok(Cel::from(format!("{first:016x}")))
}

fn parse(source: &str, variables: &[&str]) -> Result<IdedExpr, ExpressionError> {
    let mut tree = Parser::new().parse(source).map_err(|errors| {
        let first = errors.errors.first().map_or_else(|| errors.to_string(), |error| error.msg.clone());
        ExpressionError::Syntax(first.chars().take(256).collect())
    })?;
    let mut check = Check { known: functions(), variables, bound: Vec::new() };
    check.visit(&mut tree, 0)?;
    Ok(tree)
}

/// Walks a tree once: checks names, and makes the two changes named above.
struct Check<'a> {
    known: Context<'static>,
    variables: &'a [&'a str],
    bound: Vec<String>,
}

impl Check<'_> {
    fn visit(&mut self, node: &mut IdedExpr, depth: usize) -> Result<(), ExpressionError> {
        if depth > DEPTH {
            return Err(ExpressionError::TooDeep);
        }
        let next = depth + 1;
        match &mut node.expr {
            Expr::Unspecified => return Err(ExpressionError::Unsupported("an empty expression")),
            Expr::Struct(_) => return Err(ExpressionError::Unsupported("a message literal")),
            Expr::Literal(_) => {}
            Expr::Ident(name) => {
                if !self.bound.contains(name) && !self.variables.contains(&name.as_str()) {
                    return Err(ExpressionError::UnknownVariable(name.clone()));
                }
            }
            Expr::List(list) => {
                for element in &mut list.elements {
                    self.visit(element, next)?;
                }
            }
            Expr::Map(map) => {
                for entry in &mut map.entries {
                    match &mut entry.expr {
                        EntryExpr::MapEntry(entry) => {
                            self.visit(&mut entry.key, next)?;
                            self.visit(&mut entry.value, next)?;
                        }
                        EntryExpr::StructField(_) => return Err(ExpressionError::Unsupported("a message literal")),
                    }
                }
            }
            Expr::Call(call) => self.visit_call(call, next)?,
            Expr::Select(select) => {
                self.visit(&mut select.operand, next)?;
                if !select.test {
                    let operand = std::mem::take(&mut *select.operand);
                    let field = IdedExpr {
                        id: node.id,
                        expr: Expr::Literal(LiteralValue::String(select.field.as_str().into())),
                    };
                    node.expr = call(operators::INDEX, vec![operand, field]);
                }
            }
            Expr::Comprehension(comprehension) => {
                self.visit(&mut comprehension.iter_range, next)?;
                let range = std::mem::take(&mut comprehension.iter_range);
                comprehension.iter_range = IdedExpr { id: range.id, expr: call(ORDERED, vec![range]) };
                self.visit(&mut comprehension.accu_init, next)?;
                let outer = self.bound.len();
                self.bound.push(comprehension.iter_var.clone());
                self.bound.push(comprehension.accu_var.clone());
                self.visit(&mut comprehension.loop_cond, next)?;
                self.visit(&mut comprehension.loop_step, next)?;
                self.visit(&mut comprehension.result, next)?;
                self.bound.truncate(outer);
            }
        }
        Ok(())
    }

    fn visit_call(&mut self, call: &mut CallExpr, depth: usize) -> Result<(), ExpressionError> {
        let qualified = match call.target.as_deref() {
            Some(IdedExpr { expr: Expr::Ident(prefix), .. }) => self.knows(&format!("{prefix}.{}", call.func_name)),
            _ => false,
        };
        if !qualified {
            if !self.knows(&call.func_name) {
                return Err(ExpressionError::UnknownFunction(call.func_name.clone()));
            }
            if let Some(target) = &mut call.target {
                self.visit(target, depth)?;
            }
        }
        for argument in &mut call.args {
            self.visit(argument, depth)?;
        }
        Ok(())
    }

    /// Whether there is a function of this name. The registry cannot be asked;
    /// a call without arguments fails in another way than an unknown name does.
    fn knows(&self, name: &str) -> bool {
        let operator = !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
        let probe = IdedExpr { id: 0, expr: call(name, Vec::new()) };
        let called = || Cel::resolve(&probe, &self.known);
        operator
            || !matches!(catch_unwind(AssertUnwindSafe(called)),
                Ok(Err(ExecutionError::UndeclaredReference(unknown))) if unknown.as_str() == name)
    }
}

fn call(name: &str, args: Vec<IdedExpr>) -> Expr {
    Expr::Call(CallExpr { func_name: name.to_owned(), target: None, args })
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

/// The interpreter's words, without the values in them: they may be large, and
/// nobody asked for them to be in a status.
fn explain(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(key) => format!("there is no `{key}`"),
        ExecutionError::UndeclaredReference(name) => format!("there is no variable or function `{name}`"),
        ExecutionError::NoSuchOverload => {
            "a value is null or of another type than the operator or field wants".to_owned()
        }
        ExecutionError::UnsupportedBinaryOperator(operator, left, right) => {
            format!("`{operator}` does not work on {} and {}", left.type_of(), right.type_of())
        }
        ExecutionError::UnexpectedType { got, want } => format!("a value is {got} where {want} is wanted"),
        ExecutionError::InvalidArgumentCount { expected, actual } => {
            format!("a function wants {expected} arguments and got {actual}")
        }
        ExecutionError::FunctionError { function, message } => {
            format!("`{function}`: {}", message.chars().take(256).collect::<String>())
        }
        ExecutionError::UnsupportedTargetType { target } => format!("a function does not work on {}", target.type_of()),
        ExecutionError::NotSupportedAsMethod { method, target } => {
            format!("`{method}` does not work on {}", target.type_of())
        }
        ExecutionError::ValuesNotComparable(left, right) => {
            format!("{} and {} cannot be compared", left.type_of(), right.type_of())
        }
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => "division by zero".to_owned(),
        ExecutionError::Overflow(operator, ..) => format!("`{operator}` overflows"),
        ExecutionError::IndexOutOfBounds(_) => "a list is shorter than the index".to_owned(),
        _ => "a value is of the wrong type".to_owned(),
    }
}

#[cfg(test)]
#[path = "expression_tests.rs"]
mod tests;
