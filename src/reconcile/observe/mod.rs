//! Gathers the facts that a plan depends on. It makes no API calls: everything is in the
//! store and the cache already.

pub mod recorded;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::api::quantity::Amount;
use crate::api::work::WorkKind;
use crate::api::{AITeam, BlueprintSpec, Issue, Layer, Prefixes, Reason, labels};
use crate::cluster::cache::{Entry, ObjectCache};
use crate::cluster::store::Store;
use crate::cluster::watch::State;
use crate::engine::Catalogue;
use crate::objects::record::Record;
use crate::plan::settings::Given;
use crate::plan::work::Object;
use crate::plan::{
    ApiServer, Choices, DatasetSettings, Facts, Retained, ServedKinds, Usage, Used, WrittenPrefixes, budget,
};
use crate::reconcile::context::Context;

pub use recorded::{Recorded, newer, record};

/// The observed facts, owned.
pub struct Observed {
    /// The spec of the Blueprint.
    pub blueprint: BlueprintSpec,
    /// Its generation.
    pub blueprint_generation: i64,
    /// The engines.
    pub catalogue: Arc<Catalogue>,
    /// The kinds that are served.
    pub served: Arc<ServedKinds>,
    /// The choices of the record.
    pub choices: Choices,
    /// The granted and the used amounts of the quotas.
    pub usage: Usage,
    /// The settings of the team's datasets.
    pub datasets: DatasetSettings,
    /// Namespaces of ours that the spec no longer asks for.
    pub retained: Vec<Retained>,
    /// Namespaces of ours that go, because the spec no longer asks for them.
    pub going: Vec<String>,
    /// The prefixes of users and groups in the operator's options.
    pub prefixes: Prefixes,
    /// Those that are written on the team's namespaces.
    pub written: WrittenPrefixes,
    /// Where the API server is reached; empty while that is not known.
    pub api_server: Vec<ApiServer>,
    /// The engines that provide something in its work.
    pub work_engines: BTreeSet<String>,
    /// The record, if it exists.
    pub record: Option<Record>,
    /// Whether the team moves to newer revisions of its engines now, without a request.
    pub upgrades: bool,
}

impl Observed {
    /// The facts, for planning.
    #[must_use]
    pub fn facts(&self) -> Facts<'_> {
        Facts {
            blueprint: &self.blueprint,
            blueprint_generation: self.blueprint_generation,
            catalogue: &self.catalogue,
            served: &self.served,
            choices: &self.choices,
            usage: &self.usage,
            retained: &self.retained,
            datasets: &self.datasets,
            prefixes: &self.prefixes,
            written: &self.written,
            api_server: &self.api_server,
            work_engines: &self.work_engines,
            upgrades: self.upgrades,
        }
    }
}

impl Observed {
    /// Whether one of these engines changed since, or whether what it speaks of is served.
    #[must_use]
    pub fn is_outdated(&self, engines: &BTreeSet<String>, store: &Store) -> bool {
        let (catalogue, served) = (store.catalogue(), store.served());
        let same_engines = Arc::ptr_eq(&catalogue, &self.catalogue)
            || engines.iter().all(|name| catalogue.agrees_on(&self.catalogue, name));
        let agree = |name: &String| {
            let spoken = catalogue.get(name).map(|entry| entry.kinds()).unwrap_or_default();
            spoken.iter().all(|(group, kind)| served.agrees_on(&self.served, group, kind))
        };
        !same_engines || !(Arc::ptr_eq(&served, &self.served) || engines.iter().all(agree))
    }
}

/// The facts for a team, or why its Blueprint cannot be followed.
/// Without configured prefixes, those on the namespaces hold.
pub fn observe(
    team: &AITeam,
    store: &Store,
    known: &Recorded<'_>,
    may_lower: bool,
    configured: Option<&Prefixes>,
) -> Result<Observed, Issue> {
    let name = team.metadata.name.as_deref().unwrap_or_default();
    let (blueprint_generation, blueprint) = blueprint(&team.spec.blueprint, store)?;
    let (record, cache) = (known.record(team)?, known.cache);
    let written = written_prefixes(name, cache);
    Ok(Observed {
        blueprint,
        blueprint_generation,
        catalogue: store.catalogue(),
        served: store.served(),
        choices: record.as_ref().map(|record| record.choices.clone()).unwrap_or_default(),
        usage: usage(name, cache, may_lower)?,
        datasets: datasets(name, store),
        retained: Vec::new(),
        going: Vec::new(),
        prefixes: configured.cloned().unwrap_or_else(|| written.or(&Prefixes::default())),
        written,
        api_server: cache.api_server.all(),
        work_engines: store.work.engines(name),
        record,
        upgrades: false,
    })
}

