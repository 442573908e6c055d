//! A team under test: its object, its state, its objects, and what the operator
//! asked of the API server for it. Whatever is seen of a team's status on the way
//! is held against the rules of status, in every test.

use std::collections::BTreeMap;
use std::process::Command;

use harness::audit::{Mark, Requests};
use harness::wait;
use serde_json::{Value, json};

use crate::actor::{Actor, collection, path};
use crate::stage::Stage;

/// How long anything may take on a machine with much else to do.
pub const PATIENCE: u64 = 90;

/// The label that says whose an object is.
pub const TEAM: &str = "strata-operator.dev/team";

/// The kinds whose objects are written for teams.
pub const WRITTEN: &[&str] = &[
    "Namespace",
    "ResourceQuota",
    "LimitRange",
    "NetworkPolicy",
    "ConfigMap",
    "ServiceAccount",
    "Service",
    "PersistentVolumeClaim",
    "Deployment",
    "StatefulSet",
    "Job",
    "CronJob",
    "PodDisruptionBudget",
    "HorizontalPodAutoscaler",
    "RoleBinding",
    "ClusterRole",
    "ClusterRoleBinding",
];

/// An object's kind, namespace and name.
pub type Named = (String, String, String);

/// A team under test.
pub struct Team {
    pub stage: &'static Stage,
    pub admin: Actor,
    pub name: String,
}

impl Team {
    /// A team that does not exist yet.
    pub async fn named(stage: &'static Stage, name: &str) -> Self {
        Self { stage, admin: stage.admin().await, name: name.to_owned() }
    }

    /// A new team.
    pub async fn create(stage: &'static Stage, name: &str, spec: Value) -> Self {
        let team = Self::named(stage, name).await;
        team.write(spec).await;
        team
    }

    /// A new team that is ready.
    pub async fn ready(stage: &'static Stage, name: &str, spec: Value) -> Self {
        let team = Self::create(stage, name, spec).await;
        team.until_ready().await;
        team
    }

    /// Creates the team's object.
    pub async fn write(&self, spec: Value) -> Value {
        let object = json!({
            "apiVersion": "strata-operator.dev/v1alpha1", "kind": "AITeam", "metadata": {"name": self.name}, "spec": spec,
        });
        self.admin.create(&object).await.unwrap_or_else(|refused| panic!("{}: {refused:?}", self.name))
    }

    /// Where the team's object is.
    pub fn path(&self) -> String {
        path("AITeam", "", &self.name)
    }

    /// One of the team's namespaces, by the end of its name.
    pub fn space(&self, end: &str) -> String {
        format!("{}--{end}", self.name)
    }

    /// Where one of the team's objects is, its namespace by the end of its name.
    pub fn object(&self, kind: &str, end: &str, name: &str) -> String {
        path(kind, &self.space(end), name)
    }

    /// Where one of the team's namespaces is.
    pub fn space_path(&self, end: &str) -> String {
        path("Namespace", "", &self.space(end))
    }

    /// The team's object.
    pub async fn get(&self) -> Value {
        let team = self.admin.get(&self.path()).await.unwrap_or_else(|refused| panic!("{}: {refused:?}", self.name));
        obeys_the_rules(&team);
        team
    }

    /// Changes the spec (a merge patch).
    pub async fn edit(&self, spec: Value) {
        let changed = self.admin.merge(&self.path(), &json!({"spec": spec})).await;
        changed.unwrap_or_else(|refused| panic!("{}: {refused:?}", self.name));
    }

