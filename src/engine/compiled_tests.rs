//! Engines written for the purpose: what is refused, what comes out, and what
//! the live objects say.
#![allow(clippy::needless_pass_by_value, reason = "the values are written where they are passed")]

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn engine(spec: Value) -> Result<CompiledEngine, EngineError> {
    let mut full = json!({"capabilities": ["Data"], "revision": "1"});
    full.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    CompiledEngine::compile("test", &Arc::new(serde_json::from_value(full).unwrap()))
}

fn object(id: &str, template: Value) -> Value {
    let mut full = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": id}});
    full.as_object_mut().unwrap().extend(template.as_object().unwrap().clone());
    json!({"id": id, "template": full})
}

fn with(mut object: Value, more: Value) -> Value {
    object.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    object
}

fn inputs() -> Value {
    json!({
        "team": {"name": "fraud", "type": "Applied", "description": null, "contact": null,
                 "namespaces": {"backbone": "fraud--backbone", "shared": "fraud--shared"}},
        "project": null, "namespace": "fraud--shared", "layer": "Shared", "capabilities": ["Data"],
        "parameters": {}, "storage": null, "credentials": null, "blueprint": {},
        "namespaces": [{"name": "fraud--a", "layer": "Workspace", "project": "a"},
                       {"name": "fraud--a--live", "layer": "Live", "project": "a"}],
        "repository": null
    })
}

fn refused(spec: Value) -> (String, String) {
    let error = engine(spec).expect_err("refused");
    assert_eq!(error.engine, "test");
    (error.path, error.message)
}

