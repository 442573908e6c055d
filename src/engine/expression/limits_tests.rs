//! No text takes more steps than it was counted with, and none is counted with
//! more than is allowed. Steps are counted, never time.

use proptest::prelude::*;
use serde_json::json;

use super::bounds::{Bound, ITEMS, STEPS, TEXT, TOGETHER, weight_of_json};
use super::*;

fn variables() -> Variables {
    Variables::named(&["list", "map", "text", "number", "deep"])
}

fn inputs() -> Value {
    let list: Vec<Value> = (0..ITEMS).map(|number| json!({"name": format!("n{number}"), "at": number})).collect();
    let map: serde_json::Map<String, Value> = (0..ITEMS).map(|key| (format!("k{key}"), json!([key]))).collect();
    let text = "ab".repeat(usize::try_from(TEXT / 2).unwrap());
    json!({"list": list, "map": map, "text": text, "number": 3, "deep": {"a": {"b": [[1, 2], [3]]}}})
}

fn numbers(most: u64) -> String {
    format!("[{}]", (0..most).map(|number| number.to_string()).collect::<Vec<_>>().join(","))
}

/// The steps that the text was counted with and those that it took, or why it
/// was refused; with what came of it.
fn steps(source: &str) -> Result<(u64, u64, Result<Value, ExpressionError>), ExpressionError> {
    let expression = Expression::compile(source, &variables())?;
    let scope = Scope::new(&inputs());
    let value = expression.evaluate(&scope);
    Ok((expression.cost(), scope.taken(), value))
}

fn nested(macro_: &str, range: &str, depth: usize, inner: &str) -> String {
    (0..depth).rev().fold(inner.to_owned(), |inner, level| format!("{range}.{macro_}(x{level}, {inner})"))
}

#[test]
fn loops_in_loops_are_refused_when_compiled() {
    let thirty = numbers(30);
    for source in [
        nested("all", &thirty, 5, "true"),
        nested("all", &numbers(10), 7, "true"),
        nested("exists", &numbers(10), 7, "false"),
        nested("exists_one", &numbers(10), 7, "false"),
        nested("map", &numbers(10), 7, "1"),
        nested("filter", &numbers(10), 7, "true"),
        nested("all", "list", 3, "true"),
        nested("all", "map", 3, "true"),
        nested("map", "list", 3, "[x0, x1, x2]"),
        nested("all", "lists.range(200)", 3, "true"),
        nested("all", "text.split('')", 3, "true"),
        nested("map", "(list + list)", 3, "1"),
        // Hidden in a condition, an argument, a key, an operand.
        format!("number > 9 ? {} : true", nested("all", &thirty, 5, "true")),
        format!("size({}) > 1", nested("map", &thirty, 5, "1")),
        format!("{{string({}): 1}}", nested("all", &thirty, 5, "true")),
        format!("false && {}", nested("all", &thirty, 5, "true")),
    ] {
        let refused = steps(&source).unwrap_err();
        let ExpressionError::TooCostly(cost, part) = &refused else { panic!("{source}: {refused}") };
        assert!(*cost > STEPS && part.contains("the loop with `x"), "{source}: {refused}");
    }
}

#[test]
fn functions_of_much_are_refused_when_compiled() {
    for source in [
        "list.all(x, text.matches('^(a+)+$'))",
        "list.all(x, list.all(y, text.contains('a')))",
        "sets.contains(list, list) && sets.contains(list, list)",
        "text.indexOf(text) == 0",
        "list.distinct().size() == 1",
    ] {
        let refused = steps(source).unwrap_err();
        assert!(matches!(refused, ExpressionError::TooCostly(..)), "{source}: {refused}");
    }
}

