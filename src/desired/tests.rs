//! The isolation core, object by object, where goldens do not speak.

use serde_json::json;

use super::*;
use crate::api::AITeamSpec;
use crate::api::BlueprintSpec;
use crate::api::engine::PodSecurity;
use crate::api::quantity::Amount;
use crate::api::team::AITeam;
use crate::api::vocabulary::Layer;
use crate::engine::Catalogue;
use crate::plan::{ApiServer, Choice, Choices, Facts, Retained, Usage, Used, plan};

fn find<'a>(desires: &'a Desires, kind: &str, namespace: &str, name: &str) -> Option<&'a Value> {
    let key = |desired: &&Desired| {
        desired.key.kind == kind
            && desired.key.namespace.as_deref().unwrap_or_default() == namespace
            && desired.key.name == name
    };
    desires.objects.iter().find(key).map(|desired| &desired.object)
}

fn team(yaml: &str) -> AITeam {
    let spec: AITeamSpec = serde_saphyr::from_str(yaml).unwrap();
    AITeam::new("abc", spec)
}

fn blueprint(yaml: &str) -> BlueprintSpec {
    serde_saphyr::from_str(yaml).unwrap()
}

#[test]
fn a_namespace_that_was_left_behind_keeps_its_guardrails_and_nothing_else() {
    let (site, catalogue) = (BlueprintSpec::default(), Catalogue::builtin());
    let mut usage = Usage::default();
    let used = Used { hard: Amount::whole(200), used: Amount::whole(3) };
    usage.namespaces.entry("abc--old".to_owned()).or_default().insert("pods".to_owned(), used);
    let retained = [Retained {
        namespace: "abc--old".to_owned(),
        layer: Layer::Workspace,
        project: Some("old".to_owned()),
        pod_security: PodSecurity::Restricted,
        frozen: false,
        waits: false,
    }];
    let facts = Facts { retained: &retained, usage: &usage, ..Facts::offline(&site, &catalogue) };
    let team = team("{members: [{role: MLEngineer, groups: [a]}], backbone: {delivery: {}}, projects: [{name: new}]}");
    let desires = desired(&plan(&team, &facts).unwrap());
    let kinds: BTreeSet<&str> = desires
        .objects
        .iter()
        .filter(|desired| desired.key.namespace.as_deref() == Some("abc--old"))
        .map(|desired| desired.key.kind.as_str())
        .collect();
    assert_eq!(kinds, BTreeSet::from(["LimitRange", "NetworkPolicy", "ResourceQuota"]));
    let namespace = find(&desires, "Namespace", "", "abc--old").unwrap();
    assert_eq!(namespace["metadata"]["annotations"]["strata-operator.dev/retained"], "true");
    assert_eq!(find(&desires, "ResourceQuota", "abc--old", "strata-quota").unwrap()["spec"]["hard"]["pods"], "3");
    assert!(find(&desires, "RoleBinding", "abc--new", "strata-deployer").is_some());
}

#[test]
fn only_pods_of_an_engine_that_asks_reach_the_api_server() {
    let (site, catalogue) = (BlueprintSpec::default(), Catalogue::builtin());
    let mut choices = Choices::default();
    let choice = Choice { engine: "gone".to_owned(), needs_api_server: true, ports: vec![80], ..Choice::default() };
    choices.insert("abc--shared", crate::api::Capability::Training, choice);
    let address = [ApiServer { address: "10.0.0.1".parse().unwrap(), port: 6443 }];
    let facts = Facts { choices: &choices, api_server: &address, ..Facts::offline(&site, &catalogue) };
    let team = team("{shared: {training: {}}, projects: [{name: p}]}");
    let desires = desired(&plan(&team, &facts).unwrap());
    let policy = find(&desires, "NetworkPolicy", "abc--shared", "strata-api-server-gone").unwrap();
    assert_eq!(policy["spec"]["podSelector"], json!({"matchLabels": {"strata-operator.dev/engine": "gone"}}));
    assert_eq!(
        policy["spec"]["egress"],
        json!([{"to": [{"ipBlock": {"cidr": "10.0.0.1/32"}}], "ports": [{"port": 6443, "protocol": "TCP"}]}])
    );
    assert!(find(&desires, "NetworkPolicy", "abc--p", "strata-api-server-gone").is_none());
    let opens = find(&desires, "NetworkPolicy", "abc--p", "strata-shared").unwrap();
    assert_eq!(opens["spec"]["egress"][0]["ports"], json!([{"port": 80, "protocol": "TCP"}]));
}

#[test]
fn unknown_addresses_of_the_api_server_open_nothing() {
    let (site, catalogue) = (BlueprintSpec::default(), Catalogue::builtin());
    let mut choices = Choices::default();
    let choice = Choice { engine: "gone".to_owned(), needs_api_server: true, ..Choice::default() };
    choices.insert("abc--shared", crate::api::Capability::Training, choice);
    let facts = Facts { choices: &choices, api_server: &[], ..Facts::offline(&site, &catalogue) };
    let desires = desired(&plan(&team("{shared: {training: {}}}"), &facts).unwrap());
    assert!(find(&desires, "NetworkPolicy", "abc--shared", "strata-api-server-gone").is_none());
    let kept = desires.held.iter().any(|desired| desired.key.name == "strata-api-server-gone");
    assert!(kept, "the way that is there goes");
}

