//! What holds of every plan, whatever a team asks for.
//!
//! Teams and Blueprints are made up at random; each property is a promise of
//! ARCHITECTURE.md.

mod made_up;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{
    ConfigMap, LimitRange, Namespace, PersistentVolumeClaim, ResourceQuota, Service, ServiceAccount,
};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, RoleBinding};

use made_up::{blueprint, name_of_few_letters, project, team};
use strata::api::blueprint::BlueprintSpec;
use strata::api::kinds::{WriteStrategy, built_in};
use strata::api::quantity::Amount;
use strata::api::team::AITeam;
use strata::api::vocabulary::Layer;
use strata::engine::Catalogue;
use strata::objects::{Desired, Desires, Stage, desired};
use strata::plan::{Facts, Plan, budget, namespaces, plan};

fn planned(team: &AITeam, blueprint: &BlueprintSpec) -> Option<Plan> {
    let catalogue = Catalogue::builtin();
    plan(team, &Facts::offline(blueprint, &catalogue)).ok()
}

fn all(team: &AITeam, blueprint: &BlueprintSpec) -> Option<(Plan, Desires)> {
    let plan = planned(team, blueprint)?;
    let desires = desired(&plan);
    Some((plan, desires))
}

/// The object through its own type and back.
fn through<T: DeserializeOwned + Serialize>(object: &Value) -> Value {
    let typed: T = serde_json::from_value(object.clone()).unwrap_or_else(|error| panic!("{error}: {object}"));
    serde_json::to_value(typed).unwrap()
}

fn typed(desired: &Desired) -> Option<Value> {
    let object = &desired.object;
    Some(match (desired.key.group.as_str(), desired.key.kind.as_str()) {
        ("", "Namespace") => through::<Namespace>(object),
        ("", "ResourceQuota") => through::<ResourceQuota>(object),
        ("", "LimitRange") => through::<LimitRange>(object),
        ("", "ServiceAccount") => through::<ServiceAccount>(object),
        ("", "ConfigMap") => through::<ConfigMap>(object),
        ("", "Service") => through::<Service>(object),
        ("", "PersistentVolumeClaim") => through::<PersistentVolumeClaim>(object),
        ("apps", "Deployment") => through::<Deployment>(object),
        ("apps", "StatefulSet") => through::<StatefulSet>(object),
        ("batch", "Job") => through::<Job>(object),
        ("batch", "CronJob") => through::<CronJob>(object),
        ("policy", "PodDisruptionBudget") => through::<PodDisruptionBudget>(object),
        ("networking.k8s.io", "NetworkPolicy") => through::<NetworkPolicy>(object),
        ("rbac.authorization.k8s.io", "RoleBinding") => through::<RoleBinding>(object),
        ("rbac.authorization.k8s.io", "ClusterRole") => through::<ClusterRole>(object),
        ("rbac.authorization.k8s.io", "ClusterRoleBinding") => through::<ClusterRoleBinding>(object),
        _ => return None,
    })
}

fn peers(policy: &Value) -> Vec<Value> {
    let rules =
        ["ingress", "egress"].into_iter().flat_map(|side| policy["spec"][side].as_array().cloned().unwrap_or_default());
    rules
        .flat_map(|rule| {
            let peers = rule["from"].as_array().or(rule["to"].as_array()).cloned();
            // A rule without peers opens everything.
            peers.filter(|peers| !peers.is_empty()).unwrap_or_else(|| vec![Value::Null])
        })
        .collect()
}

