//! What an engine lets people, workloads and the operator do, and what no engine may
//! write.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema;

/// The rights that an engine gives to people, workloads and the operator.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rights {
    /// The rights of people, by level.
    #[serde(default, skip_serializing_if = "PeopleRights::is_empty")]
    pub people: PeopleRights,
    /// The rights of the ServiceAccounts of workbenches, pipelines and services.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "atomic"))]
    pub work: Vec<RightsRule>,
    /// The rights that the operator needs to run the engine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "atomic"))]
    pub operator: Vec<RightsRule>,
}

impl Rights {
    /// Whether the engine asks for no rights at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.people.is_empty() && self.work.is_empty() && self.operator.is_empty()
    }
}

/// The rights of people, by level. Each level includes the ones before it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PeopleRights {
    /// For everyone who may see the layer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "atomic"))]
    pub view: Vec<RightsRule>,
    /// For everyone who may use the layer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "atomic"))]
    pub r#use: Vec<RightsRule>,
    /// For everyone who contributes to the layer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "atomic"))]
    pub contribute: Vec<RightsRule>,
    /// For the owners of the layer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "atomic"))]
    pub own: Vec<RightsRule>,
}

impl PeopleRights {
    /// Whether no level gets anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.view.is_empty() && self.r#use.is_empty() && self.contribute.is_empty() && self.own.is_empty()
    }
}

/// One rule of a ClusterRole, without wildcards.
#[allow(clippy::doc_markdown, reason = "the description is shown to users of the API")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "!('secrets' in self.resources && '' in self.apiGroups)",
     "message": "engines may not grant access to Secrets: refer to them by name"},
    {"rule": "!self.apiGroups.exists(group, group == 'rbac.authorization.k8s.io')",
     "message": "engines may not grant access to rbac.authorization.k8s.io"}
]))]
pub struct RightsRule {
    /// The API groups; an empty word is the core group.
    #[schemars(schema_with = "schema::groups")]
    pub api_groups: Vec<String>,
    /// The resources, in the plural, subresources after a slash.
    #[schemars(schema_with = "schema::resources")]
    pub resources: Vec<String>,
    /// The names that the rule is limited to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::resource_names")]
    pub resource_names: Vec<String>,
    /// The verbs.
    #[schemars(schema_with = "schema::verbs")]
    pub verbs: Vec<String>,
}

/// The kinds of the core group that no engine may write.
pub const FORBIDDEN_CORE: &[&str] =
    &["Secret", "Namespace", "ResourceQuota", "LimitRange", "Node", "PersistentVolume", "Binding", "Endpoints"];

/// The endings of kinds that no engine may write, in whatever group: a policy of any
/// group adds to what is let through.
pub const FORBIDDEN_ENDINGS: &[&str] = &["NetworkPolicy", "AuthorizationPolicy", "AdmissionPolicy"];

/// The API groups whose kinds no engine may write: rights, admission, kinds, the API
/// server itself; and what networks, meshes and policy engines add to or set beside
/// network policies and admission.
pub const FORBIDDEN_GROUPS: &[&str] = &[
    "rbac.authorization.k8s.io",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "certificates.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "storage.k8s.io",
    "node.k8s.io",
    "discovery.k8s.io",
    "strata-operator.dev",
    // Networks.
    "policy.networking.k8s.io",
    "cilium.io",
    "crd.projectcalico.org",
    "projectcalico.org",
    "crd.antrea.io",
    "k8s.ovn.org",
    "k8s.cni.cncf.io",
    "network.openshift.io",
    // Meshes.
    "security.istio.io",
    "policy.linkerd.io",
    "kuma.io",
    "consul.hashicorp.com",
    // Admission and rights.
    "kyverno.io",
    "policies.kyverno.io",
    "templates.gatekeeper.sh",
    "constraints.gatekeeper.sh",
    "mutations.gatekeeper.sh",
    "authorization.openshift.io",
    "security.openshift.io",
];
