//! The status of a workbench.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};

use super::*;
use crate::api::Issue;
use crate::api::identity::WorkId;
use crate::api::status::READY;
use crate::api::vocabulary::Layer;
use crate::api::work::WorkKind;
use crate::api::work::workbench::{Cause, DesiredState, OwnerMembership};
use crate::engine::Verdict;
use crate::plan::work::{ResolvedSpec, WorkPlan};

struct Case {
    detail: Option<WorkbenchDetail>,
    pods: Vec<Pod>,
    set: Value,
    verdict: Verdict,
    failure: Option<Issue>,
    home: Option<Value>,
    ungrown: Option<String>,
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
        ungrown: None,
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

    fn status(&self) -> WorkbenchStatus {
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
            ungrown: self.ungrown.clone(),
            autoscalers: &[],
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
    let status = case(true).pod(&up()).status();
    assert_eq!((status.state, ready(&status).0), (Some(WorkbenchState::Running), true));
    let enter = status.enter.unwrap();
    assert_eq!(enter, "kubectl port-forward --namespace abc--p pod/workbench-ana-0 8888");
    assert_eq!(status.claim.as_deref(), Some("workbench-ana"));
    assert_eq!((status.observed_generation, status.pending), (Some(2), None));
    assert_eq!(status.engine.unwrap().name, "jupyterlab");
}

#[test]
fn an_owner_whose_name_has_the_prefix_is_advised() {
    let mut case = case(true).pod(&up());
    case.detail.as_mut().unwrap().advice = Some("spec.owner is wrong".to_owned());
    assert_eq!(ready(&case.status()).2, "the server is running. spec.owner is wrong");
}

#[test]
fn a_set_without_its_pod_is_starting_whatever_it_says() {
    let status = case(true).status();
    assert_eq!(status.state, Some(WorkbenchState::Starting));
    assert_eq!(ready(&status), (false, "Progressing".to_owned(), "the server is starting".to_owned()));
    let status = case(true).pod(&json!({"name": "workbench-ana-0", "ready": true, "deleting": true})).status();
    assert_eq!((status.state, ready(&status).0), (Some(WorkbenchState::Stopping), false));
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
        assert_eq!(ready(&stopping.status()).1, "Progressing", "{reason}");
        assert_eq!(stopping.status().state, Some(WorkbenchState::Stopping));
        let status = case.status();
        assert_eq!((ready(&status).0, ready(&status).1.as_str()), (true, reason));
        assert_eq!((status.state, status.enter), (Some(WorkbenchState::Stopped), None));
    }
}

#[test]
fn an_owner_who_left_is_reported_at_once() {
    let status = down(Reason::OwnerLeft).pod(&up()).status();
    assert_eq!(ready(&status), (false, "OwnerLeft".to_owned(), "because".to_owned()));
    assert!(status.conditions.iter().any(|condition| condition.type_ == "Stalled"));
}

#[test]
fn a_running_server_says_what_it_does_not_have_yet() {
    let set = |updated: Value| {
        json!({"metadata": {"generation": 2}, "status": {"observedGeneration": 2, "replicas": 1, "updatedReplicas": updated,
            "currentRevision": "a", "updateRevision": "b"}})
    };
    let pending = |wanted: bool, set: Value| Case { set, ..case(wanted) }.pod(&up()).status().pending;
    assert!(pending(true, set(Value::Null)).unwrap().contains("restart pending"));
    assert_eq!(pending(true, set(json!(1))), None);
    assert_eq!(pending(false, set(Value::Null)), None);
    let mut unobserved = set(Value::Null);
    unobserved["metadata"]["generation"] = json!(3);
    assert_eq!(pending(true, unobserved), None);
}

