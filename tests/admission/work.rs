//! The namespaced kinds on a real API server: what it accepts, puts into
//! them, and lets become of them.

use super::*;

#[tokio::test]
async fn what_is_right_is_accepted() {
    let client = client().await;
    for case in samples::accepted() {
        let created = create(&client, &case.kind, &object(&case.kind, &case.name, &case.spec)).await;
        assert!(created.is_ok(), "{}: {created:?}", case.what);
        api(client.clone(), &case.kind).delete(&case.name, &DeleteParams::default()).await.unwrap();
    }
}

/// Puts `after` in the place of `before`, and says what the API server says.
async fn replaced(client: &Client, case: &samples::Changed, name: &str) -> kube::Result<DynamicObject> {
    let before = create(client, &case.kind, &object(&case.kind, name, &case.before)).await.unwrap();
    let mut after = object(&case.kind, name, &case.after);
    after.metadata.resource_version = before.resource_version();
    let api = api(client.clone(), &case.kind);
    let result = api.replace(name, &PostParams::default(), &after).await;
    api.delete(name, &DeleteParams::default()).await.unwrap();
    result
}

#[tokio::test]
async fn what_never_changes_does_not_and_the_rest_may() {
    let client = client().await;
    let mut wrong = Vec::new();
    for case in samples::changed() {
        let result = replaced(&client, &case, "changing").await;
        let Some(message) = &case.message else {
            if let Err(error) = result {
                wrong.push(format!("{}: {error}", case.what));
            }
            continue;
        };
        let text = complaint(result);
        if !text.contains(&case.field) || !text.contains(message) {
            wrong.push(format!("{}: expected {} {message}, found {text}", case.what, case.field));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn defaults_of_namespaced_kinds_are_few_and_no_nulls() {
    let client = client().await;
    let cases = [
        ("Component", json!({"image": "a", "owner": null}), json!({"image": "a", "size": "small"})),
        ("Dataset", json!({"uri": "s3://a"}), json!({"uri": "s3://a", "readOnly": false})),
        (
            "Dataset",
            json!({"volume": {"size": "1Gi"}}),
            json!({"volume": {"size": "1Gi", "accessMode": "ReadWriteMany"}, "readOnly": false}),
        ),
        (
            "Workbench",
            json!({"owner": "ana", "image": "a"}),
            json!({"owner": "ana", "image": "a", "size": "small", "storage": "10Gi", "reclaim": "Retain"}),
        ),
        (
            "Pipeline",
            json!({"steps": [{"component": "a"}]}),
            json!({"steps": [{"component": "a", "from": "Shared"}], "concurrency": "Forbid", "keep": 10, "retries": 0}),
        ),
        ("Run", json!({"pipeline": "a"}), json!({"pipeline": "a"})),
        (
            "ModelService",
            json!({"model": {"name": "a", "version": "1"}, "runtime": "mlflow"}),
            json!({"model": {"name": "a", "version": "1"}, "runtime": "mlflow", "size": "small", "replicas": {"min": 1}}),
        ),
    ];
    for (kind, spec, expected) in cases {
        let created = create(&client, kind, &object(kind, "defaults", &spec)).await.unwrap();
        assert_eq!(created.data["spec"], expected, "{kind}");
        api(client.clone(), kind).delete("defaults", &DeleteParams::default()).await.unwrap();
    }
}

#[tokio::test]
async fn a_run_may_be_named_by_the_api_server() {
    let client = client().await;
    let mut run = object("Run", "", &json!({"pipeline": "nightly"}));
    run.metadata.name = None;
    run.metadata.generate_name = Some("nightly-".to_owned());
    let created = create(&client, "Run", &run).await.unwrap();
    assert!(created.name_any().starts_with("nightly-"));
    api(client, "Run").delete(&created.name_any(), &DeleteParams::default()).await.unwrap();
}

#[tokio::test]
async fn the_largest_pipeline_is_checked_within_the_budget_of_rules() {
    let client = client().await;
    let names: Vec<String> = (0..20).map(|number| format!("{number:0>40}")).collect();
    let steps = names.iter().map(|name| {
        let others: Vec<&String> = names.iter().filter(|other| *other != name).collect();
        let inputs = others.iter().take(10).enumerate();
        let inputs: Vec<Value> =
            inputs.map(|(number, step)| json!({"name": format!("a{number}"), "step": step, "output": "a"})).collect();
        json!({"name": name, "component": "a", "after": others, "inputs": inputs})
    });
    let steps: Vec<Value> = steps.collect();
    let created = create(&client, "Pipeline", &object("Pipeline", "largest", &json!({"steps": steps}))).await;
    assert!(created.is_ok(), "{created:?}");
    api(client, "Pipeline").delete("largest", &DeleteParams::default()).await.unwrap();
}
