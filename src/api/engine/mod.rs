//! `Engine`: one way to provide a capability, as data.
//!
//! An engine is a file: objects as YAML whose values may be CEL, rules that say
//! when they are ready, and the settings that its consumers get. What the file
//! means is in [`crate::engine`]; here is only its form.
#![allow(clippy::duplicated_attributes, reason = "every printer column is an attribute of the same name")]

mod rights;
mod schema;

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use rights::{FORBIDDEN_CORE, FORBIDDEN_ENDINGS, FORBIDDEN_GROUPS, PeopleRights, Rights, RightsRule};

use super::status::Condition;
use super::vocabulary::Capability;

/// The longest CEL expression.
pub const EXPRESSION: usize = 2048;
/// The longest text with `${CEL}` in it.
pub const TEXT: usize = 4096;

/// One way to provide one or more capabilities.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "strata-operator.dev",
    version = "v1alpha1",
    kind = "Engine",
    plural = "engines",
    shortname = "eng",
    category = "ai",
    status = "EngineStatus",
    derive = "PartialEq",
    doc = "One way to provide one or more capabilities. An Engine with the name of a built-in one replaces it.",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Capabilities", type_ = "string", json_path = ".status.capabilities"),
    printcolumn(name = "Revision", type_ = "string", json_path = ".spec.revision"),
    printcolumn(name = "Teams", type_ = "integer", json_path = ".status.teams"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].message")
)]
#[serde(rename_all = "camelCase")]
#[allow(clippy::struct_excessive_bools, reason = "each is a question of its own to whoever writes an engine")]
pub struct EngineSpec {
    /// A description of the engine for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub description: Option<String>,
    /// The capabilities that the engine provides.
    #[schemars(length(min = 1, max = 12), extend("x-kubernetes-list-type" = "set"))]
    pub capabilities: Vec<Capability>,
    /// Whether one instance provides all the capabilities that one block of a
    /// team asks of the engine (`MLflow` tracks experiments and holds models).
    /// Without it, each capability has an instance and parameters of its own.
    #[serde(default)]
    #[schemars(default = "no")]
    pub together: bool,
    /// Changed with whatever the engine writes. What runs keeps the revision it
    /// was started with until moving is asked for.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$"))]
    pub revision: String,
    /// The kinds that the API server must serve for the engine to work.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["group", "kind"]))]
    pub requires: Vec<RequiredKind>,
    /// The JSON schema of the engine's parameters. Defaults in it are filled in.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::parameters")]
    pub parameters: BTreeMap<String, Value>,
    /// The objects that the engine writes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["id"]))]
    pub objects: Vec<ObjectTemplate>,
    /// What must be true of the live objects for the engine to be ready. Of a
    /// standard kind that no rule speaks of, Strata knows when it is ready.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "atomic"))]
    pub ready: Vec<ReadyRule>,
    /// Rules that show that the engine cannot become ready without action.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "atomic"))]
    pub failing: Vec<FailingRule>,
    /// Where the engine is reached, for people: text with `${CEL}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = TEXT))]
    pub endpoint: Option<String>,
    /// The settings that workbenches, pipelines and services of the team get,
    /// by the name of an environment variable: text with `${CEL}`. A value that
    /// comes out as null is left out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::connections")]
    pub connections: BTreeMap<String, String>,
    /// The way out of the team's namespaces to a service outside of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub egress: Option<EngineEgress>,
    /// What the engine lets people, work and the operator do. The platform
    /// applies these rights with the engine; the operator never creates any.
    #[serde(default, skip_serializing_if = "Rights::is_empty")]
    pub rights: Rights,
    /// The ports of the engine's pods that the team's other namespaces may reach.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub ports: Vec<Port>,
    /// The Pod Security level that the engine's pods pass. Anything but
    /// Restricted lowers the whole namespace, and the team's status says so.
    #[serde(default)]
    #[schemars(default = "PodSecurity::default")]
    pub pod_security: PodSecurity,
    /// Whether the engine's pods must reach the API server.
    #[serde(default)]
    #[schemars(default = "no")]
    pub needs_api_server: bool,
    /// Whether the engine acts with rights of its own instead of the team's. It
    /// is refused unless the Blueprint accepts that.
    #[serde(default)]
    #[schemars(default = "no")]
    pub runs_with_own_rights: bool,
    /// The names of the runtimes by which an engine for Serving serves models of the
    /// registry: a ModelService asks for one of them. An engine without one serves images.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::runtimes")]
    pub runtimes: Vec<String>,
    /// The resources that an engine for Queue divides itself. Quotas count the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queues: Option<Queues>,
    /// Whether whoever reaches the engine may do anything in it, whatever their
    /// role: it knows no users. The team's status says so.
    #[serde(default)]
    #[schemars(default = "no")]
    pub knows_no_users: bool,
}

