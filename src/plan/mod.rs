//! From a team, its Blueprint and the facts of the cluster to a plan: which
//! namespaces, which engines, who may do what, who gets how much.
//!
//! Pure: no client, no clock. The objects of the plan are decided in
//! [`crate::objects`].

pub mod access;
pub mod budget;
pub mod catalog;
pub mod check;
pub mod choice;
pub mod cidr;
pub mod connections;
pub mod coverage;
pub mod extras;
pub mod facts;
pub mod findings;
pub mod inputs;
pub mod instances;
pub mod management;
pub mod merged;
pub mod namespaces;
pub mod no_effect;
pub mod parameters;
pub mod pod_rules;
pub mod prefixes;
pub mod problem;
pub mod roles;
pub mod settings;
pub mod stay;
pub mod undefined;
pub mod unimplemented;
pub mod units;
pub mod upgrades;
pub mod volume;
pub mod ways;
pub mod work;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

pub use facts::{ApiServer, Choice, Choices, Facts, Retained, ServedKinds, Usage, Used, Way};
pub use prefixes::WrittenPrefixes;
pub use problem::{InstanceId, Problem, Scope};
pub use settings::{DatasetSettings, Settings};

use crate::api::engine::PodSecurity;
use crate::api::quantity::Amount;
use crate::api::team::AITeam;
use crate::api::team_status::{BlueprintReference, Catalog};
use crate::api::vocabulary::{Capability, Layer, Level};
use crate::api::work::WorkKind;
use crate::api::{BlueprintSpec, Issue, Prefixes};
use crate::engine::{CompiledEngine, Inputs, RenderedObject};

/// The desired structure of one team.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The identity of the planned object.
    pub identity: Identity,
    /// The Blueprint that it follows.
    pub blueprint: BlueprintReference,
    /// The spec of that Blueprint.
    pub site: Arc<BlueprintSpec>,
    /// The prefixes of user and group names.
    pub prefixes: Prefixes,
    /// The team's namespaces: Backbone, Shared, then project by project.
    pub namespaces: Vec<NamespacePlan>,
    /// What provides the team's capabilities, one entry per instance, held and
    /// missing ones too.
    pub instances: Vec<Instance>,
    /// The rights of people, by namespace.
    pub grants: Vec<Grant>,
    /// Everyone who may read the team's own object: members and leads.
    pub readers: Vec<Subject>,
    /// Whether the deployer's identity is bound in the team's namespaces.
    pub deployer: bool,
    /// Problems, and fields without effect yet. Sorted.
    pub problems: Vec<Problem>,
    /// The names that the spec and members' objects may use.
    pub catalog: Catalog,
    /// The division of the budget, one entry per namespace.
    pub budget: Vec<Share>,
    /// Gaps in the staffing. Empty: `StaffingComplete`.
    pub coverage: Vec<String>,
    /// The settings that Workspaces and Live load.
    pub connections: BTreeMap<String, String>,
    /// The namespaces that customers call from: sorted, each once.
    pub customers: Vec<String>,
    /// The Blueprint's extras.
    pub extras: Vec<ExtraObject>,
    /// Where the API server is reached, if known.
    pub api_server: Vec<ApiServer>,
    /// The engines of work objects whose pods must reach it.
    pub work_with_api_server: BTreeSet<String>,
}

/// An object that the Blueprint adds to a namespace.
#[derive(Clone, Debug, PartialEq)]
pub struct ExtraObject {
    /// The namespace.
    pub namespace: String,
    /// The object.
    pub object: Value,
}

/// The team that a plan is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its name.
    pub name: String,
    /// Its UID; one of zeros for a team that is not in any cluster.
    pub uid: String,
}

