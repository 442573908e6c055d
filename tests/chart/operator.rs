//! What the chart gives the operator: its rights, its pods, its network, and the
//! policies around it.

use serde_json::{Value, json};
use strata::api::labels;

use crate::render::{chart, documents, files, helm, name, named, of_kind, render, strings};

/// The rules of the operator's own roles.
fn rules(objects: &[Value]) -> Vec<Value> {
    let role = named(objects, "ClusterRole", "strata:operator");
    role["rules"].as_array().expect("rules").clone()
}

/// The names that a template of the fence has in one of its lists.
fn fence(objects: &[Value]) -> String {
    named(objects, "ValidatingAdmissionPolicy", "fence.strata-operator.dev")["spec"].to_string()
}

#[tokio::test]
async fn it_binds_exactly_what_people_are_given() {
    let objects = render().await;
    let rules = rules(&objects);
    let bind: Vec<_> = rules.iter().filter(|rule| strings(&rule["verbs"]).contains(&"bind")).collect();
    assert_eq!(bind.len(), 1);
    let names = strings(&bind[0]["resourceNames"]);
    assert_eq!(names.len(), 18);
    let fence = fence(&objects);
    for role in &names {
        named(&objects, "ClusterRole", role);
        assert!(fence.contains(&format!("\\\"{role}\\\"")), "the fence does not know {role}");
    }
    // Nothing that a person is given is missing, and nothing else is there.
    let levels =
        of_kind(&objects, "ClusterRole").into_iter().filter(|role| !role["aggregationRule"].is_null()).map(name);
    let mut expected: Vec<_> = levels.filter(|name| *name != "strata:operator:engines").collect();
    expected.extend(["strata:guardrails", "strata:pipelines"]);
    expected.sort_unstable();
    let mut names = names;
    names.sort_unstable();
    assert_eq!(names, expected);
}

#[tokio::test]
async fn operator_has_no_right_on_secrets_and_makes_no_pods() {
    let objects = render().await;
    for rule in rules(&objects) {
        let (resources, verbs) = (strings(&rule["resources"]), strings(&rule["verbs"]));
        for resource in ["secrets", "roles", "nodes", "customresourcedefinitions/status"] {
            assert!(!resources.contains(&resource), "{rule}");
        }
        if resources.contains(&"pods") || resources.contains(&"customresourcedefinitions") {
            assert_eq!(verbs, ["get", "list", "watch"]);
        }
        assert!(!verbs.contains(&"deletecollection"), "{rule}");
        // Only the status of its own kinds.
        for resource in resources {
            assert!(!resource.contains('/') || strings(&rule["apiGroups"]) == ["strata-operator.dev"], "{resource}");
        }
    }
    // The part that engines add to is a role of its own.
    let engines = named(&objects, "ClusterRole", "strata:operator:engines");
    let selector = json!([{"matchLabels": {"rbac.strata-operator.dev/aggregate-to-operator": "true"}}]);
    assert_eq!(engines["aggregationRule"]["clusterRoleSelectors"], selector);
    for role in of_kind(&objects, "ClusterRole") {
        assert!(
            role["metadata"]["labels"]["rbac.strata-operator.dev/aggregate-to-operator"].is_null(),
            "{}",
            name(role)
        );
    }
}

/// Where the API server is reached, and nothing else of that namespace.
#[tokio::test]
async fn it_reads_one_slice_of_endpoints_and_no_other() {
    let objects = render().await;
    let reader = named(&objects, "Role", "strata:api-server");
    assert_eq!(reader["metadata"]["namespace"], "default");
    let rule = json!({"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "resourceNames": ["kubernetes"],
        "verbs": ["list", "watch"]});
    assert_eq!(reader["rules"], json!([rule]));
    for rule in rules(&objects) {
        assert!(!strings(&rule["apiGroups"]).contains(&"discovery.k8s.io"), "{rule}");
    }
}

#[tokio::test]
async fn it_may_write_a_teams_role() {
    let objects = render().await;
    let teams: Vec<_> =
        rules(&objects).into_iter().filter(|rule| strings(&rule["resources"]).contains(&"aiteams")).collect();
    assert_eq!(teams.len(), 1);
    assert_eq!(strings(&teams[0]["verbs"]), ["get", "list", "watch", "update", "patch"]);
}

/// A right without a sentence in the fence would be refused on the first write.
#[tokio::test]
async fn the_fence_knows_every_kind_it_writes() {
    let objects = render().await;
    let fence = fence(&objects);
    for rule in rules(&objects) {
        if !strings(&rule["verbs"]).iter().any(|verb| ["create", "update", "patch", "delete"].contains(verb)) {
            continue;
        }
        for resource in strings(&rule["resources"]) {
            let kind = format!("'{}/{resource}'", strings(&rule["apiGroups"])[0]);
            assert!(fence.contains(&kind), "the fence does not know {kind}");
        }
    }
    assert!(fence.contains("request.userInfo.username == 'system:serviceaccount:strata-system:strata'"));
}

/// A Run that the operator would delete and the fence keeps would be tried for ever.
#[tokio::test]
async fn the_fence_knows_what_gitops_tools_are_known_by() {
    let fence = fence(&render().await);
    for (key, _) in labels::TRACKING_LABELS.iter().chain(labels::TRACKING_ANNOTATIONS) {
        assert!(fence.contains(&format!("'{key}'")), "the fence does not know {key}");
    }
}

