//! The namespaces: their Pod Security levels, the team's labels, and what
//! admission rules must know of the team.
//!
//! Applied, not owned whole: others may label and annotate them too.

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::object::{core, labels};
use super::{Desired, Ownership, Stage};
use crate::api::labels;
use crate::plan::check::allowed_registries;
use crate::plan::{NamespacePlan, Plan};

/// On a namespace: from where images may come, with commas, each ending in a
/// slash; absent, from anywhere.
pub const REGISTRIES: &str = "strata-operator.dev/registries";

/// The namespace itself.
#[must_use]
pub fn namespace(plan: &Plan, namespace: &NamespacePlan) -> Desired {
    let mut all = namespace.labels.clone();
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
    core(Stage::Namespace, Ownership::Applied, &Namespace { metadata, ..Namespace::default() })
}

fn annotations(plan: &Plan, namespace: &NamespacePlan) -> std::collections::BTreeMap<String, String> {
    let registries = allowed_registries(&plan.identity.name, &plan.site);
    [
        (labels::POD_SECURITY_REASON, namespace.pod_security_reason.clone()),
        (labels::RETAINED, namespace.retained.then(|| retained(namespace).to_owned())),
        (REGISTRIES, (!registries.is_empty()).then(|| registries.join(","))),
        // Even where there is none: whoever asks can tell that from not knowing.
        (labels::USER_PREFIX, Some(plan.prefixes.user.clone())),
        (labels::GROUP_PREFIX, Some(plan.prefixes.group.clone())),
    ]
    .into_iter()
    .filter_map(|(key, value)| Some((key.to_owned(), value?)))
    .collect()
}

const fn retained(namespace: &NamespacePlan) -> &'static str {
    if namespace.waits { labels::UNTIL_ALLOWED } else { "true" }
}
