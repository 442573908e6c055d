//! Who is woken by what, and above all who is not.

use std::time::Duration;

use serde_json::{Value, json};

use std::collections::BTreeSet;

use super::*;
use crate::api::status::{Finding, READY, conditions};
use crate::api::{AITeamStatus, BlueprintSpec, Reason};
use crate::cluster::store::Unreadable;
use crate::engine::Catalogue;
use crate::plan::Facts;
use crate::reconcile::snapshot::TeamSnapshot;
use crate::telemetry::metrics::Metrics;

fn triggers() -> Triggers {
    let config = kube::Config::new("http://127.0.0.1:1".parse().unwrap());
    let client = kube::Client::try_from(config).unwrap();
    Triggers(Context::new(client, "test".to_owned(), Arc::new(Metrics::default()), Duration::from_secs(200), None))
}

#[allow(clippy::unnecessary_wraps, reason = "a store keeps it so")]
fn known<K: serde::de::DeserializeOwned>(
    kind: &str,
    name: &str,
    generation: i64,
    spec: &Value,
    status: &Value,
) -> Known<K> {
    let object = json!({
        "apiVersion": "strata-operator.dev/v1alpha1", "kind": kind, "spec": spec, "status": status,
        "metadata": {"name": name, "uid": name, "generation": generation, "namespace": "a--p"},
    });
    Ok(Arc::new(serde_json::from_value(object).unwrap()))
}

#[allow(clippy::unnecessary_wraps, reason = "a store keeps it so")]
fn team(name: &str, spec: &Value) -> Known<AITeam> {
    known("AITeam", name, 1, spec, &Value::Null)
}

fn change<'a, K>(key: &'a str, before: Option<&'a Known<K>>, after: Option<&'a Known<K>>) -> Change<'a, K> {
    Change { key, before, after, others: false, first: false }
}

/// Everything that was woken.
async fn woken(triggers: &Triggers) -> Vec<Request> {
    let mut all = Vec::new();
    while let Ok(key) = tokio::time::timeout(Duration::from_secs(10), triggers.0.queue.next()).await {
        triggers.0.queue.done(&key, Ok(None));
        all.push(key);
    }
    all.sort();
    all
}

