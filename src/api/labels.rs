//! The labels, annotations, finalizers and reserved names that Strata writes.
//!
//! Names only. Who sets which label is decided in `desired`.

/// The prefix of the labels and annotations of Strata.
pub const PREFIX: &str = "strata-operator.dev/";
/// Set on everything that Strata writes.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// The value of [`MANAGED_BY`].
pub const MANAGER: &str = "strata";
/// The team that an object belongs to.
pub const TEAM: &str = "strata-operator.dev/team";
/// The UID of that team, to distinguish a later team of the same name.
pub const TEAM_UID: &str = "strata-operator.dev/team-uid";
/// The layer that an object belongs to: a [`super::Layer`] by its name.
pub const LAYER: &str = "strata-operator.dev/layer";
/// The project, in a Workspace and in Live.
pub const PROJECT: &str = "strata-operator.dev/project";
/// The engine that an object was written for.
pub const ENGINE: &str = "strata-operator.dev/engine";

/// Allows the deletion of a team, Blueprint or Engine that is in use, and of what leaves
/// the spec of a team: all of it, or what it names.
pub const ALLOW_DELETION: &str = "strata-operator.dev/allow-deletion";
/// Opts a foreign namespace in to being taken over by the team it names.
pub const ADOPT: &str = "strata-operator.dev/adopt";
/// Marks namespaces of a removed team or project under `Retain`.
pub const RETAINED: &str = "strata-operator.dev/retained";
/// Its value on a namespace that is kept only until its deletion is allowed: it left the
/// spec under `Delete`.
pub const UNTIL_ALLOWED: &str = "until-deletion-is-allowed";
/// The reason for a Pod Security level below `restricted`.
pub const POD_SECURITY_REASON: &str = "strata-operator.dev/pod-security-reason";
/// On an `AITeam`: the prefixes to which all of its people and groups may be renamed,
/// as [`super::Prefixes`] are written.
pub const ACCEPT_PREFIX: &str = "strata-operator.dev/accept-prefix";
/// On the claim of a store: the UID of that claim. With it an administrator, who may
/// override guardrails, accepts the volume in place of the one before.
pub const ACCEPT_VOLUME: &str = "strata-operator.dev/accept-volume";
/// On a namespace: the API server's prefix of user names. Policies read it.
pub const USER_PREFIX: &str = "strata-operator.dev/user-prefix";
/// On a namespace: the API server's prefix of group names.
pub const GROUP_PREFIX: &str = "strata-operator.dev/group-prefix";
/// On a binding of others: until when it lets people in past the team's object, as
/// RFC 3339 has it.
pub const BREAK_GLASS: &str = "strata-operator.dev/break-glass-until";
/// On an `AITeam`: the UID of the earlier team whose namespaces it takes over.
pub const RECLAIM: &str = "strata-operator.dev/reclaim";
/// On the claim of a home volume: the owner.
pub const OWNER: &str = "strata-operator.dev/owner";
/// On a `Workbench`: the time at which somebody started its server, as RFC 3339 has it.
pub const STARTED_AT: &str = "strata-operator.dev/started-at";
/// On a `Workbench`: the time at which somebody stopped its server, as RFC 3339 has it.
pub const STOPPED_AT: &str = "strata-operator.dev/stopped-at";
/// On an object of an engine: additions of others to its content are removed.
pub const OWNED_WHOLE: &str = "strata-operator.dev/owned-whole";
/// On a Job: the fields of its spec that may change later, as it was created.
pub const CREATED_AS: &str = "strata-operator.dev/created-as";
/// Holds an `AITeam` until its objects are deleted or retained.
pub const FINALIZER: &str = "strata-operator.dev/teardown";

/// Labels by which a GitOps tool knows what it created, with the tool.
pub const TRACKING_LABELS: &[(&str, &str)] = &[
    ("app.kubernetes.io/instance", "Argo CD"),
    ("argocd.argoproj.io/instance", "Argo CD"),
    ("kustomize.toolkit.fluxcd.io/name", "Flux"),
    ("helm.toolkit.fluxcd.io/name", "Flux"),
];
/// Annotations of the same kind.
pub const TRACKING_ANNOTATIONS: &[(&str, &str)] = &[("argocd.argoproj.io/tracking-id", "Argo CD")];

/// Objects of this prefix belong to Strata in every team namespace.
pub const RESERVED_PREFIX: &str = "strata-";
/// The settings that workbenches, pipelines and services load.
pub const CONNECTIONS: &str = "connections";
/// The record of a team, in its Backbone namespace.
pub const RECORD: &str = "strata-record";

/// The field manager of every object that Strata writes.
pub const FIELD_MANAGER: &str = "strata";
/// The field manager of replicas that are never applied.
pub const SCALE_FIELD_MANAGER: &str = "strata-scale";
/// The field manager of status, apart from that of objects.
pub const STATUS_FIELD_MANAGER: &str = "strata-status";

/// Whether the name is Strata's own in every team namespace, whatever the
/// object's labels say.
#[must_use]
pub fn is_reserved(name: &str) -> bool {
    name.starts_with(RESERVED_PREFIX) || name == CONNECTIONS
}
