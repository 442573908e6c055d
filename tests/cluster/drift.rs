//! What somebody changed, took away, added or deleted is back as it was, in every
//! kind that guards a team, and what others put beside it stays.

use std::time::{Duration, Instant};

use harness::wait;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::actor::path;
use crate::spec::everything;
use crate::stage::stage;
use crate::team::{Team, condition};

/// A repair is promised within two seconds; a machine with much else to do gets more.
const PROMISE: u64 = 5;

/// When nothing more is expected.
const LIMIT: u64 = 15;

/// One change by somebody who may override guardrails.
pub enum Change {
    /// A merge patch: changes, adds, removes.
    Merge(Value),
    /// A JSON patch, for items of lists.
    Patch(Value),
    /// The whole object goes.
    Delete,
}

/// The team that all of these drift from. Each test takes objects of its own.
async fn team() -> Team {
    static READY: OnceCell<()> = OnceCell::const_new();
    let team = Team::named(stage().await, "drift").await;
    READY.get_or_init(|| async { drop(Team::ready(team.stage, "drift", everything()).await) }).await;
    team
}

/// What is Strata's in an object: all but what the server and others keep there.
pub fn ours(object: &Value) -> Value {
    let mut object = object.clone();
    let metadata = object["metadata"].clone();
    let kept = |part: &str| -> Value {
        let all = metadata[part].as_object().into_iter().flatten();
        let kept = all.filter(|(key, _)| {
            key.contains("strata-operator.dev/")
                || key.starts_with("pod-security")
                || key.as_str() == "app.kubernetes.io/managed-by"
        });
        kept.map(|(key, value)| (key.clone(), value.clone())).collect::<serde_json::Map<_, _>>().into()
    };
    object["metadata"] = json!({"labels": kept("labels"), "annotations": kept("annotations")});
    // The server's own: usage, and what an account or a service was given.
    for place in ["/status", "/secrets", "/spec/clusterIP", "/spec/clusterIPs"] {
        if let Some(field) = object.pointer_mut(place) {
            *field = Value::Null;
        }
    }
    object
}

impl Change {
    /// Makes the change, and sees it undone. Prints how long that took.
    async fn is_undone(&self, team: &Team, what: &str, path: &str) {
        let before = team.admin.get(path).await.unwrap_or_else(|refused| panic!("{what}: {refused:?}"));
        let changed = match self {
            Self::Merge(change) => team.admin.merge(path, change).await,
            Self::Patch(operations) => team.admin.patch(path, operations).await,
            Self::Delete => team.admin.delete(path).await,
        };
        let begun = Instant::now();
        let changed = changed.unwrap_or_else(|refused| panic!("{what}: {refused:?}"));
        if !matches!(self, Self::Delete) {
            assert_ne!(ours(&changed), ours(&before), "{what}: nothing was changed");
        }
        let waited =
            wait::until(format!("{what} ({path}) is undone"), LIMIT, async || match team.admin.find(path).await {
                Some(now) if matches!(self, Self::Delete) && now["metadata"]["uid"] == before["metadata"]["uid"] => {
                    Err("it is not deleted yet".to_owned())
                }
                Some(now) if ours(&now) == ours(&before) => Ok(()),
                seen => Err(format!("{:?}", seen.as_ref().map(ours))),
            });
        waited.await.unwrap_or_else(|error| panic!("{error}"));
        let taken = begun.elapsed();
        println!("measured: {what}: undone in {} ms", taken.as_millis());
        assert!(taken < Duration::from_secs(PROMISE), "{what}: undone only after {taken:?}");
    }
}

/// Every change in turn: each object has rounds enough before it is contested.
pub async fn are_undone(team: &Team, path: &str, changes: Vec<(&str, Change)>) {
    for (what, change) in changes {
        change.is_undone(team, what, path).await;
    }
}

