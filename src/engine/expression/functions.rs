//! The functions that expressions may call: the closed list of them, what each
//! costs and can yield at most, and the few that are Strata's own.
//!
//! Cost and result depend on the sizes of the arguments alone. The estimate uses the
//! largest possible sizes, the evaluation the actual ones. Every figure here grows with
//! the sizes, so the estimate is never below the evaluation.

use std::sync::{Arc, LazyLock};

use kube_cel::KubeCelExt;
use kube_cel::cel::extractors::{Arguments, This};
use kube_cel::cel::{Context, ExecutionError, Value as Cel};
use regex::{Regex, RegexBuilder};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::bounds::{Bound, DEEP, ITEMS, Size, TEXT, count, text_steps};

/// A short hash of any value, to restart pods by.
pub const FINGERPRINT: &str = "fingerprint";
/// Any value as JSON, with sorted keys.
pub const JSON: &str = "json";
/// The number of entries or bytes.
pub const SIZE: &str = "size";

/// Steps to call any function.
const CALL: u64 = 16;
/// Steps to compile a regular expression, which is done for every call.
const COMPILE: u64 = 1_000;
/// The longest regular expression, and the longest text that one is tried on.
const PATTERN: u64 = 256;
/// See [`PATTERN`].
const MATCHED: u64 = 4 * 1024;
/// The largest program that a regular expression may become, in bytes.
const PROGRAM: usize = 256 * 1024;
/// The longest text of a number, a time or an address.
const PLAIN: u64 = 512;

/// Functions of texts, numbers and times; no list, no map.
const OF_SCALARS: &[&str] = &[
    "startsWith",
    "endsWith",
    "string",
    "bytes",
    "double",
    "int",
    "uint",
    "matches",
    "duration",
    "timestamp",
    "getFullYear",
    "getMonth",
    "getDayOfYear",
    "getDayOfMonth",
    "getDate",
    "getDayOfWeek",
    "getHours",
    "getMinutes",
    "getSeconds",
    "getMilliseconds",
    "quantity",
    "isQuantity",
    "isInteger",
    "asInteger",
    "asApproximateFloat",
    "sign",
    "add",
    "sub",
    "lists.range",
    "jsonpatch.escapeKey",
    "base64.decode",
    "base64.encode",
    "url",
    "isURL",
    "getScheme",
    "getHost",
    "getHostname",
    "getPort",
    "getEscapedPath",
    "getQuery",
    "find",
    "findAll",
    "charAt",
    "lowerAscii",
    "upperAscii",
    "replace",
    "split",
    "substring",
    "trim",
    "strings.quote",
    "isGreaterThan",
    "isLessThan",
    "compareTo",
    "ip",
    "format.dns1123Label",
    "format.dns1123Subdomain",
    "format.dns1035Label",
    "format.dns1035LabelPrefix",
    "format.dns1123LabelPrefix",
    "format.dns1123SubdomainPrefix",
    "format.qualifiedName",
    "format.labelValue",
    "format.uri",
    "format.uuid",
    "format.byte",
    "format.date",
    "format.datetime",
    "format.named",
    "validate",
    "semver",
    "isSemver",
    "major",
    "minor",
    "patch",
    "isIP",
    "ip.isCanonical",
    "family",
    "isLoopback",
    "isUnspecified",
    "isLinkLocalMulticast",
    "isLinkLocalUnicast",
    "isGlobalUnicast",
    "isIPv4",
    "isIPv6",
    "cidr",
    "isCIDR",
    "containsIP",
    "containsCIDR",
    "prefixLength",
    "masked",
    "isCIDRv4",
    "isCIDRv6",
    "math.ceil",
    "math.floor",
    "math.round",
    "math.trunc",
    "math.abs",
    "math.sign",
    "math.isInf",
    "math.isNaN",
    "math.isFinite",
    "math.bitAnd",
    "math.bitOr",
    "math.bitXor",
    "math.bitNot",
    "math.bitShiftLeft",
    "math.bitShiftRight",
    "math.sqrt",
    "optional.none",
];

/// Functions of anything.
const OF_ANYTHING: &[&str] = &[
    SIZE,
    "contains",
    JSON,
    FINGERPRINT,
    "isSorted",
    "sum",
    "min",
    "max",
    "slice",
    "sort",
    "flatten",
    "reverse",
    "distinct",
    "first",
    "last",
    "indexOf",
    "lastIndexOf",
    "sets.contains",
    "sets.equivalent",
    "sets.intersects",
    "join",
    "format",
    "optional.of",
    "optional.ofNonZeroValue",
    "value",
    "hasValue",
    "or",
    "orValue",
    "math.least",
    "math.greatest",
];

