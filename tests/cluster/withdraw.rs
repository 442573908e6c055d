//! What is taken out of a team: projects, production sides, the team itself. Under
//! `Retain` people go and everything else stays guarded; under `Delete` all goes.

use serde_json::{Value, json};

use crate::actor::path;
use crate::spec::{everything, minimal, with_experiments};
use crate::stage::stage;
use crate::team::{Team, condition};

/// Something that runs in a namespace of the team and was not written by Strata.
async fn with_a_job(team: &Team, end: &str) -> String {
    let job = json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "work", "namespace": team.space(end)},
        "spec": {"template": {"spec": {
            "restartPolicy": "Never",
            "securityContext": {"runAsNonRoot": true, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "main", "image": "registry.example.com/work:1",
                "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
                "resources": {
                    "requests": {"cpu": "100m", "memory": "64Mi", "ephemeral-storage": "1Mi"},
                    "limits": {"memory": "64Mi", "ephemeral-storage": "1Mi"},
                },
            }],
        }}},
    });
    team.admin.create(&job).await.expect("a job is made");
    team.object("Job", end, "work")
}

pub async fn uid(team: &Team, path: &str) -> Value {
    team.admin.get(path).await.unwrap_or_else(|refused| panic!("{path}: {refused:?}"))["metadata"]["uid"].clone()
}

/// Nobody has rights in the namespace, and it is guarded all the same.
pub async fn is_withdrawn(team: &Team, end: &str) {
    let bindings = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings", team.space(end));
    let waited = harness::wait::until(format!("nobody has rights in {end}"), 60, async || {
        match team.admin.list(&bindings).await.as_slice() {
            [] => Ok(()),
            left => Err(left.iter().map(|binding| binding["metadata"]["name"].to_string()).collect::<String>()),
        }
    });
    waited.await.unwrap_or_else(|error| panic!("{error}"));
    let at = team.space_path(end);
    let marked = |space: &Value| space["metadata"]["annotations"]["strata-operator.dev/retained"] == "true";
    let space = team.until_there(&at, marked).await;
    assert_eq!(space["metadata"]["labels"]["pod-security.kubernetes.io/enforce"], "restricted");
    let deny = team.object("NetworkPolicy", end, "strata-default-deny");
    team.admin.merge(&deny, &json!({"spec": {"egress": [{}]}})).await.expect("opened");
    team.until_there(&deny, |policy| policy["spec"]["egress"].is_null()).await;
    let quota = team.object("ResourceQuota", end, "strata-quota");
    team.admin.delete(&quota).await.expect("deleted");
    team.until_there(&quota, |_| true).await;
}

#[tokio::test]
async fn a_removed_project_is_kept_and_guarded() {
    let team = Team::ready(stage().await, "removes", everything()).await;
    let job = with_a_job(&team, "second").await;
    let bound = team.object("RoleBinding", "second", "strata-data-scientist-contribute");
    assert!(team.admin.find(&bound).await.is_some());
    let (space, work) = (uid(&team, &team.space_path("second")).await, uid(&team, &job).await);
    let projects = everything()["projects"].clone();
    team.edit(json!({"projects": [projects[0]]})).await;
    team.until_ready().await;
    is_withdrawn(&team, "second").await;
    assert_eq!(uid(&team, &team.space_path("second")).await, space);
    assert_eq!(uid(&team, &job).await, work);
    let deployer = team.object("RoleBinding", "first", "strata-deployer");
    assert!(team.admin.find(&deployer).await.is_some(), "the other project lost its deployer");
    // Back again, it is the same.
    team.edit(json!({"projects": projects})).await;
    team.until_there(&bound, |_| true).await;
    team.until_ready().await;
    assert_eq!(uid(&team, &team.space_path("second")).await, space);
    let back = team.admin.get(&team.space_path("second")).await.unwrap();
    assert!(back["metadata"]["annotations"]["strata-operator.dev/retained"].is_null(), "{}", back["metadata"]);
}

