//! A component: nothing by itself, and yet it says whether a pipeline could use it.

use serde_json::json;

use crate::spec::at_work;
use crate::stage::stage;
use crate::team::Team;
use crate::work::{Work, component};

#[tokio::test]
async fn a_component_says_whether_it_can_be_used() {
    let team = Team::ready(stage().await, "parts", at_work()).await;
    let work = component(&team, "train").await;
    let seen = work.until_ready().await;
    assert!(seen["status"]["image"].as_str().is_some_and(|image| image.contains("scipy-notebook:")), "{seen}");
    work.edit(json!({"image": "fortran"})).await;
    work.until_not_ready("Invalid", &["'fortran'", "Blueprint default", "pytorch"]).await;
    work.edit(json!({"image": "pytorch", "size": "colossal"})).await;
    work.until_not_ready("Invalid", &["'colossal'", "Blueprint default", "medium"]).await;
    work.edit(json!({"size": "medium"})).await;
    let seen = work.until_ready().await;
    assert!(seen["status"]["image"].as_str().is_some_and(|image| image.contains("pytorch-notebook:")), "{seen}");
    // The team may name an image of its own for the same word.
    let own = json!([{"name": "pytorch", "image": "registry.example.com/parts/pytorch:9"}]);
    team.edit(json!({"shared": {"images": own}})).await;
    work.until("has the team's image", |seen| seen["status"]["image"] == "registry.example.com/parts/pytorch:9").await;
    work.delete().await;
}

#[tokio::test]
async fn components_stand_in_their_layers_alone() {
    let team = Team::ready(stage().await, "misplaced", at_work()).await;
    let work = Work::named(&team, "Component", "first--live", "train");
    match work.write(&team.admin, json!({"image": "scipy"})).await {
        Err(refused) => assert!(refused.message.contains("Workspace"), "{refused:?}"),
        Ok(_) => drop(work.until_not_ready("Invalid", &["Shared or Workspace", "misplaced--first--live"]).await),
    }
}