    /// Waits until the team is as it should be.
    pub async fn until(&self, what: &str, good: impl Fn(&Value) -> bool) -> Value {
        let good = &good;
        let waited = wait::until(format!("{}: {what}", self.name), PATIENCE, async || {
            self.stage.operator.check().map_err(|error| error.to_string())?;
            let team = self.get().await;
            if good(&team) { Ok(team) } else { Err(summary(&team)) }
        });
        waited.await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Waits until the team is ready in its present generation.
    pub async fn until_ready(&self) -> Value {
        self.until("is ready", is_ready).await
    }

    /// Waits until the team is not ready, for this reason, and the message says this.
    pub async fn until_not_ready(&self, reason: &str, words: &str) -> Value {
        let what = format!("is not ready: {reason}, {words}");
        self.until(&what, |team| {
            let ready = condition(team, "Ready");
            ready["status"] == "False"
                && ready["reason"] == reason
                && ready["message"].as_str().unwrap_or_default().contains(words)
        })
        .await
    }

    /// Deletes the team's object, as someone who means it.
    pub async fn delete(&self) {
        let meant = json!({"metadata": {"annotations": {"strata-operator.dev/allow-deletion": "true"}}});
        self.admin.merge(&self.path(), &meant).await.expect("the annotation is written");
        self.admin.delete(&self.path()).await.expect("the team is deleted");
    }

    /// Waits until the team's object is gone.
    pub async fn until_gone(&self) {
        self.until_missing(&self.path()).await;
    }

    /// Waits until an object is gone.
    pub async fn until_missing(&self, path: &str) {
        let waited = wait::until(format!("{path} is gone"), PATIENCE, async || match self.admin.find(path).await {
            None => Ok(()),
            Some(object) => Err(format!("{}, {}", object["metadata"], object["status"])),
        });
        waited.await.unwrap_or_else(|error| panic!("{error}"));
    }

    /// Waits until an object is there and as it should be.
    pub async fn until_there(&self, path: &str, good: impl Fn(&Value) -> bool) -> Value {
        let good = &good;
        let waited = wait::until(format!("{path} is there"), PATIENCE, async || match self.admin.find(path).await {
            Some(object) if good(&object) => Ok(object),
            seen => Err(format!("{seen:?}")),
        });
        waited.await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Everything in the cluster that carries the team's label, and is written for it.
    pub async fn objects(&self) -> BTreeMap<Named, Value> {
        let mut all = BTreeMap::new();
        for kind in WRITTEN {
            let list = format!("{}?labelSelector={TEAM}={}", collection(kind, None), self.name);
            for object in self.admin.list(&list).await {
                let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
                all.insert(((*kind).to_owned(), text("namespace"), text("name")), object);
            }
        }
        all
    }

    /// What `strata render` makes of the team and the default Blueprint as they are now.
    pub async fn rendered(&self) -> BTreeMap<Named, Value> {
        let blueprint = self.admin.get(&path("Blueprint", "", "default")).await.expect("the default Blueprint");
        let manifest = |object: &Value, metadata: Value| {
            json!({
                "apiVersion": object["apiVersion"], "kind": object["kind"], "spec": object["spec"], "metadata": metadata,
            })
        };
        let team = self.get().await;
        let mut command = Command::new(env!("CARGO_BIN_EXE_strata"));
        command.arg("render");
        for (kind, manifest) in [
            ("team", manifest(&team, json!({"name": self.name, "uid": team["metadata"]["uid"]}))),
            ("blueprint", manifest(&blueprint, json!({"name": "default"}))),
        ] {
            let file = self.stage.plane.directory().join(format!("{}.{kind}.json", self.name));
            std::fs::write(&file, manifest.to_string()).expect("the manifest is written");
            command.arg("-f").arg(&file);
        }
        let output = command.output().expect("strata render runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).expect("text");
        let objects = text.split("\n---\n").map(|document| serde_saphyr::from_str::<Value>(document).expect("YAML"));
        objects
            .filter(Value::is_object)
            .map(|object| {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                let metadata = &object["metadata"];
                ((text(&object["kind"]), text(&metadata["namespace"]), text(&metadata["name"])), object)
            })
            .collect()
    }

    /// What the operator asked of the API server for this team since a mark,
    /// watches and Events left out.
    pub fn asked(&self, mark: Mark) -> Requests {
        let (prefix, role) = (format!("{}--", self.name), format!("strata:team:{}", self.name));
        self.stage.asked(mark).filter(|request| {
            let own = request.namespace.starts_with(&prefix)
                || request.name.starts_with(&prefix)
                || request.name == role
                || request.name == self.name;
            own && request.resource != "events"
        })
    }

    /// Now, in the audit log.
    pub fn mark(&self) -> Mark {
        self.stage.plane.audit().mark()
    }
}

/// The condition of this type, or null.
pub fn condition<'a>(team: &'a Value, type_: &str) -> &'a Value {
    let conditions = team["status"]["conditions"].as_array();
    conditions.into_iter().flatten().find(|condition| condition["type"] == type_).unwrap_or(&Value::Null)
}

/// Whether the team is ready in its present generation.
pub fn is_ready(team: &Value) -> bool {
    condition(team, "Ready")["status"] == "True" && is_observed(team)
}

/// Whether the status speaks of the team's present generation.
pub fn is_observed(team: &Value) -> bool {
    team["status"]["observedGeneration"] == team["metadata"]["generation"]
}

/// The component that provides this capability, or null.
pub fn component<'a>(team: &'a Value, capability: &str) -> &'a Value {
    let components = team["status"]["components"].as_array();
    components.into_iter().flatten().find(|component| component["capability"] == capability).unwrap_or(&Value::Null)
}

/// What a status tells, for messages.
pub fn summary(team: &Value) -> String {
    let conditions = team["status"]["conditions"].as_array().into_iter().flatten();
    let conditions: Vec<_> = conditions
        .map(|condition| {
            format!("{}={} {}: {}", condition["type"], condition["status"], condition["reason"], condition["message"])
        })
        .collect();
    let generations = (&team["metadata"]["generation"], &team["status"]["observedGeneration"]);
    format!("generation {} of {}; {}", generations.1, generations.0, conditions.join("; "))
}

/// What holds of a status whenever it is seen (kstatus, and the API conventions).
pub fn obeys_the_rules(team: &Value) {
    let observed = &team["status"]["observedGeneration"];
    let is = |type_: &str| condition(team, type_)["status"] == "True";
    let summary = summary(team);
    assert!(!(is("Reconciling") && is("Stalled")), "both Reconciling and Stalled: {summary}");
    assert!(!is("Ready") || !(is("Reconciling") || is("Stalled")), "ready, and yet not: {summary}");
    for type_ in ["Reconciling", "Stalled"] {
        let condition = condition(team, type_);
        assert!(
            condition.is_null() || condition["status"] == "True",
            "{type_} stands only while it is true: {summary}"
        );
    }
    assert!(observed.is_i64(), "observedGeneration is always there: {summary}");
    assert!(observed.as_i64() <= team["metadata"]["generation"].as_i64(), "{summary}");
    for condition in team["status"]["conditions"].as_array().into_iter().flatten() {
        let of = &condition["observedGeneration"];
        // While a team is held, what was not judged anew keeps the generation of its judgement.
        let of_whole = ["Ready", "Reconciling", "Stalled"].iter().any(|type_| condition["type"] == *type_);
        assert!(of.as_i64() <= observed.as_i64(), "a condition is ahead of the status: {summary}");
        assert!(of == observed || !(of_whole || is("Ready")), "a condition speaks of another generation: {summary}");
    }
    if *observed == json!(-1) {
        assert!(condition(team, "Ready").is_null(), "unseen, and yet judged: {summary}");
    } else {
        assert!(!condition(team, "Ready").is_null(), "seen, and not judged: {summary}");
        assert!(
            is("Ready") || is("Reconciling") || is("Stalled"),
            "not ready, and no word on how it goes on: {summary}"
        );
    }
}