#[tokio::test]
async fn a_removed_production_side_keeps_serving() {
    let team = Team::ready(stage().await, "retires", everything()).await;
    let job = with_a_job(&team, "first--live").await;
    let work = uid(&team, &job).await;
    let projects = everything()["projects"].clone();
    team.edit(json!({"projects": [{"name": "first"}, projects[1]]})).await;
    team.until_ready().await;
    is_withdrawn(&team, "first--live").await;
    assert_eq!(uid(&team, &job).await, work);
}

#[tokio::test]
async fn under_delete_a_removed_project_goes() {
    let mut spec = minimal();
    spec["deletionPolicy"] = json!("Delete");
    spec["projects"] =
        json!([{"name": "first"}, {"name": "second", "live": {"share": {"requests": {"cpu": 1, "memory": "4Gi"}}}}]);
    let team = Team::ready(stage().await, "purges", spec).await;
    // What takes data along has to be meant: until then people go, and the rest stays.
    team.edit(json!({"projects": [{"name": "first"}]})).await;
    let keeps = |team: &Value| {
        let supported = condition(team, "AllFieldsSupported");
        supported["message"]
            .as_str()
            .is_some_and(|message| message.contains("purges--second ") && message.contains("allow-deletion"))
    };
    team.until("says what it keeps", keeps).await;
    let space = team.admin.get(&team.space_path("second--live")).await.expect("it is there");
    assert!(space["metadata"]["deletionTimestamp"].is_null(), "{space}");
    let until = &space["metadata"]["annotations"]["strata-operator.dev/retained"];
    assert_eq!(until, "until-deletion-is-allowed");
    // What is named may go; what leaves later is asked about again.
    let allow = |names: &str| json!({"metadata": {"annotations": {"strata-operator.dev/allow-deletion": names}}});
    team.admin.merge(&team.path(), &allow("purges--second")).await.expect("allowed");
    team.until_missing(&team.space_path("second")).await;
    let keeps = |team: &Value| {
        let message = condition(team, "AllFieldsSupported")["message"].as_str().unwrap_or_default().to_owned();
        message.contains("allow-deletion=purges--second--live") && !message.contains("purges--second ")
    };
    team.until("says what it keeps still", keeps).await;
    assert!(team.admin.find(&team.space_path("second--live")).await.is_some());
    // As a team, it is not deleted by that.
    let refused = team.admin.delete(&team.path()).await.expect_err("deleted");
    assert!(refused.message.contains("allow-deletion=true"), "{refused:?}");
    team.admin.merge(&team.path(), &allow("true")).await.expect("allowed");
    team.until_missing(&team.space_path("second--live")).await;
    team.until_ready().await;
    assert!(team.admin.find(&team.space_path("first")).await.is_some());
}

#[tokio::test]
async fn a_renamed_project_is_another_and_the_old_one_is_kept() {
    let team = Team::ready(stage().await, "renames", minimal()).await;
    let before = uid(&team, &team.space_path("first")).await;
    team.edit(json!({"projects": [{"name": "premier"}]})).await;
    let ready = team.until_ready().await;
    assert_eq!(ready["status"]["summary"]["projects"], "1/1");
    assert!(
        team.admin.find(&team.object("RoleBinding", "premier", "strata-data-scientist-contribute")).await.is_some()
    );
    is_withdrawn(&team, "first").await;
    assert_eq!(uid(&team, &team.space_path("first")).await, before);
}

#[tokio::test]
async fn a_team_in_use_is_not_deleted_by_mistake() {
    let team = Team::ready(stage().await, "careful", minimal()).await;
    let refused = team.admin.delete(&team.path()).await.expect_err("deleted");
    assert!(refused.message.contains("allow-deletion"), "{refused:?}");
    team.delete().await;
    team.until_gone().await;
}

