//! Results and refusals of expressions; none of them panics.

use proptest::prelude::*;
use serde_json::json;

use super::parse::DEPTH;
use super::*;

const NAMES: &[&str] = &["team", "project", "list", "count", "objects"];

fn inputs() -> Value {
    json!({"team": {"name": "fraud", "z": 1, "a": 2, "m": 3, "b": 4}, "project": null, "list": [3, 1, 2],
           "count": 2, "objects": {"server": {"status": {}}}})
}

fn evaluate(source: &str) -> Result<Value, ExpressionError> {
    Expression::compile(source, &Variables::named(NAMES))?.evaluate(&Scope::new(&inputs()))
}

#[test]
fn values_keep_their_types() {
    for (source, value) in [
        ("count + 1", json!(3)),
        ("count > 1", json!(true)),
        ("team.name + '--shared'", json!("fraud--shared")),
        ("list.filter(n, n > 1).map(n, {'n': n})", json!([{"n": 3}, {"n": 2}])),
        ("project == null ? 'none' : project.name", json!("none")),
        ("has(team.name) && !has(team.nothing)", json!(true)),
        ("has(project.name)", json!(false)),
        ("quantity('1Gi').isLessThan(quantity('2Gi'))", json!(true)),
        ("'a-b'.replace('-', '_')", json!("a_b")),
        ("base64.encode(bytes('a'))", json!("YQ==")),
        ("lists.range(2)", json!([0, 1])),
        ("[[1], [2]].map(x, x.map(y, y + count))", json!([[3], [4]])),
        ("1.5", json!(1.5)),
        ("null", json!(null)),
    ] {
        assert_eq!(evaluate(source), Ok(value), "{source}");
    }
}

#[test]
fn a_comprehension_over_a_map_is_ordered() {
    for _ in 0..32 {
        assert_eq!(evaluate("team.map(key, key)"), Ok(json!(["a", "b", "m", "name", "z"])));
    }
}

#[test]
fn a_field_of_what_is_no_map_is_an_error() {
    assert!(matches!(evaluate("project.name"), Err(ExpressionError::Failed(_))));
    assert!(matches!(evaluate("team.name.first"), Err(ExpressionError::Failed(_))));
    assert_eq!(evaluate("team.nothing"), Err(ExpressionError::Failed("the value has no `nothing`".to_owned())));
}

#[test]
fn forbidden_variables_are_refused_when_compiled() {
    for (source, error) in [
        ("teams.name", ExpressionError::UnknownVariable("teams".to_owned())),
        ("list.map(n, m)", ExpressionError::UnknownVariable("m".to_owned())),
        ("[n, list.map(n, n)]", ExpressionError::UnknownVariable("n".to_owned())),
        ("team.name.shout()", ExpressionError::UnknownFunction("shout".to_owned())),
        ("env('HOME')", ExpressionError::UnknownFunction("env".to_owned())),
        ("Pod{name: 'a'}", ExpressionError::Unsupported("a message literal")),
    ] {
        assert_eq!(evaluate(source).unwrap_err(), error, "{source}");
    }
    for source in ["", "1 +", "'a", "a b", "${x}", "}", "has(1)", "[1].map(1, 2)"] {
        assert!(Expression::compile(source, &Variables::named(NAMES)).is_err(), "{source}");
    }
    assert_eq!(
        Expression::compile(&"a".repeat(EXPRESSION + 1), &Variables::named(NAMES)).unwrap_err(),
        ExpressionError::TooLong
    );
}

#[test]
fn nesting_is_bounded_before_the_stack_is() {
    let deep = |open: &str, middle: &str, close: &str| {
        let times = (EXPRESSION - middle.len()) / (open.len() + close.len());
        format!("{}{middle}{}", open.repeat(times), close.repeat(times))
    };
    for source in [
        deep("(", "1", ")"),
        deep("[", "1", "]"),
        deep("1+", "1", ""),
        deep("!", "true", ""),
        deep("-", "1", ""),
        deep("true?", "1", ":1"),
        deep("", "team", ".a"),
        deep("true||", "true", ""),
        deep("list.map(x,", "1", ")"),
        deep("{", "", ""),
        deep("((", "", ""),
    ] {
        // Whether it is refused or not: it returns.
        let _ = evaluate(&source);
    }
    let allowed = format!("{}1{}", "[".repeat(DEPTH), "]".repeat(DEPTH));
    assert!(evaluate(&allowed).is_ok());
    let chain = format!("1{}", "+1".repeat(DEPTH));
    assert_eq!(evaluate(&chain), Ok(json!(DEPTH + 1)));
}

#[test]
fn failures_are_reported_in_words() {
    for source in ["1 / 0", "'a' + 1", "list[9]", "count.name", "9223372036854775807 + 1", "[1] < 2", "{1: 2}", "b'a'"]
    {
        let error = evaluate(source).unwrap_err().to_string();
        assert!(!error.is_empty() && error.len() < 300, "{source}: {error}");
    }
}

#[test]
fn literal_fields_of_a_variable_are_known() {
    let source = "objects.server.status.ready && has(objects.claim) && objects['job'] != null";
    let expression = Expression::compile(source, &Variables::named(NAMES)).unwrap();
    assert_eq!(expression.fields_of("objects").into_iter().collect::<Vec<_>>(), ["claim", "job", "server"]);
}

#[test]
fn a_fingerprint_depends_on_the_value_alone() {
    let first = evaluate("fingerprint(team)").unwrap();
    assert_eq!(evaluate("fingerprint(team)").unwrap(), first);
    assert_eq!(first.as_str().unwrap().len(), 16);
    assert_ne!(evaluate("fingerprint(list)").unwrap(), first);
}

#[test]
fn expressions_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Expression>();
    shared::<crate::engine::CompiledEngine>();
    shared::<crate::engine::Catalogue>();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_text_panics(source in any::<String>()) {
        let _ = evaluate(&source);
    }

    #[test]
    fn no_arrangement_of_words_panics(words in prop::collection::vec(prop::sample::select(vec![
        "team", "project", "list", "count", "x", ".", "name", "[", "]", "(", ")", "{", "}", ":", ",", "?", "+", "-", "*",
        "/", "%", "==", "<", "&&", "||", "!", "in", "has(", "list.map(x,", "list.filter(x,", ".all(x,", ".exists_one(x,",
        "'a'", "1", "-1", "1u", "1.5", "9223372036854775807", "true", "null", "b'a'", "size(", "string(", "int(",
        "duration('1h')", "timestamp('2026-01-01T00:00:00Z')", "quantity('1Gi')", ".split(','", ".substring(1",
        "fingerprint(", "optional.of(", "base64.decode(", ".format([", "'%s'", "ip('::1')", "url('http://a')",
    ]), 0..12)) {
        let _ = evaluate(&words.concat());
        let _ = evaluate(&words.join(" "));
    }
}