#[test]
fn server_termination_message_wins_over_restart_counts() {
    let waiting = Verdict::Waiting { message: "0 of 1 pods are ready".to_owned() };
    let ended = json!({"exitCode": 1, "message": "the image has no JupyterLab\n"});
    let container = |running: Value| {
        json!({"name": "workbench-ana-0", "containers": [{"name": "notebook", "before": ended, "running": running,
            "waiting": if running.is_null() { json!(["CrashLoopBackOff", "back-off"]) } else { Value::Null }}]})
    };
    let status = Case { verdict: waiting.clone(), ..case(true) }.pod(&container(Value::Null)).status();
    assert_eq!(ready(&status).2, "pod workbench-ana-0: the image has no JupyterLab");
    let status = Case { verdict: waiting, ..case(true) }.pod(&container(json!("2026-01-01T00:00:00Z"))).status();
    assert_eq!(ready(&status).1, "Progressing");
}

#[test]
fn a_home_is_reported_where_there_is_one() {
    let status = case(false).status();
    assert!(status.claim.is_some() && ready(&status).2.ends_with("the home volume is kept"), "{status:?}");
    let status = Case { home: None, ..case(false) }.status();
    assert_eq!(
        (status.claim.as_ref(), ready(&status).2.as_str()),
        (None, "the server is stopped by spec.desiredState")
    );
}

#[test]
fn home_of_another_size_is_reported_and_blocks_nothing() {
    let home = |asks: &str, has: &str| {
        Some(json!({"spec": {"resources": {"requests": {"storage": asks}}}, "status": {"capacity": {"storage": has}}}))
    };
    // The spec asks for 10Gi, the default.
    let status = Case { home: home("20Gi", "20Gi"), ..case(true) }.pod(&up()).status();
    let larger = "spec.storage is 10Gi, less than the 20Gi of volume workbench-ana, which is kept: a volume can only \
                  grow. Set spec.storage to 20Gi";
    assert_eq!(ready(&status), (true, "Ready".to_owned(), format!("the server is running; {larger}")));
    let status = Case { home: home("20Gi", "20Gi"), ..case(false) }.status();
    assert!(
        ready(&status).0 && ready(&status).2.ends_with(&format!("the home volume is kept; {larger}")),
        "{status:?}"
    );
    let status = Case { home: home("10Gi", "5Gi"), ..case(true) }.pod(&up()).status();
    assert!(ready(&status).0 && ready(&status).2.contains("volume workbench-ana still has 5Gi"), "{status:?}");
    let refused = Some("the class does not expand".to_owned());
    let status = Case { home: home("5Gi", "5Gi"), ungrown: refused, ..case(true) }.pod(&up()).status();
    assert!(ready(&status).0 && ready(&status).2.ends_with("keeps its 5Gi: the class does not expand"), "{status:?}");
}

#[test]
fn ignored_annotations_are_reported_whatever_the_server_does() {
    for mut case in [case(true).pod(&up()), case(true), case(false), down(Reason::Idle), down(Reason::OwnerLeft)] {
        let plain = ready(&case.status());
        case.detail.as_mut().unwrap().ignored = vec!["annotation x is no time".to_owned()];
        let status = ready(&case.status());
        assert_eq!(status, (plain.0, plain.1, format!("{}. annotation x is no time", plain.2)));
    }
}

#[test]
fn the_deciding_event_is_recorded_while_it_is_held() {
    let failure = Some(Issue::new(Reason::Conflict, "the home is bo's"));
    let status = Case { detail: None, failure, ..case(true) }.status();
    let decided = status.decision.unwrap();
    assert_eq!((decided.cause, decided.state), (Cause::Spec, DesiredState::Running));
}

#[test]
fn what_is_held_keeps_what_was_known() {
    let failure = Some(Issue::new(Reason::Conflict, "the home is bo's"));
    let status = Case { detail: None, failure, ..case(true) }.pod(&up()).status();
    assert_eq!((status.image.as_deref(), status.owner_membership), (Some("before"), Some(OwnerMembership::ByGroup)));
    assert_eq!((status.state, ready(&status).1.as_str()), (Some(WorkbenchState::Running), "Conflict"));
}