#[tokio::test]
async fn a_deleted_team_is_kept_and_taken_back() {
    let team = Team::ready(stage().await, "returns", everything()).await;
    let job = with_a_job(&team, "first").await;
    let kept = ["backbone", "shared", "first", "first--live", "second"].map(|end| team.space_path(end));
    let kept = kept.into_iter().chain([
        team.object("PersistentVolumeClaim", "shared", "mlflow"),
        team.object("Deployment", "shared", "mlflow"),
        job,
    ]);
    let mut before = Vec::new();
    for at in kept {
        before.push((uid(&team, &at).await, at));
    }
    team.delete().await;
    team.until_gone().await;
    for end in ["shared", "first", "first--live", "second", "backbone"] {
        is_withdrawn(&team, end).await;
    }
    for kind in ["ClusterRole", "ClusterRoleBinding"] {
        team.until_missing(&path(kind, "", "strata:team:returns")).await;
    }
    let record = team.admin.get(&team.object("ConfigMap", "backbone", "strata-record")).await.expect("the record");
    let text = record["data"]["record.json"].as_str().unwrap_or_default();
    assert!(text.contains("second"), "{text}");
    assert!(!text.contains("ana@example.com"), "the record names people: {text}");
    for (uid_before, at) in &before {
        assert_eq!(uid(&team, at).await, *uid_before, "{at}");
    }
    team.write(everything()).await;
    team.until_ready().await;
    for (uid_before, at) in &before {
        assert_eq!(uid(&team, at).await, *uid_before, "{at} was made anew");
    }
    let new = team.get().await["metadata"]["uid"].clone();
    for (key, object) in team.objects().await {
        // What no longer is wanted keeps its old label; nothing of this team is.
        assert_eq!(object["metadata"]["labels"]["strata-operator.dev/team-uid"], new, "{key:?}");
    }
    let space = team.admin.get(&team.space_path("first")).await.unwrap();
    assert!(space["metadata"]["annotations"]["strata-operator.dev/retained"].is_null());
}

#[tokio::test]
async fn under_delete_everything_goes() {
    let mut spec = everything();
    spec["deletionPolicy"] = json!("Delete");
    let team = Team::ready(stage().await, "leaves", spec).await;
    assert!(team.objects().await.len() > 60);
    team.delete().await;
    team.until_gone().await;
    for end in ["backbone", "shared", "first", "first--live", "second"] {
        assert!(team.admin.find(&team.space_path(end)).await.is_none(), "{end} is still there");
    }
    let left: Vec<_> = team.objects().await.into_keys().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn terminating_namespace_delays_nothing_and_returns() {
    let team = Team::ready(stage().await, "deletes", with_experiments(&json!({}))).await;
    let space = team.space_path("first");
    let before = uid(&team, &space).await;
    // A finalizer on something in it keeps it terminating.
    let held = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "held", "namespace": team.space("first"), "finalizers": ["example.com/hold"]},
    });
    team.admin.create(&held).await.expect("something that holds");
    team.admin.delete(&space).await.expect("deleted");
    let seen = team.until_not_ready("Deleting", "deletes--first").await;
    let spaces = seen["status"]["namespaces"].as_array().cloned().unwrap_or_default();
    let ready: Vec<_> = spaces.iter().map(|space| (space["name"].clone(), space["ready"].clone())).collect();
    assert!(ready.contains(&(json!("deletes--first"), json!(false))), "{ready:?}");
    assert!(ready.contains(&(json!("deletes--shared"), json!(true))), "{ready:?}");
    // The rest is kept meanwhile.
    let quota = team.object("ResourceQuota", "shared", "strata-quota");
    team.admin.delete(&quota).await.expect("deleted");
    team.until_there(&quota, |_| true).await;
    let holder = team.object("ConfigMap", "first", "held");
    team.admin.merge(&holder, &json!({"metadata": {"finalizers": null}})).await.expect("let go");
    team.until_there(&space, |now| now["metadata"]["uid"] != before).await;
    team.until_ready().await;
}

