//! The highest cost of an expression, estimated from its tree before it is evaluated,
//! as the API server does for the rules of definitions.
//!
//! The steps are those that [`evaluate`](super::evaluate) counts. Every arm here has its
//! counterpart there: change both together. An unknown size counts as the largest that
//! the evaluation accepts.

use kube_cel::cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, operators};

use super::bounds::{Bound, EQUAL, KEY, STEPS, Size, TEXT, Variables, count, text_steps};
use super::shape::{Loop, callee, literal_text};
use super::{ExpressionError, functions};

/// The cost of an expression, and the most that it yields.
#[derive(Clone, Debug)]
pub struct Estimate {
    /// Steps.
    pub cost: u64,
    /// Its value.
    pub bound: Bound,
}

/// The estimate of the whole tree, which is refused if it is beyond the limit.
pub fn estimate(tree: &IdedExpr, variables: &Variables) -> Result<Estimate, ExpressionError> {
    let mut walk = Walk { variables, locals: Vec::new(), blamed: None };
    let (cost, bound) = walk.node(tree);
    if cost > STEPS {
        let part = walk.blamed.unwrap_or_else(|| "the whole expression is too expensive".to_owned());
        return Err(ExpressionError::TooCostly(cost, part));
    }
    Ok(Estimate { cost, bound })
}

struct Walk<'a> {
    variables: &'a Variables,
    locals: Vec<(&'a str, Bound)>,
    /// The innermost part that alone exceeds the limit.
    blamed: Option<String>,
}

impl<'a> Walk<'a> {
    fn node(&mut self, node: &'a IdedExpr) -> (u64, Bound) {
        let (cost, bound) = match &node.expr {
            Expr::Unspecified | Expr::Struct(_) => (0, Bound::scalar()),
            Expr::Literal(literal) => {
                let bound = Bound::text(literal_text(literal));
                (bound.size.weight - 1, bound)
            }
            Expr::Ident(name) => (0, self.variable(name)),
            Expr::List(list) => self.list(&list.elements),
            Expr::Map(map) => self.map(map.entries.iter().filter_map(|entry| match &entry.expr {
                EntryExpr::MapEntry(entry) => Some((&entry.key, &entry.value)),
                EntryExpr::StructField(_) => None,
            })),
            Expr::Select(select) => {
                let (cost, operand) = self.node(&select.operand);
                (cost, if select.test { Bound::scalar() } else { operand.field(&select.field) })
            }
            Expr::Call(call) => self.call(call),
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
        };
        (cost.saturating_add(1), bound)
    }

    fn variable(&self, name: &str) -> Bound {
        let local = self.locals.iter().rev().find(|(known, _)| *known == name).map(|(_, bound)| bound);
        local.or_else(|| self.variables.get(name)).cloned().unwrap_or_else(Bound::unknown)
    }

    fn list(&mut self, elements: &'a [IdedExpr]) -> (u64, Bound) {
        let mut each = Bound::scalar();
        let (mut cost, mut weight) = (0_u64, 1_u64);
        for element in elements {
            let (steps, bound) = self.node(element);
            cost = cost.saturating_add(steps);
            weight = weight.saturating_add(bound.size.weight);
            each = each.join(&bound);
        }
        let mut bound = Bound::list(count(elements.len()), each);
        bound.size.weight = bound.size.weight.min(weight);
        (cost, bound)
    }

    fn map(&mut self, entries: impl Iterator<Item = (&'a IdedExpr, &'a IdedExpr)>) -> (u64, Bound) {
        let mut each = Bound::scalar();
        let (mut cost, mut weight, mut length, mut keys) = (0_u64, 1_u64, 0, 0);
        for (key, value) in entries {
            let (key_steps, key) = self.node(key);
            let (steps, bound) = self.node(value);
            cost = cost.saturating_add(key_steps).saturating_add(steps);
            weight = weight.saturating_add(1 + text_steps(key.size.text)).saturating_add(bound.size.weight);
            keys = key.size.text.max(keys);
            each = each.join(&bound);
            length += 1;
        }
        let mut bound = Bound::entries(length, keys, each);
        bound.size.weight = bound.size.weight.min(weight);
        (cost, bound)
    }

