//! The definition of the kind itself is deleted, and comes again.

use harness::wait;
use serde_json::json;

use crate::actor::path;
use crate::count::settled;
use crate::spec::everything;
use crate::stage::alone;
use crate::team::Team;

#[tokio::test]
async fn a_deleted_definition_takes_nothing_along() {
    let (_turn, stage) = alone().await;
    let retained = Team::ready(stage, "survives", everything()).await;
    let mut spec = everything();
    spec["deletionPolicy"] = json!("Delete");
    let deleted = Team::ready(stage, "survives-too", spec.clone()).await;
    settled(stage).await;
    let uids = async || {
        let mut all = Vec::new();
        for team in [&retained, &deleted] {
            let objects = team.objects().await.into_iter();
            all.extend(objects.map(|(key, object)| (key, object["metadata"]["uid"].clone())));
        }
        all
    };
    let before = uids().await;
    assert!(before.len() > 120);
    let definition = path("CustomResourceDefinition", "", "aiteams.strata-operator.dev");
    retained.admin.delete(&definition).await.expect("the definition is deleted");
    retained.until_missing(&definition).await;
    settled(stage).await;
    assert_eq!(uids().await, before, "something went along");

    let crds = std::fs::read_to_string(harness::repository().join("crds/aiteams.yaml"));
    let crds =
        crds.or_else(|_| std::fs::read_to_string(harness::repository().join("crds/aiteams.strata-operator.dev.yaml")));
    stage.plane.apply(&crds.expect("the definition's file")).await.expect("the definition again");
    stage
        .plane
        .kubectl(["wait", "--for=condition=Established", "--timeout=60s", "crd/aiteams.strata-operator.dev"])
        .await
        .unwrap();
    wait::until("the kind is served", 60, async || {
        retained
            .admin
            .get("/apis/strata-operator.dev/v1alpha1/aiteams")
            .await
            .map(drop)
            .map_err(|refused| refused.message)
    })
    .await
    .unwrap();
    retained.write(everything()).await;
    deleted.write(spec).await;
    retained.until_ready().await;
    deleted.until_ready().await;
    assert_eq!(uids().await, before, "something was made anew");
}