/// Nobody has any right of the team any more, wherever it was given.
async fn nobody_has_rights(team: &Team) {
    for end in ["backbone", "shared", "first", "first--live", "second"] {
        let bindings = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings", team.space(end));
        let left = team.admin.list(&bindings).await;
        let left = left.iter().filter(|binding| binding["subjects"].as_array().is_some_and(|all| !all.is_empty()));
        let left: Vec<_> = left.map(|binding| binding["metadata"]["name"].to_string()).collect();
        assert!(left.is_empty(), "{end}: {left:?}");
    }
    let readers = path("ClusterRoleBinding", "", &format!("strata:team:{}", team.name));
    assert!(team.admin.find(&readers).await.is_none(), "somebody still reads what is gone");
}

/// A deletion that its guard lets through.
async fn meant(team: &Team, path: &str) {
    let meant = json!({"metadata": {"annotations": {"strata-operator.dev/allow-deletion": "true"}}});
    team.admin.merge(path, &meant).await.expect("meant");
    team.admin.delete(path).await.expect("deleted");
}

#[tokio::test]
async fn a_team_without_backbone_or_record_leaves_nobody_with_rights() {
    for (name, policy, lost) in
        [("unbacked", "Retain", "backbone"), ("unbacked-too", "Delete", "backbone"), ("unrecorded", "Retain", "record")]
    {
        let mut spec = everything();
        spec["deletionPolicy"] = json!(policy);
        let team = Team::ready(stage().await, name, spec).await;
        let bound = team.object("RoleBinding", "first", "strata-data-scientist-contribute");
        assert!(team.admin.find(&bound).await.is_some());
        // Suspended, nothing that is lost comes again.
        team.edit(json!({"managementPolicy": "Suspend"})).await;
        team.until_not_ready("Suspended", "managementPolicy").await;
        let at = match lost {
            "record" => team.object("ConfigMap", "backbone", "strata-record"),
            _ => team.space_path("backbone"),
        };
        meant(&team, &at).await;
        team.until_missing(&at).await;
        assert!(team.admin.find(&bound).await.is_some(), "rights went before the team did");
        team.delete().await;
        team.until_gone().await;
        nobody_has_rights(&team).await;
    }
}

#[tokio::test]
async fn a_binding_that_a_finalizer_holds_is_emptied() {
    for (name, policy) in [("emptied", "Retain"), ("emptied-too", "Delete")] {
        let mut spec = minimal();
        spec["deletionPolicy"] = json!(policy);
        let team = Team::ready(stage().await, name, spec).await;
        let bound = team.object("RoleBinding", "first", "strata-data-scientist-contribute");
        let hold = json!({"metadata": {"finalizers": ["example.com/hold"]}});
        team.admin.merge(&bound, &hold).await.expect("held");
        team.delete().await;
        let emptied = |binding: &Value| binding["subjects"].as_array().is_none_or(Vec::is_empty);
        team.until_there(&bound, emptied).await;
        if policy == "Retain" {
            team.until_gone().await;
        }
        nobody_has_rights(&team).await;
        team.admin.merge(&bound, &json!({"metadata": {"finalizers": null}})).await.expect("let go");
        team.until_gone().await;
    }
}

