//! The platform engineer applies the teams, and they become ready because their
//! pods run.

use crate::object::condition;
use crate::stage::Stage;

/// What the administrator of the site does once.
pub async fn the_site_is_prepared(stage: &Stage) {
    stage.administrator().does("apply --filename deploy/tour/00-site.yaml").await;
}

/// Two teams. Neither is ready before what it asked for runs.
pub async fn pia_applies_the_teams(stage: &Stage) {
    let pia = stage.person("pia");
    pia.does("apply --filename deploy/tour/10-teams.yaml").await;
    let early = pia.reads("aiteam/loans", "default").await;
    assert_ne!(condition(&early, "Ready")["status"], "True", "ready before anything runs: {early}");
    pia.does("wait --for=condition=Ready aiteam/loans aiteam/claims --timeout=300s").await;
    let pods = pia.does("get pods --namespace loans--shared").await;
    for server in ["feast-", "mlflow-"] {
        assert!(pods.lines().any(|line| line.starts_with(server) && line.contains("Running")), "{pods}");
    }
}
