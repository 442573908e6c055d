//! Workbenches and Components of one's own, and the finalizer that holds them:
//! `templates/admission/owners.yaml` and `finalizers.yaml`.

use harness::wait;
use serde_json::{Value, json};

use crate::project::{Project, component, object, owner, user, workbench};
use crate::stage::{FINALIZERS, OWNERS, RESERVED, stage};

#[tokio::test]
async fn a_workbench_is_written_by_its_owner_and_for_them() {
    let stage = stage().await;
    let project = Project::set(stage, "bench").await;
    let all = project.work("workspace", "workbenches");
    let (ana, bo) = (project.person("ana", "use").await, project.person("bo", "contribute").await);
    let says = "Workbench ana belongs to ana@example.com. Only the owner and members with Own";
    bo.post(&all, workbench("ana", "ana")).await.refused_by(OWNERS, says);
    bo.post(&all, workbench("ana", "ana")).await.refused_by(OWNERS, "with `owner: bo@example.com`");
    bo.apply(&format!("{all}/ana"), workbench("ana", "ana")).await.refused_by(OWNERS, says);
    ana.post(&all, workbench("ana", "ana")).await.passes();
    let one = &format!("{all}/ana");
    let stopped = json!({"spec": {"desiredState": "Stopped"}});
    for actor in [&bo, &stage.writer().await, &stage.somebody(&owner("ana"), &["use"]).await] {
        actor.patch(one, stopped.clone()).await.refused_by(OWNERS, says);
        for key in ["started-at", "stopped-at", "a"] {
            let noted =
                json!({"metadata": {"annotations": {format!("strata-operator.dev/{key}"): "2026-11-24T08:00:00Z"}}});
            actor.patch(one, noted.clone()).await.refused_by(OWNERS, says);
            ana.patch(&format!("{one}?dryRun=All"), noted).await.passes();
        }
        actor.delete(one).await.refused_by(OWNERS, says);
    }
    stage.writer().await.delete(&all).await.refused_by(OWNERS, says);
    ana.patch(one, stopped.clone()).await.passes();
    // People who may enter, and who may override.
    let owns = project.person("olga", "own").await;
    for (number, actor) in [&owns, &stage.admin().await].into_iter().enumerate() {
        let name = format!("for-ana-{number}");
        actor.post(&all, workbench(&name, "ana")).await.passes();
        actor.patch(&format!("{all}/{name}"), stopped.clone()).await.passes();
        actor.delete(&format!("{all}/{name}")).await.passes();
    }
    // The team's deployer neither makes, nor changes, nor deletes what somebody works in.
    let deployer = project.deployer().await;
    let says_to_it = "Remove it from the delivered manifests: its owner applies it";
    deployer.post(&all, workbench("delivered", "ana")).await.refused_by(OWNERS, says_to_it);
    deployer.apply(one, workbench("ana", "ana")).await.refused_by(OWNERS, says_to_it);
    deployer.patch(one, json!({"spec": {"image": "other"}})).await.refused_by(OWNERS, says);
    deployer.delete(one).await.refused_by(OWNERS, says);
    // Neither does another account of the Backbone, or the deployer of another team.
    for account in ["bench--backbone:default", "bencher--backbone:deployer", "bench--pay:deployer"] {
        let account = stage.somebody(&format!("system:serviceaccount:{account}"), &["contribute"]).await;
        account.patch(one, stopped.clone()).await.refused_by(OWNERS, says);
    }
    // The owner never changes, whoever writes.
    for actor in [&ana, &owns, &stage.admin().await] {
        actor.patch(one, json!({"spec": {"owner": owner("bo")}})).await.refused_as_invalid("the owner cannot change");
    }
    ana.delete(one).await.passes();
}

