//! From a plan to the full, ordered list of objects.
//!
//! Pure and infallible: all problems are in the plan.
//! The same plan gives the same list, to the byte.

pub mod access;
pub mod components;
pub mod connections;
pub mod identity;
pub mod namespaces;
pub mod network;
pub mod object;
pub mod pods;
pub mod quota;
pub mod record;
pub mod stores;
pub mod volumes;
pub mod work;

use std::collections::BTreeSet;

use serde_json::Value;

use crate::api::{ObjectKey, Reason};
use crate::engine::RenderedObject;
use crate::plan::{InstanceId, Plan, Problem, Scope};

/// When an object is written: in this order on the way in, the other way round
/// on the way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// The namespaces with their Pod Security labels.
    Namespace,
    /// Quotas, limits, network policies.
    Guardrail,
    /// ServiceAccounts.
    Identity,
    /// ConfigMaps and whatever else workloads load.
    Configuration,
    /// Workloads.
    Workload,
    /// People's and the deployer's rights.
    Binding,
}

/// One object that is to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Desired {
    /// When it is written.
    pub stage: Stage,
    /// Its identity.
    pub key: ObjectKey,
    /// The version of its kind that it is written in.
    pub version: String,
    /// The instance that it belongs to; none for the isolation core.
    pub component: Option<InstanceId>,
    /// The id of the engine's template that it comes from, for judging.
    pub template: Option<TemplateId>,
    /// The object, without status.
    pub object: Value,
}

impl Desired {
    /// An object of the isolation core; its key and version are read off the object itself.
    #[must_use]
    pub fn new(stage: Stage, object: Value) -> Self {
        let text = |field: &str| object[field].as_str().unwrap_or_default();
        let (group, version) = text("apiVersion").split_once('/').unwrap_or(("", text("apiVersion")));
        let key = ObjectKey::of(group, text("kind"), &object);
        Self { stage, key, version: version.to_owned(), component: None, template: None, object }
    }

    /// Whether it is what became of this object of an engine.
    #[must_use]
    pub fn is_of(&self, rendered: &RenderedObject) -> bool {
        self.template.as_ref().is_some_and(|id| id.id == rendered.id && id.index == rendered.index)
    }
}

/// Where in an engine an object comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TemplateId {
    /// The template's id.
    pub id: String,
    /// The position, if the template has `forEach`.
    pub index: Option<usize>,
}

/// Everything that is to be for one team.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Desires {
    /// The objects to write, in order.
    pub objects: Vec<Desired>,
    /// The objects of held instances as their engine would write them now, and
    /// what cannot be said yet: to be watched and judged, never written and never
    /// pruned.
    pub held: Vec<Desired>,
    /// Problems beyond the plan: two owners of one object.
    pub problems: Vec<Problem>,
}

impl Desires {
    /// The objects to write and those that are held.
    #[must_use]
    pub fn all(&self) -> Vec<&Desired> {
        self.objects.iter().chain(&self.held).collect()
    }
}

/// The objects that make the plan real.
#[must_use]
pub fn desired(plan: &Plan) -> Desires {
    let (mut objects, mut held) = (Vec::new(), Vec::new());
    for namespace in &plan.namespaces {
        objects.push(namespaces::namespace(plan, namespace));
        objects.extend(quota::objects(plan, namespace));
        objects.extend(network::policies(plan, namespace));
        if plan.api_server.is_empty() {
            held.extend(network::to_api_server(plan, namespace));
        } else {
            objects.extend(network::to_api_server(plan, namespace));
        }
        objects.extend(identity::default_account(plan, namespace));
        objects.extend(connections::connections(plan, namespace));
    }
    objects.extend(access::bindings(plan));
    objects.extend(access::deployer(plan));
    objects.extend(access::readers(plan));
    // The core comes first: where an engine wants an object of the same name,
    // the core has it.
    let mut desires = Desires { objects, held, ..Desires::default() };
    for instance in &plan.instances {
        let component = components::objects(plan, instance);
        if instance.hold.is_some() {
            desires.held.extend(component);
        } else {
            desires.objects.extend(component);
        }
    }
    desires.objects.extend(components::extras(plan));
    desires.problems = only_once(&mut desires.objects);
    let known: BTreeSet<ObjectKey> = desires.objects.iter().map(|desired| desired.key.clone()).collect();
    desires.held.retain(|desired| !known.contains(&desired.key));
    desires.objects.sort_by(|a, b| (a.stage, &a.key).cmp(&(b.stage, &b.key)));
    desires.held.sort_by(|a, b| (a.stage, &a.key).cmp(&(b.stage, &b.key)));
    desires
}

/// Keeps each object for its first owner, and reports the others.
fn only_once(objects: &mut Vec<Desired>) -> Vec<Problem> {
    let mut keys = BTreeSet::new();
    let mut problems = Vec::new();
    objects.retain(|desired| {
        let fresh = keys.insert(desired.key.clone());
        if !fresh {
            let scope = desired.component.clone().map_or(Scope::Team, Scope::Component);
            let ObjectKey { kind, name, namespace, .. } = &desired.key;
            let place = namespace.as_ref().map(|namespace| format!(" in {namespace}")).unwrap_or_default();
            let message = format!(
                "{kind} {name}{place} is asked for twice. The first owner keeps it, so this one is not written"
            );
            problems.push(Problem::blocking(scope, Reason::Invalid, message));
        }
        fresh
    });
    problems
}

#[cfg(test)]
mod tests;
