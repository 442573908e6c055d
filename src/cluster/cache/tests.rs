//! What the cache keeps, whom it wakes, and whose it says that an object is.

use super::super::cache::entry::may_belong;
use super::*;
use crate::api::identity::WorkId;
use crate::api::work::WorkKind;
use serde_json::json;

const SPEC: WriteStrategy = WriteStrategy::Replace(&["spec"]);

fn quota(version: u64, cpu: &str) -> Value {
    json!({"metadata": {"name": "strata-quota", "namespace": "a--b", "uid": "u", "resourceVersion": version.to_string(),
        "labels": {"strata-operator.dev/team": "a", "strata-operator.dev/team-uid": "t"}}, "spec": {"hard": {"cpu": cpu}}})
}

fn key() -> ObjectKey {
    ObjectKey::new("", "LimitRange", Some("a--b"), "strata-quota")
}

#[test]
fn only_what_matters_wakes_anybody() {
    let cache = ObjectCache::default();
    assert_eq!(cache.observe(&key(), &quota(1, "1"), SPEC), vec![Request::Team("a".to_owned())]);
    assert!(cache.observe(&key(), &quota(1, "1"), SPEC).is_empty());
    let mut touched = quota(2, "1");
    touched["metadata"]["annotations"] = json!({"foreign": "x"});
    assert!(cache.observe(&key(), &touched, SPEC).is_empty());
    assert_eq!(cache.observe(&key(), &quota(3, "2"), SPEC), vec![Request::Team("a".to_owned())]);
}

#[test]
fn an_event_older_than_our_own_write_is_dropped() {
    let cache = ObjectCache::default();
    cache.wrote(&key(), &quota(5, "2"), SPEC, &quota(5, "2"));
    assert!(cache.observe(&key(), &quota(4, "1"), SPEC).is_empty());
    assert!(cache.holds(&key(), &quota(0, "2"), SPEC));
}

#[test]
fn an_answer_older_than_what_the_watch_said_takes_nothing_back() {
    let cache = ObjectCache::default();
    cache.observe(&key(), &quota(7, "3"), SPEC);
    cache.wrote(&key(), &quota(5, "2"), SPEC, &quota(5, "2"));
    assert_eq!(cache.get(&key()).unwrap().version, 7);
    assert!(cache.holds(&key(), &quota(0, "3"), SPEC));
    assert!(!cache.holds(&key(), &quota(0, "2"), SPEC));
}

#[test]
fn an_answer_that_comes_after_the_deletion_brings_nothing_back() {
    let cache = ObjectCache::default();
    cache.observe(&key(), &quota(1, "1"), SPEC);
    assert_eq!(cache.removed(&key(), &quota(3, "2")), vec![Request::Team("a".to_owned())]);
    cache.wrote(&key(), &quota(2, "2"), SPEC, &quota(2, "2"));
    cache.changed(&key(), &quota(2, "2"), SPEC);
    assert!(cache.get(&key()).is_none());
    let mut anew = quota(4, "2");
    anew["metadata"]["uid"] = json!("v");
    cache.wrote(&key(), &anew, SPEC, &anew);
    cache.wrote(&key(), &quota(2, "2"), SPEC, &quota(2, "2"));
    assert_eq!(cache.get(&key()).unwrap().uid, "v");
    assert!(cache.removed(&key(), &quota(3, "2")).is_empty());
    assert!(cache.get(&key()).is_some());
}

#[test]
fn relabelled_object_is_known_by_the_answer_to_the_write() {
    let cache = ObjectCache::default();
    cache.observe(&key(), &quota(1, "1"), SPEC);
    // For a watch with a selector it is deleted.
    cache.removed(&key(), &quota(2, "1"));
    cache.wrote(&key(), &quota(3, "1"), SPEC, &quota(3, "1"));
    assert!(cache.holds(&key(), &quota(0, "1"), SPEC));
}

#[test]
fn what_a_new_list_does_not_name_is_gone() {
    let cache = ObjectCache::default();
    cache.observe(&key(), &quota(1, "1"), SPEC);
    cache.list_begins("", "LimitRange", "v1");
    assert_eq!(cache.list_ends("", "LimitRange", "v1"), vec![Request::Team("a".to_owned())]);
    cache.wrote(&key(), &quota(2, "1"), SPEC, &quota(2, "1"));
    assert!(cache.get(&key()).is_none());
    cache.observe(&key(), &quota(2, "1"), SPEC);
    assert!(cache.get(&key()).is_some());
}

#[test]
fn only_the_object_that_we_deleted_is_being_deleted() {
    let cache = ObjectCache::default();
    cache.observe(&key(), &quota(1, "1"), SPEC);
    cache.deleted(&key(), "another");
    assert!(!cache.get(&key()).unwrap().deleting);
    cache.deleted(&key(), "u");
    assert!(cache.get(&key()).unwrap().deleting);
}