/// A namespace of the team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespacePlan {
    /// Its name.
    pub name: String,
    /// Its layer.
    pub layer: Layer,
    /// Its project, in a Workspace and in Live.
    pub project: Option<String>,
    /// The team's own labels for it.
    pub labels: BTreeMap<String, String>,
    /// The strictest Pod Security level that its engines pass.
    pub pod_security: PodSecurity,
    /// Why that is not `restricted`.
    pub pod_security_reason: Option<String>,
    /// Profiles of the Blueprint that open the way out of it.
    pub egress: Vec<String>,
    /// Namespaces of this cluster that it may reach, for services that engines stand for.
    pub services: Vec<String>,
    /// The settings of the datasets that it may use.
    pub datasets: Settings,
    /// Devices of the team's own budget, which its pods may ask for.
    pub devices: Vec<String>,
    /// The priority classes that its pods may name.
    pub priority_classes: Vec<String>,
    /// How many objects of Strata's own kinds it may hold, by the quota's names.
    pub counts: BTreeMap<String, i64>,
    /// Whether its project left the spec: its guardrails stay, nothing else.
    pub retained: bool,
    /// Whether that is only until its deletion is allowed.
    pub waits: bool,
}

/// Who holds a role somewhere, with the prefix of the identity provider.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Subject {
    /// A group.
    Group(String),
    /// A person.
    User(String),
}

/// The rights of one role in one namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Grant {
    /// The namespace.
    pub namespace: String,
    /// Its layer.
    pub layer: Layer,
    /// The role's name.
    pub role: String,
    /// The right.
    pub right: Right,
    /// Who holds it: sorted, each once.
    pub subjects: Vec<Subject>,
}

/// The content of a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Right {
    /// A level of the layer.
    Level(Level),
    /// Reading the guardrails.
    Guardrails,
    /// Writing pipelines and creating runs.
    Pipelines,
}

impl Right {
    /// The ClusterRole that holds it in a layer. A roleRef cannot change, so a level
    /// is part of its name.
    #[must_use]
    pub fn cluster_role(self, layer: Layer) -> String {
        match self {
            Self::Level(level) => format!("strata:{}:{}", layer.kebab(), level.kebab()),
            Self::Guardrails => "strata:guardrails".to_owned(),
            Self::Pipelines => "strata:pipelines".to_owned(),
        }
    }
}

/// The share of one namespace in the budget, by the quota's resource names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// The namespace.
    pub namespace: String,
    /// The amounts that its quota grants: the larger of wanted and used.
    pub granted: BTreeMap<String, Amount>,
    /// The amounts that it should have.
    pub wanted: BTreeMap<String, Amount>,
    /// Whether more is in use than it is to have.
    pub over: bool,
}

/// One engine in one place.
#[derive(Clone, Debug)]
pub struct Instance {
    /// Which one.
    pub id: InstanceId,
    /// The layer of its namespace.
    pub layer: Layer,
    /// The project, in a Workspace and in Live.
    pub project: Option<String>,
    /// The capabilities that it provides.
    pub capabilities: Vec<Capability>,
    /// The revision that is in place, or is being put there.
    pub revision: String,
    /// The engine, if it is in the catalogue and sound.
    pub engine: Option<Arc<CompiledEngine>>,
    /// The variables of its expressions.
    pub inputs: Arc<Inputs>,
    /// Present: nothing of it is written or pruned.
    pub hold: Option<Issue>,
    /// Its objects; none if an expression failed.
    pub objects: Vec<RenderedObject>,
    /// The choice to be recorded for each of its capabilities. Of a held one it
    /// is what was recorded before, if anything was.
    pub choice: Option<Choice>,
}

impl Plan {
    /// The namespace of this name.
    #[must_use]
    pub fn namespace(&self, name: &str) -> Option<&NamespacePlan> {
        self.namespaces.iter().find(|namespace| namespace.name == name)
    }

    /// The choices to be recorded before anything is written.
    #[must_use]
    pub fn choices(&self) -> Choices {
        let mut choices = Choices::default();
        for instance in &self.instances {
            for (capability, choice) in instance.capabilities.iter().zip(std::iter::repeat(&instance.choice)) {
                if let Some(choice) = choice {
                    choices.insert(&instance.id.namespace, *capability, choice.clone());
                }
            }
        }
        choices
    }

