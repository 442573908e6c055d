//! A member's object under test: its state, what was written for it, and
//! the small specs that several files ask for. Whatever is seen of its status on
//! the way is held against the rules of status, in every test.

use harness::{Pods, wait};
use serde_json::{Value, json};

use crate::actor::{Actor, Answer, collection, path};
use crate::team::{PATIENCE, Team, condition, is_observed, obeys_the_rules, summary};

/// A member's object.
pub struct Work<'a> {
    pub team: &'a Team,
    pub kind: &'static str,
    /// The end of its namespace's name.
    pub end: String,
    pub name: String,
}

impl<'a> Work<'a> {
    /// One that does not exist yet.
    pub fn named(team: &'a Team, kind: &'static str, end: &str, name: &str) -> Self {
        Self { team, kind, end: end.into(), name: name.into() }
    }

    /// A new one, made by an administrator.
    pub async fn create(team: &'a Team, kind: &'static str, end: &str, name: &str, spec: Value) -> Self {
        let work = Self::named(team, kind, end, name);
        work.write(&team.admin, spec).await.unwrap_or_else(|refused| panic!("{kind} {name}: {refused:?}"));
        work
    }

    /// Makes it, as somebody.
    pub async fn write(&self, who: &Actor, spec: Value) -> Answer {
        let object = json!({
            "apiVersion": "strata-operator.dev/v1alpha1", "kind": self.kind, "spec": spec,
            "metadata": {"name": self.name, "namespace": self.team.space(&self.end)},
        });
        // Rights and admission policies follow a new namespace within a moment.
        let asked = wait::until(format!("{} {} is taken or refused", self.kind, self.name), 20, async || {
            match who.create(&object).await {
                Err(refused) if refused.code == 403 && refused.message.contains("cannot create resource") => {
                    Err(refused.message)
                }
                answer => Ok(answer),
            }
        });
        asked.await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Where it is.
    pub fn path(&self) -> String {
        self.team.object(self.kind, &self.end, &self.name)
    }

    /// Where one of the objects written for it is.
    pub fn child(&self, kind: &str, name: &str) -> String {
        self.team.object(kind, &self.end, name)
    }

    /// The label by which what is written for it names it.
    fn label(&self) -> String {
        let words = self.kind.char_indices().map(|(place, letter)| {
            let hyphen = if place > 0 && letter.is_uppercase() { "-" } else { "" };
            format!("{hyphen}{}", letter.to_lowercase())
        });
        words.collect()
    }

    /// Its pods, for the harness.
    pub fn pods_named(&self, prefix: &str) -> Pods {
        Pods::of(&self.team.space(&self.end), &self.label(), &self.name).named(prefix)
    }

    /// What of this kind was written for it.
    pub async fn written(&self, kind: &str) -> Vec<Value> {
        let label = format!("strata-operator.dev/{}={}", self.label(), self.name);
        let list = collection(kind, Some(&self.team.space(&self.end)));
        self.team.admin.list(&format!("{list}?labelSelector={label}")).await
    }

    /// The object.
    pub async fn get(&self) -> Value {
        let object = self.team.admin.get(&self.path()).await;
        let object = object.unwrap_or_else(|refused| panic!("{}: {refused:?}", self.path()));
        obeys_the_rules(&object);
        object
    }

    /// Changes the spec (a merge patch).
    pub async fn edit(&self, spec: Value) {
        let changed = self.team.admin.merge(&self.path(), &json!({"spec": spec})).await;
        changed.unwrap_or_else(|refused| panic!("{}: {refused:?}", self.path()));
    }

    /// Waits until it is as it should be, in its present generation.
    pub async fn until(&self, what: &str, good: impl Fn(&Value) -> bool) -> Value {
        let good = &good;
        let waited = wait::until(format!("{} {}: {what}", self.kind, self.name), PATIENCE, async || {
            self.team.stage.operator.check().map_err(|error| error.to_string())?;
            let object = self.get().await;
            if is_observed(&object) && good(&object) { Ok(object) } else { Err(seen(&object)) }
        });
        waited.await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Waits until it is ready.
    pub async fn until_ready(&self) -> Value {
        self.until("is ready", |object| condition(object, "Ready")["status"] == "True").await
    }

    /// Waits until its status has this state.
    pub async fn until_state(&self, state: &str) -> Value {
        self.until(&format!("is {state}"), |object| object["status"]["state"] == state).await
    }

    /// Waits until it is not ready, for this reason, and the message says all of these.
    pub async fn until_not_ready(&self, reason: &str, words: &[&str]) -> Value {
        let what = format!("is not ready: {reason}, {words:?}");
        self.until(&what, |object| {
            let ready = condition(object, "Ready");
            let message = ready["message"].as_str().unwrap_or_default();
            ready["status"] == "False" && ready["reason"] == reason && words.iter().all(|word| message.contains(word))
        })
        .await
    }

    /// Deletes it, and waits until it is gone.
    pub async fn delete(&self) {
        self.team.admin.delete(&self.path()).await.expect("it is deleted");
        self.team.until_missing(&self.path()).await;
    }

    /// Waits until one of the objects written for it is gone.
    pub async fn until_missing(&self, kind: &str, name: &str) {
        self.team.until_missing(&self.child(kind, name)).await;
    }

    /// Waits until one of the objects written for it is there and as it should be.
    pub async fn until_there(&self, kind: &str, name: &str, good: impl Fn(&Value) -> bool) -> Value {
        self.team.until_there(&self.child(kind, name), good).await
    }

    /// Its UID, or that of an object written for it.
    pub async fn uid(&self, kind: &str, name: &str) -> Value {
        self.team.admin.get(&self.child(kind, name)).await.expect("it is there")["metadata"]["uid"].clone()
    }
}

/// State, conditions and what else a status tells, for messages.
fn seen(object: &Value) -> String {
    let mut status = object["status"].clone();
    status["conditions"] = Value::Null;
    format!("{}; {status}", summary(object))
}

/// A component of Shared that takes a parameter and nothing else.
pub async fn component<'a>(team: &'a Team, name: &str) -> Work<'a> {
    let spec = json!({
        "image": "scipy", "command": ["python", "-m", name], "args": ["--epochs=$(epochs)"],
        "parameters": [{"name": "epochs", "default": "3"}],
    });
    Work::create(team, "Component", "shared", name, spec).await
}

