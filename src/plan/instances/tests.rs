//! Choosing and holding, case by case.

use std::collections::BTreeMap;

use serde_json::json;

use serde_json::Value;

use super::*;
use crate::api::{BlueprintSpec, EngineSpec};
use crate::engine::Catalogue;
use crate::plan::{Choices, Facts, Plan, ServedKinds, plan};

/// An engine of one ConfigMap, with more of a spec on top.
fn engine(more: &str) -> EngineSpec {
    let mut spec = json!({
        "capabilities": ["Experiments", "Models"], "revision": "2", "connections": {"URL": "http://${namespace}"},
        "objects": [{"id": "config", "template": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "own"}}}]
    });
    let more: BTreeMap<String, Value> = serde_saphyr::from_str(more).unwrap();
    for (key, value) in more {
        spec[key.as_str()] = value;
    }
    serde_json::from_value(spec).unwrap()
}

struct Site {
    blueprint: BlueprintSpec,
    catalogue: Catalogue,
    served: ServedKinds,
    choices: Choices,
}

fn site(blueprint: &str, engines: &[(&str, &str)]) -> Site {
    let engines: Vec<(&str, EngineSpec)> = engines.iter().map(|(name, more)| (*name, engine(more))).collect();
    Site {
        blueprint: serde_saphyr::from_str(blueprint).unwrap(),
        catalogue: Catalogue::with(engines.iter().map(|(name, spec)| (*name, spec))),
        served: ServedKinds::default(),
        choices: Choices::default(),
    }
}

impl Site {
    fn records(mut self, engine: &str, revision: &str) -> Self {
        let connections = [("URL".to_owned(), "http://old".to_owned())].into();
        let choice =
            Choice { engine: engine.to_owned(), revision: revision.to_owned(), connections, ..Choice::default() };
        self.choices.insert("abc--shared", Capability::Experiments, choice);
        self
    }

    fn plan(&self, shared: &str) -> Plan {
        self.plan_of(&AITeam::new("abc", serde_saphyr::from_str(&format!("{{shared: {shared}}}")).unwrap()))
    }

    fn plan_of(&self, team: &AITeam) -> Plan {
        let facts =
            Facts { served: &self.served, choices: &self.choices, ..Facts::offline(&self.blueprint, &self.catalogue) };
        plan(team, &facts).unwrap()
    }
}

fn only(plan: &Plan) -> &Instance {
    assert_eq!(plan.instances.len(), 1);
    &plan.instances[0]
}

fn held(plan: &Plan) -> (Reason, String) {
    let hold = only(plan).hold.clone().unwrap();
    (hold.reason, hold.message)
}

const NEEDS: &str = "requires: [{group: example.com, kind: Thing, versions: [v2, v1]}]";

#[test]
fn the_first_preference_whose_kinds_are_served_is_chosen() {
    let mut site = site(
        "{engines: {prefer: [{capability: Experiments, engines: [big, small]}]}}",
        &[("big", NEEDS), ("small", "{}")],
    );
    assert_eq!(only(&site.plan("{experiments: {}}")).id.engine, "small");
    site.served.insert("example.com", "Thing", "v1");
    assert_eq!(only(&site.plan("{experiments: {}}")).id.engine, "big");
}

#[test]
fn a_choice_sticks() {
    let mut site = site(
        "{engines: {prefer: [{capability: Experiments, engines: [big, small]}]}}",
        &[("big", NEEDS), ("small", "{}")],
    )
    .records("small", "2");
    site.served.insert("example.com", "Thing", "v1");
    let plan = site.plan("{experiments: {}}");
    assert_eq!(only(&plan).id.engine, "small");
    assert!(only(&plan).hold.is_none());
    assert_eq!(
        plan.choices().get("abc--shared", Capability::Experiments).unwrap().connections["URL"],
        "http://abc--shared"
    );
}

#[test]
fn without_a_preference_the_plain_engine_provides() {
    let plan = site("{}", &[]).plan("{experiments: {storage: 5Gi}, models: {}}");
    assert_eq!(only(&plan).id.to_string(), "abc--shared/mlflow");
    assert_eq!(only(&plan).capabilities, [Capability::Experiments, Capability::Models]);
    assert!(only(&plan).hold.is_none(), "{:?}", only(&plan).hold);
}