    /// Lets go of what the objects of the instances hold: the desired objects have it. Which
    /// objects there are stays known.
    pub fn forget_objects(&mut self) {
        self.extras = Vec::new();
        let objects = self.instances.iter_mut().flat_map(|instance| &mut instance.objects);
        objects.for_each(|rendered| rendered.object = Value::Null);
    }
}

/// What is kept of a team that was taken away: all of its namespaces with their
/// guardrails, frozen at what was in use, and nothing else.
pub fn retained_only(team: &AITeam, facts: &Facts<'_>) -> Result<Plan, Issue> {
    let mut plan = plan(team, facts)?;
    for namespace in &mut plan.namespaces {
        namespace.retained = true;
    }
    plan.budget = plan.namespaces.iter().map(|namespace| budget::shares::frozen(&namespace.name, facts)).collect();
    Ok(plan)
}

/// The UID of a team that is not in any cluster.
const NO_UID: &str = "00000000-0000-0000-0000-000000000000";

/// Plans the team; the error is the refusal of the spec as a whole.
pub fn plan(team: &AITeam, facts: &Facts<'_>) -> Result<Plan, Issue> {
    let (spec, site) = (&team.spec, facts.blueprint);
    check::check(team, site)?;
    let name = team.metadata.name.clone().unwrap_or_default();
    let places = namespaces::places(&name, spec);
    let (instances, mut problems) = instances::instances(team, facts);
    let (mut budget, more) = budget::shares::shares(team, facts, &places, &instances)?;
    problems.extend(more);
    let namespaces = namespaces::planned(team, facts, &places, &instances);
    let retained = namespaces.iter().filter(|namespace| namespace.retained);
    budget.extend(retained.map(|namespace| budget::shares::frozen(&namespace.name, facts)));
    let (connections, more) = connections::connections(spec, site, &instances);
    problems.extend(more);
    let (extras, more) = extras::extras(team, site, &namespaces);
    problems.extend(more);
    problems.extend(unimplemented::unimplemented(spec, site));
    problems.extend(undefined::undefined(spec, site));
    let (prefixes, waiting) = prefixes::in_effect(team, facts.written, facts.prefixes);
    problems.extend(waiting);
    problems.extend(no_effect::no_effect(spec, site, &prefixes, &instances));
    problems.sort();
    let customers = spec.customers.iter().flat_map(|customer| customer.namespaces.clone());
    let customers: BTreeSet<String> = customers.collect();
    let mut plan = Plan {
        identity: Identity { name, uid: team.metadata.uid.clone().unwrap_or_else(|| NO_UID.to_owned()) },
        blueprint: BlueprintReference { name: spec.blueprint.clone(), generation: facts.blueprint_generation },
        site: Arc::new(site.clone()),
        grants: access::grants(spec, site, &prefixes, &places),
        readers: access::readers(spec, &prefixes),
        prefixes,
        deployer: instances.iter().any(|instance| instance.capabilities.contains(&Capability::Delivery)),
        coverage: coverage::coverage(spec, site),
        catalog: catalog::catalog(spec, facts),
        customers: customers.into_iter().collect(),
        api_server: facts.api_server.to_vec(),
        namespaces,
        instances,
        problems,
        budget,
        connections,
        extras,
        work_with_api_server: BTreeSet::new(),
    };
    plan.work_with_api_server = work_with_api_server(&plan, facts);
    Ok(plan)
}

/// Of the engines that provide work, or may come to, those whose pods must reach
/// the API server.
fn work_with_api_server(plan: &Plan, facts: &Facts<'_>) -> BTreeSet<String> {
    let candidates = WorkKind::ALL.iter().flat_map(|kind| work::engine::candidates(plan, kind.capability()));
    let all = candidates.chain(facts.work_engines.iter().map(String::as_str));
    let needs = |name: &&str| {
        let engine = facts.catalogue.get(name).and_then(|entry| entry.compiled.as_ref().ok());
        engine.is_some_and(|engine| engine.spec().needs_api_server)
    };
    all.filter(needs).map(str::to_owned).collect()
}
