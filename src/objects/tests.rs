//! The isolation core, object by object, where goldens do not speak.

use serde_json::json;

use super::*;
use crate::api::engine::PodSecurity;
use crate::api::quantity::Amount;
use crate::api::team::AITeam;
use crate::api::vocabulary::Layer;
use crate::api::{AITeamSpec, BlueprintSpec};
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
fn once_they_are_desired_objects_are_held_once() {
    let (site, catalogue) = (BlueprintSpec::default(), Catalogue::builtin());
    let mut plan = plan(&team("{shared: {experiments: {}}}"), &Facts::offline(&site, &catalogue)).unwrap();
    let of = |plan: &Plan| -> Vec<_> {
        let objects = plan.instances.iter().flat_map(|instance| &instance.objects);
        objects.map(|rendered| (rendered.id.clone(), rendered.index)).collect()
    };
    let before = of(&plan);
    plan.forget_objects();
    assert!(!before.is_empty() && of(&plan) == before);
    assert!(plan.instances.iter().flat_map(|instance| &instance.objects).all(|rendered| rendered.object.is_null()));
}

#[test]
fn retained_namespace_keeps_its_guardrails_alone() {
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
fn engine_lowers_only_its_namespace_which_names_it() {
    let (site, catalogue) = (BlueprintSpec::default(), Catalogue::builtin());
    let mut choices = Choices::default();
    let choice = Choice { engine: "gone".to_owned(), pod_security: PodSecurity::Baseline, ..Choice::default() };
    choices.insert("abc--shared", crate::api::Capability::Training, choice);
    let facts = Facts { choices: &choices, ..Facts::offline(&site, &catalogue) };
    let desires = desired(&plan(&team("{shared: {training: {}}, projects: [{name: p}]}"), &facts).unwrap());
    let metadata = |name: &str| find(&desires, "Namespace", "", name).unwrap()["metadata"].clone();
    let lowered = metadata("abc--shared");
    assert_eq!(lowered["labels"]["pod-security.kubernetes.io/enforce"], "baseline");
    let reason = lowered["annotations"]["strata-operator.dev/pod-security-reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("engine gone"), "{reason}");
    for other in ["abc--backbone", "abc--p"] {
        assert_eq!(metadata(other)["labels"]["pod-security.kubernetes.io/enforce"], "restricted");
        assert!(metadata(other)["annotations"]["strata-operator.dev/pod-security-reason"].is_null());
    }
}

#[test]
fn work_pods_reach_the_api_server_where_their_engine_asks() {
    let site = blueprint("{engines: {prefer: [{capability: Notebook, engines: [hub]}]}}");
    let engine = |needs: bool| -> crate::api::EngineSpec {
        let text =
            format!("{{description: a, capabilities: [Notebook, Pipelines], revision: '1', needsApiServer: {needs}}}");
        serde_saphyr::from_str(&text).unwrap()
    };
    let (hub, other, idle) = (engine(true), engine(true), engine(false));
    let catalogue = Catalogue::with([("hub", &hub), ("used", &other), ("unused", &other), ("idle", &idle)]);
    let used = std::collections::BTreeSet::from(["used".to_owned(), "idle".to_owned()]);
    let facts = Facts { work_engines: &used, ..Facts::offline(&site, &catalogue) };
    let desires = desired(&plan(&team("{shared: {}, projects: [{name: p, live: {}}]}"), &facts).unwrap());
    for (namespace, expected) in [
        ("abc--p", &["strata-api-server-hub", "strata-api-server-used"][..]),
        ("abc--p--live", &["strata-api-server-hub", "strata-api-server-used"]),
        ("abc--shared", &[]),
        ("abc--backbone", &[]),
    ] {
        let here = desires.objects.iter().filter(|desired| desired.key.namespace.as_deref() == Some(namespace));
        let ways: Vec<&str> = here
            .map(|desired| desired.key.name.as_str())
            .filter(|name| name.starts_with("strata-api-server"))
            .collect();
        assert_eq!(ways, expected, "{namespace}");
    }
    let policy = find(&desires, "NetworkPolicy", "abc--p", "strata-api-server-hub").unwrap();
    assert_eq!(policy["spec"]["podSelector"], json!({"matchLabels": {"strata-operator.dev/engine": "hub"}}));
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
    let site = blueprint(
        "{egress: [{name: all, to: [{cidr: '0.0.0.0/0'}, {cidr: '::/0'}, {cidr: 10.0.0.0/8}]}, {name: none}]}",
    );
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
fn ways_out_lead_to_pods_of_the_site_and_never_to_those_of_a_team() {
    let site = blueprint(
        "{egress: [{name: objects, to: [{namespace: minio, podLabels: {app: minio}}, {namespace: nfs}],
           ports: [{port: 9000}, {port: 2049, endPort: 2051, protocol: UDP}, {port: 1, protocol: SCTP}]}]}",
    );
    let catalogue = Catalogue::builtin();
    let of = |site: &BlueprintSpec| plan(&team("{backbone: {egress: [objects]}}"), &Facts::offline(site, &catalogue));
    let desires = desired(&of(&site).unwrap());
    let policy = find(&desires, "NetworkPolicy", "abc--backbone", "strata-egress-objects").unwrap();
    let named = |name: &str| json!({"matchLabels": {"kubernetes.io/metadata.name": name}});
    assert_eq!(
        policy["spec"]["egress"],
        json!([{
            "to": [
                {"namespaceSelector": named("minio"), "podSelector": {"matchLabels": {"app": "minio"}}},
                {"namespaceSelector": named("nfs")},
            ],
            "ports": [
                {"port": 1, "protocol": "SCTP"},
                {"port": 2049, "endPort": 2051, "protocol": "UDP"},
                {"port": 9000, "protocol": "TCP"},
            ],
        }])
    );
    let refused = of(&blueprint("{egress: [{name: objects, to: [{namespace: fraud--shared}]}]}")).unwrap_err();
    assert!(
        refused
            .message
            .contains("spec.egress[objects].to: 'fraud--shared' is a namespace of a team. Let that team offer"),
        "{}",
        refused.message
    );
}

