//! The status of a `Dataset`: its settings, and whether its volume exists.

use std::collections::BTreeMap;

use super::Judged;
use crate::api::work::Dataset;
use crate::api::work::dataset::DatasetStatus;
use crate::api::{Issue, Reason, labels};
use crate::objects::stores;
use crate::objects::stores::Claim;
use crate::plan::settings::{Side, bytes};
use crate::plan::volume::difference;
use crate::plan::work::Detail;
use crate::plan::work::dataset::{Reach, SETTLING, SHADOWED, too_large, waits_for_use};

/// The status of a `Dataset`.
#[must_use]
pub fn status(object: &Dataset, judged: &Judged<'_>) -> DatasetStatus {
    let before = object.status.clone().unwrap_or_default();
    let generation = object.metadata.generation.unwrap_or_default();
    // One that is held gives no settings: another may answer for them.
    let (connections, reach, claim) = match &judged.plan.draft.detail {
        Detail::Dataset { connections, reach, claim } => {
            (given(object, connections, judged), reach.clone(), claim.clone())
        }
        _ => Default::default(),
    };
    let claim = claim.or_else(|| before.claim.clone());
    let (volume, replaced) = volume(object, claim.as_deref(), judged);
    let ready = match replaced.or_else(|| judged.trouble()) {
        Some(failure) => Err(waiting(failure, claim.as_deref(), judged)),
        None => reached(object, &connections, &reach).map(|()| {
            let size = size(object, claim.as_deref(), judged).map(|advice| format!("; {advice}")).unwrap_or_default();
            (Reason::Ready, format!("{}{}{size}", fine(object, &connections), shadowed(&reach)))
        }),
    };
    DatasetStatus {
        observed_generation: Some(generation),
        conditions: judged.conditions(&before.conditions, generation, &ready, Vec::new()),
        connections,
        claim,
        volume,
        engine: judged.engine(),
    }
}

/// The settings to publish: those of a volume lead to its claim, so there are none while
/// the claim belongs to another owner.
fn given(object: &Dataset, settings: &BTreeMap<String, String>, judged: &Judged<'_>) -> BTreeMap<String, String> {
    let foreign = judged.failure.as_ref().is_some_and(|failure| failure.reason == Reason::Conflict);
    if object.spec.volume.is_some() && foreign { BTreeMap::new() } else { settings.clone() }
}

/// The UID of the claim that its data is on, and that what is there is another one.
fn volume(object: &Dataset, claim: Option<&str>, judged: &Judged<'_>) -> (Option<String>, Option<Issue>) {
    let before = object.status.as_ref().and_then(|status| status.volume.clone());
    let live = claim.and_then(|claim| Some((claim, (judged.live)("PersistentVolumeClaim", claim)?)));
    let Some((name, live)) = live.filter(|(_, live)| live["metadata"]["deletionTimestamp"].is_null()) else {
        return (before.filter(|_| claim.is_some()), None);
    };
    let Some(uid) = live["metadata"]["uid"].as_str().map(str::to_owned) else { return (before, None) };
    let accepted = live["metadata"]["annotations"][labels::ACCEPT_VOLUME].as_str().map(str::to_owned);
    let there = Claim { uid, accepted };
    let path = format!("{}/{name}", object.metadata.namespace.as_deref().unwrap_or_default());
    let message = before.as_ref().and_then(|before| stores::message(&path, before, &there));
    match message {
        Some(message) => (before, Some(Issue::new(Reason::VolumeReplaced, message))),
        None => (Some(there.uid), None),
    }
}

/// The difference between the size of the volume and the size that is asked for.
fn size(object: &Dataset, claim: Option<&str>, judged: &Judged<'_>) -> Option<String> {
    let (claim, wanted) = (claim?, &object.spec.volume.as_ref()?.size.0);
    let live = (judged.live)("PersistentVolumeClaim", claim)?;
    difference("spec.volume.size", wanted, claim, &live, judged.ungrown.as_deref())
}

