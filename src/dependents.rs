//! Who has to look again when an object of daily work changes: itself, those
//! that refer to it, and its team.
//!
//! It says who, never why, and asks nobody.

use serde_json::{Value, json};

use crate::api::daily::DailyKind;
use crate::plan::daily::DailyId;
use crate::queue::{Key, Queue};
use crate::store::Store;
use crate::watch::team_of;

/// The object that the store keeps under this name.
#[must_use]
pub fn id(kind: DailyKind, key: &str) -> Option<DailyId> {
    let (namespace, name) = key.split_once('/')?;
    Some(DailyId { kind, namespace: namespace.to_owned(), name: name.to_owned() })
}

/// Wakes everybody whom the change concerns.
pub fn wake(store: &Store, queue: &Queue, id: &DailyId, before: Option<&Value>, now: Option<&Value>) {
    queue.add(Key::Daily(id.clone()));
    let Some(team) = team_of(&id.namespace) else { return };
    let meaning = |object: Option<&Value>| object.map(means);
    // One that is gone meant something, whatever is still known of it.
    if id.kind != DailyKind::Run && (now.is_none() || meaning(before) != meaning(now)) {
        queue.add_summary(team);
    }
    let is_same = before.is_some() && before.map(content) == now.map(content);
    if is_same && id.kind != DailyKind::Run {
        return;
    }
    for dependent in dependents(store, id, team) {
        queue.add(Key::Daily(dependent));
    }
}

/// What of an object a team tells.
fn means(object: &Value) -> Value {
    let status = &object["status"];
    let conditions = status["conditions"].as_array().into_iter().flatten();
    let conditions = conditions
        .map(|condition| json!([condition["type"], condition["status"], condition["reason"], condition["message"]]));
    json!({
        "conditions": conditions.collect::<Vec<_>>(), "deleted": object["metadata"]["deletionTimestamp"],
        "serving": [status["wanted"], status["serving"], status["digest"], status["endpoint"]],
        "connections": status["connections"], "schedule": object["spec"]["schedule"], "last": status["last"]["state"],
    })
}

/// What of an object others depend on.
fn content(object: &Value) -> Value {
    json!([object["spec"], object["metadata"]["deletionTimestamp"], object["metadata"]["uid"]])
}

fn dependents(store: &Store, id: &DailyId, team: &str) -> Vec<DailyId> {
    let everywhere = id.namespace == format!("{team}--shared");
    let all = |kind: DailyKind| -> Vec<(DailyId, std::sync::Arc<Value>)> {
        let Some(objects) = store.daily(kind) else { return Vec::new() };
        let found = if everywhere {
            objects.all().into_iter().filter(|(key, _)| key.starts_with(&format!("{team}--"))).collect()
        } else {
            let here = objects.of_namespace(&id.namespace).into_iter();
            here.map(|(name, object)| (format!("{}/{name}", id.namespace), object)).collect::<Vec<_>>()
        };
        found.into_iter().filter_map(|(key, object)| Some((self::id(kind, &key)?, object))).collect()
    };
    let ids = |kind: DailyKind| all(kind).into_iter().map(|(id, _)| id).collect::<Vec<_>>();
    let waiting = |pipeline: Option<&str>| {
        let runs = all(DailyKind::Run).into_iter();
        let waiting = runs.filter(|(_, run)| run["status"]["job"].is_null() && run["status"]["finished"].is_null());
        let of = waiting.filter(|(_, run)| pipeline.is_none_or(|name| run["spec"]["pipeline"] == name));
        of.map(|(id, _)| id).collect::<Vec<_>>()
    };
    match id.kind {
        DailyKind::Component => [ids(DailyKind::Pipeline), waiting(None), ids(DailyKind::ModelService)].concat(),
        DailyKind::Dataset => [
            ids(DailyKind::Dataset),
            ids(DailyKind::Component),
            ids(DailyKind::Workbench),
            ids(DailyKind::Pipeline),
            waiting(None),
            ids(DailyKind::ModelService),
        ]
        .concat(),
        DailyKind::Pipeline => waiting(Some(&id.name)),
        DailyKind::Run => finished_siblings(store, id),
        DailyKind::Workbench | DailyKind::ModelService => Vec::new(),
    }
    .into_iter()
    .filter(|dependent| dependent != id)
    .collect()
}

/// The runs of the same pipeline that ended and still have their Job: one of
/// them may be one too many now.
fn finished_siblings(store: &Store, id: &DailyId) -> Vec<DailyId> {
    let Some(own) = store.daily_object(id).filter(|own| own["status"]["finished"].is_string()) else {
        return Vec::new();
    };
    let Some(runs) = store.daily(DailyKind::Run) else { return Vec::new() };
    let ended = runs.of_namespace(&id.namespace).into_iter().filter(|(_, run)| {
        run["spec"]["pipeline"] == own["spec"]["pipeline"]
            && run["status"]["finished"].is_string()
            && run["status"]["job"].is_string()
    });
    ended.map(|(name, _)| DailyId { name, ..id.clone() }).collect()
}
