//! Somebody with few rights: bo has a workbench and one step of his own, starts a
//! run, and can do nothing else.

use crate::pipelines::succeeds;
use crate::stage::Stage;

/// What he may.
pub async fn bo_does_his_part(stage: &Stage) {
    let (bo, ana) = (stage.person("bo"), stage.person("ana"));
    bo.does("apply --filename deploy/tour/60-bo.yaml").await;
    ana.does("apply --filename deploy/tour/61-report.yaml").await;
    bo.does(r#"patch component report --namespace loans--risk --type=merge --patch '{"spec":{"parameters":[{"name":"title","default":"loans"}]}}'"#).await;
    bo.does("apply --filename deploy/tour/62-run-report.yaml").await;
    succeeds(&bo, "report").await;
    bo.does("wait --for=jsonpath={.status.state}=Running workbench/bo --namespace loans--risk --timeout=180s").await;
    let said = bo.does("logs --namespace loans--risk job/run-report --container report").await;
    assert!(said.contains("loans were not paid back"), "{said}");
}

/// What he may not: everything else.
pub async fn bo_can_do_nothing_else(stage: &Stage) {
    let bo = stage.person("bo");
    for line in [
        "apply --filename deploy/tour/61-report.yaml",
        "patch component drift --namespace loans--shared --type=merge --patch '{\"spec\":{\"size\":\"small\"}}'",
        "delete workbench ana --namespace loans--risk",
        "get secrets --namespace loans--risk",
        "create configmap mine --namespace loans--risk",
        "run mine --namespace loans--risk --image=registry.invalid/strata/ai:1",
        "get modelservices --namespace loans--risk--live",
        "get pods --namespace loans--offers",
        "get pods --namespace claims--triage",
        "get pods --namespace loans--backbone",
        "patch aiteam loans --type=merge --patch '{\"spec\":{\"contact\":\"bo@example.com\"}}'",
    ] {
        let said = bo.is_refused(line).await;
        assert!(said.contains("forbidden"), "{line}: {said}");
    }
}
