//! Who is given what of a dataset, in a Workspace and in Live.

use serde_json::{Value, json};

use super::*;
use crate::plan::work::fixtures::Scene;

const LIVE: &str = "fraud--chargeback--live";
const WORKSPACE: &str = "fraud--chargeback";

/// `cards` is of Shared with credentials; `open` has none; `requests` is a volume of Live.
fn scene() -> Scene {
    Scene::new()
        .dataset("fraud--shared", "cards", "{uri: 's3://cards', splits: {train: t}, credentials: {secret: prod-db}}")
        .dataset("fraud--shared", "open", "{uri: 's3://open'}")
        .dataset("fraud--shared", "requests", "{volume: {size: 1Gi}}")
}

fn digest(digit: &str) -> String {
    format!("sha256:{}", digit.repeat(64))
}

fn given_to(scene: &Scene, namespace: &str, user: User<'_>, name: &str) -> Result<MountedInputs, String> {
    let names = [name.to_owned()];
    let found = scene.facts(namespace, |facts| given("spec.datasets", &names, user, facts));
    found.map(|mut all| all.remove(0)).map_err(|hold| format!("{}: {}", hold.reason, hold.message))
}

fn component(digest: &str) -> User<'_> {
    User::Component { name: "train", digest, pinned: None }
}

#[test]
fn what_shared_says_names_no_secret_of_another_namespace() {
    let one = digest("1");
    for user in [User::Person, component(&one)] {
        let mounted = given_to(&scene(), WORKSPACE, user, "cards").unwrap();
        assert_eq!((mounted.secret.as_deref(), mounted.claim), (Some("dataset-cards"), None));
        let mounted = given_to(&scene(), WORKSPACE, user, "open").unwrap();
        assert_eq!((mounted.secret, mounted.claim), (None, None));
        // A volume in Shared is invalid, and must not stand for one of the namespace.
        let refused = given_to(&scene(), WORKSPACE, user, "requests").unwrap_err();
        assert!(
            refused
                .starts_with("Invalid: spec.datasets names dataset 'requests', which is on a volume in fraud--shared"),
            "{refused}"
        );
    }
    // The namespace's own goes first, and names its own Secret.
    let own = scene().dataset(WORKSPACE, "cards", "{uri: 's3://mine', credentials: {secret: mine}}");
    assert_eq!(given_to(&own, WORKSPACE, User::Person, "cards").unwrap().secret.as_deref(), Some("mine"));
}

#[test]
fn in_live_a_component_is_given_what_lists_it_as_it_is() {
    let (one, two) = (digest("1"), digest("2"));
    let refused = given_to(&scene(), LIVE, component(&one), "cards").unwrap_err();
    assert!(
        refused.starts_with("NotListed: component train uses dataset cards, which has credentials. Create"),
        "{refused}"
    );
    assert_eq!(given_to(&scene(), LIVE, component(&one), "open").unwrap().secret, None);

    let listed = |name: &str, digest: &str, what: &str| {
        scene().dataset(LIVE, "cards", &format!("{{{what}usedBy: [{{component: {name}, digest: '{digest}'}}]}}"))
    };
    for what in ["credentials: {secret: reader}, ", "uri: 's3://live', credentials: {secret: reader}, "] {
        let mounted = given_to(&listed("train", &one, what), LIVE, component(&one), "cards").unwrap();
        assert_eq!(mounted.secret.as_deref(), Some("reader"), "{what}");
        for (name, digest, why) in
            [("train", &two, "changed since dataset"), ("other", &one, "is not listed by dataset")]
        {
            let refused = given_to(&listed(name, digest, what), LIVE, component(&one), "cards").unwrap_err();
            assert!(refused.starts_with(&format!("NotListed: component train {why} {LIVE}/cards")), "{refused}");
            assert!(
                refused.ends_with(&format!("add {{component: train, digest: {one}}} to its `usedBy`")),
                "{refused}"
            );
        }
    }
    let volume = listed("train", &one, "volume: {size: 1Gi}, ");
    assert_eq!(given_to(&volume, LIVE, component(&one), "cards").unwrap().claim.as_deref(), Some("dataset-cards"));
    assert!(given_to(&volume, LIVE, component(&two), "cards").is_err());
    // What Live lists without credentials of its own is given none: not those that Shared names.
    let bare = listed("train", &one, "");
    assert_eq!(given_to(&bare, LIVE, component(&one), "cards").unwrap().secret, None);
}

