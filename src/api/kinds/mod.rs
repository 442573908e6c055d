//! The built-in kinds that Strata writes and watches, each with how it is kept.
//!
//! A table and nothing else: what an object of a kind contains is decided in
//! `desired`, and kinds that only engines bring are found in the cluster.

pub mod clearing;

use clearing::Clearing;

/// How the objects of a kind are kept in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteStrategy {
    /// Owned whole: these sections are put back when anything in them that is
    /// not ours appears, changes or goes.
    Replace(&'static [&'static str]),
    /// Applied: only the fields that we mean are ours.
    Apply,
    /// Applied, and what others add to its content is taken out again, but for what
    /// is others' by design.
    ApplyAndClear(&'static Clearing),
}

impl WriteStrategy {
    /// Whether it is written by server-side apply.
    #[must_use]
    pub const fn is_applied(self) -> bool {
        matches!(self, Self::Apply | Self::ApplyAndClear(_))
    }
}

/// Which objects of a kind are watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchScope {
    /// Those that carry our label.
    Managed,
    /// All of them; what is neither ours nor in a team's namespace is dropped at
    /// once. Needed where a foreign object matters: a namespace that takes a
    /// name, a binding that lets somebody in.
    All,
}

/// A built-in kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// The API group; empty for the core group.
    pub group: &'static str,
    /// The version that is written and watched.
    pub version: &'static str,
    /// The kind.
    pub kind: &'static str,
    /// The name in URLs and rules.
    pub plural: &'static str,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// How its objects are kept.
    pub write_strategy: WriteStrategy,
    /// Which of its objects are watched.
    pub selection: WatchScope,
}

pub(crate) const RBAC: &str = "rbac.authorization.k8s.io";

const fn whole(
    group: &'static str,
    kind: &'static str,
    plural: &'static str,
    namespaced: bool,
    sections: &'static [&'static str],
) -> Kind {
    Kind {
        group,
        version: "v1",
        kind,
        plural,
        namespaced,
        write_strategy: WriteStrategy::Replace(sections),
        selection: WatchScope::Managed,
    }
}

const fn applied(group: &'static str, version: &'static str, kind: &'static str, plural: &'static str) -> Kind {
    Kind {
        group,
        version,
        kind,
        plural,
        namespaced: true,
        write_strategy: WriteStrategy::Apply,
        selection: WatchScope::Managed,
    }
}

const fn cleared(
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
    clearing: &'static Clearing,
) -> Kind {
    Kind { write_strategy: WriteStrategy::ApplyAndClear(clearing), ..applied(group, version, kind, plural) }
}

/// Every built-in kind that is written, and those that are only read.
pub const KINDS: &[Kind] = &[
    Kind { namespaced: false, selection: WatchScope::All, ..applied("", "v1", "Namespace", "namespaces") },
    whole("", "ResourceQuota", "resourcequotas", true, &["spec"]),
    whole("", "LimitRange", "limitranges", true, &["spec"]),
    whole("networking.k8s.io", "NetworkPolicy", "networkpolicies", true, &["spec"]),
    whole("", "ConfigMap", "configmaps", true, &["data", "binaryData", "immutable"]),
    applied("", "v1", "ServiceAccount", "serviceaccounts"),
    cleared("", "v1", "Service", "services", &clearing::SERVICE),
    cleared("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", &clearing::CLAIM),
    cleared("apps", "v1", "Deployment", "deployments", &clearing::DEPLOYMENT),
    cleared("apps", "v1", "StatefulSet", "statefulsets", &clearing::STATEFUL_SET),
    cleared("batch", "v1", "Job", "jobs", &clearing::JOB),
    cleared("batch", "v1", "CronJob", "cronjobs", &clearing::CRON_JOB),
    cleared("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", &clearing::BUDGET),
    cleared("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", &clearing::AUTOSCALER),
    Kind { selection: WatchScope::All, ..whole(RBAC, "RoleBinding", "rolebindings", true, &["roleRef", "subjects"]) },
    // All of these, because those of others say who gets into namespaces of teams.
    Kind {
        selection: WatchScope::All,
        ..whole(RBAC, "ClusterRole", "clusterroles", false, &["rules", "aggregationRule"])
    },
    Kind {
        selection: WatchScope::All,
        ..whole(RBAC, "ClusterRoleBinding", "clusterrolebindings", false, &["roleRef", "subjects"])
    },
    applied("", "v1", "Pod", "pods"),
    // Whose the pods of a Deployment are, nothing else tells.
    applied("apps", "v1", "ReplicaSet", "replicasets"),
];

/// The fields of a Job's spec that may change while it runs, but for `suspend`, which is for
/// queues. Source: `ValidateJobUpdate` of Kubernetes 1.36.
pub const JOB_MUTABLE: [&str; 5] =
    ["parallelism", "backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished", "podReplacementPolicy"];

/// The built-in kind of this group and name.
#[must_use]
pub fn built_in(group: &str, kind: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|known| known.group == group && known.kind == kind)
}