#[test]
fn named_engine_without_served_kinds_is_unavailable() {
    let site = site("{}", &[("big", NEEDS)]);
    let plan = site.plan("{experiments: {engine: big}, models: {}}");
    let big = plan.instances.iter().find(|instance| instance.id.engine == "big").unwrap();
    let hold = big.hold.clone().unwrap();
    assert_eq!(hold.reason, Reason::Unavailable);
    assert_eq!(
        hold.message,
        "spec.shared.experiments.engine is 'big': this cluster does not serve Thing.example.com in v2 or v1"
    );
    assert!(plan.instances.iter().any(|instance| instance.id.engine == "mlflow" && instance.hold.is_none()));
}

#[test]
fn what_runs_is_held_while_its_engine_is_missing() {
    let plan = site("{}", &[]).records("gone", "1").plan("{experiments: {}}");
    let (reason, message) = held(&plan);
    assert_eq!(
        (reason, message.as_str()),
        (Reason::EngineMissing, "spec.shared.experiments uses engine 'gone': no engine has this name")
    );
    assert_eq!(only(&plan).revision, "1");
    assert_eq!(plan.connections["URL"], "http://old");
    assert_eq!(plan.choices().get("abc--shared", Capability::Experiments).unwrap().engine, "gone");
}

#[test]
fn moving_to_an_engine_that_is_missing_keeps_the_one_before() {
    let plan = site("{}", &[]).records("mlflow", "1").plan("{experiments: {engine: gone}}");
    assert_eq!(held(&plan).0, Reason::EngineMissing);
    assert_eq!(only(&plan).choice.as_ref().unwrap().engine, "mlflow");
}

#[test]
fn a_newer_revision_waits_until_it_is_asked_for() {
    let site = site("{}", &[("own", "{}")]).records("own", "1");
    let mut team = AITeam::new("abc", serde_saphyr::from_str("{shared: {experiments: {engine: own}}}").unwrap());
    let plan = site.plan_of(&team);
    let (reason, message) = held(&plan);
    assert_eq!(reason, Reason::UpgradeAvailable);
    assert!(message.contains("kubectl annotate aiteam abc --overwrite strata-operator.dev/upgrade=own=2"), "{message}");
    assert_eq!(only(&plan).revision, "1");
    assert!(plan.problems.iter().all(|problem| !problem.blocking));
    let desires = crate::objects::desired(&plan);
    let own = |desired: &crate::objects::Desired| desired.key.name == "own";
    assert!(!desires.objects.iter().any(own) && desires.held.iter().any(own));
    team.metadata.annotations = Some([(UPGRADE.to_owned(), "other=9, own=2".to_owned())].into());
    let plan = site.plan_of(&team);
    assert!(only(&plan).hold.is_none());
    assert_eq!(only(&plan).revision, "2");
}

