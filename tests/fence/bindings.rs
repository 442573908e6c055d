//! RoleBindings that people write: `templates/admission/bindings.yaml`.

use serde_json::{Value, json};

use crate::objects::role_binding;
use crate::project::Project;
use crate::stage::{BINDINGS, RBAC, RESERVED, stage};

const GROUP: &str = "rbac.authorization.k8s.io";

fn account(namespace: &str) -> Value {
    json!({"kind": "ServiceAccount", "name": "trainer", "namespace": namespace})
}

/// A binding to a Role.
fn binding(name: &str, subjects: &Value) -> Value {
    let mut binding = role_binding(name, "reader", subjects);
    binding["roleRef"]["kind"] = "Role".into();
    binding
}

#[tokio::test]
async fn owners_bind_the_accounts_of_their_namespace() {
    let stage = stage().await;
    let project = Project::set(stage, "binds").await;
    let owns = project.person("olga", "own").await;
    for layer in ["shared", "workspace", "live"] {
        let place = project.namespace(layer);
        let rules = json!([{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}]);
        let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "reader"}, "rules": rules});
        owns.post(&format!("{RBAC}/namespaces/{place}/roles"), role).await.passes();
        let all = &format!("{RBAC}/namespaces/{place}/rolebindings");
        let says = &format!("may only bind ServiceAccounts of {place}");
        owns.post(all, binding("trainer", &json!([account(&place)]))).await.passes();
        let strangers = [
            json!({"kind": "User", "name": "oidc:bo@example.com", "apiGroup": GROUP}),
            json!({"kind": "Group", "name": "contribute", "apiGroup": GROUP}),
            json!({"kind": "Group", "name": format!("system:serviceaccounts:{place}"), "apiGroup": GROUP}),
            account("binds--backbone"),
            account("kube-system"),
        ];
        for stranger in strangers {
            owns.post(all, binding("more", &json!([stranger]))).await.refused_by(BINDINGS, says);
            owns.post(all, binding("more", &json!([account(&place), stranger]))).await.refused_by(BINDINGS, says);
            let changed = json!({"subjects": [stranger]});
            owns.patch(&format!("{all}/trainer"), changed).await.refused_by(BINDINGS, says);
        }
        // Not even a role that they hold themselves, if it is one of the cluster.
        let level = role_binding("more", &format!("strata:{layer}:own"), &json!([account(&place)]));
        owns.post(all, level).await.refused_by(BINDINGS, "a Role of that namespace");
        // Kubernetes itself keeps them from giving more than they have.
        let admin = stage.admin().await;
        let secret = json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]);
        let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "all"}, "rules": secret});
        admin.post(&format!("{RBAC}/namespaces/{place}/roles"), role).await.passes();
        let mut more = binding("more", &json!([account(&place)]));
        more["roleRef"]["name"] = "all".into();
        owns.post(all, more).await.refused_by_rights();
        // Bindings that others made stay as they are; the operator's are reserved by name.
        admin
            .post(all, role_binding("theirs", &format!("strata:{layer}:view"), &json!([account("kube-system")])))
            .await
            .passes();
        owns.delete(&format!("{all}/theirs")).await.refused_by(BINDINGS, says);
        owns.patch(&format!("{all}/theirs"), json!({"subjects": [account(&place)]})).await.refused_by(BINDINGS, says);
        let answer = owns.delete(&format!("{all}/strata-view")).await;
        assert!(answer.by(RESERVED) || answer.by(BINDINGS), "{answer:?}");
        owns.delete(&format!("{all}/trainer")).await.passes();
        // The platform's rights come from elsewhere.
        stage.platform().await.delete(&format!("{all}/theirs")).await.passes();
    }
    // The identity in Backbone is the deployer's; a contributor binds nobody anywhere.
    let backbone = format!("{RBAC}/namespaces/binds--backbone/rolebindings");
    owns.post(&backbone, binding("trainer", &json!([account("binds--backbone")]))).await.refused_by_rights();
    let pay = format!("{RBAC}/namespaces/binds--pay/rolebindings");
    let contributor = project.person("bo", "contribute").await;
    contributor.post(&pay, binding("trainer", &json!([account("binds--pay")]))).await.refused_by_rights();
}

#[tokio::test]
async fn until_when_the_glass_is_broken_only_override_says() {
    let stage = stage().await;
    let project = Project::set(stage, "until").await;
    let all = &format!("{RBAC}/namespaces/{}/rolebindings", project.namespace("workspace"));
    let until = |value: Value| json!({"metadata": {"annotations": {"strata-operator.dev/break-glass-until": value}}});
    let says = "break-glass-until of RoleBinding";
    let people = json!([{"kind": "User", "name": "oidc:kim@example.com", "apiGroup": GROUP}]);
    let mut broken = role_binding("broken", "view", &people);
    broken["metadata"]["annotations"] = until("2999-01-01T00:00:00Z".into())["metadata"]["annotations"].clone();
    let (platform, keeper) = (stage.platform().await, stage.keeper().await);
    platform.post(all, broken.clone()).await.refused_by(BINDINGS, says);
    keeper.post(all, broken).await.passes();
    let one = &format!("{all}/broken");
    platform.patch(one, until("2999-02-01T00:00:00Z".into())).await.refused_by(BINDINGS, says);
    platform.patch(one, until(Value::Null)).await.refused_by(BINDINGS, says);
    platform.delete(one).await.refused_by(BINDINGS, says);
    platform.patch(one, json!({"metadata": {"labels": {"a": "b"}}})).await.passes();
    platform.post(all, role_binding("plain", "view", &people)).await.passes();
    platform.patch(&format!("{all}/plain"), until("2999-01-01T00:00:00Z".into())).await.refused_by(BINDINGS, says);
    keeper.patch(one, until("2999-02-01T00:00:00Z".into())).await.passes();
    keeper.delete(one).await.passes();
}