#[test]
fn what_grows_stops_at_its_limit() {
    let doubled = |part: &str| (0..20).fold(part.to_owned(), |text, _| format!("[{text}].map(x, x + x)[0]"));
    for source in [
        doubled("'0123456789abcdef'"),
        doubled("[1, 2]"),
        "text + text".to_owned(),
        "text.replace('a', 'abcdef')".to_owned(),
        "text.replace('', text)".to_owned(),
        "list.map(x, text).join()".to_owned(),
        "text.split('')".to_owned(),
        "list + list".to_owned(),
        "lists.range(9223372036854775807)".to_owned(),
        "lists.range(257)".to_owned(),
        "list.map(x, list.map(y, list))".to_owned(),
        "list.map(x, list)".to_owned(),
        "json(list.map(x, text))".to_owned(),
        "'%.65535f'.format([1.0])".to_owned(),
        "'%s'.format([list])".to_owned(),
        numbers(ITEMS + 1),
        (0..24).fold("'a'".to_owned(), |part, _| format!("[{part}].map(x, optional.of([x, x]))[0]")),
    ] {
        match steps(&source) {
            Ok((counted, taken, value)) => {
                assert!(taken <= counted && counted <= STEPS, "{source}: {taken} of {counted}");
                let small = value.as_ref().is_err() || value.as_ref().is_ok_and(|value| weight_of_json(value) < 1_000);
                assert!(small, "{source}");
            }
            Err(refused) => assert!(!refused.to_string().is_empty()),
        }
    }
}

#[test]
fn regular_expressions_are_bounded_in_what_they_become() {
    for source in [
        "'a'.matches('((((a{9}){9}){9}){9}){9}')",
        "'a'.matches('(\\\\w{99}){99}')",
        "'a'.find('((((a{9}){9}){9}){9}){9}')",
        "'a'.findAll('((((a{9}){9}){9}){9}){9}')",
        "text.matches('a')",
        "'a'.matches(text)",
    ] {
        let (counted, taken, value) = steps(source).unwrap();
        assert!(value.is_err() && taken <= counted, "{source}: {value:?}");
    }
    for (source, value) in [
        ("'abc-1'.matches('^[a-z]+-[0-9]{1,3}$')", json!(true)),
        ("'a'.matches('\\\\w')", json!(true)),
        ("'a1b22'.findAll('[0-9]+')", json!(["1", "22"])),
        ("'a1b22'.findAll('[0-9]+', 1)", json!(["1"])),
        ("'a1b22'.find('[0-9]+')", json!("1")),
    ] {
        assert_eq!(steps(source).unwrap().2, Ok(value), "{source}");
    }
}

#[test]
fn a_limit_is_not_taken_back_by_another_operand() {
    for source in ["true || text + text == ''", "text + text == '' || true", "!(text + text == '' && false)"] {
        let (_, _, value) = steps(source).unwrap();
        let stopped = matches!(value, Err(ExpressionError::TooLarge(_)));
        assert!(stopped || source.starts_with("true"), "{source}: {value:?}");
    }
    let (_, _, value) = steps("list.exists(x, text + text == '') || true").unwrap();
    assert!(matches!(value, Err(ExpressionError::TooLarge(_))), "{value:?}");
}

#[test]
fn what_comes_in_larger_than_counted_is_not_gone_through() {
    let long: Vec<u64> = (0..=ITEMS).collect();
    let inputs = json!({"list": long, "text": "a".repeat(usize::try_from(TEXT).unwrap() + 1)});
    for source in ["list.all(x, true)", "list + [1]", "1 in list", "text + 'a'", "text.contains('a')", "text < 'a'"] {
        let expression = Expression::compile(source, &variables()).unwrap();
        let value = expression.evaluate(&Scope::new(&inputs));
        assert!(value.as_ref().is_err_and(ExpressionError::is_limit), "{source}: {value:?}");
    }
    for source in ["list[3]", "size(list)", "size(text) > 1", "text == 'a'"] {
        let expression = Expression::compile(source, &variables()).unwrap();
        assert!(expression.evaluate(&Scope::new(&inputs)).is_ok(), "{source}");
    }
}

#[test]
fn steps_of_all_expressions_are_counted_together() {
    let expression = Expression::compile("list.all(x, list.all(y, true))", &variables()).unwrap();
    let scope = Scope::new(&inputs());
    let inner = scope.with(&[]);
    let error = (0..100).find_map(|_| expression.evaluate(&inner).err()).unwrap();
    assert_eq!(error, ExpressionError::OverBudget);
    assert_eq!(scope.taken(), TOGETHER);
}

