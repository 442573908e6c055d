//! When an engine is ready, and when the objects of the standard kinds are.
//!
//! The standard kinds follow kstatus, with its two gaps closed: an object that
//! does not exist yet is not ready, and a kind without a built-in rule needs a
//! rule of its engine (kstatus calls it ready).

use serde_json::Value;

use super::kinds::ObjectKind;

/// The verdict on the live objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All is as it should be.
    Ready,
    /// Not ready, which can pass without action.
    Waiting {
        /// The reason for the wait.
        message: String,
    },
    /// A failure that needs action.
    Failing {
        /// Why, as one word.
        reason: String,
        /// Why, for people.
        message: String,
    },
}

impl Verdict {
    /// Something is waited for.
    #[must_use]
    pub fn waiting(message: impl Into<String>) -> Self {
        Self::Waiting { message: message.into() }
    }

    /// Something is wrong.
    #[must_use]
    pub fn failing(reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Failing { reason: reason.into(), message: message.into() }
    }
}

/// The kinds of the core API that are ready as soon as they exist.
const READY_WHEN_THERE: &[&str] = &["ConfigMap", "ServiceAccount", "PodTemplate"];

/// Whether Strata has a built-in rule of readiness for the kind.
#[must_use]
pub fn knows(kind: &ObjectKind) -> bool {
    match kind.group.as_str() {
        "" => {
            READY_WHEN_THERE.contains(&kind.kind.as_str())
                || matches!(kind.kind.as_str(), "Service" | "PersistentVolumeClaim" | "Pod" | "ReplicationController")
        }
        "apps" => matches!(kind.kind.as_str(), "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet"),
        "batch" => matches!(kind.kind.as_str(), "Job" | "CronJob"),
        "policy" => kind.kind == "PodDisruptionBudget",
        "autoscaling" => kind.kind == "HorizontalPodAutoscaler",
        "networking.k8s.io" => kind.kind == "Ingress",
        "scheduling.k8s.io" => kind.kind == "PriorityClass",
        _ => false,
    }
}

/// What the live object of a standard kind says; any other kind is ready when
/// it is there.
#[must_use]
pub fn judge(kind: &ObjectKind, live: &Value) -> Verdict {
    let name = format!("{} {}", kind.kind, live["metadata"]["name"].as_str().unwrap_or_default());
    if !live["metadata"]["deletionTimestamp"].is_null() {
        return Verdict::waiting(format!("{name} is being deleted"));
    }
    if let (Some(generation), Some(observed)) =
        (live["metadata"]["generation"].as_i64(), live["status"]["observedGeneration"].as_i64())
        && observed < generation
    {
        return Verdict::waiting(format!("{name}: the controller has not processed the last change yet"));
    }
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("apps", "Deployment") => deployment(&name, live),
        ("apps", "StatefulSet") => stateful_set(&name, live),
        ("apps", "DaemonSet") => daemon_set(&name, live),
        ("apps", "ReplicaSet") | ("", "ReplicationController") => replica_set(&name, live),
        ("batch", "Job") => job(&name, live),
        ("", "PersistentVolumeClaim") => claim(&name, live),
        ("", "Pod") => pod(&name, live),
        ("", "Service") => service(&name, live),
        ("policy", "PodDisruptionBudget") if live["status"]["observedGeneration"].is_null() => {
            Verdict::waiting(format!("{name}: the controller has not processed it yet"))
        }
        _ => Verdict::Ready,
    }
}

fn count(live: &Value, field: &str) -> i64 {
    live["status"][field].as_i64().unwrap_or(0)
}

fn wanted(live: &Value) -> i64 {
    live["spec"]["replicas"].as_i64().unwrap_or(1)
}

fn condition<'a>(live: &'a Value, type_: &str) -> Option<&'a Value> {
    live["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == type_)
}

