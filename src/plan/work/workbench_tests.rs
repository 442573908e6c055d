//! Causes that keep a workbench running or stopped.

use serde_json::{Value, json};

use super::*;
use crate::api::BlueprintSpec;
use crate::api::identity::WorkId;
use crate::api::team::AITeam;
use crate::api::work::{Component, Dataset, Pipeline, Run};
use crate::engine::Catalogue;
use crate::plan::work::fixtures::at;
use crate::plan::work::{Lookup, Object, ObjectLookup, WorkPlan, plan};
use crate::plan::{Facts, Plan};

#[path = "workbench_owner_tests.rs"]
mod owner;

/// A site, a team on it, and the observed objects of a workbench `ana`.
struct Scene {
    site: BlueprintSpec,
    members: &'static str,
    spec: Value,
    annotations: Value,
    status: Value,
    now: i64,
    pods: Vec<Pod>,
    claim: Option<Value>,
    set: Option<Value>,
    retained: bool,
    datasets: Vec<(&'static str, Dataset)>,
    older: usize,
}

const NAMED: &str = "[{role: DataScientist, users: [ana@example.com]}]";
const GROUP: &str = "[{role: DataScientist, groups: [science]}]";

impl ObjectLookup for Scene {
    fn component(&self, _: &str, _: &str) -> Lookup<Component> {
        Ok(None)
    }
    fn dataset(&self, namespace: &str, name: &str) -> Lookup<Dataset> {
        let is =
            |(place, known): &&(&str, Dataset)| *place == namespace && known.metadata.name.as_deref() == Some(name);
        Ok(self.datasets.iter().find(is).map(|(_, found)| found.clone()))
    }
    fn pipeline(&self, _: &str, _: &str) -> Lookup<Pipeline> {
        Ok(None)
    }
    fn components(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
    fn ended_after(&self, _: &str, _: &Run, _: usize) -> bool {
        false
    }
    fn have_status(&self) -> bool {
        self.datasets.iter().any(|(_, dataset)| dataset.status.is_some())
    }
    fn older_workbenches(&self, _: &str, _: &Workbench, limit: usize) -> usize {
        self.older.min(limit)
    }
}

fn scene(members: &'static str) -> Scene {
    Scene {
        site: serde_saphyr::from_str(
            "{images: {scipy: quay.io/jupyter/scipy-notebook:1}, \
             sizes: [{name: small, requests: {cpu: 500m}}], priorityClasses: {Normal: normal, production: production}}",
        )
        .unwrap(),
        members,
        spec: json!({"owner": "ana@example.com", "image": "scipy"}),
        annotations: json!({}),
        status: json!({}),
        now: 100,
        pods: Vec::new(),
        claim: None,
        set: None,
        retained: false,
        datasets: Vec::new(),
        older: 0,
    }
}

impl Scene {
    fn set(mut self, field: &str, value: Value) -> Self {
        self.spec[field] = value;
        self
    }

    /// The status as it would be recorded after this plan.
    fn recorded(mut self, detail: &WorkbenchDetail) -> Self {
        let reason = detail.down.as_ref().map_or("Ready", |down| down.reason.name());
        self.status = json!({
            "decision": detail.decision, "observedDesiredState": self.spec["desiredState"],
            "ownerMembership": detail.owner, "ownerLeftTime": detail.owner_left,
            "conditions": [{"type": "Ready", "status": "False", "reason": reason, "message": "",
                "lastTransitionTime": "2026-01-01T00:00:00Z"}],
        });
        self
    }

    /// Somebody starts the server at this second, and it is looked at a second later.
    fn started(mut self, second: i64) -> Self {
        self.annotations[STARTED_AT] = json!(at(second));
        self.now = second + 1;
        self
    }

    fn with_pods(mut self, pods: &[Pod]) -> Self {
        self.pods = pods.to_vec();
        self
    }

