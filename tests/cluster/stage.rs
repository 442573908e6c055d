//! The stages of the cluster tests: a control plane with the charts installed and
//! the operator running under its own account, behind its fence. Nothing is tested
//! here.
//!
//! Most tests share one stage and work on teams of their own. What stops the
//! operator, or has to be the only one who gives it work, takes its turn on a
//! second stage.

use std::time::Instant;

use harness::operator::{Install, USER};
use harness::{ControlPlane, Operator, Options};
use tokio::sync::{Mutex, MutexGuard, OnceCell};

use crate::actor::Actor;

static SHARED: OnceCell<Option<Stage>> = OnceCell::const_new();
static ALONE: OnceCell<Option<Stage>> = OnceCell::const_new();
static TURN: Mutex<()> = Mutex::const_new(());
static BRIEF: OnceCell<Option<Stage>> = OnceCell::const_new();
static BRIEF_TURN: Mutex<()> = Mutex::const_new(());

/// A control plane and the operator on it.
pub struct Stage {
    pub plane: ControlPlane,
    pub operator: Operator,
    /// When it stood.
    pub begun: Instant,
}

/// The stage that tests share. If it could not be set, no test tries again.
pub async fn stage() -> &'static Stage {
    set(&SHARED).await
}

/// The stage that one test has for itself, as long as it holds the turn.
pub async fn alone() -> (MutexGuard<'static, ()>, &'static Stage) {
    let turn = TURN.lock().await;
    let stage = set(&ALONE).await;
    // A test that failed before it started the operator again fails alone.
    if stage.operator.get("/healthz").await.is_err() {
        stage.operator.resume().await.expect("the operator starts again");
        stage.operator.wait_ready(60).await.expect("the operator is ready again");
    }
    (turn, stage)
}

/// A third stage, whose operator opens its watches again every few seconds: what ends
/// them is seen within the time of a test. One test has it for itself.
pub async fn brief() -> (MutexGuard<'static, ()>, &'static Stage) {
    let turn = BRIEF_TURN.lock().await;
    let stage = BRIEF.get_or_init(|| async { tokio::spawn(Stage::start_with(&["--watch-timeout", "4"])).await.ok() });
    (turn, stage.await.as_ref().expect("the stage is set (the first failure above says what went wrong)"))
}

async fn set(place: &'static OnceCell<Option<Stage>>) -> &'static Stage {
    let stage = place.get_or_init(|| async { tokio::spawn(Stage::start()).await.ok() }).await;
    stage.as_ref().expect("the stage is set (the first failure above says what went wrong)")
}

impl Stage {
    /// A stage of one's own.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    async fn start_with(flags: &[&str]) -> Self {
        let plane = ControlPlane::start(Options::default()).await.expect("the control plane starts");
        Operator::install(&plane, &Install::default()).await.expect("the charts install");
        // The quota controller learns of new kinds within minutes; until then each test would
        // meet the pass that lets them into a team's quotas at another moment.
        let uncounted = serde_json::json!({"spec": {"limits": {"objects": null}}});
        let default = crate::actor::path("Blueprint", "", "default");
        Actor::with(plane.admin().await).merge(&default, &uncounted).await.expect("nothing is counted");
        let program = env!("CARGO_BIN_EXE_strata");
        let operator = Operator::start_with(&plane, program, flags).await.expect("the operator starts");
        operator.wait_ready(60).await.expect("the operator is ready");
        Self { plane, operator, begun: Instant::now() }
    }

    /// cluster-admin, who may override guardrails.
    pub async fn admin(&self) -> Actor {
        Actor::with(self.plane.admin().await)
    }

    /// Anybody.
    pub async fn somebody(&self, user: &str, groups: &[&str]) -> Actor {
        Actor::with(self.plane.client_as(user, groups).await)
    }

    /// What the operator asked of the API server since a mark, watches left out.
    pub fn asked(&self, mark: harness::audit::Mark) -> harness::audit::Requests {
        let all = self.plane.audit().since(mark).expect("the audit log can be read");
        all.of(USER).without_watches()
    }
}