#[test]
fn a_team_that_waits_for_its_turn_is_told_so() {
    for (pace, words) in [
        ("{policy: OnRequest}", "is not upgraded automatically. To upgrade: `kubectl annotate aiteam abc"),
        ("{policy: Automatic, teamsAtOnce: 1}", "is upgraded when no other team is being upgraded. To upgrade now: `"),
        ("{policy: Automatic}", "is upgraded when fewer than 5 other teams are being upgraded. To upgrade now: `"),
    ] {
        let site = site(&format!("{{engines: {{upgrades: {pace}}}}}"), &[("own", "{}")]).records("own", "1");
        let (reason, message) = held(&site.plan("{experiments: {engine: own}}"));
        assert_eq!(reason, Reason::UpgradeAvailable);
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn a_broken_engine_holds_itself_and_nothing_else() {
    let broken = "objects: [{id: config, template: {apiVersion: v1, kind: ConfigMap, metadata: {name: '${nope}'}}}]";
    let failing =
        "objects: [{id: config, template: {apiVersion: v1, kind: ConfigMap, metadata: {name: '${parameters.nope}'}}}]";
    for (more, word) in [(broken, "nope"), (failing, "objects[0].template")] {
        let plan = site("{}", &[("own", more)]).plan("{experiments: {engine: own}, featureStore: {}}");
        let own = plan.instances.iter().find(|instance| instance.id.engine == "own").unwrap();
        let hold = own.hold.clone().unwrap();
        assert_eq!(hold.reason, Reason::EngineInvalid);
        assert!(hold.message.contains(word), "{}", hold.message);
        assert!(plan.instances.iter().any(|instance| instance.id.engine == "feast" && instance.hold.is_none()));
        assert!(plan.problems.iter().any(|problem| problem.blocking && problem.issue.reason == Reason::EngineInvalid));
    }
}

#[test]
fn values_are_checked_and_must_not_contradict() {
    let schema = "parameters: {properties: {size: {type: integer}}}";
    let plan = site("{}", &[("own", schema)]).plan("{experiments: {engine: own, parameters: {size: big}}}");
    assert_eq!(held(&plan).0, Reason::Invalid);
    let plan = site("{}", &[]).plan("{experiments: {storage: 5Gi}, models: {storage: 6Gi}}");
    assert_eq!(
        held(&plan).1,
        "spec.shared.experiments.storage (\"5Gi\") conflicts with spec.shared.models.storage (\"6Gi\"): one instance \
         of the engine serves both. Set it in one of them"
    );
    let plan = site("{}", &[("own", "{}")]).plan("{featureStore: {engine: own}}");
    assert!(held(&plan).1.ends_with("the engine provides Experiments, Models, not FeatureStore"));
}

#[test]
fn the_site_sets_parameters_under_those_of_the_team() {
    let image = |plan: &Plan| only(plan).inputs.parameters["image"].as_str().unwrap().to_owned();
    let own =
        site("{engines: {parameters: [{engine: mlflow, values: {image: 'r.example.com/mlflow:1', workers: 2}}]}}", &[]);
    assert_eq!(image(&own.plan("{experiments: {}}")), "r.example.com/mlflow:1");
    let plan = own.plan("{experiments: {parameters: {image: 'r.example.com/ours:1'}}}");
    assert_eq!((image(&plan).as_str(), &only(&plan).inputs.parameters["workers"]), ("r.example.com/ours:1", &json!(2)));

    let plan = site("{engines: {parameters: [{engine: mlflow, values: {workers: 0}}, {engine: mlfow}]}}", &[])
        .plan("{experiments: {}}");
    let (reason, message) = held(&plan);
    assert_eq!(reason, Reason::Invalid);
    let begins =
        "spec.shared.experiments, over spec.engines.parameters[mlflow] of Blueprint default: parameters.workers: ";
    assert!(message.starts_with(begins), "{message}");
    let unknown = plan.problems.iter().find(|problem| problem.issue.reason == Reason::EngineMissing).unwrap();
    assert!(
        !unknown.blocking
            && unknown
                .issue
                .message
                .starts_with("Blueprint default: spec.engines.parameters has 'mlfow', an engine that does not exist")
    );
}

#[test]
fn an_engine_with_rights_of_its_own_needs_the_blueprints_word() {
    let engines = [("own", "{runsWithOwnRights: true}")];
    assert_eq!(held(&site("{}", &engines).plan("{experiments: {engine: own}}")).0, Reason::Refused);
    let accepting = site("{engines: {acceptPrivileged: [own]}}", &engines);
    assert!(only(&accepting.plan("{experiments: {engine: own}}")).hold.is_none());
}

#[test]
fn without_together_each_capability_has_an_instance() {
    let name = "objects: [{id: config, template: {apiVersion: v1, kind: ConfigMap, metadata: {name: 'own-${capabilities[0].lowerAscii()}'}}}]";
    let plan = site("{}", &[("own", name)]).plan("{experiments: {engine: own}, models: {engine: own}}");
    let ids: Vec<String> = plan.instances.iter().map(|instance| instance.id.to_string()).collect();
    assert_eq!(ids, ["abc--shared/own/Experiments", "abc--shared/own/Models"]);
}

#[test]
fn engines_over_the_share_are_reported_with_both_numbers() {
    let pods = "objects: [{id: server, template: {apiVersion: apps/v1, kind: Deployment, metadata: {name: own}, spec: {
        selector: {matchLabels: {a: b}}, strategy: {type: Recreate}, template: {metadata: {labels: {a: b}}, spec: {
          securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}, containers: [{name: a, image: x,
            securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}},
            resources: {requests: {cpu: '2', memory: 1Gi}, limits: {memory: 1Gi}}}]}}}}}]";
    let site = site("{}", &[("own", pods)]);
    let team = AITeam::new(
        "abc",
        serde_saphyr::from_str("{budget: {requests: {cpu: '1'}}, shared: {experiments: {engine: own}}}").unwrap(),
    );
    let plan = site.plan_of(&team);
    let problem = plan.problems.iter().find(|problem| problem.issue.reason == Reason::Invalid).unwrap();
    assert_eq!(
        problem.issue.message,
        "abc--shared: the engines need more than the share of the namespace: requests.cpu 2 (share: 1). Raise \
         spec.budget or spec.shared.share"
    );
}

