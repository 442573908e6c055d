//! Blocks of a team without braces: `templates/admission/blocks.yaml`. It spares
//! nobody, so cluster-admin tries.

use serde_json::{Value, json};
use strata::api::team::blocks;
use tokio::sync::RwLock;

use crate::attempt::Actor;
use crate::stage::{BLOCKS, stage};

const ALL: &str = "/apis/strata-operator.dev/v1alpha1/aiteams";

/// Whoever needs the policy in force reads; whoever takes it away for a while writes.
static IN_FORCE: RwLock<()> = RwLock::const_new(());

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

fn team(name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "strata-operator.dev/v1alpha1", "kind": "AITeam", "metadata": {"name": name}, "spec": spec})
}

fn at(name: &str) -> String {
    format!("{ALL}/{name}")
}

/// A spec with a value in the place of the block.
fn with(block: &str, value: &Value) -> Value {
    match block.split('.').collect::<Vec<_>>()[..] {
        [_, layer] => json!({layer: value}),
        [_, "projects[]", name] => json!({"projects": [
            {"name": "before", "purpose": "said \"live\":null, and \\\"live\":null"},
            {"name": "p", name: value, "members": [{"role": "MLEngineer", "users": ["ana"]}]},
        ]}),
        [_, layer, name] => json!({layer: {"egress": [], "images": [], name: value}}),
        _ => panic!("{block}"),
    }
    .as_object()
    .map(|spec| spec.iter().map(|(key, value)| (key.clone(), without(key, value))).collect())
    .expect("a spec")
}

/// Fields that only one of both layers has.
fn without(layer: &str, value: &Value) -> Value {
    let mut value = value.clone();
    if let Some(fields) = value.as_object_mut() {
        fields.remove(if layer == "shared" { "egress" } else { "images" });
    }
    value
}

/// What a refusal says of a block that is null in the object itself.
fn says(block: &str) -> String {
    let name = block.rsplit('.').next().unwrap_or_default();
    format!(
        "{} is null, which removes what the block asks for. Write `{name}: {{}}`, or remove the key",
        block.replace("[]", "[p]")
    )
}

/// As `kubectl apply` leaves it behind: compact, with sorted keys.
fn applied(of: &Value) -> Value {
    json!({"metadata": {"annotations": {LAST_APPLIED: format!("{of}\n")}}})
}

#[tokio::test]
async fn a_block_without_braces_is_refused_however_it_is_sent() {
    let _guard = IN_FORCE.read().await;
    let admin = stage().await.admin().await;
    admin.post(ALL, team("braces", &json!({}))).await.passes();
    for block in blocks::BLOCKS {
        let (null, yes) = (team("braces", &with(block, &Value::Null)), team("braces", &with(block, &json!({}))));
        let expected = &says(block);
        let new = |object: &Value| {
            let mut object = object.clone();
            object["metadata"]["name"] = "braces-new".into();
            object
        };
        let dry = &format!("{ALL}?dryRun=All");
        admin.post(dry, new(&null)).await.refused_by(BLOCKS, expected);
        admin.post(dry, new(&yes)).await.passes();
        admin
            .apply(&at("braces-applied"), {
                let mut object = null.clone();
                object["metadata"]["name"] = "braces-applied".into();
                object
            })
            .await
            .refused_by(BLOCKS, expected);
        admin.apply(&at("braces"), null.clone()).await.refused_by(BLOCKS, expected);
        admin.apply(&at("braces"), yes.clone()).await.passes();
        let mut whole = admin.get(&at("braces")).await.passes();
        whole["spec"] = null["spec"].clone();
        admin.put(&at("braces"), whole.clone()).await.refused_by(BLOCKS, expected);
        // What `kubectl apply` sends of it: the block removed, and what was applied.
        let mut patch = applied(&null);
        patch["spec"] = with(block, &Value::Null);
        let expected = &format!("{block} is null, which removes");
        admin.patch(&at("braces"), patch).await.refused_by(BLOCKS, expected);
        admin.patch(&at("braces"), applied(&yes)).await.passes();
        // Removed for good, by whatever patch.
        admin.patch(&at("braces"), json!({"spec": {"shared": null, "backbone": null, "projects": []}})).await.passes();
    }
}

#[tokio::test]
async fn kubectl_is_refused_too() {
    let _guard = IN_FORCE.read().await;
    let stage = stage().await;
    let kubectl = async |how: &[&str], of: &Value| {
        let args = how.iter().copied().chain(["--filename=-"]);
        stage.plane().kubectl_with(args, Some(&of.to_string())).await.map_err(|error| error.to_string())
    };
    let with = |live: Value| {
        team("kubectl-null", &json!({"projects": [{"name": "o", "live": {}}, {"name": "p", "live": live}]}))
    };
    kubectl(&["apply"], &with(json!({}))).await.expect("applied");
    for how in [&["apply"][..], &["apply", "--server-side", "--force-conflicts"], &["replace"]] {
        let refused = kubectl(how, &with(Value::Null)).await.expect_err("refused");
        assert!(
            refused.contains(".live is null, which removes") && refused.contains("Write `live: {}`"),
            "{how:?}: {refused}"
        );
    }
    // Without the key it is meant.
    kubectl(&["apply"], &team("kubectl-null", &json!({"projects": [{"name": "p"}]}))).await.expect("applied");
}

