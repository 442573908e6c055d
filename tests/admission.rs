//! The definitions of the kinds on a real API server: that it takes them, what
//! it refuses and how it says so, and what it puts into a new object.

#[path = "admission/explain.rs"]
mod explain;
mod samples;
#[path = "admission/schedules.rs"]
mod schedules;
#[path = "admission/tables.rs"]
mod tables;
#[path = "admission/work.rs"]
mod work;

use std::fmt::Debug;
use std::path::PathBuf;

use harness::{ControlPlane, Options};
use kube::api::{Api, DeleteParams, DynamicObject, PostParams};
use kube::core::{ApiResource, GroupVersionKind, Request};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use strata::api::crd::definitions;
use strata::api::work::WorkKind;
use strata::cli::manifest::documents;
use tokio::sync::OnceCell;

static PLANE: OnceCell<ControlPlane> = OnceCell::const_new();

/// An API server with the definitions, and a client for the calling test.
async fn client() -> Client {
    let plane = PLANE.get_or_init(start).await;
    plane.admin().await.unwrap()
}

async fn start() -> ControlPlane {
    let plane = ControlPlane::start(Options::default()).await.unwrap();
    for definition in definitions() {
        plane.apply(&definition.to_string()).await.unwrap();
    }
    let wait = ["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"];
    plane.kubectl(wait).await.unwrap();
    plane
}

/// The kind's name in URLs.
fn plural(kind: &str) -> String {
    WorkKind::of(kind).map_or_else(|| format!("{}s", kind.to_lowercase()), |kind| kind.plural().to_owned())
}

/// The objects of the kind, those of members in `default`.
fn api(client: Client, kind: &str) -> Api<DynamicObject> {
    let resource = ApiResource::from_gvk_with_plural(
        &GroupVersionKind::gvk("strata-operator.dev", "v1alpha1", kind),
        &plural(kind),
    );
    if WorkKind::of(kind).is_some() {
        Api::namespaced_with(client, "default", &resource)
    } else {
        Api::all_with(client, &resource)
    }
}

fn object(kind: &str, name: &str, spec: &Value) -> DynamicObject {
    serde_json::from_value(samples::object(kind, name, spec)).unwrap()
}

/// Creates an object, as strictly as `kubectl`: an unknown field is an error.
async fn create(client: &Client, kind: &str, object: &DynamicObject) -> kube::Result<DynamicObject> {
    let place = object.metadata.namespace.as_deref().unwrap_or("default");
    let namespace = if WorkKind::of(kind).is_some() { format!("namespaces/{place}/") } else { String::new() };
    let path = format!("/apis/strata-operator.dev/v1alpha1/{namespace}{}", plural(kind));
    let body = serde_json::to_vec(object).unwrap();
    let mut request = Request::new(path).create(&PostParams::default(), body).unwrap();
    *request.uri_mut() = format!("{}&fieldValidation=Strict", request.uri()).parse().unwrap();
    client.request(request).await
}

/// What the API server says against it.
fn complaint<K: Debug>(result: kube::Result<K>) -> String {
    match result {
        Err(kube::Error::Api(status)) => status.message.clone(),
        other => format!("{other:?}"),
    }
}

#[tokio::test]
async fn the_definitions_are_structural() {
    client().await;
    let plane = PLANE.get().unwrap();
    let found = plane.kubectl(["get", "crd", "-o", "json"]).await.unwrap();
    let found: Value = serde_json::from_str(&found).unwrap();
    let definitions = found["items"].as_array().unwrap();
    assert_eq!(definitions.len(), 9);
    for definition in definitions {
        let conditions = definition["status"]["conditions"].as_array().unwrap();
        let is = |type_: &str| {
            conditions.iter().find(|condition| condition["type"] == type_).map(|condition| condition["status"].clone())
        };
        assert_eq!(is("Established"), Some(json!("True")), "{definition}");
        assert_eq!(is("NonStructuralSchema"), None, "{definition}");
    }
}

