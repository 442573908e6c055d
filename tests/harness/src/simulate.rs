//! Behaviour of pods that only a controller makes, set beforehand by object of
//! a member, and without a word in anybody's manifests. A mutating admission
//! policy adds the `simulate/*` annotations that the stages of
//! `tests/control-plane/stages/pod.yaml` read, so a pod has them before anything
//! can see it. It exists on control planes of our own alone, and changes nothing
//! of a pod but these annotations.

use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::{ControlPlane, Error, wait};

/// The file of simulated results.
const NAMESPACE: &str = "simulate";

/// Tells what is written for the policy from what else is in the namespace.
const MARK: &str = "simulate";

/// The pods of one member's object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pods {
    namespace: String,
    label: String,
    object: String,
    prefix: String,
}

impl Pods {
    /// Those with the label `strata-operator.dev/<kind>: <object>`: `run`, `workbench`, `model-service`.
    #[must_use]
    pub fn of(namespace: &str, kind: &str, object: &str) -> Self {
        let label = format!("strata-operator.dev/{kind}");
        Self { namespace: namespace.into(), label, object: object.into(), prefix: String::new() }
    }

    /// Only those of them whose names begin so: `service-score-release-`.
    #[must_use]
    pub fn named(mut self, prefix: &str) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// The name of the report.
    fn name(&self) -> String {
        let kind = self.label.rsplit('/').next().unwrap_or_default();
        let parts = [&self.namespace, kind, &self.object, self.prefix.trim_end_matches('-')];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(".")
    }
}

impl ControlPlane {
    /// From now on new pods of an object do what these annotations say: `simulate/exit-code`,
    /// `simulate/message` and so on. When this returns, the API server knows.
    pub async fn simulate(&self, pods: &Pods, annotations: &[(&str, &str)]) -> Result<(), Error> {
        let annotations: serde_json::Map<String, Value> =
            annotations.iter().map(|(key, value)| ((*key).into(), json!(value))).collect();
        // Applied: fields of an earlier call that this one lacks are removed.
        self.write(pods, Some(&annotations)).await?;
        self.until_known(pods, &json!(annotations)).await
    }

    /// Removes the simulation for new pods of an object.
    pub async fn simulate_nothing(&self, pods: &Pods) -> Result<(), Error> {
        self.write(pods, None).await?;
        self.until_known(pods, &Value::Null).await
    }

    async fn write(&self, pods: &Pods, annotations: Option<&serde_json::Map<String, Value>>) -> Result<(), Error> {
        let words = Api::<ConfigMap>::namespaced(self.admin().await?, NAMESPACE);
        let name = pods.name();
        let written = match annotations {
            None => words.delete(&name, &DeleteParams::default()).await.map(drop),
            Some(annotations) => {
                let word = json!({
                    "apiVersion": "v1", "kind": "ConfigMap",
                    "metadata": {"name": name, "labels": {MARK: "pods"}, "annotations": annotations},
                    "data": {"namespace": pods.namespace, "label": pods.label, "object": pods.object, "prefix": pods.prefix},
                });
                words.patch(&name, &PatchParams::apply("harness").force(), &Patch::Apply(word)).await.map(drop)
            }
        };
        match written {
            Err(kube::Error::Api(refused)) if refused.code == 404 && annotations.is_none() => Ok(()),
            written => written.map_err(Error::api(format!("cannot say what pods of {name} do"))),
        }
    }

    /// Makes a pod without effect until it gets the annotations of this object's pods.
    async fn until_known(&self, pods: &Pods, annotations: &Value) -> Result<(), Error> {
        let attempts = Api::<Pod>::namespaced(self.admin().await?, NAMESPACE);
        let attempt: Pod = serde_json::from_value(json!({
            "metadata": {"name": pods.name()}, "spec": {"containers": [{"name": "main", "image": "example.com/main"}]},
        }))
        .map_err(|error| Error::Unreadable { what: "a pod".into(), reason: error.to_string() })?;
        let parameters = PostParams { dry_run: true, ..PostParams::default() };
        wait::until(format!("the API server knows what pods of {} do", pods.name()), 30, async || {
            let pod = attempts.create(&parameters, &attempt).await.map_err(|error| error.to_string())?;
            let seen = json!(pod.metadata.annotations);
            if seen == *annotations { Ok(()) } else { Err(seen.to_string()) }
        })
        .await
    }
}

/// The namespace, the policy and its binding, for the beginning of a control plane.
pub(crate) fn objects() -> [Value; 3] {
    let of_the_object = "request.namespace == params.data.namespace && has(object.metadata.labels) \
         && params.data.label in object.metadata.labels && object.metadata.labels[params.data.label] == params.data.object \
         && (has(object.metadata.generateName) ? object.metadata.generateName : object.metadata.name).startsWith(params.data.prefix)";
    let attempt = "request.namespace == params.metadata.namespace && object.metadata.name == params.metadata.name";
    let kind =
        |kind: &str| json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": MARK}});
    let mut policy = kind("MutatingAdmissionPolicy");
    policy["spec"] = json!({
        "paramKind": {"apiVersion": "v1", "kind": "ConfigMap"},
        "failurePolicy": "Fail",
        "reinvocationPolicy": "Never",
        "matchConstraints": {"resourceRules": [
            {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]},
        ]},
        "matchConditions": [{
            "name": "told",
            "expression": format!("request.namespace == params.metadata.namespace ? {attempt} : {of_the_object}"),
        }],
        "mutations": [{"patchType": "ApplyConfiguration", "applyConfiguration": {
            "expression": "Object{metadata: Object.metadata{annotations: params.metadata.annotations}}",
        }}],
    });
    let mut binding = kind("MutatingAdmissionPolicyBinding");
    binding["spec"] = json!({"policyName": MARK, "paramRef": {
        "namespace": NAMESPACE, "selector": {"matchLabels": {MARK: "pods"}}, "parameterNotFoundAction": "Allow",
    }});
    [json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}), policy, binding]
}

#[cfg(test)]
mod tests {
    use super::Pods;

    #[test]
    fn what_is_written_is_named_by_whom_it_speaks_of() {
        let run = Pods::of("fraud--chargeback", "run", "backtest");
        assert_eq!(run.name(), "fraud--chargeback.run.backtest");
        let release = Pods::of("f--live", "model-service", "score").named("service-score-release-");
        assert_eq!(release.name(), "f--live.model-service.score.service-score-release");
    }
}
