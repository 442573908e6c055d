//! A run: one Job, written once, and what became of it.

use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::spec::at_work;
use crate::stage::stage;
use crate::team::{Team, condition};
use crate::work::{Work, component, pipeline, run};

/// The team of most of these, with the pipeline `experiment`.
async fn team() -> Team {
    static READY: OnceCell<()> = OnceCell::const_new();
    let team = Team::named(stage().await, "runs").await;
    READY
        .get_or_init(|| async {
            let team = Team::ready(team.stage, "runs", at_work()).await;
            pipeline(&team, "experiment", &json!({})).await.until_ready().await;
        })
        .await;
    team
}

fn states(run: &Value) -> Vec<(String, String)> {
    let steps = run["status"]["steps"].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    steps.map(|step| (text(&step["name"]), text(&step["state"]))).collect()
}

fn are(states: [&str; 3]) -> Vec<(String, String)> {
    ["generate", "train", "evaluate"].into_iter().zip(states).map(|(name, state)| (name.into(), state.into())).collect()
}

#[tokio::test]
async fn a_run_says_how_far_it_came_and_what_it_was_made_of() {
    let team = team().await;
    let ana = team.stage.somebody("ana@example.com", &[]).await;
    let work = Work::named(&team, "Run", "first", "good");
    let spec = json!({"pipeline": "experiment", "parameters": {"epochs": "11"}});
    work.write(&ana, spec).await.expect("a contributor starts a run");
    let seen = work.until_state("Succeeded").await;
    assert_eq!(condition(&seen, "Ready")["status"], "True", "{seen}");
    assert_eq!(states(&seen), are(["Succeeded", "Succeeded", "Succeeded"]), "{seen}");
    let status = &seen["status"];
    assert_eq!(status["job"], "run-good");
    assert!(
        status["startTime"].is_string() && status["completionTime"].is_string() && status["duration"].is_string(),
        "{status}"
    );
    assert!(status["logs"].as_str().is_some_and(|logs| logs.contains("kubectl logs")), "{status}");
    let train = &status["steps"][1];
    assert!(train["image"].as_str().is_some_and(|image| image.contains("scipy-notebook:")), "{train}");
    assert_eq!(train["command"], json!(["python", "-m", "train", "--epochs=11"]), "{train}");

    let job = work.until_there("Job", "run-good", |_| true).await;
    let [owner] = job["metadata"]["ownerReferences"].as_array().unwrap().as_slice() else { panic!("{job}") };
    assert_eq!((&owner["kind"], &owner["name"]), (&json!("Run"), &json!("good")));
    assert_eq!(owner["controller"], true);
    assert_ne!(owner["blockOwnerDeletion"], true, "{owner}");
    let env = job.pointer("/spec/template/spec/initContainers/1/env").cloned().unwrap_or_default();
    assert!(env.as_array().unwrap().contains(&json!({"name": "epochs", "value": "11"})), "{env}");
    let shown = team.stage.plane.kubectl(["get", "run", "good", "-n", "runs--first", "--no-headers"]).await.unwrap();
    let columns: Vec<_> = shown.split_whitespace().take(4).collect();
    assert_eq!(columns, ["good", "True", "experiment", "Succeeded"], "{shown}");
}