/// The condition, if it has this status.
fn has<'a>(live: &'a Value, type_: &str, status: &str) -> Option<&'a Value> {
    condition(live, type_).filter(|condition| condition["status"] == status)
}

fn failing(name: &str, condition: &Value) -> Verdict {
    let reason = condition["reason"].as_str().filter(|reason| !reason.is_empty()).unwrap_or("Failed");
    let message = condition["message"].as_str().filter(|message| !message.is_empty()).unwrap_or(reason);
    Verdict::failing(reason, format!("{name}: {message}"))
}

fn deployment(name: &str, live: &Value) -> Verdict {
    // Set when a pod is refused: by a quota, by Pod Security, by admission.
    if let Some(refused) = has(live, "ReplicaFailure", "True") {
        return failing(name, refused);
    }
    if let Some(late) = condition(live, "Progressing").filter(|late| late["reason"] == "ProgressDeadlineExceeded") {
        return failing(name, late);
    }
    if live["status"]["observedGeneration"].is_null() {
        return Verdict::waiting(format!("{name}: the controller has not processed it yet"));
    }
    let wanted = wanted(live);
    let (updated, all) = (count(live, "updatedReplicas"), count(live, "replicas"));
    let (ready, available) = (count(live, "readyReplicas"), count(live, "availableReplicas"));
    if updated < wanted {
        return Verdict::waiting(format!("{name}: {updated} of {wanted} pods are of the newest revision"));
    }
    if all > updated {
        return Verdict::waiting(match all - updated {
            1 => format!("{name}: a pod of an older revision is ending"),
            number => format!("{name}: {number} pods of an older revision are ending"),
        });
    }
    if ready < wanted {
        return Verdict::waiting(format!("{name}: {ready} of {wanted} pods are ready"));
    }
    if available < wanted || (wanted > 0 && has(live, "Available", "True").is_none()) {
        return Verdict::waiting(format!("{name}: {available} of {wanted} pods are available"));
    }
    Verdict::Ready
}

fn stateful_set(name: &str, live: &Value) -> Verdict {
    if live["status"]["observedGeneration"].is_null() {
        return Verdict::waiting(format!("{name}: the controller has not processed it yet"));
    }
    let wanted = wanted(live);
    let ready = count(live, "readyReplicas");
    if count(live, "replicas") > wanted {
        return Verdict::waiting(match count(live, "replicas") - wanted {
            1 => format!("{name}: a surplus pod is ending"),
            number => format!("{name}: {number} surplus pods are ending"),
        });
    }
    if ready < wanted {
        return Verdict::waiting(format!("{name}: {ready} of {wanted} pods are ready"));
    }
    let strategy = &live["spec"]["updateStrategy"];
    // Under OnDelete a running pod stays on its revision until someone ends it.
    if strategy["type"] == "OnDelete" {
        return Verdict::Ready;
    }
    let updated = count(live, "updatedReplicas");
    let kept = strategy["rollingUpdate"]["partition"].as_i64().unwrap_or(0);
    if updated < wanted - kept {
        return Verdict::waiting(format!("{name}: {updated} of {} pods are of the newest revision", wanted - kept));
    }
    if kept == 0 && live["status"]["currentRevision"] != live["status"]["updateRevision"] {
        return Verdict::waiting(format!("{name}: the newest revision is being rolled out"));
    }
    Verdict::Ready
}

fn daemon_set(name: &str, live: &Value) -> Verdict {
    if live["status"]["observedGeneration"].is_null() {
        return Verdict::waiting(format!("{name}: the controller has not processed it yet"));
    }
    let wanted = count(live, "desiredNumberScheduled");
    for (field, what) in [
        ("currentNumberScheduled", "scheduled"),
        ("updatedNumberScheduled", "of the newest revision"),
        ("numberAvailable", "available"),
        ("numberReady", "ready"),
    ] {
        if count(live, field) < wanted {
            return Verdict::waiting(format!("{name}: {} of {wanted} pods are {what}", count(live, field)));
        }
    }
    Verdict::Ready
}

