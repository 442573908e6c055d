//! The namespaces: their Pod Security levels, the labels of the team and of the site, and
//! what admission rules must know of the team.
//!
//! Applied, not owned whole: others may label and annotate them too.

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::object::{core, labels};
use super::{Desired, Stage};
use crate::api::blueprint::{TaintEffect, Toleration, TolerationOperator};
use crate::api::labels;
use crate::plan::check::allowed_registries;
use crate::plan::pod_rules::pod_rules;
use crate::plan::{NamespacePlan, Plan, budget};

/// On a namespace: from where images may come, with commas, each ending in a
/// slash; absent, from anywhere.
pub const REGISTRIES: &str = "strata-operator.dev/registries";

/// On a namespace: what containers may ask for beside processors, memory and scratch
/// space, with commas. Where it is absent policies do not know the lists yet, and refuse
/// nothing by them.
pub const DEVICES: &str = "strata-operator.dev/devices";

/// On a namespace: what pods may tolerate beside what Kubernetes adds, each as
/// `key|operator|value|effect`, with commas.
pub const TOLERATIONS: &str = "strata-operator.dev/tolerations";

/// On a namespace: the priority classes that pods may name beside the cluster's
/// default, with commas.
pub const PRIORITY_CLASSES: &str = "strata-operator.dev/priority-classes";

/// The namespace itself.
#[must_use]
pub fn namespace(plan: &Plan, namespace: &NamespacePlan) -> Desired {
    let mut all = namespace.labels.clone();
    all.extend(plan.site.namespaces.iter().flat_map(|rules| rules.labels_of(namespace.layer)));
    for (mode, value) in [("enforce", true), ("audit", false), ("warn", false)] {
        // Pods are warned of by what will hold once every engine passes it.
        let level = if value { namespace.pod_security.label() } else { "restricted" };
        all.insert(format!("pod-security.kubernetes.io/{mode}"), level.to_owned());
        all.insert(format!("pod-security.kubernetes.io/{mode}-version"), plan.site.pod_security_version.clone());
    }
    all.extend(labels(plan, namespace.layer, namespace.project.as_deref()));
    let metadata = ObjectMeta {
        name: Some(namespace.name.clone()),
        labels: Some(all),
        annotations: Some(annotations(plan, namespace)).filter(|annotations| !annotations.is_empty()),
        ..ObjectMeta::default()
    };
    core(Stage::Namespace, &Namespace { metadata, ..Namespace::default() })
}

fn annotations(plan: &Plan, namespace: &NamespacePlan) -> std::collections::BTreeMap<String, String> {
    let registries = allowed_registries(&plan.identity.name, &plan.site);
    let list = |names: Vec<String>| (!names.is_empty()).then(|| names.join(","));
    let rules = pod_rules(&plan.site);
    let of_site = plan.site.namespaces.iter().flat_map(|rules| rules.annotations_of(namespace.layer));
    let own = [
        (labels::POD_SECURITY_REASON, namespace.pod_security_reason.clone()),
        (labels::RETAINED, namespace.retained.then(|| retained(namespace).to_owned())),
        (REGISTRIES, list(registries)),
        // Even where the lists are empty: policies apply once these are written.
        (DEVICES, Some(devices(plan, namespace, rules.devices).join(","))),
        (TOLERATIONS, list(rules.tolerations.iter().filter_map(spelt).collect())),
        (PRIORITY_CLASSES, list(namespace.priority_classes.clone())),
        // Even where it is empty: readers distinguish that from unknown.
        (labels::USER_PREFIX, Some(plan.prefixes.user.clone())),
        (labels::GROUP_PREFIX, Some(plan.prefixes.group.clone())),
    ]
    .into_iter()
    .filter_map(|(key, value)| Some((key.to_owned(), value?)));
    of_site.chain(own).collect()
}

const fn retained(namespace: &NamespacePlan) -> &'static str {
    if namespace.waits { labels::UNTIL_ALLOWED } else { "true" }
}

/// The devices of the site and of the team's budget, and those that the namespace's quota
/// counts. What a queue deals out is in no quota.
fn devices(plan: &Plan, namespace: &NamespacePlan, of_site: Vec<String>) -> Vec<String> {
    let share = plan.budget.iter().find(|share| share.namespace == namespace.name);
    let counted = share.into_iter().flat_map(|share| share.granted.keys()).filter(|name| budget::is_device(name));
    let counted = counted.map(|name| name.trim_start_matches("requests.").to_owned());
    counted
        .chain(of_site)
        .chain(namespace.devices.iter().cloned())
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .collect()
}

/// A toleration as policies read it; none of a key that no taint has.
fn spelt(toleration: &Toleration) -> Option<String> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let operator = match toleration.operator {
        Some(TolerationOperator::Exists) => "Exists",
        Some(TolerationOperator::Equal) | None => "Equal",
    };
    let effect = match toleration.effect {
        Some(TaintEffect::NoSchedule) => "NoSchedule",
        Some(TaintEffect::PreferNoSchedule) => "PreferNoSchedule",
        Some(TaintEffect::NoExecute) => "NoExecute",
        None => "",
    };
    let (key, value) = (text(&toleration.key), text(&toleration.value));
    let plain = |text: &str| !text.contains([',', '|']);
    (plain(&key) && plain(&value)).then(|| format!("{key}|{operator}|{value}|{effect}"))
}
