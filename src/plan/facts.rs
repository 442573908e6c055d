//! The facts of the cluster for planning, passed in by the caller.
//!
//! Nothing here asks a cluster. The caller of [`plan`](super::plan()) passes in what it
//! observed: the kinds that are served, the earlier choices, what is in use.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::WrittenPrefixes;
use super::settings::DatasetSettings;
use crate::api::engine::{PodSecurity, RequiredKind};
use crate::api::quantity::Amount;
use crate::api::vocabulary::{Capability, Layer};
use crate::api::{BlueprintSpec, Prefixes};
use crate::engine::kinds::ObjectKind;
use crate::engine::{Catalogue, RenderedObject};

/// Everything that a plan depends on besides the team itself.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The rules and preferences of the site.
    pub blueprint: &'a BlueprintSpec,
    /// The generation of the Blueprint that was read.
    pub blueprint_generation: i64,
    /// The engines, compiled.
    pub catalogue: &'a Catalogue,
    /// The kinds that the API server serves.
    pub served: &'a ServedKinds,
    /// The earlier choices. They are kept.
    pub choices: &'a Choices,
    /// The granted and the used amounts of the quotas.
    pub usage: &'a Usage,
    /// Namespaces of projects that left the spec under `Retain`: their
    /// guardrails stay, and nothing else is planned for them.
    pub retained: &'a [Retained],
    /// The settings of the team's datasets, by the namespace of the dataset.
    pub datasets: &'a DatasetSettings,
    /// What the API server puts before the names of people and groups, as the
    /// operator is configured.
    pub prefixes: &'a Prefixes,
    /// The prefixes written on the team's namespaces.
    pub written: &'a WrittenPrefixes,
    /// Where the API server is reached: its own addresses and those of its
    /// Service; empty when they are not known.
    pub api_server: &'a [ApiServer],
    /// The engines that provide something in the team's work.
    pub work_engines: &'a BTreeSet<String>,
    /// Whether the team moves to newer revisions of its engines now, without a request.
    pub upgrades: bool,
}

static NO_DATASETS: DatasetSettings = BTreeMap::new();
static NO_PREFIXES: Prefixes = Prefixes { user: String::new(), group: String::new() };
static NOTHING_WRITTEN: WrittenPrefixes = WrittenPrefixes { user: None, group: None };
static CORE: LazyLock<ServedKinds> = LazyLock::new(ServedKinds::default);
static NO_CHOICES: Choices = Choices(BTreeMap::new());
static STAND_IN: [ApiServer; 1] = [ApiServer { address: IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1)), port: 443 }];
static NO_ENGINES: BTreeSet<String> = BTreeSet::new();
static NO_USAGE: Usage = Usage { namespaces: BTreeMap::new(), counted: BTreeSet::new(), may_lower: true };

impl<'a> Facts<'a> {
    /// The facts of an unknown cluster: nothing was chosen,
    /// nothing is in use, and only Kubernetes' own kinds are served. An address
    /// of nobody stands for those of its API server.
    #[must_use]
    pub fn offline(blueprint: &'a BlueprintSpec, catalogue: &'a Catalogue) -> Self {
        Self {
            blueprint,
            blueprint_generation: 0,
            catalogue,
            served: &CORE,
            choices: &NO_CHOICES,
            usage: &NO_USAGE,
            retained: &[],
            datasets: &NO_DATASETS,
            prefixes: &NO_PREFIXES,
            written: &NOTHING_WRITTEN,
            api_server: &STAND_IN,
            work_engines: &NO_ENGINES,
            upgrades: false,
        }
    }
}

/// The kinds that the API server serves, by group and kind, with their
/// versions. Kubernetes' own groups are always served and need not be named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServedKinds(BTreeMap<(String, String), Vec<String>>);

impl ServedKinds {
    /// Notes that a kind is served in this version.
    pub fn insert(&mut self, group: &str, kind: &str, version: &str) {
        let versions = self.0.entry((group.to_owned(), kind.to_owned())).or_default();
        if !versions.iter().any(|known| known == version) {
            versions.push(version.to_owned());
        }
    }

    /// Notes that a kind is not served any more.
    pub fn remove(&mut self, group: &str, kind: &str) {
        self.0.remove(&(group.to_owned(), kind.to_owned()));
    }

    /// Whether both have the kind served in the same versions.
    #[must_use]
    pub fn agrees_on(&self, other: &Self, group: &str, kind: &str) -> bool {
        let key = (group.to_owned(), kind.to_owned());
        self.0.get(&key) == other.0.get(&key)
    }

    /// The version in which an engine's objects of a kind are written: as their template
    /// has it where that is served, else the newest of those that will do. None where the
    /// kind is Kubernetes' own, or not served.
    #[must_use]
    pub fn version<'a>(&self, kind: &'a ObjectKind, requires: &'a [RequiredKind]) -> Option<&'a str> {
        let served = self.0.get(&(kind.group.clone(), kind.kind.clone()))?;
        let is_served = |version: &&str| served.iter().any(|known| known == version);
        let same = requires.iter().filter(|required| required.group == kind.group && required.kind == kind.kind);
        let will_do = same.flat_map(|required| &required.versions).map(String::as_str);
        [kind.version.as_str()].into_iter().chain(will_do).find(is_served)
    }

