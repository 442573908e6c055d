//! How events of a watch change a collection, and which changes its listener gets.

use std::sync::Mutex;

use serde_json::json;

use super::*;

type Event = watcher::Event<Lean>;

fn event(name: &str, spec: &Value) -> Lean {
    json!({
        "apiVersion": "strata-operator.dev/v1alpha1", "kind": "Blueprint", "spec": spec,
        "metadata": {
            "name": name, "uid": name, "generation": 3, "labels": {"of": "others"},
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "long", "strata-operator.dev/x": "ours"},
            "managedFields": [{"manager": "strata-status", "operation": "Apply", "subresource": "status"}],
        },
    })
    .into()
}

/// Follows these events, and says for each change what there was and what there is.
fn followed(events: Vec<Event>) -> (Collection<Blueprint>, Vec<String>) {
    let collection = Collection::default();
    let changes = Mutex::new(Vec::new());
    let word = |known: Option<&Known<Blueprint>>| match known {
        None => "nothing",
        Some(Ok(_)) => "something",
        Some(Err(_)) => "unreadable",
    };
    let tell = |change: &Change<'_, Blueprint>| {
        assert!(!change.others);
        changes.lock().unwrap().push(format!("{}: {} {}", change.key, word(change.before), word(change.after)));
    };
    let keep = |object: Lean| incoming(&object, parsed::<Blueprint>);
    let mut reader = Reader::new(&collection, keep, tell);
    for event in events {
        reader.take(watch::Change::Event(event));
    }
    drop(reader);
    (collection, changes.into_inner().unwrap())
}

#[test]
fn a_list_is_compared_with_what_was_there() {
    let site = || event("site", &json!({}));
    let (collection, changes) = followed(vec![
        Event::Init,
        Event::InitApply(site()),
        Event::InitApply(event("old", &json!({}))),
        Event::InitDone,
        Event::Init,
        Event::InitApply(site()),
        Event::InitDone,
        Event::Delete(site()),
        Event::Delete(site()),
    ]);
    let expected = ["site: nothing something", "old: nothing something", "site: something something"];
    assert_eq!(changes, [&expected[..], &["old: something nothing", "site: something nothing"]].concat());
    assert!(collection.synced() && collection.names().is_empty());
}

#[test]
fn what_cannot_be_read_is_kept_as_that() {
    let broken = event("site", &json!({"archetype": "Unheard"}));
    let (collection, changes) = followed(vec![Event::Init, Event::InitApply(broken), Event::InitDone]);
    assert_eq!(changes, ["site: nothing unreadable"]);
    let unreadable = collection.get("site").unwrap().unwrap_err();
    assert_eq!((unreadable.metadata.uid.as_deref(), unreadable.metadata.generation), (Some("site"), Some(3)));
    assert!(unreadable.error.contains("Unheard"), "{}", unreadable.error);
}

#[test]
fn only_what_is_read_is_kept() {
    let (collection, _) = followed(vec![Event::Apply(event("site", &json!({})))]);
    let metadata = collection.get("site").unwrap().unwrap().metadata.clone();
    let annotations: Vec<String> = metadata.annotations.into_iter().flatten().map(|(name, _)| name).collect();
    assert_eq!(annotations, ["strata-operator.dev/x"]);
    assert!(metadata.managed_fields.is_none() && metadata.labels.is_none());
}

#[test]
fn of_a_run_it_is_kept_whether_a_tool_tracks_it() {
    let kept = |kind: &str| {
        let object: Lean = json!({
            "apiVersion": "strata-operator.dev/v1alpha1", "kind": kind, "spec": {"pipeline": "p"},
            "metadata": {"name": "x", "labels": {"of": "others", "helm.toolkit.fluxcd.io/name": "long"},
                "annotations": {"argocd.argoproj.io/tracking-id": "long", "of": "others"}},
        })
        .into();
        let incoming = incoming(&object, |value| {
            serde_json::from_value::<kube::api::DynamicObject>(value.clone()).map_err(|error| error.to_string())
        });
        let metadata = incoming.object.unwrap().metadata.clone();
        [metadata.labels, metadata.annotations].map(|all| json!(all))
    };
    let only = |name: &str| json!({name: ""});
    assert_eq!(kept("Run"), [only("helm.toolkit.fluxcd.io/name"), only("argocd.argoproj.io/tracking-id")]);
    assert_eq!(kept("Pipeline"), [Value::Null, Value::Null]);
}

#[test]
fn a_status_with_unknown_words_hides_no_spec() {
    let team = json!({"apiVersion": "strata-operator.dev/v1alpha1", "kind": "AITeam", "metadata": {"name": "a"}, "spec": {},
        "status": {"components": [{"capability": "Telepathy"}]}});
    let read = parsed::<crate::api::AITeam>(&team).unwrap();
    assert_eq!(read.status, None);
    let mut unknown = team;
    unknown["spec"] = json!({"deletionPolicy": "Shred"});
    assert!(parsed::<crate::api::AITeam>(&unknown).is_err());
}