    fn plan(&self) -> WorkPlan {
        let catalogue = Catalogue::builtin();
        let spec = format!("{{members: {}, projects: [{{name: p}}]}}", self.members);
        let team = AITeam::new("abc", serde_saphyr::from_str(&spec).unwrap());
        let prefixes = crate::api::Prefixes { user: "oidc:".to_owned(), group: "oidc:".to_owned() };
        let general = Facts { prefixes: &prefixes, ..Facts::offline(&self.site, &catalogue) };
        let mut of_team: Plan = crate::plan::plan(&team, &general).unwrap();
        for namespace in &mut of_team.namespaces {
            namespace.retained = self.retained;
        }
        let facts = WorkFacts {
            team: &team,
            plan: &of_team,
            namespace: of_team.namespace("abc--p").unwrap(),
            catalogue: &catalogue,
            served: general.served,
            neighbours: self,
            live: &|kind, name| match (kind, name) {
                ("PersistentVolumeClaim", "workbench-ana") => self.claim.clone(),
                ("StatefulSet", "workbench-ana") => self.set.clone(),
                _ => None,
            },
            pods: &self.pods,
            now: &at(self.now),
        };
        let id = WorkId {
            kind: crate::api::work::WorkKind::Workbench,
            namespace: "abc--p".to_owned(),
            name: "ana".to_owned(),
        };
        let object = json!({"apiVersion": "strata-operator.dev/v1alpha1", "kind": "Workbench",
            "metadata": {"name": "ana", "namespace": "abc--p", "uid": "u", "creationTimestamp": at(1), "annotations": self.annotations}, "spec": self.spec, "status": self.status});
        plan(&id, &Object::read(id.kind, &object).unwrap(), &facts)
    }