#[tokio::test]
async fn bindings() {
    let team = team().await;
    let at = team.object("RoleBinding", "first", "strata-data-scientist-contribute");
    let intruder = json!({"kind": "User", "name": "eve@example.com", "apiGroup": "rbac.authorization.k8s.io"});
    let added = json!([{"op": "add", "path": "/subjects/-", "value": intruder}]);
    let changes = vec![
        ("an added subject", Change::Patch(added)),
        (
            "a changed subject",
            Change::Patch(json!([{"op": "replace", "path": "/subjects/0/name", "value": "eve@example.com"}])),
        ),
        ("removed subjects", Change::Merge(json!({"subjects": null}))),
        (
            "a stripped label of a binding",
            Change::Merge(json!({"metadata": {"labels": {"strata-operator.dev/team": null}}})),
        ),
    ];
    are_undone(&team, &at, changes).await;
    let at = team.object("RoleBinding", "second", "strata-data-scientist-contribute");
    are_undone(&team, &at, vec![("a deleted binding", Change::Delete)]).await;
}

#[tokio::test]
async fn a_binding_to_another_role_is_made_anew() {
    let team = team().await;
    let at = team.object("RoleBinding", "first--live", "strata-ml-engineer-own");
    let before = team.admin.get(&at).await.expect("the binding");
    team.admin.delete(&at).await.expect("deleted");
    let mut wrong = before.clone();
    wrong["metadata"] = json!({"name": before["metadata"]["name"], "namespace": before["metadata"]["namespace"], "labels": before["metadata"]["labels"]});
    wrong["roleRef"]["name"] = json!("strata:live:view");
    // The operator is as quick to put its own back: then there is nothing to undo.
    let taken = team.admin.create(&wrong).await;
    println!("a binding to another role: {}", if taken.is_ok() { "made" } else { "the operator was first" });
    team.until_there(&at, |now| now["roleRef"] == before["roleRef"] && now["subjects"] == before["subjects"]).await;
}

#[tokio::test]
async fn network_policies() {
    let team = team().await;
    let at = team.object("NetworkPolicy", "first", "strata-default-deny");
    let changes = vec![
        ("an added way out", Change::Merge(json!({"spec": {"egress": [{}]}}))),
        ("an added way in", Change::Merge(json!({"spec": {"ingress": [{}]}}))),
        ("a removed direction", Change::Merge(json!({"spec": {"policyTypes": ["Ingress"]}}))),
        (
            "a stripped label of a policy",
            Change::Merge(json!({"metadata": {"labels": {"strata-operator.dev/team": null}}})),
        ),
    ];
    are_undone(&team, &at, changes).await;
    let at = team.object("NetworkPolicy", "first", "strata-dns");
    are_undone(&team, &at, vec![("a deleted policy", Change::Delete)]).await;
    let at = team.object("NetworkPolicy", "first", "strata-within");
    let narrowed = json!({"spec": {"podSelector": {"matchLabels": {"none": "at-all"}}}});
    are_undone(&team, &at, vec![("a narrowed selector", Change::Merge(narrowed))]).await;
}

#[tokio::test]
async fn quotas_and_limits() {
    let team = team().await;
    let at = team.object("ResourceQuota", "first", "strata-quota");
    let changes = vec![
        ("a raised quota", Change::Merge(json!({"spec": {"hard": {"requests.cpu": "4k"}}}))),
        ("a removed quota key", Change::Merge(json!({"spec": {"hard": {"pods": null}}}))),
        ("an added quota key", Change::Merge(json!({"spec": {"hard": {"count/leases.coordination.k8s.io": "0"}}}))),
        (
            "a stripped label of a quota",
            Change::Merge(json!({"metadata": {"labels": {"strata-operator.dev/team": null}}})),
        ),
    ];
    are_undone(&team, &at, changes).await;
    let at = team.object("ResourceQuota", "second", "strata-quota");
    are_undone(&team, &at, vec![("a deleted quota", Change::Delete)]).await;
    let at = team.object("LimitRange", "first", "strata-limits");
    let changes = vec![
        (
            "a changed default",
            Change::Patch(json!([{"op": "add", "path": "/spec/limits/0/defaultRequest/cpu", "value": "7"}])),
        ),
        ("an added limit", Change::Patch(json!([{"op": "add", "path": "/spec/limits/0/max", "value": {"cpu": "4k"}}]))),
        ("removed limits", Change::Patch(json!([{"op": "remove", "path": "/spec/limits/0"}]))),
        ("a deleted limit range", Change::Delete),
    ];
    are_undone(&team, &at, changes).await;
}