#[tokio::test]
async fn what_is_wrong_is_refused_with_field_and_rule() {
    let client = client().await;
    let mut wrong = Vec::new();
    for case in samples::refused() {
        let object = object(&case.kind, &case.name, &case.spec);
        let text = complaint(create(&client, &case.kind, &object).await);
        if !case.is_reported_by(&text) {
            wrong.push(format!("{}: expected {} {:?}, found {text}", case.what, case.field, case.message));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn one_mistake_is_reported_once() {
    let client = client().await;
    let amounts = |amount: &str| json!({"budget": {"requests": {"memory": amount}, "limits": {"memory": "1Gi"}}});
    let share = json!({
        "budget": {"requests": {"memory": "1Gi"}},
        "projects": [{"name": "p", "workspace": {"share": {"requests": {"memory": "16g"}}}}],
    });
    for (kind, spec) in [
        ("AITeam", amounts("16g")),
        ("AITeam", amounts("-1")),
        ("AITeam", amounts("1e9")),
        ("AITeam", share),
        (
            "Blueprint",
            json!({"budget": {"default": {"requests": {"storage": "16g"}}, "maximum": {"requests": {"storage": "1Gi"}}}}),
        ),
        ("Workbench", json!({"owner": "ana", "image": "scipy", "storage": "16g"})),
        ("Dataset", json!({"volume": {"size": "-1"}})),
    ] {
        let text = complaint(create(&client, kind, &object(kind, "told-once", &spec)).await);
        assert!(text.contains("an amount is a number without a sign"), "{text}");
        assert_eq!(text.matches("Invalid value").count(), 1, "{text}");
    }
}

#[tokio::test]
async fn a_fraction_that_is_no_text_is_told_once() {
    let client = client().await;
    let spec = json!({"budget": {"requests": {"cpu": 0.5}}});
    let text = complaint(create(&client, "AITeam", &object("AITeam", "told-once", &spec)).await);
    // The server adds that it checked no rules.
    assert_eq!(text.matches("spec.budget.requests.cpu: Invalid value").count(), 1, "{text}");
    assert!(text.contains("must be of type integer,string"), "{text}");
}

#[tokio::test]
async fn every_example_is_accepted() {
    let client = client().await;
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let files = [root.join("deploy/examples"), root.join("blueprints"), root.join("engines")];
    for document in documents(&files).unwrap_or_else(|errors| panic!("{errors:?}")) {
        let kind = document.text("/kind").unwrap().to_owned();
        let object: DynamicObject = serde_json::from_value(document.value.clone()).unwrap();
        if let Some(namespace) = &object.metadata.namespace {
            let namespace = format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {namespace}}}}}");
            PLANE.get().unwrap().apply(&namespace).await.unwrap();
        }
        let created = create(&client, &kind, &object).await;
        assert!(created.is_ok(), "{}: {created:?}", document.place());
    }
}

#[tokio::test]
async fn nobody_takes_a_new_object_for_ready() {
    let client = client().await;
    let specs = [
        ("AITeam", json!({})),
        ("Blueprint", json!({})),
        ("Engine", json!({"capabilities": ["Data"], "revision": "1"})),
        ("Component", json!({"image": "scipy"})),
        ("Dataset", json!({"uri": "s3://a"})),
        ("Workbench", json!({"owner": "ana", "image": "scipy"})),
        ("Pipeline", json!({"steps": [{"component": "a"}]})),
        ("Run", json!({"pipeline": "a"})),
        ("ModelService", json!({"model": {"name": "a", "version": "1"}, "runtime": "mlflow"})),
    ];
    for (kind, spec) in specs {
        let mut object = object(kind, "fresh", &spec);
        // Whoever creates it cannot say more than the operator knows.
        object.data["status"] = json!({"observedGeneration": 1, "conditions": []});
        let api = api(client.clone(), kind);
        let created = create(&client, kind, &object).await.unwrap();
        assert_eq!(created.data["status"], json!({"observedGeneration": -1}), "{kind}");
        assert_eq!(created.metadata.generation, Some(1));
        let read = api.get(&created.name_any()).await.unwrap();
        assert_eq!(read.data["status"], json!({"observedGeneration": -1}), "{kind}");
        api.delete("fresh", &DeleteParams::default()).await.unwrap();
    }
}

#[tokio::test]
async fn defaults_are_few_and_no_nulls() {
    let client = client().await;
    let spec = json!({"backbone": {}, "projects": [{"name": "p", "purpose": null, "workspace": {}}]});
    let created = create(&client, "AITeam", &object("AITeam", "defaults", &spec)).await.unwrap();
    let expected = json!({
        "type": "Applied", "blueprint": "default", "deletionPolicy": "Retain",
        "backbone": {}, "projects": [{"name": "p", "priority": "Normal", "workspace": {"weight": 1}}],
    });
    assert_eq!(created.data["spec"], expected);
    api(client, "AITeam").delete("defaults", &DeleteParams::default()).await.unwrap();
}
