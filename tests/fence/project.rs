//! A team with one project, as the operator would have made it, with people at
//! every level in it, and the objects of its members. No sentence is tested here.

use harness::wait;
use serde_json::{Value, json};

use crate::attempt::{Actor, Answer};
use crate::objects::role_binding;
use crate::stage::{RBAC, Stage};

/// What the API server puts before the names of the identity provider.
const PREFIX: &str = "oidc:";

/// The one project of a team, with its namespaces.
pub struct Project<'a> {
    stage: &'a Stage,
    /// The team's name.
    pub team: String,
}

impl<'a> Project<'a> {
    /// Makes the namespaces, and lets the groups `view`, `use`, `contribute` and
    /// `own` have that level in each.
    pub async fn set(stage: &'a Stage, team: &str) -> Self {
        let project = Self { stage, team: team.to_owned() };
        let operator = stage.operator().await;
        for layer in ["backbone", "shared", "workspace", "live"] {
            let name = project.namespace(layer);
            operator.post("/api/v1/namespaces", project.labelled(layer)).await.passes();
            for level in ["view", "use", "contribute", "own"] {
                let people = json!([{"kind": "Group", "name": level, "apiGroup": "rbac.authorization.k8s.io"}]);
                let binding = role_binding(&format!("strata-{level}"), &format!("strata:{layer}:{level}"), &people);
                operator.post(&format!("{RBAC}/namespaces/{name}/rolebindings"), binding).await.passes();
            }
        }
        let viewer = project.person("vi", "view").await;
        wait::until("the bindings are known", 30, async || {
            let answer = viewer.get(&project.work("live", "runs")).await;
            if answer.went_through() { Ok(()) } else { Err(format!("{answer:?}")) }
        })
        .await
        .expect("rights");
        project
    }

    /// The namespace of a layer.
    pub fn namespace(&self, layer: &str) -> String {
        match layer {
            "workspace" => format!("{}--pay", self.team),
            "live" => format!("{}--pay--live", self.team),
            other => format!("{}--{other}", self.team),
        }
    }

    fn labelled(&self, layer: &str) -> Value {
        let (first, rest) = layer.split_at(1);
        let mut labels = json!({
            "strata-operator.dev/team": self.team, "strata-operator.dev/layer": first.to_uppercase() + rest,
        });
        if ["workspace", "live"].contains(&layer) {
            labels["strata-operator.dev/project"] = "pay".into();
        }
        let annotations = json!({"strata-operator.dev/user-prefix": PREFIX, "strata-operator.dev/devices": ""});
        let metadata = json!({"name": self.namespace(layer), "labels": labels, "annotations": annotations});
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    }

    /// Somebody of the identity provider, with a level in every layer.
    pub async fn person(&self, name: &str, level: &str) -> Actor {
        self.stage.somebody(&user(name), &[level]).await
    }

    /// The team's delivery identity.
    pub async fn deployer(&self) -> Actor {
        self.stage.somebody(&format!("system:serviceaccount:{}--backbone:deployer", self.team), &["contribute"]).await
    }

    /// The path of a namespaced kind in a layer.
    pub fn work(&self, layer: &str, plural: &str) -> String {
        work_path(&self.namespace(layer), plural)
    }

    /// The path of a core kind in a layer.
    pub fn core(&self, layer: &str, plural: &str) -> String {
        format!("/api/v1/namespaces/{}/{plural}", self.namespace(layer))
    }

    /// The path of a kind of apps in a layer.
    pub fn apps(&self, layer: &str, plural: &str) -> String {
        format!("/apis/apps/v1/namespaces/{}/{plural}", self.namespace(layer))
    }
}

/// A user as the API server knows them.
pub fn user(name: &str) -> String {
    format!("{PREFIX}{}", owner(name))
}

/// The same as an owner is written.
pub fn owner(name: &str) -> String {
    format!("{name}@example.com")
}

/// The path of a namespaced kind in a namespace.
pub fn work_path(namespace: &str, plural: &str) -> String {
    format!("/apis/strata-operator.dev/v1alpha1/namespaces/{namespace}/{plural}")
}

/// A member's object.
pub fn object(kind: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "strata-operator.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}

/// A Workbench of this person.
pub fn workbench(name: &str, person: &str) -> Value {
    object("Workbench", name, &json!({"owner": owner(person), "image": "scipy"}))
}

/// A Component, with an owner or without.
pub fn component(name: &str, person: Option<&str>) -> Value {
    let mut spec = json!({"image": "scipy"});
    if let Some(person) = person {
        spec["owner"] = owner(person).into();
    }
    object("Component", name, &spec)
}

/// A claim of one gigabyte, with more of a spec if need be.
pub fn claim(name: &str, more: &Value) -> Value {
    let mut spec = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
    for (key, value) in more.as_object().into_iter().flatten() {
        spec[key] = value.clone();
    }
    json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": spec})
}

/// The home of a workbench, as the operator writes it.
pub fn home(name: &str, person: &str) -> Value {
    let mut home = claim(&format!("workbench-{name}"), &Value::Null);
    home["metadata"]["labels"] = json!({"strata-operator.dev/workbench": name});
    home["metadata"]["annotations"] = json!({"strata-operator.dev/owner": owner(person)});
    home
}

/// The spec of a pod that mounts a claim.
pub fn mounting(claim: &str) -> Value {
    json!({
        "containers": [{
            "name": "main", "image": "registry.example.com/x:1", "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        }],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}],
    })
}

/// The server of a workbench, as the operator writes it.
pub fn server(name: &str) -> Value {
    let labels = json!({"strata-operator.dev/workbench": name});
    let full = format!("workbench-{name}");
    json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": full, "labels": labels},
        "spec": {
            "serviceName": full, "replicas": 1, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": mounting(&full)},
        },
    })
}

/// Lets a namespace carry an annotation of ours, as the operator writes it.
pub async fn annotated(stage: &Stage, namespace: &str, key: &str, value: &str) {
    let annotations = json!({"metadata": {"annotations": {format!("strata-operator.dev/{key}"): value}}});
    stage.operator().await.patch(&format!("/api/v1/namespaces/{namespace}"), annotations).await.passes();
}

/// Waits until an attempt is answered as it should be: params are learnt of a
/// moment after they were written.
pub async fn until_refused(policy: &str, attempt: impl AsyncFn() -> Answer) {
    wait::until("the policy knows its params", 60, async || {
        let answer = attempt().await;
        if answer.by(policy) { Ok(()) } else { Err(format!("{answer:?}")) }
    })
    .await
    .expect("params");
}