    fn call(&mut self, call: &'a CallExpr) -> (u64, Bound) {
        match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::CONDITIONAL, [condition, yes, no]) => {
                let ((cost, _), (a, yes), (b, no)) = (self.node(condition), self.node(yes), self.node(no));
                (cost.saturating_add(a.max(b)), yes.join(&no))
            }
            (operators::LOGICAL_NOT | operators::NEGATE | operators::NOT_STRICTLY_FALSE, [one]) => {
                (self.node(one).0, Bound::scalar())
            }
            (operator, [left, right]) if operator.starts_with('_') || operator == operators::IN => {
                let ((a, left_bound), (b, right_bound)) = (self.node(left), self.node(right));
                let (cost, bound) = binary(operator, &left_bound, &right_bound, right);
                (a.saturating_add(b).saturating_add(cost), bound)
            }
            _ => self.function(call),
        }
    }

    fn function(&mut self, call: &'a CallExpr) -> (u64, Bound) {
        let (name, target) = callee(call);
        let mut cost = 0_u64;
        let mut bounds = Vec::with_capacity(call.args.len() + 1);
        for part in target.into_iter().chain(&call.args) {
            let (steps, bound) = self.node(part);
            cost = cost.saturating_add(steps);
            bounds.push(bound);
        }
        let sizes: Vec<Size> = bounds.iter().map(|bound| bound.size).collect();
        let own = functions::cost(&name, &sizes);
        if own > STEPS {
            let of = sizes.iter().map(|size| size.text.max(size.length)).max().unwrap_or_default();
            self.blame(|| format!("`{name}` of values of up to {of} bytes or entries takes {own} steps"));
        }
        (cost.saturating_add(own), functions::result(&name, &bounds))
    }

    fn comprehension(&mut self, part: &'a ComprehensionExpr) -> (u64, Bound) {
        let (range_cost, range) = self.node(&part.iter_range);
        let length = range.size.length;
        let sorting = length.saturating_mul(2);
        // A loop over a map uses its keys.
        let each = range.each().join(&Bound::text(range.keys.min(KEY)));
        self.locals.push((&part.iter_var, each));
        let (each_cost, bound) = match Loop::of(part) {
            Loop::Collect { filter, element } => {
                let filtering = filter.map_or(0, |filter| self.node(filter).0);
                let (cost, element) = self.node(element);
                (filtering.saturating_add(cost), Bound::list(length, element))
            }
            Loop::Fold => {
                self.locals.push((&part.accu_var, Bound::scalar()));
                let (condition, step) = (self.node(&part.loop_cond).0, self.node(&part.loop_step).0);
                self.locals.pop();
                (condition.saturating_add(step), Bound::scalar())
            }
        };
        self.locals.pop();
        // The beginning and the end of the macros are a literal, and a comparison.
        let cost = length.saturating_mul(each_cost.saturating_add(1)).saturating_add(sorting).saturating_add(8);
        if cost > STEPS {
            let variable = &part.iter_var;
            self.blame(|| {
                format!("the loop with `{variable}` goes through up to {length} items, at up to {each_cost} steps each")
            });
        }
        (range_cost.saturating_add(cost), bound)
    }

    fn blame(&mut self, part: impl FnOnce() -> String) {
        self.blamed.get_or_insert_with(part);
    }
}

/// The cost and the bound of an operator between two values.
fn binary(operator: &str, left: &Bound, right: &Bound, written: &IdedExpr) -> (u64, Bound) {
    let (a, b) = (left.size, right.size);
    match operator {
        operators::ADD => {
            let cost = text_steps(a.text + b.text) + a.length + b.length;
            let list = Bound::list(a.length + b.length, left.each().join(&right.each()));
            let sum = Bound::text((a.text + b.text).min(TEXT));
            (cost, if a.length + b.length == 0 { sum } else { list.join(&sum) })
        }
        operators::EQUALS | operators::NOT_EQUALS => (1 + a.weight.min(b.weight).min(EQUAL), Bound::scalar()),
        operators::IN => {
            let pairs = b.weight.min(b.length.saturating_mul(a.weight)).min(EQUAL);
            (1 + b.length + pairs + text_steps(a.text), Bound::scalar())
        }
        operators::INDEX => {
            let field = match &written.expr {
                Expr::Literal(LiteralValue::String(name)) => left.field(name.inner()),
                _ => left.each(),
            };
            (text_steps(b.text), field)
        }
        _ => (text_steps(a.text.min(b.text)), Bound::scalar()),
    }
}
