//! Quota and limit range of a namespace, always together: without defaults
//! every pod that sets nothing would be refused by the quota.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{LimitRange, LimitRangeItem, LimitRangeSpec, ResourceQuota, ResourceQuotaSpec};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::object::{core, metadata};
use super::{Desired, Stage};
use crate::api::quantity::Amount;
use crate::api::vocabulary::Layer;
use crate::plan::budget::needs;
use crate::plan::budget::needs::DEFAULTS;
use crate::plan::{NamespacePlan, Plan};

/// The quota's name.
pub const QUOTA: &str = "strata-quota";
/// The limit range's name.
pub const LIMITS: &str = "strata-limits";

/// The number of objects that a namespace may hold. Guardrails for the API
/// server, not a budget: they are the same for every team. Ports of nodes and
/// load balancers would go around the gateway.
const COUNTS: &[(&str, i64)] = &[
    ("pods", 500),
    ("services", 200),
    ("persistentvolumeclaims", 500),
    ("configmaps", 1000),
    ("secrets", 200),
    ("count/jobs.batch", 1000),
    ("count/cronjobs.batch", 200),
    ("count/deployments.apps", 200),
    ("count/statefulsets.apps", 500),
    ("count/horizontalpodautoscalers.autoscaling", 200),
    ("services.nodeports", 0),
    ("services.loadbalancers", 0),
];

/// The quota and the limit range of the namespace.
#[must_use]
pub fn objects(plan: &Plan, namespace: &NamespacePlan) -> Vec<Desired> {
    let quota = ResourceQuota {
        metadata: metadata(plan, namespace, QUOTA),
        spec: Some(ResourceQuotaSpec { hard: Some(hard(plan, namespace)), ..ResourceQuotaSpec::default() }),
        status: None,
    };
    let limits = LimitRange {
        metadata: metadata(plan, namespace, LIMITS),
        spec: Some(LimitRangeSpec { limits: vec![defaults()] }),
    };
    vec![core(Stage::Guardrail, &quota), core(Stage::Guardrail, &limits)]
}

fn hard(plan: &Plan, namespace: &NamespacePlan) -> BTreeMap<String, Quantity> {
    let share = plan.budget.iter().find(|share| share.namespace == namespace.name);
    let mut hard: BTreeMap<String, Amount> = share.map(|share| share.granted.clone()).unwrap_or_default();
    for (resource, count) in COUNTS {
        // A retained namespace keeps the share that is in use.
        let count = if *resource == "pods" { pods(plan, namespace, *count) } else { *count };
        hard.entry((*resource).to_owned()).or_insert_with(|| Amount::whole(count));
    }
    let own = namespace.counts.iter().map(|(resource, count)| (resource.clone(), Amount::whole(*count)));
    hard.extend(own);
    hard.into_iter().map(|(resource, amount)| (resource, Quantity(amount.canonical()))).collect()
}

/// Nobody runs pods in the Backbone but its engines: a pod there could borrow
/// the deployer's identity.
fn pods(plan: &Plan, namespace: &NamespacePlan, count: i64) -> i64 {
    if namespace.layer == Layer::Backbone { needs::pods(&plan.instances, &namespace.name) } else { count }
}

/// What containers get that say nothing: requests of all, and limits of what
/// kills a pod or fills a node. A default limit of processors would refuse
/// every container that requests more than it.
fn defaults() -> LimitRangeItem {
    let side = |prefix: &str| -> BTreeMap<String, Quantity> {
        let of_side = DEFAULTS.iter().filter_map(|(name, amount)| Some((name.strip_prefix(prefix)?, amount)));
        of_side.map(|(name, amount)| (name.to_owned(), Quantity((*amount).to_owned()))).collect()
    };
    LimitRangeItem {
        type_: "Container".to_owned(),
        default: Some(side("limits.")),
        default_request: Some(side("requests.")),
        ..LimitRangeItem::default()
    }
}