#[test]
fn a_schema_makes_expressions_cheaper() {
    let schema = json!({"type": "object", "additionalProperties": false, "properties": {
        "few": {"type": "array", "maxItems": 8, "items": {"type": "string", "maxLength": 16}},
        "many": {"type": "array"}}});
    let known = variables().with("parameters", Bound::of_schema(&schema));
    let cost = |source: &str| Expression::compile(source, &known).map(|expression| expression.cost());
    let few = nested("all", "parameters.few", 4, "x0 == x1");
    assert!(cost(&few).is_ok_and(|cost| cost < 100_000), "{:?}", cost(&few));
    assert!(cost(&nested("all", "parameters.many", 4, "x0 == x1")).is_err());
    assert!(cost("sets.contains(parameters.few, parameters.few)").is_ok_and(|cost| cost < 1_000));
    assert!(known.exceeded(&json!({"parameters": {"few": vec!["a"; 8]}}), "").is_none());
    let fault = known.exceeded(&json!({"parameters": {"few": vec!["a"; 9]}}), "").unwrap();
    assert_eq!(fault.to_string(), "parameters.few: 9 items, and expressions work with at most 8");
}

/// Texts of anything: loops in loops, growth, every function, every variable.
#[allow(clippy::too_many_lines, reason = "a list of words")]
fn sources() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "list",
        "map",
        "text",
        "number",
        "deep",
        "deep.a.b",
        "x",
        "y",
        "1",
        "'a'",
        "''",
        "1.5",
        "true",
        "null",
        "[]",
        "{}",
        "[1,2,3]",
        "['a','b','a']",
        "{'a':1,'b':2}",
        "'1Gi'",
        "b'ab'",
        "list[0].name",
        "'%s%x%.2f'",
        "lists.range(99)",
        "'http://a/b?c=d'",
        "'10.0.0.0/8'",
        "'1.2.3'",
        "duration('1h')",
        "timestamp('2026-01-01T00:00:00Z')",
    ])
    .prop_map(str::to_owned);
    leaf.prop_recursive(6, 64, 3, |inner| {
        let (a, b) = (inner.clone(), inner.clone());
        let called = prop::sample::select(vec![
            "size",
            "json",
            "fingerprint",
            "string",
            "int",
            "double",
            "bytes",
            "quantity",
            "url",
            "semver",
            "ip",
            "cidr",
            "optional.of",
            "strings.quote",
            "base64.encode",
            "base64.decode",
            "lists.range",
            "math.abs",
            "max",
            "min",
        ]);
        let methods = prop::sample::select(vec![
            "contains",
            "startsWith",
            "replace",
            "split",
            "join",
            "indexOf",
            "lastIndexOf",
            "matches",
            "find",
            "findAll",
            "sort",
            "distinct",
            "flatten",
            "reverse",
            "sum",
            "first",
            "last",
            "isSorted",
            "slice",
            "substring",
            "charAt",
            "trim",
            "upperAscii",
            "format",
            "min",
            "orValue",
            "value",
            "compareTo",
            "getQuery",
            "getHost",
            "add",
        ]);
        let macros = prop::sample::select(vec!["all", "exists", "exists_one", "map", "filter"]);
        let operators = prop::sample::select(vec!["+", "-", "*", "==", "!=", "<", ">=", "&&", "||", "in", "/", "%"]);
        let name = prop::sample::select(vec!["x", "y"]);
        prop_oneof![
            (called, inner.clone()).prop_map(|(name, a)| format!("{name}({a})")),
            (inner.clone(), methods, prop::collection::vec(inner.clone(), 0..3))
                .prop_map(|(a, method, args)| format!("({a}).{method}({})", args.join(","))),
            (inner.clone(), macros, name, inner.clone())
                .prop_map(|(a, macro_, x, b)| format!("({a}).{macro_}({x}, {b})")),
            (a, operators, b).prop_map(|(a, operator, b)| format!("({a} {operator} {b})")),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("({a} ? {b} : {c})")),
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{{{a}: {b}}}")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("({a})[{b}]")),
        ]
    })
    // Loops that bind both names, so that most of what is in them is known.
    .prop_flat_map(|source| {
        prop::sample::select(vec!["", "[1]", "list", "map", "['ab', text]"]).prop_map(move |range| match range {
            "" => source.clone(),
            range => format!("{range}.map(x, {range}.map(y, {source}))"),
        })
    })
}

