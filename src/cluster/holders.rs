//! Names what blocks the deletion of a namespace: the objects that somebody's finalizer
//! holds, and the pods that take long to end.
//!
//! The namespace's conditions have kinds and finalizers, but no names, and no pods while
//! there are any, because pods are deleted first. So the metadata of pods is listed in
//! that one namespace, and of the kinds in the conditions, if the operator may list them
//! anyway.

use std::collections::BTreeSet;

use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, ListParams, ObjectMeta};
use kube::core::GroupVersionKind;

use super::cache::Entry;
use crate::api::kinds::{KINDS, Kind};
use crate::api::text::bounded;
use crate::cluster::request::request;
use crate::telemetry::requests::Requests;

/// How many objects of a kind are looked at, how many kinds, and how many are named.
const LOOKED_AT: u32 = 200;
const LISTED: usize = 4;
const NAMED: usize = 3;
/// How many seconds a pod may take to end without being named.
const LONG: i64 = 60;
/// The longest part of a name that is reported.
const LENGTH: usize = 128;

/// What blocks the deletion of the namespace, one sentence each. `entry` is of a namespace
/// that is being deleted.
pub async fn holders(client: &Client, requests: &Requests, namespace: &str, entry: &Entry) -> Vec<String> {
    let messages = remaining(entry);
    let mut holders = Vec::new();
    for kind in listed(&messages) {
        holders.extend(of_kind(client, requests, kind, namespace).await);
    }
    let rest = holders.len().saturating_sub(NAMED);
    holders.truncate(NAMED);
    if rest > 0 {
        holders.push(format!("and {rest} more objects"));
    }
    let own = entry.state.namespace().map(|state| state.finalizers).unwrap_or_default();
    let own = (!own.is_empty()).then(|| sentence("Namespace", namespace, &own));
    holders.into_iter().chain(own).chain(messages).collect()
}

/// What the namespace waits for, in the words of Kubernetes.
#[must_use]
pub fn remaining(entry: &Entry) -> Vec<String> {
    entry.state.namespace().map_or_else(|unreadable| vec![unreadable.to_string()], |state| state.remaining)
}

/// Pods, and the kinds that the messages name.
fn listed(messages: &[String]) -> Vec<&'static Kind> {
    let words: BTreeSet<&str> = messages.iter().flat_map(|message| message.split_whitespace()).collect();
    let named =
        |kind: &&Kind| kind.plural == "pods" || words.contains(format!("{}.{}", kind.plural, kind.group).as_str());
    KINDS.iter().filter(|kind| kind.namespaced).filter(named).take(LISTED).collect()
}

async fn of_kind(client: &Client, requests: &Requests, kind: &Kind, namespace: &str) -> Vec<String> {
    let gvk = GroupVersionKind::gvk(kind.group, kind.version, kind.kind);
    let resource = ApiResource::from_gvk_with_plural(&gvk, kind.plural);
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
    let parameters = ListParams::default().limit(LOOKED_AT);
    let list = request(requests, "list", kind.kind, api.list_metadata(&parameters)).await;
    match list {
        Ok(list) => list.items.iter().filter_map(|object| holder(kind.kind, &object.metadata)).collect(),
        Err(_) => vec![format!("{} cannot be listed, so their finalizers are not known", kind.plural)],
    }
}

fn holder(kind: &str, metadata: &ObjectMeta) -> Option<String> {
    let until = metadata.deletion_timestamp.as_ref()?;
    let name = metadata.name.as_deref().unwrap_or_default();
    match metadata.finalizers.as_ref().filter(|all| !all.is_empty()) {
        Some(finalizers) => Some(sentence(kind, name, finalizers)),
        None if metadata.deletion_grace_period_seconds.is_some_and(|seconds| seconds > LONG) => Some(format!(
            "{kind} {} may take until {} to end (its terminationGracePeriodSeconds)",
            bounded(name.to_owned(), LENGTH),
            until.0
        )),
        None => None,
    }
}

fn sentence(kind: &str, name: &str, finalizers: &[String]) -> String {
    let all = finalizers.iter().take(NAMED).map(|name| bounded(name.clone(), LENGTH)).collect::<Vec<_>>().join(", ");
    format!(
        "{kind} {} waits for the removal of the finalizer {all} by the controller that set it",
        bounded(name.to_owned(), LENGTH)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_are_looked_at_and_what_the_conditions_name() {
        let plurals = |messages: &[&str]| -> Vec<&str> {
            let messages: Vec<_> = messages.iter().map(|message| (*message).to_owned()).collect();
            listed(&messages).iter().map(|kind| kind.plural).collect()
        };
        assert_eq!(plurals(&[]), ["pods"]);
        let remaining = "Some resources are remaining: configmaps. has 1 resource instances, deployments.apps has 2 resource instances, \
                         secrets. has 1 resource instances, widgets.example.com has 1 resource instances";
        let held = "Some content in the namespace has finalizers remaining: example.com/pods in 1 resource instances";
        assert_eq!(plurals(&[remaining, held]), ["configmaps", "deployments", "pods"]);
    }

    #[test]
    fn only_objects_in_deletion_with_finalizers_are_reported() {
        let object = |deleting: bool, finalizers: &[&str]| ObjectMeta {
            name: Some("stuck".to_owned()),
            deletion_timestamp: deleting.then(crate::reconcile::report::now),
            finalizers: Some(finalizers.iter().map(|name| (*name).to_owned()).collect()),
            ..ObjectMeta::default()
        };
        let says = "Pod stuck waits for the removal of the finalizer example.com/hold by the controller that set it";
        assert_eq!(holder("Pod", &object(true, &["example.com/hold"])).as_deref(), Some(says));
        assert_eq!(holder("Pod", &object(true, &[])), None);
        assert_eq!(holder("Pod", &object(false, &["example.com/hold"])), None);
        let grace = |seconds| ObjectMeta { deletion_grace_period_seconds: Some(seconds), ..object(true, &[]) };
        assert_eq!(holder("Pod", &grace(30)), None);
        let said = holder("Pod", &grace(86_400)).unwrap();
        assert!(
            said.starts_with("Pod stuck may take until ") && said.contains("terminationGracePeriodSeconds"),
            "{said}"
        );
        assert!(sentence("Pod", &"x".repeat(900), &vec!["f".repeat(900); 9]).len() < 700);
    }
}
