//! What is reported of a `Dataset`: its settings, and whether its volume is there.

use super::daily::Judged;
use crate::api::Reason;
use crate::api::daily::Dataset;
use crate::api::daily::dataset::DatasetStatus;
use crate::api::status::bounded;
use crate::error::Failure;
use crate::plan::daily::Detail;
use crate::plan::daily::dataset::waits_for_use;

/// The longest value of a setting that a status holds.
const VALUE: usize = 1024;

/// The status of a `Dataset`.
#[must_use]
pub fn status(object: &Dataset, judged: &Judged<'_>) -> DatasetStatus {
    let before = object.status.clone().unwrap_or_default();
    let generation = object.metadata.generation.unwrap_or_default();
    // One that is held gives no settings: another may answer for them.
    let (connections, claim) = match &judged.plan.draft.detail {
        Detail::Dataset { connections, claim } => (connections.clone(), claim.clone()),
        _ => Default::default(),
    };
    let claim = claim.or_else(|| before.claim.clone());
    let ready = judged.trouble().map_or_else(
        || Ok((Reason::Ready, fine(object, connections.keys().map(String::as_str)))),
        |failure| Err(waiting(failure, claim.as_deref(), judged)),
    );
    DatasetStatus {
        observed_generation: Some(generation),
        conditions: judged.conditions(&before.conditions, generation, &ready, Vec::new()),
        connections: connections.into_iter().map(|(name, value)| (name, bounded(value, VALUE))).collect(),
        claim,
        engine: judged.engine(),
    }
}

fn fine<'a>(object: &Dataset, settings: impl Iterator<Item = &'a str>) -> String {
    let names = settings.collect::<Vec<_>>().join(", ");
    match &object.spec.volume {
        Some(volume) => format!("a volume of {}, found by {names}", volume.size.0),
        None => format!("found by {names}"),
    }
}

/// That a volume is not bound is no failure while nobody has used it.
fn waiting(failure: Failure, claim: Option<&str>, judged: &Judged<'_>) -> Failure {
    let live = claim.and_then(|claim| (judged.live)("PersistentVolumeClaim", claim));
    match (claim, live) {
        (Some(claim), Some(live)) if failure.reason == Reason::Progressing && waits_for_use(&live) => Failure::new(
            Reason::Progressing,
            format!("volume {claim} is not bound yet: with most storage classes it is when the first pod uses it"),
        ),
        _ => failure,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::plan::daily::Object;
    use crate::plan::daily::fixtures::{Scene, dataset};
    use crate::status::fixtures::{ready, reported};

    fn told(namespace: &str, spec: &str, claim: &Value) -> (DatasetStatus, String) {
        let scene = Scene::new().dataset("fraud--shared", "cards", "{uri: 's3://cards'}");
        let scene =
            if claim.is_null() { scene } else { scene.live("PersistentVolumeClaim", "dataset-big", claim.clone()) };
        let object = Object::Dataset(Box::new(dataset(namespace, "big", 0, spec)));
        let status: DatasetStatus = reported(&scene, namespace, "big", &object, &[]);
        let said = ready(&status.conditions);
        (status, said)
    }

    #[test]
    fn data_by_address_is_there_at_once() {
        let (status, said) = told("fraud--shared", "{uri: 's3://big', splits: {train: a}}", &Value::Null);
        assert_eq!(said, "True Ready found by DATASET_BIG_TRAIN, DATASET_BIG_URI");
        assert_eq!(status.connections["DATASET_BIG_TRAIN"], "s3://big/a");
        assert_eq!((status.claim, status.engine.unwrap().name.as_str()), (None, "references"));
    }

    #[test]
    fn a_volume_is_ready_when_it_is_bound() {
        let claim = |phase: &str| json!({"metadata": {"name": "dataset-big"}, "status": {"phase": phase}});
        for (live, expected) in [
            (claim("Bound"), "True Ready a volume of 10Gi, found by DATASET_BIG_PATH"),
            (
                claim("Pending"),
                "False Progressing volume dataset-big is not bound yet: with most storage classes it is when the first pod uses it",
            ),
            (
                claim("Lost"),
                "False EngineFailing PersistentVolumeClaim dataset-big: the volume that it was bound to is gone",
            ),
            (Value::Null, "False Progressing PersistentVolumeClaim (volume) is not there yet"),
        ] {
            let (status, said) = told("fraud--chargeback", "{volume: {size: 10Gi}}", &live);
            assert_eq!(said, expected);
            assert_eq!(status.claim.as_deref(), Some("dataset-big"));
        }
    }

    #[test]
    fn a_dataset_that_is_held_gives_no_settings() {
        let (status, said) = told("fraud--shared", "{volume: {size: 10Gi}}", &Value::Null);
        assert!(said.starts_with("False Invalid a volume is readable in its own namespace alone"), "{said}");
        assert!(status.connections.is_empty());
    }
}