/// The settings of the team's datasets, as the datasets themselves report them.
fn datasets(team: &str, store: &Store) -> DatasetSettings {
    let mut all = DatasetSettings::new();
    for (id, object) in store.work_of_team(WorkKind::Dataset, team) {
        let (metadata, said) = match object.as_deref() {
            Ok(object) if object.metadata().deletion_timestamp.is_some() => continue,
            Ok(Object::Dataset(dataset)) => {
                (&dataset.metadata, dataset.status.as_ref().map(|status| status.connections.clone()))
            }
            Ok(_) => continue,
            // What it said before it could not be read any more still stands.
            Err(unreadable) => {
                (&unreadable.metadata, serde_json::from_value(unreadable.status["connections"].clone()).ok())
            }
        };
        let created = metadata.creation_timestamp.clone();
        let given = Given { name: id.name, created, settings: said.unwrap_or_default() };
        all.entry(id.namespace).or_default().push(given);
    }
    all
}

fn blueprint(name: &str, store: &Store) -> Result<(i64, BlueprintSpec), Issue> {
    match store.blueprints.get(name) {
        Some(Ok(found)) => Ok((found.metadata.generation.unwrap_or_default(), found.spec.clone())),
        Some(Err(object)) => Err(Issue::new(
            Reason::BlueprintInvalid,
            format!("spec.blueprint: Blueprint {name} cannot be read, so the team is held: {}", object.error),
        )),
        None => {
            let others = store.blueprints.names();
            let known = if others.is_empty() {
                "the cluster has none".to_owned()
            } else {
                format!("available: {}", others.join(", "))
            };
            Err(Issue::new(
                Reason::BlueprintMissing,
                format!("spec.blueprint: Blueprint {name} does not exist, so the team is held; {known}"),
            ))
        }
    }
}

/// The prefixes of people and groups that are written on the team's namespaces: on its
/// Backbone, or else on the first that has them, or else in the record.
#[must_use]
pub fn written_prefixes(team: &str, cache: &ObjectCache) -> WrittenPrefixes {
    let (namespaces, backbone) = (namespaces(team, cache), format!("{team}--backbone"));
    let mut all: Vec<_> = namespaces.iter().collect();
    all.sort_by_key(|(name, _)| **name != backbone);
    let first = |key: &str| all.iter().find_map(|(_, entry)| entry.state.namespace().ok()?.annotations.remove(key));
    let (user, group) = (first(labels::USER_PREFIX), first(labels::GROUP_PREFIX));
    if user.is_some() && group.is_some() {
        return WrittenPrefixes { user, group };
    }
    // What an earlier version did not write there, the record may have.
    let recorded = record(team, cache).ok().flatten().and_then(|record| record.prefixes);
    let (of_users, of_groups) = recorded.map(|recorded| (recorded.user, recorded.group)).unzip();
    WrittenPrefixes { user: user.or(of_users), group: group.or(of_groups) }
}

/// Why it is not known which objects of a built-in kind there are, if it is not.
#[must_use]
pub fn unwatched(context: &Context, group: &str, kind: &str) -> Option<Issue> {
    match context.watches.kind(group, kind)?.state {
        State::Synced => None,
        State::Listing => Some(Issue::new(Reason::Progressing, format!("the first list of {kind}s is not complete"))),
        State::Failing(failure) => Some(failure),
    }
}

/// The namespaces of ours that carry the team's label, with what is known of them.
#[must_use]
pub fn namespaces(team: &str, cache: &ObjectCache) -> BTreeMap<String, Entry> {
    let all = cache.team(team).into_iter();
    all.filter(|(key, entry)| key.built_in() == "Namespace" && entry.is_ours())
        .map(|(key, entry)| (key.name, entry))
        .collect()
}

/// The layer of a namespace of a team: by its label, or else by its name, which cannot
/// change.
#[must_use]
pub fn layer(name: &str, entry: &Entry) -> Layer {
    let by_label = entry.state.namespace().ok().and_then(|state| state.layer);
    by_label.unwrap_or_else(|| match name.split_once("--").map_or("", |(_, rest)| rest) {
        "backbone" => Layer::Backbone,
        "shared" => Layer::Shared,
        rest if rest.ends_with("--live") => Layer::Live,
        _ => Layer::Workspace,
    })
}

/// The project of a namespace of a team, likewise.
fn project(name: &str, entry: &Entry) -> Option<String> {
    if let Some(label) = entry.state.namespace().ok().and_then(|state| state.project) {
        return Some(label);
    }
    let rest = name.split_once("--")?.1;
    match layer(name, entry) {
        Layer::Backbone | Layer::Shared => None,
        Layer::Workspace | Layer::Live => Some(rest.strip_suffix("--live").unwrap_or(rest).to_owned()),
    }
}

/// The message for a namespace that belongs to a team by its UID but not by its label.
#[must_use]
pub fn lost_label(team: &str, namespace: &str) -> Issue {
    Issue::new(
        Reason::Conflict,
        format!(
            "namespace {namespace} belongs to the team by its UID but lost the label {label}, so Strata may not write \
             it. Put it back: kubectl label namespace {namespace} {label}={team}",
            label = labels::TEAM
        ),
    )
}

/// A namespace that nothing asks for any more, as it is retained.
pub fn retained(name: &str, entry: &Entry) -> Result<Retained, Issue> {
    let state = entry.state.namespace()?;
    Ok(Retained {
        namespace: name.to_owned(),
        layer: layer(name, entry),
        project: project(name, entry),
        pod_security: state.pod_security.unwrap_or_default(),
        frozen: state.annotations.contains_key(labels::RETAINED),
        waits: false,
    })
}

