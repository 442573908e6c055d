//! The rules of an engine over its live objects: `ready` and `failing`, each with
//! what to say. Pure: it compiles and evaluates them, and knows no kind.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Fault;
use super::expression::{Bound, Expression, ExpressionError, Scope, Variables};
use super::inputs::OBJECTS;
use super::readiness::Verdict;
use super::template::compile_rule;
use super::tree::Tree;
use crate::api::engine::EngineSpec;

/// A rule over the live objects, with its message.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) when: Expression,
    pub(super) reason: String,
    message: Tree,
    /// The message as it was written, should its expressions fail.
    written: String,
}

impl Rule {
    /// The most steps that evaluating it takes.
    pub(super) fn cost(&self) -> u64 {
        self.when.cost().saturating_add(self.message.cost())
    }

    /// Its words about the live objects; as they were written, should that fail.
    pub(super) fn say(&self, scope: &Scope<'_>) -> String {
        self.message.render_string(scope).ok().flatten().unwrap_or_else(|| self.written.clone())
    }
}

/// The first rule that holds, or does not. One that cannot be evaluated does
/// not hold: a field does not exist yet. One that reaches a limit never will.
pub(super) fn first<'a>(rules: &'a [Rule], holds: bool, scope: &Scope<'_>) -> Result<Option<&'a Rule>, Verdict> {
    for rule in rules {
        let value = rule.when.evaluate(scope);
        if let Err(error) = &value
            && error.is_limit()
        {
            return Err(beyond(rule, error));
        }
        if (value == Ok(Value::Bool(true))) == holds {
            return Ok(Some(rule));
        }
    }
    Ok(None)
}

fn beyond(rule: &Rule, error: &ExpressionError) -> Verdict {
    Verdict::failing(
        "EngineFailing",
        format!("the rule with the message '{}' cannot be evaluated: {error}", rule.written),
    )
}

/// The rules of `ready` and of `failing`.
pub(super) fn compile_rules(spec: &EngineSpec, known: &Variables) -> Result<(Vec<Rule>, Vec<Rule>), Fault> {
    let ids: BTreeSet<&str> = spec.objects.iter().map(|object| object.id.as_str()).collect();
    let mut ready = Vec::with_capacity(spec.ready.len());
    for (index, rule) in spec.ready.iter().enumerate() {
        let compiled = compile_one(&rule.when, "", &rule.message, &ids, known);
        ready.push(compiled.map_err(|fault| fault.item(index).under("ready"))?);
    }
    let mut failing = Vec::with_capacity(spec.failing.len());
    for (index, rule) in spec.failing.iter().enumerate() {
        let compiled = compile_one(&rule.when, &rule.reason, &rule.message, &ids, known);
        failing.push(compiled.map_err(|fault| fault.item(index).under("failing"))?);
    }
    Ok((ready, failing))
}

fn compile_one(
    when: &str,
    reason: &str,
    message: &str,
    ids: &BTreeSet<&str>,
    known: &Variables,
) -> Result<Rule, Fault> {
    let variables = known.with(OBJECTS, Bound::unknown());
    let compiled = compile_rule(Some(when), &variables).map_err(|fault| fault.under("when"))?;
    let Some(compiled) = compiled else { return Err(Fault::at("when", "is missing")) };
    if let Some(unknown) = compiled.fields_of(OBJECTS).into_iter().find(|id| !ids.contains(id)) {
        return Err(Fault::at("when", format!("no object has the id `{unknown}`")));
    }
    let tree = Tree::compile_text(message, &variables).map_err(|fault| fault.under("message"))?;
    Ok(Rule { when: compiled, reason: reason.to_owned(), message: tree, written: message.to_owned() })
}
