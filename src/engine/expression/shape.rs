//! What the parts of a tree are, for those who walk it: the parser's macros
//! recognized, and the functions that calls name.

use kube_cel::cel::common::ast::{CallExpr, ComprehensionExpr, Expr, IdedExpr, LiteralValue, operators};

use super::bounds::count;
use super::functions;

/// The effect of a macro on each item.
pub enum Loop<'a> {
    /// It makes a list: `map`, `filter`.
    Collect {
        /// The filter; all items without one.
        filter: Option<&'a IdedExpr>,
        /// The value for an item.
        element: &'a IdedExpr,
    },
    /// It comes to one boolean or number: `all`, `exists`, `exists_one`. Only
    /// these begin with a literal.
    Fold,
}

impl<'a> Loop<'a> {
    /// What the comprehension is. Others than those of the macros cannot be
    /// written: an accumulator's name is no identifier.
    pub fn of(part: &'a ComprehensionExpr) -> Self {
        let collected = |step: &'a IdedExpr| match &step.expr {
            Expr::Call(CallExpr { func_name, args, .. }) if func_name == operators::ADD => match args.as_slice() {
                [_, IdedExpr { expr: Expr::List(list), .. }] => list.elements.first(),
                _ => None,
            },
            _ => None,
        };
        if matches!(&part.accu_init.expr, Expr::Literal(_)) {
            return Self::Fold;
        }
        match &part.loop_step.expr {
            Expr::Call(CallExpr { func_name, args, .. }) if func_name == operators::CONDITIONAL => {
                match args.as_slice() {
                    [filter, step, _] => {
                        collected(step).map_or(Self::Fold, |element| Self::Collect { filter: Some(filter), element })
                    }
                    _ => Self::Fold,
                }
            }
            _ => collected(&part.loop_step).map_or(Self::Fold, |element| Self::Collect { filter: None, element }),
        }
    }
}

/// The function that a call names, and the value that it is called on, if it is
/// called on one: `math.abs` is a name, `team.size()` is not.
pub fn callee(call: &CallExpr) -> (String, Option<&IdedExpr>) {
    if let Some(IdedExpr { expr: Expr::Ident(prefix), .. }) = call.target.as_deref() {
        let qualified = format!("{prefix}.{}", call.func_name);
        if functions::known(&qualified) {
            return (qualified, None);
        }
    }
    (call.func_name.clone(), call.target.as_deref())
}

/// Bytes of a literal's text.
pub fn literal_text(literal: &LiteralValue) -> u64 {
    match literal {
        LiteralValue::String(text) => count(text.inner().len()),
        LiteralValue::Bytes(bytes) => count(bytes.inner().len()),
        _ => 0,
    }
}