#[test]
fn names_are_resolved_where_the_blueprint_says() {
    let of = |site: &str| {
        let (site, catalogue) = (blueprint(site), Catalogue::builtin());
        let desires = desired(&plan(&team("{}"), &Facts::offline(&site, &catalogue)).unwrap());
        find(&desires, "NetworkPolicy", "abc--backbone", "strata-dns").unwrap()["spec"]["egress"].clone()
    };
    let named = |name: &str| json!({"matchLabels": {"kubernetes.io/metadata.name": name}});
    let both = |port: i32| json!([{"port": port, "protocol": "UDP"}, {"port": port, "protocol": "TCP"}]);
    assert_eq!(of("{}"), json!([{"to": [{"namespaceSelector": named("kube-system")}], "ports": both(53)}]));
    assert_eq!(of("{dns: {}}"), of("{}"));
    let pods = json!({"matchLabels": {"dns": "default"}});
    assert_eq!(
        of("{dns: {namespace: openshift-dns, podLabels: {dns: default}, ports: [5353]}}"),
        json!([{"to": [{"namespaceSelector": named("openshift-dns"), "podSelector": pods}], "ports": both(5353)}])
    );
}

#[test]
fn namespaces_have_what_the_site_wants_on_them() {
    let site = blueprint(
        "{labels: {allowed: [env, tier]}, namespaces: {labels: {mesh: 'on', env: prod}, annotations: {backup/at: night},
          layers: [{layer: Live, labels: {mesh: strict}, annotations: {backup/at: noon, a: b}}]}}",
    );
    let catalogue = Catalogue::builtin();
    let team = team("{labels: {env: dev, tier: gold}, projects: [{name: p, live: {}}]}");
    let desires = desired(&plan(&team, &Facts::offline(&site, &catalogue)).unwrap());
    let of = |name: &str| find(&desires, "Namespace", "", name).unwrap()["metadata"].clone();
    let (workspace, live) = (of("abc--p"), of("abc--p--live"));
    // The site's label replaces the team's.
    for (namespace, mesh) in [(&workspace, "on"), (&live, "strict")] {
        assert_eq!(namespace["labels"]["mesh"], mesh);
        assert_eq!((&namespace["labels"]["env"], &namespace["labels"]["tier"]), (&json!("prod"), &json!("gold")));
        assert_eq!(namespace["labels"]["strata-operator.dev/team"], "abc");
    }
    let notes = |namespace: &Value, key: &str| namespace["annotations"][key].clone();
    assert_eq!((notes(&workspace, "backup/at"), notes(&workspace, "a")), (json!("night"), Value::Null));
    assert_eq!((notes(&live, "backup/at"), notes(&live, "a")), (json!("noon"), json!("b")));
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
fn what_pods_may_have_stands_on_each_namespace() {
    let site = blueprint(
        "{pods: {priorityClasses: [low, high], devices: [hugepages-2Mi, example.com/fpga],
           tolerations: [{key: pool, value: a, effect: NoSchedule}, {key: 'a,b', operator: Exists}]},
          sizes: [{name: gpu, requests: {nvidia.com/mig: 1}, tolerations: [{key: gpu, operator: Exists},
            {key: pool, value: a, effect: NoSchedule}]}]}",
    );
    let catalogue = Catalogue::builtin();
    let team =
        team("{budget: {requests: {example.com/tpu: 1}}, shared: {models: {}}, projects: [{name: p, live: {}}]}");
    let desires = desired(&plan(&team, &Facts::offline(&site, &catalogue)).unwrap());
    for name in ["abc--backbone", "abc--shared", "abc--p", "abc--p--live"] {
        let of = |desires: &Desires, key: &str| {
            let namespace = find(desires, "Namespace", "", name).unwrap();
            namespace["metadata"]["annotations"][format!("strata-operator.dev/{key}")].clone()
        };
        // What the quota counts is among them, so that nothing is refused twice in other words.
        let devices =
            "amd.com/gpu,example.com/fpga,example.com/tpu,google.com/tpu,hugepages-2Mi,nvidia.com/gpu,nvidia.com/mig";
        assert_eq!(of(&desires, "devices"), devices);
        assert_eq!(of(&desires, "tolerations"), "pool|Equal|a|NoSchedule,gpu|Exists||");
        assert_eq!(of(&desires, "priority-classes"), "high,low");
        let quota = find(&desires, "ResourceQuota", name, "strata-quota").unwrap();
        assert_eq!(quota["spec"]["hard"]["requests.example.com/fpga"], "0");
        let silent = BlueprintSpec::default();
        let plain = desired(&plan(&team, &Facts::offline(&silent, &catalogue)).unwrap());
        assert_eq!([of(&plain, "tolerations"), of(&plain, "priority-classes")], [Value::Null, Value::Null]);
    }
}

