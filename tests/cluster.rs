//! The operator on a real API server, under its own account and behind its fence.
//!
//! One control plane serves most tests of this file, each working on teams of its
//! own (their names are the tests'); what stops the operator or counts all of its
//! requests takes its turn on a second one. Tests run in the order of their names,
//! and one that waits for its turn works for nobody: the modules are named so that
//! few do. A test that could pass because nothing happens first shows that
//! something does.

#[path = "cluster/access.rs"]
mod access;
#[path = "cluster/actor.rs"]
mod actor;
#[path = "cluster/added.rs"]
mod added;
#[path = "cluster/atlas.rs"]
mod atlas;
#[path = "cluster/broken.rs"]
mod broken;
#[path = "cluster/budget.rs"]
mod budget;
#[path = "cluster/compare.rs"]
mod compare;
#[path = "cluster/component.rs"]
mod component;
#[path = "cluster/conflict.rs"]
mod conflict;
#[path = "cluster/contest.rs"]
mod contest;
#[path = "cluster/count.rs"]
mod count;
#[path = "cluster/crash.rs"]
mod crash;
#[path = "cluster/create.rs"]
mod create;
#[path = "cluster/crowd.rs"]
mod crowd;
#[path = "cluster/dataset.rs"]
mod dataset;
#[path = "cluster/definition.rs"]
mod definition;
#[path = "cluster/drift.rs"]
mod drift;
#[path = "cluster/each.rs"]
mod each;
#[path = "cluster/edit.rs"]
mod edit;
#[path = "cluster/external.rs"]
mod external;
#[path = "cluster/failing.rs"]
mod failing;
#[path = "cluster/fifty.rs"]
mod fifty;
#[path = "cluster/foresight.rs"]
mod foresight;
#[path = "cluster/former.rs"]
mod former;
#[path = "cluster/guarded.rs"]
mod guarded;
#[path = "cluster/kinds.rs"]
mod kinds;
#[path = "cluster/lease.rs"]
mod lease;
#[path = "cluster/model_conflicts.rs"]
mod model_conflicts;
#[path = "cluster/model_service.rs"]
mod model_service;
#[path = "cluster/oneof.rs"]
mod oneof;
#[path = "cluster/passes.rs"]
mod passes;
#[path = "cluster/people.rs"]
mod people;
#[path = "cluster/pipeline.rs"]
mod pipeline;
#[path = "cluster/prefix.rs"]
mod prefix;
#[path = "cluster/proxy.rs"]
mod proxy;
#[path = "cluster/reach.rs"]
mod reach;
#[path = "cluster/refused.rs"]
mod refused;
#[path = "cluster/restart.rs"]
mod restart;
#[path = "cluster/retained.rs"]
mod retained;
#[path = "cluster/roles.rs"]
mod roles;
#[path = "cluster/rollback.rs"]
mod rollback;
#[path = "cluster/run.rs"]
mod run;
#[path = "cluster/scaling.rs"]
mod scaling;
#[path = "cluster/spec.rs"]
mod spec;
#[path = "cluster/stage.rs"]
mod stage;
#[path = "cluster/stalls.rs"]
mod stalls;
#[path = "cluster/starting.rs"]
mod starting;
#[path = "cluster/stores.rs"]
mod stores;
#[path = "cluster/team.rs"]
mod team;
#[path = "cluster/upgraded.rs"]
mod upgraded;
#[path = "cluster/upgrades.rs"]
mod upgrades;
#[path = "cluster/watched.rs"]
mod watched;
#[path = "cluster/withdraw.rs"]
mod withdraw;
#[path = "cluster/work.rs"]
mod work;
#[path = "cluster/workbench.rs"]
mod workbench;
