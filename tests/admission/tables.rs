//! What `kubectl get` and `kubectl explain` show.

use kube::api::{Patch, PatchParams};

use super::*;

/// The names of the columns.
fn columns(table: &str) -> Vec<&str> {
    table.lines().next().unwrap_or_default().split_whitespace().collect()
}

#[tokio::test]
async fn the_plain_table_tells_where_to_look() {
    let client = client().await;
    create(&client, "AITeam", &object("AITeam", "columns", &json!({}))).await.unwrap();
    let plane = PLANE.get().unwrap();
    let table = plane.kubectl(["get", "ait", "columns"]).await.unwrap();
    assert_eq!(
        columns(&table),
        ["NAME", "READY", "TYPE", "PROJECTS", "PRODUCTION", "FAILING", "SINCE", "AGE", "MESSAGE"]
    );
    let everything = plane.kubectl(["get", "ai", "-o", "name"]).await.unwrap();
    assert!(everything.contains("aiteam.strata-operator.dev/columns"), "{everything}");
    api(client, "AITeam").delete("columns", &DeleteParams::default()).await.unwrap();
}

/// An object of each namespaced kind with a status, and the line of the plain
/// table that is made of it, less its age.
fn rows() -> Vec<(WorkKind, Value, Value, &'static str, &'static str)> {
    let ready = json!([{"type": "Ready", "status": "True", "reason": "Ready", "message": "all is well",
                        "lastTransitionTime": "2026-01-01T00:00:00Z"}]);
    vec![
        (
            WorkKind::Component,
            json!({"image": "scipy", "owner": "ana@example.com"}),
            json!({"conditions": ready}),
            "NAME READY IMAGE SIZE OWNER AGE",
            "row True scipy small ana@example.com",
        ),
        (
            WorkKind::Dataset,
            json!({"volume": {"size": "10Gi"}}),
            json!({"conditions": ready}),
            "NAME READY ADDRESS VOLUME AGE",
            "row True 10Gi",
        ),
        (
            WorkKind::Workbench,
            json!({"owner": "ana@example.com", "image": "scipy", "size": "large"}),
            json!({"conditions": ready, "state": "Stopped"}),
            "NAME READY STATE IMAGE SIZE OWNER AGE",
            "row True Stopped scipy large ana@example.com",
        ),
        (
            WorkKind::Pipeline,
            json!({"steps": [{"component": "a"}, {"component": "b"}], "schedule": "@daily"}),
            json!({"conditions": ready, "steps": ["a", "b"],
                   "last": {"job": "j", "state": "Failed", "lastTransitionTime": "2026-01-01T00:00:00Z"}}),
            "NAME READY SCHEDULE LAST AGE",
            "row True @daily Failed",
        ),
        (
            WorkKind::Run,
            json!({"pipeline": "nightly"}),
            json!({"conditions": ready, "state": "Failed", "step": "train", "duration": "1h2m3s"}),
            "NAME READY PIPELINE STATE STEP DURATION AGE",
            "row True nightly Failed train 1h2m3s",
        ),
        (
            WorkKind::ModelService,
            json!({"model": {"name": "score", "alias": "champion"}, "runtime": "mlflow"}),
            json!({"conditions": ready, "wanted": "champion (7)", "serving": "6", "replicas": 2, "readyReplicas": 1,
                   "endpoint": "http://row.default.svc:8080"}),
            "NAME READY WANTED SERVING REPLICAS AVAILABLE ENDPOINT AGE",
            "row True champion (7) 6 2 1 http://row.default.svc:8080",
        ),
    ]
}

#[tokio::test]
async fn tables_of_namespaced_kinds_answer_the_obvious_question() {
    let client = client().await;
    let plane = PLANE.get().unwrap();
    for (kind, spec, status, head, line) in rows() {
        create(&client, kind.name(), &object(kind.name(), "row", &spec)).await.unwrap();
        let api = api(client.clone(), kind.name());
        let patch = Patch::Merge(json!({"status": status}));
        api.patch_status("row", &PatchParams::default(), &patch).await.unwrap();
        let table = plane.kubectl(["get", kind.plural(), "row"]).await.unwrap();
        assert_eq!(columns(&table).join(" "), head, "{kind}");
        let row = table.lines().nth(1).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(row.rsplit_once(' ').unwrap().0, line, "{kind}");
        let wide = plane.kubectl(["get", kind.plural(), "row", "-o", "wide"]).await.unwrap();
        assert!(columns(&wide).ends_with(&["MESSAGE"]) && wide.trim_end().ends_with("all is well"), "{wide}");
    }
    let everything = plane.kubectl(["get", "ai", "-A", "-o", "name"]).await.unwrap();
    for (kind, ..) in rows() {
        let name = format!("{}.strata-operator.dev/row", kind.name().to_lowercase());
        assert!(everything.contains(&name), "{name} is not in {everything}");
        api(client.clone(), kind.name()).delete("row", &DeleteParams::default()).await.unwrap();
    }
}

#[tokio::test]
async fn objects_are_found_by_what_they_name() {
    let client = client().await;
    let plane = PLANE.get().unwrap();
    let of = |owner: &str| json!({"owner": owner, "image": "scipy"});
    let model = |name: &str| json!({"model": {"name": name, "version": "1"}, "runtime": "mlflow"});
    for (kind, plural, field, specs) in [
        ("Workbench", "workbenches", "spec.owner=mia@example.com", [of("mia@example.com"), of("bo@example.com")]),
        ("Component", "components", "spec.owner=mia@example.com", [of("mia@example.com"), json!({"image": "scipy"})]),
        ("Run", "runs", "spec.pipeline=nightly", [json!({"pipeline": "nightly"}), json!({"pipeline": "daily"})]),
        ("ModelService", "modelservices", "spec.model.name=fraud", [model("fraud"), model("churn")]),
        ("AITeam", "aiteams", "spec.blueprint=of-its-own", [json!({"blueprint": "of-its-own"}), json!({})]),
    ] {
        for (name, spec) in ["found", "other"].iter().zip(specs) {
            create(&client, kind, &object(kind, name, &spec)).await.unwrap();
        }
        let found = plane.kubectl(["get", plural, "--field-selector", field, "-o", "name"]).await.unwrap();
        let name = format!("{}.strata-operator.dev/found", kind.to_lowercase());
        assert_eq!(found.trim(), name, "{field}");
        for name in ["found", "other"] {
            api(client.clone(), kind).delete(name, &DeleteParams::default()).await.unwrap();
        }
    }
}

#[tokio::test]
async fn what_the_words_of_a_field_mean_is_explained() {
    client().await;
    let plane = PLANE.get().unwrap();
    let text = plane.kubectl(["explain", "wb.spec.reclaim"]).await.unwrap();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("Retain: It stays, and is taken back"), "{text}");
    let text = plane.kubectl(["explain", "ms"]).await.unwrap();
    assert!(text.contains("A model in production"), "{text}");
}
