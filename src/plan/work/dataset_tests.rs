//! Datasets of the project chargeback.

use serde_json::json;

use super::*;
use crate::api::Reason;
use crate::api::identity::WorkId;
use crate::api::work::WorkKind;
use crate::plan::work::Object;
use crate::plan::work::fixtures::{Scene, dataset};

fn scene() -> Scene {
    Scene::new().dataset("fraud--shared", "cards", "{uri: 's3://cards/v7', splits: {v7_train: a}}").dataset(
        "fraud--chargeback",
        "notes",
        "{uri: 's3://notes', splits: {old_train: a}}",
    )
}

fn drafted(scene: &Scene, namespace: &str, name: &str, spec: &str) -> Result<ResolvedSpec, String> {
    let dataset = dataset(namespace, name, 10, spec);
    scene.facts(namespace, |facts| draft(&dataset, facts)).map_err(|hold| hold.message)
}

fn settings(settings: &[(&str, &str)]) -> BTreeMap<String, String> {
    settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn data_is_reached_by_settings_of_its_name() {
    for (spec, expected, claim) in [
        (
            "{uri: 's3://bucket/v1/', splits: {train: parts/train, hold_out: 'h.csv'}}",
            settings(&[
                ("DATASET_BIG_DATA_URI", "s3://bucket/v1/"),
                ("DATASET_BIG_DATA_TRAIN", "s3://bucket/v1/parts/train"),
                ("DATASET_BIG_DATA_HOLD_OUT", "s3://bucket/v1/h.csv"),
            ]),
            None,
        ),
        (
            "{volume: {size: 10Gi}, splits: {test: t}}",
            settings(&[("DATASET_BIG_DATA_PATH", "/data/big-data"), ("DATASET_BIG_DATA_TEST", "/data/big-data/t")]),
            Some("dataset-big-data".to_owned()),
        ),
    ] {
        let draft = drafted(&scene(), "fraud--chargeback", "big-data", spec).unwrap();
        assert!(draft.write);
        let Detail::Dataset { connections, claim: found, reach } = draft.detail else { panic!("{spec}") };
        assert_eq!((connections, found), (expected, claim));
        assert_eq!(reach.awaited.as_deref(), Some("fraud--chargeback"));
    }
    let volume = dataset("fraud--chargeback", "a", 0, "{volume: {size: 1Gi}}");
    assert_eq!(connections(&volume, "fraud--chargeback--live", "a"), settings(&[]));
}

#[test]
fn volume_takes_the_class_of_its_access_mode_once() {
    let claim = |class: &str| json!({"spec": {"storageClassName": class, "accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "10Gi"}}}});
    let there = |class: &str| scene().live("PersistentVolumeClaim", "dataset-data", claim(class));
    for (scene, spec, size, class, mode) in [
        (&scene(), "{volume: {size: 10Gi}}", "10Gi", "efs", "ReadWriteMany"),
        (&scene(), "{volume: {size: 10Gi, accessMode: ReadOnlyMany}}", "10Gi", "efs", "ReadOnlyMany"),
        (&scene(), "{volume: {size: 10Gi, accessMode: ReadWriteOnce}}", "10Gi", "gp3", "ReadWriteOnce"),
        (&scene(), "{volume: {size: 10Gi, class: fast}}", "10Gi", "fast", "ReadWriteMany"),
        (&there("old"), "{volume: {size: 20Gi}}", "20Gi", "old", "ReadWriteMany"),
        (&there("fast"), "{volume: {size: 10Gi, class: fast}}", "10Gi", "fast", "ReadWriteMany"),
    ] {
        let draft = drafted(scene, "fraud--chargeback", "data", spec).unwrap();
        let found = draft.work.dataset.unwrap().volume.unwrap();
        let expected =
            VolumeInputs { size: size.to_owned(), class: Some(class.to_owned()), access_mode: mode.to_owned() };
        assert_eq!(found, expected, "{spec}");
    }
    // A smaller size than that of the existing volume does not hold the dataset.
    let draft = drafted(&there("old"), "fraud--chargeback", "data", "{volume: {size: 5Gi}}").unwrap();
    assert_eq!(draft.work.dataset.unwrap().volume.unwrap().size, "10Gi");
    for (spec, message) in [
        (
            "{volume: {size: 10Gi, accessMode: ReadWriteOnce}}",
            "spec.volume.accessMode is ReadWriteOnce, but volume dataset-data has ReadWriteMany, which cannot change. \
             Set ReadWriteMany, or give the dataset another name",
        ),
        (
            "{volume: {size: 10Gi, class: fast}}",
            "spec.volume.class is fast, but volume dataset-data has class old, which cannot change. Set old, or give \
             the dataset another name",
        ),
    ] {
        assert_eq!(drafted(&there("old"), "fraud--chargeback", "data", spec).err().as_deref(), Some(message));
    }
}

#[test]
fn two_datasets_never_answer_for_one_setting() {
    let taken = |of: &str, key: &str| {
        format!("dataset {of} already has the setting {key}. Rename this dataset, or the split of one of the two")
    };
    for (namespace, name, spec, message) in [
        ("fraud--shared", "cards", "{uri: 's3://cards/v7', splits: {v7_train: a}}", String::new()),
        ("fraud--chargeback", "notes", "{uri: 's3://notes', splits: {old_train: a}}", String::new()),
        ("fraud--chargeback--live", "notes-old", "{uri: 's3://x', splits: {train: a}}", String::new()),
        (
            "fraud--chargeback",
            "notes-old",
            "{uri: 's3://x', splits: {train: a}}",
            taken("fraud--chargeback/notes", "DATASET_NOTES_OLD_TRAIN"),
        ),
        // In a namespace its own goes first, whatever Shared has.
        ("fraud--chargeback", "cards-v7", "{uri: 's3://x', splits: {train: a}}", String::new()),
        ("fraud--chargeback", "cards", "{uri: 's3://x'}", String::new()),
        (
            "fraud--shared",
            "cards-v7",
            "{uri: 's3://x', splits: {train: a}}",
            taken("fraud--shared/cards", "DATASET_CARDS_V7_TRAIN"),
        ),
        (
            "fraud--chargeback",
            "cards",
            "{uri: 's3://x', usedBy: [{component: a, digest: b}]}",
            "`usedBy` is for datasets in Live, and fraud--chargeback is Workspace. Remove it".to_owned(),
        ),
        (
            "fraud--chargeback",
            "cards-v8",
            "{usedBy: []}",
            "dataset fraud--chargeback/cards-v8 has neither `uri` nor `volume`, and fraud--shared has no dataset \
             cards-v8 with a `uri` to stand for"
                .to_owned(),
        ),
        ("fraud--chargeback--live", "cards", "{usedBy: []}", String::new()),
        (
            "fraud--shared",
            "big",
            "{volume: {size: 1Gi}}",
            "a volume can only be read in its own namespace, and fraud--shared is Shared. Give the dataset a `uri`, or \
             create it in the namespace that uses it"
                .to_owned(),
        ),
        (
            "fraud--chargeback",
            "big",
            "{volume: {size: 1Gi}, splits: {path: a}}",
            "split 'path' would set DATASET_BIG_PATH, which is the path of the volume. Rename the split".to_owned(),
        ),
    ] {
        let found = drafted(&scene(), namespace, name, spec);
        assert_eq!(found.err().unwrap_or_default(), message, "{namespace}/{name}");
    }
}

#[test]
fn a_newcomer_takes_nothing_from_an_older_dataset() {
    // It is created at second 10; `notes` was at second 0.
    let scene = Scene::new().dataset("fraud--chargeback", "notes-old", "{uri: 's3://x', splits: {train: a}}");
    let older = dataset("fraud--chargeback", "notes", -10, "{uri: 's3://notes', splits: {old_train: a}}");
    assert!(scene.facts("fraud--chargeback", |facts| draft(&older, facts)).is_ok());
    let shared = scene.dataset("fraud--shared", "notes-old", "{uri: 's3://x', splits: {train: a}}");
    assert!(shared.facts("fraud--chargeback", |facts| draft(&older, facts)).is_ok());
}

#[test]
fn a_setting_is_whole_or_its_length_is_reported() {
    let spec =
        |length: usize| format!("{{uri: 's3://{}', splits: {{train: {}}}}}", "b".repeat(length), "t".repeat(512));
    let fits = drafted(&scene(), "fraud--shared", "big", &spec(506)).unwrap();
    let Detail::Dataset { connections, .. } = fits.detail else { panic!("no detail") };
    assert_eq!(connections["DATASET_BIG_TRAIN"].len(), 1024);
    assert_eq!(
        drafted(&scene(), "fraud--shared", "big", &spec(507)).unwrap_err(),
        "the setting DATASET_BIG_TRAIN has 1025 bytes, more than the maximum 1024. Shorten the address, or the path of \
         the split"
    );
}

fn filled(places: &[&str], side: Side) -> Scene {
    let full: Vec<(String, String)> = (0..640).map(|number| (format!("S{number:04}"), "x".repeat(1019))).collect();
    places.iter().fold(scene(), |scene, place| scene.filled(place, side, &full))
}

#[test]
fn what_does_not_fit_says_so_and_takes_no_others_place() {
    let large = format!("{{uri: 's3://{}'}}", "b".repeat(400));
    let own = filled(&["fraud--chargeback"], Side::Own);
    let message = drafted(&own, "fraud--chargeback", "more", &large).unwrap_err();
    assert!(message.starts_with("`connections` of fraud--chargeback has no room for the 4"), "{message}");
    assert!(message.ends_with("Remove splits here, or datasets of fraud--chargeback without users"), "{message}");
    assert!(drafted(&own, "fraud--chargeback--live", "more", &large).is_ok());
    // Existing settings stay when the status is written again.
    let there = own.given([("DATASET_THERE_URI", "s3://there")]);
    assert!(drafted(&there, "fraud--chargeback", "there", "{uri: 's3://there'}").is_ok());
}

#[test]
fn a_filled_namespace_takes_nothing_from_the_others() {
    let large = format!("{{uri: 's3://{}'}}", "b".repeat(400));
    // Members fill their Workspace: Shared has its half there.
    let own = filled(&["fraud--chargeback"], Side::Own);
    assert!(drafted(&own, "fraud--shared", "more", &large).is_ok());
    // Shared fills all of them: each has its half, and more of Shared has no room anywhere.
    let all = filled(&["fraud--chargeback", "fraud--chargeback--live"], Side::Shared);
    assert!(drafted(&all, "fraud--chargeback", "more", &large).is_ok());
    assert_eq!(
        drafted(&all, "fraud--shared", "more", &large).unwrap_err(),
        "`connections` of fraud--chargeback and of 1 more has no room for the 421 bytes of settings of this dataset: of \
         655360 bytes 327680 are kept for Shared's datasets, and the rest is taken. Remove splits \
         here, or datasets of Shared or fraud--chargeback without users"
    );
    // One of them has room.
    assert!(drafted(&filled(&["fraud--chargeback"], Side::Shared), "fraud--shared", "more", &large).is_ok());
}

#[test]
fn an_object_of_the_blueprint_keeps_its_name() {
    let hold = |version: &str, namespace: &str, name: &str| {
        let object = json!({"apiVersion": version, "kind": "PersistentVolumeClaim", "metadata": {"name": name}});
        let mut cards = dataset("fraud--chargeback", "cards", 0, "{volume: {size: 1Gi}}");
        cards.metadata.name = Some("cards".to_owned());
        let id = WorkId { kind: WorkKind::Dataset, namespace: "fraud--chargeback".into(), name: "cards".into() };
        let scene = Scene::new().extra(namespace, object);
        scene.facts(&id.namespace, |facts| super::super::plan(&id, &Object::Dataset(Box::new(cards)), facts)).hold
    };
    let issue = hold("v1", "fraud--chargeback", "dataset-cards").expect("a conflict");
    assert_eq!(issue.reason, Reason::Conflict);
    assert_eq!(
        issue.message,
        "PersistentVolumeClaim fraud--chargeback/dataset-cards is an object that Blueprint default adds to the \
         namespace, so Dataset fraud--chargeback/cards cannot have one of that name. Give the Dataset another name"
    );
    assert_eq!(hold("v1", "fraud--chargeback", "dataset-other"), None);
    assert_eq!(hold("v1", "fraud--shared", "dataset-cards"), None);
    assert_eq!(hold("other.example.com/v1", "fraud--chargeback", "dataset-cards"), None);
}