#[tokio::test]
async fn a_run_that_fails_says_in_which_step_and_why() {
    let team = team().await;
    let work = Work::named(&team, "Run", "first", "bad");
    let annotations =
        [("simulate/step", "train"), ("simulate/exit-code", "3"), ("simulate/message", "no such column: amount")];
    team.stage.plane.simulate(&work.pods_named(""), &annotations).await.unwrap();
    work.write(&team.admin, json!({"pipeline": "experiment"})).await.expect("created");
    let seen = work.until_state("Failed").await;
    let ready = condition(&seen, "Ready");
    assert_eq!((&ready["status"], &ready["reason"]), (&json!("False"), &json!("StepFailed")), "{ready}");
    let message = ready["message"].as_str().unwrap_or_default();
    assert!(message.contains("train") && message.contains("no such column: amount"), "{message}");
    assert_eq!(condition(&seen, "Stalled")["status"], "True", "{seen}");
    assert_eq!(seen["status"]["step"], "train");
    assert_eq!(states(&seen), are(["Succeeded", "Failed", "Pending"]), "{seen}");
    let train = &seen["status"]["steps"][1];
    assert_eq!((&train["exitCode"], &train["message"]), (&json!(3), &json!("no such column: amount")), "{train}");
    assert!(seen["status"]["logs"].as_str().is_some_and(|logs| logs.contains("train")), "{seen}");
    let event = harness::wait::until("an Event tells it", 20, async || {
        let events = team.admin.list("/api/v1/namespaces/runs--first/events").await;
        let of_run = events.iter().filter(|event| event["involvedObject"]["name"] == "bad");
        let seen: Vec<_> = of_run.map(|event| (event["type"].clone(), event["reason"].clone())).collect();
        if seen.contains(&(json!("Warning"), json!("StepFailed"))) { Ok(()) } else { Err(format!("{seen:?}")) }
    });
    event.await.unwrap();
    // It never turns the team red.
    assert_eq!(condition(&team.get().await, "Ready")["status"], "True");
}

#[tokio::test]
async fn a_run_that_goes_on_says_where_it_is() {
    let team = team().await;
    let work = Work::named(&team, "Run", "first", "slow");
    let annotations = [("simulate/step", "train"), ("simulate/duration", "4s")];
    team.stage.plane.simulate(&work.pods_named(""), &annotations).await.unwrap();
    work.write(&team.admin, json!({"pipeline": "experiment"})).await.expect("created");
    let seen =
        work.until("runs", |seen| seen["status"]["state"] == "Running" && seen["status"]["step"] == "train").await;
    assert_eq!(states(&seen), are(["Succeeded", "Running", "Pending"]), "{seen}");
    assert_eq!(condition(&seen, "Reconciling")["status"], "True", "{seen}");
    // What it runs is what the pipeline was when it started.
    let (job, steps) = (work.uid("Job", "run-slow").await, seen["status"]["steps"][1]["command"].clone());
    let experiment = Work::named(&team, "Pipeline", "first", "experiment");
    experiment.edit(json!({"parameters": [{"name": "epochs", "default": "99"}]})).await;
    experiment.until_ready().await;
    let seen = work.until_state("Succeeded").await;
    assert_eq!(seen["status"]["steps"][1]["command"], steps);
    assert_eq!(work.uid("Job", "run-slow").await, job, "it was started again");
    let job = team.admin.get(&work.child("Job", "run-slow")).await.unwrap();
    assert!(!job.to_string().contains("\"99\""), "{job}");
}

#[tokio::test]
async fn what_a_pipeline_does_not_know_starts_nothing() {
    let team = team().await;
    let wrong = [
        ("no-pipeline", json!({"pipeline": "nothing"}), vec!["'nothing'", "runs--first"]),
        (
            "no-parameter",
            json!({"pipeline": "experiment", "parameters": {"speed": "9"}}),
            vec!["'speed'", "pipeline experiment", "epochs"],
        ),
    ];
    for (name, spec, words) in wrong {
        let work = Work::create(&team, "Run", "first", name, spec).await;
        work.until_not_ready("Invalid", &words).await;
        assert!(work.written("Job").await.is_empty(), "{name}: it was started");
        work.delete().await;
    }
    // It starts as soon as its pipeline is there.
    let work = run(&team, "early", "afterwards").await;
    work.until_not_ready("Invalid", &["'afterwards'"]).await;
    pipeline(&team, "afterwards", &json!({})).await;
    work.until_state("Succeeded").await;
}

#[tokio::test]
async fn deleting_a_run_stops_it() {
    let team = team().await;
    let work = Work::named(&team, "Run", "first", "endless");
    team.stage.plane.simulate(&work.pods_named(""), &[("simulate/duration", "10m")]).await.unwrap();
    work.write(&team.admin, json!({"pipeline": "experiment"})).await.expect("created");
    work.until_state("Running").await;
    work.delete().await;
    work.until_missing("Job", "run-endless").await;
    let stopped = harness::wait::until("its pod is gone", 60, async || match work.written("Pod").await.as_slice() {
        [] => Ok(()),
        left => Err(left[0]["status"].to_string()),
    });
    stopped.await.unwrap();
}