/// Whether a function has this name.
pub fn known(name: &str) -> bool {
    takes_scalars(name) || OF_ANYTHING.contains(&name)
}

/// Whether the function takes neither lists nor maps.
pub fn takes_scalars(name: &str) -> bool {
    OF_SCALARS.contains(&name)
}

/// Steps that a call takes at most, its arguments being of these sizes.
pub fn cost(name: &str, args: &[Size]) -> u64 {
    let size = |index: usize| args.get(index).copied().unwrap_or_default();
    let (a, b) = (size(0), size(1));
    let all: u64 = if takes_scalars(name) {
        args.iter().map(|size| 1 + text_steps(size.text)).sum()
    } else {
        args.iter().map(|size| size.weight.min(DEEP)).sum::<u64>().saturating_mul(4)
    };
    let (first, second) = (a.weight.min(DEEP), b.weight.min(DEEP));
    let more = match name {
        SIZE => return CALL,
        "matches" | "find" | "findAll" => {
            let (text, pattern) = (a.text.min(MATCHED), b.text.min(PATTERN));
            COMPILE + pattern * 16 + (text + 1) * (pattern + 8) / 8
        }
        "indexOf" | "lastIndexOf" => text_steps(a.text.saturating_mul(b.text)),
        "sets.contains" | "sets.equivalent" | "sets.intersects" => {
            2 * a.length.saturating_mul(second).min(b.length.saturating_mul(first))
        }
        "distinct" => a.length * first,
        "sort" | "isSorted" | "min" | "max" | "math.least" | "math.greatest" => 8 * all,
        "replace" => text_steps(result_text(name, args).min(TEXT)),
        "lists.range" => ITEMS,
        "split" => a.text.saturating_add(2).min(ITEMS),
        _ => 0,
    };
    CALL.saturating_add(all).saturating_add(more)
}

/// Bytes of a text that a call yields at most.
pub fn result_text(name: &str, args: &[Size]) -> u64 {
    let size = |index: usize| args.get(index).copied().unwrap_or_default();
    let texts = args.iter().fold(0_u64, |sum, size| sum.saturating_add(size.text));
    match name {
        // An empty text stands between any two characters.
        "replace" => size(0).text.saturating_add((size(0).text + 1).saturating_mul(size(2).text)),
        "join" => size(0).weight.saturating_mul(64).saturating_add(size(0).length.saturating_mul(size(1).text)),
        "format" => {
            let items = size(1).weight.saturating_mul(128).saturating_add(size(1).length.saturating_mul(PLAIN));
            size(0).text.saturating_add(items)
        }
        JSON => size(0).weight.saturating_mul(64 * 6 + PLAIN),
        FINGERPRINT => 16,
        _ => texts.saturating_mul(3).saturating_add(PLAIN),
    }
}

/// The bound of a call's result for arguments with these bounds.
pub fn result(name: &str, args: &[Bound]) -> Bound {
    let sizes: Vec<Size> = args.iter().map(|bound| bound.size).collect();
    let first = || args.first().cloned().unwrap_or_else(Bound::scalar);
    match name {
        SIZE | "quantity" | "ip" | "cidr" => Bound::scalar(),
        "split" | "findAll" => Bound::list(first().size.text.saturating_add(2), Bound::text(first().size.text)),
        "lists.range" => Bound::list(ITEMS, Bound::scalar()),
        "sort" | "slice" | "distinct" | "reverse" => first(),
        "url" | "semver" => Bound::text(TEXT),
        _ if name.starts_with("math.") && takes_scalars(name) => Bound::scalar(),
        "getQuery" | "validate" | "flatten" | "first" | "last" | "sum" | "min" | "max" | "math.least"
        | "math.greatest" | "value" | "or" | "orValue" => Bound::unknown(),
        _ if name.starts_with("optional.") => Bound::unknown(),
        _ => Bound::text(result_text(name, &sizes)),
    }
}

/// All functions, ready to be called.
pub static CONTEXT: LazyLock<Context<'static>> = LazyLock::new(|| {
    let mut context = Context::default().with_all();
    context.add_function("matches", matches);
    context.add_function("find", find);
    context.add_function("findAll", find_all);
    context
});

