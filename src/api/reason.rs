//! The closed set of reasons of conditions.
//!
//! A reason's class decides how a reconcile goes on, which condition stands
//! beside `Ready`, the type of the Event and the label of the metric: one place
//! for all four.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The consequence of a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// As asked for.
    Fine,
    /// It can pass without action: `Reconciling`, with another pass soon.
    Waiting,
    /// The API or the network failed: `Reconciling`, tried again with backoff.
    Transient,
    /// A person has to fix something: `Stalled`.
    Invalid,
}

impl Class {
    /// The word that metrics and logs use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Waiting => "waiting",
            Self::Transient => "transient",
            Self::Invalid => "invalid",
        }
    }
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident : $class:ident),+ $(,)?) => {
        /// The reason of a condition or a component's state.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Reason { $($(#[doc = $doc])+ $name),+ }

        impl Reason {
            /// Every reason with its meaning, for the documentation.
            pub const ALL: &'static [(Self, &'static str)] =
                &[$((Self::$name, concat!($($doc),+))),+];

            /// The word as conditions spell it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),+ }
            }

            /// The class, which decides how a reconcile goes on.
            #[must_use]
            pub const fn class(self) -> Class {
                match self { $(Self::$name => Class::$class),+ }
            }
        }
    };
}

reasons! {
    /// Everything in the spec exists and is ready.
    Ready: Fine,
    /// Nothing of the kind was asked for.
    NotRequested: Fine,
    /// The team or project left the spec, and its namespaces are kept.
    Retained: Fine,
    /// Every layer has members with the roles it needs.
    Complete: Fine,
    /// The staffing lacks something. Advice: it blocks nothing.
    Incomplete: Fine,
    /// Somebody gets into namespaces of teams beside what AITeams say. Advice: it blocks
    /// nothing.
    ForeignAccess: Fine,
    /// The operator is configured with other prefixes of people and groups than those on
    /// the team's namespaces. The latter stay until the team accepts the others.
    PrefixNotAccepted: Fine,
    /// A newer revision of the engine is available. What runs is left as it is
    /// until moving is asked for.
    UpgradeAvailable: Fine,
    /// A change of the model waits until the engine's newer revision is accepted.
    UpgradeRequired: Invalid,
    /// A namespace has no quota for what every pod needs, so no pod can start there. Advice:
    /// it blocks nothing.
    NoQuota: Fine,
    /// It is down, as asked for.
    Stopped: Fine,
    /// The server stopped itself because it was idle.
    Idle: Fine,
    /// It ran to its end, as asked for.
    Succeeded: Fine,
    /// The object is due to be deleted, but a GitOps tool would create it again, so it stays.
    Tracked: Fine,
    /// The team is not in a state in which anything is written for this object.
    TeamNotReady: Waiting,
    /// Writes were made and their effect is awaited.
    Progressing: Waiting,
    /// The field is understood, and its effect is not built yet.
    NotImplemented: Waiting,
    /// A pod waits for a Secret that is not there.
    SecretMissing: Waiting,
    /// Pods do not start, or end again and again.
    PodFailing: Waiting,
    /// The node that a pod is on does not answer.
    NodeLost: Waiting,
    /// No node can take a pod, or a volume is not bound.
    Unschedulable: Waiting,
    /// The kinds that the named engine needs are not served by this cluster.
    Unavailable: Waiting,
    /// More is in use than the budget grants now; running pods are kept.
    OverBudget: Waiting,
    /// Another writer changes the same field again and again.
    Contested: Waiting,
    /// The namespace is terminating, so nothing can be written into it.
    Terminating: Waiting,
    /// The object, or an object that it owns, is being deleted.
    Deleting: Waiting,
    /// The API server or the network did not answer as it should.
    ApiError: Transient,
    /// The deadline of one reconcile passed.
    ReconcileTimeout: Transient,
    /// The spec asks for something impossible, or names something that does not exist.
    Invalid: Invalid,
    /// A role that members have, or that leads may give, is neither built in nor in the
    /// Blueprint. It grants nothing, and everybody else has their rights.
    RoleUndefined: Invalid,
    /// A component is not among those that a dataset of Live gives its credentials or its volume to.
    NotListed: Invalid,
    /// The team does not name the owner any more, so the workbench stopped.
    OwnerLeft: Invalid,
    /// A step of the run ended otherwise than it should.
    StepFailed: Invalid,
    /// A run was under way for longer than it may be, and was stopped.
    DeadlineExceeded: Invalid,
    /// The Job of a run was deleted before it ended.
    JobLost: Invalid,
    /// The version in the spec could not be released; the earlier one is still serving.
    ReleaseFailed: Invalid,
    /// The monitor reports that the model drifts. The model is still serving.
    Drift: Invalid,
    /// The monitor itself did not end as it should.
    MonitorFailed: Invalid,
    /// The namespace belongs to no team.
    NoTeam: Invalid,
    /// The object's name is taken by something that is not ours.
    Conflict: Invalid,
    /// The Blueprint that the team names does not exist.
    BlueprintMissing: Invalid,
    /// The Blueprint that the team names contradicts itself.
    BlueprintInvalid: Invalid,
    /// The record of the team exists but cannot be read, so nothing is written.
    RecordUnreadable: Invalid,
    /// The engine that the team or the Blueprint names does not exist.
    EngineMissing: Invalid,
    /// The engine's file is broken, or one of its expressions failed.
    EngineInvalid: Invalid,
    /// The engine, or an object of it, reports a failure.
    EngineFailing: Invalid,
    /// The claim of a store was deleted and made again, and its volume is not accepted yet.
    VolumeReplaced: Invalid,
    /// The operator may not write a kind that the engine needs.
    RightsMissing: Invalid,
    /// The API server, a quota or an admission policy refused an object.
    Refused: Invalid,
    /// The team is suspended: only removals of rights are written.
    Suspended: Waiting,
    /// The team was suspended in a form of the API that is no longer served, and stays suspended
    /// until `managementPolicy` is set.
    NotMigrated: Invalid,
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
