//! Which runs go when their time is over, and who says that one stays.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::*;
use crate::api::{AITeam, BlueprintSpec};
use crate::cluster::apply::Outcome;
use crate::cluster::fake_api::{Asked, client};
use crate::cluster::store::Change;
use crate::engine::Catalogue;
use crate::plan::{Facts, plan};
use crate::reconcile::snapshot::TeamSnapshot;
use crate::telemetry::metrics::Metrics;

#[test]
fn it_sleeps_until_the_next_is_due_and_not_for_too_long() {
    let now = Timestamp::from_millisecond(10_250).unwrap();
    assert_eq!(pause(15, now), Duration::from_millis(4750));
    assert_eq!(pause(9, now), SETTLE);
    assert_eq!(pause(i64::MAX, now), LONGEST);
}

/// What was asked, as method and last part of the path, and how often.
type Counts = Arc<Mutex<BTreeMap<String, usize>>>;

/// A team `abc` with a project `p`, and an API server that refuses deletions of what is
/// called `held-...`.
fn scene() -> (Arc<Context>, Counts) {
    let counts = Counts::default();
    let counted = Arc::clone(&counts);
    let client = client(move |asked: Asked| {
        let name = asked.path.trim_end_matches("/status").rsplit('/').next().unwrap_or_default().to_owned();
        *counted.lock().unwrap().entry(format!("{} {name}", asked.method)).or_default() += 1;
        async move {
            let object = json!({"apiVersion": "strata-operator.dev/v1alpha1", "kind": "Run",
                "metadata": {"name": name, "namespace": "abc--p", "uid": name, "resourceVersion": "9"}});
            (if asked.method == "DELETE" && name.starts_with("held-") { 403 } else { 200 }, object)
        }
    });
    let context = Context::new(client, "test".to_owned(), Arc::new(Metrics::default()), Duration::from_secs(200), None);
    let team = AITeam::new("abc", serde_saphyr::from_str("{projects: [{name: p}]}").unwrap());
    let planned = plan(&team, &Facts::offline(&BlueprintSpec::default(), &Catalogue::builtin())).unwrap();
    context.keep_snapshot("abc", TeamSnapshot::planned(&team, planned, &Outcome::default()));
    (context, counts)
}

/// A run that ended long ago, and whose time is over.
fn ended(context: &Context, name: &str, annotations: &Value) -> WorkId {
    let run = json!({
        "metadata": {"name": name, "namespace": "abc--p", "uid": name, "resourceVersion": "1", "generation": 1,
            "annotations": annotations},
        "spec": {"pipeline": "x", "ttlSecondsAfterFinished": 0},
        "status": {"state": "Succeeded", "completionTime": "2020-01-01T00:00:00Z", "observedGeneration": 1},
    });
    let known = Ok(Arc::new(Object::read(WorkKind::Run, &run).unwrap()));
    let key = format!("abc--p/{name}");
    context.store.work.take(&Change { key: &key, before: None, after: Some(&known), others: false, first: false });
    context.store.work_objects(WorkKind::Run).set(&key, known);
    WorkId { kind: WorkKind::Run, namespace: "abc--p".to_owned(), name: name.to_owned() }
}

#[tokio::test(start_paused = true)]
async fn runs_that_cannot_be_deleted_hold_up_no_others() {
    let (context, counts) = scene();
    for number in 0..AT_ONCE + 40 {
        // By their names these come first.
        ended(&context, &format!("held-{number:03}"), &Value::Null);
    }
    for number in 0..3 {
        ended(&context, &format!("other-{number}"), &Value::Null);
    }
    let asked = |of: &str| -> Vec<usize> {
        let counts = counts.lock().unwrap();
        counts.iter().filter(|(what, _)| what.contains(of)).map(|(_, count)| *count).collect()
    };
    assert_eq!(reconcile(&context, "abc").await.unwrap(), Some(SETTLE), "the rest of a burst is next");
    assert!(asked("other-").is_empty());
    let next = reconcile(&context, "abc").await.unwrap();
    assert_eq!(asked("other-"), [1, 1, 1]);
    // Each was tried once, and none is tried again at once.
    assert_eq!(asked("held-"), [1; AT_ONCE + 40]);
    assert!(next.is_some_and(|next| next > SETTLE), "{next:?}");
    tokio::time::advance(Duration::from_secs(61)).await;
    reconcile(&context, "abc").await.unwrap();
    let again = asked("held-").into_iter().filter(|count| *count == 2).count();
    assert!(again > 0 && again < AT_ONCE, "{again}");
}

#[tokio::test(start_paused = true)]
async fn that_a_run_stays_is_written_once_and_by_its_own_pass() {
    let (context, counts) = scene();
    let id = ended(&context, "tracked", &json!({"argocd.argoproj.io/tracking-id": "x"}));
    reconcile(&context, "abc").await.unwrap();
    assert!(counts.lock().unwrap().is_empty(), "the expiry writes no status: {counts:?}");
    assert_eq!(context.queue.next().await, Request::Work(id.clone()));
    for _ in 0..3 {
        crate::reconcile::work::reconcile(&context, &id).await.unwrap();
    }
    assert_eq!(*counts.lock().unwrap(), BTreeMap::from([("PATCH tracked".to_owned(), 1)]));
}
