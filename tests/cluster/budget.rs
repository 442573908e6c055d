//! The division of a budget, as the API server enforces it.

use serde_json::{Value, json};

use crate::stage::stage;
use crate::team::{Team, condition};

fn spec(storage: &str) -> Value {
    json!({
        "members": [{"role": "DataScientist", "groups": ["science"]}],
        "projects": [{"name": "first"}],
        "budget": {"requests": {"cpu": 8, "memory": "32Gi", "storage": storage}, "limits": {"memory": "64Gi"}},
    })
}

#[tokio::test]
async fn what_is_in_use_is_not_taken_away_by_a_cut() {
    let team = Team::ready(stage().await, "thrifty", spec("100Gi")).await;
    let quota = team.object("ResourceQuota", "first", "strata-quota");
    let hard = |quota: &Value| quota["spec"]["hard"]["requests.storage"].clone();
    let granted = hard(&team.admin.get(&quota).await.expect("the quota"));
    let claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": "thrifty--first"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "60Gi"}}},
    });
    team.admin.create(&claim).await.expect("a claim within the quota");
    team.until_there(&quota, |quota| quota["status"]["used"]["requests.storage"] == "60Gi").await;
    let mut more = claim.clone();
    more["metadata"]["name"] = json!("more");
    more["spec"]["resources"]["requests"]["storage"] = json!("90Gi");
    let refused = team.admin.create(&more).await.expect_err("a claim beyond the quota");
    assert!(refused.message.contains("exceeded quota"), "{refused:?}");

    team.edit(spec("40Gi")).await;
    let seen = team.until_not_ready("OverBudget", "thrifty--first").await;
    assert!(condition(&seen, "Stalled").is_null(), "it passes by itself once less is in use");
    let kept = hard(&team.admin.get(&quota).await.expect("the quota"));
    assert_eq!(kept, "60Gi", "of {granted}");
    team.admin.delete(&team.object("PersistentVolumeClaim", "first", "data")).await.expect("deleted");
    // It is lowered at most once a minute.
    let ready = team.until_ready().await;
    let lowered = hard(&team.admin.get(&quota).await.expect("the quota"));
    assert!(lowered != kept && lowered != granted, "{lowered}: {}", ready["status"]["budget"]);
}
