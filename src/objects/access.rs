//! Bindings: who may do what where. Only ever of Strata's own ClusterRoles, and
//! never to `system:*` or to another team's identities.

use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, RoleBinding, RoleRef};

use super::object::{cluster_metadata, core, metadata};
use super::{Desired, Stage};
use crate::api::GROUP;
use crate::api::roles::kebab;
use crate::api::vocabulary::{Layer, Level};
use crate::plan::{Grant, NamespacePlan, Plan, Right, Subject};

/// The group of rights, of roles and of the people who hold them.
const RIGHTS: &str = "rbac.authorization.k8s.io";
/// The identity that delivers from the team's repository; its ServiceAccount is
/// the Delivery engine's to write.
pub const DEPLOYER: &str = "deployer";

/// One RoleBinding per grant.
#[must_use]
pub fn bindings(plan: &Plan) -> Vec<Desired> {
    let placed = plan.grants.iter().filter_map(|grant| Some((grant, plan.namespace(&grant.namespace)?)));
    placed.map(|(grant, namespace)| binding(plan, namespace, grant)).collect()
}

fn binding(plan: &Plan, namespace: &NamespacePlan, grant: &Grant) -> Desired {
    let suffix = match grant.right {
        // A roleRef cannot change, so the level is part of the name.
        Right::Level(level) => level.kebab(),
        Right::Guardrails => "guardrails",
        Right::Pipelines => "pipelines",
    };
    let role = grant.right.cluster_role(grant.layer);
    let name = format!("strata-{}-{suffix}", kebab(&grant.role));
    let subjects = grant.subjects.iter().map(subject).collect();
    role_binding(plan, namespace, name, role, subjects)
}

fn role_binding(plan: &Plan, namespace: &NamespacePlan, name: String, role: String, subjects: Vec<Bound>) -> Desired {
    let binding =
        RoleBinding { metadata: metadata(plan, namespace, name), role_ref: role_ref(role), subjects: Some(subjects) };
    core(Stage::Binding, &binding)
}

type Bound = k8s_openapi::api::rbac::v1::Subject;

fn role_ref(name: String) -> RoleRef {
    RoleRef { api_group: Some(RIGHTS.to_owned()), kind: "ClusterRole".to_owned(), name }
}

fn subject(subject: &Subject) -> Bound {
    let (kind, name) = match subject {
        Subject::Group(name) => ("Group", name),
        Subject::User(name) => ("User", name),
    };
    Bound { api_group: Some(RIGHTS.to_owned()), kind: kind.to_owned(), name: name.clone(), namespace: None }
}

/// The deployer in the team's namespaces, but for the one that holds it.
#[must_use]
pub fn deployer(plan: &Plan) -> Vec<Desired> {
    let Some(backbone) = plan.namespaces.iter().find(|place| place.layer == Layer::Backbone).filter(|_| plan.deployer)
    else {
        return Vec::new();
    };
    let others = plan.namespaces.iter().filter(|place| place.layer != Layer::Backbone && !place.retained);
    others
        .map(|namespace| {
            let subject = Bound {
                api_group: None,
                kind: "ServiceAccount".to_owned(),
                name: DEPLOYER.to_owned(),
                namespace: Some(backbone.name.clone()),
            };
            let role = Right::Level(Level::Contribute).cluster_role(namespace.layer);
            role_binding(plan, namespace, "strata-deployer".to_owned(), role, vec![subject])
        })
        .collect()
}

/// The right to read the team's own object, for its members and leads.
#[must_use]
pub fn readers(plan: &Plan) -> Vec<Desired> {
    if plan.readers.is_empty() {
        return Vec::new();
    }
    let name = format!("strata:team:{}", plan.identity.name);
    let reading = PolicyRule {
        api_groups: Some(vec![GROUP.to_owned()]),
        resources: Some(vec!["aiteams".to_owned()]),
        resource_names: Some(vec![plan.identity.name.clone()]),
        verbs: ["get", "list", "watch"].map(ToOwned::to_owned).to_vec(),
        non_resource_urls: None,
    };
    let role =
        ClusterRole { metadata: cluster_metadata(plan, &name), rules: Some(vec![reading]), aggregation_rule: None };
    let binding = ClusterRoleBinding {
        metadata: cluster_metadata(plan, &name),
        role_ref: role_ref(name),
        subjects: Some(plan.readers.iter().map(subject).collect()),
    };
    // The API server binds only a role that it finds, so the role comes a stage earlier.
    vec![core(Stage::Identity, &role), core(Stage::Binding, &binding)]
}