/// Whoever writes a colleague's Workbench by `enter` or `override` is written down; the owner is not.
#[tokio::test]
async fn writing_for_an_owner_is_written_down() {
    let stage = stage().await;
    let project = Project::set(stage, "noted-wb").await;
    let all = project.work("workspace", "workbenches");
    let (ana, owns) = (project.person("ana", "use").await, project.person("olga", "own").await);
    ana.post(&all, workbench("ana", "ana")).await.passes();
    owns.patch(&format!("{all}/ana"), json!({"spec": {"desiredState": "Stopped"}})).await.passes();
    stage.admin().await.patch(&format!("{all}/ana"), json!({"spec": {"desiredState": "Running"}})).await.passes();
    let needs = " needs enter or override for: UPDATE workbenches noted-wb--pay/ana of ana@example.com";
    wait::until("the audit log says so", 10, async || {
        let log = stage.audit_log();
        let entries: Vec<_> = log.lines().filter(|line| line.contains(needs)).collect();
        let of_olga = entries.iter().any(|line| line.contains(&format!("{}{needs}", user("olga"))));
        if of_olga && entries.len() > 1 { Ok(()) } else { Err(format!("{} entries", entries.len())) }
    })
    .await
    .expect("two entries");
    assert!(
        !stage
            .audit_log()
            .contains(&format!("{} needs enter or override for: CREATE workbenches noted-wb", user("ana")))
    );
}

#[tokio::test]
async fn nobody_owns_anything_where_the_prefix_is_unknown() {
    let stage = stage().await;
    let project = Project::set(stage, "prefix").await;
    let all = project.work("workspace", "workbenches");
    let ana = project.person("ana", "use").await;
    ana.post(&all, workbench("ana", "ana")).await.passes();
    let place = format!("/api/v1/namespaces/{}", project.namespace("workspace"));
    let prefix = |value: Value| json!({"metadata": {"annotations": {"strata-operator.dev/user-prefix": value}}});
    let stopped = json!({"spec": {"desiredState": "Stopped"}});
    let settles = async |prefix: Value, user: &str, passes: bool| {
        stage.operator().await.patch(&place, prefix).await.passes();
        let actor = stage.somebody(user, &["use"]).await;
        // Namespaces are read from a cache, a moment later.
        wait::until("the annotation is known", 30, async || {
            let answer = actor.patch(&format!("{all}/ana?dryRun=All"), stopped.clone()).await;
            if answer.by(OWNERS) != passes && answer.went_through() == passes {
                Ok(())
            } else {
                Err(format!("{answer:?}"))
            }
        })
        .await
        .expect("as it should be");
    };
    settles(prefix(Value::Null), &user("ana"), false).await;
    settles(prefix(Value::Null), &owner("ana"), false).await;
    // An empty one is one.
    settles(prefix("".into()), &owner("ana"), true).await;
    settles(prefix("".into()), &user("ana"), false).await;
    settles(prefix("oidc:".into()), &user("ana"), true).await;
}

#[tokio::test]
async fn components_are_their_owners_or_the_contributors() {
    let stage = stage().await;
    let project = Project::set(stage, "parts-of").await;
    let (ana, bo) = (project.person("ana", "use").await, project.person("bo", "contribute").await);
    let owns = project.person("olga", "own").await;
    let all = &project.work("workspace", "components");
    let smaller = json!({"spec": {"size": "tiny"}});
    // With an owner: theirs.
    bo.post(all, component("train", Some("ana")))
        .await
        .refused_by(OWNERS, "Component train belongs to ana@example.com");
    ana.post(all, component("train", Some("ana"))).await.passes();
    bo.patch(&format!("{all}/train"), smaller.clone()).await.refused_by(OWNERS, "belongs to ana@example.com");
    bo.delete(&format!("{all}/train")).await.refused_by(OWNERS, "belongs to ana@example.com");
    owns.patch(&format!("{all}/train"), smaller.clone()).await.passes();
    let deployer = project.deployer().await;
    deployer
        .post(all, component("theirs", Some("ana")))
        .await
        .refused_by(OWNERS, "Remove it from the delivered manifests");
    deployer.patch(&format!("{all}/train"), smaller.clone()).await.refused_by(OWNERS, "belongs to ana@example.com");
    deployer.delete(&format!("{all}/train")).await.refused_by(OWNERS, "belongs to ana@example.com");
    ana.delete(&format!("{all}/train")).await.passes();
    // Without one: of whoever may create Pipelines there.
    let says = "Set `owner: ana@example.com` to create one of your own";
    ana.post(all, component("team", None)).await.refused_by(OWNERS, says);
    bo.post(all, component("team", None)).await.passes();
    ana.patch(&format!("{all}/team"), smaller.clone()).await.refused_by(OWNERS, "Ask one of them to change team");
    ana.delete(&format!("{all}/team")).await.refused_by(OWNERS, "may only be written by contributors");
    bo.patch(&format!("{all}/team"), smaller.clone()).await.passes();
    deployer.delete(&format!("{all}/team")).await.passes();
    deployer.post(all, component("delivered", None)).await.passes();
    // In Shared rights decide, but for one with an owner.
    let shared = &project.work("shared", "components");
    ana.post(shared, component("team", None)).await.refused_by_rights();
    bo.post(shared, component("team", None)).await.passes();
    project.person("cy", "contribute").await.delete(&format!("{shared}/team")).await.passes();
    bo.post(shared, component("bo", Some("bo"))).await.passes();
    let colleague = project.person("cy", "contribute").await;
    colleague.patch(&format!("{shared}/bo"), smaller.clone()).await.refused_by(OWNERS, "belongs to bo@example.com");
    bo.patch(&format!("{shared}/bo"), smaller).await.passes();
    deployer.patch(&format!("{shared}/bo"), json!({"spec": {"image": "x"}})).await.refused_by(OWNERS, "belongs to bo");
    owns.delete(&format!("{shared}/bo")).await.passes();
}

