//! What may stand in an applied object besides what we sent: Kubernetes' own
//! defaults, and what is others' by design. Anything else is taken out again.
//!
//! Tables and their look-up. Paths are field names joined by dots; the items of a
//! list have the path of the list. A path covers what lies below it.

use serde_json::{Map, Value};

use super::WriteStrategy;
use crate::api::labels;

/// The fields of a kind that are neither Strata's nor the addition of another writer.
#[derive(Debug, PartialEq, Eq)]
pub struct Clearing {
    /// Where the spec of its pods is; empty if it makes none.
    pub pods: &'static str,
    /// The defaults of Kubernetes.
    pub defaults: &'static [(&'static str, Filled)],
    /// The fields that others may write, with the reason.
    pub others: &'static [(&'static str, &'static str)],
}

/// A value that Kubernetes fills in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filled {
    /// This text.
    Text(&'static str),
    /// This number.
    Number(i64),
    /// Yes or no.
    Flag(bool),
    /// The value of another field beside it.
    Same(&'static str),
    /// When an image is pulled: always, if its tag is `latest` or none.
    Pull,
}

use self::Filled::{Flag, Number, Pull, Same, Text};

/// Defaults in the spec of any pod. `initContainers` are looked up as `containers`.
/// Source: `pkg/apis/core/v1/defaults.go` of Kubernetes.
const POD: &[(&str, Filled)] = &[
    ("dnsPolicy", Text("ClusterFirst")),
    ("restartPolicy", Text("Always")),
    ("schedulerName", Text("default-scheduler")),
    ("terminationGracePeriodSeconds", Number(30)),
    // The old name of the same field.
    ("serviceAccount", Same("serviceAccountName")),
    ("containers.imagePullPolicy", Pull),
    ("containers.terminationMessagePath", Text("/dev/termination-log")),
    ("containers.terminationMessagePolicy", Text("File")),
    ("containers.ports.protocol", Text("TCP")),
    ("containers.env.valueFrom.fieldRef.apiVersion", Text("v1")),
    ("containers.env.valueFrom.resourceFieldRef.divisor", Text("0")),
    ("containers.env.valueFrom.fileKeyRef.optional", Flag(false)),
    ("containers.securityContext.procMount", Text("Default")),
    ("containers.lifecycle.postStart.httpGet.path", Text("/")),
    ("containers.lifecycle.postStart.httpGet.scheme", Text("HTTP")),
    ("containers.lifecycle.preStop.httpGet.path", Text("/")),
    ("containers.lifecycle.preStop.httpGet.scheme", Text("HTTP")),
    ("volumes.configMap.defaultMode", Number(420)),
    ("volumes.secret.defaultMode", Number(420)),
    ("volumes.downwardAPI.defaultMode", Number(420)),
    ("volumes.downwardAPI.items.fieldRef.apiVersion", Text("v1")),
    ("volumes.downwardAPI.items.resourceFieldRef.divisor", Text("0")),
    ("volumes.projected.defaultMode", Number(420)),
    ("volumes.projected.sources.serviceAccountToken.expirationSeconds", Number(3600)),
    ("volumes.projected.sources.downwardAPI.items.fieldRef.apiVersion", Text("v1")),
    ("volumes.ephemeral.volumeClaimTemplate.spec.volumeMode", Text("Filesystem")),
];

/// Defaults of each of a container's three probes.
const PROBE: &[(&str, Filled)] = &[
    ("timeoutSeconds", Number(1)),
    ("periodSeconds", Number(10)),
    ("successThreshold", Number(1)),
    ("failureThreshold", Number(3)),
    ("httpGet.path", Text("/")),
    ("httpGet.scheme", Text("HTTP")),
    ("grpc.service", Text("")),
];
const PROBES: [&str; 3] = ["containers.startupProbe.", "containers.readinessProbe.", "containers.livenessProbe."];

const RESTARTED: (&str, &str) =
    ("spec.template.metadata.annotations.kubectl.kubernetes.io/restartedAt", "`kubectl rollout restart` writes it");

/// Servers.
pub const DEPLOYMENT: Clearing = Clearing {
    pods: "spec.template.spec.",
    defaults: &[
        ("spec.progressDeadlineSeconds", Number(600)),
        ("spec.revisionHistoryLimit", Number(10)),
        ("spec.strategy.type", Text("RollingUpdate")),
        ("spec.strategy.rollingUpdate.maxSurge", Text("25%")),
        ("spec.strategy.rollingUpdate.maxUnavailable", Text("25%")),
    ],
    others: &[
        ("spec.replicas", "an autoscaler, or who scales by hand, writes them where the engine does not"),
        RESTARTED,
    ],
};

/// Servers with a name of their own.
pub const STATEFUL_SET: Clearing = Clearing {
    pods: "spec.template.spec.",
    defaults: &[
        ("spec.podManagementPolicy", Text("OrderedReady")),
        ("spec.revisionHistoryLimit", Number(10)),
        ("spec.updateStrategy.type", Text("RollingUpdate")),
        ("spec.updateStrategy.rollingUpdate.maxUnavailable", Number(1)),
        ("spec.updateStrategy.rollingUpdate.partition", Number(0)),
        ("spec.persistentVolumeClaimRetentionPolicy.whenDeleted", Text("Retain")),
        ("spec.persistentVolumeClaimRetentionPolicy.whenScaled", Text("Retain")),
    ],
    others: &[
        ("spec.replicas", "a workbench is started and stopped by them, apart from what is applied"),
        RESTARTED,
        ("spec.volumeClaimTemplates", "the API server fills them in, and lets nobody change them"),
    ],
};

/// Jobs.
pub const JOB: Clearing = Clearing {
    pods: "spec.template.spec.",
    defaults: &[
        ("spec.backoffLimit", Number(6)),
        ("spec.completionMode", Text("NonIndexed")),
        ("spec.completions", Number(1)),
        ("spec.manualSelector", Flag(false)),
        ("spec.parallelism", Number(1)),
        ("spec.podReplacementPolicy", Text("TerminatingOrFailed")),
    ],
    others: &[
        ("spec.selector", "the API server makes it"),
        ("spec.suspend", "a queue starts and stops Jobs by it"),
        ("spec.template.metadata", "the API server labels the pods; a queue adds to them while the Job is suspended"),
        ("spec.template.spec.affinity", "a queue writes it while the Job is suspended, and nobody can afterwards"),
        ("spec.template.spec.nodeSelector", "a queue writes it while the Job is suspended, and nobody can afterwards"),
        (
            "spec.template.spec.schedulingGates",
            "a queue writes them while the Job is suspended, and nobody can afterwards",
        ),
        ("spec.template.spec.tolerations", "a queue writes them while the Job is suspended, and nobody can afterwards"),
    ],
};

/// CronJobs.
pub const CRON_JOB: Clearing = Clearing {
    pods: "spec.jobTemplate.spec.template.spec.",
    defaults: &[
        ("spec.concurrencyPolicy", Text("Allow")),
        ("spec.failedJobsHistoryLimit", Number(1)),
        ("spec.successfulJobsHistoryLimit", Number(3)),
        ("spec.suspend", Flag(false)),
        ("spec.jobTemplate.spec.podReplacementPolicy", Text("TerminatingOrFailed")),
    ],
    others: &[],
};

/// Where a server is reached.
pub const SERVICE: Clearing = Clearing {
    pods: "",
    defaults: &[
        ("spec.internalTrafficPolicy", Text("Cluster")),
        ("spec.ports.protocol", Text("TCP")),
        ("spec.ports.targetPort", Same("port")),
        ("spec.sessionAffinity", Text("None")),
        ("spec.type", Text("ClusterIP")),
    ],
    others: &[
        ("spec.clusterIP", "the API server allocates it"),
        ("spec.clusterIPs", "the API server allocates them"),
        ("spec.healthCheckNodePort", "the API server allocates it, where the type asks for one"),
        ("spec.ipFamilies", "the API server chooses them"),
        ("spec.ipFamilyPolicy", "the API server chooses it; moving a cluster to two families changes it"),
        ("spec.ports.nodePort", "the API server allocates it, where the type asks for one"),
    ],
};

/// Storage.
pub const CLAIM: Clearing = Clearing {
    pods: "",
    defaults: &[("spec.volumeMode", Text("Filesystem"))],
    others: &[
        ("spec.dataSource", "the API server mirrors it; nobody can change it"),
        ("spec.dataSourceRef", "the API server mirrors it; nobody can change it"),
        ("spec.storageClassName", "the cluster's default class fills it in, later too"),
        ("spec.volumeAttributesClassName", "storage administrators tune volumes by it"),
        ("spec.volumeName", "the volume controller binds by it"),
    ],
};

/// `PodDisruptionBudget`s.
pub const BUDGET: Clearing = Clearing { pods: "", defaults: &[], others: &[] };

/// `HorizontalPodAutoscaler`s.
pub const AUTOSCALER: Clearing = Clearing { pods: "", defaults: &[("spec.minReplicas", Number(1))], others: &[] };

/// An object of an engine that is owned whole.
const OWNED_WHOLE: Clearing = Clearing { pods: "", defaults: &[], others: &[] };

/// The fields allowed in this object, if additions of others are removed.
#[must_use]
pub fn of(write_strategy: WriteStrategy, object: &Value) -> Option<&'static Clearing> {
    match write_strategy {
        WriteStrategy::ApplyAndClear(clearing) => Some(clearing),
        WriteStrategy::Apply => {
            (object["metadata"]["annotations"][labels::OWNED_WHOLE] == "true").then_some(&OWNED_WHOLE)
        }
        WriteStrategy::Replace(_) => None,
    }
}