/// The way out to a service that the engine stands for: from Shared, Workspaces and Live.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EngineEgress {
    /// The egress profile of the Blueprint that opens the way: text with `${CEL}`. Null is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = TEXT))]
    pub profile: Option<String>,
    /// Where the service is, as URLs or hosts with a port: texts with `${CEL}`. Without a profile,
    /// the way is opened to the namespaces of those that are Services of this cluster
    /// (`mlflow.tools.svc`), to all TCP ports, because a Service's port is not that of its pods.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::egress_services")]
    pub services: Vec<String>,
}

/// The resources that a queue divides itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Queues {
    /// Whether it deals out devices: once it is ready, quotas do not count them.
    #[serde(default)]
    #[schemars(default = "no")]
    pub devices: bool,
}

const fn no() -> bool {
    false
}

/// A kind that the API server must serve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RequiredKind {
    /// The API group; empty for the core group.
    #[schemars(length(max = 253), regex(pattern = "^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$"))]
    pub group: String,
    /// The kind.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[A-Z][A-Za-z0-9]*$"))]
    pub kind: String,
    /// The versions that will do, newest first.
    #[schemars(schema_with = "schema::versions")]
    pub versions: Vec<String>,
}

/// An object that the engine writes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectTemplate {
    /// The name that the rules of `ready` and `failing` know the object by.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z][A-Za-z0-9]*$"))]
    pub id: String,
    /// The object. A value that is one `${CEL}` becomes what the expression
    /// yields, with its type; inside other text it is put in as text. A null
    /// that comes out of an expression drops the key. `$${` stands for `${`.
    /// Beside the functions that Kubernetes has in CEL there are
    /// `fingerprint(value)`, a short hash, and `json(value)`, a text.
    #[schemars(schema_with = "schema::template")]
    pub template: Value,
    /// CEL that yields a list: one object per item, known as `item` and `index`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = EXPRESSION))]
    pub for_each: Option<String>,
    /// CEL that yields a bool: whether the object is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = EXPRESSION))]
    pub when: Option<String>,
    /// Where the object goes, if not into the layer's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement: Option<Placement>,
    /// For kinds that do not come with Kubernetes: what others add to the content
    /// of the object is taken out again. Not for kinds whose controllers write
    /// into their own spec. Those of Kubernetes are always kept so.
    #[serde(default, skip_serializing_if = "is_false")]
    #[schemars(default = "no", extend("default" = false))]
    pub owned_whole: bool,
}

/// A place outside the team's namespaces. The names of objects there are forced
/// to `<team>` or `<team>--...`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "(has(self.cluster) && self.cluster) != has(self.__namespace__)",
    "message": "set either `cluster: true` or one `namespace`"
}]))]
pub struct Placement {
    /// The object is cluster-scoped.
    #[serde(default, skip_serializing_if = "is_false")]
    #[schemars(default = "no", extend("default" = false))]
    pub cluster: bool,
    /// One namespace by its literal name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub namespace: Option<String>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// A condition of readiness.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReadyRule {
    /// CEL over `objects.<id>` that is true when this part is ready. While it
    /// cannot be evaluated, because a field does not exist yet, it is not.
    #[schemars(length(min = 1, max = EXPRESSION))]
    pub when: String,
    /// The message while the rule does not hold: text with `${CEL}`.
    #[schemars(length(min = 1, max = 1024))]
    pub message: String,
}

/// A sign that something has to be fixed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FailingRule {
    /// CEL over `objects.<id>` that is true when this is wrong. While it cannot
    /// be evaluated, it is not.
    #[schemars(length(min = 1, max = EXPRESSION))]
    pub when: String,
    /// Why, as one word.
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[A-Z][A-Za-z0-9]*$"))]
    pub reason: String,
    /// Why, for people: text with `${CEL}`.
    #[schemars(length(min = 1, max = 1024))]
    pub message: String,
}

/// A port that consumers reach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Port {
    /// The port's name.
    #[schemars(length(min = 1, max = 15), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// Its number on the pod.
    #[schemars(range(min = 1, max = 65535))]
    pub port: i32,
}

/// A level of the Pod Security Standards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum PodSecurity {
    /// Hardened by the practice of the day.
    #[default]
    Restricted,
    /// Known privilege escalations are prevented.
    Baseline,
    /// Nothing is prevented.
    Privileged,
}

impl PodSecurity {
    /// The level as the namespace label spells it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Restricted => "restricted",
            Self::Baseline => "baseline",
            Self::Privileged => "privileged",
        }
    }
}

/// The state of an engine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EngineStatus {
    /// The generation that this status speaks of; -1 until the operator saw it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Whether the engine's file is sound.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// The capabilities of the spec as one text, for the column of that name: a
    /// column prints a list as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub capabilities: Option<String>,
    /// How many teams use the engine. Over 0, deleting it needs the annotation
    /// `strata-operator.dev/allow-deletion`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub teams: Option<i64>,
}

#[cfg(test)]
mod tests;