#[test]
fn a_namespace_allows_the_priority_classes_of_its_own_project() {
    let classes = "{Low: low, Normal: normal, High: high, production: production}";
    let site = blueprint(&format!("{{priorityClasses: {classes}, pods: {{priorityClasses: [batch]}}}}"));
    let catalogue = Catalogue::builtin();
    let team =
        team("{shared: {models: {}}, projects: [{name: p, priority: High, live: {}}, {name: q, priority: Low}]}");
    let desires = desired(&plan(&team, &Facts::offline(&site, &catalogue)).unwrap());
    for (name, allowed) in [
        ("abc--backbone", "batch,normal"),
        ("abc--shared", "batch,normal"),
        ("abc--p", "batch,high"),
        ("abc--p--live", "batch,high,production"),
        ("abc--q", "batch,low"),
    ] {
        let namespace = find(&desires, "Namespace", "", name).unwrap();
        let listed = &namespace["metadata"]["annotations"]["strata-operator.dev/priority-classes"];
        assert_eq!(listed, allowed, "{name}");
    }
}

/// A quota with a kind that the quota controller does not know refuses every object of it.
#[test]
fn objects_are_counted_after_the_backbone_quota_reports() {
    let (site, catalogue) = (blueprint("{limits: {objects: {runs: 9, components: 5}}}"), Catalogue::builtin());
    let mut usage = Usage::default();
    let team = team("{shared: {models: {}}, projects: [{name: p, live: {}}]}");
    let hard = |usage: &Usage, name: &str, plural: &str| {
        let facts = Facts { usage, ..Facts::offline(&site, &catalogue) };
        let desires = desired(&plan(&team, &facts).unwrap());
        let quota = find(&desires, "ResourceQuota", name, "strata-quota").unwrap();
        quota["spec"]["hard"][format!("count/{plural}.strata-operator.dev")].clone()
    };
    let all = ["abc--shared", "abc--p", "abc--p--live"];
    assert_eq!(hard(&usage, "abc--backbone", "runs"), "9");
    assert_eq!(hard(&usage, "abc--backbone", "datasets"), Value::Null);
    assert_eq!(all.map(|name| hard(&usage, name, "runs")), [(); 3].map(|()| Value::Null));
    usage.counted.insert("count/runs.strata-operator.dev".to_owned());
    assert_eq!(all.map(|name| hard(&usage, name, "runs")), [(); 3].map(|()| Value::from("9")));
    assert_eq!(all.map(|name| hard(&usage, name, "components")), [(); 3].map(|()| Value::Null));
}

#[test]
fn extra_goes_into_its_layer_and_never_over_the_core() {
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
    assert!(plan.problems.iter().any(|problem| problem.blocking && problem.issue.message.contains("extra 'bad'")));
    assert_eq!(find(&desires, "ServiceAccount", "abc--p", "default").unwrap()["automountServiceAccountToken"], false);
    assert!(
        desires
            .problems
            .iter()
            .any(|problem| problem.issue.message.contains("ServiceAccount default in abc--p is asked for twice"))
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
        plan.problems.iter().any(|problem| found(&problem.issue.message))
    };
    assert!(says("much", "in 32 namespaces"), "{:?}", plan.problems);
    assert!(says("refused", "the loop with `c`"), "{:?}", plan.problems);
    assert!(find(&desired(&plan), "ConfigMap", "abc--p31", "little").is_some());
}