#[tokio::test]
async fn under_delete_a_namespace_that_lost_its_labels_does_not_stay() {
    let mut spec = minimal();
    spec["deletionPolicy"] = json!("Delete");
    let team = Team::ready(stage().await, "unlabelled", spec).await;
    team.edit(json!({"managementPolicy": "Suspend"})).await;
    team.until_not_ready("Suspended", "managementPolicy").await;
    // Without its layer or its team it is known by its name and by another word of ours;
    // without any of those it is said so.
    let unlayered =
        json!({"metadata": {"labels": {"strata-operator.dev/layer": null, "strata-operator.dev/team": null}}});
    team.admin.merge(&team.space_path("first"), &unlayered).await.expect("layer and team are gone");
    let backbone = team.admin.get(&team.space_path("backbone")).await.expect("the Backbone");
    let stripped = |part: &str| {
        let all = backbone["metadata"][part].as_object().into_iter().flatten();
        let ours = all.filter(|(key, _)| key.starts_with("strata-operator.dev/"));
        ours.map(|(key, _)| (key.clone(), Value::Null)).collect::<serde_json::Map<_, _>>()
    };
    let disowned = json!({"metadata": {"labels": stripped("labels"), "annotations": stripped("annotations")}});
    team.admin.merge(&team.space_path("backbone"), &disowned).await.expect("no word of ours is left");
    team.delete().await;
    team.until_not_ready("Conflict", "unlabelled--backbone").await;
    team.until_missing(&team.space_path("first")).await;
    let again = json!({"metadata": {"labels": {"strata-operator.dev/team": "unlabelled"}}});
    team.admin.merge(&team.space_path("backbone"), &again).await.expect("the team is there again");
    team.until_gone().await;
    assert!(team.admin.find(&team.space_path("backbone")).await.is_none(), "a namespace stayed");
}

#[tokio::test]
async fn deleted_team_does_not_wait_for_terminating_namespaces() {
    let team = Team::ready(stage().await, "hurries", minimal()).await;
    let held = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "held", "namespace": team.space("backbone"), "finalizers": ["example.com/hold"]},
    });
    team.admin.create(&held).await.expect("something that holds");
    team.admin.delete(&team.space_path("backbone")).await.expect("deleted");
    team.until_not_ready("Deleting", "hurries--backbone").await;
    team.delete().await;
    team.until_gone().await;
    nobody_has_rights(&team).await;
    let holder = team.object("ConfigMap", "backbone", "held");
    team.admin.merge(&holder, &json!({"metadata": {"finalizers": null}})).await.expect("let go");
}

#[tokio::test]
async fn explicit_reclaim_needs_the_name_of_the_earlier_team() {
    let stage = stage().await;
    let admin = stage.admin().await;
    let default = admin.get(&path("Blueprint", "", "default")).await.expect("the default Blueprint");
    let mut site = default["spec"].clone();
    site["reclaim"] = json!("Explicit");
    let explicit = json!({
        "apiVersion": "strata-operator.dev/v1alpha1", "kind": "Blueprint", "metadata": {"name": "explicit"}, "spec": site,
    });
    admin.create(&explicit).await.expect("a Blueprint");
    let mut spec = minimal();
    spec["blueprint"] = json!("explicit");
    let team = Team::ready(stage, "reclaims", spec.clone()).await;
    let earlier = uid(&team, &team.path()).await;
    let before = uid(&team, &team.space_path("first")).await;
    team.delete().await;
    team.until_gone().await;
    team.write(spec).await;
    let earlier = earlier.as_str().unwrap_or_default();
    team.until_not_ready("Conflict", earlier).await;
    let bindings = "/apis/rbac.authorization.k8s.io/v1/namespaces/reclaims--first/rolebindings";
    assert!(team.admin.list(bindings).await.is_empty(), "somebody came into what is not theirs yet");
    let named = json!({"metadata": {"annotations": {"strata-operator.dev/reclaim": earlier}}});
    team.admin.merge(&team.path(), &named).await.expect("named");
    team.until_ready().await;
    assert_eq!(uid(&team, &team.space_path("first")).await, before);
    // Once taken over, it stays so.
    let forgotten = json!({"metadata": {"annotations": {"strata-operator.dev/reclaim": null}}});
    team.admin.merge(&team.path(), &forgotten).await.expect("forgotten");
    team.edit(json!({"description": "still here"})).await;
    team.until_ready().await;
}
