//! The status of a workbench.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};

use super::*;
use crate::api::Issue;
use crate::api::identity::WorkId;
use crate::api::status::READY;
use crate::api::vocabulary::Layer;
use crate::api::work::WorkKind;
use crate::api::work::workbench::OwnerMembership;
use crate::engine::Verdict;
use crate::plan::work::{ResolvedSpec, WorkPlan};

struct Case {
    detail: Option<WorkbenchDetail>,
    pods: Vec<Pod>,
    set: Value,
    verdict: Verdict,
    failure: Option<Issue>,
    home: Option<Value>,
}

fn case(wanted: bool) -> Case {
    let detail = WorkbenchDetail {
        image: "quay.io/jupyter/scipy-notebook:1".to_owned(),
        claim: "workbench-ana".to_owned(),
        wanted,
        ..WorkbenchDetail::default()
    };
    Case {
        detail: Some(detail),
        pods: Vec::new(),
        set: Value::Null,
        verdict: Verdict::Ready,
        failure: None,
        home: Some(json!({})),
    }
}

fn down(reason: Reason) -> Case {
    let mut case = case(false);
    case.detail.as_mut().unwrap().down = Some(Issue::new(reason, "because"));
    case
}

impl Case {
    fn pod(mut self, pod: &Value) -> Self {
        self.pods.push(serde_json::from_value(pod.clone()).unwrap());
        self
    }

    fn told(&self) -> WorkbenchStatus {
        let plan = WorkPlan {
            retained: false,
            credentials: std::collections::BTreeMap::new(),
            id: WorkId { kind: WorkKind::Workbench, namespace: "abc--p".to_owned(), name: "ana".to_owned() },
            uid: "u".to_owned(),
            layer: Layer::Workspace,
            project: Some("p".to_owned()),
            engine: None,
            choice: Some(("jupyterlab".to_owned(), "1".to_owned())),
            inputs: None,
            objects: Vec::new(),
            hold: None,
            draft: ResolvedSpec {
                detail: self.detail.clone().map_or(Detail::None, Detail::Workbench),
                ..ResolvedSpec::default()
            },
        };
        let live = |kind: &str, _: &str| match kind {
            "StatefulSet" => Some(self.set.clone()),
            "PersistentVolumeClaim" => self.home.clone(),
            _ => Some(json!({})),
        };
        let now: Time = serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap();
        let judged = Judged {
            plan: &plan,
            failure: self.failure.clone(),
            verdict: self.verdict.clone(),
            live: &live,
            pods: &self.pods,
            refused: None,
            now: &now,
        };
        let object: Workbench = serde_json::from_value(json!({
            "apiVersion": "strata-operator.dev/v1alpha1", "kind": "Workbench", "metadata": {"name": "ana", "generation": 2},
            "spec": {"owner": "ana", "image": "scipy"}, "status": {"image": "before", "ownerMembership": "ByGroup"},
        }))
        .unwrap();
        status(&object, &judged)
    }
}

/// Ready, its reason and its message.
fn ready(status: &WorkbenchStatus) -> (bool, String, String) {
    let ready = status.conditions.iter().find(|condition| condition.type_ == READY).unwrap();
    let holds = ready.status == crate::api::status::ConditionStatus::True;
    (holds, ready.reason.clone(), ready.message.clone())
}

fn up() -> Value {
    json!({"name": "workbench-ana-0", "ready": true})
}

#[test]
fn a_server_that_is_up_can_be_entered() {
    let told = case(true).pod(&up()).told();
    assert_eq!((told.state, ready(&told).0), (Some(WorkbenchState::Running), true));
    let enter = told.enter.unwrap();
    assert_eq!(enter, "kubectl port-forward --namespace abc--p pod/workbench-ana-0 8888");
    assert_eq!(told.claim.as_deref(), Some("workbench-ana"));
    assert_eq!((told.observed_generation, told.pending), (Some(2), None));
    assert_eq!(told.engine.unwrap().name, "jupyterlab");
}

#[test]
fn a_set_without_its_pod_is_starting_whatever_it_says() {
    let told = case(true).told();
    assert_eq!(told.state, Some(WorkbenchState::Starting));
    assert_eq!(ready(&told), (false, "Progressing".to_owned(), "the server is starting".to_owned()));
    let told = case(true).pod(&json!({"name": "workbench-ana-0", "ready": true, "deleting": true})).told();
    assert_eq!((told.state, ready(&told).0), (Some(WorkbenchState::Stopping), false));
}