#[tokio::test]
async fn a_run_of_the_same_name_is_another_run() {
    let team = team().await;
    let work = Work::named(&team, "Run", "first", "twice");
    for epochs in ["7", "8"] {
        work.write(&team.admin, json!({"pipeline": "experiment", "parameters": {"epochs": epochs}}))
            .await
            .expect("created");
        let done = work.until_state("Succeeded").await;
        let command = done["status"]["steps"][1]["command"].to_string();
        assert!(command.contains(&format!("--epochs={epochs}")), "{command}");
        // The Job of the one before may still be there when the next one comes.
        work.delete().await;
    }
}

#[tokio::test]
async fn a_deleted_job_is_reported_and_not_started_again() {
    let team = team().await;
    let lost = Work::named(&team, "Run", "first", "lost");
    team.stage.plane.simulate(&lost.pods_named(""), &[("simulate/duration", "10m")]).await.unwrap();
    lost.write(&team.admin, json!({"pipeline": "experiment"})).await.expect("created");
    lost.until_state("Running").await;
    let delete = async |work: &Work<'_>, job: &str| {
        let space = team.space("first");
        team.stage.plane.kubectl(["delete", "job", job, "--namespace", &space]).await.expect("deleted");
        team.until_missing(&work.child("Job", job)).await;
    };
    delete(&lost, "run-lost").await;
    let seen = lost.until_state("Failed").await;
    assert_eq!(condition(&seen, "Ready")["reason"], "JobLost", "{seen}");
    // One that ended has ended, whatever becomes of its Job.
    let ended = run(&team, "ended", "experiment").await;
    ended.until_state("Succeeded").await;
    delete(&ended, "run-ended").await;
    let seen = ended.until("has no Job", |seen| seen["status"]["job"].is_null()).await;
    assert_eq!(seen["status"]["state"], "Succeeded", "{seen}");
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    for (work, job) in [(&lost, "run-lost"), (&ended, "run-ended")] {
        assert!(team.admin.find(&work.child("Job", job)).await.is_none(), "{job} was started again");
    }
}

#[tokio::test]
async fn a_job_without_a_pod_gets_one_again() {
    let team = team().await;
    let work = Work::named(&team, "Run", "first", "emptied");
    team.stage.plane.simulate(&work.pods_named(""), &[("simulate/duration", "10m")]).await.unwrap();
    work.write(&team.admin, json!({"pipeline": "experiment"})).await.expect("created");
    work.until_state("Running").await;
    let job = work.child("Job", "run-emptied");
    let before = work.uid("Job", "run-emptied").await;
    let created = team.admin.get(&job).await.expect("the Job")["spec"].clone();
    let changed = json!({"parallelism": 0, "backoffLimit": 9, "activeDeadlineSeconds": 3600, "ttlSecondsAfterFinished": 0,
        "podReplacementPolicy": "TerminatingOrFailed"});
    team.admin.merge(&job, &json!({"spec": changed})).await.expect("changed");
    let fields = changed.as_object().unwrap().keys();
    let is_back = |job: &Value| fields.clone().all(|field| job["spec"][field] == created[field]);
    work.until_there("Job", "run-emptied", is_back).await;
    assert_eq!(work.uid("Job", "run-emptied").await, before);
    work.delete().await;
}

#[tokio::test]
async fn of_old_runs_the_word_stays_and_the_job_goes() {
    let team = Team::ready(stage().await, "keepers", at_work()).await;
    pipeline(&team, "experiment", &json!({"keep": 2})).await.until_ready().await;
    for name in ["one", "two", "three", "four"] {
        run(&team, name, "experiment").await.until_state("Succeeded").await;
        // What ended within the same second has no order.
        tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    }
    let named = |name: &str| Work::named(&team, "Run", "first", name);
    for name in ["one", "two"] {
        team.until_missing(&named(name).child("Job", &format!("run-{name}"))).await;
        let seen = named(name).until("has no Job", |seen| seen["status"]["job"].is_null()).await;
        assert_eq!(seen["status"]["state"], "Succeeded", "{seen}");
        assert_eq!(states(&seen), are(["Succeeded", "Succeeded", "Succeeded"]), "{seen}");
    }
    for name in ["three", "four"] {
        assert!(team.admin.find(&named(name).child("Job", &format!("run-{name}"))).await.is_some(), "{name}");
    }
    // Without its pipeline nothing starts, and what ended stays as it is.
    Work::named(&team, "Pipeline", "first", "experiment").delete().await;
    let five = run(&team, "five", "experiment").await;
    five.until_not_ready("Invalid", &["'experiment'"]).await;
    assert_eq!(named("four").get().await["status"]["state"], "Succeeded");
}