#[tokio::test]
async fn policies_fail_closed_deny_and_are_bound() {
    let objects = render().await;
    let policies = of_kind(&objects, "ValidatingAdmissionPolicy");
    assert_eq!(policies.len(), 22);
    for policy in policies {
        let binding = named(&objects, "ValidatingAdmissionPolicyBinding", name(policy));
        let mut bound = json!({"policyName": name(policy), "validationActions": ["Deny", "Audit"]});
        // With Blueprints as params it cannot fail closed: their definition may be gone, and teams must still end.
        let advice = name(policy) == "blueprint.strata-operator.dev";
        let has_params = !policy["spec"]["paramKind"].is_null();
        let asks = ["enter", "priorities"].iter().any(|start| name(policy).starts_with(start));
        assert_eq!(has_params, advice || asks, "{}", name(policy));
        if has_params {
            bound["paramRef"] = json!({"selector": {}, "parameterNotFoundAction": "Allow"});
        }
        // Text that is too long for an expression is not refused unread.
        let open = advice || name(policy) == "blocks.strata-operator.dev";
        assert_eq!(policy["spec"]["failurePolicy"], if open { "Ignore" } else { "Fail" });
        assert_eq!(binding["spec"], bound);
        for validation in policy["spec"]["validations"].as_array().expect("validations") {
            assert!(validation["message"].is_string() || validation["messageExpression"].is_string(), "{validation}");
            assert_eq!(validation["reason"], "Forbidden");
        }
        let spares = policy["spec"]["matchConditions"].to_string().contains("system:apiserver");
        // Homes, copies and what pods ask for spare the cluster sentence by sentence.
        let nobody_spared = [
            "fence",
            "deletion",
            "blueprint",
            "blocks",
            "layers",
            "homes",
            "copies",
            "pods",
            "priorities",
            "stores",
            "weights",
        ];
        let subject = name(policy).strip_suffix(".strata-operator.dev").expect("our group");
        assert_eq!(spares, !nobody_spared.contains(&subject), "{subject}");
    }
}

/// Of what people wrote it is given no more than the fence leaves it.
#[tokio::test]
async fn of_its_own_kinds_it_creates_none_and_deletes_runs_alone() {
    let objects = render().await;
    let kinds = ["components", "datasets", "modelservices", "pipelines", "runs", "workbenches"];
    let rules = rules(&objects);
    let of = |resource: &str| -> Vec<&str> {
        let mut verbs: Vec<_> = rules
            .iter()
            .filter(|rule| strings(&rule["resources"]).contains(&resource))
            .flat_map(|rule| strings(&rule["verbs"]))
            .collect();
        verbs.sort_unstable();
        verbs
    };
    for kind in kinds {
        let verbs: &[&str] = match kind {
            // Those that ended, says the fence.
            "runs" => &["delete", "get", "list", "patch", "update", "watch"],
            _ => &["get", "list", "patch", "update", "watch"],
        };
        assert_eq!(of(kind), verbs, "{kind}");
        assert_eq!(of(&format!("{kind}/status")), ["patch", "update"], "{kind}");
    }
}

#[tokio::test]
async fn its_pods_are_restricted() {
    let objects = render().await;
    let deployment = named(&objects, "Deployment", "strata");
    let pod = &deployment["spec"]["template"]["spec"];
    assert_eq!(deployment["spec"]["replicas"], 2);
    assert_eq!(pod["securityContext"]["runAsUser"], 65532);
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
    assert_eq!(pod["topologySpreadConstraints"].as_array().map(Vec::len), Some(1));
    let container = &pod["containers"][0];
    let context = json!({
        "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "runAsNonRoot": true,
        "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"},
    });
    assert_eq!(container["securityContext"], context);
    let args = [
        "run",
        "--log-format",
        "json",
        "--listen",
        "0.0.0.0:8080",
        "--lease-namespace",
        "$(POD_NAMESPACE)",
        "--user-prefix=",
        "--group-prefix=",
    ];
    assert_eq!(strings(&container["args"]), args);
    assert_eq!(container["livenessProbe"]["httpGet"]["path"], "/healthz");
    assert_eq!(container["readinessProbe"]["httpGet"]["path"], "/readyz");
    assert!(
        container["resources"]["limits"]["memory"].is_string() && container["resources"]["requests"]["cpu"].is_string()
    );
    assert!(pod["hostNetwork"].is_null() && pod["volumes"].is_null());
    let labels = &deployment["spec"]["template"]["metadata"]["labels"];
    for (kind, selector) in [
        ("PodDisruptionBudget", "/spec/selector/matchLabels"),
        ("NetworkPolicy", "/spec/podSelector/matchLabels"),
        ("Service", "/spec/selector"),
    ] {
        let selector =
            named(&objects, kind, "strata").pointer(selector).and_then(Value::as_object).expect("a selector");
        assert!(selector.iter().all(|(key, value)| labels[key] == *value), "{kind}");
    }
    assert_eq!(named(&objects, "ServiceAccount", "strata")["automountServiceAccountToken"], false);
}

#[tokio::test]
async fn what_teams_stand_on_is_kept() {
    let objects = render().await;
    let blueprint = named(&objects, "Blueprint", "default");
    assert_eq!(blueprint["metadata"]["annotations"]["helm.sh/resource-policy"], "keep");
    assert_eq!(blueprint["apiVersion"], "strata-operator.dev/v1alpha1");
    let chart = chart("strata-crds").display().to_string();
    let output = helm(&["template", "strata-crds", &chart]).await;
    let definitions = documents(&String::from_utf8_lossy(&output.stdout));
    let generated = files(&harness::repository().join("crds"));
    assert_eq!(definitions.len(), generated.len(), "run cargo xtask generate");
    for definition in definitions {
        assert_eq!(definition["kind"], "CustomResourceDefinition");
        assert_eq!(definition["metadata"]["annotations"]["helm.sh/resource-policy"], "keep");
    }
}
