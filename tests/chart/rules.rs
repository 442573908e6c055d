//! What holds for every rule of every role in the chart, whoever it is for.

use serde_json::Value;

use crate::render::{chart, files, name, named, of_kind, render, strings};

/// Every rule of every role, with the role's name.
fn rules(objects: &[Value]) -> Vec<(String, &Value)> {
    let roles = of_kind(objects, "ClusterRole").into_iter().chain(of_kind(objects, "Role"));
    roles
        .flat_map(|role| role["rules"].as_array().into_iter().flatten().map(|rule| (name(role).to_owned(), rule)))
        .collect()
}

#[tokio::test]
async fn no_rule_has_a_wildcard() {
    let objects = render().await;
    let rules = rules(&objects);
    assert!(rules.len() > 60, "{} rules", rules.len());
    for (role, rule) in rules {
        for field in ["apiGroups", "resources", "verbs"] {
            let values = strings(&rule[field]);
            assert!(!values.is_empty(), "{role}: {field} of {rule}");
            assert!(!values.iter().any(|value| value.contains('*')), "{role}: {rule}");
        }
        assert!(rule["nonResourceURLs"].is_null(), "{role}: {rule}");
    }
}

#[tokio::test]
async fn no_rule_escalates() {
    let objects = render().await;
    for (role, rule) in rules(&objects) {
        let (verbs, resources) = (strings(&rule["verbs"]), strings(&rule["resources"]));
        for verb in ["escalate", "impersonate", "approve", "sign"] {
            assert!(!verbs.contains(&verb), "{role}: {rule}");
        }
        let never = [
            "pods/proxy",
            "pods/ephemeralcontainers",
            "pods/eviction",
            "services/proxy",
            "nodes",
            "nodes/proxy",
            "serviceaccounts/token",
            "persistentvolumes",
            "certificatesigningrequests",
            "tokenreviews",
        ];
        for resource in never {
            assert!(!resources.contains(&resource), "{role}: {rule}");
        }
        // Into pods only by name of the way, and for people: the operator connects to nothing.
        for resource in ["pods/exec", "pods/attach", "pods/portforward"] {
            assert!(!resources.contains(&resource) || role.starts_with("strata:part:core:"), "{role}: {rule}");
        }
        // The status of what people write is the operator's alone.
        let of_a_status = resources.iter().any(|resource| resource.ends_with("/status"));
        assert!(!of_a_status || role == "strata:operator", "{role}: {rule}");
        if verbs.contains(&"bind") {
            assert_eq!((role.as_str(), verbs.len(), resources), ("strata:operator", 1, vec!["clusterroles"]));
            assert!(!strings(&rule["resourceNames"]).is_empty());
        }
    }
}

#[tokio::test]
async fn nothing_is_collected_by_core_roles_or_collects_theirs() {
    let objects = render().await;
    for role in of_kind(&objects, "ClusterRole") {
        for key in role["metadata"]["labels"].as_object().expect("labels").keys() {
            assert!(!key.starts_with("rbac.authorization.k8s.io/"), "{}: {key}", name(role));
        }
        for selector in role["aggregationRule"]["clusterRoleSelectors"].as_array().into_iter().flatten() {
            let labels = selector["matchLabels"].as_object().expect("labels");
            assert_eq!(labels.len(), 1);
            assert!(labels.keys().all(|key| key.starts_with("rbac.strata-operator.dev/aggregate-to-")), "{selector}");
            assert!(selector["matchExpressions"].is_null());
        }
    }
}

#[tokio::test]
async fn bindings_are_the_operators_own_and_their_roles_exist() {
    let objects = render().await;
    let bindings: Vec<_> =
        of_kind(&objects, "ClusterRoleBinding").into_iter().chain(of_kind(&objects, "RoleBinding")).collect();
    assert_eq!(bindings.len(), 4);
    for binding in bindings {
        let reference = &binding["roleRef"];
        named(&objects, reference["kind"].as_str().expect("a kind"), reference["name"].as_str().expect("a name"));
        let account = serde_json::json!([{"kind": "ServiceAccount", "name": "strata", "namespace": "strata-system"}]);
        assert_eq!(binding["subjects"], account);
        assert_ne!(reference["name"], "strata:break-glass");
    }
    assert_eq!(strings(&named(&objects, "ClusterRole", "strata:break-glass")["rules"][0]["verbs"]), ["override"]);
}

/// In the text of the templates, where people read it.
#[test]
fn every_rule_says_why() {
    let mut seen = 0;
    for file in files(&chart("strata/templates")) {
        let text = std::fs::read_to_string(&file).expect("a template");
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (number, line) in lines.iter().enumerate() {
            if !line.starts_with("- apiGroups:") || in_policy(&lines, number) {
                continue;
            }
            seen += 1;
            let above = lines[..number].iter().rev().take_while(|line| line.starts_with("# ")).map(|line| line.len());
            let there = above.sum::<usize>() > 15;
            assert!(there, "{}:{}: no reason above the rule", file.display(), number + 1);
        }
    }
    assert!(seen > 50, "{seen} rules");
}

/// Whether a line belongs to what a policy matches, which gives nobody a right.
fn in_policy(lines: &[&str], number: usize) -> bool {
    lines[..number]
        .iter()
        .rev()
        .find(|line| ["rules:", "resourceRules:"].contains(line))
        .is_some_and(|line| *line == "resourceRules:")
}
