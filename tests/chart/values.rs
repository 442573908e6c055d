//! The values of the charts: what the schemas let through, what they refuse, and
//! what a value changes.

use serde_json::json;

use crate::render::{chart, helm, named, of_kind, render, render_with, strings};

#[tokio::test]
async fn the_charts_lint() {
    for name in ["strata", "strata-crds"] {
        let output = helm(&["lint", "--strict", &chart(name).display().to_string()]).await;
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {said}");
        assert!(!said.contains("[WARNING]"), "{name}: {said}");
    }
}

#[tokio::test]
async fn the_schema_refuses_what_is_wrong() {
    let wrong = [
        ("nonsense=1", "nonsense"),
        ("image.nonsense=1", "nonsense"),
        ("image.tag=latest", "tag"),
        ("image.digest=abc", "digest"),
        ("image.pullPolicy=Sometimes", "pullPolicy"),
        ("image.repository=Not Valid", "repository"),
        ("replicas=0", "replicas"),
        ("replicas=many", "replicas"),
        ("resources.limits.memory=lots", "memory"),
        ("resources.limits=null", "limits"),
        ("log.format=xml", "format"),
        ("metrics.namespace=Not_Valid", "namespace"),
        ("metrics.serviceMonitor.enabled=maybe", "enabled"),
        ("metrics.serviceMonitor.interval=often", "interval"),
        ("networkPolicy.apiServer.ports={}", "ports"),
        ("networkPolicy.apiServer.cidrs={everywhere}", "cidrs"),
        ("identity.userPrefix=system:", "userPrefix"),
        ("identity.groupPrefix=sys", "groupPrefix"),
        ("identity.groupPrefix=$(POD_NAME)", "groupPrefix"),
        ("identity.prefix=oidc:", "prefix"),
        ("blueprint.install=maybe", "install"),
        ("fence.enabled=false", "enabled"),
        ("guardrails.exemptUsers={*}", "exemptUsers"),
        ("guardrails.exemptUsers={it's}", "exemptUsers"),
    ];
    for (set, says) in wrong {
        let error = render_with(&["--set", set]).await.expect_err(set);
        assert!(error.contains(says), "{set}: {error}");
    }
    let placements = [
        (json!({"namespace": "kube-system", "group": "argoproj.io", "resources": ["appprojects"]}), "namespace"),
        (json!({"namespace": "fraud--shared", "group": "argoproj.io", "resources": ["appprojects"]}), "namespace"),
        (json!({"group": "rbac.authorization.k8s.io", "resources": ["clusterroles"]}), "group"),
        (json!({"group": "strata-operator.dev", "resources": ["aiteams"]}), "group"),
        (json!({"group": "apps", "resources": ["deployments"]}), "group"),
        (json!({"group": "argoproj.io", "resources": ["*"]}), "resources"),
        (json!({"group": "argoproj.io", "resources": ["applications/status"]}), "resources"),
        (json!({"group": "argoproj.io"}), "resources"),
        (json!({"namespace": "argocd", "resources": ["configmaps"]}), "group"),
    ];
    for (placement, says) in placements {
        let set = format!("fence.placements=[{placement}]");
        let error = render_with(&["--set-json", &set]).await.expect_err(&set);
        assert!(error.contains(says), "{set}: {error}");
    }
    let output = helm(&["template", "x", &chart("strata-crds").display().to_string(), "--set", "keep=false"]).await;
    assert!(!output.status.success());
}

#[tokio::test]
async fn the_operator_does_not_live_in_a_namespace_of_a_team() {
    let error = render_with(&["--namespace", "fraud--shared"]).await.expect_err("a namespace of a team");
    assert!(error.contains("belong to teams"), "{error}");
    let objects = render_with(&["--namespace", "elsewhere"]).await.expect("any other namespace");
    let fence = named(&objects, "ValidatingAdmissionPolicy", "fence.strata-operator.dev")["spec"].to_string();
    assert!(fence.contains("system:serviceaccount:elsewhere:strata") && !fence.contains("strata-system"));
    for binding in of_kind(&objects, "ClusterRoleBinding") {
        assert_eq!(binding["subjects"][0]["namespace"], "elsewhere");
    }
}

