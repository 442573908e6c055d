//! A text parsed into a tree that can be walked: on a stack that holds it, and
//! with every name in it known.
//!
//! The crate's parser is recursive and can panic. How deep it goes is bounded by
//! the brackets and question marks that stand in one another, which are counted
//! first, and by the length of the text.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use kube_cel::cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, operators};
use kube_cel::cel::parser::Parser;

use super::bounds::Variables;
use super::shape::callee;
use super::{ExpressionError, functions};

/// The deepest tree that is evaluated.
pub const DEPTH: usize = 32;
/// The most brackets and conditions that stand in one another.
const BRACKETS: usize = 64;
/// Stack to parse the longest expression on, however it is nested, in a build
/// without optimisation. It is reserved, and used as far as it is needed.
const STACK: usize = 32 * 1024 * 1024;

/// The most text of expressions that is parsed on one stack, in bytes; each
/// counts as 64 at least. The longest built-in engine has 8,000.
const ALL: usize = 128 * 1024;

thread_local! {
    /// The text that may still be parsed on this stack, if it is one.
    static LEFT: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Runs this on a thread with a stack that holds the parser; in place, if this
/// is one already. Whoever compiles many expressions does so within one call,
/// in which their text is bounded all together.
///
/// # Errors
/// There was no thread to be had, or it panicked.
pub fn with_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, ExpressionError> {
    if LEFT.get().is_some() {
        return Ok(work());
    }
    // A panic on this thread ends up in the result of `join`.
    thread::scope(|scope| {
        let run = || {
            LEFT.set(Some(ALL));
            work()
        };
        match thread::Builder::new().stack_size(STACK).spawn_scoped(scope, run) {
            Ok(handle) => handle.join().map_err(|_| ExpressionError::Panicked),
            Err(error) => Err(ExpressionError::Failed(format!("no thread to parse on: {error}"))),
        }
    })
}

/// The tree of the text, checked.
pub fn parse(source: &str, variables: &Variables) -> Result<IdedExpr, ExpressionError> {
    let left = LEFT.get().unwrap_or(ALL).checked_sub(source.len().max(64)).ok_or(ExpressionError::TooMany)?;
    LEFT.set(Some(left));
    if nesting(source) > BRACKETS {
        return Err(ExpressionError::TooDeep);
    }
    let parsed = catch_unwind(AssertUnwindSafe(|| Parser::new().parse(source)));
    let tree = parsed.map_err(|_| ExpressionError::Panicked)?.map_err(|errors| {
        let first = errors.errors.first().map_or_else(|| errors.to_string(), |error| error.msg.clone());
        ExpressionError::Syntax(first.chars().take(256).collect())
    })?;
    Check { variables, bound: Vec::new() }.visit(&tree, 0)?;
    Ok(tree)
}

/// How many brackets and question marks are open at once, at most. Those in
/// strings count too: that errs on the safe side, and they are few.
fn nesting(source: &str) -> usize {
    let (mut open, mut conditions, mut most) = (0_usize, 0_usize, 0);
    for byte in source.bytes() {
        match byte {
            b'(' | b'[' | b'{' => open += 1,
            b')' | b']' | b'}' => open = open.saturating_sub(1),
            b'?' => conditions += 1,
            _ => {}
        }
        most = most.max(open + conditions);
    }
    most
}

/// Walks a tree once, and refuses unknown names.
struct Check<'a> {
    variables: &'a Variables,
    bound: Vec<&'a str>,
}

impl<'a> Check<'a> {
    fn visit(&mut self, node: &'a IdedExpr, depth: usize) -> Result<(), ExpressionError> {
        if depth > DEPTH {
            return Err(ExpressionError::TooDeep);
        }
        let next = depth + 1;
        match &node.expr {
            Expr::Unspecified => Err(ExpressionError::Unsupported("an empty expression")),
            Expr::Struct(_) => Err(ExpressionError::Unsupported("a message literal")),
            Expr::Literal(_) => Ok(()),
            Expr::Ident(name) => {
                if !self.bound.contains(&name.as_str()) && self.variables.get(name).is_none() {
                    return Err(ExpressionError::UnknownVariable(name.clone()));
                }
                Ok(())
            }
            Expr::List(list) => list.elements.iter().try_for_each(|element| self.visit(element, next)),
            Expr::Map(map) => map.entries.iter().try_for_each(|entry| match &entry.expr {
                EntryExpr::MapEntry(entry) => {
                    self.visit(&entry.key, next)?;
                    self.visit(&entry.value, next)
                }
                EntryExpr::StructField(_) => Err(ExpressionError::Unsupported("a message literal")),
            }),
            Expr::Select(select) => self.visit(&select.operand, next),
            Expr::Call(call) => self.visit_call(call, next),
            Expr::Comprehension(part) => {
                self.visit(&part.iter_range, next)?;
                self.visit(&part.accu_init, next)?;
                let outer = self.bound.len();
                self.bound.extend([part.iter_var.as_str(), part.accu_var.as_str()]);
                for inner in [&part.loop_cond, &part.loop_step, &part.result] {
                    self.visit(inner, next)?;
                }
                self.bound.truncate(outer);
                Ok(())
            }
        }
    }

    fn visit_call(&mut self, call: &'a CallExpr, depth: usize) -> Result<(), ExpressionError> {
        let (name, target) = callee(call);
        let operator = name.starts_with(['_', '!', '-', '@']);
        if matches!(name.as_str(), operators::OPT_INDEX | operators::OPT_SELECT) {
            return Err(ExpressionError::Unsupported("optional syntax"));
        }
        if !operator && !functions::known(&name) {
            return Err(ExpressionError::UnknownFunction(name));
        }
        target.into_iter().chain(&call.args).try_for_each(|part| self.visit(part, depth))
    }
}
