//! The fence around the operator's account: sentences 7 to 10 of
//! `templates/admission/fence.yaml`, about roles and about what stands outside the
//! namespaces of teams.

use serde_json::{Value, json};

use crate::objects::{config_map, role_binding};
use crate::stage::{FENCE, RBAC, stage};

const NAME: &str = "rbac.authorization.k8s.io";

#[tokio::test]
async fn role_bindings_only_to_what_people_are_given() {
    let stage = stage().await;
    stage.team("given").await;
    let (operator, unbounded) = (stage.operator().await, stage.unbounded().await);
    let path = format!("{RBAC}/namespaces/given--shared/rolebindings");
    let people = json!([{"kind": "Group", "name": "science", "apiGroup": NAME}]);
    for (number, role) in
        ["strata:shared:use", "strata:live:own", "strata:guardrails", "strata:pipelines"].iter().enumerate()
    {
        operator.post(&path, role_binding(&format!("strata-{number}"), role, &people)).await.passes();
    }
    let others = [
        "cluster-admin",
        "edit",
        "view",
        "strata:operator",
        "strata:break-glass",
        "strata:part:core:live:own",
        "strata:none",
    ];
    for role in others {
        unbounded
            .post(&path, role_binding("any", role, &people))
            .await
            .refused_by(FENCE, "the operator may only bind strata:<layer>");
    }
    // Its own rights refuse that before the fence is asked: `bind` goes by name.
    operator.post(&path, role_binding("any", "cluster-admin", &people)).await.refused_by_rights();
    let mut role = role_binding("any", "strata:shared:use", &people);
    role["roleRef"]["kind"] = "Role".into();
    unbounded.post(&path, role).await.refused_by(FENCE, "so not Role strata:shared:use");
}

