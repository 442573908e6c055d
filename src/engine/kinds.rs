//! The kinds that engines may write, and the names of their objects.
//!
//! Rights, walls, quotas and the API itself are not an engine's to write: they
//! are the isolation core, which is typed Rust. The CRD refuses the same in
//! `Engine` objects; this is for files that never saw an API server.

use serde::{Deserialize, Serialize};

use crate::api::engine::{FORBIDDEN_CORE, FORBIDDEN_ENDINGS, FORBIDDEN_GROUPS};
use crate::api::labels;

/// Group, version and kind of an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ObjectKind {
    /// The API group; empty for the core group.
    pub group: String,
    /// The version.
    pub version: String,
    /// The kind.
    pub kind: String,
}

impl ObjectKind {
    /// Reads `apiVersion` and `kind`.
    #[must_use]
    pub fn new(api_version: &str, kind: &str) -> Self {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        Self { group: group.to_owned(), version: version.to_owned(), kind: kind.to_owned() }
    }

    /// Why no engine may write this kind.
    #[must_use]
    pub fn forbidden(&self) -> Option<String> {
        let core = self.group.is_empty() && FORBIDDEN_CORE.contains(&self.kind.as_str());
        let policy = FORBIDDEN_ENDINGS.iter().any(|ending| self.kind.ends_with(ending));
        let group = FORBIDDEN_GROUPS.contains(&self.group.as_str());
        (core || policy || group).then(|| {
            format!("no engine may write a {}: rights, walls, quotas and the API itself are Strata's own", self.kind)
        })
    }
}

/// Why an object in the team's namespaces may not have this name.
#[must_use]
pub fn reserved(name: &str) -> Option<String> {
    labels::is_reserved(name)
        .then(|| format!("the name {name} is reserved for Strata, like every `strata-...` and `connections`"))
}

/// Why an object outside the team's namespaces may not have this name.
#[must_use]
pub fn foreign(name: &str, team: &str) -> Option<String> {
    let own = name.strip_prefix(team).is_some_and(|rest| rest.is_empty() || rest.starts_with("--"));
    (!own).then(|| {
        format!("outside the team's namespaces the name must be `{team}` or begin with `{team}--`, not {name}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_walls_and_the_api_are_not_an_engines_to_write() {
        for (version, kind) in [
            ("v1", "Secret"),
            ("v1", "Namespace"),
            ("v1", "ResourceQuota"),
            ("v1", "LimitRange"),
            ("v1", "PersistentVolume"),
            ("rbac.authorization.k8s.io/v1", "Role"),
            ("rbac.authorization.k8s.io/v1", "RoleBinding"),
            ("rbac.authorization.k8s.io/v1", "ClusterRole"),
            ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
            ("networking.k8s.io/v1", "NetworkPolicy"),
            ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy"),
            ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration"),
            ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
            ("strata-operator.dev/v1alpha1", "AITeam"),
            ("cilium.io/v2", "CiliumNetworkPolicy"),
            ("cilium.io/v2", "CiliumClusterwideEnvoyConfig"),
            ("projectcalico.org/v3", "GlobalNetworkPolicy"),
            ("policy.networking.k8s.io/v1alpha2", "ClusterNetworkPolicy"),
            ("security.istio.io/v1", "PeerAuthentication"),
            ("policy.linkerd.io/v1beta3", "Server"),
            ("k8s.ovn.org/v1", "EgressFirewall"),
            ("kyverno.io/v2", "PolicyException"),
            ("a.example.com/v1", "MultiNetworkPolicy"),
        ] {
            assert!(ObjectKind::new(version, kind).forbidden().is_some(), "{version} {kind}");
        }
        for (version, kind) in [
            ("v1", "ConfigMap"),
            ("apps/v1", "Deployment"),
            ("networking.k8s.io/v1", "Ingress"),
            ("networking.istio.io/v1", "VirtualService"),
        ] {
            assert_eq!(ObjectKind::new(version, kind).forbidden(), None);
        }
    }

    #[test]
    fn names_outside_are_the_teams() {
        assert_eq!(foreign("fraud", "fraud"), None);
        assert_eq!(foreign("fraud--gpu", "fraud"), None);
        assert!(foreign("fraud-gpu", "fraud").is_some());
        assert!(foreign("fraudulent", "fraud").is_some());
        assert!(foreign("default", "fraud").is_some());
        assert!(reserved("strata-quota").is_some());
        assert!(reserved("connections").is_some());
        assert_eq!(reserved("mlflow"), None);
    }
}