fn key(team: &str) -> Request {
    Request::Team(team.to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_status_of_ours_wakes_nobody() {
    let triggers = triggers();
    let ready = Finding::new(READY, true, Reason::Ready, "fine");
    let status = AITeamStatus {
        conditions: conditions(&[], &[ready], 1, &crate::reconcile::report::now()),
        ..Default::default()
    };
    let (before, after) = (team("a", &json!({})), known("AITeam", "a", 1, &json!({}), &json!(status)));
    triggers.team(&change("a", Some(&before), Some(&after)));
    // How many teams are ready is counted; that is all.
    assert_eq!(woken(&triggers).await, [Request::Readiness]);
    let of = |status: Value| known::<Blueprint>("Blueprint", "site", 1, &json!({}), &status);
    let (before, after) = (of(json!({"teams": 1})), of(json!({"teams": 2})));
    triggers.0.store.teams.set("a", team("a", &json!({"blueprint": "site"})));
    triggers.blueprint(&change("site", Some(&before), Some(&after)));
    let of = |status: Value| {
        let spec = json!({"capabilities": ["Queue"], "revision": "1"});
        known::<Engine>("Engine", "own", 1, &spec, &status)
    };
    triggers.engine(&change("own", Some(&of(json!({"teams": 1}))), Some(&of(json!({"teams": 2})))));
    assert!(woken(&triggers).await.is_empty());
    // What somebody else writes into a status is put back.
    let (before, after) = (of(json!({"teams": 1})), of(json!({"teams": 9})));
    triggers.engine(&Change { others: true, ..change("own", Some(&before), Some(&after)) });
    assert_eq!(woken(&triggers).await, [Request::Engine("own".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn a_blueprint_wakes_those_that_follow_it() {
    let triggers = triggers();
    for (name, blueprint) in [("a", "site"), ("b", "other"), ("c", "site")] {
        triggers.0.store.teams.set(name, team(name, &json!({"blueprint": blueprint})));
    }
    let of = |generation, spec: Value| known::<Blueprint>("Blueprint", "site", generation, &spec, &Value::Null);
    let (before, after) = (of(1, json!({})), of(2, json!({"archetype": "Research"})));
    let own = Request::Blueprint("site".to_owned());
    triggers.blueprint(&change("site", Some(&before), Some(&after)));
    assert_eq!(woken(&triggers).await, [key("a"), key("c"), own.clone()]);
    // One that is there and cannot be read any more is another Blueprint, too.
    let unreadable = Err(Arc::new(Unreadable { error: "no".to_owned(), ..Unreadable::default() }));
    triggers.blueprint(&change("site", Some(&after), Some(&unreadable)));
    assert_eq!(woken(&triggers).await, [key("a"), key("c"), own]);
    triggers.blueprint(&change("site", Some(&unreadable), Some(&unreadable)));
    assert!(woken(&triggers).await.is_empty());
}

fn stand(triggers: &Triggers, name: &str, spec: &str, site: &str) {
    let team = AITeam::new(name, serde_saphyr::from_str(spec).unwrap());
    let site: BlueprintSpec = serde_saphyr::from_str(site).unwrap();
    let catalogue = Catalogue::builtin();
    let facts = Facts::offline(&site, &catalogue);
    let plan = crate::plan::plan(&team, &facts).unwrap();
    let looked_at = crate::plan::choice::looked_at(&team.spec, &facts);
    let snapshot = TeamSnapshot::planned(&team, plan, &crate::cluster::apply::Outcome::default());
    triggers.0.keep_snapshot(name, snapshot.looked_at(looked_at, BTreeSet::new()));
}

#[tokio::test(start_paused = true)]
async fn an_engine_wakes_those_whose_plan_looked_at_it() {
    let triggers = triggers();
    stand(&triggers, "plain", "{shared: {experiments: {}}}", "{}");
    stand(&triggers, "named", "{shared: {experiments: {engine: own}}}", "{}");
    stand(
        &triggers,
        "site",
        "{shared: {featureStore: {}}}",
        "{engines: {prefer: [{capability: FeatureStore, engines: [own, feast]}]}}",
    );
    stand(&triggers, "bench", "{}", "{engines: {prefer: [{capability: Notebook, engines: [own]}]}}");
    let own = known::<Engine>("Engine", "own", 1, &json!({"capabilities": ["Queue"], "revision": "1"}), &Value::Null);
    triggers.engine(&change("own", None, Some(&own)));
    let dependents = |team: &str| Request::Dependents(team.to_owned());
    let expected = [
        key("named"),
        key("site"),
        Request::Engine("own".to_owned()),
        dependents("bench"),
        dependents("named"),
        dependents("site"),
    ];
    assert_eq!(woken(&triggers).await, expected);
    triggers.engine(&change("unused", None, Some(&own)));
    assert_eq!(woken(&triggers).await, [Request::Engine("unused".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn a_definition_wakes_those_whose_engines_speak_of_it() {
    let triggers = triggers();
    stand(&triggers, "plain", "{shared: {experiments: {}}}", "{}");
    stand(&triggers, "named", "{shared: {experiments: {engine: own}}}", "{}");
    let spec = json!({"capabilities": ["Experiments"], "revision": "1",
        "requires": [{"group": "example.com", "kind": "Widget", "versions": ["v1"]}]});
    triggers.0.store.engines.set("own", known("Engine", "own", 1, &spec, &Value::Null));
    triggers.0.store.compile();
    let definition = |kind: &str, served: &[&str]| -> Known<Definition> {
        let served = served.iter().map(|version| (*version).to_owned()).collect();
        let (group, kind) = ("example.com".to_owned(), kind.to_owned());
        Ok(Arc::new(Definition { group, kind, served, established: true, ..Definition::default() }))
    };
    let (gadget, widget) = (definition("Gadget", &["v1"]), definition("Widget", &["v1"]));
    triggers.definition(&change("gadgets", None, Some(&gadget)));
    triggers.definition(&change("widgets", Some(&widget), Some(&widget)));
    assert!(woken(&triggers).await.is_empty());
    triggers.definition(&change("widgets", Some(&widget), Some(&definition("Widget", &["v1", "v2"]))));
    assert_eq!(woken(&triggers).await, [key("named"), Request::Dependents("named".to_owned())]);
}

#[allow(clippy::unnecessary_wraps, reason = "a store keeps it so")]
fn object(kind: WorkKind, generation: i64, spec: &Value, status: &Value) -> Known<Object> {
    let object = json!({"spec": spec, "status": status,
        "metadata": {"name": "x", "uid": "x", "namespace": "a--p", "generation": generation}});
    Ok(Arc::new(Object::read(kind, &object).unwrap()))
}

#[tokio::test(start_paused = true)]
async fn objects_follow_their_spec_and_their_status_wakes_the_team() {
    let triggers = triggers();
    let kind = WorkKind::Component;
    let of = |image: &str, generation| object(kind, generation, &json!({"image": image}), &Value::Null);
    let own = Request::Work(id(kind, "a--p/x").unwrap());
    let dependents = Request::Dependents("a".to_owned());
    triggers.work(kind, &change("a--p/x", None, Some(&of("scipy", 1))));
    assert_eq!(woken(&triggers).await, [key("a"), dependents.clone(), own.clone()]);
    triggers.work(kind, &change("a--p/x", Some(&of("scipy", 1)), Some(&of("torch", 2))));
    assert_eq!(woken(&triggers).await, [dependents.clone(), own]);
    // What we report of it, its team tells; nobody else is concerned.
    let ready = Finding::new(READY, true, Reason::Ready, "fine");
    let status =
        json!({"observedGeneration": 2, "conditions": conditions(&[], &[ready], 2, &crate::reconcile::report::now())});
    let reported = object(kind, 2, &json!({"image": "torch"}), &status);
    triggers.work(kind, &change("a--p/x", Some(&of("torch", 2)), Some(&reported)));
    assert_eq!(woken(&triggers).await, [key("a")]);
    triggers.work(kind, &change("a--p/x", Some(&reported), Some(&reported)));
    assert!(woken(&triggers).await.is_empty());
    // What is gone is looked for by those that named it.
    triggers.work(kind, &change("a--p/x", Some(&reported), None));
    assert_eq!(woken(&triggers).await, [key("a"), dependents]);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_over_is_not_looked_at_again() {
    let triggers = triggers();
    let kind = WorkKind::Run;
    let spec = json!({"pipeline": "p"});
    let over = json!({"observedGeneration": 1, "state": "Succeeded", "completionTime": "2026-11-01T00:00:00Z"});
    let over = object(kind, 1, &spec, &over);
    triggers.0.store.work_objects(kind).set("a--p/x", over.clone());
    triggers.work(kind, &change("a--p/x", None, Some(&over)));
    dependents::all_of(&triggers.0, "a");
    // That it ended may make an older one's Job one too many, and it may be the next to be deleted.
    assert_eq!(woken(&triggers).await, [Request::Dependents("a".to_owned()), Request::Expiry("a".to_owned())]);
    triggers.work(kind, &change("a--p/x", Some(&over), Some(&over)));
    assert!(woken(&triggers).await.is_empty());
    let going = object(kind, 1, &spec, &json!({"observedGeneration": 1, "state": "Running", "job": "run-x"}));
    triggers.0.store.work_objects(kind).set("a--p/x", going);
    dependents::all_of(&triggers.0, "a");
    assert_eq!(woken(&triggers).await, [Request::Work(id(kind, "a--p/x").unwrap())]);
}

#[tokio::test(start_paused = true)]
async fn whose_a_volume_is_concerns_those_who_mount_it() {
    let triggers = triggers();
    let kind = WorkKind::Dataset;
    let of = |status: Value| object(kind, 1, &json!({"volume": {"size": "1Gi"}}), &status);
    let conflict = Finding::new(READY, false, Reason::Conflict, "taken");
    let conditions = conditions(&[], &[conflict], 1, &crate::reconcile::report::now());
    let (bare, own) = (of(Value::Null), of(json!({"volume": "u"})));
    let taken = of(json!({"volume": "u", "conditions": conditions}));
    let dependents = Request::Dependents("a".to_owned());
    for (before, after, concerned) in
        [(&bare, &own, true), (&own, &own, false), (&own, &taken, true), (&taken, &own, true)]
    {
        triggers.work(kind, &change("a--p/x", Some(before), Some(after)));
        assert_eq!(woken(&triggers).await.contains(&dependents), concerned);
    }
}

#[tokio::test(start_paused = true)]
async fn settings_are_published_before_the_dataset_reports_them() {
    let triggers = triggers();
    let kind = WorkKind::Dataset;
    let of = |status: Value| object(kind, 1, &json!({"uri": "s3://a"}), &status);
    let settings = json!({"DATASET_X_URI": "s3://a"});
    let ready = Finding::new(READY, true, Reason::Ready, "fine");
    let conditions = conditions(&[], &[ready], 1, &crate::reconcile::report::now());
    let bare = of(json!({"observedGeneration": 1}));
    let given = of(json!({"observedGeneration": 1, "connections": settings}));
    let settled = of(json!({"observedGeneration": 1, "connections": settings, "conditions": conditions}));
    let waits = async |before: &Known<Object>, after: Option<&Known<Object>>| {
        let begun = tokio::time::Instant::now();
        triggers.work(kind, &change("a--p/x", Some(before), after));
        loop {
            let next = triggers.0.queue.next().await;
            triggers.0.queue.done(&next, Ok(None));
            if next == key("a") {
                return begun.elapsed();
            }
        }
    };
    let (soon, later) = (waits(&bare, Some(&given)).await, waits(&given, Some(&settled)).await);
    assert!(soon * 5 < later, "{soon:?} and {later:?}");
    let gone = waits(&settled, None).await;
    assert!(gone * 5 < later, "{gone:?} and {later:?}");
}