/// Three components, and a pipeline of them in the Workspace.
pub async fn pipeline<'a>(team: &'a Team, name: &str, more: &Value) -> Work<'a> {
    for step in ["generate", "train", "evaluate"] {
        let there = path("Component", &team.space("shared"), step);
        if team.admin.find(&there).await.is_none() {
            component(team, step).await;
        }
    }
    let mut spec = json!({
        "parameters": [{"name": "epochs", "default": "5"}],
        "steps": [
            {"component": "generate"},
            {"component": "train", "arguments": {"epochs": "$(epochs)"}},
            {"component": "evaluate"},
        ],
    });
    for (field, value) in more.as_object().into_iter().flatten() {
        spec[field] = value.clone();
    }
    Work::create(team, "Pipeline", "first", name, spec).await
}

/// A run of a pipeline of the Workspace.
pub async fn run<'a>(team: &'a Team, name: &str, pipeline: &str) -> Work<'a> {
    Work::create(team, "Run", "first", name, json!({"pipeline": pipeline})).await
}

/// A model in production, out of the registry.
pub fn served(version: &str) -> Value {
    json!({"model": {"name": "score", "version": version}, "runtime": "mlflow", "customers": ["checkout"], "replicas": {"max": 1}})
}

/// A workbench of ana, small.
pub fn of_ana() -> Value {
    json!({"owner": "ana@example.com", "image": "scipy", "storage": "1Gi"})
}