    fn detail(&self) -> WorkbenchDetail {
        let plan = self.plan();
        assert_eq!(plan.hold, None);
        detail(&plan).clone()
    }
}

fn detail(plan: &WorkPlan) -> &WorkbenchDetail {
    let Detail::Workbench(detail) = &plan.draft.detail else { panic!("{:?}", plan.hold) };
    let scale = plan.draft.scale.as_ref().unwrap();
    assert_eq!((scale.template.as_str(), scale.replicas), ("server", i64::from(detail.wanted)));
    detail
}

fn why(detail: &WorkbenchDetail) -> Option<Reason> {
    detail.down.as_ref().map(|down| down.reason)
}

/// A pod whose server ended like this and was started again by the kubelet.
fn pod(exit_code: i32, message: &str) -> Pod {
    let before = json!({"exitCode": exit_code, "message": message});
    let pod = json!({"name": "workbench-ana-0", "containers": [{"name": "notebook", "before": before}]});
    serde_json::from_value(pod).unwrap()
}

fn idle() -> Pod {
    pod(0, "{\"ended\": \"idle\"}")
}

#[test]
fn what_it_names_is_found() {
    let dataset = |name: &str, spec: Value| {
        let object = json!({"apiVersion": "strata-operator.dev/v1alpha1", "kind": "Dataset", "metadata": {"name": name}, "spec": spec});
        serde_json::from_value::<Dataset>(object).unwrap()
    };
    let mut scene = scene(NAMED).set("datasets", json!(["cards", "notes"]));
    scene.datasets = vec![
        ("abc--shared", dataset("cards", json!({"uri": "s3://cards/v7", "credentials": {"secret": "cards-reader"}}))),
        ("abc--p", dataset("notes", json!({"volume": {"size": "1Gi"}}))),
    ];
    let plan = scene.plan();
    assert!(detail(&plan).wanted && detail(&plan).owner == Some(OwnerMembership::ByName) && plan.draft.write);
    let workbench = plan.draft.work.workbench.as_ref().unwrap();
    assert_eq!(workbench.image, "quay.io/jupyter/scipy-notebook:1");
    assert_eq!(workbench.sized.resources["requests"]["cpu"], "500m");
    assert_eq!(workbench.sized.priority_class_name.as_deref(), Some("normal"));
    assert_eq!(workbench.datasets[0].secret.as_deref(), Some("dataset-cards"));
    assert_eq!(workbench.datasets[1].claim.as_deref(), Some("dataset-notes"));
    let kinds: Vec<&str> = plan.objects.iter().map(|rendered| rendered.object["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["PersistentVolumeClaim", "ConfigMap", "StatefulSet"]);
    assert!(plan.objects.iter().any(|rendered| rendered.id == SERVER && rendered.object["kind"] == "StatefulSet"));
    assert_eq!(plan.choice.unwrap().0, "jupyterlab");
}

#[test]
fn server_stops_while_a_claim_is_of_another_owner() {
    let dataset = |status: &Value| -> Dataset {
        let object = json!({"apiVersion": "strata-operator.dev/v1alpha1", "kind": "Dataset",
            "metadata": {"name": "notes"}, "spec": {"volume": {"size": "1Gi"}}, "status": status});
        serde_json::from_value(object).unwrap()
    };
    let ready = |reason: &str| {
        json!({"type": "Ready", "status": "False", "reason": reason,
        "message": "PersistentVolumeClaim dataset-notes exists", "lastTransitionTime": "2026-01-01T00:00:00Z"})
    };
    let mut scene = scene(NAMED).set("datasets", json!(["notes"]));
    scene.datasets = vec![("abc--p", dataset(&json!({"conditions": [ready("Conflict")]})))];
    let plan = scene.plan();
    let down = detail(&plan).down.clone().unwrap();
    assert_eq!((detail(&plan).wanted, plan.draft.write, down.reason), (false, false, Reason::Conflict));
    assert!(down.message.contains("abc--p/notes is not mounted: PersistentVolumeClaim dataset-notes"), "{down}");
    // Nothing starts before it is known; what runs is left alone meanwhile.
    scene.datasets = vec![("abc--p", dataset(&json!({"conditions": [ready("Progressing")]})))];
    assert_eq!(scene.plan().hold.unwrap().reason, Reason::Progressing);
    scene.datasets = vec![("abc--p", dataset(&json!({"conditions": [ready("Progressing")], "volume": "u"})))];
    assert!(scene.detail().wanted);
    // It is the owner's wish that counts first.
    scene.datasets = vec![("abc--p", dataset(&json!({"conditions": [ready("Conflict")]})))];
    assert_eq!(why(&scene.set("desiredState", json!("Stopped")).detail()), None);
}

#[test]
fn unresolvable_workbench_is_stopped_only_if_unwanted() {
    let missing = scene(NAMED).set("image", json!("scypy"));
    let hold = missing.plan().hold.unwrap();
    assert_eq!(hold.reason, Reason::Invalid);
    assert!(hold.message.contains("scypy") && hold.message.contains("scipy"), "{}", hold.message);
    let foreign = scene(NAMED).set("image", json!("docker.example.com/anything:1")).plan().hold.unwrap();
    assert!(foreign.message.contains("allows no registries"), "{}", foreign.message);
    let plan = missing.set("desiredState", json!("Stopped")).plan();
    assert_eq!((plan.hold.as_ref(), plan.draft.write, detail(&plan).wanted), (None, false, false));
}

#[test]
fn an_idle_end_holds_it_down_until_another_start() {
    let running = scene(NAMED).with_pods(&[idle()]);
    let ended = running.detail();
    assert_eq!((ended.wanted, why(&ended)), (false, Some(Reason::Idle)));
    let said = ended.down.clone().unwrap().message;
    assert!(said.contains("kubectl annotate") && said.contains(STARTED_AT), "{said}");
    let down = running.recorded(&ended).with_pods(&[]);
    assert_eq!(why(&down.detail()), Some(Reason::Idle));
    let up = down.started(200).detail();
    assert_eq!((up.wanted, why(&up)), (true, None));
}

#[test]
fn stopped_and_running_again_in_the_spec_clears_an_idle_end() {
    let ended = scene(NAMED).with_pods(&[idle()]).detail();
    let mut off = scene(NAMED).recorded(&ended).set("desiredState", json!("Stopped"));
    off.now = 110;
    let stopped = off.detail();
    assert_eq!((stopped.wanted, why(&stopped)), (false, None));
    let mut on = off.recorded(&stopped).set("desiredState", json!("Running"));
    on.now = 120;
    assert!(on.detail().wanted);
}

#[test]
fn a_server_stopped_by_its_annotation_says_how_to_start_it() {
    let mut scene = scene(NAMED);
    scene.annotations[STOPPED_AT] = json!(at(50));
    let stopped = scene.detail();
    assert_eq!((stopped.wanted, why(&stopped)), (false, Some(Reason::Stopped)));
    let said = stopped.down.clone().unwrap().message;
    assert!(said.contains(STOPPED_AT) && said.contains("kubectl annotate"), "{said}");
    assert!(scene.recorded(&stopped).started(60).detail().wanted);
}

#[test]
fn only_the_servers_own_word_is_an_idle_end() {
    for (exit_code, message) in [(1, "{\"ended\": \"idle\"}"), (0, ""), (0, "idle"), (0, "{\"ended\": \"signal\"}")] {
        assert!(scene(NAMED).with_pods(&[pod(exit_code, message)]).detail().wanted, "{exit_code} {message}");
    }
    let mut crashed_since = idle();
    crashed_since.containers[0].ended = pod(1, "").containers[0].before.clone();
    assert!(scene(NAMED).with_pods(&[crashed_since]).detail().wanted);
    let mut init = idle();
    init.containers[0].init = true;
    assert!(scene(NAMED).with_pods(&[init]).detail().wanted);
}

#[test]
fn a_home_is_taken_back_by_its_owner_alone() {
    let claim = |owner: Value| json!({"metadata": {"annotations": {"strata-operator.dev/owner": owner}}});
    let mut scene = scene(GROUP);
    scene.claim = Some(claim(json!("ana@example.com")));
    assert!(scene.detail().wanted);
    for other in [claim(json!("bo@example.com")), claim(Value::Null), json!({})] {
        scene.claim = Some(other);
        let plan = scene.plan();
        assert_eq!(plan.hold.as_ref().map(|hold| hold.reason), Some(Reason::Conflict));
        assert!(plan.objects.is_empty() && plan.draft.scale.is_none());
    }
}

#[test]
fn in_a_retained_namespace_nothing_runs_and_nothing_is_written() {
    let mut scene = scene(NAMED);
    scene.retained = true;
    let plan = scene.plan();
    assert_eq!((why(detail(&plan)), plan.draft.write), (Some(Reason::Retained), false));
    scene.retained = false;
    assert!(scene.recorded(detail(&plan)).detail().wanted);
}

#[test]
fn the_sites_parameters_are_those_of_its_workbenches() {
    let mut scene = scene(NAMED);
    scene.site.engines =
        serde_saphyr::from_str("{parameters: [{engine: jupyterlab, values: {idleMinutes: 7}}]}").unwrap();
    let idle = scene.plan().inputs.unwrap().parameters["idleMinutes"].clone();
    assert_eq!(idle, 7);
    scene.site.engines =
        serde_saphyr::from_str("{parameters: [{engine: jupyterlab, values: {idleMinutes: 7, image: x}}]}").unwrap();
    let hold = scene.plan().hold.unwrap();
    assert_eq!(hold.reason, Reason::Invalid);
    let begins = "spec.engines.parameters[jupyterlab] of Blueprint default: parameters: ";
    assert!(hold.message.starts_with(begins) && hold.message.contains("image"), "{}", hold.message);
}

#[test]
fn workbench_that_never_started_takes_corrected_settings() {
    let container = |more: Value| {
        let mut container = json!({"name": "notebook"});
        container.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let pod = json!({"name": "workbench-ana-0", "containers": [{"name": "prepare", "init": true}, container]});
        serde_json::from_value::<Pod>(pod).unwrap()
    };
    let set = |generation: i64, updated: i64| {
        json!({"metadata": {"generation": generation}, "spec": {"replicas": 1},
            "status": {"observedGeneration": 2, "replicas": 1, "updatedReplicas": updated}})
    };
    let ended = json!({"exitCode": 1, "reason": "Error", "message": ""});
    let time = "2026-01-01T00:00:00Z";
    for (set, pod, replicas) in [
        (set(2, 0), container(json!({})), 0),
        (set(2, 0), container(json!({"waiting": ["ImagePullBackOff", "x"]})), 0),
        // It is of the newest settings, or of those that its controller has not observed yet.
        (set(2, 1), container(json!({})), 1),
        (set(3, 0), container(json!({})), 1),
        // Somebody works in it, or did.
        (set(2, 0), container(json!({"running": time})), 1),
        (set(2, 0), container(json!({"before": ended})), 1),
        // It is on its way out already.
        (set(2, 0), Pod { deleting: true, ..container(json!({})) }, 1),
    ] {
        let scene = Scene { set: Some(set.clone()), ..scene(NAMED) }.with_pods(std::slice::from_ref(&pod));
        let scale = scene.plan().draft.scale.unwrap();
        assert_eq!(scale.replicas, replicas, "{set} {pod:?}");
    }
}

#[test]
fn a_home_that_is_larger_than_asked_for_stays() {
    for (there, wanted, size) in [("20Gi", "10Gi", "20Gi"), ("5Gi", "10Gi", "10Gi"), ("10240Mi", "10Gi", "10Gi")] {
        let mut scene = scene(NAMED).set("storage", json!(wanted));
        scene.claim = Some(json!({"metadata": {"annotations": {"strata-operator.dev/owner": "ana@example.com"}},
            "spec": {"resources": {"requests": {"storage": there}}}}));
        assert_eq!(scene.plan().draft.work.workbench.unwrap().storage, size, "{there} {wanted}");
    }
}

#[test]
fn nobody_has_more_workbenches_than_the_site_allows() {
    let crowded = |older, most: Option<i32>| {
        let mut scene = scene(NAMED);
        scene.older = older;
        scene.site.limits =
            most.map(|most| crate::api::blueprint::Limits { workbenches_per_person: Some(most), ..Default::default() });
        scene
    };
    for (older, most) in [(0, Some(1)), (4, Some(5)), (400, None)] {
        assert_eq!(crowded(older, most).plan().hold, None, "{older} {most:?}");
    }
    let said = "ana@example.com already has 5 older workbenches in abc--p, the most that Blueprint default allows \
                (limits.workbenchesPerPerson). Delete one";
    for running in ["Running", "Stopped"] {
        let plan = crowded(5, Some(5)).set("desiredState", json!(running)).plan();
        let hold = plan.hold.unwrap();
        assert_eq!((hold.reason, hold.message.as_str()), (Reason::Invalid, said), "{running}");
        assert!(plan.objects.is_empty() && !plan.draft.write, "{running}");
    }
    // A cause to stop outweighs that, and nothing is made for it.
    let mut retained = crowded(5, Some(5));
    retained.retained = true;
    let plan = retained.plan();
    assert_eq!((why(detail(&plan)), plan.draft.write), (Some(Reason::Retained), false));
}

#[test]
fn a_home_that_is_not_there_is_not_said_to_be_kept() {
    let mut scene = scene(NAMED);
    scene.retained = true;
    let said = |scene: &Scene| detail(&scene.plan()).down.clone().unwrap().message;
    assert!(!said(&scene).contains("home"), "{}", said(&scene));
    scene.claim = Some(json!({"metadata": {"annotations": {"strata-operator.dev/owner": "ana@example.com"}}}));
    assert!(said(&scene).contains("the home volume is kept"), "{}", said(&scene));
}
