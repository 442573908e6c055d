//! Who gets into pods: `templates/admission/connect.yaml`. There is no kubelet:
//! a request that gets through is answered with "no such pod", or "no way to its node".

use std::process::Command;

use serde_json::{Value, json};

use crate::attempt::{Actor, Answer};
use crate::objects::pod_template;
use crate::project::{Project, home, owner, server, until_refused, user, workbench};
use crate::stage::{CONNECT, ENTER, ENTER_HOME, Stage, stage};

/// The ways into a pod.
const WAYS: [&str; 3] = ["exec?command=ls", "attach", "portforward?ports=8888"];

/// One way into a pod, as SPDY asks for it.
async fn enters(actor: &Actor, project: &Project<'_>, pod: &str, way: &str) -> Answer {
    actor.post(&format!("{}/{pod}/{way}", project.core("workspace", "pods")), Value::Null).await
}

/// Two workbenches, and a wait until the policies know them.
async fn with_workbenches(stage: &Stage, project: &Project<'_>) {
    let admin = stage.admin().await;
    for name in ["ana", "bo"] {
        admin.post(&project.work("workspace", "workbenches"), workbench(name, name)).await.passes();
    }
    let stranger = project.person("vera", "use").await;
    for name in ["ana", "bo"] {
        let pod = format!("workbench-{name}-0");
        until_refused(ENTER, async || enters(&stranger, project, &pod, "attach").await).await;
    }
}

#[tokio::test]
async fn into_a_workbench_its_owner_and_whoever_may_enter() {
    let stage = stage().await;
    let project = Project::set(stage, "entry").await;
    with_workbenches(stage, &project).await;
    let (ana, bo) = (project.person("ana", "use").await, project.person("bo", "contribute").await);
    let says = "workbench ana belongs to ana@example.com. Only the owner and members with Own";
    for way in WAYS {
        enters(&ana, &project, "workbench-ana-0", way).await.gets_through();
        enters(&bo, &project, "workbench-bo-0", way).await.gets_through();
        // A contributor, who may make pods, is nobody special here.
        enters(&bo, &project, "workbench-ana-0", way).await.refused_by(ENTER, says);
        enters(&ana, &project, "workbench-bo-0", way).await.refused_by(ENTER, "belongs to bo@example.com");
        // Websockets begin with a GET.
        let path = format!("{}/workbench-ana-0/{way}", project.core("workspace", "pods"));
        bo.get(&path).await.refused_by(ENTER, says);
        ana.get(&path).await.gets_through();
        // Neither the name without its prefix nor another prefix is the owner, and the deployer is a contributor.
        for (name, level) in [(owner("ana"), "contribute"), ("ldap:ana@example.com".to_owned(), "contribute")] {
            let pretender = stage.somebody(&name, &[level]).await;
            enters(&pretender, &project, "workbench-ana-0", way).await.refused_by(ENTER, says);
        }
        enters(&project.deployer().await, &project, "workbench-ana-0", way).await.refused_by(ENTER, says);
        enters(&project.person("olga", "own").await, &project, "workbench-ana-0", way).await.gets_through();
        enters(&stage.admin().await, &project, "workbench-ana-0", way).await.gets_through();
        enters(&stage.platform().await, &project, "workbench-ana-0", way).await.refused_by(ENTER, says);
        enters(&project.person("vi", "view").await, &project, "workbench-ana-0", way).await.refused_by_rights();
    }
}

/// Whoever gets into a colleague's workbench is written down; the owner is not.
#[tokio::test]
async fn entering_is_written_down() {
    let stage = stage().await;
    let project = Project::set(stage, "watched").await;
    with_workbenches(stage, &project).await;
    enters(&project.person("olga", "own").await, &project, "workbench-ana-0", WAYS[0]).await.gets_through();
    enters(&project.person("ana", "use").await, &project, "workbench-ana-0", WAYS[0]).await.gets_through();
    let said = |person: &str| {
        format!(
            "{} needs enter or override for: CONNECT pods/exec watched--pay/workbench-ana-0 of ana@example.com",
            user(person)
        )
    };
    harness::wait::until("the audit log says so", 10, async || {
        let log = stage.audit_log();
        let through = |line: &&str| line.contains(&said("olga")) && !line.contains("\"code\":403");
        if log.lines().any(|line| through(&line)) { Ok(()) } else { Err("nothing yet".to_owned()) }
    })
    .await
    .expect("an entry");
    assert!(!stage.audit_log().contains(&said("ana")));
}

#[tokio::test]
async fn into_other_pods_by_the_right_to_make_pods() {
    let stage = stage().await;
    let project = Project::set(stage, "pods").await;
    let (ana, bo) = (project.person("ana", "use").await, project.person("bo", "contribute").await);
    for way in ["exec?command=ls", "attach"] {
        let path = format!("{}/web/{way}", project.core("workspace", "pods"));
        let says = "level Use allows exec and attach in your own workbench only, so not in web";
        ana.post(&path, Value::Null).await.refused_by(CONNECT, says);
        ana.get(&path).await.refused_by(CONNECT, says);
        bo.post(&path, Value::Null).await.gets_through();
        // Somebody who holds the right to exec from elsewhere is held the same.
        let live = format!("{}/web/{way}", project.core("live", "pods"));
        bo.post(&live, Value::Null).await.refused_by_rights();
        project.person("olga", "own").await.post(&live, Value::Null).await.gets_through();
    }
    // Services are reached by port-forward, in every layer.
    for layer in ["shared", "workspace", "live"] {
        let path = format!("{}/web/portforward?ports=80", project.core(layer, "pods"));
        ana.post(&path, Value::Null).await.gets_through();
        ana.get(&path).await.gets_through();
        project.person("vi", "view").await.get(&path).await.refused_by_rights();
    }
    // By a proxy nobody.
    for path in ["pods/web/proxy", "pods/workbench-ana-0/proxy", "services/web/proxy"] {
        let path = project.core("workspace", path);
        project.person("olga", "own").await.get(&path).await.refused_by_rights();
    }
}

