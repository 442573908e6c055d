//! Who gets into namespaces of teams beside what AITeams say: every Blueprint tells it.

use std::time::Duration;

use harness::wait;
use serde_json::{Value, json};

use crate::actor::{Actor, path};
use crate::stage::brief;
use crate::team::{PATIENCE, condition};
use crate::watched::{heal, without_watch};

const BLUEPRINT: &str = "/apis/strata-operator.dev/v1alpha1/blueprints/default";

fn binding(name: &str, role: &str, subject: (&str, &str)) -> Value {
    let group = "rbac.authorization.k8s.io";
    json!({
        "apiVersion": format!("{group}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": name},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": group, "kind": subject.0, "name": subject.1}],
    })
}

/// Waits until the Blueprint says this of who gets in.
async fn until(admin: &Actor, status: &str, words: &[&str]) -> Value {
    wait::until(format!("the Blueprint says {status}: {words:?}"), PATIENCE, async || {
        let blueprint = admin.get(BLUEPRINT).await.map_err(|error| format!("{error:?}"))?;
        let reported = condition(&blueprint, "AccessByTeamsAlone").clone();
        let message = reported["message"].as_str().unwrap_or_default();
        let good = reported["status"] == status && words.iter().all(|word| message.contains(word));
        if good { Ok(blueprint) } else { Err(reported.to_string()) }
    })
    .await
    .unwrap_or_else(|error| panic!("{error}"))
}

#[tokio::test]
async fn cluster_role_bindings_into_teams_are_reported_once() {
    let (_turn, stage) = brief().await;
    let admin = stage.admin().await;
    until(&admin, "True", &[]).await;
    // What reads no Secrets and writes nothing lets nobody in; nor do those of the control plane.
    for (name, role, subject) in [
        ("access-viewers", "view", ("Group", "everybody")),
        ("access-system", "edit", ("User", "system:kube-scheduler")),
        ("access-developers", "edit", ("Group", "all-developers")),
    ] {
        admin.create(&binding(name, role, subject)).await.expect("bound");
    }
    let words = [
        "1 ClusterRoleBinding lets people",
        "access-developers (group all-developers by ClusterRole edit: reads Secrets and writes)",
    ];
    let reported = until(&admin, "False", &words).await;
    assert_eq!(condition(&reported, "AccessByTeamsAlone")["reason"], "ForeignAccess");
    assert_eq!(condition(&reported, "Ready")["status"], "True", "{reported}");
    // The same is not reported again.
    let at = path("ClusterRoleBinding", "", "access-developers");
    admin.merge(&at, &json!({"metadata": {"annotations": {"touched": "once"}}})).await.expect("touched");
    admin.delete(&path("ClusterRoleBinding", "", "access-viewers")).await.expect("deleted");
    tokio::time::sleep(Duration::from_secs(4)).await;
    let now = admin.get(BLUEPRINT).await.expect("the Blueprint");
    assert_eq!(now["metadata"]["resourceVersion"], reported["metadata"]["resourceVersion"], "{now}");
    // A role that changes counts as well, and one that is gone gives nothing.
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "access-auditor"},
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
    });
    admin.create(&role).await.expect("a role");
    admin.create(&binding("access-auditors", "access-auditor", ("User", "eve"))).await.expect("bound");
    let more = json!({"rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]}]});
    admin.merge(&path("ClusterRole", "", "access-auditor"), &more).await.expect("more");
    until(
        &admin,
        "False",
        &[
            "2 ClusterRoleBindings let people",
            "access-auditors (user eve by ClusterRole access-auditor: reads Secrets)",
        ],
    )
    .await;
    admin.delete(&path("ClusterRole", "", "access-auditor")).await.expect("deleted");
    admin.delete(&at).await.expect("deleted");
    until(&admin, "True", &[]).await;

    // What may not be listed is not known, and not taken for nothing.
    let rules = without_watch(&admin, "clusterrolebindings").await;
    until(&admin, "Unknown", &["is not known", "Grant the operator list and watch"]).await;
    admin.create(&binding("access-unseen", "edit", ("User", "eve"))).await.expect("bound");
    heal(&admin, &rules).await;
    until(&admin, "False", &["access-unseen"]).await;
    for name in ["access-unseen", "access-auditors", "access-system"] {
        admin.delete(&path("ClusterRoleBinding", "", name)).await.expect("deleted");
    }
    until(&admin, "True", &[]).await;
    stage.operator.wait_ready(PATIENCE).await.expect("ready again");
}
