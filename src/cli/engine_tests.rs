//! What `strata engine check` and `strata engine roles` say of files.

use super::*;

fn document(number: usize, text: &str) -> Document {
    let value = serde_saphyr::from_str(text).unwrap();
    Document { file: "kueue.yaml".to_owned(), number, value }
}

fn engine(name: &str, spec: &str) -> Document {
    let text =
        format!("{{apiVersion: strata-operator.dev/v1alpha1, kind: Engine, metadata: {{name: {name}}}, spec: {spec}}}");
    document(1, &text)
}

const MAP: &str = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {A: VALUE}}";

#[test]
fn the_engines_that_come_along_are_sound() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("engines");
    let answer = check(&crate::cli::manifest::documents(&[folder]).unwrap());
    assert_eq!(answer.problems, Vec::<String>::new());
    assert!(answer.text.contains("mlflow.yaml, document 1 (Engine mlflow) is sound\n"), "{}", answer.text);
}

#[test]
fn every_problem_is_reported_with_file_and_path() {
    let template = |value: &str| MAP.replace("VALUE", value);
    let spec = format!(
        "{{capabilities: [Data], revision: '1', objects: [{{id: a, template: {}}}, {{id: b, template: {}}}], \
         ready: [{{when: objects.c.x == 1, message: m}}], failing: [{{when: 'true', reason: R, message: '${{1 +}}'}}], \
         connections: {{A_B: '${{nobody.knows}}'}}}}",
        template("'${1 +}'"),
        template("'${team.}'"),
    );
    let answer = check(&[engine("bad", &spec)]);
    let places = [
        "objects[0].template.data.A: ",
        "objects[1].template.data.A: ",
        "ready[0].when: no object has the id `c`",
        "failing[0].message: ",
        "connections.A_B: ",
    ];
    assert_eq!(answer.problems.len(), places.len(), "{:#?}", answer.problems);
    for (problem, place) in answer.problems.iter().zip(places) {
        let whole = format!("kueue.yaml, document 1 (Engine bad): spec.{place}");
        assert!(problem.starts_with(&whole), "{problem} does not begin with {whole}");
    }
    assert_eq!(answer.text, "");
}

#[test]
fn costly_expression_is_refused_in_every_place() {
    let thirty = (0..30).map(|number| number.to_string()).collect::<Vec<_>>().join(", ");
    let all = |inner: String, level: i32| format!("[{thirty}].all(x{level}, {inner})");
    let dear = (0..5).rev().fold("true".to_owned(), all);
    let object = |more: &str, value: &str| format!("{{id: a, template: {}{more}}}", MAP.replace("VALUE", value));
    let with = |rest: &str| format!("{{capabilities: [Data], revision: '1', {rest}}}");
    for (place, spec) in [
        ("objects[0].when", with(&format!("objects: [{}]", object(&format!(", when: '{dear}'"), "b")))),
        ("objects[0].forEach", with(&format!("objects: [{}]", object(&format!(", forEach: '[{dear}]'"), "b")))),
        ("objects[0].template.data.A", with(&format!("objects: [{}]", object("", &format!("'${{{dear}}}'"))))),
        ("ready[0].when", with(&format!("ready: [{{when: '{dear}', message: m}}]"))),
        ("ready[0].message", with(&format!("ready: [{{when: 'true', message: 'x ${{{dear}}}'}}]"))),
        ("failing[0].when", with(&format!("failing: [{{when: '{dear}', reason: Invalid, message: m}}]"))),
        ("failing[0].message", with(&format!("failing: [{{when: 'true', reason: Invalid, message: '${{{dear}}}'}}]"))),
        ("endpoint", with(&format!("endpoint: 'http://${{{dear}}}'"))),
        ("connections.A_B", with(&format!("connections: {{A_B: '${{{dear}}}'}}"))),
    ] {
        let answer = check(&[engine("dear", &spec)]);
        let says = format!("spec.{place}: the expression may take ");
        assert!(answer.problems.len() == 1 && answer.problems[0].contains(&says), "{place}: {:#?}", answer.problems);
        assert!(answer.problems[0].contains("the loop with `x1` goes through up to 30 items"), "{:?}", answer.problems);
        let read = engine("dear", &spec);
        let spec: EngineSpec = serde_json::from_value(read.value["spec"].clone()).unwrap();
        assert!(CompiledEngine::compile("dear", &spec.into()).is_err(), "{place}");
    }
}

#[test]
fn objects_that_cost_too_much_together_are_refused() {
    let loops = "${item.all(x, item.all(y, x == y))}";
    let spec = format!(
        "{{capabilities: [Data], revision: '1', objects: [{{id: a, forEach: parameters.lists, template: {}}}], \
         parameters: {{properties: {{lists: {{type: array, items: {{type: array, items: {{type: integer}}}}}}}}}}}}",
        MAP.replace("name: a", "'name': 'a-${index}'").replace("VALUE", &format!("'{loops}'"))
    );
    let answer = check(&[engine("dear", &spec)]);
    let says = "spec.objects[0]: the objects may take ";
    assert!(answer.problems.len() == 1 && answer.problems[0].contains(says), "{:#?}", answer.problems);
}