fn bindings(desires: &Desires, project: &str) -> BTreeMap<String, Value> {
    let of_project = |desired: &&Desired| {
        desired.key.kind == "RoleBinding"
            && desired.object["metadata"]["labels"]["strata-operator.dev/project"] == project
    };
    let named = |desired: &Desired| {
        let key = format!("{}/{}", desired.key.namespace.clone().unwrap_or_default(), desired.key.name);
        (key, desired.object.clone())
    };
    desires.objects.iter().filter(of_project).map(named).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn the_same_team_gives_the_same_objects(team in team(), site in blueprint()) {
        let text = |desires: &Desires| desires.objects.iter().map(|desired| desired.object.to_string()).collect::<Vec<_>>();
        let once = all(&team, &site).map(|(_, desires)| text(&desires));
        let again = all(&team.clone(), &site.clone()).map(|(_, desires)| text(&desires));
        prop_assert_eq!(once, again);
    }

    #[test]
    fn shares_never_exceed_the_budget(team in team(), site in blueprint()) {
        let Some(plan) = planned(&team, &site) else { return Ok(()) };
        let total = budget::budget(&team.spec, &site).unwrap();
        let mut sums: BTreeMap<&String, Amount> = BTreeMap::new();
        for (resource, amount) in plan.budget.iter().flat_map(|share| &share.wanted) {
            let sum = sums.entry(resource).or_default();
            *sum = sum.plus(*amount);
        }
        for (resource, sum) in sums {
            prop_assert!(sum <= total[resource], "{}: {} of {}", resource, sum, total[resource]);
        }
    }

    #[test]
    fn everything_is_labelled_and_in_a_planned_namespace(team in team(), site in blueprint()) {
        let Some((plan, desires)) = all(&team, &site) else { return Ok(()) };
        let names: BTreeSet<&str> = plan.namespaces.iter().map(|namespace| namespace.name.as_str()).collect();
        prop_assert_eq!(names.len(), plan.namespaces.len());
        let mut keys = BTreeSet::new();
        for wanted in &desires.objects {
            prop_assert!(keys.insert(&wanted.key), "{:?} twice", wanted.key);
            if let Some(namespace) = &wanted.key.namespace {
                prop_assert!(names.contains(namespace.as_str()), "{namespace} was not planned");
            }
            let labels = &wanted.object["metadata"]["labels"];
            prop_assert_eq!(&labels["app.kubernetes.io/managed-by"], "strata");
            prop_assert_eq!(&labels["strata-operator.dev/team"], &plan.identity.name);
            prop_assert_eq!(&labels["strata-operator.dev/team-uid"], &plan.identity.uid);
            prop_assert!(labels["strata-operator.dev/layer"].is_string());
            if let Some(id) = &wanted.component {
                prop_assert_eq!(&labels["strata-operator.dev/engine"], &id.engine);
            }
        }
    }

    #[test]
    fn every_namespace_has_its_guardrails(team in team(), site in blueprint()) {
        let Some((plan, desires)) = all(&team, &site) else { return Ok(()) };
        for namespace in &plan.namespaces {
            let is_whole = |wanted: &Desired| built_in(&wanted.key.group, &wanted.key.kind)
                .is_some_and(|kind| matches!(kind.write_strategy, WriteStrategy::Replace(_)));
            let has = |kind: &str, name: &str| desires.objects.iter().any(|wanted| {
                wanted.key.kind == kind && wanted.key.name == name && wanted.stage == Stage::Guardrail
                    && is_whole(wanted) && wanted.key.namespace.as_deref() == Some(&namespace.name)
            });
            prop_assert!(has("ResourceQuota", "strata-quota") && has("LimitRange", "strata-limits"));
            for policy in ["strata-default-deny", "strata-dns", "strata-within"] {
                prop_assert!(has("NetworkPolicy", policy), "{policy} in {}", namespace.name);
            }
            let object = |kind: &str, place: Option<&str>, name: &str| desires.objects.iter().find(|wanted| {
                wanted.key.kind == kind && wanted.key.name == name && wanted.key.namespace.as_deref() == place
            }).map_or(Value::Null, |wanted| wanted.object.clone());
            let place = Some(namespace.name.as_str());
            let denies = &object("NetworkPolicy", place, "strata-default-deny")["spec"];
            prop_assert_eq!(&denies["policyTypes"], &json!(["Ingress", "Egress"]));
            prop_assert!(denies["podSelector"] == json!({}) && denies["ingress"].is_null() && denies["egress"].is_null(), "{denies}");
            let labels = &object("Namespace", None, &namespace.name)["metadata"]["labels"];
            prop_assert_eq!(&labels["pod-security.kubernetes.io/enforce"], "restricted");
            prop_assert_eq!(&object("ServiceAccount", place, "default")["automountServiceAccountToken"], &json!(false));
        }
    }

    #[test]
    fn nobody_of_kubernetes_own_is_bound_and_no_core_role(team in team(), site in blueprint()) {
        let Some((_, desires)) = all(&team, &site) else { return Ok(()) };
        for wanted in desires.objects.iter().filter(|wanted| wanted.key.kind.ends_with("Binding")) {
            let role = wanted.object["roleRef"]["name"].as_str().unwrap_or_default();
            prop_assert!(role.starts_with("strata:"), "{role} is bound");
            let subjects = wanted.object["subjects"].as_array().cloned().unwrap_or_default();
            prop_assert!(!subjects.is_empty());
            for subject in subjects {
                let name = subject["name"].as_str().unwrap_or_default();
                prop_assert!(!name.is_empty() && !name.starts_with("system:"), "{name} is bound");
                if subject["kind"] == "ServiceAccount" {
                    let own = format!("{}--backbone", team.metadata.name.as_deref().unwrap_or_default());
                    prop_assert_eq!(&subject["namespace"], &own);
                }
            }
        }
    }

    #[test]
    fn peers_are_namespaces_by_name_or_blocks_of_addresses(team in team(), site in blueprint()) {
        let Some((_, desires)) = all(&team, &site) else { return Ok(()) };
        for wanted in desires.objects.iter().filter(|wanted| wanted.key.kind == "NetworkPolicy") {
            for peer in peers(&wanted.object) {
                let selector = &peer["namespaceSelector"];
                let by_name = selector["matchLabels"]["kubernetes.io/metadata.name"].is_string()
                    || selector["matchExpressions"][0]["key"] == "kubernetes.io/metadata.name";
                let open = peer["ipBlock"]["cidr"] == "0.0.0.0/0" && peer["ipBlock"]["except"][0] != "169.254.0.0/16";
                let block = peer["ipBlock"]["cidr"].is_string() && !open;
                prop_assert!(by_name != block, "{}: {peer}", wanted.key.name);
            }
        }
    }

    #[test]
    fn a_new_project_changes_nobody_elses_rights(team in team(), site in blueprint(), more in project(), name in "new[a-z]{1,4}") {
        let mut larger = team.clone();
        larger.spec.projects.push(strata::api::team::Project { name, workspace: None, live: None, ..more });
        let (Some((_, before)), Some((_, after))) = (all(&team, &site), all(&larger, &site)) else { return Ok(()) };
        for project in &team.spec.projects {
            prop_assert_eq!(bindings(&before, &project.name), bindings(&after, &project.name));
        }
    }

    #[test]
    fn objects_are_what_their_types_say(team in team(), site in blueprint()) {
        let Some((_, desires)) = all(&team, &site) else { return Ok(()) };
        for wanted in &desires.objects {
            let back = typed(wanted);
            prop_assert!(back.is_some(), "no type is known for {:?}", wanted.key);
            prop_assert_eq!(back.as_ref(), Some(&wanted.object));
        }
    }

    #[test]
    fn quantities_are_in_the_form_that_comes_back(team in team(), site in blueprint()) {
        let Some((_, desires)) = all(&team, &site) else { return Ok(()) };
        for wanted in desires.objects.iter().filter(|wanted| wanted.key.kind == "ResourceQuota") {
            for (resource, amount) in wanted.object["spec"]["hard"].as_object().into_iter().flatten() {
                let text = amount.as_str().unwrap_or_default();
                let canonical = Amount::parse(text).map(Amount::canonical);
                prop_assert_eq!(canonical.as_deref(), Ok(text), "{}", resource);
            }
        }
    }

    #[test]
    fn namespaces_of_two_teams_never_meet(
        one in name_of_few_letters(), two in name_of_few_letters(), p in name_of_few_letters(), q in name_of_few_letters(),
    ) {
        prop_assume!(one != two);
        let names = |team: &str, project: &str| {
            Layer::ALL.iter().map(|layer| {
                let project = matches!(layer, Layer::Workspace | Layer::Live).then_some(project);
                namespaces::name(team, *layer, project)
            }).collect::<BTreeSet<String>>()
        };
        prop_assert!(names(&one, &p).is_disjoint(&names(&two, &q)));
        prop_assert_eq!(names(&one, &p).len(), 4);
    }
}