impl Clearing {
    /// Whether the field is others' to write.
    #[must_use]
    pub fn is_others(&self, path: &str) -> bool {
        self.others.iter().any(|(others, _)| *others == path)
    }

    /// Whether something below the field is others' to write.
    #[must_use]
    pub fn holds_others(&self, path: &str) -> bool {
        let below = |others: &str| others.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
        path.is_empty() || self.others.iter().any(|(others, _)| below(others))
    }

    /// Whether the value of the field is what Kubernetes fills in, seeing the fields
    /// beside it.
    #[must_use]
    pub fn is_default(&self, path: &str, value: &Value, beside: &Map<String, Value>) -> bool {
        self.default(path).is_some_and(|default| match default {
            Text(text) => value == text,
            Number(number) => value.as_i64() == Some(number),
            Flag(flag) => value.as_bool() == Some(flag),
            Same(field) => beside.get(field) == Some(value),
            Pull => value == pull_policy(beside.get("image").and_then(Value::as_str).unwrap_or_default()),
        })
    }

    fn default(&self, path: &str) -> Option<Filled> {
        let find = |table: &[(&str, Filled)], path: &str| {
            table.iter().find(|(known, _)| *known == path).map(|(_, default)| *default)
        };
        let Some(in_pod) = path.strip_prefix(self.pods).filter(|_| !self.pods.is_empty()) else {
            return find(self.defaults, path);
        };
        let init = in_pod.strip_prefix("initContainers.").map(|rest| format!("containers.{rest}"));
        let in_pod = init.as_deref().unwrap_or(in_pod);
        match PROBES.iter().find_map(|probe| in_pod.strip_prefix(probe)) {
            Some(in_probe) => find(PROBE, in_probe),
            None => find(POD, in_pod),
        }
    }
}