#[tokio::test]
async fn by_the_home_where_the_workbench_is_gone() {
    let stage = stage().await;
    let project = Project::set(stage, "gone-wb").await;
    let operator = stage.operator().await;
    let claims = project.core("workspace", "persistentvolumeclaims");
    operator.post(&claims, home("ana", "ana")).await.passes();
    let mut nameless = home("nameless", "ana");
    nameless["metadata"]["annotations"] = json!({});
    operator.post(&claims, nameless).await.passes();
    let (ana, bo) = (project.person("ana", "use").await, project.person("bo", "contribute").await);
    let says = "the home of workbench-ana-0 belongs to ana@example.com";
    until_refused(ENTER_HOME, async || enters(&bo, &project, "workbench-ana-0", "attach").await).await;
    until_refused(ENTER_HOME, async || enters(&ana, &project, "workbench-nameless-0", "attach").await).await;
    for way in WAYS {
        enters(&bo, &project, "workbench-ana-0", way).await.refused_by(ENTER_HOME, says);
        enters(&ana, &project, "workbench-ana-0", way).await.gets_through();
        enters(&ana, &project, "workbench-nameless-0", way).await.refused_by(ENTER_HOME, "belongs to an unknown owner");
        let owns = project.person("olga", "own").await;
        enters(&owns, &project, "workbench-ana-0", way).await.gets_through();
    }
}

#[tokio::test]
async fn ephemeral_containers_likewise() {
    let stage = stage().await;
    let project = Project::set(stage, "probe-wb").await;
    with_workbenches(stage, &project).await;
    let pods = project.core("workspace", "pods");
    let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "workbench-ana-0"}});
    pod["metadata"]["labels"] = json!({"strata-operator.dev/workbench": "ana"});
    pod["spec"] = pod_template(&json!({}))["spec"].clone();
    stage.admin().await.post(&pods, pod).await.passes();
    let probe = json!({"spec": {"ephemeralContainers": [{"name": "probe", "image": "registry.example.com/x:1"}]}});
    let path = format!("{pods}/workbench-ana-0/ephemeralcontainers");
    for level in ["contribute", "own"] {
        project.person("olga", level).await.patch(&path, probe.clone()).await.refused_by_rights();
    }
    let platform = stage.platform().await;
    platform.patch(&path, probe.clone()).await.refused_by(ENTER, "belongs to ana@example.com");
    stage.somebody(&user("ana"), &["platform"]).await.patch(&path, probe).await.passes();
}

#[tokio::test]
async fn by_kubectl_over_websocket_and_spdy() {
    let stage = stage().await;
    let project = Project::set(stage, "kubectl").await;
    let operator = stage.operator().await;
    with_workbenches(stage, &project).await;
    operator.post(&project.core("workspace", "persistentvolumeclaims"), home("ana", "ana")).await.passes();
    operator.post(&project.apps("workspace", "statefulsets"), server("ana")).await.passes();
    let namespace = project.namespace("workspace");
    let wait = ["wait", "--for=condition=Ready", "--timeout=60s", "--namespace", &namespace, "pod/workbench-ana-0"];
    harness::wait::until("the server runs", 60, async || {
        stage.plane().kubectl(wait).await.map(drop).map_err(|error| error.to_string())
    })
    .await
    .expect("a pod");
    let kubectl = |person: &str, websockets: &str, words: &[&str]| {
        let output = Command::new("timeout")
            .arg("20")
            .arg(&stage.plane().programs().kubectl)
            .arg("--kubeconfig")
            .arg(stage.plane().kubeconfig())
            .args(["--namespace", &namespace, "--as", &user(person), "--as-group", "contribute"])
            .args(["--as-group", "system:authenticated"])
            .args(words)
            .env("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", websockets)
            .env("KUBECTL_PORT_FORWARD_WEBSOCKETS", websockets)
            .env("KUBERC", "off")
            .env_remove("KUBECONFIG")
            .output()
            .expect("kubectl starts");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let refusal = format!("ValidatingAdmissionPolicy '{ENTER}'");
    for websockets in ["true", "false"] {
        for words in
            [&["exec", "workbench-ana-0", "--", "ls"][..], &["port-forward", "pod/workbench-ana-0", ":8888"][..]]
        {
            let said = kubectl("bo", websockets, words);
            assert!(said.contains(&refusal) || said.contains(ENTER_HOME), "{words:?} websockets {websockets}: {said}");
            let said = kubectl("ana", websockets, words);
            assert!(!said.contains("ValidatingAdmissionPolicy") && !said.contains("cannot"), "{words:?}: {said}");
        }
    }
}
