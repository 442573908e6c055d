//! Why an expression was refused or has no value, in words for a status.

use kube_cel::cel::ExecutionError;

use super::bounds::{DEEP, ITEMS, STEPS, TEXT, TOGETHER, YIELDS};
use crate::api::engine::EXPRESSION;

/// Why an expression was refused, or failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionError {
    /// It is too long to be one.
    #[error("an expression has at most {EXPRESSION} bytes")]
    TooLong,
    /// Too many expressions together.
    #[error("all expressions together are longer than 131,072 bytes (each counts as 64 at least). Use fewer")]
    TooMany,
    /// It is nested too deeply.
    #[error("the expression is nested too deeply")]
    TooDeep,
    /// It is not CEL.
    #[error("not a CEL expression: {0}")]
    Syntax(String),
    /// An unknown variable.
    #[error("unknown variable `{0}`")]
    UnknownVariable(String),
    /// An unknown function.
    #[error("unknown function `{0}`")]
    UnknownFunction(String),
    /// It is CEL that has no meaning here.
    #[error("{0} cannot be used here")]
    Unsupported(&'static str),
    /// It may take more steps than are allowed: how many, and its part that does.
    #[error(
        "the expression may take {0} steps, and at most {STEPS} are allowed: {1}. Nest fewer loops, or shorten the \
         lists (a value without a bound counts as {ITEMS} items and {TEXT} bytes of text; the schema of parameters can \
         set maxItems and maxLength)"
    )]
    TooCostly(u64, String),
    /// A value is too large to be worked on.
    #[error(
        "{0}, and expressions work with at most {ITEMS} entries, {TEXT} bytes of text, and {DEEP} values at once. Make \
         it smaller"
    )]
    TooLarge(String),
    /// All expressions together took more steps than are allowed.
    #[error("the expressions together took more than {TOGETHER} steps. Simplify them")]
    OverBudget,
    /// All that is yielded is too much together.
    #[error(
        "the results together are larger than {YIELDS} values and 64-byte pieces of text. Make fewer or smaller results"
    )]
    TooMuch,
    /// Evaluating it failed.
    #[error("{0}")]
    Failed(String),
    /// The result cannot be written as JSON.
    #[error("the result is {0}, which JSON cannot represent")]
    NotJson(&'static str),
    /// The interpreter gave up on it.
    #[error("the expression made the interpreter fail")]
    Panicked,
}

impl ExpressionError {
    /// Whether a limit was reached: it would be with any other value as large.
    #[must_use]
    pub const fn is_limit(&self) -> bool {
        matches!(self, Self::TooCostly(..) | Self::TooLarge(_) | Self::OverBudget | Self::TooMuch)
    }
}

/// The cause of a failed evaluation.
pub enum Stop {
    /// The expression fails on its values.
    Failed(String),
    /// It is beyond a limit.
    Limit(ExpressionError),
}

impl From<ExecutionError> for Stop {
    fn from(error: ExecutionError) -> Self {
        Self::Failed(explain(&error))
    }
}

impl From<Stop> for ExpressionError {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Failed(message) => Self::Failed(message),
            Stop::Limit(error) => error,
        }
    }
}

/// The interpreter's words, without the values in them: they may be large, and
/// nobody asked for them to be in a status.
#[must_use]
pub fn explain(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(key) => format!("the value has no `{key}`"),
        ExecutionError::UndeclaredReference(name) => format!("there is no variable or function `{name}`"),
        ExecutionError::NoSuchOverload => {
            "a value is null or of another type than the operator or field needs".to_owned()
        }
        ExecutionError::UnsupportedBinaryOperator(operator, left, right) => {
            format!("`{operator}` does not work on {} and {}", left.type_of(), right.type_of())
        }
        ExecutionError::UnexpectedType { got, want } => format!("a value is {got} but {want} is needed"),
        ExecutionError::InvalidArgumentCount { expected, actual } => {
            format!("a function needs {expected} arguments and got {actual}")
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