#[tokio::test]
async fn the_image_is_named_by_tag_or_digest() {
    let image = |objects: &[serde_json::Value]| {
        named(objects, "Deployment", "strata")["spec"]["template"]["spec"]["containers"][0]["image"].clone()
    };
    let version = std::fs::read_to_string(chart("strata").join("Chart.yaml")).expect("the chart");
    let version = version.lines().find_map(|line| line.strip_prefix("appVersion: ")).expect("a version").to_owned();
    assert_eq!(image(&render().await), format!("strata-operator/strata:{version}"));
    let objects = render_with(&["--set", "image.tag=2.0"]).await.expect("a tag");
    assert_eq!(image(&objects), "strata-operator/strata:2.0");
    let digest = format!("sha256:{}", "0".repeat(64));
    let objects = render_with(&["--set", &format!("image.tag=2.0,image.digest={digest}")]).await.expect("a digest");
    assert_eq!(image(&objects), format!("strata-operator/strata@{digest}"));
}

#[tokio::test]
async fn what_can_be_chosen() {
    let objects = render().await;
    assert!(of_kind(&objects, "ServiceMonitor").is_empty());
    let policy = &named(&objects, "NetworkPolicy", "strata")["spec"];
    let from = json!([{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]);
    assert_eq!(policy["ingress"], json!([{"from": from, "ports": [{"port": 8080, "protocol": "TCP"}]}]));
    assert_eq!(policy["policyTypes"], json!(["Ingress", "Egress"]));
    let chosen = [
        "--set=metrics.serviceMonitor.enabled=true,metrics.serviceMonitor.labels.release=prometheus",
        "--set=metrics.namespace=,networkPolicy.apiServer.cidrs={10.0.0.1/32},networkPolicy.apiServer.ports={6443}",
        "--set=networkPolicy.dns.cidrs={169.254.20.10/32},priorityClassName=system-cluster-critical,log.filter=strata=debug",
        "--set=imagePullSecrets={site-pull},replicas=1,blueprint.install=false,log.format=human",
        "--set-json=tolerations=[{\"key\":\"a\"}]",
        "--set-json=serviceAccount.annotations={\"a\":\"b\"}",
    ];
    let objects = render_with(&chosen).await.expect("variants");
    assert_eq!(named(&objects, "ServiceMonitor", "strata")["metadata"]["labels"]["release"], "prometheus");
    let policy = &named(&objects, "NetworkPolicy", "strata")["spec"];
    assert_eq!(policy["ingress"], json!([]));
    assert_eq!(policy["egress"][1]["to"], json!([{"ipBlock": {"cidr": "10.0.0.1/32"}}]));
    let pod = &named(&objects, "Deployment", "strata")["spec"]["template"]["spec"];
    assert_eq!(pod["priorityClassName"], "system-cluster-critical");
    assert_eq!(pod["imagePullSecrets"], json!([{"name": "site-pull"}]));
    assert!(strings(&pod["containers"][0]["args"]).contains(&"human"));
    assert!(of_kind(&objects, "Blueprint").is_empty());
    let without = render_with(&["--set=networkPolicy.enabled=false"]).await.expect("no policy");
    assert!(of_kind(&without, "NetworkPolicy").is_empty());
}

#[tokio::test]
async fn the_readme_counts_the_policies() {
    let count = of_kind(&render().await, "ValidatingAdmissionPolicy").len();
    let readme = std::fs::read_to_string(harness::repository().join("README.md")).expect("README.md");
    assert!(readme.contains(&format!("| {count} admission policies ")), "there are {count} policies");
}