#[tokio::test]
async fn the_teardown_finalizer_is_the_operators_to_take_off() {
    let stage = stage().await;
    let project = Project::set(stage, "teardown").await;
    let (ana, operator) = (project.person("ana", "contribute").await, stage.operator().await);
    let pipeline = object("Pipeline", "ana", &json!({"steps": [{"component": "train"}]}));
    for (plural, object) in [("workbenches", workbench("ana", "ana")), ("pipelines", pipeline)] {
        let all = project.work("workspace", plural);
        let one = &format!("{all}/ana");
        ana.post(&all, object).await.passes();
        let held = json!({"metadata": {"finalizers": ["strata-operator.dev/teardown", "example.com/mine"]}});
        operator.patch(one, held).await.passes();
        let says = "the operator removes the finalizer strata-operator.dev/teardown";
        let mine = json!({"metadata": {"finalizers": ["strata-operator.dev/teardown"]}});
        let all_of_them = json!({"metadata": {"finalizers": null}});
        ana.patch(one, all_of_them.clone()).await.refused_by(FINALIZERS, says);
        // Their own they may take off.
        ana.patch(one, mine).await.passes();
        ana.delete(one).await.passes();
        let owns = project.person("olga", "own").await;
        for actor in [&ana, &owns] {
            actor.patch(one, all_of_them.clone()).await.refused_by(FINALIZERS, says);
        }
        assert!(!ana.get(one).await.is_missing());
        if plural == "workbenches" {
            operator.patch(one, all_of_them).await.passes();
        } else {
            stage.admin().await.patch(one, all_of_them).await.passes();
        }
        assert!(ana.get(one).await.is_missing());
    }
}

#[tokio::test]
async fn labels_and_status_of_namespaced_kinds_are_the_operators() {
    let stage = stage().await;
    let project = Project::set(stage, "marks").await;
    let (ana, owns) = (project.person("ana", "use").await, project.person("olga", "own").await);
    let all = &project.work("workspace", "workbenches");
    for key in ["workbench", "run", "team", "component"] {
        let mut labelled = workbench("ana", "ana");
        labelled["metadata"]["labels"] = json!({format!("strata-operator.dev/{key}"): "bo"});
        ana.post(all, labelled).await.refused_by(RESERVED, "labels strata-operator.dev/*");
    }
    let mut plain = workbench("ana", "ana");
    plain["metadata"]["labels"] = json!({"app.kubernetes.io/part-of": "mine"});
    ana.post(all, plain).await.passes();
    let one = &format!("{all}/ana");
    let label = json!({"metadata": {"labels": {"strata-operator.dev/workbench": "bo"}}});
    ana.patch(one, label).await.refused_by(RESERVED, "labels strata-operator.dev/*");
    let status = json!({"status": {"state": "Running"}});
    for actor in [&ana, &owns, &stage.writer().await] {
        actor.patch(&format!("{one}/status"), status.clone()).await.refused_by_rights();
    }
    stage.operator().await.patch(&format!("{one}/status"), status).await.passes();
}
