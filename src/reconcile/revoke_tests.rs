//! Who leaves the bindings of a team that is held, and who stays because nobody knows better.

use serde_json::Value;

use super::*;
use crate::api::kinds::WriteStrategy;

fn observed(cache: &ObjectCache, key: &ObjectKey, mut object: Value) {
    object["metadata"]["name"] = json!(key.name);
    object["metadata"]["uid"] = json!("u");
    object["metadata"]["resourceVersion"] = json!("1");
    object["metadata"]["labels"] = json!({labels::TEAM: "abc", labels::TEAM_UID: "t"});
    cache.observe(key, &object, WriteStrategy::Replace(&["subjects"]));
}

/// A team with one binding, whose namespaces say these prefixes.
fn cluster(annotations: &Value, subjects: &Value) -> ObjectCache {
    let cache = ObjectCache::default();
    observed(
        &cache,
        &ObjectKey::new("", "Namespace", None, "abc--p"),
        json!({"metadata": {"annotations": annotations}}),
    );
    let key = ObjectKey::new("rbac.authorization.k8s.io", "RoleBinding", Some("abc--p"), "strata-any-name");
    let role = json!({"name": "strata:workspace:own", "kind": "ClusterRole"});
    observed(&cache, &key, json!({"subjects": subjects, "roleRef": role}));
    cache
}

fn user(name: &str) -> Value {
    json!({"kind": "User", "name": name})
}

fn people(users: &[&str]) -> Readable {
    Readable::of(&json!({"projects": [{"name": "p"}], "members": [{"role": "MLEngineer", "users": users}]}))
}

fn oidc() -> Value {
    json!({"strata-operator.dev/user-prefix": "oidc:", "strata-operator.dev/group-prefix": ""})
}

/// What is revoked with a Blueprint that can be read, or without.
fn revoked(
    cache: &ObjectCache,
    people: &Readable,
    site: Option<&BlueprintSpec>,
    record: Option<&Record>,
) -> Result<Vec<Revocation>, String> {
    let stay = staying("abc", people, site, record, cache, None)?;
    Ok(revocations(&stay, cache.bindings("abc")).into_iter().map(|(_, _, revocation)| revocation).collect())
}

fn record() -> Record {
    let prefixes = Some(Prefixes { user: "oidc:".to_owned(), group: String::new() });
    Record { uid: "t".to_owned(), prefixes, ..Record::of("abc", &people(&[]).spec, &BlueprintSpec::default()) }
}

#[test]
fn whoever_left_the_spec_leaves_the_bindings() {
    let site = BlueprintSpec::default();
    let both = cluster(&oidc(), &json!([user("oidc:ana"), user("oidc:bo")]));
    for (site, record) in [(Some(&site), None), (None, Some(&record()))] {
        let revoked = |users: &[&str]| revoked(&both, &people(users), site, record).unwrap();
        assert!(revoked(&["ana", "bo"]).is_empty());
        assert_eq!(revoked(&["ana"]), [Revocation::Keep(json!([user("oidc:ana")]))]);
        assert_eq!(revoked(&[]), [Revocation::Remove]);
    }
}

#[test]
fn identities_of_work_are_no_people() {
    let account = json!({"kind": "ServiceAccount", "name": "deployer", "namespace": "abc--backbone"});
    let cache = cluster(&oidc(), &json!([account]));
    assert_eq!(revoked(&cache, &people(&[]), Some(&BlueprintSpec::default()), None), Ok(vec![]));
}

#[test]
fn where_nothing_can_be_read_nobody_leaves() {
    let site = BlueprintSpec::default();
    let subjects = json!([user("oidc:ana")]);
    // No prefix is known: an empty one would be a guess, and everybody would leave.
    assert!(revoked(&cluster(&json!({}), &subjects), &people(&["ana"]), Some(&site), None).is_err());
    let known = cluster(&oidc(), &subjects);
    assert!(revoked(&known, &people(&["ana"]), None, None).is_err());
    let wordless = Record { rights: None, ..record() };
    assert!(revoked(&known, &people(&[]), None, Some(&wordless)).is_err());
    let lost = Readable::of(&json!({"members": {"MLEngineer": ["bo"]}}));
    assert!(revoked(&known, &lost, Some(&site), Some(&record())).is_err());
}

#[test]
fn the_record_tells_the_prefix_that_namespaces_do_not() {
    let cache = cluster(&json!({}), &json!([user("oidc:ana"), user("oidc:bo")]));
    let kept = revoked(&cache, &people(&["ana"]), None, Some(&record())).unwrap();
    assert_eq!(kept, [Revocation::Keep(json!([user("oidc:ana")]))]);
}

#[test]
fn a_half_written_change_of_prefixes_costs_nobody() {
    let cache = cluster(&oidc(), &json!([user("new:ana")]));
    let configured = Prefixes { user: "new:".to_owned(), group: String::new() };
    let stay =
        staying("abc", &people(&["ana"]), Some(&BlueprintSpec::default()), None, &cache, Some(&configured)).unwrap();
    assert!(revocations(&stay, cache.bindings("abc")).is_empty());
}