#[tokio::test]
async fn the_same_words_elsewhere_are_no_block() {
    let _guard = IN_FORCE.read().await;
    let admin = stage().await.admin().await;
    let spec = json!({
        "description": r#""live":null, {"live":null} \"live":null"#,
        "backbone": {"delivery": {"parameters": {
            "shared": null, "live": null, "list": [{"live": null}], "deep": {"projects": [{"live": null}], "shared": {"models": null}},
            "text": "\"spec\":{\"shared\":null}", "brackets": "}]}{[",
        }}},
        "projects": [{"name": "p", "live": {}, "share": {"live": null}, "purpose": "\"live\":null"}],
        "shared": {
            "experiments": {"parameters": {"live": null, "models": null, "shared": {"training": null}}, "storage": null},
            "share": null,
        },
    });
    let mut object = team("words", &spec);
    object["metadata"]["annotations"] = json!({"note": "\"spec\":{\"shared\":null}"});
    object["metadata"]["creationTimestamp"] = Value::Null;
    object["status"] = json!({"live": null, "shared": null});
    let mut first = team("words", &json!({"shared": {"experiments": {}}}));
    first["metadata"]["annotations"] = json!({LAST_APPLIED: object.to_string()});
    admin.post(ALL, first).await.passes();
    admin.patch(&at("words"), applied(&object)).await.passes();
    // With all that around it, a block is found.
    for (pointer, says) in [
        ("/spec/shared/models", "spec.shared.models is null"),
        ("/spec/projects/0/live", "spec.projects[].live is null"),
        ("/spec/shared", "spec.shared is null"),
    ] {
        let mut object = object.clone();
        match object.pointer_mut(pointer) {
            Some(value) => *value = Value::Null,
            None => object["spec"]["shared"]["models"] = Value::Null,
        }
        admin.patch(&at("words"), applied(&object)).await.refused_by(BLOCKS, says);
    }
}

#[tokio::test]
async fn what_was_null_before_is_let_through() {
    let _guard = IN_FORCE.write().await;
    let stage = stage().await;
    let admin = stage.admin().await;
    let old = team("was-null", &json!({"projects": [{"name": "p"}, {"name": "q"}]}));
    admin.post(ALL, old).await.passes();
    let text = team("was-null", &json!({"projects": [{"name": "p", "live": null}]}));
    // From before there was a policy.
    let mut whole = admin.get(&at("was-null")).await.passes();
    whole["spec"]["projects"] = json!([{"name": "p", "live": null}, {"name": "q"}]);
    whole["metadata"]["annotations"] = applied(&text)["metadata"]["annotations"].clone();
    unguarded(&admin, &whole).await;
    let one = admin.get(&at("was-null")).await.passes();
    assert!(one["spec"]["projects"][0].as_object().is_some_and(|project| project.contains_key("live")), "{one}");
    admin.patch(&at("was-null"), json!({"spec": {"description": "new"}})).await.passes();
    let operator = stage.operator().await;
    operator
        .patch(&at("was-null"), json!({"metadata": {"finalizers": ["strata-operator.dev/teardown"]}}))
        .await
        .passes();
    operator.patch(&at("was-null"), json!({"metadata": {"finalizers": null}})).await.passes();
    let mut worse = admin.get(&at("was-null")).await.passes();
    worse["spec"]["projects"][1]["live"] = Value::Null;
    admin.put(&at("was-null"), worse).await.refused_by(BLOCKS, "spec.projects[q].live is null");
}

/// Replaces the team while the policy's binding is away, and waits until that is back.
async fn unguarded(admin: &Actor, whole: &Value) {
    let binding = format!("/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/{BLOCKS}");
    let mut before = admin.get(&binding).await.passes();
    admin.delete(&binding).await.passes();
    harness::wait::until("the policy does not hold", 60, async || {
        let answer = admin.put(&at("was-null"), whole.clone()).await;
        if answer.went_through() { Ok(()) } else { Err(format!("{answer:?}")) }
    })
    .await
    .expect("unguarded");
    before["metadata"] = json!({"name": BLOCKS});
    let (all, _) = binding.rsplit_once('/').expect("a path");
    admin.post(all, before).await.passes();
    harness::wait::until("the policy holds", 60, async || {
        let probe = team("probe", &json!({"shared": null}));
        let answer = admin.post(&format!("{ALL}?dryRun=All"), probe).await;
        if answer.by(BLOCKS) { Ok(()) } else { Err(format!("{answer:?}")) }
    })
    .await
    .expect("guarded");
}