    /// The version in which objects of a kind are to be looked for that was recorded in
    /// this one: another that is served, once this one is not.
    #[must_use]
    pub fn instead<'a>(&'a self, kind: &'a ObjectKind) -> Option<&'a str> {
        let served = self.0.get(&(kind.group.clone(), kind.kind.clone()))?;
        served.iter().find(|version| **version == kind.version).or_else(|| served.first()).map(String::as_str)
    }

    /// Has the objects of an engine written in versions that are served.
    pub fn place(&self, objects: &mut [RenderedObject], requires: &[RequiredKind]) {
        for rendered in objects {
            let object = &mut rendered.object;
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let kind = ObjectKind::new(&text(&object["apiVersion"]), &text(&object["kind"]));
            if let Some(version) = self.version(&kind, requires).filter(|version| *version != kind.version) {
                object["apiVersion"] = format!("{}/{version}", kind.group).into();
            }
        }
    }

    /// Whether a kind is served in this version.
    #[must_use]
    pub fn has(&self, group: &str, kind: &str, version: &str) -> bool {
        let versions = self.0.get(&(group.to_owned(), kind.to_owned()));
        versions.is_some_and(|versions| versions.iter().any(|known| known == version))
    }

    /// Whether one of the versions that will do is served.
    #[must_use]
    pub fn serves(&self, required: &RequiredKind) -> bool {
        let own = !required.group.contains('.') || required.group.ends_with(".k8s.io") && is_builtin(&required.group);
        own || self
            .0
            .get(&(required.group.clone(), required.kind.clone()))
            .is_some_and(|versions| required.versions.iter().any(|wanted| versions.contains(wanted)))
    }
}

/// The groups that every API server of the supported releases serves and that
/// an engine may write to.
fn is_builtin(group: &str) -> bool {
    matches!(group, "networking.k8s.io" | "scheduling.k8s.io" | "coordination.k8s.io" | "events.k8s.io")
}

/// The earlier choices, by namespace and capability.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Choices(pub BTreeMap<String, BTreeMap<Capability, Choice>>);

impl Choices {
    /// The choice for a capability in a namespace.
    #[must_use]
    pub fn get(&self, namespace: &str, capability: Capability) -> Option<&Choice> {
        self.0.get(namespace)?.get(&capability)
    }

    /// Records a choice.
    pub fn insert(&mut self, namespace: &str, capability: Capability, choice: Choice) {
        self.0.entry(namespace.to_owned()).or_default().insert(capability, choice);
    }
}

/// A chosen engine and the settings for others: enough to hold
/// everything in place while the engine's file is missing or has moved on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Choice {
    /// The engine.
    pub engine: String,
    /// The revision that was written.
    pub revision: String,
    /// The settings that its consumers got.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub connections: BTreeMap<String, String>,
    /// The ports that its consumers reach.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<i32>,
    /// The Pod Security level that its pods pass.
    #[serde(default)]
    pub pod_security: PodSecurity,
    /// Whether its pods reach the API server.
    #[serde(default)]
    pub needs_api_server: bool,
    /// The ways out of the team's namespaces that it opens.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ways: Vec<Way>,
}

/// A way out of the team's namespaces to a service that an engine stands for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Way {
    /// An egress profile of the Blueprint.
    Profile(String),
    /// All pods of a namespace of this cluster, over TCP.
    Namespace(String),
}

/// The granted and the used amounts of the quotas of a team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// By namespace, then by the quota's resource name.
    pub namespaces: BTreeMap<String, BTreeMap<String, Used>>,
    /// The counts of Strata's own kinds that the Backbone's quota tells the use of:
    /// those that the cluster's quota controller knows.
    pub counted: BTreeSet<String>,
    /// Whether a quota that is above its share may be lowered now towards what
    /// is in use. The caller lets it pass at most once a minute.
    pub may_lower: bool,
}

impl Default for Usage {
    fn default() -> Self {
        Self { namespaces: BTreeMap::new(), counted: BTreeSet::new(), may_lower: true }
    }
}

impl Usage {
    /// The granted and the used amount of one resource of one namespace.
    #[must_use]
    pub fn of(&self, namespace: &str, resource: &str) -> Used {
        self.namespaces.get(namespace).and_then(|resources| resources.get(resource)).copied().unwrap_or_default()
    }
}

/// One resource of a quota.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// The amount that the quota grants now.
    pub hard: Amount,
    /// The amount in use.
    pub used: Amount,
}

/// A namespace whose project left the spec under `Retain`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Retained {
    /// The namespace.
    pub namespace: String,
    /// Its layer.
    pub layer: Layer,
    /// Its project, in a Workspace and in Live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The Pod Security level that it had.
    #[serde(default)]
    pub pod_security: PodSecurity,
    /// Whether its quota is already frozen at the used amounts.
    #[serde(default, skip_serializing_if = "is_false")]
    pub frozen: bool,
    /// Whether it left under `Delete`, and is kept until its deletion is allowed.
    #[serde(default, skip_serializing_if = "is_false")]
    pub waits: bool,
}

// The form that serde asks for.
#[allow(clippy::trivially_copy_pass_by_ref)]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// One address of the API server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ApiServer {
    /// The address.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
}
