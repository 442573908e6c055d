//! What each level may do on each layer, put together as Kubernetes does it: the
//! table of the README, and what no level may ever do.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::render::{name, named, of_kind, render, strings};

const LAYERS: [&str; 4] = ["backbone", "shared", "workspace", "live"];
const LEVELS: [&str; 4] = ["view", "use", "contribute", "own"];
const READ: [&str; 3] = ["get", "list", "watch"];
/// What runs as a pod sooner or later.
const WORKLOADS: [&str; 8] =
    ["pods", "deployments", "statefulsets", "daemonsets", "replicasets", "replicationcontrollers", "jobs", "cronjobs"];

/// group, resource, verb.
type Right = (String, String, String);

/// All that a level holds on a layer.
fn rights(objects: &[Value], layer: &str, level: &str) -> BTreeSet<Right> {
    let role = named(objects, "ClusterRole", &format!("strata:{layer}:{level}"));
    let selectors = role["aggregationRule"]["clusterRoleSelectors"].as_array().expect("an aggregation");
    let wanted: Vec<&String> =
        selectors.iter().flat_map(|selector| selector["matchLabels"].as_object().expect("labels").keys()).collect();
    of_kind(objects, "ClusterRole")
        .into_iter()
        .filter(|part| wanted.iter().any(|key| part["metadata"]["labels"][key.as_str()] == "true"))
        .inspect(|part| assert!(name(part).starts_with("strata:part:"), "{}", name(part)))
        .flat_map(|part| part["rules"].as_array().into_iter().flatten())
        .flat_map(expand)
        .collect()
}

fn expand(rule: &Value) -> Vec<Right> {
    let mut all = Vec::new();
    for group in strings(&rule["apiGroups"]) {
        for resource in strings(&rule["resources"]) {
            all.extend(
                strings(&rule["verbs"])
                    .into_iter()
                    .map(|verb| (group.to_owned(), resource.to_owned(), verb.to_owned())),
            );
        }
    }
    all
}

/// The verbs that a set of rights gives on a resource, whatever its group.
fn verbs<'a>(rights: &'a BTreeSet<Right>, resource: &str) -> BTreeSet<&'a str> {
    rights.iter().filter(|right| right.1 == resource).map(|right| right.2.as_str()).collect()
}

fn writes(rights: &BTreeSet<Right>, resource: &str) -> bool {
    verbs(rights, resource).iter().any(|verb| !READ.contains(verb))
}

/// Every layer with every level.
async fn all() -> Vec<(&'static str, &'static str, BTreeSet<Right>)> {
    let objects = render().await;
    let pairs = LAYERS.into_iter().flat_map(|layer| LEVELS.into_iter().map(move |level| (layer, level)));
    pairs.map(|(layer, level)| (layer, level, rights(&objects, layer, level))).collect()
}

#[tokio::test]
async fn a_level_holds_all_of_the_levels_below_it() {
    let all = all().await;
    for (lower, higher) in all.iter().zip(all.iter().skip(1)).filter(|(lower, higher)| lower.0 == higher.0) {
        assert!(lower.2.is_subset(&higher.2), "{} {} is not within {}", lower.0, lower.1, higher.1);
    }
}

#[tokio::test]
async fn every_part_is_labelled_for_the_level_in_its_name() {
    let objects = render().await;
    let mut parts = 0;
    for role in of_kind(&objects, "ClusterRole") {
        let Some(part) = name(role).strip_prefix("strata:part:") else {
            continue;
        };
        parts += 1;
        let [_, layer, level] = part.split(':').collect::<Vec<_>>()[..] else { panic!("{part}") };
        let keys: Vec<&String> = role["metadata"]["labels"]
            .as_object()
            .expect("labels")
            .keys()
            .filter(|key| key.starts_with("rbac."))
            .collect();
        assert_eq!(keys, [&format!("rbac.strata-operator.dev/aggregate-to-{layer}-{level}")]);
    }
    assert!(parts > 15, "{parts}");
}

#[tokio::test]
async fn view_reads_all_but_secrets() {
    for (layer, level, rights) in all().await {
        if level != "view" {
            continue;
        }
        for (group, resource, verb) in &rights {
            assert!(READ.contains(&verb.as_str()), "{layer}: {verb} {resource}");
            let is_read = ["pods/log", "modelservices/scale"].contains(&resource.as_str());
            assert!(!resource.contains('/') || is_read, "{layer}: {resource}.{group}");
        }
        for resource in [
            "pods",
            "configmaps",
            "services",
            "events",
            "persistentvolumeclaims",
            "deployments",
            "statefulsets",
            "jobs",
        ] {
            assert!(verbs(&rights, resource).is_superset(&READ.into()), "{layer}: {resource}");
        }
        assert_eq!(verbs(&rights, "pods/log").contains("get"), layer != "live", "logs in {layer}");
        // What proves who may do what is a role of its own: strata:guardrails.
        for resource in ["secrets", "networkpolicies", "resourcequotas", "limitranges", "roles", "rolebindings"] {
            assert!(verbs(&rights, resource).is_empty(), "{layer}: {resource}");
        }
    }
}

#[tokio::test]
async fn no_level_touches_the_isolation() {
    for (layer, level, rights) in all().await {
        for resource in
            ["networkpolicies", "resourcequotas", "limitranges", "namespaces", "endpointslices", "ingresses"]
        {
            assert!(!writes(&rights, resource), "{layer} {level} writes {resource}");
        }
        for resource in ["clusterroles", "clusterrolebindings", "aiteams", "blueprints", "engines", "guardrails"] {
            assert!(verbs(&rights, resource).is_empty(), "{layer} {level}: {resource}");
        }
        assert!(
            !verbs(&rights, "pods").contains("update") && !verbs(&rights, "pods").contains("patch"),
            "{layer} {level}"
        );
    }
}