#[test]
fn a_broken_file_is_refused_with_its_path() {
    for (objects, path) in [
        (json!([object("a", json!({"data": {"x": "${teem.name}"}}))]), "objects[0].template.data.x"),
        (
            json!([object("a", json!({})), object("b", json!({"spec": {"replicas": "${1 +}"}}))]),
            "objects[1].template.spec.replicas",
        ),
        (json!([object("a", json!({})), object("a", json!({}))]), "objects[1].id"),
        (json!([object("a", json!({"kind": "Secret"}))]), "objects[0].template.kind"),
        (json!([object("a", json!({"kind": "${team.name}"}))]), "objects[0].template.kind"),
        (
            json!([object("a", json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding"}))]),
            "objects[0].template.kind",
        ),
        (json!([object("a", json!({"metadata": {}}))]), "objects[0].template.metadata.name"),
        (
            json!([object("a", json!({"metadata": {"name": "a", "namespace": "b"}}))]),
            "objects[0].template.metadata.namespace",
        ),
        (
            json!([object("a", json!({"metadata": {"name": "a", "finalizers": ["b"]}}))]),
            "objects[0].template.metadata.finalizers",
        ),
        (json!([object("a", json!({"metadata": {"name": "strata-quota"}}))]), "objects[0].template.metadata.name"),
        (json!([object("a", json!({"metadata": {"name": "connections"}}))]), "objects[0].template.metadata.name"),
        (
            json!([
                with(object("a", json!({})), json!({"when": "parameters"})),
                with(object("b", json!({})), json!({"when": "item"}))
            ]),
            "objects[1].when",
        ),
        (json!([with(object("a", json!({})), json!({"forEach": "item"}))]), "objects[0].forEach"),
        (json!([with(object("a", json!({})), json!({"placement": {}}))]), "objects[0].placement"),
        (
            json!([with(object("a", json!({})), json!({"placement": {"namespace": "argocd"}}))]),
            "objects[0].template.metadata.name",
        ),
        (
            json!([object(
                "a",
                json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": {"spec": {"containers": [{}]}}}})
            )]),
            "objects[0].template.spec.template.spec.containers[0].securityContext.allowPrivilegeEscalation",
        ),
        (json!([with(object("a", json!({})), json!({"ownedWhole": true}))]), "objects[0].ownedWhole"),
        (json!([object("a", json!({"apiVersion": "example.com/v1", "kind": "Thing"}))]), "objects[0].template.kind"),
    ] {
        assert_eq!(refused(json!({"objects": objects})).0, path, "{objects}");
    }
}

#[test]
fn broken_engine_parts_are_refused_with_their_path() {
    for (spec, path) in [
        (json!({"ready": [{"when": "objects.nothing.status.ok", "message": "m"}]}), "ready[0].when"),
        (json!({"ready": [{"when": "true", "message": "${x}"}]}), "ready[0].message"),
        (json!({"failing": [{"when": "size(", "reason": "Bad", "message": "m"}]}), "failing[0].when"),
        (json!({"endpoint": "http://${host}"}), "endpoint"),
        (json!({"connections": {"A": "${objects}"}}), "connections.A"),
        (json!({"connections": {"a b": "x"}}), "connections[\"a b\"]"),
        (json!({"parameters": {"properties": {"a": {"type": "nonsense"}}}}), "parameters.properties.a.type"),
    ] {
        assert_eq!(refused(spec.clone()).0, path, "{spec}");
    }
    let own = json!({
        "requires": [{"group": "example.com", "kind": "Thing", "versions": ["v1"]}],
        "objects": [object("thing", json!({"apiVersion": "example.com/v1", "kind": "Thing"}))]
    });
    assert!(refused(own.clone()).1.contains("Add one under `ready`"));
    assert!(engine(with(own, json!({"ready": [{"when": "objects.thing.status.ok", "message": "m"}]}))).is_ok());
}

#[test]
fn objects_are_placed_repeated_and_left_out() {
    let engine = engine(json!({
        "requires": [{"group": "example.com", "kind": "Thing", "versions": ["v1"]}],
        "ready": [{"when": "objects.thing.status.ok", "message": "m"}],
        "objects": [
            with(object("each", json!({"metadata": {"name": "x-${item.project}-${index}"}, "data": {"layer": "${item.layer}"}})),
                 json!({"forEach": "namespaces", "when": "item.layer == 'Workspace'"})),
            with(object("never", json!({})), json!({"when": "${project != null}"})),
            with(object("thing", json!({"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "${team.name}--x"}})),
                 json!({"placement": {"cluster": true}, "ownedWhole": true})),
            with(object("there", json!({"metadata": {"name": "${team.name}"}})), json!({"placement": {"namespace": "argocd"}})),
        ]
    }))
    .unwrap();
    let rendered = engine.render(&inputs()).unwrap();
    let summary: Vec<_> = rendered
        .iter()
        .map(|object| (object.id.as_str(), object.index, object.object["metadata"].clone(), object.place.clone()))
        .collect();
    assert_eq!(
        summary,
        [
            ("each", Some(0), json!({"name": "x-a-0", "namespace": "fraud--shared"}), Place::Layer),
            (
                "thing",
                None,
                json!({"name": "fraud--x", "annotations": {"strata-operator.dev/owned-whole": "true"}}),
                Place::Cluster,
            ),
            ("there", None, json!({"name": "fraud", "namespace": "argocd"}), Place::Namespace("argocd".to_owned())),
        ]
    );
    assert_eq!(rendered[0].object["data"]["layer"], "Workspace");
}

#[test]
fn what_only_rendering_tells_is_refused_there() {
    let of = |template: Value, more: Value| engine(json!({"objects": [with(object("a", template), more)]})).unwrap();
    for (engine, path) in [
        (of(json!({"metadata": {"name": "strata-${team.name}"}}), json!({})), "objects[0].template.metadata.name"),
        (of(json!({"metadata": {"name": "${project}"}}), json!({})), "objects[0].template.metadata.name"),
        (of(json!({"metadata": {"name": "x${project}"}}), json!({})), "objects[0].template.metadata.name"),
        (
            of(json!({"metadata": {"name": "${'fraudulent'}"}}), json!({"placement": {"namespace": "argocd"}})),
            "objects[0].template.metadata.name",
        ),
        (of(json!({}), json!({"when": "team.name"})), "objects[0].when"),
        (of(json!({}), json!({"forEach": "team"})), "objects[0].forEach"),
        (of(json!({}), json!({"forEach": "lists.range(300)"})), "objects[0].forEach"),
        (of(json!({}), json!({"forEach": "[1, 2]"})), "objects"),
        (of(json!({"data": {"a": "${parameters.nothing}"}}), json!({})), "objects[0].template.data.a"),
        (
            of(json!({"apiVersion": "v1", "kind": "Pod", "spec": {"hostNetwork": "${true}"}}), json!({})),
            "objects[0].template.spec.hostNetwork",
        ),
    ] {
        assert_eq!(engine.render(&inputs()).unwrap_err().path, path);
    }
}

#[test]
fn a_verdict_puts_failing_before_waiting_before_ready() {
    let engine = engine(json!({
        "objects": [object("one", json!({"kind": "PersistentVolumeClaim"})), with(object("two", json!({})), json!({"forEach": "[1]"}))],
        "ready": [{"when": "objects.two[0].data.ok == 'yes'", "message": "waits for ${objects.two[0].metadata.name}"}],
        "failing": [{"when": "objects.two[0].data.ok == 'no'", "reason": "SaidNo", "message": "${namespace} said no"}]
    }))
    .unwrap();
    let judge = |one: Value, two: Value| engine.judge(&with(inputs(), json!({"objects": {"one": one, "two": [two]}})));
    let bound = json!({"metadata": {"name": "one"}, "status": {"phase": "Bound"}});
    let two = |ok: &str| json!({"metadata": {"name": "two"}, "data": {"ok": ok}});
    assert_eq!(judge(bound.clone(), two("yes")), Verdict::Ready);
    assert_eq!(judge(bound.clone(), two("maybe")), Verdict::waiting("waits for two"));
    assert_eq!(judge(bound.clone(), two("no")), Verdict::failing("SaidNo", "fraud--shared said no"));
    assert_eq!(judge(bound.clone(), Value::Null), Verdict::waiting("ConfigMap (two) does not exist yet"));
    assert_eq!(judge(bound, json!({"metadata": {"name": "two"}})), Verdict::waiting("waits for two"));
    let pending = json!({"metadata": {"name": "one"}, "status": {"phase": "Pending"}});
    assert_eq!(judge(pending, two("yes")), Verdict::waiting("PersistentVolumeClaim one is not bound to a volume yet"));
    let lost = json!({"metadata": {"name": "one"}, "status": {"phase": "Lost"}});
    assert!(matches!(judge(lost, Value::Null), Verdict::Failing { .. }));
    let leaving =
        json!({"metadata": {"name": "two", "deletionTimestamp": "2026-01-01T00:00:00Z"}, "data": {"ok": "yes"}});
    let bound = json!({"metadata": {"name": "one"}, "status": {"phase": "Bound"}});
    assert_eq!(judge(bound, leaving), Verdict::waiting("ConfigMap two is being deleted"));
}

#[test]
fn live_objects_are_put_together_by_id() {
    let engine = engine(json!({"objects": [
        object("one", json!({})), with(object("two", json!({"metadata": {"name": "two-${index}"}})), json!({"forEach": "[1, 2]"})),
        with(object("three", json!({})), json!({"when": "false"}))
    ]}))
    .unwrap();
    let rendered = engine.render(&inputs()).unwrap();
    let objects = objects_input(&rendered, |object| (object.index == Some(1)).then(|| json!({"live": true})));
    assert_eq!(objects, json!({"one": null, "two": [null, {"live": true}]}));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_file_and_no_inputs_panic(name in any::<String>(), when in "[a-z.(){}'\\[\\]=! ]{0,16}", text in any::<String>(), layer in any::<Option<i32>>()) {
        let spec = json!({
            "objects": [with(object("a", json!({"metadata": {"name": name}, "data": {"x": text}})), json!({"when": when}))],
            "ready": [{"when": when, "message": text}], "endpoint": text
        });
        if let Ok(engine) = engine(spec) {
            for inputs in [inputs(), json!({"layer": layer}), json!(null), json!([1])] {
                let _ = engine.render(&inputs);
                let _ = engine.endpoint(&inputs);
                let _ = engine.judge(&inputs);
            }
        }
    }
}

#[test]
fn inputs_larger_than_counted_are_refused_before_evaluation() {
    let schema = json!({"properties": {"hosts": {"type": "array", "maxItems": 3}, "text": {"type": "string"}}});
    let engine = engine(json!({"parameters": schema, "objects": [object("a", json!({"data": {"a": "${1 / 0}"}}))],
        "endpoint": "${1 / 0}", "connections": {"A": "${1 / 0}"}}))
    .unwrap();
    let long = "a".repeat(40_000);
    for (parameters, says) in [
        (json!({"hosts": [1, 2, 3, 4]}), "parameters.hosts: 4 items, and expressions work with at most 3"),
        (json!({"text": long}), "parameters.text: 40000 bytes of text, and expressions work with at most 32768"),
    ] {
        let inputs = with(inputs(), json!({"parameters": parameters}));
        for error in [
            engine.render(&inputs).unwrap_err(),
            engine.endpoint(&inputs).unwrap_err(),
            engine.connections(&inputs).unwrap_err(),
        ] {
            assert_eq!(error.to_string(), format!("engine test: {says}"));
        }
    }
    assert_eq!(engine.parameters_valid(&json!({"text": long})).len(), 1);
    let default = json!({"parameters": {"properties": {"list": {"type": "array", "default": vec![1; 300]}}}});
    assert_eq!(refused(default).0, "parameters.list");
    assert!(engine.parameters_valid(&json!({"hosts": [1, 2, 3], "text": "a"})).is_empty());
}

#[test]
fn rules_say_so_if_live_objects_are_larger_than_counted() {
    let engine = engine(json!({
        "requires": [{"group": "example.com", "kind": "Thing", "versions": ["v1"]}],
        "objects": [object("thing", json!({"apiVersion": "example.com/v1", "kind": "Thing"}))],
        "ready": [{"when": "objects.thing.status.parts.all(part, part.ready)", "message": "parts are not ready"}]
    }))
    .unwrap();
    let judged = |parts: usize| {
        let part = json!({"ready": true, "log": "x".repeat(100)});
        let objects = json!({"thing": {"status": {"parts": vec![part; parts]}}});
        engine.judge(&with(inputs(), json!({"objects": objects})))
    };
    assert_eq!(judged(256), Verdict::Ready);
    let Verdict::Failing { reason, message } = judged(257) else { panic!("{:?}", judged(257)) };
    assert_eq!(reason, "EngineFailing");
    assert!(message.contains("'parts are not ready'") && message.contains("257 entries"), "{message}");
}

#[test]
fn what_is_rendered_is_bounded_in_all() {
    let text = "x".repeat(30_000);
    let engine = engine(json!({"objects": [with(
        object("a", json!({"metadata": {"name": "a-${index}"}, "data": {"a": "${parameters.text}", "b": "${json(parameters.text)}", "c": "x${parameters.text}"}})),
        json!({"forEach": "lists.range(256)"}))], "parameters": {"properties": {"text": {"type": "string"}}}}))
    .unwrap();
    let inputs = |text: &str| with(inputs(), json!({"parameters": {"text": text}}));
    assert_eq!(engine.render(&inputs("a")).unwrap().len(), 256);
    let error = engine.render(&inputs(&text)).map(|objects| objects.len()).unwrap_err();
    assert!(error.message.contains("larger than 262144 values"), "{error}");
}

#[test]
fn the_text_of_all_expressions_together_is_bounded() {
    let many = |count: usize| {
        let data: Map<String, Value> = (0..count).map(|key| (format!("k{key}"), json!("${1}"))).collect();
        engine(json!({"objects": [object("a", json!({"data": data}))]}))
    };
    assert!(many(2_000).is_ok());
    let error = many(2_100).unwrap_err();
    assert!(error.message.contains("all expressions together"), "{error}");
}