#[test]
fn an_engine_that_needs_the_api_server_waits_for_its_addresses() {
    let site = site("{}", &[("reaching", "needsApiServer: true")]);
    let team = AITeam::new("abc", serde_saphyr::from_str("{shared: {experiments: {engine: reaching}}}").unwrap());
    let known = Facts::offline(&site.blueprint, &site.catalogue);
    let plan_with = |facts: &Facts<'_>| plan(&team, facts).unwrap();
    assert!(only(&plan_with(&known)).hold.is_none());
    let (reason, message) = held(&plan_with(&Facts { api_server: &[], ..known }));
    assert_eq!(reason, Reason::Progressing);
    assert!(message.contains("EndpointSlice kubernetes in the namespace default"), "{message}");
}

/// A team with a budget of devices whose queue was found so.
fn queueing(engine: &str, state: &str) -> AITeam {
    let mut team = AITeam::new(
        "abc",
        serde_saphyr::from_str(
            "{budget: {requests: {nvidia.com/gpu: 2}}, backbone: {queue: {}}, \
              projects: [{name: p, workspace: {share: {requests: {nvidia.com/gpu: 1}}}}]}",
        )
        .unwrap(),
    );
    let component = json!({"layer": "Backbone", "capability": "Queue", "engine": engine, "namespace": "abc--backbone", "state": state,
        "since": "2026-11-01T00:00:00Z", "reason": "Ready"});
    team.status = Some(serde_json::from_value(json!({"components": [component]})).unwrap());
    team
}

#[test]
fn devices_leave_quotas_only_with_a_ready_queue() {
    let queue = |more: &str| format!("{{capabilities: [Queue], connections: {{}}{more}}}");
    let (silent, dealing) = (queue(""), queue(", queues: {devices: true}"));
    let not = queue(", queues: {devices: false}");
    let site = site(
        "{engines: {prefer: [{capability: Queue, engines: [dealing]}]}}",
        &[("dealing", dealing.as_str()), ("silent", silent.as_str()), ("not", not.as_str())],
    );
    let device = "requests.nvidia.com/gpu";
    for (engine, found, state, granted) in [
        ("dealing", "dealing", "Ready", None),
        ("dealing", "dealing", "Progressing", Some("1")),
        ("dealing", "dealing", "Failed", Some("1")),
        // It is another's word.
        ("dealing", "silent", "Ready", Some("1")),
        ("silent", "silent", "Ready", Some("1")),
        ("not", "not", "Ready", Some("1")),
    ] {
        let mut team = queueing(found, state);
        let block = serde_saphyr::from_str(&format!("{{queue: {{engine: {engine}}}}}")).unwrap();
        team.spec.backbone = Some(block);
        let plan = site.plan_of(&team);
        let share = plan.budget.iter().find(|share| share.namespace == "abc--p").unwrap();
        let counted = share.granted.get(device).map(|amount| amount.canonical());
        assert_eq!(counted.as_deref(), granted, "{engine} {found} {state}");
        // Pods may ask for it either way: the queue deals it out to them.
        let place = plan.namespaces.iter().find(|place| place.name == "abc--p").unwrap();
        assert_eq!(place.devices, ["nvidia.com/gpu"]);
        // Of those that nobody was given, there is none.
        let other = share.granted.get("requests.amd.com/gpu").map(|amount| amount.canonical());
        assert_eq!(other.as_deref(), granted.map(|_| "0"), "{engine} {found} {state}");
    }
    let team = AITeam { status: None, ..queueing("dealing", "Ready") };
    assert!(site.plan_of(&team).budget.iter().all(|share| share.granted.contains_key(device)), "before it was judged");
}

#[test]
fn an_amount_of_bytes_in_a_parameter_has_a_unit() {
    let site = site("{}", &[]);
    let path = "spec.shared.experiments.parameters";
    for (parameters, said) in [
        ("{storage: '10'}", "storage, the storage of PersistentVolumeClaim mlflow, is 10"),
        ("{resources: {memory: '320'}}", "resources.memory, the request of memory of Deployment mlflow, is 320"),
        (
            "{resources: {memoryLimit: '1024'}}",
            "resources.memoryLimit, the limit of memory of Deployment mlflow, is 1024",
        ),
    ] {
        let plan = site.plan(&format!("{{experiments: {{parameters: {parameters}}}}}"));
        let number = said.rsplit_once(' ').unwrap().1;
        let message = format!("{path}.{said}, which is less than 1Mi. If the unit is missing, write {number}Gi");
        assert_eq!(held(&plan), (Reason::Invalid, message));
    }
    assert_eq!(only(&site.plan("{experiments: {parameters: {storage: 10Gi}}}")).hold, None);
}