/// Most made-up teams must be plannable, or the properties say little.
#[test]
fn most_made_up_teams_can_be_planned() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let made = |runner: &mut proptest::test_runner::TestRunner| {
        let value = (team(), blueprint()).new_tree(runner).unwrap();
        let (team, site) = value.current();
        planned(&team, &site).is_some()
    };
    let planned = (0..100).filter(|_| made(&mut runner)).count();
    assert!(planned >= 70, "only {planned} of 100 could be planned");
}

/// The pure parts know no client and no clock.
#[test]
fn the_pure_parts_import_no_client_and_read_no_clock() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    for part in ["api", "plan", "objects", "engine", "status"] {
        collect(&source.join(part), &mut files);
    }
    let forbidden = [
        "kube::Client",
        "kube::Api",
        "kube::api::Api",
        "kube::runtime",
        "kube::client",
        "Timestamp::now",
        "SystemTime::now",
        "Instant::now",
        "Utc::now",
        "Zoned::now",
        "tokio::",
        "std::net::TcpStream",
        "std::fs",
    ];
    let mut seen = 0;
    for file in files.iter().filter(|file| file.is_file()) {
        seen += 1;
        let text = fs::read_to_string(file).unwrap();
        for word in forbidden {
            assert!(!text.contains(word), "{} uses {word}", file.display());
        }
        for import in text.split("use kube::").skip(1).filter_map(|rest| rest.split(';').next()) {
            let words: Vec<&str> = import.split(|letter: char| !letter.is_alphanumeric()).collect();
            assert!(!words.contains(&"Client") && !words.contains(&"Api"), "{} imports {import}", file.display());
        }
    }
    assert!(seen > 30, "only {seen} files were looked at");
}

fn collect(folder: &Path, files: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
}