#[tokio::test]
async fn a_run_past_its_deadline_is_stopped_and_says_what_to_do() {
    let team = team().await;
    let work = Work::named(&team, "Run", "first", "late");
    let annotations = [("simulate/step", "train"), ("simulate/duration", "10m")];
    team.stage.plane.simulate(&work.pods_named(""), &annotations).await.unwrap();
    work.write(&team.admin, json!({"pipeline": "experiment", "activeDeadlineSeconds": 6})).await.expect("created");
    let seen = work.until_state("Failed").await;
    let ready = condition(&seen, "Ready");
    assert_eq!(ready["reason"], "DeadlineExceeded", "{seen}");
    let message = ready["message"].as_str().unwrap_or_default();
    for word in ["step train", "activeDeadlineSeconds (6 s)", "Create another run"] {
        assert!(message.contains(word), "{message}");
    }
    let space = team.space("first");
    let wait = ["wait", "--for=condition=Failed", "run/late", "--namespace", &space, "--timeout=5s"];
    team.stage.plane.kubectl(wait).await.expect("a wait for its end ends");
    assert_eq!(states(&seen), are(["Succeeded", "Failed", "Pending"]), "{seen}");
    let gone = harness::wait::until("its pod is gone", 60, async || match work.written("Pod").await.as_slice() {
        [] => Ok(()),
        left => Err(left[0]["status"].to_string()),
    });
    gone.await.unwrap();
}

#[tokio::test]
async fn a_run_is_deleted_when_its_time_is_over() {
    let team = team().await;
    let lasting = run(&team, "lasting", "experiment").await;
    let spec = json!({"pipeline": "experiment", "ttlSecondsAfterFinished": 5});
    let work = Work::create(&team, "Run", "first", "brief", spec.clone()).await;
    work.until_state("Succeeded").await;
    let space = team.space("first");
    let wait = ["wait", "--for=condition=Complete", "run/lasting", "--namespace", &space, "--timeout=60s"];
    team.stage.plane.kubectl(wait).await.expect("a wait for its end ends");
    team.until_missing(&work.path()).await;
    team.until_missing(&work.child("Job", "run-brief")).await;
    // What a tool would create again stays and says so, until nobody tracks it any more.
    let tracked = Work::named(&team, "Run", "first", "tracked");
    let object = json!({
        "apiVersion": "strata-operator.dev/v1alpha1", "kind": "Run", "spec": spec, "metadata": {"name": "tracked",
            "namespace": space, "annotations": {"argocd.argoproj.io/tracking-id": "ml:strata-operator.dev/Run:a/tracked"}},
    });
    team.admin.create(&object).await.expect("created");
    let seen = tracked.until("says that it stays", |seen| !condition(seen, "Expired").is_null()).await;
    assert_eq!(condition(&seen, "Expired")["reason"], "Tracked", "{seen}");
    assert!(condition(&seen, "Expired")["message"].as_str().unwrap_or_default().contains("Argo CD"), "{seen}");
    assert_eq!(condition(&seen, "Ready")["status"], "True", "{seen}");
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert_eq!(tracked.get().await["metadata"]["resourceVersion"], seen["metadata"]["resourceVersion"]);
    let untracked = json!({"metadata": {"annotations": {"argocd.argoproj.io/tracking-id": null}}});
    team.admin.merge(&tracked.path(), &untracked).await.expect("changed");
    team.until_missing(&tracked.path()).await;
    assert_eq!(lasting.get().await["status"]["state"], "Succeeded");
}