fn pull_policy(image: &str) -> &'static str {
    let name = image.rsplit('/').next().unwrap_or(image);
    match name.split_once(':') {
        _ if name.contains('@') => "IfNotPresent",
        None | Some((_, "latest")) => "Always",
        Some(_) => "IfNotPresent",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_pulled_by_their_tag() {
        for (image, policy) in [
            ("a", "Always"),
            ("r.example.com:5000/a", "Always"),
            ("r.example.com/a:latest", "Always"),
            ("a:1", "IfNotPresent"),
            ("r.example.com:5000/a@sha256:00", "IfNotPresent"),
        ] {
            assert_eq!(pull_policy(image), policy, "{image}");
        }
    }

    #[test]
    fn what_is_others_is_what_the_page_says() {
        let page = include_str!("../../../ARCHITECTURE.md");
        let part = page.split("### What is others'").nth(1).and_then(|rest| rest.split("\n## ").next()).unwrap();
        let listed: Vec<&str> = part.lines().filter(|line| line.starts_with("| ") && line.contains('`')).collect();
        let known = crate::api::kinds::KINDS.iter().filter_map(|kind| match kind.write_strategy {
            crate::api::kinds::WriteStrategy::ApplyAndClear(clearing) => Some((kind.kind, clearing)),
            _ => None,
        });
        let known = known.flat_map(|(kind, clearing)| clearing.others.iter().map(move |other| (kind, other)));
        let known: Vec<String> = known.map(|(kind, (path, why))| format!("| {kind} | `{path}` | {why} |")).collect();
        assert_eq!(listed, known);
    }

    #[test]
    fn defaults_of_pods_are_known_wherever_pods_are_made() {
        for clearing in [&DEPLOYMENT, &STATEFUL_SET, &JOB, &CRON_JOB] {
            for field in ["containers.readinessProbe.periodSeconds", "initContainers.readinessProbe.periodSeconds"] {
                let path = format!("{}{field}", clearing.pods);
                assert!(clearing.is_default(&path, &Value::from(10), &Map::new()), "{path}");
                assert!(!clearing.is_default(&path, &Value::from(11), &Map::new()), "{path}");
            }
        }
        assert!(!SERVICE.is_default("dnsPolicy", &Value::from("ClusterFirst"), &Map::new()));
    }
}