/// A dataset is ready when its settings are published.
fn reached(object: &Dataset, connections: &BTreeMap<String, String>, reach: &Reach) -> Result<(), Issue> {
    if !reach.too_large.is_empty() {
        let own = reach.too_large.first() == object.metadata.namespace.as_ref();
        let side = if own { Side::Own } else { Side::Shared };
        return Err(too_large(bytes(connections), &reach.too_large, side, !own));
    }
    let Some(place) = &reach.awaited else { return Ok(()) };
    Err(Issue::new(Reason::Progressing, format!("{SETTLING} into `connections` of {place}")))
}

fn fine(object: &Dataset, settings: &BTreeMap<String, String>) -> String {
    let names = settings.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    match &object.spec.volume {
        Some(volume) => format!("volume of {}; pods find it by {names}", volume.size.0),
        None => format!("found by {names}"),
    }
}

/// The namespaces where another dataset hides this one.
fn shadowed(reach: &Reach) -> String {
    let Some((place, by)) = reach.shadowed.first() else { return String::new() };
    let more = match reach.shadowed.len() {
        1 => String::new(),
        all => format!(" and in {} more", all - 1),
    };
    format!("; {SHADOWED} {place}{more}, where the namespace's own dataset {by} comes first")
}

/// A volume that is not bound is no failure before its first use.
fn waiting(failure: Issue, claim: Option<&str>, judged: &Judged<'_>) -> Issue {
    let live = claim.and_then(|claim| (judged.live)("PersistentVolumeClaim", claim));
    match (claim, live) {
        (Some(claim), Some(live)) if failure.reason == Reason::Progressing && waits_for_use(&live) => Issue::new(
            Reason::Progressing,
            format!("volume {claim} is not bound yet. Most storage classes bind a volume when the first pod uses it"),
        ),
        _ => failure,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::api::labels;
    use crate::plan::settings::LeftOut;
    use crate::plan::work::Object;
    use crate::plan::work::fixtures::{Scene, dataset};
    use crate::status::work::fixtures::{ready, reported};

    fn report_of(namespace: &str, spec: &str, claim: &Value) -> (DatasetStatus, String) {
        let settings =
            [("DATASET_BIG_URI", "s3://big"), ("DATASET_BIG_TRAIN", "s3://big/a"), ("DATASET_BIG_PATH", "/data/big")];
        let scene = Scene::new().dataset("fraud--shared", "cards", "{uri: 's3://cards'}").given(settings);
        let scene =
            if claim.is_null() { scene } else { scene.live("PersistentVolumeClaim", "dataset-big", claim.clone()) };
        let object = Object::Dataset(Box::new(dataset(namespace, "big", 0, spec)));
        let status: DatasetStatus = reported(&scene, namespace, "big", &object, &[]);
        let said = ready(&status.conditions);
        (status, said)
    }

    #[test]
    fn data_by_address_is_there_at_once() {
        let (status, said) = report_of("fraud--shared", "{uri: 's3://big', splits: {train: a}}", &Value::Null);
        assert_eq!(said, "True Ready found by DATASET_BIG_TRAIN, DATASET_BIG_URI");
        assert_eq!(status.connections["DATASET_BIG_TRAIN"], "s3://big/a");
        assert_eq!((status.claim, status.engine.unwrap().name.as_str()), (None, "references"));
    }

    #[test]
    fn a_dataset_is_ready_when_its_settings_are_there() {
        let object = Object::Dataset(Box::new(dataset("fraud--shared", "big", 0, "{uri: 's3://big'}")));
        let said = |scene: &Scene| {
            let status: DatasetStatus = reported(scene, "fraud--shared", "big", &object, &[]);
            ready(&status.conditions)
        };
        let scene = || Scene::new().given([("DATASET_BIG_URI", "s3://big")]);
        assert_eq!(said(&scene()), "True Ready found by DATASET_BIG_URI");
        let awaited = "False Progressing the settings are being written into `connections` of fraud--chargeback";
        assert_eq!(said(&Scene::new()), awaited);
        // Its team tells of it only if it goes on waiting for something else.
        let settles = |scene: &Scene| {
            let status: DatasetStatus = reported(scene, "fraud--shared", "big", &object, &[]);
            let mut written = dataset("fraud--shared", "big", 0, "{uri: 's3://big'}");
            written.status = Some(status);
            crate::status::health::summary::settles(&Object::Dataset(Box::new(written)))
        };
        assert!(settles(&Scene::new()) && !settles(&scene()));
        // Another value under its name is not its own.
        assert_eq!(said(&Scene::new().given([("DATASET_BIG_URI", "s3://other")])), awaited);
        let live = "fraud--chargeback--live";
        assert_eq!(
            said(&scene().left_out(live, "big", &LeftOut::Shadowed("big".to_owned()))),
            format!(
                "True Ready found by DATASET_BIG_URI; shadowed in {live}, where the namespace's own dataset big comes \
                 first"
            )
        );
        assert_eq!(
            said(&scene().left_out(live, "big", &LeftOut::TooLarge)),
            format!(
                "False Invalid `connections` of {live} has no room for the 23 bytes of settings of this dataset: of \
                 655360 bytes 327680 are kept for Shared's datasets, and the rest is taken. Other namespaces have them. \
                 Remove splits here, or datasets of Shared or {live} without users"
            )
        );
    }

    #[test]
    fn a_volume_is_ready_when_it_is_bound() {
        let claim = |phase: &str| json!({"metadata": {"name": "dataset-big"}, "status": {"phase": phase}});
        for (live, expected) in [
            (claim("Bound"), "True Ready volume of 10Gi; pods find it by DATASET_BIG_PATH"),
            (
                claim("Pending"),
                "False Progressing volume dataset-big is not bound yet. Most storage classes bind a volume when the \
                 first pod uses it",
            ),
            (claim("Lost"), "False EngineFailing PersistentVolumeClaim dataset-big: its volume no longer exists"),
            (Value::Null, "False Progressing PersistentVolumeClaim (volume) does not exist yet"),
        ] {
            let (status, said) = report_of("fraud--chargeback", "{volume: {size: 10Gi}}", &live);
            assert_eq!(said, expected);
            assert_eq!(status.claim.as_deref(), Some("dataset-big"));
        }
    }

    #[test]
    fn another_volume_is_not_ready_until_it_is_accepted() {
        let there = |uid: &str, accepted: &str| {
            let annotations = json!({labels::ACCEPT_VOLUME: accepted});
            json!({
                "metadata": {"name": "dataset-big", "uid": uid, "annotations": annotations}, "status": {"phase": "Bound"},
            })
        };
        let report_of = |before: Option<&str>, live: &Value| {
            let mut object = dataset("fraud--chargeback", "big", 0, "{volume: {size: 10Gi}}");
            let volume = before.map(str::to_owned);
            object.status = Some(DatasetStatus { volume, ..DatasetStatus::default() });
            let scene = Scene::new().given([("DATASET_BIG_PATH", "/data/big")]);
            let scene = scene.live("PersistentVolumeClaim", "dataset-big", live.clone());
            let status: DatasetStatus =
                reported(&scene, "fraud--chargeback", "big", &Object::Dataset(Box::new(object)), &[]);
            (ready(&status.conditions), status.volume.unwrap_or_default())
        };
        let fine = "True Ready volume of 10Gi; pods find it by DATASET_BIG_PATH".to_owned();
        assert_eq!(report_of(None, &there("one", "")), (fine.clone(), "one".to_owned()));
        assert_eq!(report_of(Some("one"), &there("one", "")), (fine.clone(), "one".to_owned()));
        let (said, kept) = report_of(Some("one"), &there("two", "one"));
        assert!(said.starts_with("False VolumeReplaced claim dataset-big of fraud--chargeback was deleted"), "{said}");
        assert_eq!(kept, "one");
        assert_eq!(report_of(Some("one"), &there("two", "two")), (fine, "two".to_owned()));
    }

    #[test]
    fn a_dataset_that_is_held_gives_no_settings() {
        let (status, said) = report_of("fraud--shared", "{volume: {size: 10Gi}}", &Value::Null);
        assert!(said.starts_with("False Invalid a volume can only be read in its own namespace"), "{said}");
        assert!(status.connections.is_empty());
    }
}
