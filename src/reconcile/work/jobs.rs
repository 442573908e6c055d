//! The repair of Jobs: fields that other users can change while a Job runs are put back.
//!
//! An existing Job is never applied again, so nothing else restores its fields. An annotation
//! has the fields of its creation, because a later plan may have other values.

use serde_json::{Value, json};

use super::report;
use super::written::written_for;
use crate::api::identity::WorkId;
use crate::api::kinds::JOB_MUTABLE;
use crate::api::{ObjectKey, labels};
use crate::cluster::apply::Outcome;
use crate::cluster::cache::Entry;
use crate::cluster::cache::state::Workload;
use crate::plan::work::Object;
use crate::reconcile::context::Context;

/// Puts the changed fields of the object's Jobs back, with an Event for each. Jobs of a
/// `CronJob`, and Jobs of an earlier run of the same name, stay as they are.
pub async fn put_back(context: &Context, id: &WorkId, object: &Object, outcome: &mut Outcome) {
    let is_own = |key: &ObjectKey, entry: &Entry| {
        let controlled = entry.controller.is_none() || entry.controller == object.metadata().uid;
        key.built_in() == "Job" && entry.is_ours() && !entry.deleting && controlled
    };
    for (key, entry) in written_for(context, id).iter().filter(|(key, entry)| is_own(key, entry)) {
        let Some(live) = entry.state.workload().ok().flatten() else { continue };
        for (field, wanted) in changed(&live) {
            context.applier.set(key, field, &wanted, outcome).await;
            if outcome.failure(key).is_none() {
                let change = (field, live.spec(field), &wanted);
                report::repaired(context, id, object, key, change, entry.other_writer.as_deref());
            }
        }
    }
}

/// The fields that changed since the Job was created, with their original values.
fn changed(live: &Workload) -> Vec<(&'static str, Value)> {
    let created = live.annotation(labels::CREATED_AS).and_then(|text| serde_json::from_str::<Value>(text).ok());
    let Some(created) = created else {
        // A Job of an earlier version of Strata has no annotation. Without a pod it would never end.
        let stuck = *live.spec("parallelism") == 0;
        return stuck.then(|| ("parallelism", Value::from(1))).into_iter().collect();
    };
    // The spec did not change since the creation. Differences to the annotation are admission's.
    if live.generation() == Some(1) {
        return Vec::new();
    }
    let fields = JOB_MUTABLE.into_iter().filter_map(|field| Some((field, as_created(&created, field)?)));
    fields.filter(|(field, wanted)| live.spec(field) != wanted).collect()
}

/// The value of a field at the creation; none if Kubernetes set it.
fn as_created(created: &Value, field: &str) -> Option<Value> {
    match (field, &created[field]) {
        ("parallelism", Value::Null) => Some(json!(1)),
        ("backoffLimit" | "podReplacementPolicy", Value::Null) => None,
        (_, value) => Some(value.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(created: Option<&Value>, spec: &Value) -> Workload {
        let annotations = created.map(|created| json!({labels::CREATED_AS: created.to_string()}));
        Workload::of(json!({"metadata": {"generation": 2, "annotations": annotations}, "spec": spec}))
    }

    #[test]
    fn what_differs_from_the_creation_is_put_back() {
        let created = json!({"backoffLimit": 2, "activeDeadlineSeconds": 60});
        let same = json!({"backoffLimit": 2, "activeDeadlineSeconds": 60, "parallelism": 1, "suspend": true,
            "podReplacementPolicy": "Failed"});
        assert!(changed(&live(Some(&created), &same)).is_empty());
        let other = json!({"backoffLimit": 9, "parallelism": 0, "ttlSecondsAfterFinished": 0});
        let expected = [
            ("parallelism", json!(1)),
            ("backoffLimit", json!(2)),
            ("activeDeadlineSeconds", json!(60)),
            ("ttlSecondsAfterFinished", Value::Null),
        ];
        assert_eq!(changed(&live(Some(&created), &other)), expected);
    }

    #[test]
    fn admission_may_have_a_part_in_the_creation_of_a_job() {
        let annotations = json!({labels::CREATED_AS: "{}"});
        let of = |generation: i64| {
            let metadata = json!({"generation": generation, "annotations": annotations});
            changed(&Workload::of(
                json!({"metadata": metadata, "spec": {"parallelism": 1, "ttlSecondsAfterFinished": 60}}),
            ))
        };
        assert_eq!((of(1).len(), of(2).len()), (0, 1));
    }

    #[test]
    fn of_a_job_without_the_annotation_only_a_pod_is_put_back() {
        assert_eq!(changed(&live(None, &json!({"parallelism": 0, "backoffLimit": 9}))), [("parallelism", json!(1))]);
        assert!(changed(&live(None, &json!({"parallelism": 1, "ttlSecondsAfterFinished": 0}))).is_empty());
    }
}