#[test]
fn metrics_are_read_from_the_ports_that_are_called_so() {
    let site = blueprint("{ingress: {metrics: {namespace: monitoring}}}");
    let catalogue = Catalogue::builtin();
    let team = team("{projects: [{name: p}]}");
    let desires = desired(&plan(&team, &Facts::offline(&site, &catalogue)).unwrap());
    for namespace in ["abc--backbone", "abc--p"] {
        let policy = find(&desires, "NetworkPolicy", namespace, "strata-metrics").unwrap();
        let from = json!([{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]);
        let ports = json!([{"port": "metrics", "protocol": "TCP"}]);
        assert_eq!(policy["spec"]["ingress"], json!([{"from": from, "ports": ports}]), "{namespace}");
    }
}

#[test]
fn the_metadata_address_is_taken_out_of_every_block() {
    let site = blueprint("{egress: {all: {cidrs: ['0.0.0.0/0', '::/0', 10.0.0.0/8]}, none: {}}}");
    let catalogue = Catalogue::builtin();
    let desires =
        desired(&plan(&team("{backbone: {egress: [all, none]}}"), &Facts::offline(&site, &catalogue)).unwrap());
    let policy = find(&desires, "NetworkPolicy", "abc--backbone", "strata-egress-all").unwrap();
    assert_eq!(
        policy["spec"]["egress"][0]["to"],
        json!([
            {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["169.254.0.0/16", "100.100.100.200/32", "192.0.0.192/32", "168.63.129.16/32"]}},
            {"ipBlock": {"cidr": "10.0.0.0/8"}},
            {"ipBlock": {"cidr": "::/0", "except": ["fe80::/10", "fd00:ec2::/64", "fd20:ce::254/128"]}}
        ])
    );
    assert!(find(&desires, "NetworkPolicy", "abc--backbone", "strata-egress-none").is_none());
}

#[test]
fn a_cloud_identity_of_production_is_not_that_of_the_workspace() {
    let site = blueprint("{serviceAccounts: {annotations: {role: '${team}/${project}/${identity}'}}}");
    let catalogue = Catalogue::builtin();
    let team = team("{shared: {models: {}}, projects: [{name: p, live: {}}]}");
    let desires = desired(&plan(&team, &Facts::offline(&site, &catalogue)).unwrap());
    let role = |namespace: &str, name: &str| {
        let account = find(&desires, "ServiceAccount", namespace, name).unwrap();
        account["metadata"]["annotations"]["role"].as_str().unwrap().to_owned()
    };
    assert_eq!(role("abc--p", "default"), "abc/p/default");
    assert_eq!(role("abc--p--live", "default"), "abc/p--live/default");
    assert_eq!(role("abc--shared", "mlflow"), "abc/shared/mlflow");
}

#[test]
fn an_extra_goes_into_every_namespace_of_its_layer_and_never_over_the_core() {
    let site = blueprint(
        "{extras: [{id: note, layer: Workspace, template: {apiVersion: v1, kind: ConfigMap, metadata: {name: note},
           data: {project: '${project.name}'}}},
          {id: bad, layer: Workspace, template: {apiVersion: v1, kind: ConfigMap, metadata: {name: connections}}},
          {id: twice, layer: Workspace, template: {apiVersion: v1, kind: ServiceAccount, metadata: {name: default}}}]}",
    );
    let catalogue = Catalogue::builtin();
    let plan = plan(&team("{projects: [{name: p}, {name: q}]}"), &Facts::offline(&site, &catalogue)).unwrap();
    let desires = desired(&plan);
    assert_eq!(find(&desires, "ConfigMap", "abc--q", "note").unwrap()["data"]["project"], "q");
    assert!(plan.problems.iter().any(|problem| problem.blocking && problem.message.contains("extra 'bad'")));
    assert_eq!(find(&desires, "ServiceAccount", "abc--p", "default").unwrap()["automountServiceAccountToken"], false);
    assert!(
        desires
            .problems
            .iter()
            .any(|problem| problem.message.contains("ServiceAccount default in abc--p is wanted twice"))
    );
}

#[test]
fn extras_that_cost_too_much_are_left_out_and_the_others_not() {
    let dear = "lists.range(256).all(a, lists.range(256).all(b, true)) ? 'a' : 'b'";
    let extra = |id: &str, value: &str| {
        format!(
            "{{id: {id}, layer: Workspace, template: {{apiVersion: v1, kind: ConfigMap, metadata: {{name: {id}}}, \
             data: {{value: \"${{{value}}}\"}}}}}}"
        )
    };
    let site = blueprint(&format!(
        "{{extras: [{}, {}, {}]}}",
        extra("much", dear),
        extra("refused", &format!("lists.range(256).all(c, {dear} == 'a') ? 'a' : 'b'")),
        extra("little", "'a'")
    ));
    let catalogue = Catalogue::builtin();
    let projects = (0..32).map(|number| format!("{{name: p{number}}}")).collect::<Vec<_>>().join(", ");
    let plan = plan(&team(&format!("{{projects: [{projects}]}}")), &Facts::offline(&site, &catalogue)).unwrap();
    let says = |id: &str, what: &str| {
        let found = |message: &String| message.contains(&format!("extra '{id}'")) && message.contains(what);
        plan.problems.iter().any(|problem| found(&problem.message))
    };
    assert!(says("much", "in 32 namespaces"), "{:?}", plan.problems);
    assert!(says("refused", "the loop with `c`"), "{:?}", plan.problems);
    assert!(find(&desired(&plan), "ConfigMap", "abc--p31", "little").is_some());
}
