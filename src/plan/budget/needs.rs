//! What the engines of a namespace need of its quota: the pods of their
//! objects, with one more of each Deployment that rolls over, and their
//! volumes. Pods that another operator makes of a custom resource are not counted.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    Amounts, LIMITS_CPU, LIMITS_EPHEMERAL, LIMITS_MEMORY, REQUESTS_CPU, REQUESTS_EPHEMERAL, REQUESTS_MEMORY, STORAGE,
};
use crate::api::quantity::Amount;
use crate::engine::{Place, pods};
use crate::plan::Instance;

/// The default resources of a container: the namespace's limit range.
pub const DEFAULTS: &[(&str, &str)] = &[
    (REQUESTS_CPU, "100m"),
    (REQUESTS_MEMORY, "256Mi"),
    (REQUESTS_EPHEMERAL, "256Mi"),
    (LIMITS_MEMORY, "1Gi"),
    (LIMITS_EPHEMERAL, "2Gi"),
];

/// The quota's resources of pods, where a container names them.
const FIELDS: &[(&str, &str, &str)] = &[
    (REQUESTS_CPU, "requests", "cpu"),
    (REQUESTS_MEMORY, "requests", "memory"),
    (REQUESTS_EPHEMERAL, "requests", "ephemeral-storage"),
    (LIMITS_CPU, "limits", "cpu"),
    (LIMITS_MEMORY, "limits", "memory"),
    (LIMITS_EPHEMERAL, "limits", "ephemeral-storage"),
];

/// The needs of the engines, by namespace.
#[must_use]
pub fn needs(instances: &[Instance]) -> BTreeMap<String, Amounts> {
    let mut needs: BTreeMap<String, Amounts> = BTreeMap::new();
    for instance in instances {
        let amounts = needs.entry(instance.id.namespace.clone()).or_default();
        for rendered in instance.objects.iter().filter(|rendered| rendered.place == Place::Layer) {
            add(amounts, &of_object(&rendered.object), 1);
        }
    }
    needs
}

/// How many pods the engines run in a namespace at most.
#[must_use]
pub fn pods(instances: &[Instance], namespace: &str) -> i64 {
    let own = instances.iter().filter(|instance| instance.id.namespace == namespace);
    let objects = own.flat_map(|instance| &instance.objects).filter(|rendered| rendered.place == Place::Layer);
    objects.filter(|rendered| pods::template(&rendered.object).is_some()).map(|rendered| copies(&rendered.object)).sum()
}

fn of_object(object: &Value) -> Amounts {
    let mut amounts = Amounts::new();
    if object["kind"] == "PersistentVolumeClaim" {
        add(&mut amounts, &volume(&object["spec"]), 1);
    }
    let Some((template, _)) = pods::template(object) else { return amounts };
    add(&mut amounts, &of_pod(&template["spec"]), copies(object));
    for claim in object["spec"]["volumeClaimTemplates"].as_array().into_iter().flatten() {
        add(&mut amounts, &volume(&claim["spec"]), replicas(object));
    }
    amounts
}

fn replicas(object: &Value) -> i64 {
    object["spec"]["replicas"].as_i64().unwrap_or(1).clamp(0, 10_000)
}

/// The pods there may be at once.
fn copies(object: &Value) -> i64 {
    let rolls = object["kind"] == "Deployment" && object["spec"]["strategy"]["type"] != "Recreate";
    replicas(object) + i64::from(rolls)
}

fn volume(spec: &Value) -> Amounts {
    let size = quantity(&spec["resources"]["requests"]["storage"]).unwrap_or_default();
    Amounts::from([(STORAGE.to_owned(), size)])
}

/// The sum of the containers, or the largest init container where that is more.
fn of_pod(spec: &Value) -> Amounts {
    let mut amounts = Amounts::new();
    for (resource, side, field) in FIELDS {
        let default = DEFAULTS.iter().find(|(name, _)| name == resource).and_then(|(_, text)| Amount::parse(text).ok());
        let of = |container: &Value| {
            let named = quantity(&container["resources"][*side][*field]);
            let limit = quantity(&container["resources"]["limits"][*field]);
            named.or(limit.filter(|_| *side == "requests")).or(default).unwrap_or_default()
        };
        let list = |name: &str| spec[name].as_array().into_iter().flatten().collect::<Vec<_>>();
        let sidecar = |container: &&&Value| container["restartPolicy"] == "Always";
        let inits = list("initContainers");
        let running = list("containers").into_iter().chain(inits.iter().filter(sidecar).copied());
        let sum = running.fold(Amount::ZERO, |sum, container| sum.plus(of(container)));
        let largest = inits.iter().map(|container| of(container)).max().unwrap_or_default();
        amounts.insert((*resource).to_owned(), sum.max(largest));
    }
    amounts
}

fn quantity(value: &Value) -> Option<Amount> {
    match value {
        Value::String(text) => Amount::parse(text).ok(),
        Value::Number(number) => Amount::parse(&number.to_string()).ok(),
        _ => None,
    }
}

fn add(amounts: &mut Amounts, more: &Amounts, times: i64) {
    for (resource, amount) in more {
        let sum = amounts.entry(resource.clone()).or_default();
        // A sum, and not a product, because a part is rounded as a share is.
        for _ in 0..times {
            *sum = sum.plus(*amount);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(object: &Value, resource: &str) -> String {
        of_object(object).get(resource).map(|amount| amount.canonical()).unwrap_or_default()
    }

    #[test]
    fn pods_count_with_their_defaults_and_their_rollover() {
        let mut object = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "spec": {"replicas": 2, "template": {"spec": {
                "initContainers": [{"resources": {"requests": {"memory": "2Gi"}}}],
                "containers": [{"resources": {"requests": {"cpu": "250m"}, "limits": {"memory": "512Mi"}}}, {}]}}}
        });
        assert_eq!(of(&object, REQUESTS_CPU), "1050m");
        assert_eq!(of(&object, REQUESTS_MEMORY), "6Gi");
        assert_eq!(of(&object, LIMITS_MEMORY), "4608Mi");
        object["spec"]["strategy"] = json!({"type": "Recreate"});
        assert_eq!(of(&object, REQUESTS_CPU), "700m");
    }

    #[test]
    fn volumes_count_wherever_they_are_asked_for() {
        let claim = json!({"spec": {"resources": {"requests": {"storage": "5Gi"}}}});
        let set = json!({"apiVersion": "apps/v1", "kind": "StatefulSet",
            "spec": {"replicas": 3, "template": {"spec": {}}, "volumeClaimTemplates": [claim]}});
        assert_eq!(of(&set, STORAGE), "15Gi");
        let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "spec": claim["spec"]});
        assert_eq!(of(&claim, STORAGE), "5Gi");
    }
}