#[tokio::test]
async fn settings_and_the_record() {
    let team = team().await;
    let at = team.object("ConfigMap", "first", "connections");
    let changes = vec![
        ("an added key", Change::Merge(json!({"data": {"LD_PRELOAD": "/tmp/evil.so"}}))),
        ("an added binary key", Change::Merge(json!({"binaryData": {"PYTHONSTARTUP": "ZXZpbA=="}}))),
        ("a changed key", Change::Merge(json!({"data": {"MLFLOW_TRACKING_URI": "http://evil.example.com"}}))),
        ("a removed key", Change::Merge(json!({"data": {"MLFLOW_TRACKING_URI": null}}))),
    ];
    are_undone(&team, &at, changes).await;
    let at = team.object("ConfigMap", "second", "connections");
    let stripped = Change::Merge(json!({"metadata": {"labels": {"strata-operator.dev/team": null}}}));
    are_undone(&team, &at, vec![("a stripped label of settings", stripped), ("deleted settings", Change::Delete)])
        .await;
    let at = team.object("ConfigMap", "backbone", "strata-record");
    let changes = vec![
        ("a forged record", Change::Merge(json!({"data": {"record.json": "{}"}}))),
        ("a record that is no JSON", Change::Merge(json!({"data": {"record.json": "{"}}))),
        ("a record without its entry", Change::Merge(json!({"data": null}))),
        ("an added key of the record", Change::Merge(json!({"data": {"more": "x"}}))),
        ("a deleted record", Change::Delete),
    ];
    are_undone(&team, &at, changes).await;
}

#[tokio::test]
async fn the_right_to_read_the_team() {
    let team = team().await;
    let at = path("ClusterRole", "", "strata:team:drift");
    let everything = json!({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]});
    let changes = vec![
        ("an added rule", Change::Patch(json!([{"op": "add", "path": "/rules/-", "value": everything}]))),
        ("a changed rule", Change::Patch(json!([{"op": "add", "path": "/rules/0/verbs/-", "value": "delete"}]))),
        ("a deleted role", Change::Delete),
    ];
    are_undone(&team, &at, changes).await;
    let at = path("ClusterRoleBinding", "", "strata:team:drift");
    let everybody = json!({"kind": "Group", "name": "everybody", "apiGroup": "rbac.authorization.k8s.io"});
    let changes = vec![
        ("an added reader", Change::Patch(json!([{"op": "add", "path": "/subjects/-", "value": everybody}]))),
        ("removed readers", Change::Merge(json!({"subjects": null}))),
        (
            "a stripped label of readers",
            Change::Merge(json!({"metadata": {"labels": {"strata-operator.dev/team": null}}})),
        ),
        ("deleted readers", Change::Delete),
    ];
    are_undone(&team, &at, changes).await;
}