#[test]
fn a_monitor_is_given_what_it_was_pinned_with() {
    let (one, two) = (digest("1"), digest("2"));
    let pinned = UsedBy { component: "train".to_owned(), digest: one.clone() };
    let own = scene().dataset(LIVE, "calls", "{volume: {size: 1Gi}}");
    let monitor = |digest| User::Component { name: "train", digest, pinned: Some(&pinned) };
    assert!(given_to(&own, LIVE, monitor(&one), "calls").is_ok());
    assert!(given_to(&own, LIVE, monitor(&two), "calls").is_err());
    // A pin is for what is Live's own.
    assert!(given_to(&own, LIVE, monitor(&one), "cards").is_err());
}

#[test]
fn one_that_stands_for_another_has_its_address() {
    let stands = scene().dataset(LIVE, "cards", "{credentials: {secret: reader}, usedBy: []}");
    let found = stands.facts(LIVE, |facts| find("cards", facts)).unwrap().unwrap();
    assert_eq!(found.dataset.spec.uri.as_deref(), Some("s3://cards"));
    assert_eq!(found.dataset.spec.splits["train"], "t");
    let nobody = scene().dataset(LIVE, "none", "{usedBy: []}");
    let refused = nobody.facts(LIVE, |facts| find("none", facts).map(|_| ())).unwrap_err();
    assert!(refused.message.contains("neither `uri` nor `volume`"), "{}", refused.message);
}

/// A status of a dataset in Conflict.
fn in_conflict() -> Value {
    json!({"conditions": [{"type": "Ready", "status": "False", "reason": "Conflict",
        "message": "PersistentVolumeClaim dataset-rows exists", "lastTransitionTime": "2026-01-01T00:00:00Z"}],
        "volume": "u"})
}

#[test]
fn claim_of_another_owner_is_mounted_by_nobody() {
    let rows = || scene().dataset(WORKSPACE, "rows", "{volume: {size: 1Gi}}");
    let one = digest("1");
    for user in [User::Person, component(&one)] {
        let refused =
            given_to(&rows().reported(WORKSPACE, "rows", in_conflict()), WORKSPACE, user, "rows").unwrap_err();
        assert_eq!(
            refused,
            "Conflict: the volume of dataset fraud--chargeback/rows is not mounted: PersistentVolumeClaim dataset-rows \
             exists"
        );
        // Before its first report nobody knows whose the claim of its name is.
        let refused = given_to(&rows().reported(WORKSPACE, "rows", Value::Null), WORKSPACE, user, "rows").unwrap_err();
        assert!(
            refused.starts_with("Progressing: dataset fraud--chargeback/rows has no volume yet. If this lasts"),
            "{refused}"
        );
        for status in [json!({"volume": "u"}), json!({"connections": {"DATASET_ROWS_PATH": "/data/rows"}})] {
            let mounted = given_to(&rows().reported(WORKSPACE, "rows", status), WORKSPACE, user, "rows").unwrap();
            assert_eq!(mounted.claim.as_deref(), Some("dataset-rows"));
        }
    }
    // An address is no volume, whatever is reported.
    let open = scene().reported("fraud--shared", "open", in_conflict());
    assert!(given_to(&open, WORKSPACE, User::Person, "open").is_ok());
    // A component names it all the same: only what runs mounts it.
    let scene = rows().reported(WORKSPACE, "rows", in_conflict());
    let names = ["rows".to_owned()];
    assert!(scene.facts(WORKSPACE, |facts| named("spec.datasets", &names, User::Person, facts)).is_ok());
}
