//! The division, case by case.

use super::*;
use crate::api::BlueprintSpec;
use crate::plan::Used;
use crate::plan::budget::{LIMITS_EPHEMERAL, LIMITS_MEMORY, STORAGE, budget};
use crate::plan::namespaces::places;

fn spec(yaml: &str) -> AITeamSpec {
    serde_saphyr::from_str(yaml).unwrap()
}

fn blueprint(yaml: &str) -> BlueprintSpec {
    serde_saphyr::from_str(yaml).unwrap()
}

/// The shares of one resource, by the last part of the namespace's name.
fn division(team: &str, resource: &str, needs: &[(&str, &str, &str)]) -> Vec<String> {
    let spec = spec(team);
    let mut known: BTreeMap<String, Amounts> = BTreeMap::new();
    for (namespace, resource, amount) in needs {
        known
            .entry(format!("abc--{namespace}"))
            .or_default()
            .insert((*resource).into(), Amount::parse(amount).unwrap());
    }
    let budget = budget(&spec, &BlueprintSpec::default()).unwrap();
    let places = places("abc", &spec);
    let parties = parties("abc", &spec, &places, &known).unwrap();
    let shares = divide(&budget, &parties);
    let text = |(place, share): (&Place, &Amounts)| format!("{} {}", &place.name[5..], share[resource]);
    places.iter().zip(&shares).map(text).collect()
}

#[test]
fn explicit_shares_first_the_rest_by_weight() {
    let team = "{budget: {requests: {cpu: 10}}, shared: {models: {}}, projects: [
        {name: a, workspace: {share: {requests: {cpu: '4'}}}}, {name: b, workspace: {weight: 2}}, {name: c, live: {weight: 0}}]}";
    let expected = ["backbone 0", "shared 1500m", "a 4", "b 3", "c 1500m", "c--live 0"];
    assert_eq!(division(team, REQUESTS_CPU, &[]), expected);
}

#[test]
fn live_takes_its_part_by_weight_beside_its_share() {
    let of = |live: &str, resource: &str| {
        let team = format!(
            "{{budget: {{requests: {{cpu: 8, memory: 8Gi, storage: 8Gi}}}}, projects: [{{name: a, live: {live}}}]}}"
        );
        division(&team, resource, &[])[2].clone()
    };
    assert_eq!(of("{}", REQUESTS_CPU), "a--live 4");
    assert_eq!(of("{weight: 3}", STORAGE), "a--live 6Gi");
    assert_eq!(of("{share: {requests: {cpu: 2}}}", REQUESTS_MEMORY), "a--live 4Gi");
    let both = "{share: {requests: {cpu: 2, memory: 2Gi}}}";
    assert_eq!((of(both, REQUESTS_CPU).as_str(), of(both, STORAGE).as_str()), ("a--live 2", "a--live 0"));
    assert_eq!(of("{weight: 1, share: {requests: {cpu: 2, memory: 2Gi}}}", STORAGE), "a--live 4Gi");
    assert_eq!(of("{weight: 1, share: {requests: {cpu: 2}}}", "requests.nvidia.com/gpu"), "a--live 0");
}

#[test]
fn engines_get_what_they_need_before_weights_count() {
    let team = "{budget: {requests: {memory: 4Gi}}, shared: {models: {}}, projects: [{name: a}, {name: b}, {name: c}]}";
    let needs = [("shared", REQUESTS_MEMORY, "2Gi"), ("backbone", REQUESTS_MEMORY, "512Mi")];
    assert_eq!(
        division(team, REQUESTS_MEMORY, &needs),
        ["backbone 512Mi", "shared 2Gi", "a 512Mi", "b 512Mi", "c 512Mi"]
    );
    let needs = [("shared", REQUESTS_MEMORY, "8Gi")];
    assert_eq!(division(team, REQUESTS_MEMORY, &needs), ["backbone 0", "shared 4Gi", "a 0", "b 0", "c 0"]);
}

#[test]
fn limits_follow_the_requests_of_an_explicit_share() {
    let team = "{budget: {requests: {memory: 10Gi}, limits: {memory: 15Gi}},
        projects: [{name: a, live: {weight: 0, share: {requests: {memory: 4Gi}}}}]}";
    assert_eq!(division(team, LIMITS_MEMORY, &[]), ["backbone 0", "a 9Gi", "a--live 6Gi"]);
    assert_eq!(division(team, REQUESTS_EPHEMERAL, &[]), ["backbone 0", "a 6Gi", "a--live 4Gi"]);
    assert_eq!(division(team, LIMITS_EPHEMERAL, &[]), ["backbone 0", "a 12Gi", "a--live 8Gi"]);
    assert_eq!(division(team, STORAGE, &[]), ["backbone 0", "a 200Gi", "a--live 0"]);
}

#[test]
fn devices_only_by_explicit_share_and_known_ones_are_bounded() {
    let team = "{budget: {requests: {nvidia.com/gpu: 3}}, projects: [
        {name: a, workspace: {share: {requests: {nvidia.com/gpu: 2}}}}, {name: b}]}";
    assert_eq!(division(team, "requests.nvidia.com/gpu", &[]), ["backbone 0", "a 2", "b 0"]);
    assert_eq!(division(team, "requests.amd.com/gpu", &[]), ["backbone 0", "a 0", "b 0"]);
}

#[test]
fn budget_defaults_to_the_blueprint_within_its_maximum() {
    let site = blueprint(
        "{budget: {default: {requests: {cpu: 2, memory: 8Gi, storage: 1Ti}, limits: {memory: 12Gi}},
          maximum: {requests: {storage: 500Gi}, limits: {memory: 20Gi}}}}",
    );
    let own = |yaml: &str, resource: &str| budget(&spec(yaml), &site).unwrap()[resource].canonical();
    assert_eq!(own("{}", LIMITS_MEMORY), "12Gi");
    assert_eq!(own("{}", STORAGE), "500Gi");
    assert_eq!(own("{budget: {requests: {memory: 10Gi}}}", LIMITS_MEMORY), "15Gi");
    assert_eq!(own("{budget: {requests: {memory: 16Gi}}}", LIMITS_MEMORY), "20Gi");
    assert_eq!(own("{budget: {requests: {memory: 16Gi}}}", REQUESTS_EPHEMERAL), "16Gi");
    assert!(!budget(&spec("{}"), &site).unwrap().contains_key(LIMITS_CPU));
}

#[test]
fn after_a_cut_what_is_in_use_stays_granted() {
    let mut usage = Usage::default();
    let used = |hard, used| Used { hard: Amount::whole(hard), used: Amount::whole(used) };
    usage.namespaces.entry("n".into()).or_default().insert(REQUESTS_CPU.into(), used(40, 30));
    let wanted = || Amounts::from([(REQUESTS_CPU.to_owned(), Amount::whole(20))]);
    let share = granted("n", wanted(), &usage);
    assert_eq!((share.granted[REQUESTS_CPU], share.over), (Amount::whole(30), true));
    usage.may_lower = false;
    assert_eq!(granted("n", wanted(), &usage).granted[REQUESTS_CPU], Amount::whole(40));
    usage.namespaces.clear();
    assert!(!granted("n", wanted(), &usage).over);
}