/// An expression that yields a text (0), a number (1), a boolean (2) or a list
/// of texts (3), by what the tape says at each turn.
fn typed(kind: u8, depth: u8, tape: &mut impl Iterator<Item = u8>) -> String {
    let turn = tape.next().unwrap_or(0);
    let loops = |tape: &mut _| (typed(3, depth - 1, tape), ["x", "y"][usize::from(turn / 16 % 2)]);
    let mut part = |kind: u8| typed(kind, depth - 1, tape);
    match (kind, if depth == 0 { 15 } else { turn % 16 }) {
        (0, 0 | 1) => format!("({} + {})", part(0), part(0)),
        (0, 2) => format!("{}.replace({}, {})", part(0), part(0), part(0)),
        (0, 3) => format!("{}.join({})", part(3), part(0)),
        (0, 4) => format!("'%s-%d'.format([{}, {}])", part(0), part(1)),
        (0, 5) => format!("json({})", part(3)),
        (0, 6) => format!("fingerprint({})", part(3)),
        (0, 7) => format!("string({})", part(1)),
        (0, 8) => format!("strings.quote({})", part(0)),
        (0, 9) => format!("{}[0]", part(3)),
        (1, 0..=4) => format!("size({})", part(turn % 2 * 3)),
        (1, 5) => format!("({} + {})", part(1), part(1)),
        (1, 6) => format!("{}.indexOf({})", part(0), part(0)),
        (2, 0 | 1) => format!("({} in {})", part(0), part(3)),
        (2, 2) => format!("({} == {})", part(3), part(3)),
        (2, 3) => format!("({} && {})", part(2), part(2)),
        (2, 4) => format!("{}.contains({})", part(0), part(0)),
        (2, 5) => format!("sets.contains({}, {})", part(3), part(3)),
        (2, 6) => format!("{}.matches('^(a|b)*[0-9]{{1,3}}$')", part(0)),
        (2, 7..=10) => {
            let (list, name) = loops(tape);
            let each = ["all", "exists", "exists_one"][usize::from(turn % 3)];
            format!("{list}.{each}({name}, {})", typed(2, depth - 1, tape))
        }
        (3, 0..=3) => {
            let (list, name) = loops(tape);
            format!("{list}.map({name}, {})", typed(0, depth - 1, tape))
        }
        (3, 4 | 5) => {
            let (list, name) = loops(tape);
            format!("{list}.filter({name}, {})", typed(2, depth - 1, tape))
        }
        (3, 6 | 7) => format!("({} + {})", part(3), part(3)),
        (3, 8) => format!("{}.split({})", part(0), part(0)),
        (3, 9) => format!("{}.{}()", part(3), ["sort", "distinct", "reverse"][usize::from(turn / 16 % 3)]),
        (3, 10) => format!("[{}, {}]", part(0), part(0)),
        (_, 11 | 12) => format!("({} ? {} : {})", part(2), part(kind), part(kind)),
        (0, _) => ["x", "y", "'a-b'", "text", "list[0].name", "''"][usize::from(turn / 16 % 6)].to_owned(),
        (1, _) => ["number", "1", "list[1].at"][usize::from(turn / 16 % 3)].to_owned(),
        (2, _) => ["true", "x == y", "number > 1"][usize::from(turn / 16 % 3)].to_owned(),
        (_, _) => {
            let lists = ["['a', 'bc']", "map.map(k, k)", "[x, y, 'a']", "list.map(l, l.name)", "[]", "[x]"];
            lists[usize::from(turn / 16 % 6)].to_owned()
        }
    }
}

fn well_typed() -> impl Strategy<Value = String> {
    (0_u8..4, 1_u8..6, prop::collection::vec(any::<u8>(), 64)).prop_map(|(kind, depth, tape)| {
        let mut tape = tape.into_iter();
        format!("['ab', 'c'].map(x, ['ab', 'd'].map(y, {}))", typed(kind, depth, &mut tape))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_text_takes_more_steps_than_counted(source in prop_oneof![sources(), well_typed()]) {
        if let Ok((counted, taken, value)) = steps(&source) {
            prop_assert!(counted <= STEPS, "{}", source);
            prop_assert!(taken <= counted, "{} of {}: {}", taken, counted, source);
            prop_assert!(value != Err(ExpressionError::OverBudget), "{}", source);
        }
    }

    #[test]
    fn what_a_text_yields_is_within_its_bound(source in prop_oneof![sources(), well_typed()]) {
        let Ok(expression) = Expression::compile(&source, &variables()) else { return Ok(()) };
        if let Ok(value) = expression.evaluate(&Scope::new(&inputs())) {
            prop_assert!(expression.bound().exceeded(&value).is_none(), "{}: {:?}", source, expression.bound().exceeded(&value));
            prop_assert!(weight_of_json(&value) <= expression.bound().size.weight, "{}", source);
        }
    }
}