#[tokio::test]
async fn cluster_roles_only_for_one_team_to_read_its_own() {
    let stage = stage().await;
    let (operator, unbounded) = (stage.operator().await, stage.unbounded().await);
    let all = &format!("{RBAC}/clusterroles");
    let rule = json!({
        "apiGroups": ["strata-operator.dev"], "resources": ["aiteams"], "resourceNames": ["reader"],
        "verbs": ["get", "list", "watch"],
    });
    let cluster_role = |name: &str, rules: Value| json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules});
    let own = "strata:team:reader";
    operator.post(all, cluster_role(own, json!([rule]))).await.passes();
    let mut leads = rule.clone();
    leads["verbs"] = json!(["get", "list", "watch", "update", "patch"]);
    operator.put(&format!("{all}/{own}"), cluster_role(own, json!([leads]))).await.passes();
    let changed = |field: &str, value: Value| {
        let mut changed = rule.clone();
        changed[field] = value;
        changed
    };
    let mut anywhere = rule.clone();
    anywhere.as_object_mut().expect("an object").remove("resourceNames");
    let wrong = [
        json!([]),
        json!([rule, rule]),
        json!([anywhere]),
        json!([changed("resourceNames", json!(["reader", "other"]))]),
        json!([changed("resourceNames", json!(["other"]))]),
        json!([changed("verbs", json!(["get", "delete"]))]),
        json!([changed("verbs", json!(["*"]))]),
        json!([changed("resources", json!(["aiteams", "engines"]))]),
        json!([changed("resources", json!(["aiteams/status"]))]),
        json!([changed("apiGroups", json!(["*"]))]),
        json!([{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]),
    ];
    let says = "one rule";
    for rules in wrong {
        unbounded.post(all, cluster_role("strata:team:reader2", rules.clone())).await.refused_by(FENCE, says);
        unbounded.put(&format!("{all}/{own}"), cluster_role(own, rules)).await.refused_by(FENCE, says);
    }
    for name in [
        "reader",
        "strata:shared:use",
        "strata:team:",
        "strata:team:re--ader",
        "strata:team:Reader",
        "strata:team:reader:x",
    ] {
        unbounded.post(all, cluster_role(name, json!([rule]))).await.refused_by(FENCE, says);
    }
    // Collected by nobody, collecting nothing.
    let mut collected = cluster_role("strata:team:reader2", json!([changed("resourceNames", json!(["reader2"]))]));
    collected["metadata"]["labels"] = json!({"rbac.authorization.k8s.io/aggregate-to-view": "true"});
    unbounded.post(all, collected).await.refused_by(FENCE, says);
    let collects = json!({"aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}});
    unbounded.patch(&format!("{all}/{own}"), collects).await.refused_by(FENCE, says);
    // It neither changes nor deletes anybody else's.
    for name in ["cluster-admin", "strata:operator", "strata:live:own"] {
        unbounded.delete(&format!("{all}/{name}")).await.refused_by(FENCE, says);
        unbounded
            .patch(&format!("{all}/{name}"), json!({"metadata": {"labels": {"a": "b"}}}))
            .await
            .refused_by(FENCE, says);
    }
    operator.delete(&format!("{all}/{own}")).await.passes();
}

#[tokio::test]
async fn cluster_role_bindings_only_to_that_role() {
    let stage = stage().await;
    let (operator, unbounded) = (stage.operator().await, stage.unbounded().await);
    let all = &format!("{RBAC}/clusterrolebindings");
    let own = "strata:team:bound";
    let rule = json!({"apiGroups": ["strata-operator.dev"], "resources": ["aiteams"], "resourceNames": ["bound"], "verbs": ["get"]});
    let cluster_role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": own}, "rules": [rule]});
    operator.post(&format!("{RBAC}/clusterroles"), cluster_role).await.passes();
    let binding = |name: &str, role: &str, subjects: Value| {
        let mut binding = role_binding(name, role, &subjects);
        binding["kind"] = "ClusterRoleBinding".into();
        binding
    };
    let people = json!([
        {"kind": "Group", "name": "science", "apiGroup": NAME},
        {"kind": "ServiceAccount", "name": "deployer", "namespace": "bound--backbone"},
    ]);
    operator.post(all, binding(own, own, people.clone())).await.passes();
    operator.patch(&format!("{all}/{own}"), json!({"subjects": [people[0]]})).await.passes();
    let says = "may only write ClusterRoleBindings strata:team:<team>";
    let people = json!([people[0]]);
    unbounded.post(all, binding("strata:team:other", own, people.clone())).await.refused_by(FENCE, says);
    unbounded.post(all, binding("strata:team:other", "cluster-admin", people.clone())).await.refused_by(FENCE, says);
    unbounded.post(all, binding("other", "strata:live:own", people)).await.refused_by(FENCE, says);
    unbounded.delete(&format!("{all}/cluster-admin")).await.refused_by(FENCE, says);
    let wrong = [
        json!({"kind": "Group", "name": "system:authenticated", "apiGroup": NAME}),
        json!({"kind": "ServiceAccount", "name": "deployer", "namespace": "bounder--backbone"}),
        json!({"kind": "ServiceAccount", "name": "strata", "namespace": "strata-system"}),
    ];
    for subject in wrong {
        unbounded
            .patch(&format!("{all}/{own}"), json!({"subjects": [subject]}))
            .await
            .refused_by(FENCE, "the operator may only bind people");
    }
    operator.delete(&format!("{all}/{own}")).await.passes();
}

#[tokio::test]
async fn placements_hold_what_is_named_after_the_team() {
    let stage = stage().await;
    let (unbounded, admin) = (stage.unbounded().await, stage.admin().await);
    let places = [
        ("/apis/argoproj.io/v1/namespaces/argocd/appprojects", "argoproj.io/v1", "AppProject"),
        ("/apis/kueue.x-k8s.io/v1/clusterqueues", "kueue.x-k8s.io/v1", "ClusterQueue"),
    ];
    for (path, version, kind) in places {
        let object = |name: &str, team: &str| {
            let labels = if team.is_empty() { json!({}) } else { json!({"strata-operator.dev/team": team}) };
            json!({"apiVersion": version, "kind": kind, "metadata": {"name": name, "labels": labels}})
        };
        let says = "named after that team";
        unbounded.post(path, object("placed", "placed")).await.passes();
        unbounded.post(path, object("placed--queue", "placed")).await.passes();
        unbounded.post(path, object("other", "placed")).await.refused_by(FENCE, says);
        unbounded.post(path, object("placed", "")).await.refused_by(FENCE, says);
        // What somebody else put there stays theirs, whatever it is called.
        admin.post(path, object("theirs", "")).await.passes();
        let taken = json!({"metadata": {"labels": {"strata-operator.dev/team": "theirs"}}});
        unbounded.patch(&format!("{path}/theirs"), taken).await.refused_by(FENCE, says);
        unbounded.delete(&format!("{path}/theirs")).await.refused_by(FENCE, says);
        unbounded.delete(&format!("{path}/placed")).await.passes();
    }
    // Only the kinds that are named, and only there.
    unbounded
        .post("/api/v1/namespaces/argocd/configmaps", config_map("placed"))
        .await
        .refused_by(FENCE, "only write in namespaces of teams");
    let project = json!({
        "apiVersion": "argoproj.io/v1", "kind": "AppProject",
        "metadata": {"name": "placed", "labels": {"strata-operator.dev/team": "placed"}},
    });
    unbounded
        .post("/apis/argoproj.io/v1/namespaces/default/appprojects", project)
        .await
        .refused_by(FENCE, "only write in namespaces of teams");
}
