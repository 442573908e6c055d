//! `strata plan`: it lists the changes, and writes nothing.

use std::process::Output;

use serde_json::json;
use tokio::process::Command;

use crate::spec::minimal;
use crate::stage::stage;
use crate::team::Team;

async fn plan(team: &Team, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_strata"));
    command.arg("plan").arg("--kubeconfig").arg(team.stage.plane.kubeconfig()).args(arguments);
    command.output().await.expect("the program runs")
}

fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn a_plan_lists_the_changes_and_writes_nothing() {
    let team = Team::ready(stage().await, "foresight", minimal()).await;
    let calm = printed(&plan(&team, &["foresight", "--exit-code"]).await);
    assert!(calm.contains("none would be changed"), "{calm}");

    let mut more = minimal();
    more["projects"] = json!([{"name": "first"}, {"name": "second"}]);
    more["members"] = json!([{"role": "MLEngineer", "users": ["ana"]}]);
    let manifest = json!({"apiVersion": "strata-operator.dev/v1alpha1", "kind": "AITeam",
        "metadata": {"name": "foresight"}, "spec": more});
    let file = team.stage.plane.directory().join("foresight.yaml");
    std::fs::write(&file, manifest.to_string()).expect("written");
    let path = file.to_str().expect("a path");
    let foreseen = printed(&plan(&team, &["-f", path]).await);
    assert!(foreseen.contains("+ Namespace foresight--second"), "{foreseen}");
    assert!(foreseen.contains("+ RoleBinding foresight--first/strata-ml-engineer-own"), "{foreseen}");
    assert!(foreseen.contains("- RoleBinding foresight--first/strata-data-scientist-contribute"), "{foreseen}");
    assert_eq!(plan(&team, &["-f", path, "--exit-code"]).await.status.code(), Some(1));
    assert!(team.admin.find(&team.space_path("second")).await.is_none(), "it was written");

    team.edit(json!({"managementPolicy": "Suspend"})).await;
    team.until_not_ready("Suspended", "managementPolicy").await;
    let policy = team.object("NetworkPolicy", "first", "strata-default-deny");
    team.admin.merge(&policy, &json!({"spec": {"egress": [{}]}})).await.expect("changed");
    let drifted = printed(&plan(&team, &["foresight"]).await);
    assert!(drifted.contains("~ NetworkPolicy foresight--first/strata-default-deny"), "{drifted}");

    let unknown = plan(&team, &["nobody-here"]).await;
    assert_eq!(unknown.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("the cluster has no AITeam nobody-here"));
}