#[tokio::test]
async fn namespaces() {
    let team = Team::ready(stage().await, "loosened", everything()).await;
    let at = team.space_path("second");
    let enforce =
        |level: Value| Change::Merge(json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": level}}}));
    let changes = vec![
        ("a weakened Pod Security level", enforce(json!("privileged"))),
        ("a removed Pod Security level", enforce(Value::Null)),
        ("a changed layer", Change::Merge(json!({"metadata": {"labels": {"strata-operator.dev/layer": "Live"}}}))),
        (
            "a stripped label of a namespace",
            Change::Merge(json!({"metadata": {"labels": {"strata-operator.dev/team-uid": null}}})),
        ),
    ];
    are_undone(&team, &at, changes).await;
}

#[tokio::test]
async fn what_the_site_wants_on_namespaces() {
    let stage = stage().await;
    let admin = stage.admin().await;
    let wanted = json!({
        "labels": {"mesh": "on"},
        "layers": [{"layer": "Workspace", "labels": {"tier": "work"}, "annotations": {"backup.example.com/at": "night"}}],
    });
    let blueprint = json!({
        "apiVersion": "strata-operator.dev/v1alpha1", "kind": "Blueprint", "metadata": {"name": "meshed"},
        "spec": {"namespaces": wanted},
    });
    admin.create(&blueprint).await.expect("created");
    let spec = json!({"blueprint": "meshed", "projects": [{"name": "one"}]});
    let team = Team::ready(stage, "meshes", spec).await;
    let (workspace, backbone) = (team.space_path("one"), team.space_path("backbone"));
    let label = |object: &Value, key: &str| object["metadata"]["labels"][key].clone();
    let note = |object: &Value, key: &str| object["metadata"]["annotations"][key].clone();
    let of_backbone = team.until_there(&backbone, |object| label(object, "mesh") == "on").await;
    assert!(label(&of_backbone, "tier").is_null() && note(&of_backbone, "backup.example.com/at").is_null());
    // Others write their own, and keep it; what the site wants is put back.
    let foreign =
        json!({"metadata": {"labels": {"istio.io/rev": "stable"}, "annotations": {"cost.example.com/id": "7"}}});
    admin.merge(&workspace, &foreign).await.expect("labelled");
    let is_there = |object: &Value| {
        label(object, "mesh") == "on"
            && label(object, "tier") == "work"
            && note(object, "backup.example.com/at") == "night"
    };
    for change in [
        json!({"labels": {"mesh": "off"}}),
        json!({"labels": {"tier": null}}),
        json!({"annotations": {"backup.example.com/at": null}}),
    ] {
        let changed = admin.merge(&workspace, &json!({"metadata": change})).await.expect("changed");
        assert!(!is_there(&changed), "{changed}");
        team.until_there(&workspace, is_there).await;
    }
    // What the Blueprint changes and no longer asks for follows; what others wrote stays.
    let edit = json!({"spec": {"namespaces": {"labels": {"mesh": null}, "annotations": {"a.example.com/b": "c"},
        "layers": [{"layer": "Workspace", "labels": {"tier": "more"}}]}}});
    admin.merge(&path("Blueprint", "", "meshed"), &edit).await.expect("edited");
    let renewed = team
        .until_there(&workspace, |object| {
            label(object, "tier") == "more" && label(object, "mesh").is_null() && note(object, "a.example.com/b") == "c"
        })
        .await;
    assert!(note(&renewed, "backup.example.com/at").is_null(), "{renewed}");
    assert_eq!((label(&renewed, "istio.io/rev"), note(&renewed, "cost.example.com/id")), (json!("stable"), json!("7")));
    team.until_ready().await;
}

#[tokio::test]
async fn a_namespace_whose_label_was_taken_or_changed() {
    let team = Team::ready(stage().await, "torn", everything()).await;
    let at = team.space_path("second");
    let metadata = team.admin.get(&at).await.expect("it is there")["metadata"].clone();
    let without = |part: &str| -> Value {
        let words = metadata[part].as_object().expect("words").keys();
        let ours = words.filter(|word| word.starts_with("strata-operator.dev/"));
        let none: serde_json::Map<_, _> = ours.map(|word| (word.clone(), Value::Null)).collect();
        json!({"metadata": {part: none}})
    };
    let label = |value: Value| json!({"metadata": {"labels": {"strata-operator.dev/team": value}}});
    let changes = vec![
        ("a stripped team of a namespace", Change::Merge(label(Value::Null))),
        ("another team of a namespace", Change::Merge(label(json!("loosened")))),
        ("all labels of a namespace", Change::Merge(without("labels"))),
        ("all annotations of a namespace", Change::Merge(without("annotations"))),
    ];
    are_undone(&team, &at, changes).await;
    team.until_ready().await;
}

#[tokio::test]
async fn a_namespace_without_any_word_of_whose_it_is() {
    let team = Team::ready(stage().await, "orphaned", everything()).await;
    let at = team.space_path("second");
    let label = |value: Value| json!({"metadata": {"labels": {"strata-operator.dev/team": value}}});
    // Not a label and not an annotation of ours is left: nothing in it tells the fence
    // whose it is. An administrator has to put the label back, and the message says how.
    let metadata = team.admin.get(&at).await.expect("it is there")["metadata"].clone();
    let mut without = json!({"metadata": {}});
    for part in ["labels", "annotations"] {
        let words = metadata[part].as_object().expect("words").keys();
        for word in words.filter(|word| word.starts_with("strata-operator.dev/")) {
            without["metadata"][part][word] = Value::Null;
        }
    }
    team.admin.merge(&at, &without).await.expect("stripped");
    let seen = team.until_not_ready("Conflict", "kubectl label").await;
    let ready = condition(&seen, "Ready")["message"].as_str().unwrap_or_default();
    assert!(ready.contains("orphaned--second") && ready.contains("strata-operator.dev/team=orphaned"), "{ready}");
    let policy = team.object("NetworkPolicy", "second", "strata-default-deny");
    team.admin.merge(&policy, &json!({"spec": {"egress": [{}]}})).await.expect("opened");
    team.admin.merge(&at, &label(json!("orphaned"))).await.expect("labelled");
    team.until_there(&policy, |policy| policy["spec"]["egress"].is_null()).await;
    team.until_ready().await;
}

#[tokio::test]
async fn accounts() {
    let team = team().await;
    let at = team.object("ServiceAccount", "first", "default");
    let token = |value: Value| Change::Merge(json!({"automountServiceAccountToken": value}));
    let changes = vec![
        ("a token for everybody", token(json!(true))),
        ("no word on tokens", token(Value::Null)),
        ("a deleted default account", Change::Delete),
    ];
    are_undone(&team, &at, changes).await;
    let at = team.object("ServiceAccount", "shared", "mlflow");
    let changes = vec![
        ("a token for an engine", token(json!(true))),
        (
            "a stripped label of an account",
            Change::Merge(json!({"metadata": {"labels": {"strata-operator.dev/team": null}}})),
        ),
        ("a deleted account", Change::Delete),
    ];
    are_undone(&team, &at, changes).await;
}

#[tokio::test]
async fn workloads() {
    let team = team().await;
    let at = team.object("Deployment", "shared", "mlflow");
    let image =
        json!([{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "evil.example.com/x:1"}]);
    let memory = json!([{"op": "remove", "path": "/spec/template/spec/containers/0/resources/limits/memory"}]);
    let changes = vec![
        ("another image", Change::Patch(image)),
        ("a removed limit", Change::Patch(memory)),
        (
            "a stripped label of a workload",
            Change::Merge(json!({"metadata": {"labels": {"strata-operator.dev/team": null}}})),
        ),
        ("a deleted workload", Change::Delete),
    ];
    are_undone(&team, &at, changes).await;
    let at = team.object("Service", "shared", "mlflow");
    are_undone(&team, &at, vec![("a deleted service", Change::Delete)]).await;
    team.until_ready().await;
}

#[tokio::test]
async fn what_others_put_beside_it_stays() {
    let team = Team::ready(stage().await, "beside", everything()).await;
    let all = [
        (team.object("NetworkPolicy", "first", "strata-within"), json!({"spec": {"egress": [{}]}})),
        (team.object("ConfigMap", "first", "connections"), json!({"data": {"MORE": "x"}})),
        (team.object("ResourceQuota", "first", "strata-quota"), json!({"spec": {"hard": {"pods": "9k"}}})),
        (team.object("RoleBinding", "first", "strata-data-scientist-contribute"), json!({"subjects": null})),
        (team.space_path("first"), json!({"metadata": {"labels": {"pod-security.kubernetes.io/warn": "baseline"}}})),
        (team.object("Deployment", "shared", "mlflow"), json!({"spec": {"revisionHistoryLimit": 9}})),
    ];
    let foreign =
        json!({"metadata": {"labels": {"foreign.example.com/a": "b"}, "annotations": {"foreign.example.com/c": "d"}}});
    for (at, change) in &all {
        let marked = team.admin.merge(at, &foreign).await.expect("marked");
        let changed = team.admin.merge(at, change).await.expect("changed");
        assert_ne!(ours(&changed), ours(&marked), "{at}");
        let back = team.until_there(at, |now| ours(now) == ours(&marked)).await;
        assert_eq!(back["metadata"]["labels"]["foreign.example.com/a"], "b", "{at}");
        assert_eq!(back["metadata"]["annotations"]["foreign.example.com/c"], "d", "{at}");
    }
}