/// The granted and the used amounts of a team's quotas.
pub fn usage(team: &str, cache: &ObjectCache, may_lower: bool) -> Result<Usage, Issue> {
    let mut usage = Usage { may_lower, ..Usage::default() };
    for (key, entry) in cache.team(team) {
        let (Some(namespace), "ResourceQuota") = (&key.namespace, key.built_in()) else { continue };
        if key.name != "strata-quota" {
            continue;
        }
        let quota = entry.state.quota()?;
        let used = quota.hard.iter().map(|(resource, hard)| {
            let amounts = Used { hard: amount(Some(hard)), used: amount(quota.used.get(resource)) };
            (resource.clone(), amounts)
        });
        usage.namespaces.insert(namespace.clone(), used.collect());
        if *namespace == format!("{team}--backbone") {
            usage.counted = quota.used.into_keys().filter(|resource| budget::is_count(resource)).collect();
        }
    }
    Ok(usage)
}

fn amount(text: Option<&String>) -> Amount {
    text.and_then(|text| Amount::parse(text).ok()).unwrap_or(Amount::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ObjectKey;
    use crate::api::kinds::built_in;
    use serde_json::{Value, json};

    fn cache(namespaces: &[(&str, Value)], record: Option<&Value>) -> ObjectCache {
        let cache = ObjectCache::default();
        let take = |key: ObjectKey, metadata: Value, data: Value| {
            let mut object = json!({"metadata": metadata, "data": data});
            object["metadata"]["name"] = json!(key.name);
            object["metadata"]["uid"] = json!(key.name);
            object["metadata"]["resourceVersion"] = json!("1");
            object["metadata"]["labels"] =
                json!({labels::TEAM: "a", labels::TEAM_UID: "t", labels::MANAGED_BY: labels::MANAGER});
            let write_strategy = built_in("", &key.kind).unwrap().write_strategy;
            cache.observe(&key, &object, write_strategy);
        };
        for (name, annotations) in namespaces {
            take(ObjectKey::new("", "Namespace", None, name), json!({"annotations": annotations}), Value::Null);
        }
        if let Some(record) = record {
            let key = ObjectKey::new("", "ConfigMap", Some("a--backbone"), labels::RECORD);
            take(key, json!({"namespace": "a--backbone"}), json!({"record.json": record.to_string()}));
        }
        cache
    }

    fn both(user: Option<&str>, group: Option<&str>) -> WrittenPrefixes {
        WrittenPrefixes { user: user.map(str::to_owned), group: group.map(str::to_owned) }
    }

    #[test]
    fn the_backbone_says_which_prefixes_are_written() {
        let annotations = |user: &str, group: &str| json!({labels::USER_PREFIX: user, labels::GROUP_PREFIX: group});
        let spaces = [("a--aaa", annotations("old:", "old:")), ("a--backbone", annotations("oidc:", ""))];
        assert_eq!(written_prefixes("a", &cache(&spaces, None)), both(Some("oidc:"), Some("")));
        let lost = [("a--backbone", json!({})), ("a--p", annotations("oidc:", "g:"))];
        assert_eq!(written_prefixes("a", &cache(&lost, None)), both(Some("oidc:"), Some("g:")));
        assert_eq!(written_prefixes("a", &cache(&[("a--backbone", json!({}))], None)), both(None, None));
        assert_eq!(written_prefixes("a", &ObjectCache::default()), both(None, None));
    }

    #[test]
    fn the_record_tells_what_no_namespace_does() {
        let space = [("a--backbone", json!({labels::USER_PREFIX: "oidc:"}))];
        let former = |site: Value| json!({"uid": "u", "spec": {}, "site": site});
        for (record, group) in [
            (former(json!({"identity": {"userPrefix": "x:", "groupPrefix": "g:"}})), Some("g:")),
            (former(json!({"archetype": "AdHoc"})), Some("")),
            (json!({"version": 1, "uid": "u", "prefixes": {"user": "x:", "group": "g:"}}), Some("g:")),
            (json!({"version": 1, "uid": "u"}), None),
            (json!("nothing that can be read"), None),
        ] {
            assert_eq!(written_prefixes("a", &cache(&space, Some(&record))), both(Some("oidc:"), group), "{record}");
        }
    }

    #[test]
    fn newer_record_is_not_overwritten_during_a_pass() {
        let of = |record: &Value| newer("a", &cache(&[("a--backbone", json!({}))], Some(record)));
        let failure = of(&json!({"version": 9, "team": "a"})).unwrap();
        assert_eq!(failure.reason, Reason::RecordUnreadable);
        // One that somebody damaged is put back, and one that is as it should be, too.
        assert_eq!(of(&json!("nothing that can be read")), None);
        assert_eq!(of(&json!({"version": 1, "uid": "u"})), None);
        assert_eq!(newer("a", &ObjectCache::default()), None);
    }
}
