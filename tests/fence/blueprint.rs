//! A team's spec against the Blueprint that it names:
//! `templates/admission/blueprint.yaml`. It spares nobody, so cluster-admin tries.

use harness::wait;
use serde_json::{Value, json};
use strata::cli::manifest::documents;

use crate::attempt::Actor;
use crate::stage::stage;

const BLUEPRINT: &str = "blueprint.strata-operator.dev";

const API: &str = "/apis/strata-operator.dev/v1alpha1";

/// Nothing is written: what passes once may be tried again.
const TRY: &str = "/apis/strata-operator.dev/v1alpha1/aiteams?dryRun=All";

fn object(kind: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "strata-operator.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}

fn team(name: &str, spec: &Value) -> Value {
    object("AITeam", name, spec)
}

/// Everything that a Blueprint can hold a team to.
fn strict() -> Value {
    json!({
        "labels": {"required": ["cost-center"], "allowed": ["env"]},
        "registries": {"team": "registry.example.com/ai/${team}/", "mirrors": {"quay.io": "registry.example.com/quay"}},
        "images": {"scipy": "quay.io/jupyter/scipy-notebook:2026-07-20"},
        "egress": [{"name": "packages", "to": [{"cidr": "203.0.113.10/32"}], "ports": [{"port": 3128}]}],
        "budget": {"maximum": {
            "requests": {"cpu": 4, "memory": "16Gi", "storage": "1Ti", "nvidia.com/gpu": 2},
            "limits": {"memory": "32Gi"},
        }},
    })
}

/// A Blueprint that the policy knows of.
async fn site(admin: &Actor, name: &str, spec: &Value) {
    admin.post(&format!("{API}/blueprints"), object("Blueprint", name, spec)).await.passes();
    is_known(admin, &json!({"blueprint": name, "labels": {"unheard-of": "x"}})).await;
}

/// Waits until the policy refuses a team like this: it learns of a Blueprint a
/// moment after that was written.
async fn is_known(admin: &Actor, spec: &Value) {
    wait::until("the policy knows the Blueprint", 60, async || {
        let answer = admin.post(TRY, team("probe", spec)).await;
        if answer.by(BLUEPRINT) { Ok(()) } else { Err(format!("{answer:?}")) }
    })
    .await
    .expect("the Blueprint is known");
}

/// A refused spec, what the refusal says, and a spec like it that is let through.
fn cases() -> Vec<(Value, &'static str, Value)> {
    let own = |image: &str| json!({"shared": {"images": [{"name": "own", "image": image}]}});
    let budget = |budget: Value| json!({"budget": budget});
    let requests = |field: &str, amount: &str| budget(json!({"requests": {field: amount}}));
    let device = |name: &str, count: i32| budget(json!({"requests": {name: count}}));
    vec![
        (
            json!({"labels": {"env": "prod"}}),
            "spec.labels lacks 'cost-center', which Blueprint sentences requires. Add it",
            json!({"labels": {"cost-center": "1"}}),
        ),
        (
            json!({"labels": {"cost-center": "1", "colour": "red"}}),
            "spec.labels has 'colour', which Blueprint sentences does not allow. Allowed: cost-center, env. Remove it",
            json!({"labels": {"cost-center": "1", "env": "prod"}}),
        ),
        (
            json!({"shared": {"images": [{"name": "cobol"}]}}),
            "spec.shared.images has 'cobol' without an image of its own, which is no image of Blueprint sentences. \
             Available: scipy. Choose",
            json!({"shared": {"images": [{"name": "scipy"}]}}),
        ),
        (
            own("registry.example.com/ai/sentence/x:1"),
            "spec.shared.images has own as 'registry.example.com/ai/sentence/x:1', which is in no registry that \
             Blueprint sentences allows. Allowed: registry.example.com/ai/sentences/, registry.example.com/quay/. \
             Push",
            own("registry.example.com/ai/sentences/x:1"),
        ),
        (
            own("registry.example.com/quay-not/x:1"),
            "in no registry that Blueprint sentences allows",
            own("registry.example.com/quay/x:1"),
        ),
        (
            json!({"backbone": {"egress": ["packages", "moon"]}}),
            "spec.backbone.egress has 'moon', which is no profile of Blueprint sentences. Available: packages. Choose",
            json!({"backbone": {"egress": ["packages"]}}),
        ),
        (
            requests("cpu", "4001m"),
            "spec.budget.requests.cpu is 4001m, more than the maximum 4 of Blueprint sentences. Lower it",
            requests("cpu", "4000m"),
        ),
        (
            requests("memory", "17Gi"),
            "spec.budget.requests.memory is 17Gi, more than the maximum 16Gi of Blueprint sentences. Lower it",
            requests("memory", "16384Mi"),
        ),
        (
            budget(json!({"limits": {"memory": "33Gi"}})),
            "spec.budget.limits.memory is 33Gi, more than the maximum 32Gi of Blueprint sentences. Lower it",
            // Of what the maximum does not name, there is no most.
            budget(json!({"limits": {"memory": "32Gi", "cpu": "1000"}})),
        ),
        (
            budget(json!({"requests": {"storage": "1025Gi"}})),
            "spec.budget.requests.storage is 1025Gi, more than the maximum 1Ti of Blueprint sentences. Lower it",
            budget(json!({"requests": {"storage": "1Ti"}})),
        ),
        (
            device("nvidia.com/gpu", 3),
            "spec.budget.requests[nvidia.com/gpu] is 3, more than the maximum 2 of Blueprint sentences. Lower it",
            device("nvidia.com/gpu", 2),
        ),
    ]
}

#[tokio::test]
async fn a_team_asks_for_what_its_blueprint_allows() {
    let stage = stage().await;
    let admin = stage.admin().await;
    site(&admin, "sentences", &strict()).await;
    let complete = |mut spec: Value| {
        spec["blueprint"] = "sentences".into();
        if spec["labels"].is_null() {
            spec["labels"] = json!({"cost-center": "1"});
        }
        team("sentences", &spec)
    };
    for (refused, says, passes) in cases() {
        admin.post(TRY, complete(refused.clone())).await.refused_by(BLUEPRINT, says);
        admin.post(TRY, complete(passes.clone())).await.passes();
    }
    // The same on an update, by whatever request.
    let one = format!("{API}/aiteams/sentences");
    admin.post(&format!("{API}/aiteams"), complete(json!({}))).await.passes();
    for (refused, says, passes) in cases() {
        admin.patch(&format!("{one}?dryRun=All"), json!({"spec": passes})).await.passes();
        if refused["labels"]["cost-center"].is_null() && refused["labels"].is_object() {
            let removed = json!({"spec": {"labels": {"cost-center": null, "env": "prod"}}});
            admin.patch(&one, removed).await.refused_by(BLUEPRINT, says);
        } else {
            admin.patch(&one, json!({"spec": refused})).await.refused_by(BLUEPRINT, says);
            admin.apply(&one, complete(refused)).await.refused_by(BLUEPRINT, says);
        }
    }
    // All problems are reported at once.
    let all = json!({"labels": {"colour": "red"}, "backbone": {"egress": ["moon"]}, "budget": {"requests": {"storage": "2Ti"}}});
    for says in ["lacks 'cost-center'", "has 'colour'", "has 'moon'", "spec.budget.requests.storage is 2Ti"] {
        admin.post(TRY, complete(all.clone())).await.refused_by(BLUEPRINT, says);
    }
}

#[tokio::test]
async fn what_no_blueprint_speaks_of_is_free() {
    let stage = stage().await;
    let admin = stage.admin().await;
    site(&admin, "others", &strict()).await;
    site(&admin, "open", &json!({})).await;
    let much = json!({
        "shared": {"images": [{"name": "own", "image": "anywhere.example.com/x:1"}]},
        "budget": {"requests": {"cpu": "4000", "storage": "9Pi", "nvidia.com/gpu": 3}},
    });
    let at = |site: &str| {
        let mut spec = much.clone();
        spec["blueprint"] = site.into();
        spec
    };
    admin.post(TRY, team("much", &at("others"))).await.refused_by(BLUEPRINT, "of Blueprint others. Lower it");
    admin.post(TRY, team("much", &at("open"))).await.passes();
    // Of a Blueprint that is not there, the operator speaks.
    admin.post(TRY, team("much", &at("nowhere"))).await.passes();
    let labelled = json!({"blueprint": "open", "labels": {"a": "b"}});
    admin
        .post(TRY, team("much", &labelled))
        .await
        .refused_by(BLUEPRINT, "which Blueprint open does not allow. Allowed: none");
}

#[tokio::test]
async fn a_blueprint_that_became_stricter_locks_nobody_out() {
    let stage = stage().await;
    let (admin, operator) = (stage.admin().await, stage.operator().await);
    site(
        &admin,
        "mild",
        &json!({
            "labels": {"allowed": ["colour", "taste"]}, "images": {"cobol": "registry.example.com/cobol:1"},
            "egress": [{"name": "moon", "to": [{"cidr": "203.0.113.0/24"}]}],
        }),
    )
    .await;
    let spec = json!({
        "blueprint": "mild", "labels": {"colour": "red", "taste": "sour"}, "backbone": {"egress": ["moon"]},
        "members": [{"role": "MLEngineer", "users": ["ana", "bo"]}],
        "shared": {"images": [{"name": "cobol"}, {"name": "own", "image": "anywhere.example.com/x:1"}]},
        "budget": {"requests": {"cpu": "9", "nvidia.com/gpu": 9}},
    });
    admin.post(&format!("{API}/aiteams"), team("veteran", &spec)).await.passes();
    let mut stricter = strict();
    stricter["images"]["cobol"] = Value::Null;
    stricter["labels"]["allowed"] = json!(["env"]);
    admin.patch(&format!("{API}/blueprints/mild"), json!({"spec": stricter})).await.passes();
    is_known(&admin, &json!({"blueprint": "mild", "labels": {"colour": "red"}})).await;
    admin.post(TRY, team("newcomer", &spec)).await.refused_by(BLUEPRINT, "has 'moon'");
    let one = format!("{API}/aiteams/veteran");
    // The operator's own writes, and people who leave.
    operator.patch(&one, json!({"metadata": {"finalizers": ["strata-operator.dev/teardown"]}})).await.passes();
    operator.patch(&format!("{one}/status"), json!({"status": {"observedGeneration": 1}})).await.passes();
    let left = json!([{"role": "MLEngineer", "users": ["ana"]}]);
    admin.patch(&one, json!({"spec": {"members": left}})).await.passes();
    admin.patch(&one, json!({"spec": {"suspend": true}})).await.passes();
    operator.patch(&one, json!({"metadata": {"finalizers": null}})).await.passes();
    // Nothing becomes worse.
    let worse = [
        (json!({"labels": {"colour": "blue"}}), "spec.labels has 'colour'"),
        (
            json!({"backbone": {"egress": ["moon", "sun"]}}),
            "spec.backbone.egress has 'sun', which is no profile of Blueprint mild",
        ),
        (json!({"shared": {"images": [{"name": "own", "image": "anywhere.example.com/x:2"}]}}), "x:2"),
        (
            json!({"shared": {"images": [{"name": "cobol"}, {"name": "fortran"}]}}),
            "spec.shared.images has 'fortran' without",
        ),
        (
            json!({"budget": {"requests": {"cpu": "10"}}}),
            "spec.budget.requests.cpu is 10, more than the maximum 4 of Blueprint mild. Lower it",
        ),
        (json!({"budget": {"requests": {"nvidia.com/gpu": 10}}}), "spec.budget.requests[nvidia.com/gpu] is 10"),
    ];
    for (spec, says) in worse {
        admin.patch(&one, json!({"spec": spec})).await.refused_by(BLUEPRINT, says);
    }
    // Better is let through, even if it is not good yet.
    for spec in [
        json!({"labels": {"colour": null, "env": "prod"}}),
        json!({"shared": {"images": [{"name": "scipy"}, {"name": "own", "image": "anywhere.example.com/x:1"}]}}),
        json!({"budget": {"requests": {"cpu": 8, "nvidia.com/gpu": 8}}}),
        json!({"labels": {"cost-center": "1"}}),
    ] {
        admin.patch(&one, json!({"spec": spec})).await.passes();
    }
    // Under another Blueprint, nothing was so before.
    site(&admin, "mild-no-more", &strict()).await;
    admin.patch(&one, json!({"spec": {"blueprint": "mild-no-more"}})).await.refused_by(BLUEPRINT, "has 'moon'");
}

#[tokio::test]
async fn every_example_is_what_its_blueprint_allows() {
    let stage = stage().await;
    let admin = stage.admin().await;
    let root = harness::repository();
    let found = documents(&[root.join("deploy/examples"), root.join("blueprints")]).expect("the examples");
    let (sites, others): (Vec<_>, Vec<_>) = found.iter().partition(|found| found.text("/kind") == Some("Blueprint"));
    for found in sites {
        site(&admin, found.text("/metadata/name").expect("a name"), &found.value["spec"]).await;
    }
    let teams: Vec<_> = others.iter().filter(|found| found.text("/kind") == Some("AITeam")).collect();
    assert!(teams.len() >= 6);
    for found in teams {
        admin.post(TRY, found.value.clone()).await.passes();
    }
}