/// A regular expression whose program and cache are bounded.
fn regex(name: &str, text: &str, pattern: &str) -> Result<Regex, ExecutionError> {
    let too_long =
        |what: &str, most: u64| Err(ExecutionError::function_error(name, format!("{what} than {most} bytes")));
    if count(pattern.len()) > PATTERN {
        return too_long("the regular expression is longer", PATTERN);
    }
    if count(text.len()) > MATCHED {
        return too_long("the text to match is longer", MATCHED);
    }
    let built = RegexBuilder::new(pattern).size_limit(PROGRAM).dfa_size_limit(PROGRAM).nest_limit(32).build();
    built.map_err(|error| ExecutionError::function_error(name, error))
}

#[allow(clippy::needless_pass_by_value, reason = "the form that the interpreter wants functions in")]
fn matches(This(text): This<Arc<String>>, pattern: Arc<String>) -> Result<Cel, ExecutionError> {
    Ok(Cel::Bool(regex("matches", &text, &pattern)?.is_match(&text)))
}

#[allow(clippy::needless_pass_by_value, reason = "the form that the interpreter wants functions in")]
fn find(This(text): This<Arc<String>>, pattern: Arc<String>) -> Result<Cel, ExecutionError> {
    let found = regex("find", &text, &pattern)?.find(&text).map(|found| found.as_str().to_owned());
    Ok(Cel::from(found.unwrap_or_default()))
}

#[allow(clippy::needless_pass_by_value, reason = "the form that the interpreter wants functions in")]
fn find_all(This(text): This<Arc<String>>, Arguments(args): Arguments) -> Result<Cel, ExecutionError> {
    let Some(Cel::String(pattern)) = args.first() else {
        return Err(ExecutionError::function_error("findAll", "a regular expression is missing"));
    };
    let most = match args.get(1) {
        Some(Cel::Int(most)) => usize::try_from(*most).unwrap_or(usize::MAX),
        _ => usize::MAX,
    };
    let regex = regex("findAll", &text, pattern)?;
    Ok(Cel::from(regex.find_iter(&text).take(most).map(|found| found.as_str()).collect::<Vec<_>>()))
}

/// The first 16 hexadecimal digits of the SHA-256 of the value as sorted JSON.
pub fn fingerprint(value: &Value) -> String {
    let digest = Sha256::digest(value.to_string().as_bytes());
    let first: u64 = digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte));
    format!("{first:016x}")
}

/// What keeps the function from being called with these: a result that would
/// be out of all proportion. Text that is joined and put in is text.
pub fn refused(name: &str, args: &[Cel]) -> Option<String> {
    let over = |length: u64, most: u64, what: &str| {
        (length > most).then(|| format!("{length} {what}, and at most {most} can be made"))
    };
    let length = count;
    match (name, args) {
        ("lists.range", [Cel::Int(to), ..]) => over(u64::try_from(*to).unwrap_or_default(), ITEMS, "items"),
        ("split", [Cel::String(text), Cel::String(by), ..]) => {
            over(length(text.matches(by.as_str()).count()).saturating_add(1), ITEMS, "items")
        }
        ("replace", [Cel::String(text), Cel::String(from), Cel::String(to), ..]) => {
            let times = length(text.matches(from.as_str()).count());
            over(length(text.len()).saturating_add(times.saturating_mul(length(to.len()))), 2 * TEXT, "bytes of text")
        }
        ("join", [Cel::List(items), ..]) => {
            let text = items.iter().all(|item| matches!(item, Cel::String(_)));
            (!text).then(|| "only texts can be joined: use string()".to_owned())
        }
        ("format", [Cel::String(form), Cel::List(items), ..]) => {
            let deep = |item: &Cel| matches!(item, Cel::List(_) | Cel::Map(_) | Cel::Opaque(_) | Cel::Bytes(_));
            if items.iter().any(deep) {
                return Some("only texts, numbers, booleans and times can be put in".to_owned());
            }
            let digits = |part: &str| part.bytes().take_while(u8::is_ascii_digit).count();
            let precise = form.split("%.").skip(1).any(|part| digits(part) > 2);
            precise.then(|| "a number has at most 99 digits after the point".to_owned())
        }
        _ => None,
    }
}
