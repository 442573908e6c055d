//! Somebody who puts a field back again and again: repaired all the same, at a
//! bounded rate, and named.

use std::cell::Cell;

use harness::wait;
use serde_json::json;

use crate::spec::{minimal, with_experiments};
use crate::stage::stage;
use crate::team::{Team, component, condition};

#[tokio::test]
async fn whoever_fights_over_a_field_is_named() {
    let team = Team::ready(stage().await, "contested", minimal()).await;
    let at = team.object("ConfigMap", "first", "connections");
    let rival = format!("{at}?fieldManager=rival");
    let counted = Cell::new(0_usize);
    let mark = team.mark();
    let named = wait::until("the rival is named", 60, async || {
        let rounds = counted.get();
        if rounds < 40 {
            let now = team.admin.get(&at).await.map_err(|refused| refused.message)?;
            if now["data"]["RIVAL"].is_null() {
                counted.set(rounds + 1);
                let change = json!({"data": {"RIVAL": rounds.to_string()}});
                team.admin.merge(&rival, &change).await.map_err(|refused| refused.message)?;
            }
        }
        let seen = team.get().await;
        let ready = condition(&seen, "Ready");
        let words = ready["message"].as_str().unwrap_or_default();
        if ready["reason"] == "Contested" && words.contains("rival") && words.contains("connections") {
            Ok(ready.clone())
        } else {
            Err(format!("after {rounds} rounds: {ready}"))
        }
    });
    let ready = named.await.unwrap();
    let rounds = counted.get();
    assert_eq!(ready["status"], "False", "{ready}");
    assert!(rounds >= 5, "named after {rounds} rounds only");
    let writes = team.asked(mark).writes().resource("configmaps").count();
    println!("measured: a contested object was written {writes} times in {rounds} rounds");
    assert!(writes <= rounds + 2, "{}", team.asked(mark));
    // A guardrail is put back for ever.
    team.until_there(&at, |now| now["data"]["RIVAL"].is_null()).await;
}

#[tokio::test]
async fn what_is_no_guardrail_is_then_put_back_slowly() {
    let team = Team::ready(stage().await, "embattled", with_experiments(&json!({}))).await;
    let at = team.object("Deployment", "shared", "mlflow");
    let rival = format!("{at}?fieldManager=rival");
    let fought = wait::until("the rival is left alone for a while", 60, async || {
        let now = team.admin.get(&at).await.map_err(|refused| refused.message)?;
        if now["spec"]["revisionHistoryLimit"] == 2 {
            let change = json!({"spec": {"revisionHistoryLimit": 9}});
            team.admin.merge(&rival, &change).await.map_err(|refused| refused.message)?;
        }
        let seen = team.get().await;
        let experiments = component(&seen, "Experiments");
        let words = experiments["message"].as_str().unwrap_or_default();
        if experiments["reason"] == "Contested" && words.contains("rival (spec.revisionHistoryLimit)") {
            Ok(())
        } else {
            Err(format!("{experiments}"))
        }
    });
    fought.await.unwrap();
    team.until_not_ready("Contested", "rival").await;
    // The pace is a minute: it is not written again and again meanwhile.
    let mark = team.mark();
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    let now = team.admin.get(&at).await.expect("the Deployment");
    assert_eq!(now["spec"]["revisionHistoryLimit"], 9, "{now}");
    let written = team.asked(mark).writes().resource("deployments");
    assert_eq!(written.count(), 0, "{written}");
}
