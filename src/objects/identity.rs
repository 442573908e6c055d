//! The `default` ServiceAccount of a namespace: without a token, so that a pod
//! which asks for none holds no right at all.
//!
//! Applied: clouds write annotations and pull secrets there too. What the site
//! wants on ServiceAccounts (a cloud's role) is put on engines' own as well.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{LocalObjectReference, ServiceAccount};

use super::object::{core, metadata};
use super::{Desired, Stage};
use crate::plan::{NamespacePlan, Plan};

/// The `default` ServiceAccount; a retained namespace keeps the one it has.
#[must_use]
pub fn default_account(plan: &Plan, namespace: &NamespacePlan) -> Option<Desired> {
    let pull_secrets =
        plan.site.registries.as_ref().map(|registries| registries.pull_secrets.clone()).unwrap_or_default();
    let references: Vec<LocalObjectReference> =
        pull_secrets.into_iter().map(|name| LocalObjectReference { name }).collect();
    let mut metadata = metadata(plan, namespace, "default");
    metadata.annotations =
        Some(annotations(plan, &namespace.name, "default")).filter(|annotations| !annotations.is_empty());
    let account = ServiceAccount {
        metadata,
        automount_service_account_token: Some(false),
        image_pull_secrets: (!references.is_empty()).then_some(references),
        ..ServiceAccount::default()
    };
    (!namespace.retained).then(|| core(Stage::Identity, &account))
}

/// The site's annotations of a ServiceAccount. `${project}` is the namespace's
/// name after the team's (`chargeback`, `chargeback--live`, `shared`), so that
/// production never shares a cloud identity with the place where it is made.
#[must_use]
pub fn annotations(plan: &Plan, namespace: &str, account: &str) -> BTreeMap<String, String> {
    let team = &plan.identity.name;
    let prefix = format!("{team}--");
    let project = namespace.strip_prefix(&prefix).unwrap_or(namespace);
    let filled =
        |text: &String| text.replace("${team}", team).replace("${project}", project).replace("${identity}", account);
    let wanted = plan.site.service_accounts.iter().flat_map(|accounts| &accounts.annotations);
    wanted.map(|(key, value)| (key.clone(), filled(value))).collect()
}