#[tokio::test]
async fn secrets_and_roles_are_an_owners() {
    for (layer, level, rights) in all().await {
        assert_eq!(!verbs(&rights, "secrets").is_empty(), level == "own", "{layer} {level}");
        assert_eq!(writes(&rights, "roles"), level == "own", "{layer} {level}");
    }
}

#[tokio::test]
async fn pods_are_made_where_the_design_says() {
    for (layer, level, rights) in all().await {
        let expected = match layer {
            "workspace" => ["contribute", "own"].contains(&level),
            "shared" | "live" => level == "own",
            _ => false,
        };
        for resource in WORKLOADS {
            let may = verbs(&rights, resource).contains("create");
            assert!(expected || !may && !writes(&rights, resource), "{layer} {level} may write {resource}");
        }
        assert_eq!(verbs(&rights, "pods").contains("create"), expected, "{layer} {level}");
        assert_eq!(verbs(&rights, "deployments").contains("create"), expected, "{layer} {level}");
        // Whoever feeds a workload its settings makes it do what they like.
        assert_eq!(writes(&rights, "configmaps"), expected, "{layer} {level}");
    }
}

/// What these reach of workbenches is an admission rule; who has them at all is here.
#[tokio::test]
async fn connections_begin_with_use() {
    let both = |may: bool| if may { ["create", "get"].into() } else { BTreeSet::new() };
    for (layer, level, rights) in all().await {
        let forward = layer != "backbone" && level != "view";
        assert_eq!(verbs(&rights, "pods/portforward"), both(forward), "{layer} {level}");
        // With Use in a Workspace only into one's own workbench; in Live for those who make pods.
        let exec = layer == "workspace" && level != "view" || layer == "live" && level == "own";
        for resource in ["pods/exec", "pods/attach"] {
            assert_eq!(verbs(&rights, resource), both(exec), "{layer} {level} {resource}");
        }
        for resource in ["pods/proxy", "services/proxy", "pods/ephemeralcontainers", "pods/eviction"] {
            assert!(verbs(&rights, resource).is_empty(), "{layer} {level} {resource}");
        }
    }
}

/// A policy limits these bindings to accounts of the namespace; the account in
/// Backbone is the deployer's.
#[tokio::test]
async fn owners_bind_where_they_make_accounts() {
    for (layer, level, rights) in all().await {
        let expected = level == "own" && layer != "backbone";
        assert_eq!(writes(&rights, "rolebindings"), expected, "{layer} {level}");
        assert_eq!(writes(&rights, "serviceaccounts"), expected, "{layer} {level}");
        assert!(!verbs(&rights, "rolebindings").contains("bind"), "{layer} {level}");
    }
}

/// People and policies believe the status of members' objects, and the policies leave
/// that of pods and claims to rights.
#[tokio::test]
async fn no_level_writes_a_status() {
    for (layer, level, rights) in all().await {
        for (group, resource, verb) in &rights {
            let written = !READ.contains(&verb.as_str());
            assert!(!(written && resource.ends_with("/status")), "{layer} {level}: {verb} {resource}.{group}");
        }
    }
}

#[tokio::test]
async fn namespaced_kinds_are_written_in_their_layers() {
    let kinds = [
        ("components", vec![("shared", "contribute"), ("workspace", "use")]),
        ("datasets", vec![("shared", "contribute"), ("workspace", "contribute"), ("live", "contribute")]),
        ("workbenches", vec![("workspace", "use")]),
        ("pipelines", vec![("workspace", "contribute"), ("live", "contribute")]),
        ("runs", vec![("workspace", "use"), ("live", "use")]),
        ("modelservices", vec![("live", "contribute")]),
    ];
    for (layer, level, rights) in all().await {
        let rank = |level: &str| LEVELS.iter().position(|known| *known == level);
        for (kind, from) in &kinds {
            let lowest = from.iter().find(|(place, _)| *place == layer).map(|(_, lowest)| *lowest);
            let may = verbs(&rights, kind).contains("create");
            assert_eq!(may, lowest.is_some_and(|lowest| rank(level) >= rank(lowest)), "{layer} {level} {kind}");
            assert_eq!(verbs(&rights, kind).contains("list"), lowest.is_some(), "{layer} {level} reads {kind}");
            // Deleting a Run stops it: in a Workspace for whoever may start one, in Live for the deployers.
            let deletes = if (layer, *kind) == ("live", "runs") { Some("contribute") } else { lowest };
            let may = verbs(&rights, kind).contains("delete");
            assert_eq!(
                may,
                deletes.is_some_and(|lowest| rank(level) >= rank(lowest)),
                "{layer} {level} deletes {kind}"
            );
        }
        assert_eq!(
            verbs(&rights, "workbenches").contains("enter"),
            level == "own" && ["shared", "workspace"].contains(&layer),
            "{layer} {level}"
        );
    }
}

#[tokio::test]
async fn the_extras_are_what_the_table_adds() {
    let objects = render().await;
    let rights = |role: &str| -> BTreeSet<Right> {
        named(&objects, "ClusterRole", role)["rules"].as_array().expect("rules").iter().flat_map(expand).collect()
    };
    let guardrails = rights("strata:guardrails");
    for resource in ["networkpolicies", "resourcequotas", "limitranges", "roles", "rolebindings"] {
        assert_eq!(verbs(&guardrails, resource), READ.into(), "{resource}");
    }
    assert!(!guardrails.iter().any(|right| !READ.contains(&right.2.as_str())));
    let pipelines = rights("strata:pipelines");
    assert!(writes(&pipelines, "pipelines") && verbs(&pipelines, "runs").contains("create"));
    assert!(pipelines.iter().all(|right| right.0 == "strata-operator.dev"));
}
