//! Somebody who puts a field back again and again: repaired all the same, at a
//! bounded rate, and named.

use std::cell::Cell;

use harness::wait;
use serde_json::json;

use crate::spec::minimal;
use crate::stage::stage;
use crate::team::{Team, condition};

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
