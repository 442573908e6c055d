//! A call of a function: its arguments measured, the call paid for, and its
//! result measured again.

use kube_cel::cel::common::ast::{CallExpr, Expr, IdedExpr};
use kube_cel::cel::{ExecutionError, Value as Cel};
use serde_json::Value;

use super::bounds::{DEEP, Size, text_steps};
use super::error::Stop;
use super::evaluate::Evaluation;
use super::functions::{self, CONTEXT, FINGERPRINT, JSON, SIZE};
use super::shape::callee;
use super::values::{length_in, text_in, whole};
use crate::engine::value::to_json;

/// The names of arguments during a call of a function of the crate.
const ARGUMENTS: &[&str] = &["@0", "@1", "@2", "@3", "@4", "@5", "@6", "@7", "@8", "@9"];

impl<'a> Evaluation<'a> {
    /// The value of a call.
    pub(super) fn function(&mut self, call: &'a CallExpr) -> Result<Cel, Stop> {
        let (name, target) = callee(call);
        let method = target.is_some();
        let mut values = Vec::with_capacity(call.args.len() + 1);
        for part in target.into_iter().chain(&call.args) {
            values.push(self.node(part)?);
        }
        let sizes = values.iter().map(|value| argument(&name, value)).collect::<Result<Vec<_>, _>>()?;
        self.pay(functions::cost(&name, &sizes))?;
        if let Some(message) = functions::refused(&name, &values) {
            return Err(Stop::Failed(format!("`{name}`: {message}")));
        }
        let result = match (name.as_str(), values.as_slice()) {
            (SIZE, [value]) => size(value)?,
            (JSON, [value]) => Cel::from(as_json(&name, value)?.to_string()),
            (FINGERPRINT, [value]) => Cel::from(functions::fingerprint(&as_json(&name, value)?)),
            (SIZE | JSON | FINGERPRINT, _) => {
                return Err(ExecutionError::InvalidArgumentCount { expected: 1, actual: values.len() }.into());
            }
            _ => call_crate(&name, values, method)?,
        };
        text_in(&result)?;
        length_in(&result)?;
        Ok(result)
    }
}

/// How large an argument is. Only where lists and maps are taken, all of it
/// is looked at.
fn argument(name: &str, value: &Cel) -> Result<Size, Stop> {
    match value {
        _ if name == SIZE => Ok(Size::default()),
        Cel::List(_) | Cel::Map(_) if functions::takes_scalars(name) => {
            Err(ExecutionError::UnsupportedTargetType { target: Cel::Null }.into())
        }
        Cel::List(_) | Cel::Map(_) | Cel::Opaque(_) => whole(value, DEEP),
        _ => {
            let text = text_in(value)?;
            Ok(Size { text, length: 0, weight: 1 + text_steps(text) })
        }
    }
}

fn size(value: &Cel) -> Result<Cel, Stop> {
    let size = match value {
        Cel::List(items) => items.len(),
        Cel::Map(map) => map.map.len(),
        Cel::String(text) => text.len(),
        Cel::Bytes(bytes) => bytes.len(),
        _ => return Err(Stop::Failed("`size`: a value is neither text nor list nor map".to_owned())),
    };
    Ok(Cel::Int(i64::try_from(size).unwrap_or(i64::MAX)))
}

fn as_json(name: &str, value: &Cel) -> Result<Value, Stop> {
    to_json(value).map_err(|error| Stop::Failed(format!("`{name}`: {error}")))
}

/// Calls a function of the crate with these values: it takes expressions, so
/// each value becomes a variable of its own.
fn call_crate(name: &str, values: Vec<Cel>, method: bool) -> Result<Cel, Stop> {
    if values.len() > ARGUMENTS.len() {
        return Err(Stop::Failed(format!("`{name}`: too many arguments")));
    }
    let mut context = CONTEXT.new_inner_scope();
    let mut args = Vec::with_capacity(values.len());
    for (argument, value) in ARGUMENTS.iter().zip(values) {
        context.add_variable_from_value(*argument, value);
        args.push(IdedExpr { id: 0, expr: Expr::Ident((*argument).to_owned()) });
    }
    let target = method.then(|| Box::new(args.remove(0)));
    let call = IdedExpr { id: 0, expr: Expr::Call(CallExpr { func_name: name.to_owned(), target, args }) };
    Ok(Cel::resolve(&call, &context)?)
}
