//! What is ours, what others hold, and what a write puts together.

use super::*;

#[test]
fn foreign_metadata_stays_and_stray_labels_of_ours_go() {
    let intent = json!({"metadata": {"name": "x", "labels": {"strata-operator.dev/team": "a"}}, "spec": {}});
    let live = json!({"metadata": {"resourceVersion": "7", "uid": "u", "labels": {
        "strata-operator.dev/team": "b", "strata-operator.dev/stray": "x", "foreign": "y"}}});
    let merged = with_foreign_metadata(&intent, &live);
    assert_eq!(merged["metadata"]["labels"], json!({"strata-operator.dev/team": "a", "foreign": "y"}));
    assert_eq!(merged["metadata"]["resourceVersion"], "7");
}

#[test]
fn an_object_is_ours_by_label_or_by_reserved_name() {
    let intent = json!({"metadata": {"labels": {"strata-operator.dev/team": "a"}}});
    let key = |name: &str| ObjectKey::new("", "ConfigMap", Some("a--b"), name);
    assert!(is_ours(&json!({}), &key("connections"), &intent));
    assert!(!is_ours(&json!({}), &key("mine"), &intent));
    assert!(is_ours(&intent, &key("mine"), &intent));
    assert!(!is_ours(&json!({"metadata": {"labels": {"strata-operator.dev/team": "b"}}}), &key("mine"), &intent));
}

#[test]
fn what_lost_a_label_is_ours_by_another() {
    let key = ObjectKey::new("", "ConfigMap", Some("a--shared"), "mlflow");
    let words = json!({"strata-operator.dev/team": "a", "strata-operator.dev/team-uid": "u"});
    let intent = json!({"metadata": {"name": "mlflow", "labels": words}});
    let live = |labels: Value| json!({"metadata": {"name": "mlflow", "labels": labels}});
    assert!(is_ours(&live(json!({"strata-operator.dev/team-uid": "u"})), &key, &intent));
    for foreign in [
        json!({}),
        json!({"strata-operator.dev/team-uid": "other"}),
        json!({"strata-operator.dev/team": "b", "strata-operator.dev/team-uid": "u"}),
    ] {
        assert!(!is_ours(&live(foreign.clone()), &key, &intent), "{foreign}");
    }
    let said = conflict(&key, &live(json!({}))).message;
    assert!(said.contains("has no label of Strata"), "{said}");
    assert!(said.contains("strata-operator.dev/team: a"), "{said}");
}

#[test]
fn what_lost_all_but_the_teams_label_is_the_works_by_its_name() {
    let cache = ObjectCache::default();
    let id = |name: &str| {
        let (kind, namespace) = (crate::api::work::WorkKind::ModelService, "a--p--live".to_owned());
        Request::Work(crate::api::identity::WorkId { kind, namespace, name: name.to_owned() })
    };
    for (kind, name, owner, ours) in [
        ("Deployment", "service-score", "score", true),
        ("Deployment", "service-score", "other", false),
        ("Deployment", "mlflow", "score", false),
    ] {
        let key = ObjectKey::new("apps", kind, Some("a--p--live"), name);
        let live = json!({"metadata": {"name": name, "namespace": "a--p--live", "uid": "u", "resourceVersion": "1",
            "labels": {"strata-operator.dev/team": "a"}}});
        cache.observe(&key, &live, WriteStrategy::Apply);
        assert_eq!(entry_is_ours(&cache.get(&key).unwrap(), &key, &id(owner)), ours, "{name} for {owner}");
    }
}
