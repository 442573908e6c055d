//! Why a condition is what it is: the closed set of reasons.
//!
//! A reason's class decides how a reconcile goes on, which condition stands
//! beside `Ready`, the type of the Event and the label of the metric: one place
//! for all four.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a reason means for what happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// As asked for.
    Fine,
    /// It can pass by itself: `Reconciling`, looked at again soon.
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
            /// Every reason with what it means, for the documentation.
            pub const ALL: &'static [(Self, &'static str)] =
                &[$((Self::$name, concat!($($doc),+))),+];

            /// The word as conditions spell it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),+ }
            }

            /// What it means for what happens next.
            #[must_use]
            pub const fn class(self) -> Class {
                match self { $(Self::$name => Class::$class),+ }
            }
        }
    };
}

reasons! {
    /// All that was asked for is there and ready.
    Ready: Fine,
    /// Nothing of the kind was asked for.
    NothingAsked: Fine,
    /// The project left the spec, and what it left behind is kept.
    Retained: Fine,
    /// The staffing covers what the team does.
    Covered: Fine,
    /// The staffing lacks something. Advice: it blocks nothing.
    NotCovered: Fine,
    /// Somebody gets into namespaces of teams beside what AITeams say. Advice: it blocks
    /// nothing.
    ForeignAccess: Fine,
    /// The operator was told other prefixes of people and groups than those that are
    /// written on the team's namespaces. These stay until the team accepts the others.
    PrefixNotAccepted: Fine,
    /// A newer revision of the engine is available. What runs is left as it is
    /// until moving is asked for.
    UpgradeAvailable: Fine,
    /// It is down, as asked for.
    Stopped: Fine,
    /// The server ended itself because nobody used it.
    Idle: Fine,
    /// It ran to its end, as asked for.
    Succeeded: Fine,
    /// A GitOps tool would create again what is due to be deleted, so it stays.
    Tracked: Fine,
    /// The team is not in a state in which anything is written for this object.
    TeamNotReady: Waiting,
    /// Writes were made and their effect is awaited.
    Progressing: Waiting,
    /// The field is understood, and its effect is not built yet.
    NotYet: Waiting,
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
    /// More is in use than the budget grants now; what runs is not stopped.
    OverBudget: Waiting,
    /// Another writer changes the same field again and again.
    Contested: Waiting,
    /// The namespace is terminating, so nothing can be written into it.
    Terminating: Waiting,
    /// The object is being taken away, or what it owns is.
    Deleting: Waiting,
    /// The API server or the network did not answer as it should.
    ApiFailing: Transient,
    /// The deadline of one reconcile passed.
    PassTooLong: Transient,
    /// The spec asks for something that cannot be, or names what is not there.
    Invalid: Invalid,
    /// A component is not among those that a dataset of Live gives its credentials or its volume to.
    NotListed: Invalid,
    /// The team does not name the owner any more, so the workbench stopped.
    OwnerLeft: Invalid,
    /// A step of the run ended otherwise than it should.
    StepFailed: Invalid,
    /// A run was under way for longer than it may be, and was stopped.
    DeadlineExceeded: Invalid,
    /// The Job of a run is gone before it ended.
    JobLost: Invalid,
    /// The version asked for could not be released; what served before goes on.
    ReleaseFailed: Invalid,
    /// The monitor says that the model drifts. It goes on serving.
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
    /// The record of the team is there and cannot be read, so nothing is written.
    RecordUnreadable: Invalid,
    /// The engine that the team or the Blueprint names does not exist.
    EngineMissing: Invalid,
    /// The engine's file is broken, or one of its expressions failed.
    EngineInvalid: Invalid,
    /// The engine, or something that it is made of, says that it fails.
    EngineFailing: Invalid,
    /// The claim of a store was deleted and made again, and its volume is not accepted yet.
    VolumeReplaced: Invalid,
    /// The operator may not write a kind that the engine needs.
    RightsMissing: Invalid,
    /// The API server, a quota or an admission policy refused an object.
    Refused: Invalid,
    /// `suspend` is set: nothing is written but the removal of rights.
    Suspended: Waiting,
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