#[test]
fn work_objects_keep_their_owner_without_the_label() {
    let cache = ObjectCache::default();
    let id = WorkId { kind: WorkKind::Workbench, namespace: "a--b".to_owned(), name: "ana".to_owned() };
    let mut labelled = quota(1, "1");
    labelled["metadata"]["labels"]["strata-operator.dev/workbench"] = json!("ana");
    assert_eq!(cache.observe(&key(), &labelled, SPEC), vec![Request::Work(id.clone())]);
    assert_eq!(cache.observe(&key(), &quota(2, "1"), SPEC), vec![Request::Work(id.clone())]);
    assert_eq!(cache.of(&Request::Work(id)).len(), 1);
    assert!(cache.team("a").is_empty());
}

#[test]
fn a_list_forgets_what_it_did_not_name() {
    let cache = ObjectCache::default();
    cache.observe(&key(), &quota(1, "1"), SPEC);
    cache.list_begins("", "LimitRange", "v1");
    assert_eq!(cache.list_ends("", "LimitRange", "v1"), vec![Request::Team("a".to_owned())]);
    assert!(cache.get(&key()).is_none());
    assert!(cache.works().is_empty());
}

#[test]
fn late_deletion_does_not_remove_the_successor() {
    let cache = ObjectCache::default();
    cache.observe(&key(), &quota(1, "1"), SPEC);
    let mut before = quota(1, "1");
    before["metadata"]["uid"] = json!("another");
    assert!(cache.removed(&key(), &before).is_empty());
    assert!(cache.get(&key()).is_some());
}

#[test]
fn a_label_is_believed_only_where_the_teams_objects_can_be() {
    let cache = ObjectCache::default();
    let forged = quota(1, "1");
    for (kind, namespace, name) in [
        ("ConfigMap", Some("elsewhere"), "x"),
        ("Pod", Some("elsewhere"), "a--x"),
        ("Deployment", Some("ab--c"), "x"),
        ("Namespace", None, "elsewhere"),
        ("ClusterRole", None, "strata:team:b"),
    ] {
        cache.observe(&ObjectKey::new("", kind, namespace, name), &forged, SPEC);
    }
    assert!(cache.team("a").is_empty(), "{:?}", cache.team("a"));
    assert!(may_belong("a", &ObjectKey::new("", "ClusterRole", None, "strata:team:a"), false));
    assert!(may_belong("a", &ObjectKey::new("argoproj.io", "AppProject", Some("argocd"), "a--x"), true));
    assert!(may_belong("a", &ObjectKey::new("", "Namespace", None, "a--x"), false));
    assert!(!may_belong("a", &ObjectKey::new("hnc.example.com", "Namespace", None, "a--x"), false));
}

#[test]
fn a_stripped_label_leaves_the_namespace_to_tell_the_team() {
    let cache = ObjectCache::default();
    let mut bare = quota(1, "1");
    bare["metadata"]["labels"] = json!({});
    cache.observe(&ObjectKey::new("", "RoleBinding", Some("a--b"), "x"), &bare, SPEC);
    let found = cache.team("a");
    assert_eq!(found.len(), 1);
    assert!(!found[0].1.is_ours());
}

#[test]
fn a_list_is_believed_even_if_versions_went_back() {
    let cache = ObjectCache::default();
    cache.observe(&key(), &quota(900, "3"), SPEC);
    cache.list_begins("", "LimitRange", "v1");
    assert_eq!(cache.listed(&key(), &quota(5, "1"), SPEC), vec![Request::Team("a".to_owned())]);
    assert!(cache.list_ends("", "LimitRange", "v1").is_empty());
    assert!(cache.holds(&key(), &quota(0, "1"), SPEC));
    assert_eq!(cache.observe(&key(), &quota(6, "2"), SPEC), vec![Request::Team("a".to_owned())]);
}

#[test]
fn a_list_takes_nothing_back_that_was_written_since_it_began() {
    let cache = ObjectCache::default();
    cache.observe(&key(), &quota(4, "1"), SPEC);
    cache.list_begins("", "LimitRange", "v1");
    cache.wrote(&key(), &quota(5, "2"), SPEC, &quota(5, "2"));
    assert!(cache.listed(&key(), &quota(4, "1"), SPEC).is_empty());
    cache.list_ends("", "LimitRange", "v1");
    assert!(cache.holds(&key(), &quota(0, "2"), SPEC));
}

#[test]
fn a_kind_that_is_not_watched_any_more_is_not_known() {
    let cache = ObjectCache::default();
    cache.observe(&key(), &quota(4, "1"), SPEC);
    assert!(cache.forget_kind("", "ConfigMap").is_empty());
    assert_eq!(cache.forget_kind("", "LimitRange"), vec![Request::Team("a".to_owned())]);
    assert!(cache.get(&key()).is_none() && cache.works().is_empty());
}

#[test]
fn an_object_that_another_watch_takes_is_not_gone() {
    let cache = ObjectCache::default();
    cache.observe(&key(), &quota(4, "1"), SPEC);
    cache.list_begins("", "LimitRange", "v2");
    cache.still_there(&key());
    assert!(cache.list_ends("", "LimitRange", "v2").is_empty());
    assert!(cache.get(&key()).is_some());
}