#[test]
fn connections_that_cost_too_much_together_are_refused() {
    let loops = "${string(parameters.list.all(x, parameters.list.all(y, x == y)))}";
    let connections = |count: i32| (0..count).map(|n| format!("A_{n}: '{loops}'")).collect::<Vec<_>>().join(", ");
    let spec = |count| {
        format!(
            "{{capabilities: [Data], revision: '1', connections: {{{}}}, \
             parameters: {{properties: {{list: {{type: array, items: {{type: integer}}}}}}}}}}",
            connections(count)
        )
    };
    assert!(check(&[engine("cheap", &spec(1))]).problems.is_empty());
    let answer = check(&[engine("dear", &spec(32))]);
    let says = "spec.connections: the connections, the endpoint and the egress may take ";
    assert!(answer.problems.len() == 1 && answer.problems[0].contains(says), "{:#?}", answer.problems);
}

#[test]
fn a_problem_of_the_whole_engine_is_reported_too() {
    let template = MAP.replace("VALUE", "b");
    let spec = format!(
        "{{capabilities: [Data], revision: '1', objects: [{{id: a, template: {}}}]}}",
        template.replace("apiVersion: v1, kind: ConfigMap", "apiVersion: example.com/v1, kind: Thing")
    );
    let answer = check(&[engine("bad", &spec)]);
    let says = "spec.objects[0].template.kind: Thing of example.com must be named under `requires`";
    assert!(answer.problems.len() == 1 && answer.problems[0].ends_with(says), "{:?}", answer.problems);
}

#[test]
fn refusals_are_reported_and_the_rest_is_still_checked() {
    let good = engine("good", "{capabilities: [Data], revision: '1'}");
    let answer = check(&[engine("bad", "{capabilities: [Flight], revision: '1'}"), good.clone()]);
    assert_eq!(answer.problems.len(), 1, "{:?}", answer.problems);
    assert!(answer.problems[0].contains("spec.capabilities[0]: \"Flight\" is not one of"), "{:?}", answer.problems);
    assert_eq!(answer.text, "kueue.yaml, document 1 (Engine good) is sound\n");
    let twice = check(&[good.clone(), good]);
    assert!(twice.problems[0].contains("Remove one of the two"), "{:?}", twice.problems);
}

#[test]
fn files_without_engines_are_a_mistake() {
    let other = document(2, "{apiVersion: v1, kind: ConfigMap, metadata: {name: x}}");
    for answer in [check(std::slice::from_ref(&other)), roles(std::slice::from_ref(&other))] {
        assert_eq!(answer.problems, ["the files have no Engine"]);
        assert_eq!(answer.warnings, ["kueue.yaml, document 2 (ConfigMap x) is skipped: only Engines are read here"]);
    }
}

#[test]
fn roles_are_named_and_collected_by_layer_and_level() {
    let rule = "{apiGroups: [kueue.x-k8s.io], resources: [localqueues], verbs: [get, list]}";
    let spec = format!(
        "{{capabilities: [Queue, Training, Models], revision: '1', rights: {{people: {{view: [{rule}], own: [{rule}]}}, \
         operator: [{{apiGroups: [kueue.x-k8s.io], resources: [clusterqueues], resourceNames: [a], verbs: [patch]}}]}}}}"
    );
    let answer = roles(&[engine("kueue", &spec)]);
    assert_eq!((&answer.problems, &answer.warnings), (&vec![], &vec![]));
    let names: Vec<&str> = answer.text.lines().filter_map(|line| line.strip_prefix("  name: ")).collect();
    assert_eq!(
        names,
        [
            "strata:part:kueue:backbone:view",
            "strata:part:kueue:backbone:own",
            "strata:part:kueue:shared:view",
            "strata:part:kueue:shared:own",
            "strata:part:kueue:operator",
        ]
    );
    let first = answer.text.split("---\n").nth(1).unwrap();
    assert_eq!(
        serde_saphyr::from_str::<Value>(first).unwrap(),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": {
                "name": "strata:part:kueue:backbone:view",
                "labels": {"rbac.strata-operator.dev/aggregate-to-backbone-view": "true"},
            },
            "rules": [{"apiGroups": ["kueue.x-k8s.io"], "resources": ["localqueues"], "verbs": ["get", "list"]}],
        })
    );
    let last: Value = serde_saphyr::from_str(answer.text.split("---\n").last().unwrap()).unwrap();
    assert_eq!(last["metadata"]["labels"], json!({"rbac.strata-operator.dev/aggregate-to-operator": "true"}));
    assert_eq!(last["rules"][0]["resourceNames"], json!(["a"]));
}

#[test]
fn an_engine_without_rights_is_said_to_ask_for_none() {
    let answer = roles(&[engine("plain", "{capabilities: [Serving, Notebook], revision: '1'}")]);
    assert_eq!(answer.text, "");
    assert_eq!(
        answer.warnings,
        ["kueue.yaml, document 1 (Engine plain) asks for no rights: there is nothing to apply"]
    );
    let work =
        "{capabilities: [Data], revision: '1', rights: {work: [{apiGroups: [''], resources: [pods], verbs: [get]}]}}";
    assert!(roles(&[engine("work", work)]).warnings.iter().any(|warning| warning.contains("spec.rights.work")));
}