#[test]
fn down_as_it_should_be_is_ready() {
    for (case, reason) in [(case(false), "Stopped"), (down(Reason::Idle), "Idle"), (down(Reason::Retained), "Retained")]
    {
        let stopping = Case {
            pods: vec![serde_json::from_value(up()).unwrap()],
            detail: case.detail.clone(),
            ..self::case(false)
        };
        assert_eq!(ready(&stopping.told()).1, "Progressing", "{reason}");
        assert_eq!(stopping.told().state, Some(WorkbenchState::Stopping));
        let told = case.told();
        assert_eq!((ready(&told).0, ready(&told).1.as_str()), (true, reason));
        assert_eq!((told.state, told.enter), (Some(WorkbenchState::Stopped), None));
    }
}

#[test]
fn who_left_is_told_at_once() {
    let told = down(Reason::OwnerLeft).pod(&up()).told();
    assert_eq!(ready(&told), (false, "OwnerLeft".to_owned(), "because".to_owned()));
    assert!(told.conditions.iter().any(|condition| condition.type_ == "Stalled"));
}

#[test]
fn a_running_server_says_what_it_does_not_have_yet() {
    let set = |updated: Value| {
        json!({"metadata": {"generation": 2}, "status": {"observedGeneration": 2, "replicas": 1, "updatedReplicas": updated,
            "currentRevision": "a", "updateRevision": "b"}})
    };
    let pending = |wanted: bool, set: Value| Case { set, ..case(wanted) }.pod(&up()).told().pending;
    assert!(pending(true, set(Value::Null)).unwrap().contains("restart pending"));
    assert_eq!(pending(true, set(json!(1))), None);
    assert_eq!(pending(false, set(Value::Null)), None);
    let mut unseen = set(Value::Null);
    unseen["metadata"]["generation"] = json!(3);
    assert_eq!(pending(true, unseen), None);
}

#[test]
fn server_termination_message_wins_over_restart_counts() {
    let waiting = Verdict::Waiting { message: "0 of 1 pods are ready".to_owned() };
    let ended = json!({"exitCode": 1, "message": "the image has no JupyterLab\n"});
    let container = |running: Value| {
        json!({"name": "workbench-ana-0", "containers": [{"name": "notebook", "before": ended, "running": running,
            "waiting": if running.is_null() { json!(["CrashLoopBackOff", "back-off"]) } else { Value::Null }}]})
    };
    let told = Case { verdict: waiting.clone(), ..case(true) }.pod(&container(Value::Null)).told();
    assert_eq!(ready(&told).2, "pod workbench-ana-0: the image has no JupyterLab");
    let told = Case { verdict: waiting, ..case(true) }.pod(&container(json!("2026-01-01T00:00:00Z"))).told();
    assert_eq!(ready(&told).1, "Progressing");
}

#[test]
fn a_home_is_told_of_where_there_is_one() {
    let told = case(false).told();
    assert!(told.claim.is_some() && ready(&told).2.ends_with("the home volume is kept"), "{told:?}");
    let told = Case { home: None, ..case(false) }.told();
    assert_eq!((told.claim.as_ref(), ready(&told).2.as_str()), (None, "the server is stopped by spec.desiredState"));
}

#[test]
fn what_does_not_count_is_told_whatever_the_server_does() {
    for mut case in [case(true).pod(&up()), case(true), case(false), down(Reason::Idle), down(Reason::OwnerLeft)] {
        let plain = ready(&case.told());
        case.detail.as_mut().unwrap().ignored = vec!["annotation x is no time".to_owned()];
        let told = ready(&case.told());
        assert_eq!(told, (plain.0, plain.1, format!("{}. annotation x is no time", plain.2)));
    }
}

#[test]
fn what_is_held_keeps_what_was_known() {
    let failure = Some(Issue::new(Reason::Conflict, "the home is bo's"));
    let told = Case { detail: None, failure, ..case(true) }.pod(&up()).told();
    assert_eq!((told.image.as_deref(), told.owner_membership), (Some("before"), Some(OwnerMembership::ByGroup)));
    assert_eq!((told.state, ready(&told).1.as_str()), (Some(WorkbenchState::Running), "Conflict"));
}