fn replica_set(name: &str, live: &Value) -> Verdict {
    if let Some(refused) = has(live, "ReplicaFailure", "True") {
        return failing(name, refused);
    }
    let wanted = wanted(live);
    for (field, what) in
        [("fullyLabeledReplicas", "labelled"), ("availableReplicas", "available"), ("readyReplicas", "ready")]
    {
        if count(live, field) < wanted {
            return Verdict::waiting(format!("{name}: {} of {wanted} pods are {what}", count(live, field)));
        }
    }
    Verdict::Ready
}

fn job(name: &str, live: &Value) -> Verdict {
    if let Some(failed) = has(live, "Failed", "True").or_else(|| has(live, "FailureTarget", "True")) {
        return failing(name, failed);
    }
    if has(live, "Complete", "True").is_some() {
        return Verdict::Ready;
    }
    if has(live, "Suspended", "True").is_some() {
        return Verdict::waiting(format!("{name} {}", suspended(live)));
    }
    Verdict::waiting(format!(
        "{name} has not finished: {} pods run, {} failed",
        count(live, "active"),
        count(live, "failed")
    ))
}

/// Why a Job is suspended, and what lets it go on: a queue by which it is to be started
/// is named by its labels (`kueue.x-k8s.io/queue-name`, for one).
#[must_use]
pub fn suspended(job: &Value) -> String {
    let mut labels = job["metadata"]["labels"].as_object().into_iter().flatten();
    let queue = labels.find(|(name, _)| name.ends_with("/queue-name")).and_then(|(_, queue)| queue.as_str());
    if let Some(queue) = queue {
        return format!("is suspended until queue {queue} starts it");
    }
    let text = |field: &str| job["metadata"][field].as_str().unwrap_or_default();
    format!(
        "is suspended and has no queue that would start it. To start it: `kubectl patch job {} --namespace {} \
         --type=merge --patch '{{\"spec\":{{\"suspend\":false}}}}'`",
        text("name"),
        text("namespace")
    )
}

/// A claim of a class that waits for its first consumer stays Pending until a
/// pod that uses it is scheduled: that is waiting, not failing.
fn claim(name: &str, live: &Value) -> Verdict {
    match live["status"]["phase"].as_str() {
        Some("Bound") => Verdict::Ready,
        Some("Lost") => Verdict::failing("VolumeLost", format!("{name}: its volume no longer exists")),
        _ => Verdict::waiting(format!("{name} is not bound to a volume yet")),
    }
}

fn pod(name: &str, live: &Value) -> Verdict {
    match live["status"]["phase"].as_str() {
        Some("Succeeded") => Verdict::Ready,
        Some("Failed") => {
            let reason = live["status"]["reason"].as_str().unwrap_or("PodFailed");
            let message = live["status"]["message"].as_str().unwrap_or("the pod failed");
            Verdict::failing(reason, format!("{name}: {message}"))
        }
        Some("Running") if has(live, "Ready", "True").is_some() => Verdict::Ready,
        Some("Running") => Verdict::waiting(format!("{name} is not ready")),
        _ => match has(live, "PodScheduled", "False") {
            Some(unscheduled) => Verdict::waiting(format!(
                "{name} cannot be scheduled: {}",
                unscheduled["message"].as_str().unwrap_or("no node has room for it")
            )),
            None => Verdict::waiting(format!("{name} is starting")),
        },
    }
}

fn service(name: &str, live: &Value) -> Verdict {
    let waits = live["spec"]["type"] == "LoadBalancer"
        && live["status"]["loadBalancer"]["ingress"].as_array().is_none_or(Vec::is_empty);
    if waits { Verdict::waiting(format!("{name} has no address yet")) } else { Verdict::Ready }
}

#[cfg(test)]
#[path = "readiness_tests.rs"]
mod tests;
