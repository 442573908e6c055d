//! Datasets of the project chargeback.

use serde_json::json;

use super::*;
use crate::plan::daily::fixtures::{Scene, dataset};

fn scene() -> Scene {
    Scene::new().dataset("fraud--shared", "cards", "{uri: 's3://cards/v7', splits: {v7_train: a}}").dataset(
        "fraud--chargeback",
        "notes",
        "{uri: 's3://notes', splits: {old_train: a}}",
    )
}

fn drafted(scene: &Scene, namespace: &str, name: &str, spec: &str) -> Result<Draft, String> {
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
        assert_eq!(draft.detail, Detail::Dataset { connections: expected, claim });
    }
    let volume = dataset("fraud--chargeback", "a", 0, "{volume: {size: 1Gi}}");
    assert_eq!(connections(&volume, "fraud--chargeback--live", "a"), settings(&[]));
}

#[test]
fn a_volume_is_of_the_class_for_its_access_mode_until_it_is_there() {
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
    for (spec, message) in [
        (
            "{volume: {size: 5Gi}}",
            "spec.volume.size is 5Gi, and volume dataset-data is there with 10Gi: a volume can only grow, so ask for 10Gi or more",
        ),
        (
            "{volume: {size: 10Gi, accessMode: ReadWriteOnce}}",
            "spec.volume.accessMode is ReadWriteOnce, and volume dataset-data is there with ReadWriteMany, which never changes: ask for ReadWriteMany, or name the dataset otherwise",
        ),
        (
            "{volume: {size: 10Gi, class: fast}}",
            "spec.volume.class is fast, and volume dataset-data is there with class old, which never changes: ask for old, or name the dataset otherwise",
        ),
    ] {
        assert_eq!(drafted(&there("old"), "fraud--chargeback", "data", spec).err().as_deref(), Some(message));
    }
}

#[test]
fn two_datasets_never_answer_for_one_setting() {
    let taken = |of: &str, key: &str| {
        format!("dataset {of} has the setting {key} already: rename this dataset, or the split of one of the two")
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
        (
            "fraud--chargeback",
            "cards-v7",
            "{uri: 's3://x', splits: {train: a}}",
            taken("fraud--shared/cards", "DATASET_CARDS_V7_TRAIN"),
        ),
        (
            "fraud--shared",
            "cards-v7",
            "{uri: 's3://x', splits: {train: a}}",
            taken("fraud--shared/cards", "DATASET_CARDS_V7_TRAIN"),
        ),
        (
            "fraud--chargeback",
            "cards",
            "{uri: 's3://x'}",
            "fraud--shared has a dataset cards too, and that one is what pods here get: give this one another name".to_owned(),
        ),
        (
            "fraud--shared",
            "big",
            "{volume: {size: 1Gi}}",
            "a volume is readable in its own namespace alone, and fraud--shared is Shared: give the dataset a `uri`, or create it in the namespace that uses it".to_owned(),
        ),
        (
            "fraud--chargeback",
            "big",
            "{volume: {size: 1Gi}, splits: {path: a}}",
            "split 'path' would be the setting DATASET_BIG_PATH, which is the volume's own path: rename the split".to_owned(),
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
    assert!(shared.facts("fraud--chargeback", |facts| draft(&older, facts)).is_err());
}