#[tokio::test]
async fn where_runs_say_nothing_the_blueprint_does() {
    let stage = stage().await;
    let admin = stage.admin().await;
    let blueprint = json!({
        "apiVersion": "strata-operator.dev/v1alpha1", "kind": "Blueprint", "metadata": {"name": "brief"},
        "spec": {
            "images": {"scipy": "quay.io/jupyter/scipy-notebook:1"},
            "sizes": {"small": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}}},
            "runs": {"activeDeadlineSeconds": 777},
        },
    });
    admin.create(&blueprint).await.expect("created");
    let mut spec = at_work();
    spec["blueprint"] = json!("brief");
    let team = Team::ready(stage, "briefs", spec).await;
    pipeline(&team, "experiment", &json!({})).await.until_ready().await;
    let spec = json!({"pipeline": "experiment", "ttlSecondsAfterFinished": 100_000});
    let lasting = Work::create(&team, "Run", "first", "lasting", spec).await;
    lasting.until_state("Succeeded").await;
    let work = run(&team, "silent", "experiment").await;
    work.until_state("Succeeded").await;
    let job = admin.get(&work.child("Job", "run-silent")).await.expect("its Job is there");
    assert_eq!(job["spec"]["activeDeadlineSeconds"], 777, "{job}");
    assert!(job["spec"]["ttlSecondsAfterFinished"].is_null(), "{job}");
    // Another word of the Blueprint is one for those too that ended before. Of what is
    // held nothing goes.
    team.edit(json!({"managementPolicy": "Suspend"})).await;
    team.until("is suspended", |seen| condition(seen, "Ready")["reason"] == "Suspended").await;
    let path = crate::actor::path("Blueprint", "", "brief");
    admin.merge(&path, &json!({"spec": {"runs": {"ttlSecondsAfterFinished": 0}}})).await.expect("changed");
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert_eq!(work.get().await["status"]["state"], "Succeeded");
    team.edit(json!({"managementPolicy": "Enforce"})).await;
    team.until_missing(&work.path()).await;
    assert_eq!(lasting.get().await["status"]["state"], "Succeeded");
}

#[tokio::test]
async fn a_run_that_may_is_tried_again() {
    let team = Team::ready(stage().await, "triers", at_work()).await;
    component(&team, "flaky").await;
    let spec = json!({"steps": [{"component": "flaky"}], "retries": 1});
    Work::create(&team, "Pipeline", "first", "again", spec).await.until_ready().await;
    let work = Work::named(&team, "Run", "first", "twice");
    let pods = work.pods_named("");
    let annotations = [("simulate/exit-code", "1"), ("simulate/message", "try again"), ("simulate/duration", "1s")];
    team.stage.plane.simulate(&pods, &annotations).await.unwrap();
    work.write(&team.admin, json!({"pipeline": "again"})).await.expect("created");
    let failed = harness::wait::until("its first pod fails", 60, async || {
        let pods = work.written("Pod").await;
        let failed = pods.iter().any(|pod| pod["status"]["phase"] == "Failed");
        if failed { Ok(()) } else { Err(format!("{} pods", pods.len())) }
    });
    failed.await.unwrap();
    team.stage.plane.simulate_nothing(&pods).await.unwrap();
    assert_ne!(work.get().await["status"]["state"], "Failed", "it was given up");
    work.until_state("Succeeded").await;
    assert_eq!(work.written("Pod").await.len(), 2);
}

#[tokio::test]
async fn while_the_team_is_away_nothing_starts() {
    let team = Team::ready(stage().await, "absent", at_work()).await;
    pipeline(&team, "experiment", &json!({})).await.until_ready().await;
    run(&team, "before", "experiment").await.until_state("Succeeded").await;
    team.edit(json!({"projects": [{"name": "other"}]})).await;
    team.until_ready().await;
    let work = run(&team, "meanwhile", "experiment").await;
    let seen = work.until("was seen", |seen| !condition(seen, "Ready").is_null()).await;
    assert_eq!(condition(&seen, "Ready")["status"], "False", "{seen}");
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert!(work.written("Job").await.is_empty(), "it was started");
    team.edit(json!({"projects": at_work()["projects"]})).await;
    work.until_state("Succeeded").await;
}
